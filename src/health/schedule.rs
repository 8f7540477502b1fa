//! When a target is probed next.
//!
//! Time is monotonic and passed in. A target has at most one entry in the queue and none while its probe
//! runs, so however long the process was stopped, each target is probed once when it goes on, not once per
//! interval missed. What is overdue by more than [`LATE`] then is not probed at once but spread over the
//! next [`SPREAD`], so that thousands of targets do not hear from us in the same instant. A stop thereby
//! yields no verdict by itself: only answers do.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

/// Overdue by more than this, a probe is spread: the process must have been stopped or starved.
pub const LATE: Duration = Duration::from_secs(1);

/// The span that late probes are spread over.
pub const SPREAD: Duration = Duration::from_secs(1);

/// How often a target is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between the starts of two probes.
    pub interval: Duration,
    /// Instead of `interval`, where shorter, while a transition is under way.
    pub fast_interval: Duration,
    /// Every interval is stretched or cut by up to this share of itself, at random, in percent 0..=100.
    pub jitter_percent: u8,
}

impl Pace {
    /// When to probe again, counted from the *start* of the last probe; not before `now`.
    #[must_use]
    pub fn next_probe(
        &self,
        started: Instant,
        now: Instant,
        in_transition: bool,
        random: &mut fastrand::Rng,
    ) -> Instant {
        let interval = if in_transition { self.fast_interval.min(self.interval) } else { self.interval };
        (started + jittered(interval, self.jitter_percent, random)).max(now)
    }
}

/// `duration`, longer or shorter by up to `percent` of itself.
pub(super) fn jittered(duration: Duration, percent: u8, random: &mut fastrand::Rng) -> Duration {
    let share = f64::from(percent.min(100)) / 100.0;
    duration.mul_f64(1.0 + share * (2.0 * random.f64() - 1.0))
}

/// Who is to be probed when; at most one entry per key.
#[derive(Debug)]
pub struct ProbeQueue<K> {
    heap: BinaryHeap<Reverse<(Instant, u64, K)>>,
    /// The ticket of each key's entry; other tickets in the heap are void and dropped when they surface.
    tickets: BTreeMap<K, u64>,
    last_ticket: u64,
}

impl<K: Ord + Copy> ProbeQueue<K> {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self { heap: BinaryHeap::new(), tickets: BTreeMap::new(), last_ticket: 0 }
    }

    /// Puts `key` in for `due`, instead of where it was. A first probe is due now.
    pub fn insert(&mut self, key: K, due: Instant) {
        self.last_ticket += 1;
        self.tickets.insert(key, self.last_ticket);
        self.heap.push(Reverse((due, self.last_ticket, key)));
        self.drop_void_majority();
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: K) {
        self.tickets.remove(&key);
        self.drop_void_majority();
    }

    /// Takes out those that are due, earliest first; what is late is put off by up to [`SPREAD`] instead.
    pub fn due(&mut self, now: Instant, random: &mut fastrand::Rng) -> Vec<K> {
        let mut due = Vec::new();
        while let Some(at) = self.next_due().filter(|at| *at <= now) {
            let Some(Reverse((_, _, key))) = self.heap.pop() else { break };
            if now.duration_since(at) > LATE {
                self.insert(key, now + SPREAD.mul_f64(random.f64()).max(Duration::from_nanos(1)));
            } else {
                self.tickets.remove(&key);
                due.push(key);
            }
        }
        due
    }

    /// When the next one is due; `None` when the queue is empty.
    pub fn next_due(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, ticket, key))) = self.heap.peek() {
            if self.tickets.get(key) == Some(ticket) {
                return Some(*at);
            }
            self.heap.pop();
        }
        None
    }

    /// How many keys are in.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tickets.len()
    }

    /// Whether no key is in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    /// Keeps the heap under twice the number of keys (and a few): amortised, O(1) per removal.
    fn drop_void_majority(&mut self) {
        if self.heap.len() > 2 * self.tickets.len() + 16 {
            let tickets = &self.tickets;
            self.heap.retain(|Reverse((_, ticket, key))| tickets.get(key) == Some(ticket));
        }
    }
}

impl<K: Ord + Copy> Default for ProbeQueue<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
