//! Fewest sessions per weight: an exact scan of a small pool, the better of two in a large one.

use super::{Lease, Placement};
use std::cmp::Ordering;

/// Pools up to this size are scanned whole.
pub const EXACT_SCAN: usize = 16;

impl Placement {
    pub(super) fn pick_least_connections(&self, tried: &[u16], random: &mut fastrand::Rng) -> Option<(u16, Lease)> {
        if self.usable.len() > EXACT_SCAN {
            return self.pick_power_of_two(tried, random);
        }
        // A lease only fails when the member filled up since the scan, so this ends unless others let go meanwhile.
        for _ in 0..=self.usable.len() {
            let member = self.least_loaded(tried, random)?;
            if let Some(lease) = self.lease(member) {
                return Some((member, lease));
            }
        }
        None
    }

    fn least_loaded(&self, tried: &[u16], random: &mut fastrand::Rng) -> Option<u16> {
        let mut best: Option<(u16, Score)> = None;
        let mut ties: u32 = 1;
        for member in self.usable.iter().copied().filter(|member| self.is_open(*member, tried)) {
            let score = self.score(member);
            let order = best.map_or(Ordering::Less, |(_, least)| score.compare(least));
            ties = match order {
                Ordering::Less => 1,
                Ordering::Equal => ties + 1,
                Ordering::Greater => continue,
            };
            // The k-th of equals replaces the one before with chance 1/k: each of them is as likely in the end.
            if random.u32(..ties) == 0 {
                best = Some((member, score));
            }
        }
        best.map(|(member, _)| member)
    }

    /// What the member's sessions per weight would be with one more.
    pub(super) fn score(&self, member: u16) -> Score {
        let member = &self.members[usize::from(member)];
        Score { sessions: u64::from(member.runtime.load.active()) + 1, weight: u64::from(member.weight) }
    }
}

/// Sessions per weight, compared without dividing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Score {
    sessions: u64,
    weight: u64,
}

impl Score {
    pub(super) fn compare(self, other: Self) -> Ordering {
        (self.sessions * other.weight).cmp(&(other.sessions * self.weight))
    }
}
