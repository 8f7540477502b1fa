use super::*;
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};

fn set(prefixes: &[&str]) -> PrefixSet {
    PrefixSet::new(&nets(prefixes))
}

fn nets(prefixes: &[&str]) -> Vec<IpNet> {
    prefixes.iter().map(|prefix| prefix.parse().expect("a prefix")).collect()
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn bounds_of_a_prefix_are_in_and_their_neighbours_are_out() {
    let set = set(&["10.9.0.0/16", "2001:db8::/32"]);
    for inside in ["10.9.0.0", "10.9.255.255", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"] {
        assert!(set.contains(ip(inside)), "{inside}");
    }
    for outside in ["10.8.255.255", "10.10.0.0", "2001:db7:ffff::", "2001:db9::"] {
        assert!(!set.contains(ip(outside)), "{outside}");
    }
}

#[test]
fn an_ipv4_mapped_client_is_ipv4() {
    assert!(set(&["10.9.0.0/16"]).contains(ip("::ffff:10.9.1.1")));
    assert!(set(&["::ffff:10.9.0.0/112"]).contains(ip("10.9.1.1")));
    assert!(!set(&["::ffff:10.9.0.0/112"]).contains(ip("10.10.1.1")));
}

#[test]
fn all_of_ipv6_holds_no_ipv4_address() {
    assert!(!set(&["::/0"]).contains(ip("10.0.0.1")));
    assert!(set(&["::/0"]).contains(ip("2001:db8::1")));
    assert!(set(&["0.0.0.0/0"]).contains(ip("255.255.255.255")));
    assert!(!set(&["0.0.0.0/0"]).contains(ip("::1")));
}

#[test]
fn neighbours_and_nested_prefixes_become_one_range() {
    let merged = set(&["10.0.1.0/24", "10.0.0.0/24", "10.0.0.7/32", "255.0.0.0/8", "255.255.0.0/16"]);
    assert_eq!(merged.v4.firsts.len(), 2);
}

#[test]
fn an_empty_set_holds_nothing() {
    assert!(PrefixSet::new(&[]).is_empty());
    assert!(!PrefixSet::new(&[]).contains(ip("0.0.0.0")));
}

#[test]
fn empty_lists_admit_all() {
    assert!(Access::default().admits(ip("192.0.2.1")));
}

#[test]
fn a_client_absent_from_allow_is_refused() {
    let access = Access::new(&nets(&["10.0.0.0/8"]), &[]);
    assert!(access.admits(ip("10.1.2.3")));
    assert!(!access.admits(ip("192.0.2.1")));
    assert!(!access.admits(ip("2001:db8::1")));
}

#[test]
fn deny_wins_over_a_longer_allow() {
    let access = Access::new(&nets(&["10.1.2.3/32"]), &nets(&["10.0.0.0/8"]));
    assert!(!access.admits(ip("10.1.2.3")));
}

fn any_net() -> impl Strategy<Value = IpNet> {
    // Few distinct high bits, so that prefixes nest, touch and overlap.
    let v4 = (0_u32..64, 0_u8..=32).prop_map(|(bits, len)| {
        IpNet::new(IpAddr::V4(Ipv4Addr::from(bits << 26 | bits)), len).expect("a length up to 32")
    });
    let v6 = (0_u128..64, 0_u8..=128).prop_map(|(bits, len)| {
        IpNet::new(IpAddr::V6(Ipv6Addr::from(bits << 122 | bits)), len).expect("a length up to 128")
    });
    // Many in one /64, told apart by their lower half.
    let hosts = (0_u128..64, 64_u8..=128).prop_map(|(bits, len)| {
        IpNet::new(IpAddr::V6(Ipv6Addr::from(1 << 125 | bits << 58 | bits)), len).expect("a length up to 128")
    });
    prop_oneof![v4, v6, hosts]
}

proptest! {
    #[test]
    fn a_set_answers_as_a_scan_of_its_prefixes_does(
        prefixes in proptest::collection::vec(any_net(), 0..40),
        probes in proptest::collection::vec(any_net(), 20),
    ) {
        let set = PrefixSet::new(&prefixes);
        for probe in probes {
            for ip in [probe.addr(), probe.network(), probe.broadcast()] {
                // An IPv4-mapped address is IPv4 everywhere.
                let canonical = ip.to_canonical();
                let scanned = prefixes.iter().any(|prefix| prefix.contains(&canonical));
                prop_assert_eq!(set.contains(ip), scanned, "{}", ip);
            }
        }
    }
}
