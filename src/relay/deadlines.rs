//! Until when a session may live, and what ends it then.

use crate::model::CloseReason;
use std::time::{Duration, Instant};

/// The limits of an established session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// The latest byte in either direction.
    pub last_active: Instant,
    /// No byte for so long ends the session: `idle_timeout`, or `half_close_timeout` once a FIN was seen.
    pub idle_limit: Duration,
    /// Whether a FIN was seen.
    pub half_closed: bool,
    /// `max_lifetime`, jittered.
    pub lifetime_end: Option<Instant>,
    /// When an order closes it, and why.
    pub ordered: Option<(Instant, CloseReason)>,
}

impl Deadlines {
    /// The first deadline and the reason that it stands for.
    #[must_use]
    pub fn next(&self) -> (Instant, CloseReason) {
        let idle_reason = if self.half_closed { CloseReason::HalfCloseTimeout } else { CloseReason::IdleTimeout };
        let idle = (self.last_active + self.idle_limit, idle_reason);
        let lifetime = self.lifetime_end.map(|end| (end, CloseReason::MaxLifetime));
        [lifetime, self.ordered]
            .into_iter()
            .flatten()
            .fold(idle, |first, other| if other.0 < first.0 { other } else { first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::clock;

    #[test]
    fn the_first_deadline_names_the_reason() {
        let now = clock::now();
        let seconds = Duration::from_secs;
        let mut deadlines = Deadlines {
            last_active: now,
            idle_limit: seconds(60),
            half_closed: false,
            lifetime_end: None,
            ordered: None,
        };
        assert_eq!(deadlines.next(), (now + seconds(60), CloseReason::IdleTimeout));
        deadlines.half_closed = true;
        assert_eq!(deadlines.next().1, CloseReason::HalfCloseTimeout);
        deadlines.lifetime_end = Some(now + seconds(50));
        assert_eq!(deadlines.next(), (now + seconds(50), CloseReason::MaxLifetime));
        deadlines.ordered = Some((now + seconds(40), CloseReason::Drained));
        assert_eq!(deadlines.next(), (now + seconds(40), CloseReason::Drained));
        deadlines.last_active = now - seconds(30);
        assert_eq!(deadlines.next(), (now + seconds(30), CloseReason::HalfCloseTimeout));
    }
}
