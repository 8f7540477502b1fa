//! Sets of address prefixes, for asking whether an address lies in any of them.

use ipnet::IpNet;
use std::net::IpAddr;

/// Prefixes as sorted ranges that neither overlap nor touch: one binary search a question.
///
/// An IPv4-mapped IPv6 address or prefix is IPv4; other IPv6 prefixes hold no IPv4 address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrefixSet {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
    /// The upper halves of the first addresses in `v6`: comparing 64 bits needs no branch, 128 do.
    v6_uppers: Box<[u64]>,
}

impl PrefixSet {
    /// The set of every address in any of the prefixes; host bits are ignored.
    #[must_use]
    pub fn new(prefixes: &[IpNet]) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for prefix in prefixes {
            let (first, last) = (prefix.network(), prefix.broadcast());
            match (first.to_canonical(), last.to_canonical()) {
                (IpAddr::V4(first), IpAddr::V4(last)) => v4.push((u32::from(first), u32::from(last))),
                (IpAddr::V6(first), IpAddr::V6(last)) => v6.push((u128::from(first), u128::from(last))),
                // One end is mapped, the other is not: the prefix is shorter than /96, so it is IPv6.
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
                    if let IpNet::V6(prefix) = prefix {
                        v6.push((u128::from(prefix.network()), u128::from(prefix.broadcast())));
                    }
                }
            }
        }
        let v6 = Ranges::merge(v6, |last| last.checked_add(1));
        let v6_uppers = v6.firsts.iter().map(|first| upper_half(*first)).collect();
        Self { v4: Ranges::merge(v4, |last| last.checked_add(1)), v6, v6_uppers }
    }

    /// Whether no address is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.firsts.is_empty() && self.v6.firsts.is_empty()
    }

    /// Whether the address is in one of the prefixes.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                let ip = u32::from(ip);
                self.v4.reaches(self.v4.firsts.partition_point(|first| *first <= ip), ip)
            }
            IpAddr::V6(ip) => self.contains_v6(u128::from(ip)),
        }
    }

    fn contains_v6(&self, ip: u128) -> bool {
        let upper = upper_half(ip);
        let mut after = self.v6_uppers.partition_point(|first| *first < upper);
        // Those that begin in the address's own /64 are told apart by all bits; most often there is none.
        if self.v6_uppers.get(after) == Some(&upper) {
            let end = after + self.v6_uppers[after..].partition_point(|first| *first == upper);
            after += self.v6.firsts[after..end].partition_point(|first| *first <= ip);
        }
        self.v6.reaches(after, ip)
    }
}

/// Who may use a listener: `deny` wins over `allow`, and an empty `allow` admits all others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    allow: PrefixSet,
    deny: PrefixSet,
}

impl Access {
    /// The access that these two lists give.
    #[must_use]
    pub fn new(allow: &[IpNet], deny: &[IpNet]) -> Self {
        Self { allow: PrefixSet::new(allow), deny: PrefixSet::new(deny) }
    }

    /// Whether a client of this address may come in.
    #[must_use]
    pub fn admits(&self, ip: IpAddr) -> bool {
        !self.deny.contains(ip) && (self.allow.is_empty() || self.allow.contains(ip))
    }
}

/// Inclusive ranges, ascending; the bounds apart, so that the search touches half of the memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ranges<T> {
    firsts: Box<[T]>,
    lasts: Box<[T]>,
}

impl<T: Ord + Copy> Ranges<T> {
    fn merge(mut ranges: Vec<(T, T)>, successor: impl Fn(T) -> Option<T>) -> Self {
        ranges.sort_unstable();
        ranges.dedup_by(|next, kept| {
            let meets = successor(kept.1).is_none_or(|after| next.0 <= after);
            if meets {
                kept.1 = kept.1.max(next.1);
            }
            meets
        });
        let (firsts, lasts): (Vec<T>, Vec<T>) = ranges.into_iter().unzip();
        Self { firsts: firsts.into(), lasts: lasts.into() }
    }

    /// Whether the last of the first `after` ranges, all of which begin at or before `value`, reaches it.
    fn reaches(&self, after: usize, value: T) -> bool {
        after > 0 && value <= self.lasts[after - 1]
    }
}

fn upper_half(ip: u128) -> u64 {
    u64::try_from(ip >> 64).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
