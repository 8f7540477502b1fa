use super::*;
use crate::time::clock;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn fire_all(wheel: &mut Wheel, now: Instant) -> Vec<TimerKey> {
    let mut fired = Vec::new();
    wheel.fire(now, usize::MAX, &mut fired);
    fired.sort_unstable();
    fired
}

#[test]
fn an_empty_wheel_has_no_deadline() {
    let now = clock::now();
    let mut wheel = Wheel::new(now);
    assert_eq!(wheel.next_deadline(), None);
    assert!(fire_all(&mut wheel, now + Duration::from_secs(100_000)).is_empty());
}

#[test]
fn a_timer_fires_once_and_not_early() {
    let start = clock::now();
    let mut wheel = Wheel::new(start);
    wheel.set(start + Duration::from_secs(3600), 1);
    assert!(fire_all(&mut wheel, start + Duration::from_millis(3_599_990)).is_empty());
    assert_eq!(fire_all(&mut wheel, start + Duration::from_millis(3_600_008)), [1]);
    assert!(wheel.is_empty());
}

#[test]
fn a_timer_that_is_set_again_moves() {
    let start = clock::now();
    let mut wheel = Wheel::new(start);
    wheel.set(start + Duration::from_secs(1), 5);
    wheel.set(start + Duration::from_secs(9), 5);
    assert_eq!(wheel.len(), 1);
    assert!(fire_all(&mut wheel, start + Duration::from_secs(8)).is_empty());
    assert_eq!(wheel.deadline(5), Some(start + Duration::from_secs(9)));
    wheel.cancel(5);
    assert_eq!((wheel.len(), wheel.next_deadline(), wheel.deadline(5)), (0, None, None));
}

#[test]
fn a_limit_leaves_the_others_due() {
    let start = clock::now();
    let mut wheel = Wheel::new(start);
    (0..10).for_each(|key| wheel.set(start + Duration::from_millis(20), key));
    let now = start + Duration::from_secs(1);
    let mut fired = Vec::new();
    wheel.fire(now, 4, &mut fired);
    assert_eq!(fired.len(), 4);
    assert!(wheel.next_deadline().unwrap() <= now);
    wheel.fire(now, 100, &mut fired);
    fired.sort_unstable();
    assert_eq!(fired, (0..10).collect::<Vec<_>>());
}

#[test]
fn a_silent_hour_wakes_a_worker_only_a_few_times() {
    let start = clock::now();
    let mut wheel = Wheel::new(start);
    (0..8000).for_each(|key| {
        wheel.set(start + Duration::from_secs(3600) + Duration::from_micros(u64::from(key) * 100), key);
    });
    let (mut wakes, mut fired) = (0, Vec::new());
    while let Some(next) = wheel.next_deadline().filter(|&next| next < start + Duration::from_secs(3590)) {
        wheel.fire(next, usize::MAX, &mut fired);
        wakes += 1;
    }
    assert!(wakes <= 3 && fired.is_empty(), "{wakes} wakes");
}

proptest! {
    /// Against a sorted table: whatever is set, moved or cancelled and whenever the wheel is asked, exactly what is
    /// due is fired, and `next_deadline` never lies beyond the first timer.
    #[test]
    fn fires_what_a_sorted_table_would(
        steps in prop::collection::vec((0_u32..12, 0_u64..400_000_000, 0_u64..200_000_000, any::<bool>()), 1..80),
        scale in prop::sample::select(vec![1_u64, 1_000, 100_000]),
    ) {
        let start = clock::now();
        let mut wheel = Wheel::new(start);
        let mut naive: BTreeMap<TimerKey, u64> = BTreeMap::new();
        let mut now = 0;
        for (key, ahead, step, keep) in steps {
            if keep {
                let deadline_ms = now + ahead / scale;
                wheel.set(start + Duration::from_millis(deadline_ms), key);
                naive.insert(key, deadline_ms.div_ceil(8));
            } else {
                wheel.cancel(key);
                naive.remove(&key);
            }
            prop_assert_eq!(wheel.next_deadline().is_some(), !naive.is_empty());
            if let Some(first) = naive.values().min() {
                let next = wheel.next_deadline().unwrap();
                prop_assert!(next <= start + Duration::from_millis(8 * first.max(&(now / 8))));
            }
            now += step / scale;
            let fired = fire_all(&mut wheel, start + Duration::from_millis(now));
            let due: Vec<_> = naive.extract_if(.., |_key, tick| *tick <= now / 8).map(|entry| entry.0).collect();
            prop_assert_eq!(fired, due);
            prop_assert_eq!(wheel.len(), naive.len());
        }
    }
}
