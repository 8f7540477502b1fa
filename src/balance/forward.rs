//! The weighted split of a listener between target groups.

use super::SplitPoint;

/// Where the line from 0 to 2^64 is cut; sides are known by their index in `forward`.
///
/// A side of weight 0 gets nothing, not even what another side cannot serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    weights: Box<[u32]>,
    /// The end of each side's stretch: floor(2^64 · weights so far / all weights).
    ends: Box<[u128]>,
}

impl Split {
    /// Cuts the line in the order of `weights`, so that a shift between two neighbours moves only the shifted share.
    #[must_use]
    pub fn new(weights: &[u32]) -> Self {
        let ends = ends_of(weights.iter().copied());
        Self { weights: weights.into(), ends }
    }

    /// The side that the point lies on; 0 when no side has a weight.
    #[must_use]
    pub fn side(&self, point: SplitPoint) -> usize {
        side_of(&self.ends, point.0)
    }

    /// The side for the point when only some sides have targets of their own: its own side when that one has,
    /// else one of those that have, shared out by their weights; its own side when none has.
    ///
    /// A client whose own side is usable never moves. The displaced keep to one side while the usable sides
    /// stay the same.
    #[must_use]
    pub fn choose(&self, point: SplitPoint, has_own_pool: impl Fn(usize) -> bool) -> usize {
        let home = self.side(point);
        if self.ends.len() < 2 || has_own_pool(home) {
            return home;
        }
        let usable = |side: usize| side != home && has_own_pool(side);
        let weights = self.weights.iter().enumerate().map(|(side, weight)| if usable(side) { *weight } else { 0 });
        let ends = ends_of(weights);
        if ends.last() == Some(&0) { home } else { side_of(&ends, self.place_within(home, point)) }
    }

    /// Where in its own side's stretch the point lies, stretched to the whole line.
    fn place_within(&self, side: usize, point: SplitPoint) -> u64 {
        let start = if side == 0 { 0 } else { self.ends[side - 1] };
        let length = (self.ends[side] - start).max(1);
        let place = u128::from(point.0).saturating_sub(start);
        // Both are below 2^64 unless one side has the whole line, where the place is the point.
        let stretched = if length > u128::from(u64::MAX) { place } else { (place << 64) / length };
        u64::try_from(stretched).unwrap_or(u64::MAX)
    }
}

fn ends_of(weights: impl Iterator<Item = u32> + Clone) -> Box<[u128]> {
    let all: u128 = weights.clone().map(u128::from).sum();
    let mut so_far: u128 = 0;
    weights
        .map(|weight| {
            so_far += u128::from(weight);
            (so_far << 64).checked_div(all).unwrap_or(0)
        })
        .collect()
}

fn side_of(ends: &[u128], point: u64) -> usize {
    ends.iter().position(|end| u128::from(point) < *end).unwrap_or(0)
}
