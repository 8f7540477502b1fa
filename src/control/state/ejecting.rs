//! Passive health: whom connections fail to is ejected for a while.

use super::{Answer, State};
use crate::control::{Event, EventKind};
use crate::health::Decision;
use crate::model::{Observation, ObservationKind};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

impl State {
    pub(super) fn observed(&mut self, seen: Observation, now: Instant, random: &mut fastrand::Rng) -> Answer {
        let Some(&(group_index, index)) = self.places.get(&seen.target_uid) else { return Answer::default() };
        let group = &mut self.groups[group_index];
        let (policy, counts) = (group.ejection_policy(), group.counts(index));
        let target = &mut group.targets[index];
        let decision = match seen.kind {
            ObservationKind::ConnectFailed { in_a_row, .. } => {
                // Only who gets work can lose it: others are told apart by administration and active checks.
                if !target.is_eligible() {
                    return Answer::default();
                }
                target.ejection.on_failure(in_a_row, counts, &policy, now, random)
            }
            ObservationKind::TrialPassed => target.ejection.on_trial(true, &policy, now, random),
            ObservationKind::TrialFailed => target.ejection.on_trial(false, &policy, now, random),
        };
        self.follow(decision, (group_index, index), now);
        Answer::default()
    }

    /// Ends the ejections whose time has come.
    pub(super) fn advance_ejections(&mut self, now: Instant) {
        for group_index in 0..self.groups.len() {
            for index in 0..self.groups[group_index].targets.len() {
                let decision = self.groups[group_index].targets[index].ejection.advance(now);
                self.follow(decision, (group_index, index), now);
            }
        }
    }

    pub(super) fn next_ejection_change(&self) -> Option<Instant> {
        self.targets().filter_map(|target| target.ejection.next_change()).min()
    }

    pub(super) fn follow(&mut self, decision: Decision, (group_index, index): (usize, usize), now: Instant) {
        let group = &self.groups[group_index];
        let target = &group.targets[index];
        let runtime = &target.runtime;
        let (message, is_warning) = match decision {
            Decision::Stay | Decision::Spared => return,
            Decision::Eject { until } => {
                runtime.trial_open.store(false, Relaxed);
                let length = until.saturating_duration_since(now).as_secs_f64();
                (format!("ejected for {length:.1} s: connections to it fail"), true)
            }
            Decision::OpenTrial => {
                runtime.trial_open.store(true, Relaxed);
                ("half-open: the next session is its trial".to_owned(), false)
            }
            Decision::Return => {
                runtime.trial_open.store(false, Relaxed);
                ("returned from ejection".to_owned(), false)
            }
        };
        runtime.failures_in_a_row.store(0, Relaxed);
        let event = Event::new(EventKind::Ejection, message).of_target(&group.config.name, target.id());
        self.tell(event.warning_if(is_warning));
        self.mark_stale(group_index);
    }
}
