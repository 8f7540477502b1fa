//! Active health: when to probe, and what follows from the answers.

use super::target::{Stop, Turn};
use super::{Answer, Effect, ProbeOutcome, ProbeReport, State};
use crate::config::OnUnhealthy;
use crate::control::{Event, EventKind, ServiceState};
use crate::health::{Health, Transition};
use crate::model::CloseReason;
use std::time::{Duration, Instant};

/// A probe that timed out this much too late was not watched: the process was stopped or starved, and it proves
/// nothing.
const STALL: Duration = Duration::from_millis(250);

impl State {
    pub(super) fn is_probing(&self) -> bool {
        self.service() != ServiceState::Stopping
    }

    /// Puts a target in for a probe at once if it has no turn yet; takes it out if it is no longer to be probed.
    pub(super) fn schedule_probe(&mut self, uid: u32, now: Instant) {
        let Some(&(group, index)) = self.places.get(&uid) else { return };
        let target = &mut self.groups[group].targets[index];
        let is_probed = target.is_probed();
        match &mut target.probing {
            Some(probing) if is_probed && probing.turn == Turn::Out => {
                probing.turn = Turn::Queued;
                self.probes.insert(uid, now);
            }
            // In the queue it may be with either turn: a new check gives everyone a new one.
            Some(probing) if !is_probed && matches!(probing.turn, Turn::Out | Turn::Queued) => {
                probing.turn = Turn::Out;
                self.probes.remove(uid);
            }
            Some(_) => {}
            None => self.probes.remove(uid),
        }
    }

    /// Orders the probes that are due.
    pub(super) fn start_probes(&mut self, now: Instant, random: &mut fastrand::Rng) {
        if !self.is_probing() {
            return;
        }
        for uid in self.probes.due(now, random) {
            let Some(&(group, index)) = self.places.get(&uid) else { continue };
            let group = &mut self.groups[group];
            let target = &mut group.targets[index];
            let Some(order) = target.order_probe(&group.config, self.last_probe + 1, now) else { continue };
            self.last_probe = order.probe;
            self.effects.push(Effect::StartProbe(order));
        }
    }

    pub(super) fn probe_ended(&mut self, report: &ProbeReport, now: Instant, random: &mut fastrand::Rng) -> Answer {
        let Some(&(group_index, index)) = self.places.get(&report.target_uid) else { return Answer::default() };
        let group = &mut self.groups[group_index];
        let (Some(pace), Some(check)) = (group.pace(), &group.config.health_check) else { return Answer::default() };
        let timeout = check.timeout;
        let target = &mut group.targets[index];
        let is_probed = target.is_probed();
        let Some(probing) = &mut target.probing else { return Answer::default() };
        // An answer to a question that is no longer asked.
        let Turn::UnderWay { probe, started } = probing.turn else { return Answer::default() };
        if probe != report.probe {
            return Answer::default();
        }
        probing.turn = if is_probed { Turn::Queued } else { Turn::Out };
        if !is_probed {
            return Answer::default();
        }
        let passed = match report.outcome {
            ProbeOutcome::Passed => Some(true),
            ProbeOutcome::Failed(_) => Some(false),
            ProbeOutcome::TimedOut => (report.took <= timeout + STALL).then_some(false),
            ProbeOutcome::Inconclusive(_) => None,
        };
        let transition = passed.and_then(|passed| probing.tracker.observe(passed));
        let due = pace.next_probe(started, now, passed.is_none() || probing.tracker.in_transition(), random);
        // Never in a tight circle, whatever the intervals are.
        let due = due.max(now + pace.fast_interval.min(pace.interval).min(Duration::from_millis(10)));
        let totals = &mut target.totals;
        totals.seconds += report.took.as_secs_f64();
        match report.outcome {
            ProbeOutcome::Passed => totals.passed += 1,
            ProbeOutcome::TimedOut => totals.timed_out += 1,
            ProbeOutcome::Failed(_) => totals.failed += 1,
            ProbeOutcome::Inconclusive(_) => {}
        }
        self.probes.insert(report.target_uid, due);
        if let Some(transition) = transition {
            self.verdict(transition, &report.outcome, (group_index, index), now);
        }
        Answer::default()
    }

    /// A verdict has flipped.
    fn verdict(
        &mut self,
        flip: Transition,
        outcome: &ProbeOutcome,
        (group_index, index): (usize, usize),
        now: Instant,
    ) {
        let on_unhealthy = self.groups[group_index].config.on_unhealthy;
        let target = &mut self.groups[group_index].targets[index];
        let down = flip.to == Health::Unhealthy;
        // A target that nothing was known of has no sessions that trusted it.
        if down && flip.from == Health::Healthy && target.stop.is_none() {
            target.stop = match on_unhealthy {
                OnUnhealthy::Auto | OnUnhealthy::Keep | OnUnhealthy::Rebind => None,
                OnUnhealthy::Drain => Some(Stop::Drain { reason: CloseReason::Unhealthy, since: now }),
                OnUnhealthy::Reset => Some(Stop::reset(CloseReason::Unhealthy)),
            };
        }
        target.settle_stop(now);
        let message = match outcome {
            ProbeOutcome::Passed => "healthy".to_owned(),
            ProbeOutcome::TimedOut => "unhealthy: no answer in time".to_owned(),
            ProbeOutcome::Failed(why) | ProbeOutcome::Inconclusive(why) => format!("unhealthy: {why}"),
        };
        let id = target.id().clone();
        let event = Event::new(EventKind::Health, message).of_target(&self.groups[group_index].config.name, &id);
        self.tell(event.warning_if(down));
        self.mark_stale(group_index);
        if !down && self.is_own_port_probed((group_index, index)) {
            let decision = self.groups[group_index].targets[index].ejection.on_recovered(now);
            self.follow(decision, (group_index, index), now);
        }
    }

    /// Whether probes of the target go to the port that its traffic goes to.
    fn is_own_port_probed(&self, (group_index, index): (usize, usize)) -> bool {
        let group = &self.groups[group_index];
        let probed = group.config.health_check.as_ref().map(|check| check.port);
        let own = group.targets[index].file.address.port;
        probed.is_some_and(|port| port.is_none() || port == own)
    }
}
