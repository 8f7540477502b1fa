//! One line per session, written by a thread of its own: a slow sink stops nobody but itself.

mod json_line;
mod sink;
mod tcplog_line;
mod writer;

use crate::config::{self, AccessLogFormat};
use crate::engine::Outbox;
use crossbeam::queue::ArrayQueue;
use sink::Sink;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use writer::Writer;

/// What the writer is told.
#[derive(Debug)]
enum Command {
    /// Write there from now on.
    Use(Sink, AccessLogFormat),
    /// Open the file anew: it was moved away.
    Reopen,
    /// Write what is queued, and end.
    Finish,
}

/// The writer, as control holds it.
#[derive(Debug)]
pub struct AccessLog {
    outbox: Arc<Outbox>,
    commands: Arc<ArrayQueue<Command>>,
    lines_lost: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

/// A sink that could be opened: nothing has changed until it is [taken up](AccessLog::take_up).
#[derive(Debug)]
pub struct Opened(Sink, AccessLogFormat);

/// Opens what the configuration names.
///
/// # Errors
/// When the file cannot be opened for appending.
pub fn open(config: &config::AccessLog) -> io::Result<Opened> {
    Ok(Opened(Sink::open(&config.sink)?, config.format))
}

impl AccessLog {
    /// Starts the writer.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(outbox: Arc<Outbox>, opened: Opened) -> io::Result<Self> {
        let commands = Arc::new(ArrayQueue::new(16));
        let lines_lost = Arc::new(AtomicU64::new(0));
        let (inbox, lost) = (Arc::clone(&commands), Arc::clone(&lines_lost));
        let writer = Writer::new(Arc::clone(&outbox), inbox, lost, opened.0, opened.1);
        let thread = std::thread::Builder::new().name("access-log".to_owned()).spawn(move || writer.run())?;
        Ok(Self { outbox, commands, lines_lost, thread })
    }

    /// Writes there from now on.
    pub fn take_up(&self, opened: Opened) {
        self.command(Command::Use(opened.0, opened.1));
    }

    /// Opens the file anew.
    pub fn reopen(&self) {
        self.command(Command::Reopen);
    }

    /// Lines that could not be written. Those that found the queue full are counted by their worker.
    #[must_use]
    pub fn lines_lost(&self) -> u64 {
        self.lines_lost.load(Relaxed)
    }

    /// Has what is queued written; call it when the workers have ended. False when the sink took too long.
    #[must_use]
    pub fn finish(self, patience: Duration, now: impl Fn() -> Instant) -> bool {
        self.command(Command::Finish);
        let until = now() + patience;
        while !self.thread.is_finished() && now() < until {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        self.thread.is_finished()
    }

    fn command(&self, command: Command) {
        // Sixteen commands behind, the writer hangs in a write: the oldest are of no use any more.
        let _oldest = self.commands.force_push(command);
        self.outbox.wake_log_writer();
    }
}

#[cfg(test)]
mod tests;
