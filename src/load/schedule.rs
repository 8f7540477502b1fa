//! When operations are meant to begin.

use super::report::as_float;
use std::time::{Duration, Instant};

/// Intended times of an open loop: operation `k` of the run is due at `origin + k / rate`, on connection
/// `k mod connections`, whatever became of the ones before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    origin: Instant,
    rate: f64,
    connections: u64,
    released: u64,
}

impl Schedule {
    /// A schedule that begins at `origin`; `rate` is above 0.
    pub(super) fn new(origin: Instant, rate: f64, connections: usize) -> Self {
        Self { origin, rate, connections: connections as u64, released: 0 }
    }

    /// The intended time of the `nth` operation of connection `index`.
    pub(super) fn intended(&self, index: usize, nth: u64) -> Instant {
        self.time_of(index as u64 + nth * self.connections)
    }

    /// When the next operation is due.
    pub(super) fn next_due(&self) -> Instant {
        self.time_of(self.released)
    }

    /// The connection of the next operation that is due at `now`, if any is; each is given out once.
    pub(super) fn release(&mut self, now: Instant) -> Option<usize> {
        if self.next_due() > now {
            return None;
        }
        let index = usize::try_from(self.released % self.connections).expect("below connections");
        self.released += 1;
        Some(index)
    }

    fn time_of(&self, k: u64) -> Instant {
        self.origin + Duration::from_secs_f64(as_float(k) / self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::clock;

    #[test]
    fn operations_go_round_the_connections_at_their_times_and_none_is_skipped() {
        let origin = clock::now();
        let mut schedule = Schedule::new(origin, 1000.0, 3);
        let mut given = Vec::new();
        while let Some(index) = schedule.release(origin + Duration::from_micros(4_500)) {
            given.push(index);
        }
        assert_eq!(given, [0, 1, 2, 0, 1]);
        assert_eq!(schedule.intended(1, 1), origin + Duration::from_millis(4));
        assert_eq!(schedule.next_due(), origin + Duration::from_millis(5));
    }
}
