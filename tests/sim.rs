//! The simulated world: one seed drives a virtual clock and weighted events into control's state and the placements
//! that come of it, and after each step everything that must always hold is checked.
//!
//! A failure prints its seed and step; put the seed into `tests/sim/seeds.txt`, where it is replayed for ever.
//! `FOREBAY_SIM_SEED=7 cargo test --test sim` runs that one alone.

#[path = "sim/invariants.rs"]
mod invariants;
#[path = "sim/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use world::World;

const SEEDS: u64 = 256;
const STEPS: usize = 1000;

/// Runs one seed to its end; returns what kinds of things happened.
fn run(seed: u64) -> BTreeSet<&'static str> {
    let step = AtomicUsize::new(0);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(seed);
        for index in 0..STEPS {
            step.store(index, Relaxed);
            world.step();
        }
        world.end()
    }));
    outcome.unwrap_or_else(|panic| {
        eprintln!("simulation failed: seed {seed}, step {}", step.load(Relaxed));
        resume_unwind(panic)
    })
}

fn run_all(seeds: &[u64]) -> BTreeSet<&'static str> {
    let told = Mutex::new(BTreeSet::new());
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    std::thread::scope(|scope| {
        for _thread in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Relaxed)) {
                    let of_seed = run(*seed);
                    told.lock().unwrap().extend(of_seed);
                }
            });
        }
    });
    told.into_inner().unwrap()
}

#[test]
fn whatever_happens_every_invariant_holds() {
    match std::env::var("FOREBAY_SIM_SEED") {
        Ok(seed) => drop(run(seed.parse().expect("FOREBAY_SIM_SEED is a number"))),
        Err(_) => {
            let told = run_all(&(0..SEEDS).collect::<Vec<_>>());
            for kind in ["reload", "change", "health", "ejection", "return", "fail_open", "drain"] {
                assert!(told.contains(kind), "no {kind} in any seed: the simulation proves nothing of it");
            }
        }
    }
}

#[test]
fn seeds_that_once_failed_hold_too() {
    let seeds = include_str!("sim/seeds.txt").lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let seeds: Vec<u64> = seeds.filter(|line| !line.is_empty()).map(|line| line.parse().unwrap()).collect();
    run_all(&seeds);
}
