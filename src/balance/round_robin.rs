//! Smooth weighted round robin, a cursor per worker.
//!
//! Uneven weights go by deadline: the k-th turn of a target of weight w is due at k/w, and the earliest is
//! next. In each span of time 1 every target has exactly w turns, evenly apart. O(log n) a pick; even
//! weights need no queue and take O(1).

use super::cursor::Cursor;
use super::{Lease, Placement};
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// A member's next turn, due at `count / weight`; the earliest is the greatest, for a max-heap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    count: u64,
    weight: u16,
    /// Decides between turns that are due together: the place in the pool, turned by the cursor's random start.
    order: u16,
    /// The place in the pool: unlike the member's index, it stays while the pool is the same.
    place: u16,
}

impl Turn {
    /// This member's first turn after `count / weight`: what it missed while it was passed over stays missed.
    fn first_after(self, count: u64, weight: u16) -> Self {
        let gone = u128::from(count) * u128::from(self.weight) / u128::from(weight);
        let gone = u64::try_from(gone).unwrap_or(u64::MAX - 1);
        Self { count: self.count.max(gone) + 1, ..self }
    }

    fn due(self, other: Self) -> Ordering {
        let (ours, theirs) =
            (u128::from(self.count) * u128::from(other.weight), u128::from(other.count) * u128::from(self.weight));
        ours.cmp(&theirs).then(self.order.cmp(&other.order))
    }
}

impl Ord for Turn {
    fn cmp(&self, other: &Self) -> Ordering {
        other.due(*self)
    }
}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Turn {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Turn {}

impl Placement {
    /// The member whose turn it is; who is tried or full loses the turn.
    pub(super) fn pick_round_robin(
        &self,
        tried: &[u16],
        cursor: &mut Cursor,
        random: &mut fastrand::Rng,
    ) -> Option<(u16, Lease)> {
        if self.usable.is_empty() {
            return None;
        }
        if cursor.stamp != self.stamp {
            self.start(cursor, random);
        }
        if self.even { self.next_in_line(tried, cursor) } else { self.next_due(tried, cursor) }
    }

    fn start(&self, cursor: &mut Cursor, random: &mut fastrand::Rng) {
        cursor.stamp = self.stamp;
        cursor.position = random.usize(..self.usable.len());
        cursor.turns.clear();
        cursor.passed.clear();
        if self.even {
            return;
        }
        let now = random.u32(..);
        let places = self.usable.len();
        let mut turns = std::mem::take(&mut cursor.turns).into_vec();
        turns.extend((0_u16..).zip(&self.usable).map(|(place, member)| {
            let weight = self.members[usize::from(*member)].weight;
            let gone = (u64::from(now) * u64::from(weight)) >> 32;
            let order = u16::try_from((usize::from(place) + cursor.position) % places).unwrap_or(u16::MAX);
            Turn { count: gone + 1, weight, order, place }
        }));
        cursor.passed.reserve(turns.len());
        cursor.turns = BinaryHeap::from(turns);
    }

    fn next_in_line(&self, tried: &[u16], cursor: &mut Cursor) -> Option<(u16, Lease)> {
        for _ in 0..self.usable.len() {
            let member = self.usable[cursor.position];
            cursor.position = if cursor.position + 1 == self.usable.len() { 0 } else { cursor.position + 1 };
            if self.is_open(member, tried)
                && let Some(lease) = self.lease(member)
            {
                return Some((member, lease));
            }
        }
        None
    }

    fn next_due(&self, tried: &[u16], cursor: &mut Cursor) -> Option<(u16, Lease)> {
        let mut picked = None;
        while let Some(mut first) = cursor.turns.peek_mut() {
            let turn = *first;
            let member = self.usable[usize::from(turn.place)];
            if self.is_open(member, tried)
                && let Some(lease) = self.lease(member)
            {
                *first = Turn { count: turn.count + 1, ..turn };
                picked = Some((turn, member, lease));
                break;
            }
            cursor.passed.push(PeekMut::pop(first));
        }
        let now = picked.as_ref().map(|(turn, ..)| (turn.count, turn.weight));
        for turn in cursor.passed.drain(..) {
            cursor.turns.push(now.map_or(turn, |(count, weight)| turn.first_after(count, weight)));
        }
        picked.map(|(_, member, lease)| (member, lease))
    }
}
