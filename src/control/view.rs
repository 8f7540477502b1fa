//! What control shows: an immutable picture of its state, made anew with every change.

use crate::balance::TargetRuntime;
use crate::config::{self, Config};
use crate::model::{Name, TargetId};
use crate::snapshot::{ListenerRuntime, Snapshot};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// What the process is doing, as shown in `/v1/status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceState {
    /// Not every worker serves yet, or a probed target has no verdict yet.
    Starting,
    /// Serving.
    Serving,
    /// SIGTERM came: readiness is false, accepting goes on for `drain_delay`.
    Draining,
    /// No longer accepting; waiting for sessions.
    Stopping,
}

impl ServiceState {
    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
        }
    }
}

/// How the latest reload went.
#[derive(Clone, Debug)]
pub struct LastReload {
    /// Whether the file was taken.
    pub ok: bool,
    /// When.
    pub time: SystemTime,
    /// What was wrong; empty when nothing was.
    pub message: String,
}

/// Active health of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthState {
    /// Never checked yet.
    Initial,
    /// Healthy, or not checked at all.
    Healthy,
    /// Unhealthy.
    Unhealthy,
}

impl HealthState {
    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// A target beyond what the snapshot's `Member` tells; same order as `GroupView::placement.members()`.
#[derive(Clone, Debug)]
pub struct TargetDetail {
    /// Identity inside the group.
    pub id: TargetId,
    /// Settings in force, run-time changes applied.
    pub target: config::Target,
    /// Active health.
    pub health: HealthState,
    /// When its ejection ends.
    pub ejected_until: Option<SystemTime>,
    /// `file`, `api`, `dns` or `file_sd`.
    pub origin: &'static str,
    /// Probes that passed, failed and timed out, and the sum of their durations in seconds.
    pub probes: ProbeTotals,
}

/// Probes of one target since it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProbeTotals {
    /// Probes that passed.
    pub passed: u64,
    /// Probes that failed.
    pub failed: u64,
    /// Probes that timed out.
    pub timed_out: u64,
    /// Sum of the durations of all of them, in seconds.
    pub seconds: f64,
}

/// A group beyond what the snapshot tells.
#[derive(Clone, Debug)]
pub struct GroupDetail {
    /// Its name.
    pub name: Name,
    /// Its targets.
    pub targets: Vec<TargetDetail>,
}

/// The whole picture.
#[derive(Clone, Debug)]
pub struct ControlView {
    /// The generation that was published last.
    pub snapshot: Arc<Snapshot>,
    /// The configuration in force.
    pub config: Arc<Config>,
    /// Details, in the order of `snapshot.groups`.
    pub groups: Vec<GroupDetail>,
    /// Every listener ever served, removed ones too: counters never go back.
    pub listeners: Vec<Arc<ListenerRuntime>>,
    /// Targets that are no longer configured, sessions or not: counters never go back.
    pub retired_targets: Vec<Arc<TargetRuntime>>,
    /// What the process is doing.
    pub state: ServiceState,
    /// `Ok` when `/readyz` is 200, else why not.
    pub ready: Result<(), String>,
    /// The engine in use.
    pub engine: &'static str,
    /// Why that one.
    pub engine_reason: String,
    /// Worker threads.
    pub workers: usize,
    /// When the process started serving.
    pub started: Instant,
    /// The file that was loaded.
    pub config_file: Option<PathBuf>,
    /// Whether run-time changes are in force that the file does not have.
    pub differs_from_file: bool,
    /// Keys whose new value needs a restart, such as `runtime.workers`.
    pub pending_restart: Vec<&'static str>,
    /// How the latest reload went.
    pub last_reload: Option<LastReload>,
    /// The bound on TCP sessions in force.
    pub max_connections: u32,
    /// The bound on UDP flows in force.
    pub max_flows: u32,
}
