//! The JSON of target groups and targets.

use super::bodies::rfc3339;
use crate::balance::{Member, Pool, TargetReason};
use crate::config::TargetAddr;
use crate::control::{ControlView, GroupDetail, TargetDetail};
use crate::model::ConnectFailure;
use crate::snapshot::GroupView;
use crate::stats::TargetCounters;
use serde::Serialize;

/// `GET /v1/target_groups`
#[derive(Debug, Serialize)]
pub(super) struct GroupsBody {
    generation: u64,
    target_groups: Vec<GroupBody>,
}

impl GroupsBody {
    pub(super) fn new(view: &ControlView) -> Self {
        let groups = view.snapshot.groups.iter().zip(&view.groups);
        Self {
            generation: view.snapshot.generation,
            target_groups: groups.map(|(group, detail)| GroupBody::new(group, detail)).collect(),
        }
    }
}

/// `GET /v1/target_groups/G`
#[derive(Debug, Serialize)]
pub(super) struct GroupBody {
    name: String,
    balance: &'static str,
    fail_open: bool,
    eligible: usize,
    targets: Vec<TargetBody>,
}

impl GroupBody {
    pub(super) fn find(view: &ControlView, name: &str) -> Option<Self> {
        let mut groups = view.snapshot.groups.iter().zip(&view.groups);
        groups.find(|(group, _)| &*group.runtime.name == name).map(|(group, detail)| Self::new(group, detail))
    }

    fn new(group: &GroupView, detail: &GroupDetail) -> Self {
        let members = group.placement.members().iter().zip(&detail.targets);
        let targets: Vec<_> = members.map(|(member, detail)| TargetBody::new(member, detail)).collect();
        Self {
            name: group.runtime.name.to_string(),
            balance: group.config.balance.as_str(),
            fail_open: group.placement.pool() == Pool::FailOpen,
            eligible: targets.iter().filter(|target| target.eligible).count(),
            targets,
        }
    }
}

#[derive(Debug, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "the shape of the contract")]
struct TargetBody {
    id: String,
    address: String,
    weight: u16,
    backup: bool,
    state: &'static str,
    health: &'static str,
    ejected_until: Option<String>,
    eligible: bool,
    reason: &'static str,
    active: u32,
    opened: u64,
    connect_failures: u64,
    origin: &'static str,
}

impl TargetBody {
    fn new(member: &Member, detail: &TargetDetail) -> Self {
        // What ran out on our side is not the target's failure.
        let blamed = || ConnectFailure::ALL.iter().filter(|failure| failure.blames_target());
        let failures = |counters: &TargetCounters| {
            blamed().map(|failure| counters.connect_failures[failure.index()].get()).sum::<u64>()
        };
        let reason = member.reason();
        Self {
            id: detail.id.to_string(),
            address: show_target_addr(detail.target.address),
            weight: detail.target.weight,
            backup: detail.target.backup,
            state: detail.target.state.as_str(),
            health: detail.health.as_str(),
            ejected_until: detail.ejected_until.map(rfc3339),
            eligible: reason == TargetReason::Ok,
            reason: reason.as_str(),
            active: member.runtime.load.active(),
            opened: member.runtime.counters.sum(|counters| &counters.opened),
            connect_failures: member.runtime.counters.iter().map(failures).sum(),
            origin: detail.origin,
        }
    }
}

/// `ip:port`, or the address alone when the target keeps the port that the client reached.
pub(super) fn show_target_addr(addr: TargetAddr) -> String {
    match addr.port {
        Some(port) => addr.at(port).to_string(),
        None => addr.ip.to_string(),
    }
}
