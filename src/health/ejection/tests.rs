use super::*;

const POLICY: EjectionPolicy = EjectionPolicy {
    consecutive_failures: 5,
    base_ejection: Duration::from_secs(30),
    max_ejection: Duration::from_secs(300),
    max_ejected_percent: 50,
};
const TEN: GroupCounts = GroupCounts { wanted: 10, ejected: 0, other_eligible: 9 };

fn start() -> Instant {
    crate::time::clock::now()
}

fn rng() -> fastrand::Rng {
    fastrand::Rng::with_seed(3)
}

/// Ejects, and gives how long for.
fn eject(state: &mut EjectionState, now: Instant, random: &mut fastrand::Rng) -> Duration {
    length(state.on_failure(5, TEN, &POLICY, now, random), now)
}

fn length(decision: Decision, now: Instant) -> Duration {
    let Decision::Eject { until } = decision else { panic!("{decision:?} is no ejection") };
    until - now
}

fn assert_about(length: Duration, seconds: u64) {
    let expected = Duration::from_secs(seconds);
    assert!(length >= expected.mul_f64(0.9) && length <= expected.mul_f64(1.1), "{length:?}, not about {expected:?}");
}

#[test]
fn fifth_failure_in_a_row_ejects_for_30_seconds() {
    let (mut state, mut random, now) = (EjectionState::default(), rng(), start());
    for in_a_row in 1..5 {
        assert_eq!(state.on_failure(in_a_row, TEN, &POLICY, now, &mut random), Decision::Stay);
    }
    assert_about(eject(&mut state, now, &mut random), 30);
    assert!(state.is_ejected() && !state.is_half_open());
}

#[test]
fn no_more_than_half_of_the_group_is_out_at_once() {
    let (mut state, mut random, now) = (EjectionState::default(), rng(), start());
    for (wanted, ejected, spared) in [(10, 4, false), (10, 5, true), (3, 0, false), (3, 1, true), (2, 0, false)] {
        let group = GroupCounts { wanted, ejected, other_eligible: 1 };
        let decision = state.clone_and(|state| state.on_failure(5, group, &POLICY, now, &mut random));
        assert_eq!(decision == Decision::Spared, spared, "{ejected} of {wanted} are out");
    }
    let group = GroupCounts { wanted: 10, ejected: 5, other_eligible: 5 };
    assert_eq!(state.on_failure(99, group, &POLICY, now, &mut random), Decision::Spared);
    assert!(!state.is_ejected());
}

impl EjectionState {
    fn clone_and<T>(&self, run: impl FnOnce(&mut Self) -> T) -> T {
        run(&mut self.clone())
    }
}

#[test]
fn the_last_eligible_target_is_never_ejected() {
    let (mut state, mut random) = (EjectionState::default(), rng());
    let group = GroupCounts { wanted: 10, ejected: 0, other_eligible: 0 };
    assert_eq!(state.on_failure(5, group, &POLICY, start(), &mut random), Decision::Spared);
}

#[test]
fn a_spared_target_is_ejected_by_a_later_failure_once_there_is_room() {
    let (mut state, mut random, now) = (EjectionState::default(), rng(), start());
    let full = GroupCounts { wanted: 2, ejected: 1, other_eligible: 1 };
    assert_eq!(state.on_failure(5, full, &POLICY, now, &mut random), Decision::Spared);
    assert_about(length(state.on_failure(8, TEN, &POLICY, now, &mut random), now), 30);
}

#[test]
fn zero_consecutive_failures_switches_ejection_off() {
    let (mut state, mut random) = (EjectionState::default(), rng());
    let off = EjectionPolicy { consecutive_failures: 0, ..POLICY };
    assert_eq!(state.on_failure(u32::MAX, TEN, &off, start(), &mut random), Decision::Stay);
}

#[test]
fn failures_of_an_ejected_target_change_nothing() {
    let (mut state, mut random, now) = (EjectionState::default(), rng(), start());
    eject(&mut state, now, &mut random);
    let before = state;
    assert_eq!(state.on_failure(50, TEN, &POLICY, now, &mut random), Decision::Stay);
    assert_eq!(state, before);
}

#[test]
fn the_end_of_an_ejection_opens_one_trial_that_brings_the_target_back() {
    let (mut state, mut random, now) = (EjectionState::default(), rng(), start());
    let until = now + eject(&mut state, now, &mut random);
    assert_eq!(state.next_change(), Some(until));
    assert_eq!(state.advance(until - Duration::from_millis(1)), Decision::Stay);
    assert_eq!(state.advance(until), Decision::OpenTrial);
    assert_eq!(state.advance(until), Decision::Stay, "one trial");
    assert!(state.is_ejected(), "a half-open target is not back yet");
    assert_eq!(state.on_trial(true, &POLICY, until, &mut random), Decision::Return);
    assert!(!state.is_ejected());
}

#[test]
fn each_failed_trial_ejects_for_longer_up_to_the_bound() {
    let (mut state, mut random, mut now) = (EjectionState::default(), rng(), start());
    let mut length_now = eject(&mut state, now, &mut random);
    for times in 2..=15_u64 {
        now += length_now;
        assert_eq!(state.advance(now), Decision::OpenTrial);
        length_now = length(state.on_trial(false, &POLICY, now, &mut random), now);
        assert_about(length_now, (30 * times).min(300));
        assert!(length_now <= POLICY.max_ejection);
    }
}

#[test]
fn the_count_goes_down_by_one_for_each_max_ejection_in_service() {
    let (mut state, mut random, mut now) = (EjectionState::default(), rng(), start());
    let mut length_now = eject(&mut state, now, &mut random);
    for _ in 0..3 {
        now += length_now;
        state.advance(now);
        length_now = length(state.on_trial(false, &POLICY, now, &mut random), now);
    }
    assert_about(length_now, 120);
    now += length_now;
    state.advance(now);
    state.on_trial(true, &POLICY, now, &mut random);
    let at_once = state.clone_and(|state| eject(state, now, &mut random));
    assert_about(at_once, 150);
    let after_two_spans = state.clone_and(|state| eject(state, now + Duration::from_secs(601), &mut random));
    assert_about(after_two_spans, 90);
    let much_later = state.clone_and(|state| eject(state, now + Duration::from_secs(86_400), &mut random));
    assert_about(much_later, 30);
}

#[test]
fn a_trial_outcome_of_a_target_that_is_not_half_open_is_ignored() {
    let (mut state, mut random, now) = (EjectionState::default(), rng(), start());
    assert_eq!(state.on_trial(false, &POLICY, now, &mut random), Decision::Stay);
    eject(&mut state, now, &mut random);
    assert_eq!(state.on_trial(true, &POLICY, now, &mut random), Decision::Stay);
    assert!(state.is_ejected());
}

#[test]
fn targets_ejected_together_do_not_return_together() {
    let (mut random, now) = (rng(), start());
    let lengths: Vec<Duration> = (0..20).map(|_| eject(&mut EjectionState::default(), now, &mut random)).collect();
    let (first, last) = (lengths.iter().min().expect("20"), lengths.iter().max().expect("20"));
    assert!(*last - *first > Duration::from_secs(3), "{first:?}..{last:?}");
}
