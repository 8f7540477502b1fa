//! One worker's event loop.

use super::doors::Doors;
use super::pools::{CHUNK_BYTES, Pools};
use super::sessions::{SessionKey, Sessions};
use super::tools::{BELL, Side, Source, Tools, source_of};
use crate::engine::Outbox;
use crate::snapshot::{Phase, ProcessRuntime, Snapshot};
use crate::sys::EventFd;
use crate::time::{TimerKey, Wheel, clock};
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll};
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Events taken from the kernel in one turn.
const EVENTS: usize = 1024;

/// Timers fired in one turn.
const TIMERS: usize = 1024;

/// A turn or a wait that took this much longer than it should have: the process was stopped.
const STALL: Duration = Duration::from_secs(1);

/// Turns in which timers may wait for events after a stall: 256 k events.
const CATCH_UP_TURNS: u32 = 256;

/// What an engine is given for life.
#[derive(Clone, Debug)]
pub struct EngineSeat {
    /// The worker's number.
    pub index: usize,
    /// Bounds and counters of the whole process.
    pub process: Arc<ProcessRuntime>,
    /// Where observations and records go.
    pub outbox: Arc<Outbox>,
    /// Rung when the mailbox was filled.
    pub bell: Arc<EventFd>,
    /// Pipes that may exist at once, for splicing.
    pub pipes_max: usize,
    /// Seeds ties and jitter.
    pub seed: u64,
}

/// The epoll engine of one worker.
#[derive(Debug)]
pub struct Engine {
    poll: Poll,
    events: Events,
    bell: Arc<EventFd>,
    pub(super) doors: Doors,
    pub(super) sessions: Sessions,
    /// Sessions with work to do in this turn.
    pub(super) due: Vec<SessionKey>,
    /// Sessions with work left over for the next turn.
    pub(super) left_over: Vec<SessionKey>,
    fired: Vec<TimerKey>,
    pub(super) tools: Tools,
    woken: bool,
    /// Turns left in which timers may wait for events, after this process was stopped.
    catching_up: u32,
}

impl Engine {
    /// An engine that serves nothing yet: it obeys `first` once [`Self::adopt`] was called with it.
    ///
    /// # Errors
    /// When the kernel has no descriptor for the epoll instance.
    pub fn new(seat: EngineSeat, first: Arc<Snapshot>) -> io::Result<Self> {
        let now = clock::now();
        let poll = Poll::new()?;
        poll.registry().register(&mut SourceFd(&seat.bell.as_raw_fd()), BELL, Interest::READABLE)?;
        let tools = Tools {
            index: seat.index,
            process: seat.process,
            outbox: seat.outbox,
            snapshot: first,
            now,
            registry: poll.registry().try_clone()?,
            wheel: Wheel::new(now),
            pools: Pools::new(seat.pipes_max),
            scratch: vec![0; CHUNK_BYTES].into_boxed_slice().try_into().expect("made with this length"),
            random: fastrand::Rng::with_seed(seat.seed),
            cursors: Vec::new(),
            next_source: 0,
            recorded: false,
        };
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS),
            bell: seat.bell,
            doors: Doors::new()?,
            sessions: Sessions::default(),
            due: Vec::new(),
            left_over: Vec::new(),
            fired: Vec::new(),
            tools,
            woken: false,
            catching_up: 0,
        })
    }

    /// Waits until there is something to do, and notes what. True when the mailbox was rung.
    ///
    /// # Errors
    /// When epoll_wait(2) fails, which only a closed descriptor can cause.
    pub fn wait(&mut self) -> io::Result<bool> {
        let timeout = self.timeout();
        let before = clock::now();
        self.tools.counters().busy_nanos.add(nanos_between(self.tools.now, before));
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.events.clear(),
            other => other?,
        }
        let after = clock::now();
        let overslept = timeout.is_some_and(|timeout| after.saturating_duration_since(before) > timeout + STALL);
        if overslept || before.saturating_duration_since(self.tools.now) > STALL {
            self.catching_up = CATCH_UP_TURNS;
        }
        self.tools.now = after;
        self.tools.counters().turns.add(1);
        std::mem::swap(&mut self.due, &mut self.left_over);
        self.note_events();
        Ok(std::mem::take(&mut self.woken))
    }

    /// Does what there is to do, a bounded amount of it.
    pub fn turn(&mut self) {
        self.accept();
        self.serve_due();
        self.expire();
        self.doors.resume(self.tools.now);
        self.tools.pools.trim(self.tools.now);
        if std::mem::take(&mut self.tools.recorded) {
            self.tools.outbox.wake_log_writer();
        }
        let counters = self.tools.counters();
        counters.sessions_open.set(self.sessions.len() as u64);
        counters.pipes_open.set(self.tools.pools.pipes_open() as u64);
    }

    /// Whether the worker has nothing more to do, ever.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match self.tools.snapshot.phase {
            Phase::Serving => false,
            Phase::Stopping => self.doors.is_empty() && self.sessions.len() == 0,
            Phase::Halted => true,
        }
    }

    fn timeout(&self) -> Option<Duration> {
        if !self.left_over.is_empty() || self.doors.has_ready() {
            return Some(Duration::ZERO);
        }
        let timers = [self.tools.wheel.next_deadline(), self.tools.pools.next_trim(), self.doors.next_resume()];
        let next = timers.into_iter().flatten().min()?;
        // mio rounds up to the next millisecond: no turn comes too early and finds nothing to do.
        Some(next.saturating_duration_since(clock::now()))
    }

    fn note_events(&mut self) {
        for event in &self.events {
            match source_of(event.token()) {
                Some(Source::Bell) => {
                    self.bell.clear();
                    self.woken = true;
                }
                Some(Source::Door(index)) => self.doors.set_ready(index),
                Some(Source::Session(key, side)) => {
                    let Some(session) = self.sessions.get_mut(key) else { continue };
                    let ready = match side {
                        Side::Client => &mut session.client_ready,
                        Side::Target => &mut session.target_ready,
                    };
                    note_readiness(ready, event);
                    if !session.queued {
                        session.queued = true;
                        self.due.push(key);
                    }
                }
                None => {}
            }
        }
    }

    /// Fires timers. After this process was stopped for a while they wait as long as batches of events are full, a
    /// bounded number of turns: a session whose bytes are still in the queue is not idle.
    fn expire(&mut self) {
        if self.catching_up > 0 && self.events.iter().count() >= EVENTS {
            self.catching_up -= 1;
            return;
        }
        self.catching_up = 0;
        let mut fired = std::mem::take(&mut self.fired);
        self.tools.wheel.fire(self.tools.now, TIMERS, &mut fired);
        for slot in fired.drain(..) {
            if let Some(key) = self.sessions.key_of_slot(slot) {
                self.expire_session(key);
            }
        }
        self.fired = fired;
    }
}

fn note_readiness(ready: &mut super::session::Readiness, event: &Event) {
    ready.readable |= event.is_readable() || event.is_read_closed();
    ready.writable |= event.is_writable();
    // Urgent data makes a read stop short of what is queued (tcp(7)).
    ready.read_closed |= event.is_read_closed() || event.is_priority();
    // EPOLLHUP alone is FIN both ways, no failure.
    ready.failed |= event.is_error();
}

fn nanos_between(earlier: Instant, later: Instant) -> u64 {
    u64::try_from(later.saturating_duration_since(earlier).as_nanos()).unwrap_or(u64::MAX)
}
