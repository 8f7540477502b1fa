//! The bytes of one operation.

use super::plan::Mode;
use super::report::Failure;
use crate::sys;
use std::io;
use std::os::fd::BorrowedFd;

/// Most bytes given to or taken from the kernel in one call.
const BYTES_PER_CALL: usize = 256 * 1024;

/// How far an operation has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Exchange {
    to_send: usize,
    sent: usize,
    to_receive: usize,
    received: usize,
}

/// What a turn of an operation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The kernel has to say something first.
    Waiting,
    /// All bytes are where they belong.
    Done,
    /// It will not be done.
    Failed(Failure),
}

/// What may be tried on a socket.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    /// There may be something to receive.
    Receive {
        /// FIN or an error has come, so that a short read is not the end of it.
        closed: bool,
    },
    /// There may be room to send.
    Send,
}

impl Exchange {
    pub(super) fn new(mode: Mode, size: usize) -> Self {
        let (to_send, to_receive) = match mode {
            Mode::Ping | Mode::Connect => (size, size),
            Mode::Download => (0, size),
            Mode::Upload => (size, 0),
        };
        Self { to_send, sent: 0, to_receive, received: 0 }
    }

    /// Payload moved so far: what was received, or sent where nothing is to be received.
    pub(super) fn moved(&self) -> usize {
        if self.to_receive > 0 { self.received } else { self.sent }
    }

    /// Sends and receives as much as the socket takes and has. `stretch` is what is sent and expected back, `scratch`
    /// (not empty) is overwritten.
    pub(super) fn advance(&mut self, fd: BorrowedFd<'_>, side: Side, stretch: &[u8], scratch: &mut [u8]) -> Step {
        let result = match side {
            Side::Send => self.send(fd, stretch),
            Side::Receive { closed } if self.to_send == 0 => self.discard(fd, closed),
            Side::Receive { closed } => self.receive(fd, closed, stretch, scratch),
        };
        match result {
            Err(failure) => Step::Failed(failure),
            Ok(()) if self.sent == self.to_send && self.received == self.to_receive => Step::Done,
            Ok(()) => Step::Waiting,
        }
    }

    fn send(&mut self, fd: BorrowedFd<'_>, stretch: &[u8]) -> Result<(), Failure> {
        while self.sent < self.to_send {
            let end = self.to_send.min(self.sent + BYTES_PER_CALL);
            match sys::send(fd, &stretch[self.sent..end]) {
                Ok(sent) => self.sent += sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(failure_of(&error)),
            }
        }
        Ok(())
    }

    fn receive(&mut self, fd: BorrowedFd<'_>, closed: bool, stretch: &[u8], scratch: &mut [u8]) -> Result<(), Failure> {
        while self.received < self.to_receive {
            let wanted = scratch.len().min(self.to_receive - self.received);
            let received = match sys::receive(fd, &mut scratch[..wanted]) {
                Ok(0) => return Err(Failure::Reset),
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(failure_of(&error)),
            };
            if scratch[..received] != stretch[self.received..self.received + received] {
                return Err(Failure::Mismatch);
            }
            self.received += received;
            if received < wanted && !closed {
                break;
            }
        }
        Ok(())
    }

    fn discard(&mut self, fd: BorrowedFd<'_>, closed: bool) -> Result<(), Failure> {
        while self.received < self.to_receive {
            let wanted = BYTES_PER_CALL.min(self.to_receive - self.received);
            match sys::discard(fd, wanted) {
                Ok(0) => return Err(Failure::Reset),
                Ok(received) => {
                    self.received += received;
                    if received < wanted && !closed {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(failure_of(&error)),
            }
        }
        Ok(())
    }
}

/// The kind of failure that an error of an established connection is.
pub(super) fn failure_of(error: &io::Error) -> Failure {
    if sys::is_peer_silence(error) { Failure::Timeout } else { Failure::Reset }
}
