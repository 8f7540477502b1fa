//! The worker thread: pinned, one engine, until control ends it.

use super::Mailbox;
use crate::engine::Outbox;
use crate::engine::epoll::{Engine, EngineSeat};
use crate::model::CloseReason;
use crate::snapshot::{ProcessRuntime, Snapshot};
use crate::sys;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

/// What a worker is given for life.
#[derive(Clone, Debug)]
pub struct Seat {
    /// 0-based; names the worker's socket at every address and its block of every counter.
    pub index: usize,
    /// The CPU to be pinned to; `None` = not pinned.
    pub cpu: Option<usize>,
    /// Bounds and counters of the whole process.
    pub process: Arc<ProcessRuntime>,
    /// Where observations and records go.
    pub outbox: Arc<Outbox>,
    /// Pipes that the worker may have at once, for splicing; two descriptors each.
    pub pipes_max: usize,
    /// Seeds the worker's own randomness (ties, jitter).
    pub seed: u64,
}

/// A running worker, as control holds it.
#[derive(Debug)]
pub struct Worker {
    mailbox: Arc<Mailbox>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread; it serves `first` at once.
    ///
    /// # Errors
    /// When thread, epoll instance or bell cannot be made.
    pub fn start(seat: Seat, first: Arc<Snapshot>) -> io::Result<Self> {
        let mailbox = Arc::new(Mailbox::new()?);
        let mut engine = engine(&seat, &mailbox, &first)?;
        let inbox = Arc::clone(&mailbox);
        let thread = std::thread::Builder::new().name(format!("worker-{}", seat.index)).spawn(move || {
            if let Some(cpu) = seat.cpu
                && let Err(error) = sys::pin_to_cpu(cpu)
            {
                tracing::warn!(worker = seat.index, cpu, %error, "worker is not pinned");
            }
            let mut obeyed = first;
            loop {
                let served = catch_unwind(AssertUnwindSafe(|| serve(&mut engine, &inbox, &mut obeyed)));
                if let Ok(outcome) = served {
                    if let Err(error) = outcome {
                        tracing::error!(worker = seat.index, %error, "worker ended");
                    }
                    break;
                }
                // The panic's message is on stderr. Its sessions end, its sockets are served on by a new engine.
                tracing::error!(worker = seat.index, "worker failed; its sessions end, a new one takes its place");
                let _second_panic = catch_unwind(AssertUnwindSafe(|| engine.end_all(CloseReason::WorkerFailed)));
                match self::engine(&seat, &inbox, &obeyed) {
                    Ok(next) => engine = next,
                    Err(error) => {
                        tracing::error!(worker = seat.index, %error, "worker cannot be replaced");
                        break;
                    }
                }
            }
        })?;
        Ok(Self { mailbox, thread })
    }

    /// Where snapshots are put; the worker's `WorkerCounters::generation` tells when one was adopted.
    #[must_use]
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Whether the thread has ended: after [`Phase::Stopping`](crate::snapshot::Phase::Stopping) with no session
    /// left, or after [`Phase::Halted`](crate::snapshot::Phase::Halted).
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the thread to end.
    pub fn join(self) {
        // A panic that reaches this far was reported by the panic hook.
        drop(self.thread.join());
    }
}

fn engine(seat: &Seat, mailbox: &Mailbox, first: &Arc<Snapshot>) -> io::Result<Engine> {
    let seat = EngineSeat {
        index: seat.index,
        process: Arc::clone(&seat.process),
        outbox: Arc::clone(&seat.outbox),
        bell: Arc::clone(mailbox.bell()),
        pipes_max: seat.pipes_max,
        seed: seat.seed,
    };
    Engine::new(seat, Arc::clone(first))
}

/// Serves until control ends it.
fn serve(engine: &mut Engine, inbox: &Mailbox, obeyed: &mut Arc<Snapshot>) -> io::Result<()> {
    adopt(engine, obeyed);
    while !engine.is_done() {
        if engine.wait()?
            && let Some(snapshot) = inbox.take()
        {
            *obeyed = snapshot;
            adopt(engine, obeyed);
        }
        engine.turn();
    }
    Ok(())
}

fn adopt(engine: &mut Engine, snapshot: &Arc<Snapshot>) {
    if let Err(error) = engine.adopt(Arc::clone(snapshot)) {
        tracing::error!(%error, "a listening socket is not served");
    }
}
