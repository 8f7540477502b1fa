//! What error numbers mean to a balancer.

use crate::model::ConnectFailure;
use std::io;

/// Whether the process or the system ran out of something: descriptors, buffers, memory.
#[must_use]
pub fn is_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// Whether accept(2) failed with the failure of a connection, which is gone then: the next one may follow.
#[must_use]
pub fn is_connection_gone(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::EINTR
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::EOPNOTSUPP
                | libc::ENETUNREACH
                | libc::ENETDOWN
        )
    )
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
        // What routes, filters ("administratively prohibited") and ICMP bring: the target cannot be reached from here.
        Some(
            libc::EHOSTUNREACH
            | libc::ENETUNREACH
            | libc::EHOSTDOWN
            | libc::ENETDOWN
            | libc::ENONET
            | libc::ENOPROTOOPT
            | libc::EPROTO
            | libc::EACCES
            | libc::EPERM,
        ) => ConnectFailure::Unreachable,
        // EADDRNOTAVAIL, EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC (epoll watches) and whatever else is refused here.
        _ => ConnectFailure::LocalResource,
    }
}
