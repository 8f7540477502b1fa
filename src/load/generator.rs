//! The load generator: one thread, one event loop.

use super::connection::{Connection, Stage, slot_of};
use super::exchange::{Exchange, Side, Step, failure_of};
use super::pattern::Pattern;
use super::plan::{Mode, OPERATION_TIMEOUT, Plan};
use super::poller::{Poller, Ready};
use super::report::{Errors, Failure, Report, Tally};
use super::schedule::Schedule;
use crate::stats::Latency;
use crate::sys;
use crate::time::clock;
use std::io;
use std::mem;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// Standing connections are opened at most so many at a time, so that no accept queue overflows.
const CONNECTING_AT_A_TIME: usize = 256;
/// How often time-outs are looked for and progress is told.
const TICK: Duration = Duration::from_millis(100);
/// A connection that failed is tried again after this.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// Operations of one connection in a row (bulk), before others have their turn.
const OPERATIONS_PER_TURN: usize = 16;
const SCRATCH_BYTES: usize = 64 * 1024;

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
/// [`OPERATION_TIMEOUT`] for each [`CONNECTING_AT_A_TIME`]). What fails is counted, not returned.
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
    poller: Poller,
    connections: Vec<Connection>,
    pattern: Pattern,
    scratch: Box<[u8]>,
    /// `None` = closed loop.
    schedule: Option<Schedule>,
    /// Connections that have more to do than fits a turn.
    again: Vec<usize>,
    /// What the last wait found; kept for its memory.
    ready: Vec<Ready>,
    tally: Tally,
    phase: Phase,
    phase_began: Instant,
    next_tick: Instant,
    /// Establishing: slots that have been tried, and those of them under way.
    tried: usize,
    trying: usize,
}

impl<'p, F: FnMut(&Progress<'_>) -> ControlFlow<()>> Generator<'p, F> {
    fn new(plan: &'p Plan, on_tick: F) -> io::Result<Self> {
        let now = clock::now();
        Ok(Self {
            plan,
            on_tick,
            poller: Poller::new()?,
            connections: (0..plan.connections).map(|_index| Connection::new(now)).collect(),
            pattern: Pattern::new(plan.size),
            scratch: vec![0; SCRATCH_BYTES].into_boxed_slice(),
            schedule: None,
            again: Vec::new(),
            ready: Vec::new(),
            tally: Tally::default(),
            phase: Phase::Establishing,
            phase_began: now,
            next_tick: now + TICK,
            tried: 0,
            trying: 0,
        })
    }

    fn run(mut self) -> io::Result<Report> {
        let mut flow = ControlFlow::Continue(());
        if self.plan.mode != Mode::Connect {
            flow = self.establish()?;
        }
        let now = clock::now();
        if self.plan.rate > 0.0 {
            self.schedule = Some(Schedule::new(now, self.plan.rate, self.plan.connections));
        }
        if flow.is_continue() && !self.plan.warmup.is_zero() {
            flow = self.enter(Phase::Warmup, now);
        } else if flow.is_continue() {
            flow = self.enter(Phase::Measuring, now);
        }
        if self.schedule.is_none() {
            (0..self.connections.len()).for_each(|index| self.begin_next(index, now));
        }
        if flow.is_continue() && self.phase == Phase::Warmup {
            flow = self.load(now + self.plan.warmup)?;
            let now = clock::now();
            self.tally.begin_measurement();
            if flow.is_continue() {
                flow = self.enter(Phase::Measuring, now);
            }
        }
        if flow.is_continue() {
            let _asked_to_stop = self.load(self.phase_began + self.plan.duration)?;
        }
        Ok(self.finish())
    }

    fn enter(&mut self, phase: Phase, now: Instant) -> ControlFlow<()> {
        (self.phase, self.phase_began) = (phase, now);
        self.tell(Duration::ZERO)
    }

    fn tell(&mut self, elapsed: Duration) -> ControlFlow<()> {
        (self.on_tick)(&Progress {
            phase: self.phase,
            elapsed,
            established: self.connections.iter().filter(|connection| connection.is_established()).count(),
            completed: self.tally.completed,
            bytes: self.tally.bytes,
            errors: self.tally.errors,
            latency: &self.tally.latency,
        })
    }

    /// Opens every standing connection, or fails to, once.
    fn establish(&mut self) -> io::Result<ControlFlow<()>> {
        loop {
            let now = clock::now();
            while self.trying < CONNECTING_AT_A_TIME && self.tried < self.connections.len() {
                (self.tried, self.trying) = (self.tried + 1, self.trying + 1);
                self.connect(self.tried - 1, now);
            }
            if self.trying == 0 {
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
            let mut wake = end;
            while let Some(index) = self.schedule.as_mut().and_then(|schedule| schedule.release(now)) {
                self.connections[index].due += 1;
                self.begin_next(index, now);
            }
            if let Some(schedule) = &self.schedule {
                wake = wake.min(schedule.next_due());
            }
            if self.turn(now, wake)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    /// Goes on with what is unfinished, waits until `wake` at most, and sees to what is ready.
    fn turn(&mut self, now: Instant, wake: Instant) -> io::Result<ControlFlow<()>> {
        for index in mem::take(&mut self.again) {
            self.drive(index);
        }
        let wake = if self.again.is_empty() { wake.min(self.next_tick) } else { now };
        let mut ready = mem::take(&mut self.ready);
        self.poller.wait(now, wake, self.schedule.is_some(), &mut ready)?;
        for event in &ready {
            self.on_ready(*event);
        }
        self.ready = ready;
        let now = clock::now();
        if now < self.next_tick {
            return Ok(ControlFlow::Continue(()));
        }
        self.next_tick = now + TICK;
        self.sweep(now);
        Ok(self.tell(now - self.phase_began))
    }

    fn on_ready(&mut self, event: Ready) {
        let index = slot_of(event.key);
        let connection = &mut self.connections[index];
        if connection.key(index) != event.key || matches!(connection.stage, Stage::Vacant { .. }) {
            return;
        }
        connection.closed |= event.closed;
        match connection.stage {
            Stage::Connecting => self.on_connected(index),
            Stage::Idle if event.closed => self.fail(index, Failure::Reset),
            Stage::Busy => {
                if event.writable && self.plan.mode != Mode::Download {
                    self.advance(index, Side::Send);
                }
                // Sending may have ended the operation, or the connection.
                let busy = self.connections[index].stage == Stage::Busy;
                if busy && (event.readable || event.closed) && self.plan.mode != Mode::Upload {
                    self.advance(index, Side::Receive { closed: self.connections[index].closed });
                }
            }
            Stage::Ending { took } if event.readable || event.closed => self.await_end(index, took),
            Stage::Idle | Stage::Ending { .. } | Stage::Vacant { .. } => {}
        }
    }

    fn connect(&mut self, index: usize, now: Instant) {
        let congestion_control = &self.plan.congestion_control;
        let options = sys::ConnectOptions { source: None, keepalive: None, congestion_control };
        let opened = sys::connect(self.plan.addr, &options).and_then(|fd| {
            self.connections[index].open(fd, now);
            self.poller.add(self.connections[index].fd(), self.connections[index].key(index))
        });
        if opened.is_err() {
            self.fail(index, Failure::Connect);
        }
    }

    fn on_connected(&mut self, index: usize) {
        match sys::socket_error(self.connections[index].fd()) {
            Ok(None) => {}
            // A peer that accepts and resets at once may be here before this turn is.
            Ok(Some(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
                return self.fail(index, Failure::Reset);
            }
            Ok(Some(_)) | Err(_) => return self.fail(index, Failure::Connect),
        }
        if self.plan.mode == Mode::Connect {
            self.connections[index].stage = Stage::Busy;
            return self.drive(index);
        }
        self.connections[index].stage = Stage::Idle;
        if self.phase == Phase::Establishing {
            self.trying -= 1;
        } else {
            self.begin_next(index, clock::now());
        }
    }

    /// Begins the next operation of a connection that has none, if one is to begin.
    fn begin_next(&mut self, index: usize, now: Instant) {
        let vacant = matches!(self.connections[index].stage, Stage::Vacant { until } if until <= now);
        let free = if self.plan.mode == Mode::Connect { vacant } else { self.connections[index].stage == Stage::Idle };
        if !free || !self.take_due(index, now) {
            return;
        }
        if self.plan.mode == Mode::Connect {
            self.connect(index, now);
        } else {
            self.connections[index].stage = Stage::Busy;
            self.drive(index);
        }
    }

    /// Sets up the next operation; false when none is due.
    fn take_due(&mut self, index: usize, now: Instant) -> bool {
        let connection = &mut self.connections[index];
        connection.intended = now;
        if let Some(schedule) = &self.schedule {
            if connection.due == 0 {
                return false;
            }
            connection.due -= 1;
            connection.intended = schedule.intended(index, connection.begun);
        }
        connection.begun += 1;
        connection.began = now;
        connection.exchange = Exchange::new(self.plan.mode, self.plan.size);
        true
    }

    /// Goes on with the operation of a busy connection, without having been told that the socket is ready.
    fn drive(&mut self, index: usize) {
        if self.connections[index].stage != Stage::Busy {
            return;
        }
        if self.plan.mode == Mode::Download {
            self.advance(index, Side::Receive { closed: self.connections[index].closed });
        } else {
            // A reply cannot be there yet: its arrival is an event.
            self.advance(index, Side::Send);
        }
    }

    /// Moves bytes of the operation under way, and of those that follow it at once.
    fn advance(&mut self, index: usize, first: Side) {
        let mut side = first;
        for _operation in 0..OPERATIONS_PER_TURN {
            let connection = &mut self.connections[index];
            let before = connection.exchange.moved();
            let mut exchange = connection.exchange;
            let stretch = self.pattern.stretch(index, connection.begun);
            let step = exchange.advance(connection.fd(), side, stretch, &mut self.scratch);
            connection.exchange = exchange;
            self.tally.bytes += (exchange.moved() - before) as u64;
            match step {
                Step::Waiting => return,
                Step::Failed(failure) => return self.fail(index, failure),
                Step::Done => {}
            }
            if !self.complete(index) {
                return;
            }
            side = match self.plan.mode {
                Mode::Download => Side::Receive { closed: self.connections[index].closed },
                Mode::Ping | Mode::Connect | Mode::Upload => Side::Send,
            };
        }
        self.again.push(index);
    }

    /// Counts an operation; true when the next one of the connection has begun.
    fn complete(&mut self, index: usize) -> bool {
        let now = clock::now();
        let took = now.saturating_duration_since(self.connections[index].intended);
        if self.plan.mode == Mode::Connect {
            self.connections[index].stage = Stage::Ending { took };
            // FIN, not RST: a proxy's ordinary close is what is to be measured, and an RST would discard a reply that
            // it still holds. The client is first to close, so the port waits here: TIME_WAIT, which Linux reuses
            // after a second on loopback (tcp_tw_reuse), elsewhere when told to.
            if sys::shutdown_write(self.connections[index].fd()).is_err() {
                self.fail(index, Failure::Reset);
            } else if self.connections[index].closed {
                self.await_end(index, took);
            }
            return false;
        }
        self.count(index, took);
        self.connections[index].stage = Stage::Idle;
        let begun = self.take_due(index, now);
        if begun {
            self.connections[index].stage = Stage::Busy;
        }
        begun
    }

    fn count(&mut self, index: usize, took: Duration) {
        // In an open loop, what was meant for the warm-up belongs to it however late it came.
        if self.schedule.is_none() || self.connections[index].intended >= self.phase_began {
            self.tally.completed += 1;
            self.tally.latency.record(took);
        }
    }

    fn await_end(&mut self, index: usize, took: Duration) {
        match sys::receive(self.connections[index].fd(), &mut self.scratch) {
            Ok(0) => {
                let now = clock::now();
                self.count(index, took);
                self.connections[index].close(now);
                self.begin_next(index, now);
            }
            Ok(_unasked) => self.fail(index, Failure::Mismatch),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.fail(index, failure_of(&error)),
        }
    }

    fn fail(&mut self, index: usize, failure: Failure) {
        if self.phase == Phase::Establishing {
            self.trying -= usize::from(!self.connections[index].is_established());
        }
        self.tally.errors.count(failure);
        self.connections[index].close(clock::now() + RETRY_AFTER);
    }

    /// Looks for operations that take too long, and for connections to open again.
    fn sweep(&mut self, now: Instant) {
        for index in 0..self.connections.len() {
            let connection = &self.connections[index];
            let overdue = connection.is_waiting() && now >= connection.began + OPERATION_TIMEOUT;
            match connection.stage {
                Stage::Connecting if overdue => self.fail(index, Failure::Connect),
                Stage::Busy | Stage::Ending { .. } if overdue => self.fail(index, Failure::Timeout),
                Stage::Vacant { until } if until <= now && self.phase != Phase::Establishing => {
                    if self.plan.mode == Mode::Connect {
                        self.begin_next(index, now);
                    } else {
                        self.connect(index, now);
                    }
                }
                Stage::Vacant { .. } | Stage::Connecting | Stage::Idle | Stage::Busy | Stage::Ending { .. } => {}
            }
        }
    }

    fn finish(mut self) -> Report {
        let now = clock::now();
        let measured = if self.phase == Phase::Measuring { now - self.phase_began } else { Duration::ZERO };
        if let Some(schedule) = &self.schedule {
            count_what_is_overdue(&self.connections, schedule, self.phase_began, now, &mut self.tally.latency);
        }
        if self.tally.completed == 0 && self.tally.bytes == 0 && self.tally.errors.total() == 0 {
            // The run was shorter than the time-out, and nothing came back.
            self.tally.errors.timeout = self.connections.iter().filter(|one| one.is_waiting()).count() as u64;
        }
        self.phase = Phase::Ended;
        let _over_anyway = self.tell(measured);
        self.tally.report(self.plan, measured)
    }
}

/// Connections that have fallen behind their schedule hide latencies that nobody has seen the end of: they count with
/// what they have waited so far. Without this a stall at the end of a run would be invisible.
fn count_what_is_overdue(
    connections: &[Connection],
    schedule: &Schedule,
    measured_from: Instant,
    now: Instant,
    latency: &mut Latency,
) {
    for (index, connection) in connections.iter().enumerate().filter(|(_index, one)| one.due > 0) {
        let under_way = u64::from(connection.stage == Stage::Busy);
        for nth in connection.begun - under_way..connection.begun + connection.due {
            let intended = schedule.intended(index, nth);
            if (measured_from..=now).contains(&intended) {
                latency.record(now - intended);
            }
        }
    }
}
