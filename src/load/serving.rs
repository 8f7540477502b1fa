//! What a target does with its connections.

use super::connection::slot_of;
use super::poller::{Poller, Ready};
use super::target::{Served, TargetKind};
use crate::sys;
use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::time::clock;

/// Keys of the poller beside connections, whose keys are below.
const LISTENER: usize = usize::MAX - 1;
const STOP: usize = usize::MAX - 2;
/// Calls for one connection in a row before others have their turn.
const CALLS_PER_TURN: usize = 8;
const BYTES_PER_CALL: usize = 256 * 1024;
/// A source's calls: plain send(2) of this much, because that is what servers do. sendfile(2) from memory would be
/// cheaper, but its 4 KiB fragments make every proxy that splices look worse than ordinary traffic does.
const SOURCE_BYTES: usize = 128 * 1024;
/// When descriptors ran out, accepting is tried again after this.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A connection that is served.
#[derive(Debug)]
struct Connection {
    fd: OwnedFd,
    key: usize,
    /// Echo: read and not yet written back.
    held: Vec<u8>,
    /// FIN or an error has come.
    closed: bool,
}

enum Turn {
    Waiting,
    Again,
    Over,
}

/// The event loop of a target.
pub(super) struct Service {
    kind: TargetKind,
    listener: OwnedFd,
    poller: Poller,
    stop: Arc<sys::EventFd>,
    served: Arc<Served>,
    connections: Vec<Option<Connection>>,
    vacant: Vec<usize>,
    generation: usize,
    again: Vec<usize>,
    buffer: Box<[u8]>,
}

impl Service {
    pub(super) fn new(
        kind: TargetKind,
        listener: OwnedFd,
        stop: Arc<sys::EventFd>,
        served: Arc<Served>,
    ) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add_readable(listener.as_fd(), LISTENER)?;
        poller.add_readable(stop.as_fd(), STOP)?;
        let buffer = (0..BYTES_PER_CALL).map(|index| u8::try_from(index % 251).expect("below 251")).collect();
        let (connections, vacant, again) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { kind, listener, poller, stop, served, connections, vacant, generation: 0, again, buffer })
    }

    /// Serves until the bell rings; connections end with the service.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        let mut accept_pending = false;
        loop {
            let now = clock::now();
            let wait = match (self.again.is_empty(), accept_pending) {
                (false, _) => Duration::ZERO,
                (true, true) => ACCEPT_AGAIN,
                (true, false) => LONGEST_WAIT,
            };
            self.poller.wait(now, now + wait, false, &mut ready)?;
            for event in &ready {
                match event.key {
                    STOP if self.stop.clear() => return Ok(()),
                    STOP => {}
                    LISTENER => accept_pending = true,
                    _ => self.on_ready(*event),
                }
            }
            if accept_pending {
                accept_pending = !self.accept_all();
            }
            for index in mem::take(&mut self.again) {
                self.drive(index);
            }
        }
    }

    /// Accepts what is queued; false when descriptors ran out before its end.
    fn accept_all(&mut self) -> bool {
        loop {
            match sys::accept(self.listener.as_fd()) {
                Ok((fd, _client_addr)) => self.adopt(fd),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if sys::is_exhaustion(&error) => return false,
                // The connection itself died in the queue (accept(2)); the next one may be fine.
                Err(_died) => {}
            }
        }
    }

    fn adopt(&mut self, fd: OwnedFd) {
        let index = self.vacant.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        self.generation = (self.generation + 1) % (1 << 30);
        let key = self.generation << 32 | index;
        if self.poller.add(fd.as_fd(), key).is_err() {
            // Out of memory for another watch: the client sees a close.
            self.vacant.push(index);
            return;
        }
        self.connections[index] = Some(Connection { fd, key, held: Vec::new(), closed: false });
        self.served.accepted.fetch_add(1, Relaxed);
        self.served.open.fetch_add(1, Relaxed);
    }

    fn on_ready(&mut self, event: Ready) {
        let index = slot_of(event.key);
        if let Some(Some(connection)) = self.connections.get_mut(index)
            && connection.key == event.key
        {
            connection.closed |= event.closed;
            self.drive(index);
        }
    }

    fn drive(&mut self, index: usize) {
        let Some(Some(connection)) = self.connections.get_mut(index) else { return };
        let mut moved = 0;
        let turn = match self.kind {
            TargetKind::Echo => echo(connection, &mut self.buffer, &mut moved),
            TargetKind::Sink => sink(connection, &mut moved),
            TargetKind::Source => source(connection.fd.as_fd(), &self.buffer, &mut moved),
        };
        self.served.bytes.fetch_add(moved as u64, Relaxed);
        match turn {
            Turn::Waiting => {}
            Turn::Again => self.again.push(index),
            Turn::Over => {
                self.connections[index] = None;
                self.vacant.push(index);
                self.served.open.fetch_sub(1, Relaxed);
            }
        }
    }
}

/// Writes back what comes; stops reading while the client does not read; FIN follows the last byte.
fn echo(connection: &mut Connection, buffer: &mut [u8], moved: &mut usize) -> Turn {
    let fd = connection.fd.as_fd();
    for _call in 0..CALLS_PER_TURN {
        if !connection.held.is_empty() {
            match sys::send(fd, &connection.held) {
                Ok(sent) => drop(connection.held.drain(..sent)),
                Err(error) => return waiting_or_over(&error),
            }
            continue;
        }
        let received = match sys::receive(fd, buffer) {
            Ok(0) => return Turn::Over,
            Ok(received) => received,
            Err(error) => return waiting_or_over(&error),
        };
        *moved += received;
        let sent = match sys::send(fd, &buffer[..received]) {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_gone) => return Turn::Over,
        };
        connection.held.extend_from_slice(&buffer[sent..received]);
        if sent == received && received < buffer.len() && !connection.closed {
            return Turn::Waiting;
        }
    }
    Turn::Again
}

/// Discards what comes, in the kernel; FIN answers FIN.
fn sink(connection: &Connection, moved: &mut usize) -> Turn {
    for _call in 0..CALLS_PER_TURN {
        match sys::discard(connection.fd.as_fd(), BYTES_PER_CALL) {
            Ok(0) => return Turn::Over,
            Ok(received) => {
                *moved += received;
                if received < BYTES_PER_CALL && !connection.closed {
                    return Turn::Waiting;
                }
            }
            Err(error) => return waiting_or_over(&error),
        }
    }
    Turn::Again
}

/// Writes until the client is gone. Its FIN changes nothing: who sends no more may still read.
fn source(fd: BorrowedFd<'_>, buffer: &[u8], moved: &mut usize) -> Turn {
    for _call in 0..CALLS_PER_TURN {
        match sys::send(fd, &buffer[..SOURCE_BYTES]) {
            Ok(sent) => *moved += sent,
            Err(error) => return waiting_or_over(&error),
        }
    }
    Turn::Again
}

fn waiting_or_over(error: &io::Error) -> Turn {
    if error.kind() == io::ErrorKind::WouldBlock { Turn::Waiting } else { Turn::Over }
}
