//! One direction: from its source to its sink, by copy or by splice.

use super::pools::CHUNK_BYTES;
use super::session::{Direction, Parked, Readiness};
use super::tools::Tools;
use crate::relay::{HalfRelay, Step, Transport};
use crate::sys;
use std::io;
use std::os::fd::BorrowedFd;

/// Bytes that one direction of one session moves in one turn, before others have theirs.
const TURN_BYTES: usize = 1024 * 1024;

/// Why a direction stopped for now.
pub(super) enum Pause {
    /// It waits for its source to be readable.
    Source,
    /// It waits for its sink to be writable.
    Sink,
    /// It has used up its share of this turn.
    Share,
    /// It is done for good.
    Done,
}

/// A connection failed under a direction.
pub(super) enum Broken {
    Source(io::Error),
    Sink(io::Error),
}

/// One direction with the two connections that it runs between.
pub(super) struct Run<'a> {
    pub(super) direction: &'a mut Direction,
    pub(super) source: BorrowedFd<'a>,
    pub(super) sink: BorrowedFd<'a>,
    pub(super) source_ready: &'a mut Readiness,
    pub(super) sink_ready: &'a mut Readiness,
    pub(super) moved: usize,
}

impl Run<'_> {
    /// Moves bytes until it has to pause.
    pub(super) fn go(&mut self, tools: &mut Tools) -> Result<Pause, Broken> {
        loop {
            match self.direction.half.step() {
                Step::Read if !self.source_ready.readable => return Ok(Pause::Source),
                Step::Read if self.moved >= TURN_BYTES => return Ok(Pause::Share),
                // No pipe is filled for a sink that is full: others could use it.
                Step::Read if self.direction.pace.transport() == Transport::Splice && !self.sink_ready.writable => {
                    return Ok(Pause::Sink);
                }
                Step::Read => self.read(tools)?,
                Step::Write if !self.sink_ready.writable => return Ok(Pause::Sink),
                Step::Write => self.write(tools)?,
                Step::Shutdown | Step::Done => return Ok(Pause::Done),
            }
        }
    }

    fn read(&mut self, tools: &mut Tools) -> Result<(), Broken> {
        match self.direction.pace.transport() {
            Transport::Copy => self.copy_in(tools),
            Transport::Splice => self.splice_in(tools),
        }
    }

    /// Reads into the scratch buffer and writes at once; only what the sink does not take is kept.
    fn copy_in(&mut self, tools: &mut Tools) -> Result<(), Broken> {
        let len = match sys::receive(self.source, &mut tools.scratch[..]) {
            Ok(0) => {
                self.direction.half = self.direction.half.source_ended();
                return Ok(());
            }
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.source_ready.readable = false;
                return Ok(());
            }
            Err(error) => return Err(Broken::Source(error)),
        };
        if len < CHUNK_BYTES && !self.source_ready.read_closed {
            // A short read emptied the queue (epoll(7)); what comes later is a new edge.
            self.source_ready.readable = false;
        }
        self.moved += len;
        self.direction.pace = self.direction.pace.copied(len, CHUNK_BYTES);
        self.direction.half = self.direction.half.read(len);
        let sent = if self.sink_ready.writable { send(self.sink, &tools.scratch[..len])? } else { 0 };
        self.wrote(sent);
        if sent < len {
            self.sink_ready.writable = false;
            let mut chunk = tools.pools.take_chunk();
            chunk[..len - sent].copy_from_slice(&tools.scratch[sent..len]);
            self.direction.parked = Parked::Chunk { chunk, start: 0 };
        }
        Ok(())
    }

    /// Fills a pipe from the source. The pipe is empty before, so `WouldBlock` can only mean that the source is.
    fn splice_in(&mut self, tools: &mut Tools) -> Result<(), Broken> {
        let Some(pipe) = tools.pools.take_pipe(tools.now) else {
            self.direction.pace = self.direction.pace.without_pipe();
            return Ok(());
        };
        match sys::splice(self.source, pipe.write_end(), pipe.capacity_bytes()) {
            Ok(len) if len > 0 => {
                self.moved += len;
                self.direction.pace = self.direction.pace.spliced(len);
                self.direction.half = self.direction.half.read(len);
                self.direction.parked = Parked::Pipe(pipe);
                Ok(())
            }
            outcome => {
                tools.pools.put_pipe(pipe, tools.now);
                match outcome {
                    Ok(_end) => self.direction.half = self.direction.half.source_ended(),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.source_ready.readable = false,
                    Err(error) => return Err(Broken::Source(error)),
                }
                Ok(())
            }
        }
    }

    /// Writes what is held.
    fn write(&mut self, tools: &mut Tools) -> Result<(), Broken> {
        let held = self.direction.half.held();
        let sent = match &mut self.direction.parked {
            Parked::Chunk { chunk, start } => {
                let from = *start as usize;
                let sent = send(self.sink, &chunk[from..from + held])?;
                *start += u32::try_from(sent).expect("below CHUNK_BYTES");
                sent
            }
            Parked::Pipe(pipe) => match sys::splice(pipe.read_end(), self.sink, held) {
                Ok(sent) => sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) => return Err(Broken::Sink(error)),
            },
            Parked::Nowhere => unreachable!("bytes that are held are parked somewhere"),
        };
        self.wrote(sent);
        if sent == 0 {
            self.sink_ready.writable = false;
        }
        if self.direction.half.held() == 0 {
            self.direction.unpark(tools);
        }
        Ok(())
    }

    fn wrote(&mut self, len: usize) {
        self.direction.half = self.direction.half.wrote(len);
        self.direction.bytes += len as u64;
    }
}

/// Sends what the sink takes; zero when it is full.
fn send(sink: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Broken> {
    match sys::send(sink, bytes) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other.map_err(Broken::Sink),
    }
}

impl Direction {
    /// Returns what bytes were parked in; with bytes left in it, they are given up.
    pub(super) fn unpark(&mut self, tools: &mut Tools) {
        match std::mem::replace(&mut self.parked, Parked::Nowhere) {
            Parked::Nowhere => {}
            Parked::Chunk { chunk, .. } => tools.pools.put_chunk(chunk, tools.now),
            // Only a pipe that is known to be empty may be lent again: the next session must not meet these bytes.
            Parked::Pipe(pipe) if self.is_drained() => tools.pools.put_pipe(pipe, tools.now),
            Parked::Pipe(pipe) => tools.pools.discard_pipe(pipe),
        }
    }

    /// Whether all that was read was written; a direction that was given up does not know.
    fn is_drained(&self) -> bool {
        matches!(self.half, HalfRelay::Open { held: 0 } | HalfRelay::SourceClosed { held: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direction_that_was_given_up_is_not_taken_for_drained() {
        let mut direction = Direction::new();
        assert!(direction.is_drained());
        direction.half = direction.half.read(10);
        assert!(!direction.is_drained());
        direction.half = direction.half.closed();
        assert!(!direction.is_drained(), "its pipe may hold bytes");
    }
}
