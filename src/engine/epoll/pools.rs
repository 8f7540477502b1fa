//! Pipes and chunks of a worker, lent to directions while bytes are in flight.

use crate::sys::{self, Pipe};
use std::time::{Duration, Instant};

/// Size of the scratch buffer and of a chunk: what one copy reads at most, and so all that a direction can hold in
/// memory of this process.
pub(super) const CHUNK_BYTES: usize = 32 * 1024;

/// What a pipe is asked to hold: one splice(2) moves at most its free slots × 4 KiB; 1 MiB moves no more per CPU
/// second.
const PIPE_BYTES: usize = 256 * 1024;

/// Chunks kept for later use.
const SPARE_CHUNKS: usize = 64;

/// How long what is not needed is kept.
const KEEP: Duration = Duration::from_secs(1);

/// How long no new pipe is made after the kernel refused one.
const PIPE_BACKOFF: Duration = Duration::from_millis(250);

/// Bytes that a sink did not take.
pub(super) type Chunk = Box<[u8; CHUNK_BYTES]>;

/// A pipe on loan.
pub(super) type PooledPipe = Box<Pipe>;

/// The pools of one worker.
#[derive(Debug)]
pub(super) struct Pools {
    pipes: Vec<PooledPipe>,
    pipes_made: usize,
    pipes_max: usize,
    no_pipes_until: Option<Instant>,
    chunks: Vec<Chunk>,
    /// The fewest spare pipes since the last trimming: so many were not needed.
    spare_pipes_low: usize,
    next_trim: Option<Instant>,
}

impl Pools {
    /// Empty pools that lend at most `pipes_max` pipes.
    pub(super) fn new(pipes_max: usize) -> Self {
        let (pipes, chunks) = (Vec::new(), Vec::new());
        Self { pipes, pipes_made: 0, pipes_max, no_pipes_until: None, chunks, spare_pipes_low: 0, next_trim: None }
    }

    /// Pipes that exist, lent or spare.
    pub(super) fn pipes_open(&self) -> usize {
        self.pipes_made
    }

    /// An empty pipe; `None` when the bound is reached or the kernel gives no pipe of full size.
    pub(super) fn take_pipe(&mut self, now: Instant) -> Option<PooledPipe> {
        if let Some(pipe) = self.pipes.pop() {
            self.spare_pipes_low = self.spare_pipes_low.min(self.pipes.len());
            return Some(pipe);
        }
        if self.pipes_made >= self.pipes_max || self.no_pipes_until.is_some_and(|until| now < until) {
            return None;
        }
        // A smaller pipe than asked for means that the user's budget of pipe pages is spent: copying is faster then.
        let made = sys::pipe(PIPE_BYTES).ok().filter(|pipe| pipe.capacity_bytes() >= PIPE_BYTES);
        match made {
            Some(pipe) => {
                self.pipes_made += 1;
                self.no_pipes_until = None;
                Some(Box::new(pipe))
            }
            None => {
                self.no_pipes_until = Some(now + PIPE_BACKOFF);
                None
            }
        }
    }

    /// Returns an empty pipe.
    pub(super) fn put_pipe(&mut self, pipe: PooledPipe, now: Instant) {
        self.pipes.push(pipe);
        self.next_trim.get_or_insert(now + KEEP);
    }

    /// Closes a pipe with bytes in it that nobody wants.
    pub(super) fn discard_pipe(&mut self, pipe: PooledPipe) {
        drop(pipe);
        self.pipes_made -= 1;
    }

    /// A chunk of undefined content.
    pub(super) fn take_chunk(&mut self) -> Chunk {
        self.chunks
            .pop()
            .unwrap_or_else(|| vec![0_u8; CHUNK_BYTES].into_boxed_slice().try_into().expect("made with this length"))
    }

    /// Returns a chunk.
    pub(super) fn put_chunk(&mut self, chunk: Chunk, now: Instant) {
        if self.chunks.len() < SPARE_CHUNKS {
            self.chunks.push(chunk);
            self.next_trim.get_or_insert(now + KEEP);
        }
    }

    /// When [`Self::trim`] wants to be called.
    pub(super) fn next_trim(&self) -> Option<Instant> {
        self.next_trim
    }

    /// Lets go of what was not needed since the last time.
    pub(super) fn trim(&mut self, now: Instant) {
        if self.next_trim.is_none_or(|due| now < due) {
            return;
        }
        let unneeded = self.spare_pipes_low.min(self.pipes.len());
        self.pipes.truncate(self.pipes.len() - unneeded);
        self.pipes_made -= unneeded;
        self.spare_pipes_low = self.pipes.len();
        self.chunks.clear();
        self.next_trim = (!self.pipes.is_empty()).then(|| now + KEEP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::clock;

    #[test]
    fn no_more_pipes_are_lent_than_the_bound_allows() {
        let (mut pools, now) = (Pools::new(2), clock::now());
        let first = pools.take_pipe(now).expect("within the bound");
        let _second = pools.take_pipe(now).expect("within the bound");
        assert!(pools.take_pipe(now).is_none());
        pools.put_pipe(first, now);
        assert!(pools.take_pipe(now).is_some());
    }

    #[test]
    fn pipes_that_nobody_needs_are_closed() {
        let (mut pools, mut now) = (Pools::new(8), clock::now());
        let lent: Vec<_> = (0..4).filter_map(|_pipe| pools.take_pipe(now)).collect();
        lent.into_iter().for_each(|pipe| pools.put_pipe(pipe, now));
        while let Some(due) = pools.next_trim() {
            now = due;
            pools.trim(now);
        }
        assert_eq!(pools.pipes_open(), 0);
    }
}
