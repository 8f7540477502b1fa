//! Where lines go.

use crate::config::AccessLogSink;
use crate::sys;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) enum Sink {
    Off,
    Stdout,
    Stderr,
    File(PathBuf, File),
}

impl Sink {
    pub(super) fn open(config: &AccessLogSink) -> io::Result<Self> {
        Ok(match config {
            AccessLogSink::Off => Self::Off,
            AccessLogSink::Stdout => Self::Stdout,
            AccessLogSink::Stderr => Self::Stderr,
            AccessLogSink::File(path) => Self::File(path.clone(), append(path)?),
        })
    }

    /// Opens the file anew; on failure the old one is written on.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if let Self::File(path, file) = self {
            *file = append(path)?;
        }
        Ok(())
    }

    /// Writes whole lines.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::Off => Ok(()),
            Self::Stdout => write_and_flush(&mut io::stdout().lock(), lines),
            Self::Stderr => write_and_flush(&mut io::stderr().lock(), lines),
            Self::File(_, file) => file.write_all(lines),
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    sys::open_for_append(path)
}

fn write_and_flush(stream: &mut impl Write, lines: &[u8]) -> io::Result<()> {
    stream.write_all(lines)?;
    stream.flush()
}
