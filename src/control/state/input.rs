//! What control's state reacts to, and what follows.

use crate::config::{Config, TargetGroup};
use crate::control::{Event, TargetChange};
use crate::model::Observation;
use crate::snapshot::ListeningAddress;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// A configuration was read and checked, and what is new in it is bound.
    Reload {
        /// It.
        config: Arc<Config>,
        /// The sockets of each of its listeners, in the order of `config.listeners`.
        addresses: Vec<Vec<Arc<ListeningAddress>>>,
        /// Keep run-time changes on top of it.
        keep_changes: bool,
    },
    /// An operator changes a target.
    ChangeTarget {
        /// Name of its group.
        group: String,
        /// Its id.
        target: String,
        /// What to change.
        change: TargetChange,
    },
    /// A probe has its answer.
    ProbeEnded(ProbeReport),
    /// A worker saw something.
    Observed(Observation),
    /// Every worker obeys this generation, or a later one.
    Adopted(u64),
    /// The process is to end.
    Shutdown,
    /// [`State::next_deadline`](super::State::next_deadline) has come.
    Tick,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// False when it was so already.
    pub changed: bool,
    /// Run-time changes that a reload undid.
    pub discarded: Vec<String>,
}

/// Something to be done by the runner, beside publishing.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Probe a target and report with [`Input::ProbeEnded`].
    StartProbe(ProbeOrder),
    /// Tell the outside.
    Event(Event),
}

/// Which target to probe, and how.
#[derive(Clone, Debug)]
pub struct ProbeOrder {
    /// `TargetRuntime::uid`.
    pub target_uid: u32,
    /// Number of the probe, never used again.
    pub probe: u64,
    /// When it was ordered.
    pub started: Instant,
    /// Where to connect.
    pub addr: SocketAddr,
    /// The group, whose `health_check` says how.
    pub group: Arc<TargetGroup>,
}

/// How a probe went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// As the check wants it.
    Passed,
    /// Not so, for this reason.
    Failed(String),
    /// No answer within `timeout`.
    TimedOut,
    /// It proves nothing: a resource of ours ran out.
    Inconclusive(String),
}

/// What came of a [`ProbeOrder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeReport {
    /// As ordered.
    pub target_uid: u32,
    /// As ordered.
    pub probe: u64,
    /// How it went.
    pub outcome: ProbeOutcome,
    /// How long it took, from its first system call.
    pub took: Duration,
}
