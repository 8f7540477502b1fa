//! Waiting for sockets: the one file here that knows mio.

use crate::sys::Alarm;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

const EVENTS_PER_WAIT: usize = 1024;
/// The key of [`Poller::alarm`]; no connection has it.
const ALARM: Token = Token(usize::MAX);
/// Waits shorter than this are worth an alarm; epoll_wait(2) rounds longer ones to milliseconds.
const ALARM_BELOW: Duration = Duration::from_millis(20);

/// What is known of a socket. Edge-triggered: it is said once, when it changes.
#[allow(clippy::struct_excessive_bools, reason = "independent bits of the kernel's answer, no state")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    /// As given to [`Poller::add`].
    pub(super) key: usize,
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// FIN or an error has come: reading goes on until it is met.
    pub(super) closed: bool,
}

/// An epoll instance and its timer.
#[derive(Debug)]
pub(super) struct Poller {
    poll: Poll,
    events: Events,
    alarm: Alarm,
    alarm_at: Option<Instant>,
}

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        let (poll, alarm) = (Poll::new()?, Alarm::new()?);
        poll.registry().register(&mut SourceFd(&alarm.as_fd().as_raw_fd()), ALARM, Interest::READABLE)?;
        Ok(Self { poll, events: Events::with_capacity(EVENTS_PER_WAIT), alarm, alarm_at: None })
    }

    /// Watches a socket for both directions until it is closed.
    pub(super) fn add(&self, fd: BorrowedFd<'_>, key: usize) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut SourceFd(&fd.as_raw_fd()), Token(key), both)
    }

    /// Watches something that is only read.
    pub(super) fn add_readable(&self, fd: BorrowedFd<'_>, key: usize) -> io::Result<()> {
        self.poll.registry().register(&mut SourceFd(&fd.as_raw_fd()), Token(key), Interest::READABLE)
    }

    /// Waits until something is ready or it is `wake`, and replaces `ready` by what is. `precise`: wakes up to the
    /// microsecond, at the price of a system call; otherwise up to the millisecond.
    pub(super) fn wait(
        &mut self,
        now: Instant,
        wake: Instant,
        precise: bool,
        ready: &mut Vec<Ready>,
    ) -> io::Result<()> {
        ready.clear();
        let timeout = wake.saturating_duration_since(now);
        if precise && !timeout.is_zero() && timeout < ALARM_BELOW && self.alarm_at != Some(wake) {
            self.alarm.set(timeout)?;
            self.alarm_at = Some(wake);
        }
        if let Err(error) = self.poll.poll(&mut self.events, Some(timeout))
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error);
        }
        let sockets = self.events.iter().filter(|event| event.token() != ALARM);
        ready.extend(sockets.map(|event| Ready {
            key: event.token().0,
            readable: event.is_readable(),
            writable: event.is_writable(),
            closed: event.is_read_closed() || event.is_error(),
        }));
        Ok(())
    }
}
