//! What it costs to ask whether an address is in a set of prefixes.
#![allow(missing_docs, reason = "criterion_group! makes a public function")]

use criterion::{Criterion, criterion_group, criterion_main};
use forebay::limit::PrefixSet;
use ipnet::IpNet;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn contains(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("prefix_set");
    for count in [0_u32, 10, 10_000] {
        let mut random = fastrand::Rng::with_seed(1);
        let v4 = (0..count).map(|_| (IpAddr::V4(Ipv4Addr::from(random.u32(..))), 24));
        let prefixes: Vec<IpNet> = v4.map(|(ip, len)| IpNet::new(ip, len).expect("24 bits of 32")).collect();
        let set = PrefixSet::new(&prefixes);
        let clients: Vec<IpAddr> = (0..4096).map(|_| IpAddr::V4(Ipv4Addr::from(random.u32(..)))).collect();
        group.bench_function(format!("v4/{count}"), |bencher| ask(bencher, &set, &clients));
        let v6 = (0..count).map(|_| (IpAddr::V6(Ipv6Addr::from(random.u128(..))), 48));
        let prefixes: Vec<IpNet> = v6.map(|(ip, len)| IpNet::new(ip, len).expect("48 bits of 128")).collect();
        let set = PrefixSet::new(&prefixes);
        let clients: Vec<IpAddr> = (0..4096).map(|_| IpAddr::V6(Ipv6Addr::from(random.u128(..)))).collect();
        group.bench_function(format!("v6/{count}"), |bencher| ask(bencher, &set, &clients));
    }
    group.finish();
}

fn ask(bencher: &mut criterion::Bencher<'_>, set: &PrefixSet, clients: &[IpAddr]) {
    let mut next = 0_usize;
    bencher.iter(|| {
        next = (next + 1) % clients.len();
        black_box(set.contains(clients[next]))
    });
}

criterion_group!(benches, contains);
criterion_main!(benches);
