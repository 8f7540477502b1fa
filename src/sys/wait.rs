//! Waiting for one descriptor, for threads without an event loop.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// Waits until `fd` is readable or the time is over (`None` = never); true when it is readable.
///
/// # Errors
/// What poll(2) says; EINTR counts as time that is over.
pub fn wait_readable(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<bool> {
    let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let millis = timeout.map_or(-1, |timeout| libc::c_int::try_from(timeout.as_millis()).unwrap_or(libc::c_int::MAX));
    // SAFETY: one entry, readable and writable; the fd is borrowed, so open.
    let ready = unsafe { libc::poll(&raw mut entry, 1, millis) };
    match ready {
        0.. => Ok(ready > 0),
        _ => {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted { Ok(false) } else { Err(error) }
        }
    }
}
