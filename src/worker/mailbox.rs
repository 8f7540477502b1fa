//! How a snapshot reaches a worker: one slot, the latest wins.

use crate::snapshot::Snapshot;
use crate::sys::EventFd;
use crossbeam::queue::ArrayQueue;
use std::sync::Arc;

/// One slot and a bell.
#[derive(Debug)]
pub struct Mailbox {
    slot: ArrayQueue<Arc<Snapshot>>,
    bell: Arc<EventFd>,
}

impl Mailbox {
    /// An empty mailbox.
    ///
    /// # Errors
    /// When the kernel has no descriptor left for the bell.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { slot: ArrayQueue::new(1), bell: Arc::new(EventFd::new()?) })
    }

    /// Puts a snapshot in, in place of one that was not taken yet, and wakes the worker.
    ///
    /// Returns the snapshot that was replaced, so that it is freed here and not by a worker.
    pub fn put(&self, snapshot: Arc<Snapshot>) -> Option<Arc<Snapshot>> {
        let replaced = self.slot.force_push(snapshot);
        self.bell.ring();
        replaced
    }

    /// Takes the latest snapshot out. Only the worker calls this, when the bell rang.
    #[must_use]
    pub fn take(&self) -> Option<Arc<Snapshot>> {
        self.slot.pop()
    }

    /// What the worker's event loop waits on.
    #[must_use]
    pub fn bell(&self) -> &Arc<EventFd> {
        &self.bell
    }
}
