//! A load balancer inside a program of your own; the binary is a thin caller of the same.

use crate::config::Config;
use crate::control::{self, ControlLink, End, Runner, StartError};
use crate::model::{CloseReason, Name, RefuseReason, TargetId};
use crate::stats::Counter;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::thread::JoinHandle;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::LocalSet;

/// Something that runs on control's thread beside control, such as an admin server; ended when control ends.
pub type Service = Box<dyn FnOnce(ControlLink) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// How [`Balancer::run`] runs.
#[derive(Default)]
pub struct BalancerOptions {
    /// What to serve.
    pub config: Config,
    /// Where it came from: what a reload reads. `None` = a reload is refused.
    pub config_file: Option<PathBuf>,
    /// Obey SIGHUP, SIGTERM, SIGINT, SIGUSR1 and SIGUSR2.
    pub signals: bool,
    /// What else runs on control's thread.
    pub serve: Vec<Service>,
}

impl fmt::Debug for BalancerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config, config_file, signals, serve } = self;
        let mut shown = f.debug_struct("BalancerOptions");
        shown.field("config", config).field("config_file", config_file).field("signals", signals);
        shown.field("serve", &serve.len()).finish()
    }
}

/// A running load balancer: its workers and its control thread.
///
/// Dropped, it ends at once and resets what runs; [`Balancer::shutdown`] drains first.
///
/// ```
/// use forebay::Balancer;
/// use forebay::config::{Config, Listener, TargetGroup};
/// use std::io::{Read, Write};
/// use std::net::{TcpListener, TcpStream};
///
/// // A target that says hello.
/// let target = TcpListener::bind("127.0.0.1:0")?;
/// let target_addr = target.local_addr()?;
/// std::thread::spawn(move || target.accept()?.0.write_all(b"hello"));
///
/// let config = Config {
///     listeners: vec![Listener::tcp("web", "127.0.0.1:0".parse()?, "pool")],
///     target_groups: vec![TargetGroup::new("pool", &[target_addr])],
///     ..Config::default()
/// };
/// let balancer = Balancer::start(config)?;
///
/// let mut greeting = String::new();
/// TcpStream::connect(balancer.addresses("web")[0])?.read_to_string(&mut greeting)?;
/// assert_eq!(greeting, "hello");
/// balancer.shutdown();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Balancer {
    link: ControlLink,
    end: watch::Sender<End>,
    thread: Option<JoinHandle<()>>,
}

impl Balancer {
    /// Starts workers and control; when this returns, the listening sockets are bound.
    ///
    /// Obeys no signals and reads no file. Raises the soft limit on open files of the process to the hard one.
    ///
    /// # Errors
    /// The configuration contradicts itself, or the system refuses it; nothing runs then.
    pub fn start(config: Config) -> Result<Self, StartError> {
        Self::start_with(BalancerOptions { config, ..BalancerOptions::default() })
    }

    /// Starts workers and control with everything that may be chosen.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(options: BalancerOptions) -> Result<Self, StartError> {
        let BalancerOptions { config, config_file, signals, serve } = options;
        let runtime = runtime()?;
        let runner = control::launch(config, config_file)?;
        let (link, end) = (runner.link(), runner.ender());
        let drive = move || drive(&runtime, runner, signals, serve);
        let thread = std::thread::Builder::new().name("control".to_owned()).spawn(drive);
        let thread = thread.map_err(|error| StartError::Environment(format!("no thread for control: {error}")))?;
        Ok(Self { link, end, thread: Some(thread) })
    }

    /// Serves on this thread until the process is told to end.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn run(options: BalancerOptions) -> Result<(), StartError> {
        let BalancerOptions { config, config_file, signals, serve } = options;
        let runtime = runtime()?;
        let runner = control::launch(config, config_file)?;
        drive(&runtime, runner, signals, serve);
        Ok(())
    }

    /// The addresses that a listener is bound to, in file order; empty when there is no such listener.
    #[must_use]
    pub fn addresses(&self, listener: &str) -> Vec<SocketAddr> {
        let snapshot = &self.link.view().snapshot;
        let found = snapshot.listeners.iter().find(|view| *view.config.name == *listener);
        found.map_or_else(Vec::new, |view| view.addresses.iter().map(|address| address.addr).collect())
    }

    /// Everything counted so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics::read(&self.link)
    }

    /// How to ask control for changes and read its view.
    #[must_use]
    pub fn link(&self) -> ControlLink {
        self.link.clone()
    }

    /// Drains, as SIGTERM does, and returns when all has ended: after `drain_delay` and `shutdown_timeout` at the
    /// latest.
    pub fn shutdown(mut self) {
        self.finish(End::Drained);
    }

    fn finish(&mut self, how: End) {
        if let Some(thread) = self.thread.take() {
            self.end.send_replace(how);
            // A panic was reported by the panic hook.
            drop(thread.join());
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.finish(End::AtOnce);
    }
}

fn runtime() -> Result<Runtime, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| StartError::Environment(format!("control has no event loop: {error}")))
}

fn drive(runtime: &Runtime, runner: Runner, signals: bool, serve: Vec<Service>) {
    let local = LocalSet::new();
    for service in serve {
        local.spawn_local(service(runner.link()));
    }
    if let Err(error) = local.block_on(runtime, runner.run(signals)) {
        tracing::error!(%error, "control has failed");
    }
}

/// Counts of the whole balancer; they never go back, and removed listeners and targets go on counting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// In name order.
    pub listeners: Vec<ListenerStatistics>,
    /// In the order of groups and targets.
    pub targets: Vec<TargetStatistics>,
}

/// Counts of one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerStatistics {
    /// Its name.
    pub name: Name,
    /// Sessions now.
    pub active: u64,
    /// Sessions begun.
    pub opened: u64,
    /// Sessions ended, by reason, where there are any.
    pub closed: Vec<(CloseReason, u64)>,
    /// Connections turned away, by reason, where there are any.
    pub refused: Vec<(RefuseReason, u64)>,
    /// Bytes written to targets.
    pub bytes_to_target: u64,
    /// Bytes written to clients.
    pub bytes_to_client: u64,
}

/// Counts of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetStatistics {
    /// Its group.
    pub target_group: Name,
    /// Its id.
    pub id: TargetId,
    /// Sessions now, connecting ones included.
    pub active: u64,
    /// Sessions established.
    pub opened: u64,
    /// Connection attempts that failed.
    pub connect_failures: u64,
    /// Bytes written to it.
    pub bytes_to_target: u64,
    /// Bytes written to clients on its behalf.
    pub bytes_to_client: u64,
}

impl Statistics {
    fn read(link: &ControlLink) -> Self {
        let view = link.view();
        let listener = |runtime: &std::sync::Arc<crate::snapshot::ListenerRuntime>| {
            let counters = &runtime.counters;
            let closed = |reason: CloseReason| (reason, counters.sum(|one| &one.closed[reason.index()]));
            let refused = |reason: RefuseReason| (reason, counters.sum(|one| &one.refused[reason.index()]));
            ListenerStatistics {
                name: runtime.name.clone(),
                active: u64::from(runtime.sessions.active()),
                opened: counters.sum(|one| &one.opened),
                closed: CloseReason::ALL.iter().map(|reason| closed(*reason)).filter(|(_, n)| *n > 0).collect(),
                refused: RefuseReason::ALL.iter().map(|reason| refused(*reason)).filter(|(_, n)| *n > 0).collect(),
                bytes_to_target: counters.sum(|one| &one.bytes_to_target),
                bytes_to_client: counters.sum(|one| &one.bytes_to_client),
            }
        };
        let members = view.snapshot.groups.iter().flat_map(|group| group.placement.members());
        let runtimes = members.map(|member| &member.runtime).chain(&view.retired_targets);
        let target = |runtime: &std::sync::Arc<crate::balance::TargetRuntime>| TargetStatistics {
            target_group: runtime.group.name.clone(),
            id: runtime.id.clone(),
            active: u64::from(runtime.load.active()),
            opened: runtime.counters.sum(|one| &one.opened),
            connect_failures: runtime.counters.iter().flat_map(|one| &one.connect_failures).map(Counter::get).sum(),
            bytes_to_target: runtime.counters.sum(|one| &one.bytes_to_target),
            bytes_to_client: runtime.counters.sum(|one| &one.bytes_to_client),
        };
        Self { listeners: view.listeners.iter().map(listener).collect(), targets: runtimes.map(target).collect() }
    }
}
