//! The shared records of process and listener: what outlives a snapshot.

use crate::model::Name;
use crate::stats::{BoundedGauge, Counter, ListenerCounters, PerWorker, WorkerCounters};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Bounds and counters of the whole process.
#[derive(Debug)]
pub struct ProcessRuntime {
    /// TCP sessions, with `runtime.max_connections`.
    pub sessions: BoundedGauge,
    /// What each worker counts of itself.
    pub workers: PerWorker<WorkerCounters>,
    /// Access-log lines that the sink did not take; the log writer is the one that counts.
    pub log_lines_lost: Counter,
}

impl ProcessRuntime {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(sessions: BoundedGauge, workers: usize) -> Self {
        Self { sessions, workers: PerWorker::new(workers), log_lines_lost: Counter::default() }
    }
}

/// What is shared of a listener; matched by name across reloads.
#[derive(Debug)]
pub struct ListenerRuntime {
    /// Process-unique number, never used again.
    pub uid: u32,
    /// Name of the listener.
    pub name: Name,
    /// Its sessions, with its `max_connections`.
    pub sessions: BoundedGauge,
    /// What happened on it, per worker.
    pub counters: PerWorker<ListenerCounters>,
}

impl ListenerRuntime {
    /// A record for a listener that nobody uses yet.
    #[must_use]
    pub fn new(uid: u32, name: Name, workers: usize) -> Self {
        Self { uid, name, sessions: BoundedGauge::new(0), counters: PerWorker::new(workers) }
    }
}

/// One address that is listened on: one socket per worker, bound in worker order.
#[derive(Debug)]
pub struct ListeningAddress {
    /// The address as bound, the port that the kernel chose filled in.
    pub addr: SocketAddr,
    /// Listening sockets, by worker.
    pub sockets: Vec<Arc<OwnedFd>>,
}
