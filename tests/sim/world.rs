//! Clock, operators, targets, clients and workers, all from one seed.

use super::invariants::Invariants;
use forebay::balance::{Balance, Cursor, FailOpen, Lease};
use forebay::config::{
    AdminState, Config, HealthCheck, Listener, OnUnhealthy, ProbeKind, Target, TargetAddr, TargetGroup,
};
use forebay::control::state::{Effect, Input, ProbeOrder, ProbeOutcome, ProbeReport, State};
use forebay::control::{EventKind, Refusal, TargetChange};
use forebay::model::{ConnectFailure, FlowKey, Observation, ObservationKind};
use forebay::snapshot::{ListeningAddress, Phase, ProcessRuntime, Snapshot};
use forebay::stats::BoundedGauge;
use forebay::time::clock;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

const WORKERS: usize = 2;
const GROUPS: [&str; 2] = ["blue", "green"];
const TARGETS: u8 = 6;

/// A worker: the generation that it obeys, possibly an old one.
struct Worker {
    obeys: Arc<Snapshot>,
    cursors: Vec<Cursor>,
}

/// A session holds a lease for as long as it lives.
struct Session {
    lease: Lease,
}

pub(super) struct World {
    random: fastrand::Rng,
    pub(super) now: Instant,
    pub(super) state: State,
    pub(super) config: Arc<Config>,
    pub(super) latest: Arc<Snapshot>,
    workers: Vec<Worker>,
    sessions: Vec<Session>,
    /// Probes whose answers are still to come, late ones of removed targets too.
    probes: Vec<ProbeOrder>,
    invariants: Invariants,
    /// What control told of.
    told: BTreeSet<&'static str>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let now = clock::now();
        let process = ProcessRuntime::new(BoundedGauge::new(0), WORKERS);
        let mut state = State::new(Arc::new(process), WORKERS, now);
        let config = Arc::new(any_config(&mut random));
        let addresses = addresses(&config);
        let first = Input::Reload { config: Arc::clone(&config), addresses, keep_changes: false };
        state.apply(first, now, &mut random).expect("the first configuration is taken");
        let latest = state.compile(now).expect("the first generation is new");
        let worker = |_| Worker { obeys: Arc::clone(&latest), cursors: Vec::new() };
        let workers = (0..WORKERS).map(worker).collect();
        let invariants = Invariants::default();
        let (sessions, probes) = (Vec::new(), Vec::new());
        let told = BTreeSet::new();
        let mut world = Self { random, now, state, config, latest, workers, sessions, probes, invariants, told };
        world.settle(None);
        world
    }

    /// One event, and what follows.
    pub(super) fn step(&mut self) {
        let cause = match self.random.u8(0..100) {
            0..25 => self.open_session(),
            25..40 => self.close_session(),
            40..60 => self.end_probe(),
            60..70 => self.adopt(),
            70..85 => self.pass_time(),
            85..93 => self.change_target(),
            93..97 => self.reload(),
            _ => self.forget_changes(),
        };
        self.settle(cause);
    }

    /// The process ends, and every lease is returned. Tells what kinds of things have happened.
    pub(super) fn end(mut self) -> BTreeSet<&'static str> {
        self.apply(Input::Shutdown);
        for _ in 0..4 {
            self.now += self.config.runtime.drain_delay + self.config.runtime.shutdown_timeout;
            self.apply(Input::Tick);
            self.settle(None);
        }
        assert_eq!(self.latest.phase, Phase::Halted);
        self.sessions.clear();
        self.invariants.check_loads(&BTreeMap::new());
        self.told
    }

    fn apply(&mut self, input: Input) {
        let answer = self.state.apply(input, self.now, &mut self.random);
        assert!(matches!(answer, Ok(_) | Err(Refusal::NotFound(_))), "{answer:?}");
    }

    /// Publishes what has changed, does what is to be done, and checks everything.
    fn settle(&mut self, cause: Option<Observation>) {
        if let Some(snapshot) = self.state.compile(self.now) {
            assert_eq!(snapshot.generation, self.latest.generation + u64::from(self.latest.generation > 0));
            self.latest = snapshot;
        }
        for effect in self.state.take_effects() {
            match effect {
                Effect::StartProbe(order) => {
                    self.invariants.check_probe(&order, &self.latest, &self.probes);
                    self.probes.push(order);
                }
                Effect::Event(event) if event.kind == EventKind::Ejection && event.is_warning => {
                    self.told.insert("ejection");
                    let picture = self.state.picture(self.now, SystemTime::UNIX_EPOCH).expect("compiled");
                    let group = event.target_group.expect("an ejection names its group");
                    self.invariants.check_ejection(&picture, &group, cause);
                }
                Effect::Event(event) if event.message.starts_with("returned") => drop(self.told.insert("return")),
                Effect::Event(event) => drop(self.told.insert(event.kind.as_str())),
            }
        }
        let deadline = self.state.next_deadline();
        assert!(deadline.is_none_or(|at| at > self.now), "a deadline that has passed makes control spin");
        self.invariants.check(&self.latest, self.now);
        self.pick_on_latest();
        let mut held: BTreeMap<u32, u32> = BTreeMap::new();
        for session in &self.sessions {
            *held.entry(session.lease.target().uid).or_default() += 1;
        }
        self.invariants.check_loads(&held);
    }

    /// Whoever is picked now may have work.
    fn pick_on_latest(&mut self) {
        for group in &self.latest.groups {
            let key = any_key(&mut self.random);
            let mut cursor = Cursor::new();
            match group.placement.pick(&key, &[], &mut cursor, &mut self.random) {
                Ok((index, _lease)) => Invariants::check_picked(group, usize::from(index)),
                Err(_) => Invariants::check_refused(group),
            }
        }
    }

    /// A client comes: its worker picks under the generation that it obeys, and the connection fails or not.
    fn open_session(&mut self) -> Option<Observation> {
        let worker = &mut self.workers[self.random.usize(..WORKERS)];
        let random = &mut self.random;
        let (obeys, cursors) = (Arc::clone(&worker.obeys), &mut worker.cursors);
        cursors.resize_with(obeys.groups.len(), Cursor::new);
        let at = random.usize(..obeys.groups.len());
        let key = any_key(random);
        let (_, mut lease) = obeys.groups[at].placement.pick(&key, &[], &mut cursors[at], random).ok()?;
        let target = Arc::clone(lease.target());
        // Two ids are bad most of the time, the others rarely.
        let is_bad = target.id.ends_with(['0', '1']);
        let fails = random.f64() < if is_bad { 0.9 } else { 0.1 };
        let is_trial = lease.settle_trial();
        let kind = if fails {
            let in_a_row = target.note_failure();
            let failure = ConnectFailure::Refused;
            if is_trial { ObservationKind::TrialFailed } else { ObservationKind::ConnectFailed { failure, in_a_row } }
        } else {
            target.note_success();
            self.sessions.push(Session { lease });
            if !is_trial {
                return None;
            }
            ObservationKind::TrialPassed
        };
        // Now and then control does not keep up, and the queue is full; a trial's outcome is told sooner or later.
        if !is_trial && self.random.u8(..) < 8 {
            return None;
        }
        let observation = Observation { target_uid: target.uid, kind };
        self.apply(Input::Observed(observation));
        Some(observation)
    }

    fn close_session(&mut self) -> Option<Observation> {
        if !self.sessions.is_empty() {
            let index = self.random.usize(..self.sessions.len());
            self.sessions.swap_remove(index);
        }
        None
    }

    /// A probe is answered, in any order.
    fn end_probe(&mut self) -> Option<Observation> {
        if self.probes.is_empty() {
            return None;
        }
        let order = self.probes.swap_remove(self.random.usize(..self.probes.len()));
        let outcome = match self.random.u8(0..10) {
            0..6 => ProbeOutcome::Passed,
            6..8 => ProbeOutcome::Failed("refused".to_owned()),
            8 => ProbeOutcome::TimedOut,
            _ => ProbeOutcome::Inconclusive("no descriptor".to_owned()),
        };
        let took = self.now.saturating_duration_since(order.started);
        let (target_uid, probe) = (order.target_uid, order.probe);
        let report = ProbeReport { target_uid, probe, outcome, took };
        self.apply(Input::ProbeEnded(report.clone()));
        if self.random.bool() {
            // An answer that comes twice is heard once.
            self.apply(Input::ProbeEnded(report));
        }
        None
    }

    /// A worker takes the latest generation; the slowest one counts.
    fn adopt(&mut self) -> Option<Observation> {
        let worker = self.random.usize(..WORKERS);
        self.workers[worker].obeys = Arc::clone(&self.latest);
        let adopted = self.workers.iter().map(|worker| worker.obeys.generation).min().unwrap_or(0);
        self.apply(Input::Adopted(adopted));
        None
    }

    fn pass_time(&mut self) -> Option<Observation> {
        let millis = match self.random.u8(0..10) {
            0..5 => self.random.u64(1..500),
            5..8 => self.random.u64(500..5_000),
            8 => self.random.u64(5_000..60_000),
            // The process was stopped, or the machine slept.
            _ => self.random.u64(60_000..4_000_000),
        };
        let until = self.now + Duration::from_millis(millis);
        // The runner wakes up when it is asked to; or is late, when it could not.
        if self.random.bool() {
            let deadline = self.state.next_deadline();
            if let Some(at) = deadline.filter(|at| *at < until) {
                self.now = at;
                self.apply(Input::Tick);
                return None;
            }
        }
        self.now = until;
        self.apply(Input::Tick);
        None
    }

    fn change_target(&mut self) -> Option<Observation> {
        let states = [AdminState::Enabled, AdminState::Draining, AdminState::Disabled];
        let state = self.random.bool().then(|| self.random.choice(states).expect("three"));
        let weight = (self.random.u8(0..4) == 0).then(|| self.random.u16(0..4));
        let group = self.random.choice(GROUPS).expect("two").to_owned();
        let target = format!("t{}", self.random.u8(0..TARGETS));
        let change = TargetChange { state, weight };
        let again = self.random.u8(0..4) == 0;
        let input = || Input::ChangeTarget { group: group.clone(), target: target.clone(), change };
        self.apply(input());
        if again {
            let answer = self.state.apply(input(), self.now, &mut self.random);
            assert!(!answer.is_ok_and(|answer| answer.changed), "the same change twice changes nothing");
        }
        None
    }

    fn reload(&mut self) -> Option<Observation> {
        self.config = Arc::new(any_config(&mut self.random));
        let (config, addresses) = (Arc::clone(&self.config), addresses(&self.config));
        let keep_changes = self.random.bool();
        self.apply(Input::Reload { config, addresses, keep_changes });
        None
    }

    /// The same file again: only run-time changes go.
    fn forget_changes(&mut self) -> Option<Observation> {
        let (config, addresses) = (Arc::clone(&self.config), addresses(&self.config));
        self.apply(Input::Reload { config, addresses, keep_changes: false });
        let picture = self.state.compile(self.now).map(|snapshot| {
            self.latest = snapshot;
            self.state.picture(self.now, SystemTime::UNIX_EPOCH)
        });
        assert!(picture.flatten().is_none_or(|picture| !picture.differs_from_file));
        None
    }
}

fn any_key(random: &mut fastrand::Rng) -> FlowKey {
    let client = SocketAddr::new(std::net::Ipv4Addr::from_bits(random.u32(..)).into(), random.u16(..));
    FlowKey { client_addr: client, listen_addr: "192.0.2.1:80".parse().expect("an address") }
}

/// Any configuration with one listener to both groups, or to one.
fn any_config(random: &mut fastrand::Rng) -> Config {
    let mut config = Config::default();
    config.runtime.shutdown_timeout = Duration::from_secs(random.u64(1..60));
    config.runtime.drain_delay = Duration::from_secs(random.u64(0..5));
    let groups = if random.u8(0..8) == 0 { &GROUPS[1..] } else { &GROUPS[..] };
    config.target_groups = groups.iter().map(|name| any_group(name, random)).collect();
    for name in ["api", "web"].iter().take(random.usize(1..=2)) {
        let forwarded = groups[random.usize(..groups.len())];
        config.listeners.push(Listener::tcp(name, "192.0.2.1:80".parse().expect("an address"), forwarded));
    }
    config
}

fn any_group(name: &str, random: &mut fastrand::Rng) -> TargetGroup {
    let mut group = TargetGroup::new(name, &[]);
    for number in 0..TARGETS {
        if random.u8(0..4) > 0 {
            group.targets.push(any_target(number, random));
        }
    }
    let balances =
        [Balance::LeastConnections, Balance::Maglev, Balance::RoundRobin, Balance::Random, Balance::PowerOfTwo];
    group.balance = random.choice(balances).expect("five");
    group.table_size = 251;
    group.fail_open_below = match random.u8(0..4) {
        0 => FailOpen::Never,
        1 => FailOpen::Below(50),
        _ => FailOpen::Below(0),
    };
    let manners = [OnUnhealthy::Auto, OnUnhealthy::Drain, OnUnhealthy::Reset];
    group.on_unhealthy = random.choice(manners).expect("three");
    group.drain_timeout = Duration::from_secs(random.u64(0..400));
    group.outlier.consecutive_failures = random.u32(0..4);
    group.outlier.max_ejected_percent = 50;
    group.health_check = (random.u8(0..4) > 0).then(|| HealthCheck {
        kind: ProbeKind::Tcp { send: Vec::new(), expect: Vec::new() },
        port: None,
        source_address: None,
        interval: Duration::from_millis(random.u64(1_000..10_000)),
        timeout: Duration::from_millis(1_000),
        jitter_percent: 10,
        healthy_threshold: random.u32(1..3),
        unhealthy_threshold: random.u32(1..3),
        fast_interval: Duration::from_millis(500),
    });
    group
}

fn any_target(number: u8, random: &mut fastrand::Rng) -> Target {
    Target {
        id: format!("t{number}").into(),
        address: TargetAddr { ip: [10, 0, 0, number].into(), port: Some(80) },
        weight: if random.u8(0..8) == 0 { 0 } else { random.u16(1..4) },
        backup: random.u8(0..6) == 0,
        max_connections: if random.u8(0..6) == 0 { 3 } else { 0 },
        state: match random.u8(0..12) {
            0 => AdminState::Draining,
            1 => AdminState::Disabled,
            _ => AdminState::Enabled,
        },
    }
}

fn addresses(config: &Config) -> Vec<Vec<Arc<ListeningAddress>>> {
    config.listeners.iter().map(|_| Vec::new()).collect()
}
