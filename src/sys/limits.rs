//! How many descriptors this process may have.

use std::io;

fn read() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is writable.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if result == 0 { Ok(limit) } else { Err(io::Error::last_os_error()) }
}

/// The soft limit on open descriptors.
///
/// # Errors
/// What getrlimit(2) says.
pub fn descriptor_limit() -> io::Result<u64> {
    read().map(|limit| limit.rlim_cur)
}

/// Raises the soft limit on open descriptors to the hard one and returns it.
///
/// # Errors
/// What setrlimit(2) says; needs no privilege.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let mut limit = read()?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is readable.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    if result == 0 { Ok(limit.rlim_cur) } else { Err(io::Error::last_os_error()) }
}
