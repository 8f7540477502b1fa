//! What is no longer configured and still counts: running sessions end in peace, and counters never go back.

use super::target::Stop;
use crate::balance::{GroupRuntime, TargetRuntime};
use crate::control::ProbeTotals;
use crate::model::{Name, TargetId};
use crate::snapshot::{ListenerRuntime, Orders};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Removed targets without sessions whose counters are kept; beyond that the longest gone are forgotten.
const RETIRED_TARGETS: usize = 4096;

/// How long an order stays in force beyond need: a worker may still accept what was queued before the removal.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct RetiredTarget {
    pub(super) runtime: Arc<TargetRuntime>,
    pub(super) totals: ProbeTotals,
    pub(super) stop: Stop,
    pub(super) drain_timeout: Duration,
    pub(super) removed: Instant,
}

impl RetiredTarget {
    fn is_idle(&self, now: Instant) -> bool {
        self.runtime.load.active() == 0 && now > self.removed + GRACE
    }
}

#[derive(Debug, Default)]
pub(super) struct Retired {
    targets: BTreeMap<(Name, TargetId), RetiredTarget>,
    groups: BTreeMap<Name, Arc<GroupRuntime>>,
    listeners: BTreeMap<Name, (Arc<ListenerRuntime>, Instant)>,
}

impl Retired {
    pub(super) fn put_target(&mut self, target: RetiredTarget) {
        let key = (target.runtime.group.name.clone(), target.runtime.id.clone());
        self.targets.insert(key, target);
    }

    pub(super) fn put_group(&mut self, group: Arc<GroupRuntime>) {
        self.groups.insert(group.name.clone(), group);
    }

    pub(super) fn put_listener(&mut self, listener: Arc<ListenerRuntime>, now: Instant) {
        self.listeners.insert(listener.name.clone(), (listener, now));
    }

    /// Takes a target out again: it is back in the file.
    pub(super) fn take_target(&mut self, group: &Name, id: &TargetId) -> Option<RetiredTarget> {
        self.targets.remove(&(group.clone(), id.clone()))
    }

    pub(super) fn take_group(&mut self, name: &Name) -> Option<Arc<GroupRuntime>> {
        self.groups.remove(name)
    }

    pub(super) fn take_listener(&mut self, name: &Name) -> Option<Arc<ListenerRuntime>> {
        self.listeners.remove(name).map(|(runtime, _removed)| runtime)
    }

    /// Removed listeners, whose counters are still shown.
    pub(super) fn listeners(&self) -> impl Iterator<Item = &Arc<ListenerRuntime>> {
        self.listeners.values().map(|(runtime, _removed)| runtime)
    }

    /// Removed targets, whose counters are still shown.
    pub(super) fn targets(&self) -> impl Iterator<Item = &RetiredTarget> {
        self.targets.values()
    }

    /// Adds the orders for what still runs.
    pub(super) fn give_orders(&self, orders: &mut Orders, now: Instant) {
        for target in self.targets.values().filter(|target| !target.is_idle(now)) {
            orders.targets.insert(target.runtime.uid, target.stop.order(target.drain_timeout));
        }
        let busy =
            |runtime: &ListenerRuntime, removed: Instant| runtime.sessions.active() > 0 || now <= removed + GRACE;
        for (runtime, removed) in self.listeners.values().filter(|(runtime, removed)| busy(runtime, *removed)) {
            orders.listeners.insert(runtime.uid, *removed);
        }
    }

    /// Forgets the longest gone beyond the bound, and groups that nobody belongs to.
    pub(super) fn trim(&mut self, now: Instant) {
        let excess = self.targets.len().saturating_sub(RETIRED_TARGETS);
        if excess > 0 {
            let idle = self.targets.iter().filter(|(_, target)| target.is_idle(now));
            let mut idle: Vec<_> = idle.map(|(key, target)| (target.removed, key.clone())).collect();
            idle.sort_unstable();
            for (_, key) in idle.into_iter().take(excess) {
                self.targets.remove(&key);
            }
        }
        let targets = &self.targets;
        let is_last = |group: &Name| !targets.values().any(|target| target.runtime.group.name == *group);
        if self.groups.len() > RETIRED_TARGETS {
            self.groups.retain(|name, runtime| runtime.sessions.active() > 0 || !is_last(name));
        }
        if self.listeners.len() > RETIRED_TARGETS {
            self.listeners.retain(|_, (runtime, _)| runtime.sessions.active() > 0);
        }
    }
}
