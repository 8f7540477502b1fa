use super::*;

const PACE: Pace = Pace { interval: Duration::from_secs(5), fast_interval: Duration::from_secs(1), jitter_percent: 10 };

/// Any instant will do: tests only add to it.
fn start() -> Instant {
    crate::time::clock::now()
}

fn after(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn intervals_stay_within_their_jitter_and_use_its_whole_width() {
    let (now, mut random) = (start(), fastrand::Rng::with_seed(1));
    let gaps: Vec<Duration> = (0..1000).map(|_| PACE.next_probe(now, now, false, &mut random) - now).collect();
    let (least, most) = (gaps.iter().min().expect("1000"), gaps.iter().max().expect("1000"));
    assert!(*least >= after(4.5) && *least < after(4.55), "{least:?}");
    assert!(*most <= after(5.5) && *most > after(5.45), "{most:?}");
}

#[test]
fn a_transition_is_probed_at_the_fast_interval() {
    let (now, mut random) = (start(), fastrand::Rng::with_seed(1));
    let gap = PACE.next_probe(now, now, true, &mut random) - now;
    assert!(gap >= after(0.9) && gap <= after(1.1), "{gap:?}");
}

#[test]
fn a_fast_interval_above_the_interval_does_not_slow_probes_down() {
    let pace = Pace { fast_interval: Duration::from_secs(60), jitter_percent: 0, ..PACE };
    let now = start();
    assert_eq!(pace.next_probe(now, now, true, &mut fastrand::Rng::with_seed(1)) - now, pace.interval);
}

#[test]
fn a_probe_that_took_longer_than_the_interval_is_followed_at_once_and_not_in_the_past() {
    let started = start();
    let now = started + after(30.0);
    assert_eq!(PACE.next_probe(started, now, false, &mut fastrand::Rng::with_seed(1)), now);
}

#[test]
fn what_is_due_comes_earliest_first_and_once() {
    let (now, mut random) = (start(), fastrand::Rng::with_seed(1));
    let mut queue = ProbeQueue::new();
    queue.insert('b', now + after(0.2));
    queue.insert('a', now + after(0.1));
    queue.insert('c', now + after(9.0));
    assert_eq!(queue.next_due(), Some(now + after(0.1)));
    assert_eq!(queue.due(now + after(0.5), &mut random), ['a', 'b']);
    assert!(queue.due(now + after(0.5), &mut random).is_empty());
    assert_eq!(queue.len(), 1);
}

#[test]
fn first_probes_go_out_at_once() {
    let (now, mut random) = (start(), fastrand::Rng::with_seed(1));
    let mut queue = ProbeQueue::new();
    (0..2000).for_each(|key| queue.insert(key, now));
    assert_eq!(queue.due(now, &mut random).len(), 2000);
}

#[test]
fn a_removed_key_is_never_due_and_an_inserted_one_only_where_it_was_put_last() {
    let (now, mut random) = (start(), fastrand::Rng::with_seed(1));
    let mut queue = ProbeQueue::new();
    queue.insert('a', now);
    queue.remove('a');
    queue.insert('b', now);
    queue.insert('b', now + after(0.7));
    assert_eq!(queue.next_due(), Some(now + after(0.7)));
    assert!(queue.due(now + after(0.6), &mut random).is_empty());
    assert_eq!(queue.due(now + after(0.7), &mut random), ['b']);
    assert!(queue.is_empty());
}

#[test]
fn after_a_stop_of_30_seconds_each_target_is_probed_once_within_the_spread() {
    let (now, mut random) = (start(), fastrand::Rng::with_seed(7));
    let mut queue = ProbeQueue::new();
    (0..1000_u32).for_each(|key| queue.insert(key, now + after(5.0) * key / 1000));
    let resumed = now + after(36.0);
    assert!(queue.due(resumed, &mut random).is_empty(), "none in the instant of resuming");
    let mut probed = Vec::new();
    for tenth in 1..=10 {
        let burst = queue.due(resumed + SPREAD * tenth / 10, &mut random);
        assert!(burst.len() < 200, "{} in a tenth of the spread", burst.len());
        probed.extend(burst);
    }
    probed.sort_unstable();
    assert_eq!(probed, (0..1000).collect::<Vec<_>>());
}

#[test]
fn inserting_again_and_again_does_not_make_the_queue_grow() {
    let now = start();
    let mut queue = ProbeQueue::new();
    (0..10_000_u32).for_each(|round| queue.insert(round % 10, now + after(1.0)));
    assert!(queue.heap.len() <= 2 * 10 + 17, "{}", queue.heap.len());
}
