//! What workers count and an operator should hear of: a line a second at most, and only when there is something new.

use super::Runner;
use crate::control::{Event, EventKind, ServiceState};
use crate::model::RefuseReason;
use crate::stats::{Counter, WorkerCounters};
use crate::worker::Worker;
use std::time::Instant;

/// Counts that stand for trouble, as they were when they were last told of.
#[derive(Debug, Default)]
pub(super) struct Told {
    descriptors: u64,
    log_lines: u64,
    observations: u64,
}

impl Runner {
    /// Tells of exhaustion that has grown since the last time.
    pub(super) fn tell_exhaustion(&mut self, now: Instant) {
        let refused = |reason: RefuseReason| -> u64 {
            let view = self.view.borrow();
            let of = |counters: &crate::stats::ListenerCounters| counters.refused[reason.index()].get();
            view.listeners.iter().flat_map(|listener| listener.counters.iter()).map(of).sum()
        };
        let sum = |counter: fn(&WorkerCounters) -> &Counter| self.process.workers.sum(counter);
        let descriptors = refused(RefuseReason::Descriptors);
        self.process.log_lines_lost.set(self.access_log.lines_lost());
        let log_lines = sum(|worker| &worker.log_lines_dropped) + self.access_log.lines_lost();
        let observations = sum(|worker| &worker.observations_dropped);
        if descriptors > self.told.descriptors && self.limit.admit("descriptors", now).is_some() {
            let connections = descriptors - self.told.descriptors;
            tracing::warn!(connections, "out of file descriptors: connections are turned away");
            self.told.descriptors = descriptors;
        }
        if log_lines > self.told.log_lines && self.limit.admit("access_log", now).is_some() {
            let lines = log_lines - self.told.log_lines;
            tracing::warn!(lines, "access-log lines are dropped: the sink is slow or full");
            self.told.log_lines = log_lines;
        }
        if observations > self.told.observations && self.limit.admit("observations", now).is_some() {
            let count = observations - self.told.observations;
            tracing::warn!(count, "observations are dropped: control does not keep up");
            self.told.observations = observations;
        }
    }

    /// A worker whose thread has ended while it should serve is a line in the log, once.
    pub(super) fn tell_ended_workers(&mut self) {
        if self.state.service() == ServiceState::Stopping {
            return;
        }
        for (index, worker) in self.workers.iter().enumerate() {
            if Worker::is_finished(worker) && !std::mem::replace(&mut self.ended[index], true) {
                let message = format!("worker {index} has ended; its sockets are not served");
                Event::new(EventKind::Worker, message).warning_if(true).log(self.state.generation());
            }
        }
    }
}
