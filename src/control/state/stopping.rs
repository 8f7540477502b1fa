//! How the process comes and goes: starting, serving, draining, stopping.

use super::target::Stop;
use super::{Answer, State};
use crate::config::AdminState;
use crate::control::{Event, EventKind, ServiceState};
use crate::health::Health;
use crate::model::CloseReason;
use crate::snapshot::{CloseOrder, Phase};
use std::time::{Duration, Instant};

/// First verdicts that are not there this long after the first timeout no longer hold up readiness.
const VERDICT_GRACE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Until every worker serves and first verdicts are there.
    Starting {
        workers_serve: bool,
        verdicts_by: Instant,
    },
    Serving,
    /// Until the drain delay is over.
    Draining {
        until: Instant,
    },
    /// No longer accepting; sessions may go on.
    Stopping {
        since: Instant,
        until: Instant,
    },
    Halted {
        since: Instant,
        until: Instant,
    },
}

/// What the process is doing.
#[derive(Debug)]
pub(super) struct Service(Stage);

impl Service {
    pub(super) fn new(now: Instant) -> Self {
        Self(Stage::Starting { workers_serve: false, verdicts_by: now })
    }

    pub(super) fn state(&self) -> ServiceState {
        match self.0 {
            Stage::Starting { .. } => ServiceState::Starting,
            Stage::Serving => ServiceState::Serving,
            Stage::Draining { .. } => ServiceState::Draining,
            Stage::Stopping { .. } | Stage::Halted { .. } => ServiceState::Stopping,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self.0 {
            Stage::Starting { .. } | Stage::Serving | Stage::Draining { .. } => Phase::Serving,
            Stage::Stopping { .. } => Phase::Stopping,
            Stage::Halted { .. } => Phase::Halted,
        }
    }

    /// The order to every session.
    pub(super) fn order(&self) -> Option<CloseOrder> {
        match self.0 {
            Stage::Starting { .. } | Stage::Serving | Stage::Draining { .. } => None,
            Stage::Stopping { since, until } | Stage::Halted { since, until } => {
                Some(CloseOrder::drain(CloseReason::Shutdown, since, until.saturating_duration_since(since)))
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match self.0 {
            Stage::Starting { workers_serve: true, verdicts_by: at } => Some(at),
            Stage::Draining { until: at } | Stage::Stopping { until: at, .. } => Some(at),
            Stage::Starting { .. } | Stage::Serving | Stage::Halted { .. } => None,
        }
    }
}

impl State {
    /// Whether `/readyz` is 200, else why not.
    ///
    /// # Errors
    /// What it waits for.
    pub fn ready(&self) -> Result<(), String> {
        match self.service.0 {
            Stage::Serving => Ok(()),
            Stage::Starting { workers_serve: false, .. } => Err("starting: not every worker serves yet".to_owned()),
            Stage::Starting { .. } => Err("starting: first health checks are under way".to_owned()),
            Stage::Draining { .. } => Err("draining".to_owned()),
            Stage::Stopping { .. } | Stage::Halted { .. } => Err("stopping".to_owned()),
        }
    }

    /// The start begins now: first verdicts may take this long.
    pub(super) fn expect_verdicts(&mut self, now: Instant) {
        let checks = self.groups.iter().filter_map(|group| group.config.health_check.as_ref());
        let longest = checks.map(|check| check.timeout).max().unwrap_or_default();
        if let Stage::Starting { verdicts_by, .. } = &mut self.service.0 {
            *verdicts_by = now + longest + VERDICT_GRACE;
        }
    }

    pub(super) fn adopted(&mut self, generation: u64) -> Answer {
        if let Stage::Starting { workers_serve, .. } = &mut self.service.0 {
            *workers_serve |= generation > 0;
        }
        for target in self.groups.iter_mut().flat_map(|group| &mut group.targets) {
            // Done, and sessions that come later, when the group fails open, are not meant.
            let given = match target.stop {
                Some(Stop::Reset { reason: CloseReason::Unhealthy, generation }) => generation,
                Some(Stop::Reset { .. } | Stop::Drain { .. }) | None => None,
            };
            if given.is_some_and(|given| given <= generation) {
                target.stop = None;
                self.is_stale = true;
            }
        }
        Answer::default()
    }

    pub(super) fn begin_shutdown(&mut self, now: Instant) -> Answer {
        if !matches!(self.service.0, Stage::Starting { .. } | Stage::Serving) {
            return Answer::default();
        }
        let delay = self.config.runtime.drain_delay;
        self.service.0 = Stage::Draining { until: now + delay };
        let message = format!("ending: accepting for {} s more", delay.as_secs_f64());
        self.tell(Event::new(EventKind::Drain, message));
        Answer { changed: true, discarded: Vec::new() }
    }

    pub(super) fn advance_service(&mut self, now: Instant) {
        match self.service.0 {
            Stage::Starting { workers_serve: true, verdicts_by } if now >= verdicts_by || self.has_verdicts() => {
                self.service.0 = Stage::Serving;
            }
            Stage::Draining { until } if now >= until => {
                let timeout = self.config.runtime.shutdown_timeout;
                self.service.0 = Stage::Stopping { since: now, until: now + timeout };
                self.is_stale = true;
                let message = format!("no longer accepting; sessions may take {} s", timeout.as_secs_f64());
                self.tell(Event::new(EventKind::Drain, message));
            }
            Stage::Stopping { since, until } if now >= until => {
                self.service.0 = Stage::Halted { since, until };
                self.is_stale = true;
            }
            Stage::Starting { .. } | Stage::Serving | Stage::Draining { .. } | Stage::Stopping { .. } => {}
            Stage::Halted { .. } => {}
        }
    }

    /// Whether every target that is probed has had its first verdict.
    fn has_verdicts(&self) -> bool {
        self.targets().all(|target| target.state() == AdminState::Disabled || target.health() != Health::Initial)
    }
}
