//! What serving a session needs of its worker, apart from the table of sessions.

use super::pools::{CHUNK_BYTES, Pools};
use super::session::Session;
use super::sessions::SessionKey;
use crate::balance::{Cursor, GroupRuntime, Lease, PickError};
use crate::engine::{Outbox, SessionRecord};
use crate::model::{Observation, ObservationKind};
use crate::snapshot::{GroupView, ProcessRuntime, Snapshot};
use crate::stats::WorkerCounters;
use crate::time::Wheel;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

/// Which connection of a session an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Target,
}

/// Everything of a worker that is not its sessions.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) index: usize,
    pub(super) process: Arc<ProcessRuntime>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) snapshot: Arc<Snapshot>,
    /// The clock, read once a turn.
    pub(super) now: Instant,
    pub(super) registry: Registry,
    pub(super) wheel: Wheel,
    pub(super) pools: Pools,
    pub(super) scratch: Box<[u8; CHUNK_BYTES]>,
    pub(super) random: fastrand::Rng,
    /// One cursor for each group of the snapshot, in its order.
    pub(super) cursors: Vec<Cursor>,
    /// Turns through the source addresses of groups that have some.
    pub(super) next_source: usize,
    /// A record was queued this turn.
    pub(super) recorded: bool,
}

impl Tools {
    /// This worker's counters of itself.
    pub(super) fn counters(&self) -> &WorkerCounters {
        self.process.workers.of(self.index)
    }

    /// The view of a group in the present snapshot; `None` when it was removed.
    pub(super) fn group_view(&self, group: &Arc<GroupRuntime>) -> Option<(usize, Arc<GroupView>)> {
        let index = self.snapshot.groups.iter().position(|view| Arc::ptr_eq(&view.runtime, group))?;
        Some((index, Arc::clone(&self.snapshot.groups[index])))
    }

    /// Picks a target of the group at `group_index`, leaving out those members.
    pub(super) fn pick(
        &mut self,
        group_index: usize,
        session_key: &crate::model::FlowKey,
        tried: &[u16],
    ) -> Result<(u16, Lease), PickError> {
        let view = &self.snapshot.groups[group_index];
        view.placement.pick(session_key, tried, &mut self.cursors[group_index], &mut self.random)
    }

    /// Waits for events of one connection of a session, both ways, edge-triggered.
    pub(super) fn register(&self, fd: &OwnedFd, key: SessionKey, side: Side) -> io::Result<()> {
        let token = token_of(key, side);
        let interests = Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY;
        self.registry.register(&mut SourceFd(&fd.as_raw_fd()), token, interests)
    }

    /// Makes sure that the session is looked at when its next deadline comes.
    pub(super) fn arm(&mut self, key: SessionKey, session: &Session) {
        let deadline = session.next_deadline(self.now);
        // A timer that fires earlier does no harm: the session looks at its true deadline then.
        if self.wheel.deadline(key.slot).is_none_or(|set| deadline < set) {
            self.wheel.set(deadline, key.slot);
        }
    }

    /// Tells control.
    pub(super) fn observe(&self, target_uid: u32, kind: ObservationKind) {
        if !self.outbox.observe(Observation { target_uid, kind }) {
            self.counters().observations_dropped.add(1);
        }
    }

    /// Tells the access log.
    pub(super) fn record(&mut self, record: SessionRecord) {
        if self.outbox.record(record) {
            self.recorded = true;
        } else {
            self.counters().log_lines_dropped.add(1);
        }
    }
}

/// The mailbox bell.
pub(super) const BELL: Token = Token(0);

/// Sessions: the key and one bit for the side. Generations start at 1, so these are at least 2^33; doors are below.
pub(super) fn token_of(key: SessionKey, side: Side) -> Token {
    let bits = (key.to_bits() << 1) | u64::from(side == Side::Target);
    Token(usize::try_from(bits).expect("64-bit machines only"))
}

/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Bell,
    /// A listening socket, by its place in the worker's table.
    Door(usize),
    Session(SessionKey, Side),
}

/// The inverse of [`BELL`], [`door_token`] and [`token_of`].
pub(super) fn source_of(token: Token) -> Option<Source> {
    let bits = u64::try_from(token.0).expect("64-bit machines only");
    if bits == 0 {
        return Some(Source::Bell);
    }
    if bits <= u64::from(u32::MAX) {
        return Some(Source::Door(token.0 - 1));
    }
    let side = if bits & 1 == 1 { Side::Target } else { Side::Client };
    Some(Source::Session(SessionKey::from_bits(bits >> 1)?, side))
}

/// Listening sockets, by their place in the worker's table.
pub(super) fn door_token(index: usize) -> Token {
    Token(index + 1)
}
