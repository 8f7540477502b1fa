//! A snapshot made from a file alone: every enabled target counts as healthy, nothing is bound.

use crate::balance::{GroupRuntime, Standing, TargetReason, TargetRuntime};
use crate::config::{AdminState, Config, Listener, Target, TargetGroup};
use crate::snapshot::{
    GroupInput, GroupView, ListenerInput, ListenerRuntime, Orders, Phase, ProcessRuntime, Snapshot, TargetInput,
    compile_group, compile_listener,
};
use crate::stats::BoundedGauge;
use std::sync::Arc;

/// Compiles through the same code as a running forebay.
#[must_use]
pub fn compile(config: &Config) -> Snapshot {
    let groups: Vec<_> = config.target_groups.iter().map(|group| Arc::new(group_view(group))).collect();
    let index = |name: &crate::model::Name| groups.iter().position(|group| group.runtime.name == *name);
    let listener = |one: &Listener| {
        let runtime = Arc::new(ListenerRuntime::new(0, Arc::clone(&one.name), 1));
        let input = ListenerInput { runtime, config: Arc::new(one.clone()), addresses: Vec::new() };
        Arc::new(compile_listener(input, index))
    };
    let listeners = config.listeners.iter().map(listener).collect();
    let process = ProcessRuntime::new(BoundedGauge::new(0), 1);
    Snapshot {
        generation: 0,
        phase: Phase::Serving,
        process: Arc::new(process),
        listeners,
        groups,
        orders: Orders::default(),
        records_wanted: false,
    }
}

fn group_view(group: &TargetGroup) -> GroupView {
    let runtime = Arc::new(GroupRuntime::new(Arc::clone(&group.name), 1));
    let target = |target: &Target| TargetInput {
        runtime: Arc::new(TargetRuntime::new(0, Arc::clone(&target.id), Arc::clone(&runtime), 1)),
        target: target.clone(),
        standing: standing(target.state),
    };
    let targets = group.targets.iter().map(target).collect();
    compile_group(GroupInput { runtime: Arc::clone(&runtime), config: Arc::new(group.clone()), targets }, None)
}

fn standing(state: AdminState) -> Standing {
    match state {
        AdminState::Enabled => Standing::Eligible,
        AdminState::Draining => Standing::Ineligible(TargetReason::Draining),
        AdminState::Disabled => Standing::Ineligible(TargetReason::Disabled),
    }
}
