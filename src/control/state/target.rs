//! One target as control knows it.

use super::input::ProbeOrder;
use crate::balance::{Standing, TargetReason, TargetRuntime};
use crate::config::{self, AdminState};
use crate::control::{ProbeTotals, TargetChange};
use crate::health::{EjectionState, Health, Tracker};
use crate::model::{CloseReason, TargetId};
use crate::snapshot::{CloseOrder, Manner, TargetInput};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Why the running sessions of a target must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Spread over the last fifth of the group's `drain_timeout`.
    Drain { reason: CloseReason, since: Instant },
    /// At once. Withdrawn when every worker obeys `generation`: sessions that come later are not meant.
    Reset { reason: CloseReason, generation: Option<u64> },
}

impl Stop {
    /// A reset in the generation that is compiled next.
    pub(super) fn reset(reason: CloseReason) -> Self {
        Self::Reset { reason, generation: None }
    }

    /// Whether it is because the target turned unhealthy.
    pub(super) fn is_for_health(&self) -> bool {
        match *self {
            Self::Drain { reason, .. } | Self::Reset { reason, .. } => reason == CloseReason::Unhealthy,
        }
    }

    /// The order for workers.
    pub(super) fn order(self, drain_timeout: Duration) -> CloseOrder {
        match self {
            Self::Drain { reason, since } => CloseOrder::drain(reason, since, drain_timeout),
            Self::Reset { reason, .. } => CloseOrder { reason, manner: Manner::ResetNow },
        }
    }
}

/// Where a target stands with the next probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// To be put into the queue, if it is to be probed at all.
    Out,
    /// In the queue.
    Queued,
    /// Its probe with this number is under way since then.
    UnderWay { probe: u64, started: Instant },
}

/// Active checks of a target.
#[derive(Debug)]
pub(super) struct Probing {
    pub(super) tracker: Tracker,
    pub(super) turn: Turn,
}

#[derive(Debug)]
pub(super) struct TargetState {
    pub(super) runtime: Arc<TargetRuntime>,
    /// What the file says.
    pub(super) file: config::Target,
    /// What an operator has changed on top; a field that equals the file's is never kept.
    pub(super) change: TargetChange,
    /// `None` = the group has no health check.
    pub(super) probing: Option<Probing>,
    /// Probes since the target is known.
    pub(super) totals: ProbeTotals,
    pub(super) ejection: EjectionState,
    pub(super) stop: Option<Stop>,
}

impl TargetState {
    pub(super) fn new(runtime: Arc<TargetRuntime>, file: config::Target) -> Self {
        let (change, ejection) = (TargetChange::default(), EjectionState::default());
        Self { runtime, file, change, probing: None, totals: ProbeTotals::default(), ejection, stop: None }
    }

    pub(super) fn id(&self) -> &TargetId {
        &self.file.id
    }

    pub(super) fn uid(&self) -> u32 {
        self.runtime.uid
    }

    /// The administrative state in force.
    pub(super) fn state(&self) -> AdminState {
        self.change.state.unwrap_or(self.file.state)
    }

    /// The weight in force.
    pub(super) fn weight(&self) -> u16 {
        self.change.weight.unwrap_or(self.file.weight)
    }

    /// Settings in force.
    pub(super) fn in_force(&self) -> config::Target {
        config::Target { state: self.state(), weight: self.weight(), ..self.file.clone() }
    }

    /// The verdict of active checks; without them a target is healthy.
    pub(super) fn health(&self) -> Health {
        self.probing.as_ref().map_or(Health::Healthy, |probing| probing.tracker.health())
    }

    /// Enabled and with a weight: what shares are counted of.
    pub(super) fn is_wanted(&self) -> bool {
        self.state() == AdminState::Enabled && self.weight() > 0
    }

    pub(super) fn is_eligible(&self) -> bool {
        self.weight() > 0 && self.standing() == Standing::Eligible
    }

    /// What administration, health and ejection make of it, in this order.
    pub(super) fn standing(&self) -> Standing {
        let because = Standing::Ineligible;
        match (self.state(), self.health()) {
            (AdminState::Disabled, _) => because(TargetReason::Disabled),
            (AdminState::Draining, _) => because(TargetReason::Draining),
            (AdminState::Enabled, Health::Initial) => because(TargetReason::Initial),
            (AdminState::Enabled, Health::Unhealthy) => because(TargetReason::Unhealthy),
            (AdminState::Enabled, Health::Healthy) if self.ejection.is_half_open() => Standing::Trial,
            (AdminState::Enabled, Health::Healthy) if self.ejection.is_ejected() => because(TargetReason::Ejected),
            (AdminState::Enabled, Health::Healthy) => Standing::Eligible,
        }
    }

    /// Lays a change over the file; false when it was so already.
    pub(super) fn lay(&mut self, change: TargetChange) -> bool {
        let before = (self.state(), self.weight());
        if let Some(state) = change.state {
            self.change.state = (state != self.file.state).then_some(state);
        }
        if let Some(weight) = change.weight {
            self.change.weight = (weight != self.file.weight).then_some(weight);
        }
        before != (self.state(), self.weight())
    }

    /// What the administrative state asks of running sessions, from `now` where it is new.
    pub(super) fn settle_stop(&mut self, now: Instant) {
        let drains = |stop: &Stop| matches!(stop, Stop::Drain { reason: CloseReason::Drained, .. });
        self.stop = match self.state() {
            AdminState::Disabled => match self.stop {
                stop @ Some(Stop::Reset { reason: CloseReason::Admin, .. }) => stop,
                Some(_) | None => Some(Stop::reset(CloseReason::Admin)),
            },
            AdminState::Draining => {
                let drained = Stop::Drain { reason: CloseReason::Drained, since: now };
                self.stop.filter(drains).or(Some(drained))
            }
            AdminState::Enabled => self.stop.filter(|stop| self.health() == Health::Unhealthy && stop.is_for_health()),
        };
    }

    pub(super) fn input(&self) -> TargetInput {
        TargetInput { runtime: Arc::clone(&self.runtime), target: self.in_force(), standing: self.standing() }
    }

    /// Where and how to probe it now; `None` when it is not to be probed. Its probe is under way then.
    pub(super) fn order_probe(
        &mut self,
        group: &Arc<config::TargetGroup>,
        probe: u64,
        now: Instant,
    ) -> Option<ProbeOrder> {
        let check = group.health_check.as_ref()?;
        let probing = self.probing.as_mut()?;
        probing.turn = Turn::UnderWay { probe, started: now };
        let addr = self.file.address.at(0);
        let addr = std::net::SocketAddr::new(addr.ip(), check.port.unwrap_or(addr.port()));
        let group = Arc::clone(group);
        Some(ProbeOrder { target_uid: self.uid(), probe, started: now, addr, group })
    }

    /// Disabled targets are not probed.
    pub(super) fn is_probed(&self) -> bool {
        self.probing.is_some() && self.state() != AdminState::Disabled
    }
}
