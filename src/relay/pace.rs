//! Copy or splice: which suits what a direction has been carrying.
//!
//! splice(2) moves pages instead of bytes and costs a third of a copy on bulk, but 13–18 % more than a copy on small
//! messages. So a direction starts with copying, moves to splice after a few full reads in a row, and back after
//! several small ones.

/// How a direction moves its bytes now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Through a buffer of the worker.
    Copy,
    /// Through a pipe of the worker.
    Splice,
}

/// Full reads in a row after which a direction streams.
const FULL_READS: u8 = 4;

/// Small fills of the pipe in a row after which it no longer does.
const SMALL_FILLS: u8 = 16;

/// A fill of the pipe below this is small. Two 4 KiB pages: less than that a copy moves for less.
const SMALL_BYTES: usize = 8 * 1024;

/// What a direction has been carrying lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    transport: Transport,
    /// Reads or fills in a row that speak for the other transport.
    against: u8,
}

impl Pace {
    /// A direction that has carried nothing yet.
    pub const START: Self = Self { transport: Transport::Copy, against: 0 };

    /// How the next bytes are to be moved.
    #[must_use]
    pub const fn transport(self) -> Transport {
        self.transport
    }

    /// A copy read `len` bytes into a buffer of `room`.
    #[must_use]
    pub const fn copied(self, len: usize, room: usize) -> Self {
        if len < room {
            return Self { transport: Transport::Copy, against: 0 };
        }
        self.voted(Transport::Splice, FULL_READS)
    }

    /// The pipe was filled with `len` bytes, until the source was empty or the pipe full.
    #[must_use]
    pub const fn spliced(self, len: usize) -> Self {
        if len >= SMALL_BYTES {
            return Self { transport: Transport::Splice, against: 0 };
        }
        self.voted(Transport::Copy, SMALL_FILLS)
    }

    /// No pipe was to be had: the direction copies until it has shown again that it streams.
    #[must_use]
    pub const fn without_pipe(self) -> Self {
        Self { transport: Transport::Copy, against: 0 }
    }

    const fn voted(self, other: Transport, needed: u8) -> Self {
        if self.against + 1 < needed {
            return Self { transport: self.transport, against: self.against + 1 };
        }
        Self { transport: other, against: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direction_streams_after_full_reads_in_a_row_only() {
        let mut pace = Pace::START;
        for len in [100, 100, 99, 100, 100, 100] {
            pace = pace.copied(len, 100);
            assert_eq!(pace.transport(), Transport::Copy);
        }
        assert_eq!(pace.copied(100, 100).transport(), Transport::Splice);
    }

    #[test]
    fn a_stream_that_thins_out_is_copied_again() {
        let mut pace = Pace { transport: Transport::Splice, against: 0 };
        for _small in 1..SMALL_FILLS {
            pace = pace.spliced(64);
            assert_eq!(pace.transport(), Transport::Splice);
        }
        assert_eq!(pace.spliced(SMALL_BYTES).against, 0);
        assert_eq!(pace.spliced(64).transport(), Transport::Copy);
    }
}
