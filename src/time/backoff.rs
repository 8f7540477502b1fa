//! Waits that double.

use std::time::Duration;

/// `base` · 2ⁿ for the n-th wait, from 0, at most `longest`.
#[must_use]
pub fn doubled(base: Duration, n: u32, longest: Duration) -> Duration {
    let factor = 1_u32.checked_shl(n).unwrap_or(u32::MAX);
    base.saturating_mul(factor).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let wait = |n| doubled(Duration::from_millis(100), n, Duration::from_secs(5)).as_millis();
        assert_eq!(
            [wait(0), wait(1), wait(2), wait(5), wait(6), wait(31), wait(32), wait(u32::MAX)],
            [100, 200, 400, 3200, 5000, 5000, 5000, 5000]
        );
    }
}
