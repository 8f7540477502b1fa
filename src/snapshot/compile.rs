//! From control's state to the views that workers obey: pure.

use super::{GroupView, ListenerRuntime, ListenerView, ListeningAddress, RuleView};
use crate::balance::{GroupRuntime, Member, Placement, Split, Standing, TargetRuntime};
use crate::config;
use crate::limit::{Access, PrefixSet};
use crate::model::Name;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// One target of a group, as control knows it.
#[derive(Clone, Debug)]
pub struct TargetInput {
    /// Its record.
    pub runtime: Arc<TargetRuntime>,
    /// Where it is reached, its weight and role, run-time changes applied.
    pub target: config::Target,
    /// What health, ejection and administration make of it.
    pub standing: Standing,
}

/// A group, as control knows it.
#[derive(Clone, Debug)]
pub struct GroupInput {
    /// Its record.
    pub runtime: Arc<GroupRuntime>,
    /// Its settings.
    pub config: Arc<config::TargetGroup>,
    /// Its members.
    pub targets: Vec<TargetInput>,
}

/// A listener, as control knows it.
#[derive(Clone, Debug)]
pub struct ListenerInput {
    /// Its record.
    pub runtime: Arc<ListenerRuntime>,
    /// Its settings, run-time changes applied.
    pub config: Arc<config::Listener>,
    /// Its sockets.
    pub addresses: Vec<Arc<ListeningAddress>>,
}

/// The view of a group; `previous` (the view before) lends its Maglev tables where membership is unchanged.
///
/// Sets the limits of the shared records too: they take effect with the first new session.
#[must_use]
pub fn compile_group(input: GroupInput, previous: Option<&GroupView>) -> GroupView {
    let GroupInput { runtime, config, targets } = input;
    runtime.sessions.set_limit(config.max_connections);
    let drain_timeout_ms = u64::try_from(config.drain_timeout.as_millis()).unwrap_or(u64::MAX);
    runtime.drain_timeout_ms.store(drain_timeout_ms, Relaxed);
    for input in &targets {
        input.runtime.load.set_limit(input.target.max_connections);
    }
    let addresses = targets.iter().map(|input| input.target.address).collect();
    let member = |input: TargetInput| Member {
        runtime: input.runtime,
        weight: input.target.weight,
        backup: input.target.backup,
        standing: input.standing,
    };
    let placement = Placement::new(
        config.balance,
        config.hash_key,
        &config.hash_seed,
        config.table_size,
        targets.into_iter().map(member).collect(),
        config.fail_open_below,
        previous.map(|view| &view.placement),
    );
    GroupView { runtime, config, targets: addresses, placement }
}

/// The view of a listener; `group_index` finds a group in the snapshot by name.
///
/// # Panics
/// When a group that the configuration names is absent: validation refuses such a file.
#[must_use]
pub fn compile_listener(input: ListenerInput, group_index: impl Fn(&Name) -> Option<usize>) -> ListenerView {
    let ListenerInput { runtime, config, addresses } = input;
    runtime.sessions.set_limit(config.max_connections);
    let index = |name: &Name| group_index(name).expect("validation admits only groups that exist");
    let prefixes = |list: &[ipnet::IpNet]| (!list.is_empty()).then(|| PrefixSet::new(list));
    let rule = |rule: &config::Rule| RuleView {
        source: prefixes(&rule.source),
        destination: prefixes(&rule.destination),
        destination_ports: rule.destination_ports.clone(),
        group: index(&rule.target_group),
    };
    let weights: Vec<u32> = config.forward.iter().map(|side| side.weight).collect();
    ListenerView {
        runtime,
        access: Access::new(&config.allow, &config.deny),
        rules: config.rules.iter().map(rule).collect(),
        split: Split::new(&weights),
        sides: config.forward.iter().map(|side| index(&side.target_group)).collect(),
        addresses,
        config,
    }
}
