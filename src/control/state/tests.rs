use super::*;
use crate::balance::{Pool, TargetReason};
use crate::config::{
    AdminState, FailOpen, HealthCheck, Listener, OnUnhealthy, ProbeKind, Target, TargetAddr, TargetGroup,
};
use crate::control::TargetChange;
use crate::model::{CloseReason, ConnectFailure, Observation, ObservationKind};
use crate::snapshot::{CloseOrder, Manner, Phase};
use crate::stats::BoundedGauge;
use crate::time::clock;
use std::time::{Duration, SystemTime};

/// A state with a clock and a hand on it.
struct Bench {
    state: State,
    now: Instant,
    random: fastrand::Rng,
    /// Probes under way.
    orders: Vec<ProbeOrder>,
    events: Vec<Event>,
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn target(id: &str) -> Target {
    Target {
        id: id.into(),
        address: TargetAddr { ip: [127, 0, 0, 1].into(), port: Some(80) },
        weight: 1,
        backup: false,
        max_connections: 0,
        state: AdminState::Enabled,
    }
}

/// Listener `web` to a group `pool` of these targets.
fn config(ids: &[&str], change: impl Fn(&mut TargetGroup)) -> Config {
    let mut group = TargetGroup { targets: ids.iter().map(|id| target(id)).collect(), ..TargetGroup::new("pool", &[]) };
    change(&mut group);
    let listeners = vec![Listener::tcp("web", "127.0.0.1:80".parse().unwrap(), "pool")];
    Config { listeners, target_groups: vec![group], ..Config::default() }
}

fn checked(group: &mut TargetGroup) {
    group.health_check = Some(HealthCheck {
        kind: ProbeKind::Tcp { send: Vec::new(), expect: Vec::new() },
        port: None,
        source_address: None,
        interval: seconds(5),
        timeout: seconds(2),
        jitter_percent: 0,
        healthy_threshold: 2,
        unhealthy_threshold: 3,
        fast_interval: seconds(1),
    });
}

impl Bench {
    fn new(config: Config) -> Self {
        let process = ProcessRuntime::new(BoundedGauge::new(0), 1);
        let now = clock::now();
        let state = State::new(Arc::new(process), 1, now);
        let random = fastrand::Rng::with_seed(1);
        let mut bench = Self { state, now, random, orders: Vec::new(), events: Vec::new() };
        bench.reload(config, false);
        bench
    }

    fn apply(&mut self, input: Input) -> Answer {
        let answer = self.state.apply(input, self.now, &mut self.random).unwrap();
        self.compile();
        answer
    }

    fn compile(&mut self) {
        self.state.compile(self.now);
        for effect in self.state.take_effects() {
            match effect {
                Effect::StartProbe(order) => self.orders.push(order),
                Effect::Event(event) => self.events.push(event),
            }
        }
    }

    fn reload(&mut self, config: Config, keep_changes: bool) -> Answer {
        let addresses = config.listeners.iter().map(|_| Vec::new()).collect();
        self.apply(Input::Reload { config: Arc::new(config), addresses, keep_changes })
    }

    fn change(&mut self, id: &str, change: TargetChange) -> Answer {
        self.apply(Input::ChangeTarget { group: "pool".to_owned(), target: id.to_owned(), change })
    }

    fn set(&mut self, id: &str, state: AdminState) -> Answer {
        self.change(id, TargetChange { state: Some(state), weight: None })
    }

    /// Lets time pass, awake.
    fn pass(&mut self, length: Duration) {
        let until = self.now + length;
        while let Some(at) = self.state.next_deadline().filter(|at| *at <= until) {
            self.now = at;
            self.apply(Input::Tick);
        }
        self.now = until;
        self.apply(Input::Tick);
    }

    /// Answers the probe that is under way, waiting for one where necessary.
    fn probed(&mut self, id: &str, outcome: ProbeOutcome) {
        self.probed_after(id, outcome, Duration::from_millis(1));
    }

    fn probed_after(&mut self, id: &str, outcome: ProbeOutcome, took: Duration) {
        let uid = self.uid(id);
        while !self.orders.iter().any(|order| order.target_uid == uid) {
            self.now = self.state.next_deadline().expect("a probe is due some time");
            self.apply(Input::Tick);
        }
        let at = self.orders.iter().position(|order| order.target_uid == uid).unwrap();
        let probe = self.orders.swap_remove(at).probe;
        self.apply(Input::ProbeEnded(ProbeReport { target_uid: uid, probe, outcome, took }));
    }

    fn fails(&mut self, id: &str, in_a_row: u32) {
        let kind = ObservationKind::ConnectFailed { failure: ConnectFailure::Refused, in_a_row };
        self.observe(id, kind);
    }

    fn observe(&mut self, id: &str, kind: ObservationKind) {
        let target_uid = self.uid(id);
        self.apply(Input::Observed(Observation { target_uid, kind }));
    }

    fn snapshot(&self) -> &Snapshot {
        self.state.snapshot.as_deref().unwrap()
    }

    fn member(&self, id: &str) -> &crate::balance::Member {
        let members = self.snapshot().groups[0].placement.members();
        members.iter().find(|member| *member.runtime.id == *id).unwrap()
    }

    fn reason(&self, id: &str) -> TargetReason {
        self.member(id).reason()
    }

    fn uid(&self, id: &str) -> u32 {
        self.member(id).runtime.uid
    }

    fn order(&self, uid: u32) -> Option<CloseOrder> {
        self.snapshot().orders.targets.get(&uid).copied()
    }

    fn pool(&self) -> Pool {
        self.snapshot().groups[0].placement.pool()
    }

    fn told(&self, kind: EventKind) -> Vec<&str> {
        let events = self.events.iter().filter(|event| event.kind == kind);
        events.map(|event| event.message.split(':').next().unwrap()).collect()
    }
}

use super::super::EventKind;
use ProbeOutcome::{Passed, TimedOut};

fn failed() -> ProbeOutcome {
    ProbeOutcome::Failed("refused".to_owned())
}

#[test]
fn first_probes_go_out_at_once_and_one_success_is_enough() {
    let mut bench = Bench::new(config(&["a", "b"], checked));
    assert_eq!(bench.orders.len(), 2);
    assert_eq!((bench.reason("a"), bench.pool()), (TargetReason::Initial, Pool::FailOpen));
    bench.probed("a", Passed);
    assert_eq!((bench.reason("a"), bench.pool()), (TargetReason::Ok, Pool::Primaries));
    assert_eq!(bench.told(EventKind::FailOpen), [""; 0], "nothing was known before");
}

#[test]
fn a_group_without_a_health_check_is_healthy() {
    let bench = Bench::new(config(&["a"], |_| {}));
    assert_eq!(bench.reason("a"), TargetReason::Ok);
    assert!(bench.orders.is_empty());
}

#[test]
fn thresholds_flip_a_verdict_and_each_edge_is_told_once() {
    let mut bench = Bench::new(config(&["a", "b"], checked));
    bench.probed("a", Passed);
    bench.probed("b", Passed);
    for _ in 0..3 {
        assert_eq!(bench.reason("a"), TargetReason::Ok);
        bench.probed("a", failed());
    }
    assert_eq!(bench.reason("a"), TargetReason::Unhealthy);
    for _ in 0..2 {
        assert_eq!(bench.reason("a"), TargetReason::Unhealthy);
        bench.probed("a", Passed);
    }
    assert_eq!(bench.reason("a"), TargetReason::Ok);
    assert_eq!(bench.told(EventKind::Health), ["healthy", "healthy", "unhealthy", "healthy"]);
}

#[test]
fn at_most_one_probe_of_a_target_is_under_way_and_its_answer_counts_once() {
    let mut bench = Bench::new(config(&["a"], checked));
    bench.pass(seconds(60));
    assert_eq!(bench.orders.len(), 1, "the first one has no answer yet");
    let order = bench.orders[0].clone();
    let report = ProbeReport { target_uid: order.target_uid, probe: order.probe, outcome: Passed, took: seconds(1) };
    bench.apply(Input::ProbeEnded(report.clone()));
    let totals =
        |bench: &Bench| bench.state.picture(bench.now, SystemTime::UNIX_EPOCH).unwrap().groups[0].targets[0].probes;
    let before = totals(&bench);
    bench.apply(Input::ProbeEnded(report));
    assert_eq!((totals(&bench), before.passed), (before, 1));
}

#[test]
fn probes_that_time_out_while_the_process_is_stopped_prove_nothing() {
    let mut bench = Bench::new(config(&["a"], checked));
    bench.probed("a", Passed);
    for _ in 0..9 {
        bench.probed_after("a", TimedOut, seconds(30));
    }
    assert_eq!(bench.reason("a"), TargetReason::Ok);
    for _ in 0..3 {
        bench.probed_after("a", TimedOut, seconds(2));
    }
    assert_eq!(bench.reason("a"), TargetReason::Unhealthy);
}

#[test]
fn a_disabled_target_is_not_probed_and_resumes_at_once() {
    let mut bench = Bench::new(config(&["a", "b"], checked));
    bench.probed("a", Passed);
    bench.probed("b", Passed);
    bench.set("a", AdminState::Disabled);
    bench.pass(seconds(60));
    let uid = bench.uid("a");
    assert!(bench.orders.iter().all(|order| order.target_uid != uid));
    bench.set("a", AdminState::Enabled);
    assert!(bench.orders.iter().any(|order| order.target_uid == uid));
    assert_eq!(bench.reason("a"), TargetReason::Ok, "what was known of it stays");
}

#[test]
fn readiness_waits_for_first_verdicts_and_no_longer_than_timeout_and_a_second() {
    let mut bench = Bench::new(config(&["a", "b"], checked));
    assert!(bench.state.ready().is_err());
    bench.apply(Input::Adopted(1));
    bench.probed("a", Passed);
    assert!(bench.state.ready().is_err());
    bench.pass(Duration::from_millis(2_999));
    assert!(bench.state.ready().is_err());
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.state.ready(), Ok(()));

    let mut bench = Bench::new(config(&["a"], checked));
    bench.probed("a", failed());
    assert!(bench.state.ready().is_err(), "a verdict is there, but no worker serves");
    bench.apply(Input::Adopted(1));
    assert_eq!(bench.state.ready(), Ok(()), "an unhealthy verdict is one");
}

#[test]
fn five_failures_in_a_row_eject_and_one_trial_decides_the_return() {
    let mut bench = Bench::new(config(&["a", "b"], |_| {}));
    bench.fails("a", 4);
    assert_eq!(bench.reason("a"), TargetReason::Ok);
    bench.fails("a", 5);
    assert_eq!(bench.reason("a"), TargetReason::Ejected);
    bench.pass(seconds(26));
    assert!(!bench.member("a").runtime.is_trial_open());
    bench.pass(seconds(8));
    assert!(bench.member("a").runtime.is_trial_open() && bench.member("a").standing == crate::balance::Standing::Trial);
    bench.observe("a", ObservationKind::TrialFailed);
    bench.pass(seconds(50));
    assert!(!bench.member("a").runtime.is_trial_open(), "the second ejection lasts twice as long");
    bench.pass(seconds(17));
    assert!(bench.member("a").runtime.is_trial_open());
    bench.observe("a", ObservationKind::TrialPassed);
    assert_eq!(bench.reason("a"), TargetReason::Ok);
}

#[test]
fn never_more_than_half_is_ejected_and_never_the_last_eligible() {
    let mut bench = Bench::new(config(&["a", "b", "c"], |_| {}));
    for id in ["a", "b", "c"] {
        bench.fails(id, 5);
    }
    let reasons = ["a", "b", "c"].map(|id| bench.reason(id));
    assert_eq!(reasons, [TargetReason::Ejected, TargetReason::Ok, TargetReason::Ok]);

    let mut bench = Bench::new(config(&["a", "b"], |_| {}));
    bench.set("b", AdminState::Draining);
    bench.fails("a", 99);
    assert_eq!(bench.reason("a"), TargetReason::Ok, "it is the last eligible one");
}

#[test]
fn a_passing_probe_does_not_end_an_ejection() {
    let mut bench = Bench::new(config(&["a", "b"], checked));
    bench.probed("a", Passed);
    bench.probed("b", Passed);
    bench.fails("a", 5);
    bench.probed("a", Passed);
    assert_eq!(bench.reason("a"), TargetReason::Ejected);
}

#[test]
fn a_reload_carries_health_ejection_and_the_record_over_by_id() {
    let mut bench = Bench::new(config(&["a", "b"], checked));
    bench.probed("a", Passed);
    bench.probed("b", Passed);
    bench.fails("a", 5);
    let before = Arc::clone(&bench.member("a").runtime);
    let answer = bench.reload(config(&["c", "b", "a"], checked), false);
    assert!(answer.changed);
    assert!(Arc::ptr_eq(&before, &bench.member("a").runtime));
    assert_eq!(bench.reason("a"), TargetReason::Ejected);
    assert_eq!((bench.reason("b"), bench.reason("c")), (TargetReason::Ok, TargetReason::Initial));
}

#[test]
fn a_reload_of_the_same_file_publishes_nothing() {
    let mut bench = Bench::new(config(&["a"], |_| {}));
    assert!(!bench.reload(config(&["a"], |_| {}), false).changed);
    assert_eq!(bench.snapshot().generation, 1);
}

#[test]
fn a_changed_check_keeps_verdicts_and_is_asked_at_once() {
    let mut bench = Bench::new(config(&["a"], checked));
    bench.probed("a", Passed);
    let faster = |group: &mut TargetGroup| {
        checked(group);
        group.health_check.as_mut().unwrap().port = Some(81);
    };
    bench.reload(config(&["a"], faster), false);
    assert_eq!(bench.reason("a"), TargetReason::Ok);
    assert_eq!(bench.orders[0].addr.port(), 81);
}

#[test]
fn late_answers_of_a_removed_target_are_not_heard() {
    let mut bench = Bench::new(config(&["a", "b"], checked));
    bench.probed("b", Passed);
    let order = bench.orders[0].clone();
    bench.reload(config(&["b"], checked), false);
    bench.reload(config(&["a", "b"], checked), false);
    let (target_uid, probe) = (order.target_uid, order.probe);
    bench.apply(Input::ProbeEnded(ProbeReport { target_uid, probe, outcome: Passed, took: seconds(1) }));
    assert_eq!(bench.reason("a"), TargetReason::Initial, "it came back, and is asked anew");
}

#[test]
fn changes_are_idempotent_and_a_reload_undoes_them_unless_kept() {
    let mut bench = Bench::new(config(&["a", "b"], |_| {}));
    let change = TargetChange { state: Some(AdminState::Draining), weight: Some(3) };
    assert!(bench.change("a", change).changed);
    assert!(!bench.change("a", change).changed);
    assert_eq!(bench.snapshot().generation, 2);
    assert_eq!(bench.reload(config(&["a", "b"], |_| {}), true), Answer::default());
    assert_eq!(bench.reason("a"), TargetReason::Draining);
    let answer = bench.reload(config(&["a", "b"], |_| {}), false);
    assert_eq!(answer.discarded, ["pool/a: state draining, weight 3"]);
    assert!(answer.changed && bench.reason("a") == TargetReason::Ok && bench.member("a").weight == 1);
}

#[test]
fn what_is_not_there_or_out_of_bounds_is_refused_and_changes_nothing() {
    let mut bench = Bench::new(config(&["a"], |_| {}));
    let change = TargetChange { state: None, weight: Some(1001) };
    let mut ask = |group: &str, target: &str| {
        let input = Input::ChangeTarget { group: group.to_owned(), target: target.to_owned(), change };
        bench.state.apply(input, bench.now, &mut bench.random).unwrap_err()
    };
    assert!(matches!(ask("pool", "a"), Refusal::BadRequest(_)));
    let small = TargetChange { weight: Some(2), ..change };
    let mut ask = |group: &str, target: &str| {
        let input = Input::ChangeTarget { group: group.to_owned(), target: target.to_owned(), change: small };
        bench.state.apply(input, bench.now, &mut bench.random).unwrap_err()
    };
    assert!(matches!(ask("pool", "z"), Refusal::NotFound(_)));
    assert!(matches!(ask("nowhere", "a"), Refusal::NotFound(_)));
    assert!(bench.state.compile(bench.now).is_none());
}

#[test]
fn draining_orders_a_drain_from_its_beginning_and_enabling_takes_it_back() {
    let mut bench = Bench::new(config(&["a", "b"], |_| {}));
    let (uid, began) = (bench.uid("a"), bench.now);
    bench.set("a", AdminState::Draining);
    bench.pass(seconds(100));
    bench.change("a", TargetChange { state: None, weight: Some(2) });
    assert_eq!(bench.order(uid), Some(CloseOrder::drain(CloseReason::Drained, began, seconds(300))));
    bench.set("a", AdminState::Enabled);
    assert_eq!(bench.order(uid), None);
}

#[test]
fn disabling_closes_at_once_for_admin() {
    let mut bench = Bench::new(config(&["a", "b"], |_| {}));
    bench.set("a", AdminState::Disabled);
    let order = CloseOrder { reason: CloseReason::Admin, manner: Manner::ResetNow };
    assert_eq!(bench.order(bench.uid("a")), Some(order));
}

#[test]
fn a_removed_target_drains_and_one_that_comes_back_is_left_alone() {
    let mut bench = Bench::new(config(&["a", "b"], |_| {}));
    let (uid, runtime) = (bench.uid("a"), Arc::clone(&bench.member("a").runtime));
    assert!(runtime.load.try_acquire());
    let began = bench.now;
    bench.reload(config(&["b"], |_| {}), false);
    assert_eq!(bench.order(uid), Some(CloseOrder::drain(CloseReason::Drained, began, seconds(300))));
    bench.pass(seconds(100));
    bench.reload(config(&["a", "b"], |_| {}), false);
    assert_eq!(bench.order(uid), None);
    assert!(Arc::ptr_eq(&runtime, &bench.member("a").runtime), "its counters go on");
}

#[test]
fn a_removed_listener_drains_and_its_counters_stay() {
    let mut bench = Bench::new(config(&["a"], |_| {}));
    let listener = Arc::clone(&bench.snapshot().listeners[0].runtime);
    assert!(listener.sessions.try_acquire());
    let without = Config { listeners: Vec::new(), ..config(&["a"], |_| {}) };
    bench.reload(without, false);
    assert_eq!(bench.snapshot().orders.listeners.get(&listener.uid), Some(&bench.now));
    let picture = bench.state.picture(bench.now, SystemTime::UNIX_EPOCH).unwrap();
    assert!(Arc::ptr_eq(&picture.listeners[0], &listener));
}

#[test]
fn an_unhealthy_target_is_kept_drained_or_reset_as_the_group_asks() {
    let order = |manner: OnUnhealthy| {
        let asked = |group: &mut TargetGroup| {
            checked(group);
            group.on_unhealthy = manner;
        };
        let mut bench = Bench::new(config(&["a", "b"], asked));
        bench.probed("a", Passed);
        for _ in 0..3 {
            bench.probed("a", failed());
        }
        let (uid, now) = (bench.uid("a"), bench.now);
        (bench.order(uid), now, bench, uid)
    };
    assert_eq!(order(OnUnhealthy::Auto).0, None);
    assert_eq!(order(OnUnhealthy::Keep).0, None);
    let (drain, now, ..) = order(OnUnhealthy::Drain);
    assert_eq!(drain, Some(CloseOrder::drain(CloseReason::Unhealthy, now, seconds(300))));
    let (reset, _, mut bench, uid) = order(OnUnhealthy::Reset);
    assert_eq!(reset, Some(CloseOrder { reason: CloseReason::Unhealthy, manner: Manner::ResetNow }));
    let generation = bench.snapshot().generation;
    bench.apply(Input::Adopted(generation));
    bench.change("b", TargetChange { state: None, weight: Some(2) });
    assert_eq!(bench.order(uid), None, "who comes later, when the group fails open, is not meant");
}

#[test]
fn failing_open_is_told_once_at_each_edge() {
    let mut bench = Bench::new(config(&["a", "b"], checked));
    bench.probed("a", failed());
    bench.probed("b", failed());
    bench.probed("a", failed());
    assert_eq!(bench.told(EventKind::FailOpen).len(), 1);
    bench.probed("a", Passed);
    bench.probed("a", Passed);
    bench.probed("b", failed());
    assert_eq!(bench.told(EventKind::FailOpen).len(), 2);
    let closed = |group: &mut TargetGroup| {
        checked(group);
        group.fail_open_below = FailOpen::Never;
    };
    let bench = Bench::new(config(&["a"], closed));
    assert_eq!(bench.pool(), Pool::Empty);
}

#[test]
fn the_process_accepts_for_the_drain_delay_then_stops_then_halts() {
    let mut settings = config(&["a"], |_| {});
    settings.runtime.drain_delay = seconds(5);
    let mut bench = Bench::new(settings);
    bench.apply(Input::Adopted(1));
    assert_eq!(bench.state.ready(), Ok(()));
    bench.apply(Input::Shutdown);
    assert!(bench.state.ready().is_err());
    bench.pass(Duration::from_millis(4_999));
    assert_eq!((bench.snapshot().phase, bench.state.service()), (Phase::Serving, ServiceState::Draining));
    bench.pass(Duration::from_millis(1));
    assert_eq!((bench.snapshot().phase, bench.state.service()), (Phase::Stopping, ServiceState::Stopping));
    let order = CloseOrder::drain(CloseReason::Shutdown, bench.now, seconds(30));
    assert_eq!(bench.snapshot().orders.all, Some(order));
    bench.pass(seconds(30));
    assert_eq!(bench.snapshot().phase, Phase::Halted);
    assert_eq!(bench.state.next_deadline(), None);
}

#[test]
fn a_reload_is_refused_while_the_process_ends() {
    let mut bench = Bench::new(config(&["a"], |_| {}));
    bench.apply(Input::Shutdown);
    let input =
        Input::Reload { config: Arc::new(config(&[], |_| {})), addresses: vec![Vec::new()], keep_changes: false };
    let refusal = bench.state.apply(input, bench.now, &mut bench.random).unwrap_err();
    assert!(matches!(refusal, Refusal::Conflict(_)));
}

#[test]
fn what_has_not_changed_is_shared_with_the_generation_before() {
    let mut settings = config(&["a", "b"], |_| {});
    settings.target_groups.push(TargetGroup { targets: vec![target("z")], ..TargetGroup::new("rest", &[]) });
    let mut bench = Bench::new(settings);
    let before = Arc::clone(bench.state.snapshot.as_ref().unwrap());
    bench.set("a", AdminState::Draining);
    let after = bench.snapshot();
    assert!(!Arc::ptr_eq(&before.groups[0], &after.groups[0]));
    assert!(Arc::ptr_eq(&before.groups[1], &after.groups[1]) && Arc::ptr_eq(&before.listeners[0], &after.listeners[0]));
}
