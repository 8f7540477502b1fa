//! Bytes in and out of a connected socket.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Receives into `buffer` without waiting. `Ok(0)` is end of stream (for a non-empty buffer).
///
/// # Errors
/// `WouldBlock` when nothing is queued; ECONNRESET or ETIMEDOUT once, when the connection died. Bytes that were
/// queued before it died come first.
pub fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the fd is borrowed, so open; the buffer is writable for its whole length during the call.
    let received = unsafe { libc::recv(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) };
    usize::try_from(received).map_err(|_negative| io::Error::last_os_error())
}

/// Sends from `buffer` without waiting and without SIGPIPE; may take less than all of it.
///
/// # Errors
/// `WouldBlock` when the send buffer is full; EPIPE or ECONNRESET when the peer is gone. That error is then
/// *consumed*: a later receive reports plain end of stream.
pub fn send(fd: BorrowedFd<'_>, buffer: &[u8]) -> io::Result<usize> {
    const FLAGS: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the fd is borrowed, so open; the buffer is readable for its whole length during the call.
    let sent = unsafe { libc::send(fd.as_raw_fd(), buffer.as_ptr().cast(), buffer.len(), FLAGS) };
    usize::try_from(sent).map_err(|_negative| io::Error::last_os_error())
}
