//! The one place that asks the kernel for the time; everything else takes it as an argument.
#![allow(clippy::disallowed_methods, reason = "this file is the clock")]

use std::time::{Instant, SystemTime};

/// Monotonic time: deadlines, durations, rates.
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// Wall-clock time: only ever shown or logged, never compared with a deadline.
#[must_use]
pub fn wall() -> SystemTime {
    SystemTime::now()
}
