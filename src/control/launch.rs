//! From a configuration to running workers: everything that can fail at start.

use super::access_log::{self, AccessLog};
use super::binder::Binder;
use super::capacity::Capacity;
use super::runner::Runner;
use super::state::{Input, State};
use crate::config::{Auto, Config, EngineChoice};
use crate::engine::Outbox;
use crate::snapshot::{ListenerView, ProcessRuntime, Snapshot};
use crate::stats::BoundedGauge;
use crate::sys;
use crate::time::clock;
use crate::worker::{Seat, Worker};
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

/// Worker threads at most.
const WORKERS_MAX: usize = 256;

/// Why forebay did not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// The configuration contradicts itself.
    Configuration(String),
    /// The system refuses: an address, a limit, a privilege.
    Environment(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Configuration(message) | Self::Environment(message)) = self;
        f.write_str(message)
    }
}

impl std::error::Error for StartError {}

/// The system refused.
fn refused(what: &str) -> impl Fn(std::io::Error) -> StartError {
    move |error| StartError::Environment(format!("{what}: {error}"))
}

/// Binds, shares out descriptors, starts the workers and the access log.
///
/// # Errors
/// Nothing is left running then.
pub fn launch(config: Config, config_file: Option<PathBuf>) -> Result<Runner, StartError> {
    let config = Arc::new(consistent(config)?);
    let workers = workers(&config)?;
    let descriptors = sys::raise_descriptor_limit().map_err(refused("the limit on open files cannot be read"))?;
    let mut binder = Binder::new(workers);
    let environment = |error: &dyn fmt::Display| StartError::Environment(error.to_string());
    let plan = binder.plan(&config).map_err(|error| environment(&error))?;
    let capacity = Capacity::share_out(descriptors, workers, plan.sockets(), config.runtime.max_connections)
        .map_err(|error| environment(&error))?;
    let addresses = plan.addresses(&config);
    binder.commit(plan).map_err(|error| environment(&error))?;
    let log = access_log::open(&config.access_log).map_err(refused("the access log cannot be opened"))?;

    let sessions = BoundedGauge::new(capacity.max_connections);
    let process = Arc::new(ProcessRuntime::new(sessions, workers));
    let now = clock::now();
    let mut random = fastrand::Rng::new();
    let mut state = State::new(Arc::clone(&process), workers, now);
    let first = Input::Reload { config: Arc::clone(&config), addresses, keep_changes: false };
    state.apply(first, now, &mut random).map_err(|refusal| StartError::Configuration(format!("{refusal:?}")))?;
    let snapshot = state.compile(now).expect("the first generation is always new");

    let outbox = Arc::new(Outbox::new().map_err(refused("no descriptor for the bells"))?);
    let seats = Seats { config: &config, process: &process, outbox: &outbox, capacity };
    let workers = seats.fill(workers, &snapshot, &mut random)?;
    let access_log = AccessLog::start(Arc::clone(&outbox), log).map_err(refused("no thread for the access log"));
    let access_log = match access_log {
        Ok(access_log) => access_log,
        Err(error) => {
            halt(workers, &snapshot);
            return Err(error);
        }
    };
    announce(&snapshot, &capacity);
    Ok(Runner::new(state, binder, workers, outbox, access_log, process, capacity, config, config_file, snapshot))
}

/// What a configuration made in code may get wrong; one from a file has been checked.
fn consistent(mut config: Config) -> Result<Config, StartError> {
    config.listeners.sort_by(|a, b| a.name.cmp(&b.name));
    config.target_groups.sort_by(|a, b| a.name.cmp(&b.name));
    let wrong = |message: String| Err(StartError::Configuration(message));
    if let Some(pair) = config.listeners.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return wrong(format!("two listeners are named `{}`", pair[0].name));
    }
    if let Some(pair) = config.target_groups.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return wrong(format!("two target groups are named `{}`", pair[0].name));
    }
    for group in &config.target_groups {
        let mut ids: Vec<_> = group.targets.iter().map(|target| &target.id).collect();
        ids.sort();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return wrong(format!("target group `{}` has two targets with id `{}`", group.name, pair[0]));
        }
    }
    for listener in &config.listeners {
        let sides = listener.forward.iter().map(|side| &side.target_group);
        let mut named = sides.chain(listener.rules.iter().map(|rule| &rule.target_group));
        let unknown = named.find(|name| config.target_groups.binary_search_by(|group| group.name.cmp(name)).is_err());
        if let Some(name) = unknown {
            return wrong(format!("listener `{}`: no target group is named `{name}`", listener.name));
        }
        if listener.forward.is_empty() {
            return wrong(format!("listener `{}` forwards to nothing", listener.name));
        }
    }
    Ok(config)
}

fn workers(config: &Config) -> Result<usize, StartError> {
    if config.runtime.engine == EngineChoice::Uring {
        let message = "runtime.engine = \"uring\": this build has the epoll engine only".to_owned();
        return Err(StartError::Environment(message));
    }
    let workers = match config.runtime.workers {
        // Knows affinity and the quotas of cgroups.
        Auto::Auto => std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(WORKERS_MAX),
        Auto::Fixed(workers) => usize::from(workers),
    };
    if (1..=WORKERS_MAX).contains(&workers) {
        Ok(workers)
    } else {
        Err(StartError::Configuration(format!("runtime.workers is 1 to {WORKERS_MAX}")))
    }
}

/// What every worker is given.
struct Seats<'a> {
    config: &'a Config,
    process: &'a Arc<ProcessRuntime>,
    outbox: &'a Arc<Outbox>,
    capacity: Capacity,
}

impl Seats<'_> {
    /// Starts the workers; when one of them cannot be had, the others are ended.
    fn fill(
        &self,
        workers: usize,
        first: &Arc<Snapshot>,
        random: &mut fastrand::Rng,
    ) -> Result<Vec<Worker>, StartError> {
        let cpus = if self.config.runtime.pin_workers { sys::allowed_cpus().unwrap_or_default() } else { Vec::new() };
        let mut started = Vec::with_capacity(workers);
        for index in 0..workers {
            let seat = Seat {
                index,
                // More workers than CPUs: the scheduler knows better.
                cpu: cpus.get(index).copied().filter(|_| workers <= cpus.len()),
                process: Arc::clone(self.process),
                outbox: Arc::clone(self.outbox),
                pipes_max: self.capacity.pipes_per_worker,
                seed: random.u64(..),
            };
            match Worker::start(seat, Arc::clone(first)) {
                Ok(worker) => started.push(worker),
                Err(error) => {
                    halt(started, first);
                    return Err(refused("a worker cannot be started")(error));
                }
            }
        }
        Ok(started)
    }
}

/// Ends workers that serve already.
fn halt(workers: Vec<Worker>, snapshot: &Arc<Snapshot>) {
    let last = Arc::new(Snapshot {
        generation: snapshot.generation + 1,
        phase: crate::snapshot::Phase::Halted,
        process: Arc::clone(&snapshot.process),
        listeners: Vec::new(),
        groups: snapshot.groups.clone(),
        orders: snapshot.orders.clone(),
        records_wanted: false,
    });
    for worker in workers {
        drop(worker.mailbox().put(Arc::clone(&last)));
        worker.join();
    }
}

fn announce(snapshot: &Snapshot, capacity: &Capacity) {
    let Capacity { descriptors, reserve, max_connections, .. } = capacity;
    let workers = snapshot.process.workers.iter().count();
    tracing::info!(workers, engine = "epoll", max_connections, descriptors, reserve, "forebay starts");
    for listener in &snapshot.listeners {
        let addresses = ListenerView::bound(listener);
        tracing::info!(listener = &*listener.config.name, ?addresses, "listening");
    }
}

impl ListenerView {
    /// The addresses as bound.
    fn bound(&self) -> Vec<std::net::SocketAddr> {
        self.addresses.iter().map(|address| address.addr).collect()
    }
}
