//! What a worker tells the rest of the process: observations for control, records for the access log.

use crate::model::Observation;
use crate::sys::EventFd;
use crossbeam::queue::ArrayQueue;
use std::sync::Arc;

use super::SessionRecord;

/// Observations that may wait for control; beyond that they are dropped and counted.
const OBSERVATIONS: usize = 4096;

/// Records that may wait for the log writer; beyond that they are dropped and counted.
const RECORDS: usize = 16_384;

/// Queues from all workers; bounded, never blocking.
#[derive(Debug)]
pub struct Outbox {
    /// For control.
    pub observations: ArrayQueue<Observation>,
    /// Rung after an observation, and after a generation was adopted.
    pub control_bell: EventFd,
    /// For the log writer.
    pub records: ArrayQueue<SessionRecord>,
    /// Rung when a record was queued.
    pub log_bell: Arc<EventFd>,
}

impl Outbox {
    /// Empty queues.
    ///
    /// # Errors
    /// When the kernel has no descriptor left for the bells.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            observations: ArrayQueue::new(OBSERVATIONS),
            control_bell: EventFd::new()?,
            records: ArrayQueue::new(RECORDS),
            log_bell: Arc::new(EventFd::new()?),
        })
    }

    /// Queues an observation and wakes control; false when the queue is full.
    #[must_use]
    pub fn observe(&self, observation: Observation) -> bool {
        let queued = self.observations.push(observation).is_ok();
        self.control_bell.ring();
        queued
    }

    /// Queues a record for the access log; false when the queue is full. The writer is woken once a turn
    /// by [`Self::wake_log_writer`].
    #[must_use]
    pub fn record(&self, record: SessionRecord) -> bool {
        self.records.push(record).is_ok()
    }

    /// Wakes the log writer.
    pub fn wake_log_writer(&self) {
        self.log_bell.ring();
    }
}
