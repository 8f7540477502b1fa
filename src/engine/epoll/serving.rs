//! The stages of a turn: accept and admit, serve what is due, look at what a timer named.

use super::closing::End;
use super::doors::{Accepted, flow_key, refuse};
use super::event_loop::Engine;
use super::session::{Direction, Readiness, Session, Stage};
use super::sessions::SessionKey;
use super::tools::{Side, Tools};
use crate::balance::{Lease, PickError};
use crate::model::{CloseReason, ClosedBy, FlowKey, RefuseReason};
use crate::snapshot::ListenerView;
use crate::stats::Permit;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Connections accepted from one socket in one turn.
const ACCEPTS: usize = 64;

/// What became of a session when it was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Served {
    /// It waits for events.
    Waiting,
    /// It has used up its share of this turn.
    LeftOver,
    /// It has ended, with everything that belongs to an end.
    Ended(End),
}

/// A client that was admitted: where it goes, with the permits that it holds.
struct Admitted {
    group_index: usize,
    member: u16,
    lease: Lease,
    key: FlowKey,
}

impl Engine {
    /// Accepts a bounded number of connections from each socket that has some.
    pub(super) fn accept(&mut self) {
        let mut nth = 0;
        while let Some(index) = self.doors.nth_ready(nth) {
            let mut budget = ACCEPTS;
            while budget > 0 && self.doors.is_ready(index) && self.accept_from(index) {
                budget -= 1;
            }
            nth += 1;
        }
        self.doors.forget_idle();
    }

    /// Accepts one connection; false when there is none.
    pub(super) fn accept_from(&mut self, index: usize) -> bool {
        let accepted = self.doors.accept(index, self.tools.now);
        let Some(door) = self.doors.get(index) else { return false };
        match accepted {
            Accepted::Empty => false,
            Accepted::Exhausted { refused } => {
                let refusals = &door.listener.runtime.counters.of(self.tools.index).refused;
                refusals[RefuseReason::Descriptors.index()].add(u64::from(refused));
                refused
            }
            Accepted::Connection(connection, client_addr) => {
                let (listener, bound) = (Arc::clone(&door.listener), door.address.addr);
                match self.tools.admit(&listener, &connection, client_addr, bound) {
                    Ok(admitted) => self.open_session(listener, connection, admitted),
                    Err(reason) => refuse(connection, &listener, self.tools.index, reason),
                }
                true
            }
        }
    }

    fn open_session(&mut self, listener: Arc<ListenerView>, client: OwnedFd, admitted: Admitted) {
        let Admitted { group_index, member, lease, key } = admitted;
        listener.runtime.counters.of(self.tools.index).opened.add(1);
        let session = Session {
            group: Arc::clone(&lease.target().group),
            client,
            target: None,
            target_uid: lease.target().uid,
            lease: Some(lease),
            key,
            target_addr: None,
            source_addr: None,
            stage: Stage::Relaying,
            client_ready: Readiness { writable: true, ..Readiness::default() },
            target_ready: Readiness::default(),
            to_target: Direction::new(),
            to_client: Direction::new(),
            accepted: self.tools.now,
            last_active: self.tools.now,
            lifetime_end: jittered_end(self.tools.now, listener.config.max_lifetime, &mut self.tools.random),
            ordered: None,
            connect_time: None,
            first_byte_time: None,
            attempts: 0,
            first_fin: None,
            queued: false,
            listener,
        };
        let session_key = self.sessions.insert(session);
        let session = self.sessions.get_mut(session_key).expect("just put in");
        let registered = self.tools.register(&session.client, session_key, Side::Client);
        let served = match registered {
            Ok(()) => session.begin_attempts(session_key, group_index, member, &mut self.tools),
            Err(_out_of_memory) => Served::Ended(End::reset(CloseReason::LocalResource, ClosedBy::Forebay)),
        };
        self.settle(session_key, served);
    }

    /// Serves every session that has something to do.
    pub(super) fn serve_due(&mut self) {
        let mut due = std::mem::take(&mut self.due);
        for key in due.drain(..) {
            let Some(session) = self.sessions.get_mut(key) else { continue };
            session.queued = false;
            let served = session.serve(key, &mut self.tools);
            self.settle(key, served);
        }
        self.due = due;
    }

    /// Looks at a session whose timer fired.
    pub(super) fn expire_session(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        let served = session.expire(key, &mut self.tools);
        self.settle(key, served);
    }

    /// Draws the conclusion from what became of a session.
    pub(super) fn settle(&mut self, key: SessionKey, served: Served) {
        match served {
            Served::Ended(end) => {
                let session = self.sessions.remove(key).expect("it was served just now");
                self.tools.wheel.cancel(key.slot);
                session.close(end, &mut self.tools);
            }
            Served::LeftOver | Served::Waiting => {
                let session = self.sessions.get_mut(key).expect("it was served just now");
                self.tools.arm(key, session);
                if served == Served::LeftOver && !session.queued {
                    session.queued = true;
                    self.left_over.push(key);
                }
            }
        }
    }
}

impl Session {
    /// Does what its readiness allows.
    fn serve(&mut self, key: SessionKey, tools: &mut Tools) -> Served {
        match self.stage {
            Stage::Connecting(_) => self.serve_connecting(key, tools),
            Stage::Relaying | Stage::TargetLost { .. } | Stage::Draining { .. } => self.serve_relay(tools),
        }
    }

    /// Acts on a deadline that has passed; where none has, there is nothing to do but to wait on.
    fn expire(&mut self, key: SessionKey, tools: &mut Tools) -> Served {
        match self.stage {
            Stage::Connecting(_) => self.expire_connecting(key, tools),
            Stage::Relaying => {
                let (deadline, reason) = self.deadlines().next();
                if tools.now < deadline { Served::Waiting } else { self.expire_relay(reason, tools) }
            }
            Stage::TargetLost { .. } | Stage::Draining { .. } => self.serve_relay(tools),
        }
    }
}

impl Tools {
    /// Admission, routing and the first pick; on success every permit of the session is taken.
    fn admit(
        &mut self,
        listener: &ListenerView,
        connection: &OwnedFd,
        client_addr: SocketAddr,
        bound: SocketAddr,
    ) -> Result<Admitted, RefuseReason> {
        let key = flow_key(connection, client_addr, bound).map_err(|_no_address| RefuseReason::Descriptors)?;
        if !listener.access.admits(key.client_addr.ip()) {
            return Err(RefuseReason::Denied);
        }
        let process = Arc::clone(&self.process);
        let in_process = Permit::take(&process.sessions).ok_or(RefuseReason::MaxConnections)?;
        let in_listener = Permit::take(&listener.runtime.sessions).ok_or(RefuseReason::MaxConnections)?;
        let snapshot = Arc::clone(&self.snapshot);
        let group_index = snapshot.route(listener, &key).group_index;
        let in_group =
            Permit::take(&snapshot.groups[group_index].runtime.sessions).ok_or(RefuseReason::MaxConnections)?;
        let (member, lease) = self.pick(group_index, &key, &[]).map_err(|error| match error {
            PickError::AtCapacity => RefuseReason::MaxConnections,
            PickError::NoTarget | PickError::Exhausted => RefuseReason::NoTarget,
        })?;
        // From here on the session holds them; its end releases them.
        in_process.keep();
        in_listener.keep();
        in_group.keep();
        Ok(Admitted { group_index, member, lease, key })
    }
}

/// The end of a life of `limit` ± 10 %; `None` when there is no limit.
fn jittered_end(now: Instant, limit: Duration, random: &mut fastrand::Rng) -> Option<Instant> {
    (!limit.is_zero()).then(|| now + limit.mul_f64(0.9 + 0.2 * random.f64()))
}
