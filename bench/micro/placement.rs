//! What a pick costs, and what compiling a placement costs.
#![allow(missing_docs, reason = "criterion_group! makes a public function")]

use criterion::{Criterion, criterion_group, criterion_main};
use forebay::balance::{
    Balance, Cursor, FailOpen, GroupRuntime, HashKey, MaglevTable, Member, Placement, StableHash, Standing,
    TargetReason, TargetRuntime,
};
use forebay::model::{FlowKey, TargetId};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

const TABLE_SIZE: u32 = 65_537;

fn fleet(count: u32, weight: impl Fn(u32) -> u16) -> Vec<Member> {
    let group = Arc::new(GroupRuntime::new("web".into(), 1));
    let member = |n: u32| {
        let id = format!("10.0.{}.{}:80", n / 250, n % 250 + 1);
        let runtime = Arc::new(TargetRuntime::new(n, id.into(), Arc::clone(&group), 1));
        Member { runtime, weight: weight(n), backup: false, standing: Standing::Eligible }
    };
    (0..count).map(member).collect()
}

fn place(balance: Balance, members: Vec<Member>, previous: Option<&Placement>) -> Placement {
    Placement::new(balance, HashKey::SourceIp, "", TABLE_SIZE, members, FailOpen::Below(0), previous)
}

fn client(n: u32) -> FlowKey {
    let ip = IpAddr::V4(Ipv4Addr::from(n.wrapping_mul(2_654_435_761)));
    FlowKey::new(SocketAddr::new(ip, 1024), SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 80))
}

fn uneven(n: u32) -> u16 {
    u16::try_from(n % 10 + 1).unwrap_or(1)
}

fn build(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("build");
    group.sample_size(20);
    for count in [10_u32, 100, 1000] {
        for (name, weight) in [("even", (|_| 1) as fn(u32) -> u16), ("uneven", uneven)] {
            let ids = fleet(count, weight).into_iter().map(|member| (Arc::clone(&member.runtime.id), member.weight));
            let mut targets: Vec<(TargetId, u16)> = ids.collect();
            targets.sort();
            group.bench_function(format!("maglev/{name}/{count}"), |bencher| {
                bencher.iter(|| MaglevTable::build(targets.clone(), StableHash::new(""), TABLE_SIZE));
            });
        }
    }
    for balance in [Balance::Maglev, Balance::LeastConnections] {
        let before = place(balance, fleet(1000, uneven), None);
        group.bench_function(format!("compile_after_a_change_of_health/{}/1000", balance.as_str()), |bencher| {
            bencher.iter_batched(
                || before.members().to_vec(),
                |members| place(balance, members, Some(&before)),
                criterion::BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn pick(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pick");
    for (balance, count) in [
        (Balance::Maglev, 10),
        (Balance::Maglev, 1000),
        (Balance::LeastConnections, 2),
        (Balance::LeastConnections, 16),
        (Balance::LeastConnections, 1000),
        (Balance::PowerOfTwo, 1000),
        (Balance::Random, 1000),
    ] {
        let placement = place(balance, fleet(count, |_| 1), None);
        group.bench_function(format!("{}/{count}", balance.as_str()), |bencher| run(bencher, &placement, client));
    }
    for (name, weight) in [("even", (|_| 1) as fn(u32) -> u16), ("uneven", uneven)] {
        let placement = place(Balance::RoundRobin, fleet(1000, weight), None);
        group.bench_function(format!("round_robin/{name}/1000"), |bencher| run(bencher, &placement, client));
    }
    let mut half_down = fleet(1000, |_| 1);
    half_down.iter_mut().step_by(2).for_each(|member| member.standing = Standing::Ineligible(TargetReason::Unhealthy));
    let placement = place(Balance::Maglev, half_down, None);
    group.bench_function("maglev/half_down/1000", |bencher| run(bencher, &placement, client));
    let slot = placement.explain(&client(1)).slot;
    let colliding: Vec<FlowKey> =
        (0..4_000_000).map(client).filter(|key| placement.explain(key).slot == slot).take(32).collect();
    group.bench_function("maglev/half_down_colliding_keys/1000", |bencher| {
        run(bencher, &placement, |n| colliding[n as usize % colliding.len()]);
    });
    group.finish();
}

fn run(bencher: &mut criterion::Bencher<'_>, placement: &Placement, key: impl Fn(u32) -> FlowKey) {
    let (mut cursor, mut random, mut n) = (Cursor::new(), fastrand::Rng::with_seed(1), 0_u32);
    bencher.iter(|| {
        n = n.wrapping_add(1);
        black_box(placement.pick(&key(n), &[], &mut cursor, &mut random)).is_ok()
    });
}

criterion_group!(benches, build, pick);
criterion_main!(benches);
