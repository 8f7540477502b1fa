//! Pipes: where splice(2) parks bytes between two sockets.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A pipe and how much it holds.
#[derive(Debug)]
pub struct Pipe {
    read_end: OwnedFd,
    write_end: OwnedFd,
    capacity_bytes: usize,
}

impl Pipe {
    /// The end that bytes come out of.
    #[must_use]
    pub fn read_end(&self) -> BorrowedFd<'_> {
        self.read_end.as_fd()
    }

    /// The end that bytes go into.
    #[must_use]
    pub fn write_end(&self) -> BorrowedFd<'_> {
        self.write_end.as_fd()
    }

    /// Slots × 4 KiB: what one splice(2) into it asks for. Under GRO a slot may hold more than a page, so a pipe can
    /// hold more than this.
    #[must_use]
    pub fn capacity_bytes(&self) -> usize {
        self.capacity_bytes
    }
}

/// A new non-blocking pipe of up to `wanted_bytes`.
///
/// A process without privileges has 64 MiB of pipe pages (`fs.pipe-user-pages-soft`); past that the kernel refuses to
/// grow pipes (EPERM) and makes new ones of two pages (pipe(7)). So the true size is read back.
///
/// # Errors
/// EMFILE, ENFILE.
pub fn pipe(wanted_bytes: usize) -> io::Result<Pipe> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for two descriptors.
    let made = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) };
    if made != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor and nobody else owns it.
    let read_end = unsafe { OwnedFd::from_raw_fd(ends[0]) };
    // SAFETY: as above.
    let write_end = unsafe { OwnedFd::from_raw_fd(ends[1]) };
    let wanted = libc::c_int::try_from(wanted_bytes).unwrap_or(libc::c_int::MAX);
    // SAFETY: no pointer is passed. Refusal is fine: the size is read back below.
    let _refused = unsafe { libc::fcntl(write_end.as_raw_fd(), libc::F_SETPIPE_SZ, wanted) };
    // SAFETY: no pointer is passed.
    let capacity = unsafe { libc::fcntl(write_end.as_raw_fd(), libc::F_GETPIPE_SZ) };
    let capacity_bytes = usize::try_from(capacity).map_err(|_negative| io::Error::last_os_error())?;
    Ok(Pipe { read_end, write_end, capacity_bytes })
}
