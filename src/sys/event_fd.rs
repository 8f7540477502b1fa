//! A bell between threads that an event loop can wait on.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// An eventfd(2): any thread rings, one thread waits for it to be readable.
#[derive(Debug)]
pub struct EventFd(OwnedFd);

impl EventFd {
    /// A silent bell.
    ///
    /// # Errors
    /// EMFILE and ENFILE.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointer is passed.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just given us this descriptor and nobody else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Makes the bell readable; ringing a ringing bell changes nothing that the waiter can see.
    pub fn ring(&self) {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: eight readable bytes. The only failure is EAGAIN at 2^64 - 2: the bell rings already.
        let _rings_already = unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Silences the bell; true when it rang.
    pub fn clear(&self) -> bool {
        let mut count = [0_u8; 8];
        // SAFETY: eight writable bytes.
        let read = unsafe { libc::read(self.0.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
        read == 8
    }
}

impl EventFd {
    /// The same bell under another descriptor.
    ///
    /// # Errors
    /// EMFILE, ENFILE.
    pub(super) fn duplicate(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for EventFd {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}
