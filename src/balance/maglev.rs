//! Consistent hashing as in "Maglev: A Fast and Reliable Software Network Load Balancer" (NSDI 2016, §3.4).

use super::StableHash;
use crate::model::TargetId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const FREE: u16 = u16::MAX;

/// Targets that one table can hold.
pub const MAX_TARGETS: usize = FREE as usize;

/// A filled Maglev table: which target owns which slot.
///
/// It depends on ids, weights, seed and size alone. Targets are known by *rank*, their place in the
/// order of ids. 2 bytes a slot.
#[derive(Debug, PartialEq, Eq)]
pub struct MaglevTable {
    hash: StableHash,
    targets: Box<[(TargetId, u16)]>,
    ranks: Box<[u16]>,
}

impl MaglevTable {
    /// Fills a table of `size` slots, which is raised to the next prime where it is none.
    ///
    /// `targets` are (id, weight) in ascending order of distinct ids, each weight above 0, at most
    /// [`MAX_TARGETS`]. A target of weight w takes w turns in the time that the heaviest takes max turns:
    /// each has its first turn in round 1, then whenever `round * weight` has passed another `max weight`
    /// (as Envoy does).
    #[must_use]
    pub fn build(targets: Vec<(TargetId, u16)>, hash: StableHash, size: u32) -> Self {
        debug_assert!(targets.is_sorted_by(|a, b| a.0 < b.0), "targets are in order of distinct ids");
        let size = next_prime(size) as usize;
        let mut ranks = vec![FREE; size].into_boxed_slice();
        let mut walks: Vec<Walk> = targets.iter().map(|(id, _)| Walk::new(hash.permutation(id), size)).collect();
        let mut turns = Turns::new(&targets);
        if !targets.is_empty() {
            for _ in 0..size {
                let rank = turns.next();
                let slot = walks[usize::from(rank)].next_free(&ranks);
                ranks[slot] = rank;
            }
        }
        Self { hash, targets: targets.into_boxed_slice(), ranks }
    }

    /// Whether building from these would give this table again.
    #[must_use]
    pub fn is_of(&self, targets: &[(TargetId, u16)], hash: StableHash, size: u32) -> bool {
        self.hash == hash && self.has_size(size) && *self.targets == *targets
    }

    /// Whether a table of `size` slots would be as large as this one.
    #[must_use]
    pub fn has_size(&self, size: u32) -> bool {
        self.ranks.len() == next_prime(size) as usize
    }

    /// The targets by rank, with their weights.
    #[must_use]
    pub fn targets(&self) -> &[(TargetId, u16)] {
        &self.targets
    }

    /// The rank of each slot's owner.
    #[must_use]
    pub fn ranks(&self) -> &[u16] {
        &self.ranks
    }

    /// The slot where the probe for this flow hash starts.
    #[must_use]
    pub fn home_slot(&self, flow_hash: u64) -> usize {
        // A usize holds the remainder because it holds the divisor.
        usize::try_from(flow_hash % (self.ranks.len() as u64)).unwrap_or(0)
    }
}

/// Whether `n` is a prime, as a table size must be.
#[must_use]
pub const fn is_prime(n: u32) -> bool {
    if n < 4 {
        return n >= 2;
    }
    if n.is_multiple_of(2) {
        return false;
    }
    let mut divisor = 3;
    while divisor <= n / divisor {
        if n.is_multiple_of(divisor) {
            return false;
        }
        divisor += 2;
    }
    true
}

fn next_prime(size: u32) -> u32 {
    (size..u32::MAX).find(|n| is_prime(*n)).unwrap_or(2)
}

/// One target's permutation of the slots: offset, offset + skip, offset + 2 skip … modulo the size.
struct Walk {
    next: usize,
    skip: usize,
}

impl Walk {
    fn new((offset, skip): (u64, u64), size: usize) -> Self {
        let modulo = |hash: u64, by: usize| usize::try_from(hash % by as u64).unwrap_or(0);
        Self { next: modulo(offset, size), skip: modulo(skip, size - 1) + 1 }
    }

    /// The next slot of the permutation that nobody owns; one is free, and a prime size reaches it.
    fn next_free(&mut self, ranks: &[u16]) -> usize {
        loop {
            let slot = self.next;
            self.next += self.skip;
            if self.next >= ranks.len() {
                self.next -= ranks.len();
            }
            if ranks[slot] == FREE {
                return slot;
            }
        }
    }
}

/// Whose turn it is to take a slot: by round, then by rank.
enum Turns {
    /// All weigh the same: everyone has a turn in every round.
    Equal {
        next: u16,
        count: u16,
    },
    Weighted {
        queue: BinaryHeap<Reverse<(u64, u16, u64)>>,
        weights: Vec<u64>,
        max: u64,
    },
}

impl Turns {
    fn new(targets: &[(TargetId, u16)]) -> Self {
        let weights: Vec<u64> = targets.iter().map(|(_, weight)| u64::from(*weight).max(1)).collect();
        let max = weights.iter().copied().max().unwrap_or(1);
        let count = u16::try_from(targets.len()).expect("at most MAX_TARGETS targets");
        if weights.iter().all(|weight| *weight == max) {
            return Self::Equal { next: 0, count };
        }
        Self::Weighted { queue: (0..count).map(|rank| Reverse((1, rank, 1))).collect(), weights, max }
    }

    fn next(&mut self) -> u16 {
        match self {
            Self::Equal { next, count } => {
                let rank = *next;
                *next = if rank + 1 == *count { 0 } else { rank + 1 };
                rank
            }
            Self::Weighted { queue, weights, max } => {
                let mut first = queue.peek_mut().expect("there is a target, and each one stays in the queue");
                let Reverse((_round, rank, taken)) = *first;
                // The first round in which round * weight reaches taken * max, and not the present one again.
                let round = (taken * *max).div_ceil(weights[usize::from(rank)]).max(first.0.0 + 1);
                *first = Reverse((round, rank, taken + 1));
                rank
            }
        }
    }
}
