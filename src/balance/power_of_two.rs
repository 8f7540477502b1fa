//! The better of two distinct random members.

use super::{Lease, Placement};
use std::cmp::Ordering;

/// Draws that may hit a tried or full member before the pool is walked instead; races that may be lost to others.
const DRAWS: usize = 16;

impl Placement {
    /// Of two distinct open members the one with fewer sessions per weight; the only one where there is but one.
    pub(super) fn pick_power_of_two(&self, tried: &[u16], random: &mut fastrand::Rng) -> Option<(u16, Lease)> {
        for _ in 0..DRAWS {
            let one = self.draw_open(tried, None, random)?;
            let two = self.draw_open(tried, Some(one), random);
            let better = two.filter(|two| self.score(*two).compare(self.score(one)) == Ordering::Less).unwrap_or(one);
            if let Some(lease) = self.lease(better) {
                return Some((better, lease));
            }
        }
        let mut open = self.usable.iter().filter(|member| self.is_open(**member, tried));
        open.find_map(|member| Some((*member, self.lease(*member)?)))
    }

    /// A random open member that is not `except`, each as likely.
    fn draw_open(&self, tried: &[u16], except: Option<u16>, random: &mut fastrand::Rng) -> Option<u16> {
        let fits = |member: &u16| Some(*member) != except && self.is_open(*member, tried);
        let pool = &self.usable;
        if pool.len() <= usize::from(except.is_some()) {
            return None;
        }
        for _ in 0..DRAWS {
            let member = pool[random.usize(..pool.len())];
            if fits(&member) {
                return Some(member);
            }
        }
        let count = pool.iter().filter(|member| fits(member)).count();
        let chosen = if count == 0 { return None } else { random.usize(..count) };
        pool.iter().copied().filter(fits).nth(chosen)
    }
}
