//! What one worker remembers of one group's placement between two picks.

use super::round_robin::Turn;
use std::collections::BinaryHeap;

/// The round-robin position of one worker in one group; it outlives placements whose pool is the same.
///
/// It allocates when a pool is new to it, then no more.
#[derive(Debug, Default)]
pub struct Cursor {
    /// The stamp of the pool that it stands in; 0 = none.
    pub(super) stamp: u64,
    /// Even weights: the place in the pool that is next.
    pub(super) position: usize,
    /// Uneven weights: every member of the pool by the time of its next turn.
    pub(super) turns: BinaryHeap<Turn>,
    /// Those passed over by the pick under way.
    pub(super) passed: Vec<Turn>,
}

impl Cursor {
    /// A cursor that starts at a random place in the first pool it meets.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}
