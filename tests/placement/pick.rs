//! Least connections, two choices, round robin and chance; bounds and leases whatever the algorithm.

use super::world::{Worker, fleet, loads, members, place, place_after};
use forebay::balance::{Balance, Lease, PickError, Placement, Standing, TargetReason};
use proptest::prelude::*;

#[test]
fn sequential_opens_over_16_workers_are_spread_exactly() {
    let placement = place(Balance::LeastConnections, fleet(8));
    let mut leases = Vec::new();
    for worker in 0..16 {
        leases.push(Worker::new(worker).pick(&placement, 0, &[]).expect("open"));
    }
    assert_eq!(loads(&placement), [2; 8], "1.00 x the mean on each");
}

#[test]
fn least_connections_fills_in_proportion_to_weight() {
    let placement = place(Balance::LeastConnections, members(&[1, 2, 5]));
    let mut worker = Worker::new(1);
    let _leases: Vec<_> = (0..800).map(|n| worker.pick(&placement, n, &[]).expect("open")).collect();
    assert_eq!(loads(&placement), [100, 200, 500]);
}

#[test]
fn equals_are_chosen_at_random() {
    let placement = place(Balance::LeastConnections, fleet(4));
    for count in Worker::new(1).tally(&placement, 4000) {
        assert!((850..1150).contains(&count), "{count} of 4000 for one of four idle targets");
    }
}

#[test]
fn two_choices_never_take_the_worse_of_two_targets() {
    let placement = place(Balance::PowerOfTwo, fleet(2));
    let mut worker = Worker::new(1);
    let _busy = worker.pick(&placement, 0, &[]).expect("open");
    let idle = loads(&placement).iter().position(|load| *load == 0).expect("one");
    let counts = worker.tally(&placement, 1000);
    assert_eq!(counts[idle], 1000, "drawing with replacement would take the busy one in a quarter of all cases");
}

#[test]
fn large_pools_stay_near_even_by_two_choices() {
    for balance in [Balance::LeastConnections, Balance::PowerOfTwo] {
        let placement = place(balance, fleet(1000));
        let mut worker = Worker::new(1);
        let _leases: Vec<_> = (0..10_000).map(|n| worker.pick(&placement, n, &[]).expect("open")).collect();
        let most = loads(&placement).into_iter().max();
        assert!(most <= Some(14), "{most:?} on one target at a mean of 10: chance alone gives over 20");
    }
}

#[test]
fn round_robin_is_exact_over_each_period_wherever_it_starts() {
    for weights in [&[1_u16, 1, 1][..], &[5, 1, 1], &[3, 2, 1], &[1, 1000], &[7], &[2, 4, 6]] {
        let placement = place(Balance::RoundRobin, members(weights));
        let period: u32 = weights.iter().map(|weight| u32::from(*weight)).sum();
        let expected: Vec<u32> = weights.iter().map(|weight| u32::from(*weight)).collect();
        for seed in 0..20 {
            let mut worker = Worker::new(seed);
            for _ in 0..3 {
                assert_eq!(worker.tally(&placement, period), expected, "seed {seed}");
            }
        }
    }
}

#[test]
fn round_robin_is_smooth() {
    let placement = place(Balance::RoundRobin, members(&[5, 1, 1]));
    let mut worker = Worker::new(3);
    let order: Vec<u16> = (0..70).map(|n| worker.pick(&placement, n, &[]).expect("open").0).collect();
    let longest_run = order.chunk_by(|a, b| a == b).map(<[u16]>::len).max();
    assert!(longest_run <= Some(4), "{order:?}");
}

#[test]
fn workers_start_at_different_places() {
    for weights in [[1, 1, 1, 1], [4, 1, 1, 1]] {
        let placement = place(Balance::RoundRobin, members(&weights));
        let first = |seed| Worker::new(seed).pick(&placement, 0, &[]).expect("open").0;
        let firsts: std::collections::BTreeSet<u16> = (0..100).map(first).collect();
        assert_eq!(firsts.len(), 4, "{weights:?}");
    }
}

#[test]
fn a_cursor_goes_on_where_it_was_when_the_pool_is_the_same() {
    for weights in [[1, 1, 1], [3, 2, 1]] {
        let before = place(Balance::RoundRobin, members(&weights));
        let period = u32::from(weights.iter().sum::<u16>());
        let mut worker = Worker::new(5);
        let mut counts = worker.tally(&before, 2);
        let after = place_after(Balance::RoundRobin, before.members().to_vec(), Some(&before));
        for (sum, count) in counts.iter_mut().zip(worker.tally(&after, period - 2)) {
            *sum += count;
        }
        assert_eq!(counts, weights.map(u32::from), "one period over both");
    }
}

#[test]
fn a_cursor_follows_its_targets_when_others_before_them_are_removed() {
    for weights in [[1, 1, 1, 1], [9, 3, 2, 1]] {
        let mut now = members(&weights);
        now[0].standing = Standing::Ineligible(TargetReason::Draining);
        let before = place(Balance::RoundRobin, now.clone());
        let mut worker = Worker::new(5);
        worker.tally(&before, 1);
        now.remove(0);
        let after = place_after(Balance::RoundRobin, now, Some(&before));
        let period = u32::from(weights[1..].iter().sum::<u16>());
        assert_eq!(worker.tally(&after, period), weights[1..].iter().copied().map(u32::from).collect::<Vec<_>>());
    }
}

#[test]
fn a_member_that_was_full_does_not_catch_up_in_a_burst() {
    let placement = place(Balance::RoundRobin, members(&[100, 1, 1]));
    placement.members()[0].runtime.load.set_limit(1);
    assert!(placement.members()[0].runtime.load.try_acquire());
    let mut worker = Worker::new(5);
    let while_full = worker.tally(&placement, 1000);
    assert_eq!(while_full[0], 0);
    placement.members()[0].runtime.load.release();
    let after = worker.tally(&placement, 102 * 5);
    assert!(after[0].abs_diff(500) <= 1, "{after:?}");
}

#[test]
fn chance_is_in_proportion_to_weight() {
    let placement = place(Balance::Random, members(&[1, 2, 7]));
    let counts = Worker::new(8).tally(&placement, 100_000);
    for (count, share) in counts.iter().zip([10_000_u32, 20_000, 70_000]) {
        assert!(count.abs_diff(share) < 600, "{counts:?}");
    }
}

#[test]
fn chance_among_those_that_are_open_keeps_their_weights() {
    let mut weights = vec![1000; 60];
    weights.extend([1, 3]);
    let placement = place(Balance::Random, members(&weights));
    for member in &placement.members()[..60] {
        member.runtime.load.set_limit(1);
        assert!(member.runtime.load.try_acquire());
    }
    let counts = Worker::new(8).tally(&placement, 4000);
    assert!(counts[60].abs_diff(1000) < 150 && counts[61].abs_diff(3000) < 150, "{:?}", &counts[60..]);
}

const ALL: [Balance; 5] =
    [Balance::LeastConnections, Balance::Maglev, Balance::RoundRobin, Balance::Random, Balance::PowerOfTwo];

#[derive(Clone, Debug)]
enum Act {
    Open { client: u32, tried: Vec<u16> },
    Close { which: usize },
    Stand { member: usize, standing: Standing },
    Limit { member: usize, limit: u32 },
}

fn any_act() -> impl Strategy<Value = Act> {
    let standing = prop_oneof![
        3 => Just(Standing::Eligible),
        1 => Just(Standing::Trial),
        1 => Just(Standing::Ineligible(TargetReason::Unhealthy)),
        1 => Just(Standing::Ineligible(TargetReason::Draining)),
    ];
    prop_oneof![
        6 => (any::<u32>(), proptest::collection::vec(0_u16..24, 0..3))
            .prop_map(|(client, tried)| Act::Open { client, tried }),
        3 => any::<usize>().prop_map(|which| Act::Close { which }),
        1 => (any::<usize>(), standing).prop_map(|(member, standing)| Act::Stand { member, standing }),
        1 => (any::<usize>(), 0_u32..4).prop_map(|(member, limit)| Act::Limit { member, limit }),
    ]
}

/// What a pick may not do, whatever came before it.
fn check_pick(placement: &Placement, tried: &[u16], before: &[u32], picked: &Result<(u16, Lease), PickError>) {
    let open = |index: u16| {
        let member = &placement.members()[usize::from(index)];
        let limit = member.runtime.load.limit();
        member.is_eligible() && !tried.contains(&index) && (limit == 0 || before[usize::from(index)] < limit)
    };
    let count = u16::try_from(before.len()).expect("few");
    match picked {
        Ok((index, _)) => {
            let member = &placement.members()[usize::from(*index)];
            let limit = member.runtime.load.limit();
            assert!(!tried.contains(index) && member.weight > 0);
            assert!(limit == 0 || before[usize::from(*index)] < limit, "a full target was picked");
            assert!(!matches!(member.standing, Standing::Ineligible(TargetReason::Draining)));
            if placement.has_own_pool() {
                assert!(member.is_eligible() || member.is_half_open(), "{member:?} is not in the pool");
            }
        }
        Err(error) => {
            let missed = (0..count).find(|index| {
                open(*index) && placement.has_own_pool() && !placement.members()[usize::from(*index)].backup
            });
            assert!(
                missed.is_none() || placement.pool() == forebay::balance::Pool::Backups,
                "{error:?}, but {missed:?} was open"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn live_leases_are_the_load_and_picks_stay_in_the_pool(
        algorithm in 0_usize..5,
        weights in proptest::collection::vec(0_u16..5, 1..24),
        acts in proptest::collection::vec(any_act(), 1..120),
        seed in any::<u64>(),
    ) {
        let mut members = members(&weights);
        members.iter_mut().skip(1).step_by(4).for_each(|member| member.backup = true);
        let count = members.len();
        let make = |members, previous: Option<&Placement>| {
            let (key, open) = (forebay::balance::HashKey::SourceIpPort, forebay::balance::FailOpen::Below(20));
            Placement::new(ALL[algorithm], key, "", 251, members, open, previous)
        };
        let mut placement = make(members, None);
        let mut worker = Worker::new(seed);
        let mut leases: Vec<(u16, Lease)> = Vec::new();
        for act in acts {
            match act {
                Act::Open { client, tried } => {
                    let before = loads(&placement);
                    let picked = worker.pick(&placement, client, &tried);
                    check_pick(&placement, &tried, &before, &picked);
                    leases.extend(picked);
                }
                Act::Close { which } if !leases.is_empty() => drop(leases.swap_remove(which % leases.len())),
                Act::Close { .. } => {}
                Act::Stand { member, standing } => {
                    let mut members = placement.members().to_vec();
                    members[member % count].standing = standing;
                    if standing == Standing::Trial {
                        members[member % count].runtime.trial_open.store(true, std::sync::atomic::Ordering::Relaxed);
                    }
                    placement = make(members, Some(&placement));
                }
                Act::Limit { member, limit } => placement.members()[member % count].runtime.load.set_limit(limit),
            }
            let mut expected = vec![0_u32; count];
            leases.iter().for_each(|(member, _)| expected[usize::from(*member)] += 1);
            prop_assert_eq!(loads(&placement), expected);
        }
    }

    #[test]
    fn every_slot_is_filled(weights in proptest::collection::vec(1_u16..=1000, 1..40), seed in "[a-z]{0,8}") {
        let targets: Vec<_> = weights.iter().enumerate().map(|(n, weight)| (format!("t{n:02}").into(), *weight)).collect();
        let table = forebay::balance::MaglevTable::build(targets, forebay::balance::StableHash::new(&seed), 1009);
        prop_assert!(table.ranks().iter().all(|rank| usize::from(*rank) < weights.len()));
    }
}
