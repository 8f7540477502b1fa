//! What control knows and decides, pure: no socket, no clock, no lock, no randomness of its own.
//!
//! An [`Input`] goes in with the time, [`Effect`]s come out, and [`State::compile`] makes the next generation where
//! anything changed that workers must know.

mod changing;
mod ejecting;
mod group;
mod input;
mod listener;
mod picture;
mod probing;
mod publishing;
mod reloading;
mod retired;
mod stopping;
mod target;

#[cfg(test)]
mod tests;

pub use input::{Answer, Effect, Input, ProbeOrder, ProbeOutcome, ProbeReport};
pub use picture::Picture;

use super::{Event, Refusal, ServiceState};
use crate::config::Config;
use crate::health::ProbeQueue;
use crate::snapshot::{ProcessRuntime, Snapshot};
use ahash::AHashMap;
use group::GroupState;
use listener::ListenerState;
use retired::Retired;
use std::sync::Arc;
use std::time::Instant;
use target::TargetState;

/// Where a target stands: group and place in it.
type Place = (usize, usize);

/// Everything that control knows.
#[derive(Debug)]
pub struct State {
    workers: usize,
    process: Arc<ProcessRuntime>,
    /// What was loaded last, without run-time changes.
    config: Arc<Config>,
    /// In name order.
    groups: Vec<GroupState>,
    /// In name order.
    listeners: Vec<ListenerState>,
    /// Places by `TargetRuntime::uid`.
    places: AHashMap<u32, Place>,
    retired: Retired,
    last_target_uid: u32,
    last_listener_uid: u32,
    probes: ProbeQueue<u32>,
    last_probe: u64,
    service: stopping::Service,
    generation: u64,
    snapshot: Option<Arc<Snapshot>>,
    /// Whether `snapshot` is behind.
    is_stale: bool,
    effects: Vec<Effect>,
}

impl State {
    /// A state that has no configuration yet: begin with [`Input::Reload`].
    #[must_use]
    pub fn new(process: Arc<ProcessRuntime>, workers: usize, now: Instant) -> Self {
        Self {
            workers,
            process,
            config: Arc::new(Config::default()),
            groups: Vec::new(),
            listeners: Vec::new(),
            places: AHashMap::new(),
            retired: Retired::default(),
            last_target_uid: 0,
            last_listener_uid: 0,
            probes: ProbeQueue::new(),
            last_probe: 0,
            service: stopping::Service::new(now),
            generation: 0,
            snapshot: None,
            is_stale: true,
            effects: Vec::new(),
        }
    }

    /// Takes one input in.
    ///
    /// # Errors
    /// When an operator asks for what cannot be; nothing has changed then.
    pub fn apply(&mut self, input: Input, now: Instant, random: &mut fastrand::Rng) -> Result<Answer, Refusal> {
        let answer = match input {
            Input::Reload { config, addresses, keep_changes } => self.reload(config, addresses, keep_changes, now)?,
            Input::ChangeTarget { group, target, change } => self.change_target(&group, &target, change, now)?,
            Input::ProbeEnded(report) => self.probe_ended(report, now, random),
            Input::Observed(observation) => self.observed(observation, now, random),
            Input::Adopted(generation) => self.adopted(generation),
            Input::Shutdown => self.begin_shutdown(now),
            Input::Tick => Answer::default(),
        };
        self.advance_service(now);
        self.advance_ejections(now);
        self.start_probes(now, random);
        Ok(answer)
    }

    /// What is to be done, taken out.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// When [`Input::Tick`] is due at the latest.
    pub fn next_deadline(&mut self) -> Option<Instant> {
        let probes = if self.is_probing() { self.probes.next_due() } else { None };
        [probes, self.next_ejection_change(), self.service.next_deadline()].into_iter().flatten().min()
    }

    /// The configuration that was loaded last, without run-time changes.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The generation that was compiled last.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What the process is doing.
    #[must_use]
    pub fn service(&self) -> ServiceState {
        self.service.state()
    }

    fn tell(&mut self, event: Event) {
        self.effects.push(Effect::Event(event));
    }

    fn targets(&self) -> impl Iterator<Item = &TargetState> {
        self.groups.iter().flat_map(|group| &group.targets)
    }

    /// The group's view is behind, and so the snapshot.
    fn mark_stale(&mut self, group: usize) {
        self.groups[group].is_stale = true;
        self.is_stale = true;
    }
}
