//! Which generations are out, and who waits for them.

use super::{Changed, Refusal};
use crate::snapshot::Snapshot;
use crate::worker::Worker;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// A change is answered after this long at the latest.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where an answer goes.
pub(super) type AnswerTo = oneshot::Sender<Result<Changed, Refusal>>;

#[derive(Debug)]
struct Waiting {
    deadline: Instant,
    changed: Changed,
    answer_to: AnswerTo,
}

/// Generations that workers may still obey: kept here, so that their tables are freed on control's thread.
#[derive(Debug)]
pub(super) struct Published {
    kept: VecDeque<Arc<Snapshot>>,
    waiting: Vec<Waiting>,
    adopted: u64,
}

impl Published {
    pub(super) fn new(first: Arc<Snapshot>) -> Self {
        Self { kept: VecDeque::from([first]), waiting: Vec::new(), adopted: 0 }
    }

    /// Gives a generation to every worker.
    pub(super) fn publish(&mut self, snapshot: &Arc<Snapshot>, workers: &[Worker]) {
        for worker in workers {
            drop(worker.mailbox().put(Arc::clone(snapshot)));
        }
        self.kept.push_back(Arc::clone(snapshot));
    }

    /// Answers once every worker obeys `changed.generation`.
    pub(super) fn answer_when_adopted(&mut self, changed: Changed, answer_to: AnswerTo, now: Instant) {
        self.waiting.push(Waiting { deadline: now + PATIENCE, changed, answer_to });
    }

    /// Looks who obeys what: the generation that every worker has adopted, when it has moved on.
    pub(super) fn look(&mut self, workers: &[Worker]) -> Option<u64> {
        let latest = self.kept.back()?;
        let (process, newest) = (Arc::clone(&latest.process), latest.generation);
        // A worker that has ended obeys nothing and delays nobody.
        let running = workers.iter().enumerate().filter(|(_, worker)| !worker.is_finished());
        let adopted = running.map(|(index, _)| process.workers.of(index).generation.get()).min().unwrap_or(newest);
        if adopted <= self.adopted {
            return None;
        }
        self.adopted = adopted;
        while self.kept.front().is_some_and(|snapshot| snapshot.generation < adopted) {
            self.kept.pop_front();
        }
        Some(adopted)
    }

    /// Answers those whose time has come, one way or the other.
    pub(super) fn answer(&mut self, now: Instant) {
        let adopted = self.adopted;
        let due = |waiting: &mut Waiting| waiting.changed.generation <= adopted || now >= waiting.deadline;
        for waiting in self.waiting.extract_if(.., due) {
            let is_adopted = waiting.changed.generation <= adopted;
            let answer = if is_adopted { Ok(waiting.changed) } else { Err(Refusal::NotAdopted) };
            // Who has gone does not care.
            let _gone = waiting.answer_to.send(answer);
        }
    }

    /// When the next answer is due at the latest.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.waiting.iter().map(|waiting| waiting.deadline).min()
    }
}
