//! A histogram of durations with fixed buckets, written by one worker, exported as Prometheus buckets.

use super::Counter;
use std::time::Duration;

/// Upper bounds of the buckets, in seconds: 100 µs to an hour, in steps of about 3; what is longer
/// falls into a last bucket without bound.
pub const BUCKET_BOUNDS_SECONDS: [f64; 16] =
    [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0];

/// The same bounds in nanoseconds, for comparing without floating point.
const BUCKET_BOUNDS_NANOS: [u64; 16] = [
    100_000,
    300_000,
    1_000_000,
    3_000_000,
    10_000_000,
    30_000_000,
    100_000_000,
    300_000_000,
    1_000_000_000,
    3_000_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
    300_000_000_000,
    1_800_000_000_000,
    3_600_000_000_000,
];

/// Durations seen by one worker.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Counter; BUCKET_BOUNDS_SECONDS.len() + 1],
    sum_nanos: Counter,
}

impl Histogram {
    /// Counts one duration. Only its worker may call this.
    pub fn record(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BUCKET_BOUNDS_NANOS.partition_point(|&bound| bound < nanos);
        self.buckets[bucket].add(1);
        self.sum_nanos.add(nanos);
    }
}

/// Histograms of several workers added up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HistogramTotals {
    /// How many durations fell into each bucket (not cumulative); the last has no bound.
    pub buckets: [u64; BUCKET_BOUNDS_SECONDS.len() + 1],
    /// Sum of all durations, in seconds.
    pub sum_seconds: f64,
    /// How many durations were counted.
    pub count: u64,
}

impl HistogramTotals {
    /// Adds one worker's histogram.
    pub fn add(&mut self, histogram: &Histogram) {
        for (total, bucket) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *total += bucket.get();
            self.count += bucket.get();
        }
        self.sum_seconds += Duration::from_nanos(histogram.sum_nanos.get()).as_secs_f64();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_is_not_below_it() {
        let histogram = Histogram::default();
        for micros in [50, 100, 101, 7_200_000_000] {
            histogram.record(Duration::from_micros(micros));
        }
        let mut totals = HistogramTotals::default();
        totals.add(&histogram);
        assert_eq!((totals.buckets[0], totals.buckets[1], totals.buckets[16]), (2, 1, 1));
        assert_eq!(totals.count, 4);
        assert!((totals.sum_seconds - 7_200.000_251).abs() < 1e-6);
    }

    #[test]
    fn both_tables_of_bounds_agree() {
        for (seconds, nanos) in BUCKET_BOUNDS_SECONDS.iter().zip(BUCKET_BOUNDS_NANOS) {
            assert_eq!(Duration::from_secs_f64(*seconds), Duration::from_nanos(nanos));
        }
    }
}
