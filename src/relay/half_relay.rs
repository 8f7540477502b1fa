//! One direction of a session.
//!
//! The machine decides and the engine does the I/O. A direction holds at most what one read brought: it reads again
//! only when all of that is written, so a full sink stops the source and backpressure needs no code.

/// One direction; `held` bytes have been read and not yet written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfRelay {
    /// The source may still send.
    Open {
        /// Bytes read, not yet written.
        held: usize,
    },
    /// The source sent FIN; what is held must still be written.
    SourceClosed {
        /// Bytes read, not yet written.
        held: usize,
    },
    /// FIN was passed on, or nothing more can be delivered.
    Closed,
}

/// What to do next for a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read from the source.
    Read,
    /// Write what is held to the sink.
    Write,
    /// Pass FIN on to the sink.
    Shutdown,
    /// Nothing, for good.
    Done,
}

impl HalfRelay {
    /// A direction in which nothing has happened yet.
    pub const START: Self = Self::Open { held: 0 };

    /// What to do next.
    #[must_use]
    pub const fn step(self) -> Step {
        match self {
            Self::Open { held: 0 } => Step::Read,
            Self::Open { .. } | Self::SourceClosed { held: 1.. } => Step::Write,
            Self::SourceClosed { held: 0 } => Step::Shutdown,
            Self::Closed => Step::Done,
        }
    }

    /// Bytes read, not yet written.
    #[must_use]
    pub const fn held(self) -> usize {
        match self {
            Self::Open { held } | Self::SourceClosed { held } => held,
            Self::Closed => 0,
        }
    }

    /// `len` bytes were read.
    #[must_use]
    pub fn read(self, len: usize) -> Self {
        match self {
            Self::Open { held } => Self::Open { held: held + len },
            Self::SourceClosed { .. } | Self::Closed => {
                debug_assert!(len == 0, "read {len} bytes past the end");
                self
            }
        }
    }

    /// `len` bytes of what is held were written.
    #[must_use]
    pub fn wrote(self, len: usize) -> Self {
        debug_assert!(len <= self.held(), "wrote {len} bytes of {} held", self.held());
        match self {
            Self::Open { held } => Self::Open { held: held.saturating_sub(len) },
            Self::SourceClosed { held } => Self::SourceClosed { held: held.saturating_sub(len) },
            Self::Closed => Self::Closed,
        }
    }

    /// The source ended: no more will be read.
    #[must_use]
    pub const fn source_ended(self) -> Self {
        match self {
            Self::Open { held } | Self::SourceClosed { held } => Self::SourceClosed { held },
            Self::Closed => Self::Closed,
        }
    }

    /// FIN was passed on, or the sink is gone: what is held is given up.
    #[must_use]
    pub const fn closed(self) -> Self {
        Self::Closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_direction_reads_only_when_nothing_is_held() {
        let half = HalfRelay::START;
        assert_eq!(half.step(), Step::Read);
        let half = half.read(10);
        assert_eq!(half.step(), Step::Write);
        let half = half.wrote(4);
        assert_eq!((half.step(), half.held()), (Step::Write, 6));
        assert_eq!(half.wrote(6).step(), Step::Read);
    }

    #[test]
    fn fin_is_passed_on_after_the_last_byte() {
        let half = HalfRelay::START.read(3).source_ended();
        assert_eq!(half.step(), Step::Write);
        let half = half.wrote(3);
        assert_eq!(half.step(), Step::Shutdown);
        assert_eq!(half.closed().step(), Step::Done);
    }

    proptest! {
        /// A source of known bytes, read and written in arbitrary pieces, ending at an arbitrary moment: the sink sees
        /// the same bytes in order and then FIN, once.
        #[test]
        fn any_interleaving_delivers_the_bytes_in_order_then_fin(
            source in prop::collection::vec(any::<u8>(), 0..200),
            pieces in prop::collection::vec(1_usize..50, 1..400),
        ) {
            let (mut half, mut read, mut sink, mut fins) = (HalfRelay::START, 0, Vec::new(), 0);
            let mut pieces = pieces.iter().copied().cycle();
            loop {
                let piece = pieces.next().unwrap();
                half = match half.step() {
                    Step::Read if read == source.len() => half.source_ended(),
                    Step::Read => {
                        let len = piece.min(source.len() - read);
                        read += len;
                        half.read(len)
                    }
                    Step::Write => {
                        let len = piece.min(half.held());
                        let from = read - half.held();
                        sink.extend_from_slice(&source[from..from + len]);
                        half.wrote(len)
                    }
                    Step::Shutdown => { fins += 1; half.closed() }
                    Step::Done => break,
                };
            }
            prop_assert_eq!(sink, source);
            prop_assert_eq!(fins, 1);
        }
    }
}
