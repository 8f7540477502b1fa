//! Counters that one worker writes and anyone may read.
//!
//! Every counter has exactly one writer (its worker), so raising it is a relaxed load and a relaxed
//! store, no locked instruction. Each worker's block is padded to its own cache lines.

mod bounded_gauge;
mod counters;
mod histogram;
mod latency;

pub use bounded_gauge::{BoundedGauge, Permit};
pub use counters::{Counter, GroupCounters, ListenerCounters, PerWorker, TargetCounters, WorkerCounters};
pub use histogram::{BUCKET_BOUNDS_SECONDS, Histogram, HistogramTotals};
pub use latency::Latency;
