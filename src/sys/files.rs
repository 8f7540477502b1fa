//! Files that must not make anybody wait.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens a file for appending, and makes it when it is absent. A FIFO is opened without waiting for its reader, and a
/// full one refuses lines instead of holding up the writer.
///
/// # Errors
/// What open(2) says; ENXIO for a FIFO that nobody reads.
pub fn open_for_append(path: &Path) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    OpenOptions::new().append(true).create(true).custom_flags(flags).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn a_fifo_without_a_reader_is_refused_at_once() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("fifo");
        let name = CString::new(path.as_os_str().as_bytes()).expect("no NUL");
        // SAFETY: `name` is a NUL-terminated path.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let error = open_for_append(&path).expect_err("nobody reads it");
        assert_eq!(error.raw_os_error(), Some(libc::ENXIO));
    }
}
