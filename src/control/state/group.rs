//! One target group as control knows it.

use super::target::{Probing, TargetState, Turn};
use crate::balance::{GroupRuntime, Pool};
use crate::config::TargetGroup;
use crate::control::{Event, EventKind};
use crate::health::{EjectionPolicy, GroupCounts, Health, Pace, Thresholds, Tracker};
use crate::snapshot::{GroupInput, GroupView, compile_group};
use std::sync::Arc;

/// What the outside was told of failing open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Only eligible targets are used.
    Closed,
    /// All enabled ones are.
    Open,
}

#[derive(Debug)]
pub(super) struct GroupState {
    pub(super) runtime: Arc<GroupRuntime>,
    pub(super) config: Arc<TargetGroup>,
    pub(super) targets: Vec<TargetState>,
    /// What workers obey now.
    pub(super) view: Option<Arc<GroupView>>,
    /// Whether `view` is behind.
    pub(super) is_stale: bool,
    pub(super) told: Told,
}

impl GroupState {
    pub(super) fn new(runtime: Arc<GroupRuntime>, config: Arc<TargetGroup>) -> Self {
        Self { runtime, config, targets: Vec::new(), view: None, is_stale: true, told: Told::Closed }
    }

    /// The view of the group as it stands now.
    pub(super) fn compile(&mut self) -> Arc<GroupView> {
        if let (false, Some(view)) = (self.is_stale, &self.view) {
            return Arc::clone(view);
        }
        let input = GroupInput {
            runtime: Arc::clone(&self.runtime),
            config: Arc::clone(&self.config),
            targets: self.targets.iter().map(TargetState::input).collect(),
        };
        let view = Arc::new(compile_group(input, self.view.as_deref()));
        self.is_stale = false;
        self.view = Some(Arc::clone(&view));
        view
    }

    /// The event of an edge of failing open, once per edge. A group that nothing is known of yet is passed over.
    pub(super) fn fail_open_edge(&mut self) -> Option<Event> {
        let is_open = self.view.as_ref().is_some_and(|view| view.placement.pool() == Pool::FailOpen);
        let is_known = self.targets.iter().any(|target| target.health() != Health::Initial);
        let name = &self.config.name;
        let told = if is_open { Told::Open } else { Told::Closed };
        if told == self.told || (is_open && !is_known) {
            return None;
        }
        self.told = told;
        let message = if is_open {
            "too few targets are eligible: all enabled ones are used"
        } else {
            "targets that are not eligible are no longer used"
        };
        Some(Event::new(EventKind::FailOpen, message).of_group(name).warning_if(is_open))
    }

    /// Fits active checks to the group's settings: verdicts stay. With a new check, all have a turn at once.
    pub(super) fn fit_probing(&mut self, is_check_new: bool) {
        let Some(check) = &self.config.health_check else {
            for target in &mut self.targets {
                target.probing = None;
            }
            return;
        };
        let thresholds = Thresholds { healthy: check.healthy_threshold, unhealthy: check.unhealthy_threshold };
        for target in &mut self.targets {
            let fresh = || Probing { tracker: Tracker::new(thresholds), turn: Turn::Out };
            let probing = target.probing.get_or_insert_with(fresh);
            probing.tracker.set_thresholds(thresholds);
            if is_check_new && probing.turn == Turn::Queued {
                probing.turn = Turn::Out;
            }
        }
    }

    pub(super) fn pace(&self) -> Option<Pace> {
        let check = self.config.health_check.as_ref()?;
        let (interval, fast_interval, jitter_percent) = (check.interval, check.fast_interval, check.jitter_percent);
        Some(Pace { interval, fast_interval, jitter_percent })
    }

    pub(super) fn ejection_policy(&self) -> EjectionPolicy {
        let outlier = &self.config.outlier;
        EjectionPolicy {
            consecutive_failures: outlier.consecutive_failures,
            base_ejection: outlier.base_ejection,
            max_ejection: outlier.max_ejection,
            max_ejected_percent: outlier.max_ejected_percent,
        }
    }

    /// How the group stands, seen from the target at `index`.
    pub(super) fn counts(&self, index: usize) -> GroupCounts {
        let wanted = || self.targets.iter().filter(|target| target.is_wanted());
        let others = self.targets.iter().enumerate().filter(|(other, _)| *other != index);
        GroupCounts {
            wanted: wanted().count(),
            ejected: wanted().filter(|target| target.ejection.is_ejected()).count(),
            other_eligible: others.filter(|(_, target)| target.is_eligible()).count(),
        }
    }
}
