//! One connection of the generator, and the operation under way on it.

use super::exchange::Exchange;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No socket; a new one not before `until`.
    Vacant { until: Instant },
    /// The handshake is under way.
    Connecting,
    /// Established, no operation.
    Idle,
    /// An operation is under way.
    Busy,
    /// The reply is complete, FIN was sent, the other FIN is awaited (mode connect). `took`: until the reply.
    Ending { took: Duration },
}

/// A connection slot: it outlives its sockets.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stage: Stage,
    fd: Option<OwnedFd>,
    /// Sockets closed so far; tells a late event of an old socket from one of the new.
    generation: u32,
    /// Operations whose intended time has come and that have not begun.
    pub(super) due: u64,
    /// Operations begun.
    pub(super) begun: u64,
    /// When the present operation was meant to begin.
    pub(super) intended: Instant,
    /// When the present operation, or attempt to connect, did begin.
    pub(super) began: Instant,
    pub(super) exchange: Exchange,
    /// FIN or an error has come.
    pub(super) closed: bool,
}

impl Connection {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            stage: Stage::Vacant { until: now },
            fd: None,
            generation: 0,
            due: 0,
            begun: 0,
            intended: now,
            began: now,
            exchange: Exchange::default(),
            closed: false,
        }
    }

    /// The open socket.
    ///
    /// # Panics
    /// When the slot is vacant.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_ref().expect("every stage but Vacant has a socket").as_fd()
    }

    /// Takes a socket whose handshake has begun.
    pub(super) fn open(&mut self, fd: OwnedFd, now: Instant) {
        (self.fd, self.stage, self.began, self.closed) = (Some(fd), Stage::Connecting, now, false);
    }

    /// Closes the socket: FIN, or RST when bytes are unread (tcp(7)).
    pub(super) fn close(&mut self, until: Instant) {
        self.fd = None;
        self.generation = self.generation.wrapping_add(1);
        self.stage = Stage::Vacant { until };
    }

    /// Whether a peer is waited for.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Connecting | Stage::Busy | Stage::Ending { .. })
    }

    /// Whether there is an established connection.
    pub(super) fn is_established(&self) -> bool {
        matches!(self.stage, Stage::Idle | Stage::Busy | Stage::Ending { .. })
    }

    /// What the poller calls the present socket of slot `index`.
    pub(super) fn key(&self, index: usize) -> usize {
        (self.generation as usize) << 32 | index
    }
}

/// The slot that a poller's key belongs to.
pub(super) fn slot_of(key: usize) -> usize {
    key & 0xFFFF_FFFF
}
