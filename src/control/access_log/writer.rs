//! The thread that writes.

use super::sink::Sink;
use super::{Command, json_line, tcplog_line};
use crate::config::AccessLogFormat;
use crate::control::LogLimit;
use crate::engine::Outbox;
use crate::sys;
use crate::time::clock;
use crossbeam::queue::ArrayQueue;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Lines are gathered up to this size before they are written.
const BATCH_BYTES: usize = 64 * 1024;

/// Between two batches, so that a busy log costs a hundred writes a second and not one per session.
const GATHER: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(super) struct Writer {
    outbox: Arc<Outbox>,
    commands: Arc<ArrayQueue<Command>>,
    lines_lost: Arc<AtomicU64>,
    sink: Sink,
    format: AccessLogFormat,
    batch: Vec<u8>,
    lines: u64,
    limit: LogLimit<&'static str>,
}

impl Writer {
    pub(super) fn new(
        outbox: Arc<Outbox>,
        commands: Arc<ArrayQueue<Command>>,
        lines_lost: Arc<AtomicU64>,
        sink: Sink,
        format: AccessLogFormat,
    ) -> Self {
        let (batch, lines, limit) = (Vec::with_capacity(BATCH_BYTES), 0, LogLimit::new());
        Self { outbox, commands, lines_lost, sink, format, batch, lines, limit }
    }

    /// Writes until told to finish.
    pub(super) fn run(mut self) {
        let bell = Arc::clone(&self.outbox.log_bell);
        loop {
            if let Err(error) = sys::wait_readable(bell.as_fd(), None) {
                tracing::error!(%error, "the access log cannot wait for lines and ends");
                return;
            }
            bell.clear();
            self.write_queued();
            while let Some(command) = self.commands.pop() {
                match command {
                    Command::Use(sink, format) => (self.sink, self.format) = (sink, format),
                    Command::Reopen => {
                        if let Err(error) = self.sink.reopen() {
                            tracing::error!(%error, "the access log cannot be opened anew; the old file is written on");
                        }
                    }
                    Command::Finish => {
                        self.write_queued();
                        return;
                    }
                }
            }
            std::thread::park_timeout(GATHER);
        }
    }

    fn write_queued(&mut self) {
        while let Some(record) = self.outbox.records.pop() {
            match self.format {
                AccessLogFormat::Json => json_line::append(&mut self.batch, &record, clock::wall()),
                AccessLogFormat::HaproxyTcplog => tcplog_line::append(&mut self.batch, &record, clock::wall()),
            }
            self.lines += 1;
            if self.batch.len() >= BATCH_BYTES {
                self.write_batch();
            }
        }
        self.write_batch();
    }

    fn write_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        if let Err(error) = self.sink.write(&self.batch) {
            self.lines_lost.fetch_add(self.lines, Relaxed);
            if let Some(held_back) = self.limit.admit("write", clock::now()) {
                tracing::error!(%error, lines = self.lines, held_back, "access-log lines are lost");
            }
        }
        self.batch.clear();
        self.lines = 0;
    }
}
