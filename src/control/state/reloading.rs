//! A configuration takes the place of another: what has the same name or id is carried over.

use super::group::GroupState;
use super::listener::ListenerState;
use super::retired::RetiredTarget;
use super::target::{Stop, TargetState};
use super::{Answer, State};
use crate::balance::{GroupRuntime, TargetRuntime};
use crate::config::{AdminState, Config, OnUnhealthy, TargetGroup};
use crate::control::{Event, EventKind, Refusal, ServiceState, TargetChange};
use crate::model::{CloseReason, Name};
use crate::snapshot::{ListenerRuntime, ListeningAddress};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

impl State {
    pub(super) fn reload(
        &mut self,
        config: Arc<Config>,
        addresses: Vec<Vec<Arc<ListeningAddress>>>,
        keep_changes: bool,
        now: Instant,
    ) -> Result<Answer, Refusal> {
        if matches!(self.service(), ServiceState::Draining | ServiceState::Stopping) {
            return Err(Refusal::Conflict("forebay is ending".to_owned()));
        }
        let is_first = self.generation == 0;
        let is_same = !is_first && *config == *self.config;
        let mut discarded = Vec::new();
        self.replace_groups(&config, keep_changes, &mut discarded, now);
        self.replace_listeners(&config, addresses, now);
        self.config = config;
        self.places = self.groups.iter().enumerate().flat_map(|(at, group)| places_of(at, group)).collect();
        let uids: Vec<u32> = self.targets().map(TargetState::uid).collect();
        for uid in uids {
            self.schedule_probe(uid, now);
        }
        self.retired.trim(now);
        let changed = !is_same || !discarded.is_empty();
        if changed {
            self.is_stale = true;
        }
        if !is_first {
            let message =
                if changed { "configuration reloaded" } else { "configuration reloaded; nothing has changed" };
            self.tell(Event::new(EventKind::Reload, message));
        }
        Ok(Answer { changed, discarded })
    }

    fn replace_groups(&mut self, config: &Config, keep_changes: bool, discarded: &mut Vec<String>, now: Instant) {
        let old = std::mem::take(&mut self.groups);
        let mut old: BTreeMap<Name, GroupState> =
            old.into_iter().map(|group| (group.config.name.clone(), group)).collect();
        let mut groups = Vec::with_capacity(config.target_groups.len());
        for settings in &config.target_groups {
            let before = old.remove(&settings.name);
            groups.push(self.replace_group(settings, before, keep_changes, discarded, now));
        }
        for (_, gone) in old {
            let drain_timeout = gone.config.drain_timeout;
            for target in gone.targets {
                note_discarded(&gone.config.name, &target, discarded);
                self.retire(target, drain_timeout, now);
            }
            self.retired.put_group(gone.runtime);
        }
        self.groups = groups;
    }

    fn replace_group(
        &mut self,
        settings: &TargetGroup,
        before: Option<GroupState>,
        keep_changes: bool,
        discarded: &mut Vec<String>,
        now: Instant,
    ) -> GroupState {
        let mut group = match before {
            Some(group) => group,
            None => {
                let kept = self.retired.take_group(&settings.name);
                let new = || Arc::new(GroupRuntime::new(settings.name.clone(), self.workers));
                GroupState::new(kept.unwrap_or_else(new), Arc::new(settings.clone()))
            }
        };
        let is_check_new = group.config.health_check != settings.health_check;
        if *group.config != *settings {
            group.config = Arc::new(settings.clone());
            group.is_stale = true;
        }
        let old = std::mem::take(&mut group.targets);
        let mut old: BTreeMap<_, _> = old.into_iter().map(|target| (target.id().clone(), target)).collect();
        for written in &settings.targets {
            let target = match old.remove(&written.id) {
                Some(mut target) => {
                    let change = std::mem::take(&mut target.change);
                    let before = (target.state(), target.weight());
                    target.file = written.clone();
                    if keep_changes {
                        target.lay(change);
                    } else if change != TargetChange::default() {
                        discarded.push(name_change(&settings.name, &written.id, change));
                        group.is_stale = true;
                    }
                    group.is_stale |= before != (target.state(), target.weight());
                    target
                }
                None => self.new_target(&group.runtime, written),
            };
            group.targets.push(target);
        }
        for (_, target) in old {
            note_discarded(&settings.name, &target, discarded);
            self.retire(target, settings.drain_timeout, now);
        }
        group.fit_probing(is_check_new);
        for target in &mut group.targets {
            target.settle_stop(now);
            if !matches!(settings.on_unhealthy, OnUnhealthy::Drain | OnUnhealthy::Reset) {
                target.stop.take_if(|stop| stop.is_for_health());
            }
        }
        if settings.outlier.consecutive_failures == 0 {
            for target in group.targets.iter_mut().filter(|target| target.ejection.is_ejected()) {
                target.ejection = crate::health::EjectionState::default();
                target.runtime.trial_open.store(false, std::sync::atomic::Ordering::Relaxed);
            }
        }
        group
    }

    /// A target that is new to the file, with the record it had if it was there before.
    fn new_target(&mut self, group: &Arc<GroupRuntime>, written: &crate::config::Target) -> TargetState {
        let kept = self.retired.take_target(&group.name, &written.id);
        // A record belongs to its group's record: one that was forgotten in between cannot be joined again.
        let kept = kept.filter(|kept| Arc::ptr_eq(&kept.runtime.group, group));
        let (runtime, totals) = match kept {
            Some(kept) => (kept.runtime, kept.totals),
            None => {
                self.last_target_uid += 1;
                let (uid, id) = (self.last_target_uid, written.id.clone());
                (Arc::new(TargetRuntime::new(uid, id, Arc::clone(group), self.workers)), Default::default())
            }
        };
        let mut target = TargetState::new(runtime, written.clone());
        target.totals = totals;
        target
    }

    /// A target that is gone from the file drains.
    fn retire(&mut self, target: TargetState, drain_timeout: std::time::Duration, now: Instant) {
        self.probes.remove(target.uid());
        target.runtime.trial_open.store(false, std::sync::atomic::Ordering::Relaxed);
        let group = target.runtime.group.name.clone();
        if target.runtime.load.active() > 0 && target.state() == AdminState::Enabled {
            let message = format!("removed: drains for {} s at most", drain_timeout.as_secs_f64());
            self.tell(Event::new(EventKind::Drain, message).of_target(&group, target.id()));
        }
        let stop = match target.stop {
            Some(stop @ Stop::Drain { reason: CloseReason::Drained, .. }) => stop,
            Some(stop @ Stop::Reset { reason: CloseReason::Admin, .. }) => stop,
            Some(_) | None => Stop::Drain { reason: CloseReason::Drained, since: now },
        };
        let TargetState { runtime, totals, .. } = target;
        self.retired.put_target(RetiredTarget { runtime, totals, stop, drain_timeout, removed: now });
    }

    fn replace_listeners(&mut self, config: &Config, addresses: Vec<Vec<Arc<ListeningAddress>>>, now: Instant) {
        let old = std::mem::take(&mut self.listeners);
        let mut old: BTreeMap<Name, ListenerState> =
            old.into_iter().map(|listener| (listener.config.name.clone(), listener)).collect();
        // A view knows its groups by their places, which may all have moved.
        let mut listeners = Vec::with_capacity(config.listeners.len());
        for (settings, addresses) in config.listeners.iter().zip(addresses) {
            let (name, config) = (&settings.name, Arc::new(settings.clone()));
            let kept = old.remove(name).map(|listener| listener.runtime).or_else(|| self.retired.take_listener(name));
            let runtime = kept.unwrap_or_else(|| {
                self.last_listener_uid += 1;
                Arc::new(ListenerRuntime::new(self.last_listener_uid, name.clone(), self.workers))
            });
            listeners.push(ListenerState { runtime, config, addresses, view: None });
        }
        self.listeners = listeners;
        for (name, gone) in old {
            self.tell(Event::new(EventKind::Drain, "listener removed: its sessions drain").of_listener(&name));
            self.retired.put_listener(gone.runtime, now);
        }
    }
}

fn places_of(at: usize, group: &GroupState) -> impl Iterator<Item = (u32, (usize, usize))> {
    group.targets.iter().enumerate().map(move |(index, target)| (target.uid(), (at, index)))
}

fn note_discarded(group: &Name, target: &TargetState, discarded: &mut Vec<String>) {
    if target.change != TargetChange::default() {
        discarded.push(name_change(group, target.id(), target.change));
    }
}

/// One run-time change, as `discarded` names it.
fn name_change(group: &str, id: &str, change: TargetChange) -> String {
    let state = change.state.map(|state| format!("state {}", state.as_str()));
    let weight = change.weight.map(|weight| format!("weight {weight}"));
    let what: Vec<String> = state.into_iter().chain(weight).collect();
    format!("{group}/{id}: {}", what.join(", "))
}
