//! Lets tests that measure memory, CPU or latency run alone.
//!
//! Every running balancer holds a place of its test's thread; [`heavy`] waits until nobody else has one.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

#[derive(Default)]
struct Gate {
    places: Vec<(ThreadId, usize)>,
    waiting: usize,
    alone: Option<ThreadId>,
}

static GATE: Mutex<Gate> = Mutex::new(Gate { places: Vec::new(), waiting: 0, alone: None });
static CHANGED: Condvar = Condvar::new();

/// A place beside other tests.
pub(crate) struct Place(ThreadId);

/// The whole machine; stays on the thread that took it.
pub(crate) struct Alone(PhantomData<*const ()>);

/// Waits until no other test runs a balancer, and keeps it so while the guard lives.
pub(crate) fn heavy() -> Alone {
    let me = thread::current().id();
    let mut gate = lock();
    assert!(!gate.places.iter().any(|(owner, _count)| *owner == me), "call heavy() before starting a balancer");
    gate.waiting += 1;
    while gate.alone.is_some() || !gate.places.is_empty() {
        gate = CHANGED.wait(gate).unwrap_or_else(PoisonError::into_inner);
    }
    gate.waiting -= 1;
    gate.alone = Some(me);
    Alone(PhantomData)
}

/// A place for a balancer of this thread; waits while a heavy test runs or is about to.
pub(super) fn place() -> Place {
    let me = thread::current().id();
    let mut gate = lock();
    loop {
        let mine = gate.places.iter().position(|(owner, _count)| *owner == me);
        if let Some(index) = mine {
            gate.places[index].1 += 1;
            return Place(me);
        }
        if gate.alone == Some(me) || (gate.alone.is_none() && gate.waiting == 0) {
            gate.places.push((me, 1));
            return Place(me);
        }
        gate = CHANGED.wait(gate).unwrap_or_else(PoisonError::into_inner);
    }
}

fn lock() -> MutexGuard<'static, Gate> {
    GATE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut gate = lock();
        for (owner, count) in &mut gate.places {
            if *owner == self.0 {
                *count -= 1;
            }
        }
        gate.places.retain(|(_owner, count)| *count > 0);
        CHANGED.notify_all();
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        lock().alone = None;
        CHANGED.notify_all();
    }
}

#[test]
fn a_heavy_test_runs_alone() {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    let beside = AtomicUsize::new(0);
    let seen = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for number in 0..4 {
            let (beside, seen) = (&beside, &seen);
            scope.spawn(move || {
                let _first = place();
                let _second = place();
                beside.fetch_add(1, SeqCst);
                seen.lock().unwrap().insert(number, ());
                beside.fetch_sub(1, SeqCst);
            });
            scope.spawn(move || {
                let _alone = heavy();
                let _mine = place();
                assert_eq!(beside.load(SeqCst), 0);
                seen.lock().unwrap().insert(100 + number, ());
            });
        }
    });
    assert_eq!(seen.lock().unwrap().len(), 8);
}
