//! What a worker tells control.

use super::ConnectFailure;

/// Something a worker saw of a target that control should weigh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The process-unique number of the target's runtime record (`snapshot::TargetRuntime::uid`).
    pub target_uid: u32,
    /// What was seen.
    pub kind: ObservationKind,
}

/// What was seen of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObservationKind {
    /// A connection attempt failed and the count of failures in a row stands at `in_a_row`.
    ConnectFailed {
        /// How it failed; never [`ConnectFailure::LocalResource`].
        failure: ConnectFailure,
        /// Failures in a row, over all workers, this one included.
        in_a_row: u32,
    },
    /// The one connection that a half-open target was given succeeded.
    TrialPassed,
    /// The one connection that a half-open target was given failed.
    TrialFailed,
}
