//! At most one line a second per reason.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const SPAN: Duration = Duration::from_secs(1);

/// Who has logged when. `R` is the reason.
#[derive(Debug)]
pub struct LogLimit<R>(BTreeMap<R, (Instant, u64)>);

impl<R: Ord> LogLimit<R> {
    /// Nobody has logged.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Whether a line for `reason` may be written now; then how many were held back since the one before.
    pub fn admit(&mut self, reason: R, now: Instant) -> Option<u64> {
        let Some((last, held_back)) = self.0.get_mut(&reason) else {
            self.0.insert(reason, (now, 0));
            return Some(0);
        };
        if now.saturating_duration_since(*last) < SPAN {
            *held_back += 1;
            return None;
        }
        *last = now;
        Some(std::mem::take(held_back))
    }
}

impl<R: Ord> Default for LogLimit<R> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::clock;

    #[test]
    fn one_line_a_second_per_reason_and_the_next_tells_how_many_were_held_back() {
        let start = clock::now();
        let mut limit = LogLimit::new();
        assert_eq!(limit.admit("descriptors", start), Some(0));
        assert_eq!(limit.admit("descriptors", start + SPAN / 2), None);
        assert_eq!(limit.admit("memory", start + SPAN / 2), Some(0));
        assert_eq!(limit.admit("descriptors", start + SPAN), Some(1));
        assert_eq!(limit.admit("descriptors", start + SPAN + SPAN), Some(0));
    }
}
