//! Receiving bytes that nobody wants to see.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// Takes up to `len` bytes off a TCP socket's queue without copying them (MSG_TRUNC, tcp(7)). `Ok(0)` is end of stream.
///
/// # Errors
/// `WouldBlock` when nothing is queued; ECONNRESET or ETIMEDOUT once, when the connection died.
pub fn discard(fd: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
    const FLAGS: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
    // SAFETY: with MSG_TRUNC a TCP socket never touches the buffer (tcp(7), since Linux 2.4), so null is as good as
    // any.
    let taken = unsafe { libc::recv(fd.as_raw_fd(), ptr::null_mut(), len, FLAGS) };
    usize::try_from(taken).map_err(|_negative| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd as _;

    #[test]
    fn bytes_are_counted_and_gone_and_the_end_is_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _client_addr) = listener.accept().unwrap();
        assert_eq!(discard(accepted.as_fd(), 10).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        client.write_all(b"0123456789").unwrap();
        // On loopback the bytes are in the other queue when write(2) returns.
        assert_eq!(discard(accepted.as_fd(), 4).unwrap(), 4);
        assert_eq!(discard(accepted.as_fd(), 100).unwrap(), 6);
        drop(client);
        assert_eq!(discard(accepted.as_fd(), 100).unwrap(), 0);
    }
}
