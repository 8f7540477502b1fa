//! The shared records of a target and its group: what outlives a snapshot.

use crate::model::{Name, TargetId};
use crate::stats::{BoundedGauge, GroupCounters, PerWorker, TargetCounters};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// What is shared of a target group, for as long as any session of it lives.
#[derive(Debug)]
pub struct GroupRuntime {
    /// Name of the group.
    pub name: Name,
    /// Sessions of the group, with its `max_connections`.
    pub sessions: BoundedGauge,
    /// Sessions that are connecting now: what the retry budget is a share of.
    pub connecting: AtomicU32,
    /// Connecting sessions that are past their first attempt.
    pub retrying: AtomicU32,
    /// `drain_timeout` in milliseconds, for sessions whose listener is removed.
    pub drain_timeout_ms: AtomicU64,
    /// Durations, per worker.
    pub counters: PerWorker<GroupCounters>,
}

impl GroupRuntime {
    /// A record for a group that nobody uses yet.
    #[must_use]
    pub fn new(name: Name, workers: usize) -> Self {
        Self {
            name,
            sessions: BoundedGauge::new(0),
            connecting: AtomicU32::new(0),
            retrying: AtomicU32::new(0),
            drain_timeout_ms: AtomicU64::new(0),
            counters: PerWorker::new(workers),
        }
    }
}

/// What is shared of a target, for as long as any session of it lives; matched by id across reloads.
#[derive(Debug)]
pub struct TargetRuntime {
    /// Process-unique number, never used again.
    pub uid: u32,
    /// Identity inside the group.
    pub id: TargetId,
    /// The group it belongs to.
    pub group: Arc<GroupRuntime>,
    /// Live leases, with the target's `max_connections`.
    pub load: BoundedGauge,
    /// Connection attempts that failed in a row, over all workers.
    pub failures_in_a_row: AtomicU32,
    /// Set while the target is half-open and its one trial has not been handed out.
    pub trial_open: AtomicBool,
    /// What happened to it, per worker.
    pub counters: PerWorker<TargetCounters>,
}

impl TargetRuntime {
    /// A record for a target that nobody uses yet.
    #[must_use]
    pub fn new(uid: u32, id: TargetId, group: Arc<GroupRuntime>, workers: usize) -> Self {
        Self {
            uid,
            id,
            group,
            load: BoundedGauge::new(0),
            failures_in_a_row: AtomicU32::new(0),
            trial_open: AtomicBool::new(false),
            counters: PerWorker::new(workers),
        }
    }

    /// Whether the target is half-open with its trial still to be had.
    #[must_use]
    pub fn is_trial_open(&self) -> bool {
        self.trial_open.load(Relaxed)
    }

    /// Notes a failure that the target is to blame for; returns how many there are in a row.
    pub fn note_failure(&self) -> u32 {
        self.failures_in_a_row.fetch_add(1, Relaxed).saturating_add(1)
    }

    /// Notes an established connection: the row of failures ends.
    pub fn note_success(&self) {
        if self.failures_in_a_row.load(Relaxed) != 0 {
            self.failures_in_a_row.store(0, Relaxed);
        }
    }
}

/// A picked target: it counts as load from the pick until this is dropped.
#[derive(Debug)]
pub struct Lease {
    target: Arc<TargetRuntime>,
    /// Holds the one trial of a half-open target, whose outcome nobody has told yet.
    trial: bool,
}

impl Lease {
    /// Takes one unit of the target's load, or `None` when it stands at its `max_connections`.
    #[must_use]
    pub fn take(target: &Arc<TargetRuntime>) -> Option<Self> {
        target.load.try_acquire().then(|| Self { target: Arc::clone(target), trial: false })
    }

    /// Takes the one trial of a half-open target and one unit of its load, or `None` when either is gone.
    ///
    /// Dropped before [`Self::settle_trial`], it opens the trial again: a client that left proves nothing.
    #[must_use]
    pub fn take_trial(target: &Arc<TargetRuntime>) -> Option<Self> {
        // Looked at first, so that the many who come too late share the cache line instead of taking it.
        if !target.is_trial_open() || !target.trial_open.swap(false, Relaxed) {
            return None;
        }
        let taken = target.load.try_acquire().then(|| Self { target: Arc::clone(target), trial: true });
        if taken.is_none() {
            target.trial_open.store(true, Relaxed);
        }
        taken
    }

    /// Whether this was a half-open target's trial; call it once the attempt has passed or failed, and tell
    /// control the outcome when it says yes. A second call says no.
    pub fn settle_trial(&mut self) -> bool {
        std::mem::take(&mut self.trial)
    }

    /// The target that was picked.
    #[must_use]
    pub fn target(&self) -> &Arc<TargetRuntime> {
        &self.target
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.trial {
            self.target.trial_open.store(true, Relaxed);
        }
        self.target.load.release();
    }
}
