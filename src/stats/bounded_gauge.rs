//! A shared gauge with a limit that holds exactly at any number of workers.

use crossbeam::utils::CachePadded;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// How many of something live now, and how many may.
///
/// Every session takes a permit whether or not a limit is set, so that a limit which a reload brings
/// counts the sessions that were there before it.
#[derive(Debug, Default)]
pub struct BoundedGauge {
    active: CachePadded<AtomicU32>,
    /// 0 = no limit.
    limit: AtomicU32,
}

impl BoundedGauge {
    /// A gauge at zero; `limit` 0 means none.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { active: CachePadded::new(AtomicU32::new(0)), limit: AtomicU32::new(limit) }
    }

    /// How many live now.
    #[must_use]
    pub fn active(&self) -> u32 {
        self.active.load(Relaxed)
    }

    /// How many may live; 0 = no limit.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.limit.load(Relaxed)
    }

    /// Changes the limit; what is above it lives on.
    pub fn set_limit(&self, limit: u32) {
        self.limit.store(limit, Relaxed);
    }

    /// Whether [`Self::try_acquire`] would fail now.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let limit = self.limit();
        limit != 0 && self.active() >= limit
    }

    /// Raises the gauge unless it stands at its limit; pair each `true` with one [`Self::release`].
    #[must_use]
    pub fn try_acquire(&self) -> bool {
        let limit = self.limit();
        if limit == 0 {
            self.active.fetch_add(1, Relaxed);
            return true;
        }
        let below = |active: u32| (active < limit).then(|| active + 1);
        self.active.fetch_update(Relaxed, Relaxed, below).is_ok()
    }

    /// Lowers the gauge.
    pub fn release(&self) {
        let before = self.active.fetch_sub(1, Relaxed);
        debug_assert!(before > 0, "released more than acquired");
    }
}

/// A permit of a gauge that others keep alive, released on drop.
#[derive(Debug)]
pub struct Permit<'a>(&'a BoundedGauge);

impl<'a> Permit<'a> {
    /// Takes a permit, or `None` at the limit.
    #[must_use]
    pub fn take(gauge: &'a BoundedGauge) -> Option<Self> {
        gauge.try_acquire().then(|| Self(gauge))
    }

    /// Keeps the permit: whoever calls this owes a [`BoundedGauge::release`].
    pub fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_set_later_counts_what_was_there_before() {
        let gauge = BoundedGauge::new(0);
        assert!(gauge.try_acquire() && gauge.try_acquire());
        gauge.set_limit(3);
        assert!(gauge.try_acquire());
        assert!(!gauge.try_acquire());
        gauge.release();
        assert!(gauge.try_acquire());
        assert_eq!(gauge.active(), 3);
    }

    #[test]
    fn a_permit_that_is_dropped_is_returned() {
        let gauge = BoundedGauge::new(1);
        let permit = Permit::take(&gauge).expect("empty");
        assert!(Permit::take(&gauge).is_none());
        drop(permit);
        Permit::take(&gauge).expect("returned").keep();
        assert!(gauge.is_full());
    }
}
