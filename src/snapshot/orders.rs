//! Which running sessions must end, how and when.

use crate::model::CloseReason;
use ahash::AHashMap;
use std::time::{Duration, Instant};

/// How the sessions that an order names are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// RST to both sides, at once.
    ResetNow,
    /// Flushed, FIN to both sides, spread evenly over this stretch of time.
    Spread {
        /// No session is closed before.
        from: Instant,
        /// The last session is closed by then.
        until: Instant,
    },
}

/// One order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseOrder {
    /// What the access log will say.
    pub reason: CloseReason,
    /// How and when.
    pub manner: Manner,
}

impl CloseOrder {
    /// A drain that began at `start` and may take `timeout`: sessions left are closed spread over its last fifth.
    #[must_use]
    pub fn drain(reason: CloseReason, start: Instant, timeout: Duration) -> Self {
        let until = start + timeout;
        Self { reason, manner: Manner::Spread { from: until - timeout / 5, until } }
    }

    /// When the drain began; `None` for an order that is carried out at once.
    #[must_use]
    pub fn start(&self) -> Option<Instant> {
        match self.manner {
            Manner::ResetNow => None,
            Manner::Spread { from, until } => until.checked_sub(until.saturating_duration_since(from) * 5),
        }
    }

    /// When the last session of this order is closed; `None` = at once.
    fn end(&self) -> Option<Instant> {
        match self.manner {
            Manner::ResetNow => None,
            Manner::Spread { until, .. } => Some(until),
        }
    }
}

/// Every order in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// To sessions of these targets, by `TargetRuntime::uid`.
    pub targets: AHashMap<u32, CloseOrder>,
    /// Removed listeners, by `ListenerRuntime::uid`, with the moment of removal: their sessions drain for the
    /// `drain_timeout` of their own group.
    pub listeners: AHashMap<u32, Instant>,
    /// To every session: the process is ending.
    pub all: Option<CloseOrder>,
}

impl Orders {
    /// Whether nothing is ordered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.listeners.is_empty() && self.all.is_none()
    }

    /// The order that ends a session first, of those that concern it.
    #[must_use]
    pub fn concerning(
        &self,
        target_uid: Option<u32>,
        listener_uid: u32,
        drain_timeout: Duration,
    ) -> Option<CloseOrder> {
        let of_target = target_uid.and_then(|uid| self.targets.get(&uid).copied());
        let of_listener = self
            .listeners
            .get(&listener_uid)
            .map(|&removed| CloseOrder::drain(CloseReason::Drained, removed, drain_timeout));
        [of_target, of_listener, self.all].into_iter().flatten().min_by_key(CloseOrder::end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::clock;

    #[test]
    fn the_order_that_ends_first_wins() {
        let now = clock::now();
        let drained = CloseOrder::drain(CloseReason::Drained, now, Duration::from_secs(100));
        let shutdown = CloseOrder::drain(CloseReason::Shutdown, now, Duration::from_secs(30));
        let mut orders = Orders { targets: AHashMap::from([(7, drained)]), all: Some(shutdown), ..Orders::default() };
        assert_eq!(orders.concerning(Some(7), 1, Duration::ZERO), Some(shutdown));
        let reset = CloseOrder { reason: CloseReason::Admin, manner: Manner::ResetNow };
        orders.targets.insert(7, reset);
        assert_eq!(orders.concerning(Some(7), 1, Duration::ZERO), Some(reset));
        orders.listeners.insert(1, now);
        assert_eq!(
            orders.concerning(None, 1, Duration::from_secs(10)),
            Some(CloseOrder::drain(CloseReason::Drained, now, Duration::from_secs(10)))
        );
    }

    #[test]
    fn a_drain_closes_over_its_last_fifth() {
        let now = clock::now();
        let order = CloseOrder::drain(CloseReason::Drained, now, Duration::from_secs(300));
        let (from, until) = (now + Duration::from_secs(240), now + Duration::from_secs(300));
        assert_eq!(order.manner, Manner::Spread { from, until });
    }
}
