//! The load generator: one thread, one event loop.

use super::operations::Operations;
use super::plan::{Mode, Plan};
use super::report::{Errors, Report};
use super::schedule::Schedule;
use crate::stats::Latency;
use crate::time::clock;
use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// Standing connections are opened at most so many at a time, so that no accept queue overflows.
const CONNECTING_AT_A_TIME: usize = 256;
/// How often time-outs are looked for and progress is told.
const TICK: Duration = Duration::from_millis(100);

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Standing connections are being opened.
    Establishing,
    /// Load runs, nothing counts but errors.
    Warmup,
    /// Load runs and counts.
    Measuring,
    /// Over; the connections are still open.
    Ended,
}

/// What is told about a run while it runs: at every change of phase, and ten times a second.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Where the run stands.
    pub phase: Phase,
    /// Time since the phase began ([`Phase::Ended`]: length of the measurement).
    pub elapsed: Duration,
    /// Connections established now.
    pub established: usize,
    /// Operations completed in this phase.
    pub completed: u64,
    /// Payload bytes in this phase, one direction.
    pub bytes: u64,
    /// Operations failed so far.
    pub errors: Errors,
    /// Latencies of this phase.
    pub latency: &'a Latency,
}

/// Runs a plan in the calling thread to its end.
///
/// Takes at most `warmup + duration`, and before that the time to establish the connections (not over
/// [`super::OPERATION_TIMEOUT`] for every 256 of them). What fails is counted, not returned.
///
/// # Errors
/// An invalid plan, or a generator that cannot have its event loop (descriptors).
pub fn run(plan: &Plan, mut on_tick: impl FnMut(&Progress<'_>)) -> io::Result<Report> {
    run_until(plan, |progress| {
        on_tick(progress);
        ControlFlow::Continue(())
    })
}

/// As [`run`], but ends early when `on_tick` breaks.
///
/// # Errors
/// As [`run`].
pub fn run_until(plan: &Plan, on_tick: impl FnMut(&Progress<'_>) -> ControlFlow<()>) -> io::Result<Report> {
    plan.validate().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    Generator::new(plan, on_tick)?.run()
}

struct Generator<'p, F> {
    plan: &'p Plan,
    on_tick: F,
    operations: Operations<'p>,
    next_tick: Instant,
}

impl<'p, F: FnMut(&Progress<'_>) -> ControlFlow<()>> Generator<'p, F> {
    fn new(plan: &'p Plan, on_tick: F) -> io::Result<Self> {
        let now = clock::now();
        Ok(Self { plan, on_tick, operations: Operations::new(plan, now)?, next_tick: now + TICK })
    }

    fn run(mut self) -> io::Result<Report> {
        let mut flow = ControlFlow::Continue(());
        if self.plan.mode != Mode::Connect {
            flow = self.establish()?;
        }
        let now = clock::now();
        if self.plan.rate > 0.0 {
            self.operations.schedule = Some(Schedule::new(now, self.plan.rate, self.plan.connections));
        }
        let first = if self.plan.warmup.is_zero() { Phase::Measuring } else { Phase::Warmup };
        if flow.is_continue() {
            flow = self.enter(first, now);
        }
        if flow.is_continue() && self.plan.rate <= 0.0 {
            (0..self.plan.connections).for_each(|index| self.operations.begin_next(index, now));
        }
        if flow.is_continue() && first == Phase::Warmup {
            flow = self.load(now + self.plan.warmup)?;
            self.operations.tally.begin_measurement();
            if flow.is_continue() {
                flow = self.enter(Phase::Measuring, clock::now());
            }
        }
        if flow.is_continue() {
            let _asked_to_stop = self.load(self.operations.phase_began + self.plan.duration)?;
        }
        Ok(self.finish())
    }

    fn enter(&mut self, phase: Phase, now: Instant) -> ControlFlow<()> {
        (self.operations.phase, self.operations.phase_began) = (phase, now);
        self.tell(Duration::ZERO)
    }

    fn tell(&mut self, elapsed: Duration) -> ControlFlow<()> {
        let tally = &self.operations.tally;
        (self.on_tick)(&Progress {
            phase: self.operations.phase,
            elapsed,
            established: self.operations.established(),
            completed: tally.completed,
            bytes: tally.bytes,
            errors: tally.errors,
            latency: &tally.latency,
        })
    }

    /// Opens every standing connection, or fails to, once.
    fn establish(&mut self) -> io::Result<ControlFlow<()>> {
        let mut untried = 0..self.plan.connections;
        loop {
            let now = clock::now();
            while self.operations.trying() < CONNECTING_AT_A_TIME
                && let Some(index) = untried.next()
            {
                self.operations.establish(index, now);
            }
            if self.operations.trying() == 0 {
                return Ok(ControlFlow::Continue(()));
            }
            if self.turn(now, now + TICK)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    /// Generates load until `end`.
    fn load(&mut self, end: Instant) -> io::Result<ControlFlow<()>> {
        loop {
            let now = clock::now();
            if now >= end {
                return Ok(ControlFlow::Continue(()));
            }
            self.operations.release(now);
            let next_due = self.operations.schedule.as_ref().map_or(end, Schedule::next_due);
            if self.turn(now, end.min(next_due))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    fn turn(&mut self, now: Instant, wake: Instant) -> io::Result<ControlFlow<()>> {
        self.operations.turn(now, wake.min(self.next_tick))?;
        let now = clock::now();
        if now < self.next_tick {
            return Ok(ControlFlow::Continue(()));
        }
        self.next_tick = now + TICK;
        self.operations.sweep(now);
        Ok(self.tell(now - self.operations.phase_began))
    }

    fn finish(mut self) -> Report {
        let now = clock::now();
        let measuring = self.operations.phase == Phase::Measuring;
        let measured = if measuring { now - self.operations.phase_began } else { Duration::ZERO };
        self.operations.close_the_books(now);
        self.operations.phase = Phase::Ended;
        let _over_anyway = self.tell(measured);
        self.operations.tally.report(self.plan, measured)
    }
}
