//! Maglev against the paper, against its own past, and against its promises.

use super::world::{Worker, client, fleet, home, member, members, place, place_after};
use forebay::balance::maglev::is_prime;
use forebay::balance::{Balance, MaglevTable, PickError, Placement, StableHash, Standing, TargetReason};
use forebay::model::TargetId;
use std::sync::Arc;

const KEYS: u32 = 100_000;

/// Population as in the paper's pseudo-code, permutations written out; weights as Envoy adds them.
fn naive_table(targets: &[(TargetId, u16)], hash: StableHash, size: u64) -> Vec<u16> {
    let permutation = |id: &str| -> Vec<u64> {
        let (offset, skip) = hash.permutation(id);
        let (offset, skip) = (offset % size, skip % (size - 1) + 1);
        (0..size).map(|j| (offset + j * skip) % size).collect()
    };
    let permutations: Vec<Vec<u64>> = targets.iter().map(|(id, _)| permutation(id)).collect();
    let max_weight = targets.iter().map(|(_, weight)| u64::from(*weight)).max().expect("a target");
    let (mut next, mut due) = (vec![0_usize; targets.len()], vec![0_u64; targets.len()]);
    let mut entry: Vec<Option<u16>> = vec![None; usize::try_from(size).expect("small")];
    let mut filled = 0;
    for iteration in 1.. {
        for (i, (_, weight)) in targets.iter().enumerate() {
            if iteration * u64::from(*weight) < due[i] {
                continue;
            }
            due[i] += max_weight;
            let slot = |next: usize| usize::try_from(permutations[i][next]).expect("small");
            while entry[slot(next[i])].is_some() {
                next[i] += 1;
            }
            entry[slot(next[i])] = Some(u16::try_from(i).expect("few"));
            filled += 1;
            if filled == size {
                return entry.into_iter().map(|rank| rank.expect("all are filled")).collect();
            }
        }
    }
    unreachable!("the loop above has no other end")
}

fn seeded_targets(random: &mut fastrand::Rng, equal: bool) -> Vec<(TargetId, u16)> {
    let count = random.usize(1..30);
    let mut weight = || if equal { 1 } else { random.u16(1..=1000) };
    let mut targets: Vec<(TargetId, u16)> = (0..count).map(|n| (format!("target-{n}").into(), weight())).collect();
    targets.sort();
    targets
}

#[test]
fn tables_equal_those_of_the_paper() {
    let mut random = fastrand::Rng::with_seed(2016);
    for round in 0..200 {
        let size = [2_u32, 3, 7, 13, 251, 1009, 4099][random.usize(..7)];
        let targets = seeded_targets(&mut random, round % 2 == 0);
        let hash = StableHash::new(&format!("seed {}", random.u8(..)));
        let table = MaglevTable::build(targets.clone(), hash, size);
        assert_eq!(table.ranks(), naive_table(&targets, hash, u64::from(size)), "round {round}, {size} slots");
    }
}

#[test]
fn tables_and_hashes_are_those_of_every_release_before() {
    let mut lines = Vec::new();
    for (seed, size, weights) in
        [("", 13, &[1_u16, 1, 1][..]), ("blue", 13, &[1, 1, 1]), ("", 31, &[5, 1, 2]), ("", 65_537, &[1, 1, 1, 2])]
    {
        let ids = (1..).map(|n| TargetId::from(format!("10.0.0.{n}:80")));
        let targets: Vec<_> = ids.zip(weights.iter().copied()).collect();
        let table = MaglevTable::build(targets, StableHash::new(seed), size);
        let digest = table.ranks().iter().fold(0xcbf2_9ce4_8422_2325_u64, |digest, rank| {
            (digest ^ u64::from(*rank)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let first: Vec<String> = table.ranks().iter().take(31).map(u16::to_string).collect();
        lines
            .push(format!("table seed={seed:?} size={size} weights={weights:?} fnv={digest:016x} {}", first.join(" ")));
    }
    lines.extend(hash_lines());
    check_golden("tests/golden/maglev.txt", &(lines.join("\n") + "\n"));
}

fn hash_lines() -> Vec<String> {
    use forebay::balance::{HashKey, SplitPoint};
    use forebay::model::FlowKey;
    let keys = [
        ("source_ip", HashKey::SourceIp),
        ("source_ip_port", HashKey::SourceIpPort),
        ("source_prefix 24/56", HashKey::SourcePrefix { v4: 24, v6: 56 }),
        ("source_prefix 0/0", HashKey::SourcePrefix { v4: 0, v6: 0 }),
    ];
    let listen_addr = "192.0.2.1:80".parse().expect("an address");
    let mut lines = Vec::new();
    for client in ["192.0.2.7:1234", "[::ffff:192.0.2.7]:1234", "[2001:db8::1]:1234"] {
        let key = FlowKey::new(client.parse().expect("an address"), listen_addr);
        for (name, hash_key) in keys {
            let hash = |seed| StableHash::new(seed).flow(&key, hash_key);
            lines.push(format!("flow {client} {name} {:016x} seed=\"blue\" {:016x}", hash(""), hash("blue")));
        }
        let point = |hash_key| SplitPoint::of(&key, hash_key).0;
        let (ip, ip_port) = (point(HashKey::SourceIp), point(HashKey::SourceIpPort));
        lines.push(format!("split {client} source_ip {ip:016x} source_ip_port {ip_port:016x}"));
    }
    lines
}

/// Compares with the file; with `UPDATE_GOLDEN=1` writes it.
fn check_golden(path: &str, actual: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, actual).expect("the golden file can be written");
    }
    let golden = std::fs::read_to_string(&path).expect("the golden file is there");
    assert_eq!(actual, golden, "placement changed: every client of every user would move");
}

#[test]
fn shares_of_100_targets_differ_from_even_by_at_most_1_percent() {
    let targets = fleet(100).into_iter().map(|member| (Arc::clone(&member.runtime.id), 1));
    let mut targets: Vec<_> = targets.collect();
    targets.sort();
    let table = MaglevTable::build(targets, StableHash::new(""), 65_537);
    let mut slots = vec![0_u32; 100];
    table.ranks().iter().for_each(|rank| slots[usize::from(*rank)] += 1);
    for count in slots {
        assert!((f64::from(count) / 655.37 - 1.0).abs() <= 0.01, "{count} slots");
    }
}

#[test]
fn weights_are_shares_of_the_slots() {
    let weights = [1_u16, 10, 100, 1000];
    let targets = weights.iter().map(|weight| (format!("t{weight:04}").into(), *weight)).collect();
    let table = MaglevTable::build(targets, StableHash::new(""), 65_537);
    for (rank, weight) in (0_u16..).zip(weights) {
        let slots = table.ranks().iter().filter(|owner| **owner == rank).count();
        let fair = 65_537.0 * f64::from(weight) / 1111.0;
        let error = (f64::from(u32::try_from(slots).expect("65,537 at most")) - fair).abs();
        assert!(error <= 1.0 + fair * 0.001, "{slots} slots at weight {weight}, {fair} were fair");
    }
}

#[test]
fn removing_one_of_ten_moves_at_most_2_percent_of_the_other_keys() {
    let before = place(Balance::Maglev, fleet(10));
    let gone = Arc::clone(&before.members()[3].runtime.id);
    let mut left = before.members().to_vec();
    left.remove(3);
    let after = place_after(Balance::Maglev, left, Some(&before));
    let (mut kept, mut moved) = (0_u32, 0_u32);
    for key in (0..KEYS).map(client) {
        let home_before = home(&before, &key);
        if home_before != gone {
            if home(&after, &key) == home_before { kept += 1 } else { moved += 1 }
        }
    }
    assert!(moved * 100 <= 2 * (kept + moved), "{moved} of {} moved", kept + moved);
    assert!(moved > 0, "a rebuild moves some: else nothing was removed");
}

#[test]
fn a_target_that_is_not_eligible_moves_only_its_own_keys_and_they_come_home() {
    let before = place(Balance::Maglev, fleet(10));
    let homes: Vec<_> = (0..KEYS).map(|n| home(&before, &client(n))).collect();
    for reason in [TargetReason::Unhealthy, TargetReason::Draining, TargetReason::Ejected, TargetReason::Disabled] {
        let mut now = before.members().to_vec();
        now[3].standing = Standing::Ineligible(reason);
        let without = place_after(Balance::Maglev, now, Some(&before));
        let away = &before.members()[3].runtime.id;
        let mut received = std::collections::BTreeMap::new();
        for n in 0..KEYS {
            let home_now = home(&without, &client(n));
            let home_before = &homes[usize::try_from(n).expect("small")];
            if home_before == away {
                *received.entry(home_now).or_insert(0_u32) += 1;
            } else {
                assert_eq!(*home_before, home_now, "client {n}, {reason:?}");
            }
        }
        assert_eq!(received.len(), 9, "its keys are spread over all others");
        assert!(!received.contains_key(away));
        let back = place_after(Balance::Maglev, before.members().to_vec(), Some(&without));
        assert!((0..KEYS).zip(&homes).all(|(n, before)| home(&back, &client(n)) == *before), "all come home");
    }
}

#[test]
fn replicas_with_shuffled_targets_make_equal_choices_for_100_000_keys() {
    let one = place(Balance::Maglev, fleet(100));
    let mut shuffled = fleet(100);
    fastrand::Rng::with_seed(15).shuffle(&mut shuffled);
    let other = place(Balance::Maglev, shuffled);
    let differing = (0..KEYS).filter(|n| home(&one, &client(*n)) != home(&other, &client(*n))).count();
    assert_eq!(differing, 0);
}

#[test]
fn another_seed_is_another_placement() {
    let with = |seed| {
        let (key, open) = (forebay::balance::HashKey::SourceIp, forebay::balance::FailOpen::Never);
        Placement::new(Balance::Maglev, key, seed, 65_537, fleet(10), open, None)
    };
    let (one, other) = (with(""), with("blue"));
    let differing = (0..1000).filter(|n| home(&one, &client(*n)) != home(&other, &client(*n))).count();
    assert!(differing > 800, "{differing} of 1000");
}

#[test]
fn a_pick_goes_where_explain_says_and_retries_go_on_along_the_slots() {
    let placement = place(Balance::Maglev, fleet(10));
    let mut worker = Worker::new(1);
    for n in 0..1000 {
        let explained = placement.explain(&client(n));
        let (first, _lease) = worker.pick(&placement, n, &[]).expect("ten are open");
        assert_eq!((Some(first), true, 0), (explained.member, explained.deterministic, explained.probes));
        let mut without = placement.members().to_vec();
        without[usize::from(first)].standing = Standing::Ineligible(TargetReason::Unhealthy);
        let without = place_after(Balance::Maglev, without, Some(&placement));
        let next = without.explain(&client(n));
        assert!(next.probes > 0 && next.slot == explained.slot);
        let (second, _lease) = worker.pick(&placement, n, &[first]).expect("nine are open");
        assert_eq!(Some(second), next.member, "client {n}");
    }
}

#[test]
fn a_full_target_is_passed_over_and_its_keys_come_home_when_it_has_room() {
    let placement = place(Balance::Maglev, fleet(3));
    let mut worker = Worker::new(1);
    let home_of_7 = placement.explain(&client(7)).member.expect("three are open");
    placement.members()[usize::from(home_of_7)].runtime.load.set_limit(1);
    let (first, lease) = worker.pick(&placement, 7, &[]).expect("open");
    let (second, _lease) = worker.pick(&placement, 7, &[]).expect("two are open");
    assert!(first == home_of_7 && second != home_of_7);
    drop(lease);
    assert_eq!(worker.pick(&placement, 7, &[]).map(|(member, _)| member), Ok(home_of_7));
}

#[test]
fn when_all_are_full_the_probe_gives_up_without_walking_the_table() {
    let placement = place(Balance::Maglev, fleet(1000));
    placement.members().iter().for_each(|member| member.runtime.load.set_limit(1));
    let mut worker = Worker::new(1);
    let leases: Vec<_> = (0..1000).map(|n| worker.pick(&placement, n, &[]).expect("one is left")).collect();
    assert_eq!(leases.len(), 1000);
    assert_eq!(worker.pick(&placement, 5000, &[]).map(|(member, _)| member), Err(PickError::AtCapacity));
}

#[test]
fn keys_chosen_to_collide_cost_no_more_probes_than_others() {
    let mut now = fleet(1000);
    now.iter_mut().step_by(2).for_each(|member| member.standing = Standing::Ineligible(TargetReason::Unhealthy));
    let placement = place(Balance::Maglev, now);
    let slot_of_0 = placement.explain(&client(0)).slot;
    let colliding = (0..2_000_000).map(client).filter(|key| placement.explain(key).slot == slot_of_0);
    let probes: Vec<u32> = colliding.take(20).map(|key| placement.explain(&key).probes).collect();
    assert!(probes.len() > 5 && probes.iter().all(|count| *count == probes[0]), "no chain grows: {probes:?}");
    let worst = (0..KEYS).map(|n| placement.explain(&client(n)).probes).max();
    assert!(worst < Some(128), "half of the targets are eligible, yet a probe took {worst:?} steps");
}

#[test]
fn tables_are_kept_while_ids_weights_and_seed_stay() {
    let first = place(Balance::Maglev, fleet(10));
    let mut now = first.members().to_vec();
    now.reverse();
    now[0].standing = Standing::Ineligible(TargetReason::Unhealthy);
    let second = place_after(Balance::Maglev, now.clone(), Some(&first));
    assert!(first.shares_tables_with(&second));
    now[0].weight = 2;
    let third = place_after(Balance::Maglev, now, Some(&second));
    assert!(!second.shares_tables_with(&third));
}

#[test]
fn a_placement_without_targets_refuses() {
    let placement = place(Balance::Maglev, vec![member("a", 0)]);
    assert_eq!(Worker::new(1).pick(&placement, 0, &[]).map(|(member, _)| member), Err(PickError::NoTarget));
    assert_eq!(placement.explain(&client(0)).member, None);
}

#[test]
fn a_size_that_is_no_prime_is_raised_to_one() {
    let targets = members(&[1, 1]).iter().map(|member| (Arc::clone(&member.runtime.id), 1)).collect();
    let table = MaglevTable::build(targets, StableHash::new(""), 65_536);
    assert_eq!(table.ranks().len(), 65_537);
    let primes: Vec<u32> = (0..30).filter(|n| is_prime(*n)).collect();
    assert_eq!(primes, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
}
