//! Bytes whose origin can be told: every connection and operation sends another stretch of one pattern.

/// Stretches begin at this many different places: a prime, so that connections and operations do not fall in step.
const STARTS: usize = 4093;

/// A pseudo-random pattern, long enough for one operation from any start.
#[derive(Debug)]
pub(super) struct Pattern {
    bytes: Box<[u8]>,
    len: usize,
}

impl Pattern {
    /// A pattern for operations of `len` bytes.
    pub(super) fn new(len: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(0x5EED);
        Self { bytes: (0..len + STARTS).map(|_index| random.u8(..)).collect(), len }
    }

    /// The bytes that operation `sequence` of connection `index` sends.
    pub(super) fn stretch(&self, index: usize, sequence: u64) -> &[u8] {
        let sequence = usize::try_from(sequence % STARTS as u64).expect("below STARTS");
        let start = (index % STARTS * 61 + sequence) % STARTS;
        &self.bytes[start..start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_in_place_and_time_send_other_bytes() {
        let pattern = Pattern::new(64);
        let all: Vec<_> = (0..64).flat_map(|index| (0..60).map(move |sequence| (index, sequence))).collect();
        let mut stretches: Vec<_> = all.iter().map(|&(index, sequence)| pattern.stretch(index, sequence)).collect();
        stretches.sort_unstable();
        stretches.dedup();
        assert_eq!(stretches.len(), all.len());
        assert_eq!(pattern.stretch(usize::MAX, u64::MAX).len(), 64);
    }
}
