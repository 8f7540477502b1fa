//! What error numbers mean to a balancer.

use crate::model::ConnectFailure;
use std::io;

/// Whether the process or the system ran out of something: descriptors, buffers, memory.
#[must_use]
pub fn is_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// Whether an established connection died because the peer's kernel stopped answering: keep-alive or retransmission
/// gave up (tcp(7)); the error is that of the last ICMP message, if there was one.
#[must_use]
pub fn is_peer_silence(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ETIMEDOUT | libc::EHOSTUNREACH | libc::ENETUNREACH | libc::EHOSTDOWN))
}

/// How a connection attempt failed.
#[must_use]
pub fn connect_failure(error: &io::Error) -> ConnectFailure {
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => ConnectFailure::Refused,
        Some(libc::ETIMEDOUT) => ConnectFailure::Timeout,
        Some(libc::ECONNRESET | libc::ECONNABORTED | libc::EPIPE) => ConnectFailure::Reset,
        Some(
            libc::EADDRNOTAVAIL
            | libc::EADDRINUSE
            | libc::EMFILE
            | libc::ENFILE
            | libc::ENOBUFS
            | libc::ENOMEM
            | libc::EAGAIN,
        ) => ConnectFailure::LocalResource,
        // EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN, EACCES and EPERM (a filter's "administratively prohibited"),
        // EPROTO and others that ICMP brings: the target cannot be reached from here.
        _ => ConnectFailure::Unreachable,
    }
}
