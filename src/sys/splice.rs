//! splice(2): bytes from a socket to a pipe and on, without passing through this process.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

const FLAGS: libc::c_uint = libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK;

/// Moves up to `len` bytes from `source` to `sink`; one of them is a pipe. `Ok(0)` is end of stream.
///
/// # Errors
/// `WouldBlock` when `source` is empty *or* `sink` is full: splice(2) does not say which.
pub fn splice(source: BorrowedFd<'_>, sink: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
    let (from, to) = (source.as_raw_fd(), sink.as_raw_fd());
    // SAFETY: both fds are borrowed, so open for the whole call; the kernel keeps no pointer of ours.
    let moved = unsafe { libc::splice(from, ptr::null_mut(), to, ptr::null_mut(), len, FLAGS) };
    usize::try_from(moved).map_err(|_negative| io::Error::last_os_error())
}
