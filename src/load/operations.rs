//! Operations: from the moment they are due to the moment they are counted.

use super::Phase;
use super::connection::{Connection, Stage, slot_of};
use super::exchange::{Exchange, Side, Step, failure_of};
use super::pattern::Pattern;
use super::plan::{Mode, OPERATION_TIMEOUT, Plan};
use super::poller::{Poller, Ready};
use super::report::{Failure, Tally};
use super::schedule::Schedule;
use crate::stats::Latency;
use crate::sys;
use crate::time::clock;
use std::io;
use std::mem;
use std::time::{Duration, Instant};

/// A connection that failed is tried again after this.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// Operations of one connection in a row (bulk), before others have their turn.
const OPERATIONS_PER_TURN: usize = 16;
const SCRATCH_BYTES: usize = 64 * 1024;

/// All connections of a run and what is under way on them.
pub(super) struct Operations<'p> {
    plan: &'p Plan,
    poller: Poller,
    connections: Vec<Connection>,
    pattern: Pattern,
    scratch: Box<[u8]>,
    /// `None` = closed loop.
    pub(super) schedule: Option<Schedule>,
    /// Connections that have more to do than fits a turn.
    again: Vec<usize>,
    /// What the last wait found; kept for its memory.
    ready: Vec<Ready>,
    pub(super) tally: Tally,
    pub(super) phase: Phase,
    pub(super) phase_began: Instant,
    /// Establishing: connections under way.
    trying: usize,
}

impl<'p> Operations<'p> {
    pub(super) fn new(plan: &'p Plan, now: Instant) -> io::Result<Self> {
        Ok(Self {
            plan,
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
            trying: 0,
        })
    }

    /// Establishing: connections whose first outcome is awaited.
    pub(super) fn trying(&self) -> usize {
        self.trying
    }

    /// Connections established now.
    pub(super) fn established(&self) -> usize {
        self.connections.iter().filter(|connection| connection.is_established()).count()
    }

    /// Opens a standing connection for the first time.
    pub(super) fn establish(&mut self, index: usize, now: Instant) {
        self.trying += 1;
        self.connect(index, now);
    }

    /// Begins what has become due.
    pub(super) fn release(&mut self, now: Instant) {
        while let Some(index) = self.schedule.as_mut().and_then(|schedule| schedule.release(now)) {
            self.connections[index].due += 1;
            self.begin_next(index, now);
        }
    }

    /// Goes on with what is unfinished, waits until `wake` at most, and sees to what is ready.
    pub(super) fn turn(&mut self, now: Instant, wake: Instant) -> io::Result<()> {
        for index in mem::take(&mut self.again) {
            self.drive(index);
        }
        let wake = if self.again.is_empty() { wake } else { now };
        let mut ready = mem::take(&mut self.ready);
        self.poller.wait(now, wake, self.schedule.is_some(), &mut ready)?;
        for event in &ready {
            self.on_ready(*event);
        }
        self.ready = ready;
        Ok(())
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
    pub(super) fn begin_next(&mut self, index: usize, now: Instant) {
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
    pub(super) fn sweep(&mut self, now: Instant) {
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

    /// Counts what the end of the run leaves open.
    pub(super) fn close_the_books(&mut self, now: Instant) {
        if let Some(schedule) = &self.schedule {
            count_what_is_overdue(&self.connections, schedule, self.phase_began, now, &mut self.tally.latency);
        }
        if self.tally.completed == 0 && self.tally.bytes == 0 && self.tally.errors.total() == 0 {
            // The run was shorter than the time-out, and nothing came back.
            self.tally.errors.timeout = self.connections.iter().filter(|one| one.is_waiting()).count() as u64;
        }
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
