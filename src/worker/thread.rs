//! The worker thread.

use super::Mailbox;
use crate::engine::Outbox;
use crate::snapshot::{ProcessRuntime, Snapshot};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

/// What a worker is given for life.
#[derive(Clone, Debug)]
pub struct Seat {
    /// 0-based; names the worker's socket at every address and its block of every counter.
    pub index: usize,
    /// The CPU to be pinned to; `None` = not pinned.
    pub cpu: Option<usize>,
    /// Bounds and counters of the whole process.
    pub process: Arc<ProcessRuntime>,
    /// Where observations and records go.
    pub outbox: Arc<Outbox>,
    /// Seeds the worker's own randomness (ties, jitter).
    pub seed: u64,
}

/// A running worker, as control holds it.
#[derive(Debug)]
pub struct Worker {
    mailbox: Arc<Mailbox>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread; it serves `first` at once.
    ///
    /// # Errors
    /// When thread, epoll instance or bell cannot be made.
    pub fn start(seat: Seat, first: Arc<Snapshot>) -> io::Result<Self> {
        let mailbox = Arc::new(Mailbox::new()?);
        let (seat, inbox) = (seat, Arc::clone(&mailbox));
        let thread = std::thread::Builder::new()
            .name(format!("worker-{}", seat.index))
            .spawn(move || drop((seat, inbox, first)))?;
        Ok(Self { mailbox, thread })
    }

    /// Where snapshots are put; the worker's `WorkerCounters::generation` tells when one was adopted.
    #[must_use]
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Whether the thread has ended: after [`Phase::Stopping`](crate::snapshot::Phase::Stopping) with no session
    /// left, or after [`Phase::Halted`](crate::snapshot::Phase::Halted).
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the thread to end.
    pub fn join(self) {
        drop(self.thread.join());
    }
}
