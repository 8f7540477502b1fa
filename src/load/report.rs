//! What came of a plan.

use super::Plan;
use crate::stats::Latency;
use serde::Serialize;
use std::time::Duration;

/// Operations that failed, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Errors {
    /// The connection was not established: refused, unreachable, no answer, no local port.
    pub connect: u64,
    /// The connection ended before the operation did, by RST or by an early FIN.
    pub reset: u64,
    /// No answer within [`super::OPERATION_TIMEOUT`].
    pub timeout: u64,
    /// Other bytes came back than were sent.
    pub mismatch: u64,
}

impl Errors {
    /// All kinds together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.connect + self.reset + self.timeout + self.mismatch
    }

    pub(super) fn count(&mut self, failure: Failure) {
        match failure {
            Failure::Connect => self.connect += 1,
            Failure::Reset => self.reset += 1,
            Failure::Timeout => self.timeout += 1,
            Failure::Mismatch => self.mismatch += 1,
        }
    }
}

/// Why one operation failed; the fields of [`Errors`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Connect,
    Reset,
    Timeout,
    Mismatch,
}

/// Quantiles of the latency, in whole microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LatencyMicros {
    /// The shortest.
    pub min: u64,
    /// Half took no longer.
    pub p50: u64,
    /// 99 % took no longer.
    pub p99: u64,
    /// 99.9 % took no longer.
    pub p99_9: u64,
    /// The longest.
    pub max: u64,
    /// The arithmetic mean.
    pub mean: u64,
}

impl From<&Latency> for LatencyMicros {
    fn from(latency: &Latency) -> Self {
        let micros = |duration: Duration| u64::try_from((duration.as_nanos() + 500) / 1000).unwrap_or(u64::MAX);
        Self {
            min: micros(latency.min()),
            p50: micros(latency.quantile(0.5)),
            p99: micros(latency.quantile(0.99)),
            p99_9: micros(latency.quantile(0.999)),
            max: micros(latency.max()),
            mean: micros(latency.mean()),
        }
    }
}

/// The outcome of a run; serialises to the JSON that users see.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// As planned.
    pub protocol: &'static str,
    /// As planned.
    pub mode: &'static str,
    /// As planned.
    pub connections: usize,
    /// As planned.
    pub size: usize,
    /// As planned; 0 = closed loop.
    pub rate: f64,
    /// As planned, without the warm-up; less when the run was ended early.
    pub seconds: f64,
    /// Operations completed in the measurement.
    pub completed: u64,
    /// Operations failed, warm-up included.
    pub errors: Errors,
    /// Datagrams not answered (UDP).
    pub lost: u64,
    /// Datagrams answered more than once (UDP).
    pub duplicated: u64,
    /// `completed` per second.
    pub per_second: f64,
    /// Payload bits per second, one direction.
    pub bits_per_second: f64,
    /// From the intended time (`rate` > 0) or the start of an operation to its end.
    pub latency_us: LatencyMicros,
}

/// What a generator has counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) completed: u64,
    pub(super) bytes: u64,
    pub(super) errors: Errors,
    pub(super) latency: Latency,
}

impl Tally {
    /// Ends the warm-up: errors stay.
    pub(super) fn begin_measurement(&mut self) {
        (self.completed, self.bytes) = (0, 0);
        self.latency.clear();
    }

    pub(super) fn report(&self, plan: &Plan, measured: Duration) -> Report {
        let seconds = measured.as_secs_f64().max(1e-9);
        let ended_early = measured < plan.duration;
        Report {
            protocol: plan.protocol.as_str(),
            mode: plan.mode.as_str(),
            connections: plan.connections,
            size: plan.size,
            rate: plan.rate,
            seconds: if ended_early { seconds } else { plan.duration.as_secs_f64() },
            completed: self.completed,
            errors: self.errors,
            lost: 0,
            duplicated: 0,
            per_second: as_float(self.completed) / seconds,
            bits_per_second: as_float(self.bytes) * 8.0 / seconds,
            latency_us: LatencyMicros::from(&self.latency),
        }
    }
}

/// Counts beyond 2^53 lose their last digits, which no rate shows.
#[allow(clippy::cast_precision_loss, reason = "rates are shown with far fewer digits than f64 has")]
pub(super) fn as_float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Mode;

    #[test]
    fn the_json_has_the_promised_fields_in_the_promised_order() {
        let plan = Plan { connections: 8, ..Plan::new("127.0.0.1:1".parse().unwrap(), Mode::Ping) };
        let mut tally = Tally::default();
        (0..4).for_each(|_index| tally.latency.record(Duration::from_micros(100)));
        (tally.completed, tally.bytes) = (4, 256);
        tally.errors.count(Failure::Reset);
        let json = serde_json::to_string(&tally.report(&plan, Duration::from_secs(1))).unwrap();
        assert_eq!(
            json,
            r#"{"protocol":"tcp","mode":"ping","connections":8,"size":64,"rate":0.0,"seconds":1.0,"completed":4,"#
                .to_owned()
                + r#""errors":{"connect":0,"reset":1,"timeout":0,"mismatch":0},"lost":0,"duplicated":0,"#
                + r#""per_second":4.0,"bits_per_second":2048.0,"#
                + r#""latency_us":{"min":100,"p50":100,"p99":100,"p99_9":100,"max":100,"mean":100}}"#
        );
    }

    #[test]
    fn a_run_that_was_cut_short_reports_its_true_length() {
        let plan = Plan::new("127.0.0.1:1".parse().unwrap(), Mode::Ping);
        let tally = Tally { completed: 10, ..Tally::default() };
        let report = tally.report(&plan, Duration::from_millis(500));
        assert!((report.seconds - 0.5).abs() < 1e-9 && (report.per_second - 20.0).abs() < 1e-9);
    }
}
