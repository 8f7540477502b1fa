//! The load generator and its targets.
//!
//! [`run`] drives a [`Plan`] against an address from the calling thread and returns a [`Report`]; a [`Target`] answers
//! in a thread of its own. Both are single-threaded event loops with as few system calls per operation as TCP allows,
//! so that what is between them is what is measured.

mod connection;
mod exchange;
mod generator;
mod operations;
mod pattern;
mod plan;
mod poller;
mod report;
mod schedule;
mod serving;
mod target;

pub use generator::{Phase, Progress, run, run_until};
pub use plan::{Mode, OPERATION_TIMEOUT, Plan, PlanError};
pub use report::{Errors, LatencyMicros, Report};
pub use target::{Target, TargetKind, TargetOptions};

#[cfg(test)]
mod tests;
