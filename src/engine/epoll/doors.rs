//! The worker's own listening sockets.

use super::tools::door_token;
use crate::model::{FlowKey, RefuseReason};
use crate::snapshot::{ListenerView, ListeningAddress};
use crate::sys;
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long accepting pauses when descriptors or memory ran out.
const PAUSE: Duration = Duration::from_millis(100);

/// One listening socket.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) listener: Arc<ListenerView>,
    pub(super) address: Arc<ListeningAddress>,
    socket: Arc<OwnedFd>,
    /// Connections may be queued: it was announced, and accepting has not come to an end since.
    ready: bool,
}

/// What accepting brought.
pub(super) enum Accepted {
    Connection(OwnedFd, SocketAddr),
    /// The queue is empty.
    Empty,
    /// Out of descriptors: the oldest queued connection was turned away, where that was possible.
    Exhausted {
        refused: bool,
    },
}

/// All listening sockets of a worker.
#[derive(Debug)]
pub(super) struct Doors {
    doors: Vec<Option<Door>>,
    /// Places of those with `Door::ready`: a turn looks at no other, however many there are.
    ready: Vec<usize>,
    /// Kept in reserve, so that a connection can be taken and reset when descriptors have run out.
    spare: Option<OwnedFd>,
    /// Accepting pauses until then.
    paused_until: Option<Instant>,
}

impl Doors {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { doors: Vec::new(), ready: Vec::new(), spare: Some(sys::spare_descriptor()?), paused_until: None })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.doors.iter().all(Option::is_none)
    }

    pub(super) fn len(&self) -> usize {
        self.doors.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Door> {
        self.doors.get(index)?.as_ref()
    }

    pub(super) fn set_ready(&mut self, index: usize) {
        if let Some(Some(door)) = self.doors.get_mut(index)
            && !std::mem::replace(&mut door.ready, true)
        {
            self.ready.push(index);
        }
    }

    /// The `nth` of those with connections queued, if there are so many.
    pub(super) fn nth_ready(&self, nth: usize) -> Option<usize> {
        self.ready.get(nth).copied()
    }

    /// Leaves out of the list of ready ones those that are no longer.
    pub(super) fn forget_idle(&mut self) {
        let doors = &self.doors;
        self.ready.retain(|&index| doors[index].as_ref().is_some_and(|door| door.ready));
    }

    pub(super) fn is_ready(&self, index: usize) -> bool {
        self.paused_until.is_none() && self.get(index).is_some_and(|door| door.ready)
    }

    pub(super) fn has_ready(&self) -> bool {
        self.paused_until.is_none() && !self.ready.is_empty()
    }

    pub(super) fn next_resume(&self) -> Option<Instant> {
        self.paused_until
    }

    pub(super) fn resume(&mut self, now: Instant) {
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
            self.spare = self.spare.take().or_else(|| sys::spare_descriptor().ok());
        }
    }

    /// Finds the door of a socket.
    pub(super) fn position(&self, socket: &Arc<OwnedFd>) -> Option<usize> {
        self.doors.iter().position(|door| door.as_ref().is_some_and(|door| Arc::ptr_eq(&door.socket, socket)))
    }

    /// Gives an open door the view of a new snapshot.
    pub(super) fn renew(&mut self, index: usize, listener: &Arc<ListenerView>, address: &Arc<ListeningAddress>) {
        if let Some(Some(door)) = self.doors.get_mut(index) {
            door.listener = Arc::clone(listener);
            door.address = Arc::clone(address);
        }
    }

    /// Opens a door; tells its place.
    pub(super) fn open(
        &mut self,
        registry: &Registry,
        listener: &Arc<ListenerView>,
        address: &Arc<ListeningAddress>,
        socket: &Arc<OwnedFd>,
    ) -> io::Result<usize> {
        let index = self.doors.iter().position(Option::is_none).unwrap_or(self.doors.len());
        registry.register(&mut SourceFd(&socket.as_raw_fd()), door_token(index), Interest::READABLE)?;
        // Connections that were queued before this worker knew the socket are announced by the registration.
        let (listener, address, socket) = (Arc::clone(listener), Arc::clone(address), Arc::clone(socket));
        let door = Some(Door { listener, address, socket, ready: false });
        match self.doors.get_mut(index) {
            Some(place) => *place = door,
            None => self.doors.push(door),
        }
        Ok(index)
    }

    /// Closes a door, once its queue is empty.
    pub(super) fn close(&mut self, registry: &Registry, index: usize) {
        if let Some(door) = self.doors.get_mut(index).and_then(Option::take) {
            self.ready.retain(|&ready| ready != index);
            // The socket may outlive the door in a snapshot, so it must be taken out explicitly.
            let _gone_already = registry.deregister(&mut SourceFd(&door.socket.as_raw_fd()));
            // Nor may it go on queueing connections that nobody will accept, for as long as a session or a snapshot
            // keeps its descriptor.
            let _not_listening = sys::stop_listening(door.socket.as_fd());
        }
    }

    /// Takes the next connection from the queue of a door.
    pub(super) fn accept(&mut self, index: usize, now: Instant) -> Accepted {
        let Some(Some(door)) = self.doors.get_mut(index) else { return Accepted::Empty };
        loop {
            match sys::accept(door.socket.as_fd()) {
                Ok((connection, client_addr)) => return Accepted::Connection(connection, client_addr),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    door.ready = false;
                    return Accepted::Empty;
                }
                // It is gone; the next one follows.
                Err(error) if sys::is_connection_gone(&error) => {}
                Err(error) if sys::is_exhaustion(&error) => {
                    // With the spare descriptor one connection is taken and reset, rather than left to wait in silence.
                    drop(self.spare.take());
                    let taken = sys::accept(door.socket.as_fd());
                    let is_empty = taken.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
                    let refused = taken.map(|(fd, _addr)| sys::close_with_reset(fd)).is_ok();
                    self.spare = sys::spare_descriptor().ok();
                    if is_empty {
                        door.ready = false;
                        return Accepted::Empty;
                    }
                    if !refused || self.spare.is_none() {
                        self.paused_until = Some(now + PAUSE);
                    }
                    return Accepted::Exhausted { refused };
                }
                // A filter, a sandbox: it will be the same the next time.
                Err(_refused_here) => {
                    self.paused_until = Some(now + PAUSE);
                    return Accepted::Exhausted { refused: false };
                }
            }
        }
    }
}

/// The flow key of an accepted connection. Only a socket bound to a wildcard has to be asked which address was reached.
pub(super) fn flow_key(connection: &OwnedFd, client_addr: SocketAddr, bound: SocketAddr) -> io::Result<FlowKey> {
    let listen_addr = if bound.ip().is_unspecified() { sys::local_addr(connection.as_fd())? } else { bound };
    Ok(FlowKey::new(client_addr, listen_addr))
}

/// Turns a connection away.
pub(super) fn refuse(connection: OwnedFd, listener: &ListenerView, worker: usize, reason: RefuseReason) {
    // Counted first: whoever sees the reset may look at the counter.
    listener.runtime.counters.of(worker).refused[reason.index()].add(1);
    sys::close_with_reset(connection);
}
