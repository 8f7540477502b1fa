//! A TCP session as the worker keeps it.

use super::pools::{Chunk, PooledPipe};
use crate::balance::{GroupRuntime, Lease};
use crate::model::{CloseReason, ClosedBy, ConnectFailure, FlowKey};
use crate::relay::{Deadlines, HalfRelay, Pace};
use crate::snapshot::{CloseOrder, ListenerView};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a peer has to take what it is owed before it is reset.
pub(super) const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// Distinct targets that a session remembers having tried; `connect.attempts` is bounded by it.
pub(super) const ATTEMPTS_MAX: usize = 8;

/// One session: client connection, target connection, and a direction each way.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) listener: Arc<ListenerView>,
    pub(super) group: Arc<GroupRuntime>,
    pub(super) client: OwnedFd,
    pub(super) target: Option<OwnedFd>,
    pub(super) lease: Option<Lease>,
    pub(super) key: FlowKey,
    /// `TargetRuntime::uid` of the target that serves it, or was tried last.
    pub(super) target_uid: u32,
    pub(super) target_addr: Option<SocketAddr>,
    pub(super) source_addr: Option<SocketAddr>,
    pub(super) stage: Stage,
    pub(super) client_ready: Readiness,
    pub(super) target_ready: Readiness,
    pub(super) to_target: Direction,
    pub(super) to_client: Direction,
    pub(super) accepted: Instant,
    pub(super) last_active: Instant,
    pub(super) lifetime_end: Option<Instant>,
    pub(super) ordered: Option<(Instant, CloseReason)>,
    pub(super) connect_time: Option<Duration>,
    pub(super) first_byte_time: Option<Duration>,
    pub(super) attempts: u8,
    /// Which side's FIN came first.
    pub(super) first_fin: Option<ClosedBy>,
    /// Whether the session waits in the list of those with work left over.
    pub(super) queued: bool,
}

/// What a socket was last said to be ready for; edge-triggered, so it holds until an attempt would block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "four independent facts that the kernel tells, not one state")]
pub(super) struct Readiness {
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The event that is being served told of an error (EPOLLERR).
    pub(super) failed: bool,
    /// FIN or worse was announced: a short read does not mean that the queue is empty.
    pub(super) read_closed: bool,
}

/// Where a session stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// No target yet.
    Connecting(Attempts),
    /// Bytes flow.
    Relaying,
    /// The target is lost: the client gets what was read, and RST once it has acknowledged that.
    TargetLost { reason: CloseReason, reset_at: Instant },
    /// Ended by order: both sides get what was read, then FIN, then RST.
    Draining { reason: CloseReason, reset_at: Instant },
}

/// The attempts of a session that has no target yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempts {
    /// `TargetRuntime::uid` of those tried.
    pub(super) tried: [u32; ATTEMPTS_MAX],
    pub(super) tried_len: u8,
    /// End of all attempts.
    pub(super) deadline: Instant,
    /// End of the present attempt, or of the pause before the next.
    pub(super) next_at: Instant,
    /// Counted in `GroupRuntime::retrying`.
    pub(super) retrying: bool,
    /// How the latest attempt failed.
    pub(super) failure: ConnectFailure,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Direction {
    pub(super) half: HalfRelay,
    pub(super) pace: Pace,
    pub(super) parked: Parked,
    /// Bytes written to the sink.
    pub(super) bytes: u64,
}

impl Direction {
    pub(super) fn new() -> Self {
        Self { half: HalfRelay::START, pace: Pace::START, parked: Parked::Nowhere, bytes: 0 }
    }
}

/// Where the bytes are that a direction holds.
#[derive(Debug)]
pub(super) enum Parked {
    Nowhere,
    /// In a chunk of the worker's pool, from `start` on.
    Chunk {
        chunk: Chunk,
        start: u32,
    },
    /// In a pipe of the worker's pool.
    Pipe(PooledPipe),
}

impl Session {
    /// The limits that apply now.
    pub(super) fn deadlines(&self) -> Deadlines {
        let half_closed = self.first_fin.is_some();
        let config = &self.listener.config;
        Deadlines {
            last_active: self.last_active,
            idle_limit: if half_closed { config.half_close_timeout } else { config.idle_timeout },
            half_closed,
            lifetime_end: self.lifetime_end,
            ordered: self.ordered,
        }
    }

    /// When the session must be looked at, whatever happens until then.
    pub(super) fn next_deadline(&self, now: Instant) -> Instant {
        match self.stage {
            Stage::Connecting(attempts) => attempts.next_at.min(attempts.deadline),
            Stage::Relaying => self.deadlines().next().0,
            // Nothing tells when the last byte is acknowledged: once all is written, the queue is asked every two
            // ticks.
            Stage::TargetLost { reset_at, .. } if self.to_client.half != HalfRelay::Closed => reset_at,
            Stage::TargetLost { reset_at, .. } => reset_at.min(now + Duration::from_millis(16)),
            Stage::Draining { reset_at, .. } => reset_at,
        }
    }

    /// The order that concerns this session, if there is one.
    pub(super) fn order(&self, orders: &crate::snapshot::Orders) -> Option<CloseOrder> {
        let drain_timeout_ms = self.group.drain_timeout_ms.load(std::sync::atomic::Ordering::Relaxed);
        let target_uid = self.lease.as_ref().map(|lease| lease.target().uid);
        let order =
            orders.concerning(target_uid, self.listener.runtime.uid, Duration::from_millis(drain_timeout_ms))?;
        // A verdict means the sessions that were there before it, not those that come because the group fails open.
        let is_meant =
            order.reason != CloseReason::Unhealthy || order.start().is_none_or(|start| self.accepted <= start);
        is_meant.then_some(order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_stays_within_its_share_of_the_512_bytes_of_an_idle_pair() {
        assert!(size_of::<Session>() <= 464, "{} bytes", size_of::<Session>());
    }
}
