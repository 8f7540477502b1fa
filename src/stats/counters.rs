//! The counters of each thing that is counted, one block per worker.

use super::Histogram;
use crate::model::{CloseReason, ConnectFailure, RefuseReason};
use crossbeam::utils::CachePadded;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that only its worker raises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Raises the counter. Only its one writer may call this.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Replaces the value (for gauges). Only its one writer may call this.
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    /// The value as last stored.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// One block of counters per worker, each on cache lines of its own.
#[derive(Debug)]
pub struct PerWorker<T>(Box<[CachePadded<T>]>);

impl<T: Default> PerWorker<T> {
    /// Zeroed blocks for `workers` workers.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self((0..workers).map(|_index| CachePadded::new(T::default())).collect())
    }
}

impl<T> PerWorker<T> {
    /// The block of one worker.
    ///
    /// # Panics
    /// When `worker` is not below the number given to [`PerWorker::new`].
    #[must_use]
    pub fn of(&self, worker: usize) -> &T {
        &self.0[worker]
    }

    /// Every block, in worker order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|padded| &**padded)
    }

    /// The sum of one counter over all workers.
    pub fn sum(&self, counter: impl Fn(&T) -> &Counter) -> u64 {
        self.iter().map(|block| counter(block).get()).sum()
    }
}

/// What one worker counts for one listener.
#[derive(Debug, Default)]
pub struct ListenerCounters {
    /// Sessions begun.
    pub opened: Counter,
    /// Sessions ended, by [`CloseReason::index`].
    pub closed: [Counter; CloseReason::COUNT],
    /// Connections turned away, by [`RefuseReason::index`].
    pub refused: [Counter; RefuseReason::COUNT],
    /// Bytes written to targets.
    pub bytes_to_target: Counter,
    /// Bytes written to clients.
    pub bytes_to_client: Counter,
}

impl ListenerCounters {
    /// Sessions ended, for whatever reason.
    #[must_use]
    pub fn closed_total(&self) -> u64 {
        self.closed.iter().map(Counter::get).sum()
    }
}

/// What one worker counts for one target.
#[derive(Debug, Default)]
pub struct TargetCounters {
    /// Sessions established with the target.
    pub opened: Counter,
    /// Connection attempts that failed, by [`ConnectFailure::index`].
    pub connect_failures: [Counter; ConnectFailure::COUNT],
    /// Bytes written to the target.
    pub bytes_to_target: Counter,
    /// Bytes written to clients on its behalf.
    pub bytes_to_client: Counter,
}

/// What one worker counts for one target group.
#[derive(Debug, Default)]
pub struct GroupCounters {
    /// From the first attempt to an established connection.
    pub connect_duration: Histogram,
    /// From accept to the end of the session.
    pub session_duration: Histogram,
}

/// What a worker counts of itself.
#[derive(Debug, Default)]
pub struct WorkerCounters {
    /// Turns of the event loop.
    pub turns: Counter,
    /// Nanoseconds spent outside the wait for events.
    pub busy_nanos: Counter,
    /// Sessions open now.
    pub sessions_open: Counter,
    /// Access-log lines dropped because the writer did not keep up.
    pub log_lines_dropped: Counter,
    /// Observations dropped because control did not keep up.
    pub observations_dropped: Counter,
    /// The generation that the worker obeys.
    pub generation: Counter,
    /// Pipes that the worker has, in use or pooled.
    pub pipes_open: Counter,
}
