//! A timer that an event loop can wait on, finer than the milliseconds of epoll_wait(2).

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

/// A timerfd(2) on the monotonic clock. Edge-triggered waiters need not read it: setting it again clears it.
#[derive(Debug)]
pub struct Alarm(OwnedFd);

impl Alarm {
    /// An alarm that is not set.
    ///
    /// # Errors
    /// EMFILE, ENFILE.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointer is passed.
        let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just given us this descriptor and nobody else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Makes the alarm readable once, `after` from now (at least a nanosecond: zero would switch it off).
    ///
    /// # Errors
    /// What timerfd_settime(2) says.
    pub fn set(&self, after: Duration) -> io::Result<()> {
        // SAFETY: itimerspec is plain integers; all zero is a valid value.
        let mut when: libc::itimerspec = unsafe { mem::zeroed() };
        when.it_value.tv_sec = libc::time_t::try_from(after.as_secs()).unwrap_or(libc::time_t::MAX);
        when.it_value.tv_nsec = libc::c_long::from(after.subsec_nanos().cast_signed()).max(1);
        // SAFETY: the new value is readable, the old one is not asked for.
        let result = unsafe { libc::timerfd_settime(self.0.as_raw_fd(), 0, &raw const when, ptr::null_mut()) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
