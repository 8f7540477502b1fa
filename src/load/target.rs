//! Targets for the generator: echo, sink and source.

use super::serving::Service;
use crate::sys;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};

/// What a target does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// Sends back what comes.
    Echo,
    /// Reads and discards.
    Sink,
    /// Writes until the client is gone.
    Source,
}

impl TargetKind {
    /// The word on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Sink => "sink",
            Self::Source => "source",
        }
    }
}

/// How a target listens.
#[derive(Clone, Debug, Default)]
pub struct TargetOptions {
    /// Congestion control of its connections; "" = the system's.
    pub congestion_control: String,
}

/// What a target has served, written by its thread.
#[derive(Debug, Default)]
pub(super) struct Served {
    pub(super) accepted: AtomicU64,
    pub(super) open: AtomicU64,
    pub(super) bytes: AtomicU64,
}

/// A running target: one thread, thousands of connections. Dropping it stops it and closes its connections.
#[derive(Debug)]
pub struct Target {
    addr: SocketAddr,
    stop: Arc<sys::EventFd>,
    served: Arc<Served>,
    /// `None` once joined.
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Target {
    /// Listens on `bind` (port 0: a free one) and serves.
    ///
    /// # Errors
    /// An address in use or not ours, descriptors, an unknown congestion control.
    pub fn start(kind: TargetKind, bind: SocketAddr) -> io::Result<Self> {
        Self::start_with(kind, bind, &TargetOptions::default())
    }

    /// As [`Target::start`], with options.
    ///
    /// # Errors
    /// As [`Target::start`].
    pub fn start_with(kind: TargetKind, bind: SocketAddr, options: &TargetOptions) -> io::Result<Self> {
        if bind.port() != 0 {
            // Our listening sockets share ports; a second target on the same one would get half of the connections.
            sys::bind_exclusively(bind)?;
        }
        let congestion_control = options.congestion_control.as_str();
        let listener = sys::listen(bind, &sys::ListenOptions { backlog: 4096, keepalive: None, congestion_control })?;
        let addr = sys::local_addr(listener.as_fd())?;
        let (stop, served) = (Arc::new(sys::EventFd::new()?), Arc::new(Served::default()));
        let service = Service::new(kind, listener, Arc::clone(&stop), Arc::clone(&served))?;
        let name = format!("load-{}", kind.as_str());
        let thread = thread::Builder::new().name(name).spawn(move || service.run())?;
        Ok(Self { addr, stop, served, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Connections accepted since the start.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.served.accepted.load(Relaxed)
    }

    /// Connections open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.served.open.load(Relaxed)
    }

    /// Payload bytes received (source: sent) since the start.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.served.bytes.load(Relaxed)
    }

    /// Stops listening and closes every connection.
    pub fn stop(self) {
        drop(self);
    }

    /// Serves until its event loop fails, which only happens when the system is out of resources.
    ///
    /// # Errors
    /// What ended it.
    pub fn wait(mut self) -> io::Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_panic)) => Err(io::Error::other("the target's thread panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.stop.ring();
        if let Some(thread) = self.thread.take() {
            let _panicked_or_failed = thread.join();
        }
    }
}
