//! What TCP has to say beyond bytes: how to end a connection, and how it fares.

use socket2::SockRef;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// Sends FIN: no more bytes will come from here.
///
/// # Errors
/// ENOTCONN when the connection is gone already.
pub fn shutdown_write(fd: BorrowedFd<'_>) -> io::Result<()> {
    SockRef::from(&fd).shutdown(std::net::Shutdown::Write)
}

/// Closes with RST, dropping what was queued in either direction (SO_LINGER of zero, socket(7)).
pub fn close_with_reset(fd: OwnedFd) {
    // Failure means that the socket is past caring; it is closed below all the same.
    let _past_caring = SockRef::from(&fd).set_linger(Some(Duration::ZERO));
    drop(fd);
}

/// Bytes written here that the peer has not acknowledged yet, FIN not counted.
///
/// # Errors
/// What ioctl(2) says; the socket must not be listening.
pub fn unacknowledged_bytes(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut queued: libc::c_int = 0;
    // SAFETY: TIOCOUTQ (SIOCOUTQ, tcp(7)) writes one int to a valid pointer.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCOUTQ, &raw mut queued) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(queued).unwrap_or(0))
}

/// Bytes received that were not read yet.
///
/// # Errors
/// What ioctl(2) says; the socket must not be listening.
pub fn queued_bytes(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut queued: libc::c_int = 0;
    // SAFETY: FIONREAD (SIOCINQ, tcp(7)) writes one int to a valid pointer.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut queued) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(queued).unwrap_or(0))
}

/// What is shown of `TCP_INFO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    /// Smoothed round-trip time, in microseconds.
    pub rtt_us: u32,
    /// Segments retransmitted over the life of the connection.
    pub retransmits: u32,
}

/// The kernel's figures for a connection.
///
/// # Errors
/// What getsockopt(2) says.
pub fn tcp_info(fd: BorrowedFd<'_>) -> io::Result<TcpInfo> {
    // SAFETY: tcp_info is plain integers; all zero is a valid value.
    let mut told: libc::tcp_info = unsafe { mem::zeroed() };
    let mut len = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).expect("a few hundred bytes");
    // SAFETY: `told` is writable for `len` bytes; an older kernel writes fewer.
    let result = unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut told).cast(), &raw mut len)
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(TcpInfo { rtt_us: told.tcpi_rtt, retransmits: told.tcpi_total_retrans })
}
