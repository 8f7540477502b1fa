//! Weighted chance.

use super::{Lease, Placement};

/// Draws that may hit a tried or full member before the open ones are weighed instead.
const DRAWS: usize = 16;

impl Placement {
    /// An open member, each with a chance in proportion to its weight.
    pub(super) fn pick_random(&self, tried: &[u16], random: &mut fastrand::Rng) -> Option<(u16, Lease)> {
        let total = *self.totals.last()?;
        for _ in 0..DRAWS {
            let ticket = random.u64(..total);
            let member = self.usable[self.totals.partition_point(|total| *total <= ticket)];
            if self.is_open(member, tried)
                && let Some(lease) = self.lease(member)
            {
                return Some((member, lease));
            }
        }
        self.pick_among_open(tried, random)
    }

    fn pick_among_open(&self, tried: &[u16], random: &mut fastrand::Rng) -> Option<(u16, Lease)> {
        let weight = |member: u16| u64::from(self.members[usize::from(member)].weight);
        let open = || self.usable.iter().copied().filter(|member| self.is_open(*member, tried));
        let total: u64 = open().map(weight).sum();
        let mut ticket = if total == 0 { return None } else { random.u64(..total) };
        for member in open() {
            if ticket < weight(member)
                && let Some(lease) = self.lease(member)
            {
                return Some((member, lease));
            }
            ticket = ticket.saturating_sub(weight(member));
        }
        // Somebody filled up, or let go, between the two looks: the first that still is open will do.
        open().find_map(|member| Some((member, self.lease(member)?)))
    }
}
