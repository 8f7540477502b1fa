//! From a flow key to a target group: rules first, then the weighted forward.

use super::{GroupView, ListenerView, RuleView, Snapshot};
use crate::balance::{HashKey, SplitPoint};
use crate::config::ForwardKey;
use crate::model::FlowKey;
use std::net::IpAddr;
use std::sync::Arc;

/// Where a client belongs, and why.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    /// The group.
    pub group: &'a Arc<GroupView>,
    /// Its index in [`Snapshot::groups`].
    pub group_index: usize,
    /// Index of the rule that matched.
    pub rule: Option<usize>,
    /// The client's point in the split, when no rule matched and there is more than one side.
    pub split_point: Option<SplitPoint>,
}

impl Snapshot {
    /// The group that `key` belongs to on `listener`.
    #[must_use]
    pub fn route(&self, listener: &ListenerView, key: &FlowKey) -> Route<'_> {
        if let Some(rule) = listener.rules.iter().position(|rule| rule.matches(key)) {
            return self.route_to(listener.rules[rule].group, Some(rule), None);
        }
        if let [only] = listener.sides[..] {
            return self.route_to(only, None, None);
        }
        let forward_key = match listener.config.forward_key {
            ForwardKey::SourceIp => HashKey::SourceIp,
            ForwardKey::SourceIpPort => HashKey::SourceIpPort,
        };
        let point = SplitPoint::of(key, forward_key);
        let usable = |side: usize| self.groups[listener.sides[side]].placement.has_own_pool();
        let side = listener.split.choose(point, usable);
        self.route_to(listener.sides[side], None, Some(point))
    }

    fn route_to(&self, group_index: usize, rule: Option<usize>, split_point: Option<SplitPoint>) -> Route<'_> {
        Route { group: &self.groups[group_index], group_index, rule, split_point }
    }
}

impl RuleView {
    /// Whether every field given matches.
    #[must_use]
    pub fn matches(&self, key: &FlowKey) -> bool {
        let within =
            |set: &Option<crate::limit::PrefixSet>, ip: IpAddr| set.as_ref().is_none_or(|set| set.contains(ip));
        let port = key.listen_addr.port();
        within(&self.source, key.client_addr.ip())
            && within(&self.destination, key.listen_addr.ip())
            && (self.destination_ports.is_empty()
                || self.destination_ports.iter().any(|&(first, last)| (first..=last).contains(&port)))
    }
}
