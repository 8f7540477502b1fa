//! What of the state is shown.

use super::State;
use super::target::TargetState;
use crate::balance::TargetRuntime;
use crate::config::Config;
use crate::control::{GroupDetail, HealthState, ServiceState, TargetChange, TargetDetail};
use crate::health::Health;
use crate::snapshot::{ListenerRuntime, Snapshot};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// The part of the [`ControlView`](crate::control::ControlView) that the state knows.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The generation that was compiled last.
    pub snapshot: Arc<Snapshot>,
    /// The configuration in force.
    pub config: Arc<Config>,
    /// In the order of `snapshot.groups`.
    pub groups: Vec<GroupDetail>,
    /// Every listener ever served.
    pub listeners: Vec<Arc<ListenerRuntime>>,
    /// Targets that are no longer configured: counters never go back.
    pub retired_targets: Vec<Arc<TargetRuntime>>,
    /// What the process is doing.
    pub state: ServiceState,
    /// Whether `/readyz` is 200.
    pub ready: Result<(), String>,
    /// Whether run-time changes are in force.
    pub differs_from_file: bool,
}

impl State {
    /// The state as it is shown, at `now`, which is `wall` on the clock on the wall. `None` before the first
    /// generation was compiled.
    #[must_use]
    pub fn picture(&self, now: Instant, wall: SystemTime) -> Option<Picture> {
        let until = |at: Instant| match at.checked_duration_since(now) {
            Some(ahead) => wall + ahead,
            None => wall - now.saturating_duration_since(at),
        };
        let detail = |target: &TargetState| TargetDetail {
            id: target.id().clone(),
            target: target.in_force(),
            health: shown(target.health()),
            ejected_until: target.ejection.ejected_until().map(until),
            origin: "file",
            probes: target.totals,
        };
        let groups = self.groups.iter().map(|group| GroupDetail {
            name: group.config.name.clone(),
            targets: group.targets.iter().map(detail).collect(),
        });
        let active = self.listeners.iter().map(|listener| &listener.runtime);
        let mut listeners: Vec<_> = active.chain(self.retired.listeners()).cloned().collect();
        listeners.sort_by(|a, b| a.name.cmp(&b.name));
        Some(Picture {
            snapshot: self.snapshot.clone()?,
            config: self.config_in_force(),
            groups: groups.collect(),
            listeners,
            retired_targets: self.retired.targets().map(|target| Arc::clone(&target.runtime)).collect(),
            state: self.service(),
            ready: self.ready(),
            differs_from_file: self.differs_from_file(),
        })
    }

    fn differs_from_file(&self) -> bool {
        self.targets().any(|target| target.change != TargetChange::default())
    }

    /// The file with run-time changes laid over.
    fn config_in_force(&self) -> Arc<Config> {
        if !self.differs_from_file() {
            return Arc::clone(&self.config);
        }
        let mut config = Config::clone(&self.config);
        for (settings, group) in config.target_groups.iter_mut().zip(&self.groups) {
            settings.targets = group.targets.iter().map(TargetState::in_force).collect();
        }
        Arc::new(config)
    }
}

fn shown(health: Health) -> HealthState {
    match health {
        Health::Initial => HealthState::Initial,
        Health::Healthy => HealthState::Healthy,
        Health::Unhealthy => HealthState::Unhealthy,
    }
}
