//! From the text of a configuration to a snapshot: 100 listeners, 1,000 targets.
#![allow(missing_docs, reason = "criterion_group! makes a public function")]

use criterion::{Criterion, criterion_group, criterion_main};
use forebay::config::{Config, parse};
use forebay::control::TargetChange;
use forebay::control::state::{Input, State};
use forebay::snapshot::ProcessRuntime;
use forebay::stats::BoundedGauge;
use forebay::time::clock;
use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

fn text(balance: &str) -> String {
    let mut text = String::new();
    for listener in 0..100 {
        writeln!(text, "[listeners.l{listener}]\nbind = \"127.0.0.1:{}\"\ntarget_group = \"pool\"", 20_000 + listener)
            .expect("a String takes everything");
    }
    writeln!(text, "[target_groups.pool]\nbalance = \"{balance}\"\ntargets = [").expect("a String takes everything");
    for target in 0..1_000 {
        writeln!(text, "\"10.0.{}.{}:80\",", target / 250, target % 250).expect("a String takes everything");
    }
    text.push(']');
    text
}

fn state_of(config: &Arc<Config>) -> State {
    let process = Arc::new(ProcessRuntime::new(BoundedGauge::new(0), 2));
    let mut state = State::new(process, 2, clock::now());
    let reload = Input::Reload {
        config: Arc::clone(config),
        addresses: vec![Vec::new(); config.listeners.len()],
        keep_changes: false,
    };
    state.apply(reload, clock::now(), &mut fastrand::Rng::with_seed(1)).expect("a first configuration is taken");
    state
}

fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("snapshot");
    for balance in ["least_connections", "maglev"] {
        let text = text(balance);
        group.bench_function(format!("parse/{balance}"), |bencher| {
            bencher.iter(|| black_box(parse("bench.toml", &text)).config.is_some());
        });
        let config = Arc::new(parse("bench.toml", &text).config.expect("a valid file"));
        group.bench_function(format!("first/{balance}"), |bencher| {
            bencher.iter(|| black_box(state_of(&config).compile(clock::now())).is_some());
        });
        let (mut state, mut random, mut weight) = (state_of(&config), fastrand::Rng::with_seed(1), 1);
        drop(state.compile(clock::now()));
        group.bench_function(format!("change/{balance}"), |bencher| {
            bencher.iter(|| {
                weight = 3 - weight;
                let change = TargetChange { state: None, weight: Some(weight) };
                let input = Input::ChangeTarget { group: "pool".into(), target: "10.0.0.7:80".into(), change };
                state.apply(input, clock::now(), &mut random).expect("the target exists");
                black_box(state.compile(clock::now())).is_some()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, compile);
criterion_main!(benches);
