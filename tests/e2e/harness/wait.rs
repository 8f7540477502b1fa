//! Bounded waiting: the one place where the tests look at the clock or let time pass.

use std::time::{Duration, Instant};

/// Longest wait for anything that should come at once.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// Measures how long something took.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(forebay::time::clock::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        forebay::time::clock::now().duration_since(self.0)
    }
}

/// Lets time pass. Only for tests whose subject *is* time (idle limits, rates of wake-ups); `_why` says which.
#[allow(clippy::disallowed_methods, reason = "polling and pacing of tests live here, and nowhere else")]
pub(crate) fn pause(length: Duration, _why: &str) {
    std::thread::sleep(length);
}

/// Asks `attempt` until it answers `Ok`, at most for `limit`; a panic names `what` and the last error.
#[track_caller]
pub(crate) fn wait_for<T>(limit: Duration, what: &str, mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let watch = Stopwatch::start();
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(reason) if watch.elapsed() >= limit => panic!("not within {limit:?}: {what}: {reason}"),
            Err(_not_yet) => pause(Duration::from_millis(5), "between two looks"),
        }
    }
}

/// Waits until `condition` holds, at most for `limit`.
#[track_caller]
pub(crate) fn within(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(limit, what, || if condition() { Ok(()) } else { Err("still false".into()) });
}

/// Waits until `condition` holds, at most for [`DEADLINE`].
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl FnMut() -> bool) {
    within(DEADLINE, what, condition);
}
