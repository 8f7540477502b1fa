//! Bytes that say where they belong: cheap to make, cheap to compare, different in each direction.

use std::sync::OnceLock;

/// A prime, so that the period never lines up with a buffer, page or pipe size.
const PERIOD: usize = 1_048_573;

/// One direction of one session, as far as it has been written or read.
#[derive(Clone)]
pub(crate) struct Pattern {
    block: &'static [u8],
    position: usize,
}

impl Pattern {
    /// What clients send.
    pub(crate) fn of_client() -> Self {
        static BLOCK: OnceLock<Vec<u8>> = OnceLock::new();
        Self { block: BLOCK.get_or_init(|| block(0x9e37_79b9_7f4a_7c15)), position: 0 }
    }

    /// What targets send.
    pub(crate) fn of_target() -> Self {
        static BLOCK: OnceLock<Vec<u8>> = OnceLock::new();
        Self { block: BLOCK.get_or_init(|| block(0xd1b5_4a32_d192_ed03)), position: 0 }
    }

    /// Bytes passed so far.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// At most `max` of the bytes that come next.
    pub(crate) fn upcoming(&self, max: usize) -> &'static [u8] {
        let start = self.position % PERIOD;
        &self.block[start..(start + max).min(PERIOD)]
    }

    /// Passes `count` bytes.
    pub(crate) fn advance(&mut self, count: usize) {
        self.position += count;
    }

    /// Passes `bytes` when they are the ones that come next; else says where the first wrong one is.
    pub(crate) fn verify(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            let expected = self.upcoming(bytes.len());
            let (here, rest) = bytes.split_at(expected.len());
            if here != expected {
                let wrong = here.iter().zip(expected).position(|(a, b)| a != b).unwrap_or(0);
                return Err(format!(
                    "byte {} is {:#x}, not {:#x}",
                    self.position + wrong,
                    here[wrong],
                    expected[wrong]
                ));
            }
            self.advance(here.len());
            bytes = rest;
        }
        Ok(())
    }
}

/// One period of pseudo-random bytes (xorshift64*).
fn block(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(PERIOD + 8);
    while bytes.len() < PERIOD {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(PERIOD);
    bytes
}

#[test]
fn one_wrong_missing_or_doubled_byte_is_found() {
    let mut sent = Vec::new();
    let mut source = Pattern::of_client();
    while sent.len() < 2 * PERIOD {
        let piece = source.upcoming(70_000);
        sent.extend_from_slice(piece);
        source.advance(piece.len());
    }
    Pattern::of_client().verify(&sent).unwrap();
    Pattern::of_target().verify(&sent).unwrap_err();
    let mut flipped = sent.clone();
    flipped[PERIOD + 17] ^= 1;
    assert!(Pattern::of_client().verify(&flipped).unwrap_err().starts_with(&format!("byte {} ", PERIOD + 17)));
    let mut missing = sent.clone();
    missing.remove(4096);
    Pattern::of_client().verify(&missing).unwrap_err();
    sent.insert(4096, sent[4095]);
    Pattern::of_client().verify(&sent).unwrap_err();
}
