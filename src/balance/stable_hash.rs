//! The hash that placement rests on: the same on every machine, in every process and every release.
//!
//! SipHash-1-3 with a 128-bit key. The key of a role is derived from the role's salt and a seed text:
//! `k0 = sip13(key = (salt, 0), seed bytes)`, `k1 = sip13(key = (salt, 1), seed bytes)`. A salt is eight
//! ASCII bytes read as a big-endian integer.
//!
//! What is hashed of a client, one run of bytes: the 4 or 16 octets of its address in network order (an
//! IPv4-mapped IPv6 address has 4), cut to the prefix where the key is a prefix (the bits after it are
//! zero); then, where the port counts, its 2 octets in network order. Changing any of this moves every
//! client of every user: the golden files under `tests/golden` stand guard.

use super::HashKey;
use crate::model::FlowKey;
use siphasher::sip::SipHasher13;
use std::net::IpAddr;

const SALT_FLOW: u64 = u64::from_be_bytes(*b"fb-flow\0");
const SALT_OFFSET: u64 = u64::from_be_bytes(*b"fb-offst");
const SALT_SKIP: u64 = u64::from_be_bytes(*b"fb-skip\0");
const SALT_SPLIT: u64 = u64::from_be_bytes(*b"fb-split");

/// The keyed hashes of one target group; equal exactly when they come from equal seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StableHash {
    flow: (u64, u64),
    offset: (u64, u64),
    skip: (u64, u64),
}

impl StableHash {
    /// The hashes that `hash_seed` gives; "" is a seed like any other.
    #[must_use]
    pub fn new(hash_seed: &str) -> Self {
        Self {
            flow: derive_key(SALT_FLOW, hash_seed),
            offset: derive_key(SALT_OFFSET, hash_seed),
            skip: derive_key(SALT_SKIP, hash_seed),
        }
    }

    /// The hash of what `hash_key` takes of the client.
    #[must_use]
    pub fn flow(&self, key: &FlowKey, hash_key: HashKey) -> u64 {
        hash_client(self.flow, key, hash_key)
    }

    /// The two numbers that a target's id draws its Maglev permutation from: (offset, skip), each 64 bits.
    #[must_use]
    pub fn permutation(&self, id: &str) -> (u64, u64) {
        (sip13(self.offset, id.as_bytes()), sip13(self.skip, id.as_bytes()))
    }
}

/// Where a client stands between the sides of a split: independent of every group's `hash_seed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SplitPoint(pub u64);

impl SplitPoint {
    /// The point of this client; a split keys by [`HashKey::SourceIp`] or [`HashKey::SourceIpPort`].
    #[must_use]
    pub fn of(key: &FlowKey, forward_key: HashKey) -> Self {
        Self(hash_client(derive_key(SALT_SPLIT, ""), key, forward_key))
    }

    /// The point as a number from 0 to below 1, for showing: the 53 highest bits.
    #[must_use]
    pub fn as_fraction(self) -> f64 {
        const STEPS: f64 = 9_007_199_254_740_992.0; // 2^53
        let high = self.0 >> 11;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
        let numerator = high as f64;
        numerator / STEPS
    }
}

fn derive_key(salt: u64, seed: &str) -> (u64, u64) {
    (sip13((salt, 0), seed.as_bytes()), sip13((salt, 1), seed.as_bytes()))
}

fn sip13(key: (u64, u64), bytes: &[u8]) -> u64 {
    SipHasher13::new_with_keys(key.0, key.1).hash(bytes)
}

fn hash_client(sip_key: (u64, u64), key: &FlowKey, hash_key: HashKey) -> u64 {
    let ip = key.client_addr.ip().to_canonical();
    let mut bytes = [0_u8; 18];
    let mut len = match (ip, hash_key) {
        (IpAddr::V4(ip), HashKey::SourcePrefix { v4, .. }) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(v4))).unwrap_or(0);
            put(&mut bytes, &(u32::from(ip) & mask).to_be_bytes())
        }
        (IpAddr::V6(ip), HashKey::SourcePrefix { v6, .. }) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(v6))).unwrap_or(0);
            put(&mut bytes, &(u128::from(ip) & mask).to_be_bytes())
        }
        (IpAddr::V4(ip), HashKey::SourceIp | HashKey::SourceIpPort) => put(&mut bytes, &ip.octets()),
        (IpAddr::V6(ip), HashKey::SourceIp | HashKey::SourceIpPort) => put(&mut bytes, &ip.octets()),
    };
    if hash_key == HashKey::SourceIpPort {
        len += put(&mut bytes[len..], &key.client_addr.port().to_be_bytes());
    }
    sip13(sip_key, &bytes[..len])
}

/// Copies `source` to the front of `sink`; returns its length.
fn put(sink: &mut [u8], source: &[u8]) -> usize {
    sink[..source.len()].copy_from_slice(source);
    source.len()
}
