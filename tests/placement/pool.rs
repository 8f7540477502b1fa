//! Choosing the pool, and the one trial of a half-open target.

use super::world::{Worker, client, loads, members, place, place_after};
use forebay::balance::{
    Balance, FailOpen, HashKey, Member, PickError, Placement, Pool, Standing, TargetReason, choose_pool,
};

const ALL: [Balance; 5] =
    [Balance::LeastConnections, Balance::Maglev, Balance::RoundRobin, Balance::Random, Balance::PowerOfTwo];

/// One member per word: e eligible, t trial, u unhealthy, j ejected, d draining, x disabled, n unresolved,
/// z weight 0; upper case for backups.
fn group(words: &str) -> Vec<Member> {
    let mut members = members(&vec![1; words.len()]);
    for (member, word) in members.iter_mut().zip(words.chars()) {
        member.backup = word.is_ascii_uppercase();
        member.weight = u16::from(!word.eq_ignore_ascii_case(&'z'));
        member.standing = match word.to_ascii_lowercase() {
            'e' | 'z' => Standing::Eligible,
            't' => Standing::Trial,
            'u' => Standing::Ineligible(TargetReason::Unhealthy),
            'j' => Standing::Ineligible(TargetReason::Ejected),
            'd' => Standing::Ineligible(TargetReason::Draining),
            'x' => Standing::Ineligible(TargetReason::Disabled),
            'n' => Standing::Ineligible(TargetReason::Unresolved),
            _ => panic!("{word:?} is no standing"),
        };
        member.runtime.trial_open.store(word.eq_ignore_ascii_case(&'t'), std::sync::atomic::Ordering::Relaxed);
    }
    members
}

#[test]
fn the_pool_is_chosen_in_order() {
    use FailOpen::{Below, Never};
    use Pool::{Backups, Empty, FailOpen as Open, Primaries};
    for (words, fail_open, expected) in [
        ("e", Below(0), Primaries),
        ("euuu", Below(0), Primaries),
        ("euuuE", Below(0), Primaries),
        ("uuuE", Below(0), Backups),
        ("uuuU", Below(0), Open),
        ("uuu", Never, Empty),
        ("uuuE", Never, Backups),
        ("euuu", Never, Primaries),
        // At or below the share: not enough.
        ("eeuu", Below(50), Open),
        ("eeeuu", Below(50), Primaries),
        ("eeuuE", Below(50), Backups),
        ("euu", Below(33), Primaries),
        ("euu", Below(34), Open),
        ("eee", Below(100), Open),
        // Only the enabled with a weight are counted.
        ("eeddxxzz", Below(50), Primaries),
        ("eunn", Below(25), Open),
        ("eunn", Below(24), Primaries),
        // Draining, disabled and weight 0 never get new work; an unresolved one cannot.
        ("ddxxzz", Below(0), Empty),
        ("nn", Below(0), Empty),
        ("j", Below(0), Open),
        ("t", Below(0), Open),
        ("U", Below(0), Empty),
        ("E", Below(0), Backups),
        ("", Below(0), Empty),
        ("Z", Never, Empty),
    ] {
        assert_eq!(choose_pool(&group(words), fail_open), expected, "{words:?} {fail_open:?}");
    }
}

#[test]
fn picks_come_from_the_pool_alone() {
    for balance in ALL {
        for (words, pool) in
            [("euedxzE", "0 2"), ("udxzEUE", "4 6"), ("ujdxznUD", "0 1"), ("dxzn", ""), ("eE", "0"), ("zE", "1")]
        {
            let placement = place(balance, group(words));
            let mut worker = Worker::new(9);
            let mut picked = std::collections::BTreeSet::new();
            for n in 0..300 {
                match worker.pick(&placement, n, &[]) {
                    Ok((member, _lease)) => picked.insert(member.to_string()),
                    Err(error) => picked.insert(format!("{error:?}")),
                };
            }
            let picked = picked.into_iter().collect::<Vec<_>>().join(" ");
            assert_eq!(picked, if pool.is_empty() { "NoTarget" } else { pool }, "{words:?} {balance:?}");
        }
    }
}

#[test]
fn has_own_pool_means_eligible_targets_or_backups() {
    for (words, own, eligible) in [("eu", true, 1), ("uE", true, 1), ("uu", false, 0), ("eeE", true, 3), ("", false, 0)]
    {
        let placement = place(Balance::Maglev, group(words));
        assert_eq!((placement.has_own_pool(), placement.eligible_count()), (own, eligible), "{words:?}");
    }
}

#[test]
fn a_half_open_target_gets_one_trial_and_nothing_else() {
    for balance in ALL {
        for words in ["et", "eet", "tE", "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeet"] {
            let placement = place(balance, group(words));
            let half_open = u16::try_from(words.find('t').expect("one")).expect("small");
            let mut worker = Worker::new(2);
            let mut trials = Vec::new();
            for n in 0..2000 {
                let (member, mut lease) = worker.pick(&placement, n, &[]).expect("somebody is eligible");
                let is_trial = lease.settle_trial();
                assert_eq!(is_trial, member == half_open, "{words:?} {balance:?}");
                trials.extend(is_trial.then_some(n));
            }
            assert_eq!(trials.len(), 1, "{words:?} {balance:?}");
        }
    }
}

#[test]
fn a_trial_whose_client_left_is_handed_out_again() {
    let placement = place(Balance::LeastConnections, group("et"));
    let mut worker = Worker::new(2);
    let (first, lease) = worker.pick(&placement, 0, &[]).expect("open");
    assert_eq!(first, 1);
    assert_eq!(worker.pick(&placement, 1, &[]).map(|(member, _)| member), Ok(0), "while it runs there is no other");
    drop(lease);
    let (again, mut lease) = worker.pick(&placement, 2, &[]).expect("open");
    assert_eq!(again, 1);
    assert!(lease.settle_trial() && !lease.settle_trial());
    drop(lease);
    assert_eq!(worker.pick(&placement, 3, &[]).map(|(member, _)| member), Ok(0));
}

#[test]
fn of_many_workers_at_once_one_gets_the_trial() {
    let placement = place(Balance::LeastConnections, group("et"));
    let barrier = std::sync::Barrier::new(8);
    let race = &|seed| {
        barrier.wait();
        let (_member, mut lease) = Worker::new(seed).pick(&placement, 0, &[]).expect("open");
        lease.settle_trial()
    };
    for _ in 0..100 {
        placement.members()[1].runtime.trial_open.store(true, std::sync::atomic::Ordering::Relaxed);
        let won = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..8).map(|seed| scope.spawn(move || race(seed))).collect();
            workers.into_iter().map(|worker| worker.join().expect("no panic")).filter(|won| *won).count()
        });
        assert_eq!(won, 1);
    }
    assert_eq!(loads(&placement), [0, 0]);
}

#[test]
fn a_trial_is_not_given_to_one_who_tried_or_to_a_full_target() {
    let placement = place(Balance::LeastConnections, group("et"));
    let mut worker = Worker::new(2);
    assert_eq!(worker.pick(&placement, 0, &[1]).map(|(member, _)| member), Ok(0));
    placement.members()[1].runtime.load.set_limit(1);
    assert!(placement.members()[1].runtime.load.try_acquire());
    assert_eq!(worker.pick(&placement, 0, &[]).map(|(member, _)| member), Ok(0));
    placement.members()[1].runtime.load.release();
    assert_eq!(worker.pick(&placement, 0, &[]).map(|(member, _)| member), Ok(1));
}

#[test]
fn a_group_that_fails_closed_still_comes_back_by_a_trial() {
    let fail_closed = |balance| {
        let members = group("tu");
        Placement::new(balance, HashKey::SourceIp, "", 251, members, FailOpen::Never, None)
    };
    for balance in ALL {
        let placement = fail_closed(balance);
        let mut worker = Worker::new(2);
        let (member, _lease) = worker.pick(&placement, 0, &[]).expect("the trial");
        assert_eq!((member, placement.pool()), (0, Pool::Empty));
        assert_eq!(worker.pick(&placement, 1, &[]).map(|(member, _)| member), Err(PickError::NoTarget));
    }
}

#[test]
fn errors_tell_tried_from_full() {
    for balance in ALL {
        let placement = place(balance, group("eeu"));
        let mut worker = Worker::new(4);
        let mut error = |tried: &[u16]| worker.pick(&placement, 1, tried).map(|(member, _)| member);
        assert_eq!(error(&[0, 1]), Err(PickError::Exhausted));
        assert_eq!(error(&[0]), Ok(1));
        placement.members()[1].runtime.load.set_limit(1);
        assert!(placement.members()[1].runtime.load.try_acquire());
        assert_eq!(error(&[0]), Err(PickError::AtCapacity));
        assert_eq!(error(&[0, 1]), Err(PickError::Exhausted));
        assert_eq!(error(&[]), Ok(0));
        assert_eq!(loads(&placement), [0, 1, 0]);
    }
}

#[test]
fn only_maglev_is_explained_by_the_key() {
    for balance in ALL {
        let explained = place(balance, group("ee")).explain(&client(1));
        let maglev = balance == Balance::Maglev;
        assert_eq!(
            (explained.deterministic, explained.slot.is_some(), explained.member.is_some()),
            (maglev, maglev, maglev)
        );
    }
}

#[test]
fn explaining_takes_neither_load_nor_trial() {
    let placement = place(Balance::Maglev, group("te"));
    let half_open = (0..100).filter(|n| placement.explain(&client(*n)).member == Some(0)).count();
    assert!(half_open > 20, "while the trial is to be had, its own keys would get it: {half_open} of 100");
    assert_eq!(loads(&placement), [0, 0]);
    assert!(placement.members()[0].runtime.is_trial_open());
}

#[test]
fn a_new_placement_over_the_same_targets_sees_their_load() {
    let before = place(Balance::LeastConnections, group("ee"));
    let mut worker = Worker::new(4);
    let (first, _lease) = worker.pick(&before, 0, &[]).expect("open");
    let after = place_after(Balance::LeastConnections, before.members().to_vec(), Some(&before));
    let (second, _lease) = worker.pick(&after, 0, &[]).expect("open");
    assert_ne!(first, second);
}
