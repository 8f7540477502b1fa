//! Latencies at full resolution, for the load generator: an HDR histogram in nanoseconds.

use hdrhistogram::Histogram;
use std::time::Duration;

/// Latencies from 1 ns to 10 minutes within 0.1 %; longer ones count as 10 minutes. About 240 KiB.
#[derive(Clone, Debug)]
pub struct Latency(Histogram<u64>);

const LONGEST_NANOS: u64 = 600_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

impl Default for Latency {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_NANOS, SIGNIFICANT_DIGITS).expect("constant, valid bounds"))
    }
}

impl Latency {
    /// Counts one latency.
    pub fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_record(nanos.clamp(1, LONGEST_NANOS));
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency that a share of `quantile` (0 to 1) did not exceed; zero when nothing was counted.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_quantile(quantile))
    }

    /// The shortest; zero when nothing was counted.
    #[must_use]
    pub fn min(&self) -> Duration {
        Duration::from_nanos(self.0.min())
    }

    /// The longest; zero when nothing was counted.
    #[must_use]
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.0.max())
    }

    /// The arithmetic mean; zero when nothing was counted.
    #[must_use]
    pub fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.0.mean() / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_thousandth() {
        let mut latency = Latency::default();
        (1..=1000).for_each(|micros| latency.record(Duration::from_micros(micros)));
        let p99 = latency.quantile(0.99).as_secs_f64() * 1e6;
        assert!((p99 - 990.0).abs() <= 1.0, "{p99}");
        assert_eq!(latency.count(), 1000);
        latency.clear();
        assert_eq!((latency.count(), latency.max(), latency.quantile(0.5)), (0, Duration::ZERO, Duration::ZERO));
    }

    #[test]
    fn what_is_out_of_range_is_counted_at_its_end() {
        let mut latency = Latency::default();
        latency.record(Duration::ZERO);
        latency.record(Duration::from_secs(100_000));
        assert_eq!(latency.count(), 2);
        assert!(latency.max() >= Duration::from_secs(599));
    }
}
