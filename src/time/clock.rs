//! The one clock of the process.

use std::time::{Instant, SystemTime};

/// The monotonic time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// The time of day; only ever shown, never computed with.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one clock")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}
