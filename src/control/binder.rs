//! Listening sockets: bound once, kept as long as their address is configured.

use crate::config::{Bind, Config, Listener};
use crate::model::{Name, Protocol};
use crate::snapshot::ListeningAddress;
use crate::sys::{self, ListenOptions};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

/// What a listening socket was given beyond its address.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Settings {
    backlog: u32,
    keepalive: Duration,
    congestion_control: String,
}

impl Settings {
    fn of(listener: &Listener) -> Self {
        let (backlog, keepalive) = (listener.backlog, listener.keepalive);
        Self { backlog, keepalive, congestion_control: listener.congestion_control.clone() }
    }

    fn options(&self) -> ListenOptions<'_> {
        ListenOptions {
            backlog: self.backlog,
            keepalive: (!self.keepalive.is_zero()).then_some(self.keepalive),
            congestion_control: &self.congestion_control,
        }
    }
}

/// One configured address with its sockets.
#[derive(Clone, Debug)]
struct Bound {
    /// As written; port 0 stays 0.
    wanted: SocketAddr,
    listener: Name,
    settings: Settings,
    address: Arc<ListeningAddress>,
}

/// Every listening socket of the process.
#[derive(Debug)]
pub struct Binder {
    workers: usize,
    bound: Vec<Bound>,
}

/// What a configuration would listen on: dropped, nothing has changed; see [`Binder::commit`].
#[derive(Debug)]
pub struct Plan {
    bound: Vec<Bound>,
    /// Sockets that stay, with settings to be applied to them, and those that they have.
    changes: Vec<(Arc<ListeningAddress>, Settings, Settings)>,
}

impl Plan {
    /// The sockets of each listener, in the order of the configuration that the plan was made for.
    #[must_use]
    pub fn addresses(&self, config: &Config) -> Vec<Vec<Arc<ListeningAddress>>> {
        let of = |listener: &Listener| {
            let own = self.bound.iter().filter(|bound| bound.listener == listener.name);
            own.map(|bound| Arc::clone(&bound.address)).collect()
        };
        config.listeners.iter().map(of).collect()
    }

    /// How many sockets there are in all.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.bound.iter().map(|bound| bound.address.sockets.len()).sum()
    }
}

/// A listener that cannot be had.
#[derive(Debug)]
pub struct BindError {
    /// Its name.
    pub listener: Name,
    /// The address that it asks for.
    pub addr: SocketAddr,
    /// What the system said.
    pub error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { listener, addr, error } = self;
        write!(f, "listener `{listener}` cannot listen on {addr}: {error}")
    }
}

impl std::error::Error for BindError {}

impl Binder {
    /// A binder that makes one socket per worker and address.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self { workers, bound: Vec::new() }
    }

    /// Binds what is new in `config`; sockets of addresses that stay are shared.
    ///
    /// An address belongs to the listener that had it, else to any that asks for it: a renamed one keeps its queue.
    ///
    /// # Errors
    /// The first address that cannot be had. Nothing has changed then.
    pub fn plan(&self, config: &Config) -> Result<Plan, BindError> {
        let mut kept = self.bound.clone();
        let mut plan = Plan { bound: Vec::new(), changes: Vec::new() };
        let mut wanted: Vec<(&Listener, SocketAddr, Option<Bound>)> = Vec::new();
        let each = |listener| Listener::binds(listener).map(move |addr| (listener, addr));
        for (listener, addr) in config.listeners.iter().flat_map(each) {
            let own = kept.iter().position(|bound| bound.wanted == addr && bound.listener == listener.name);
            wanted.push((listener, addr, own.map(|at| kept.swap_remove(at))));
        }
        for (listener, addr, own) in &mut wanted {
            if own.is_none() {
                let others = kept.iter().position(|bound| bound.wanted == *addr);
                *own = others.map(|at| kept.swap_remove(at));
            }
            if listener.protocol != Protocol::Tcp {
                let error = io::Error::new(io::ErrorKind::Unsupported, "this version serves TCP only");
                return Err(BindError { listener: listener.name.clone(), addr: *addr, error });
            }
        }
        // What is left in `kept` goes away.
        for (listener, addr, own) in wanted {
            let settings = Settings::of(listener);
            let address = match own {
                Some(bound) => {
                    if bound.settings != settings {
                        plan.changes.push((Arc::clone(&bound.address), settings.clone(), bound.settings));
                    }
                    bound.address
                }
                None => {
                    let leaving = kept.iter().any(|bound| overlaps(bound.address.addr, addr));
                    let made = self.bind(addr, &settings, leaving);
                    made.map_err(|error| BindError { listener: listener.name.clone(), addr, error })?
                }
            };
            plan.bound.push(Bound { wanted: addr, listener: listener.name.clone(), settings, address });
        }
        Ok(plan)
    }

    /// Takes a plan up: settings that changed are applied to sockets that stay, and what is no longer configured is
    /// let go of (it closes when no snapshot has it any more).
    ///
    /// # Errors
    /// When a setting is refused. What was applied before is taken back, and nothing has changed.
    pub fn commit(&mut self, plan: Plan) -> Result<(), BindError> {
        for (done, (address, settings, _before)) in plan.changes.iter().enumerate() {
            if let Err(error) = configure(address, settings) {
                for (address, _settings, before) in &plan.changes[..=done] {
                    // They were accepted once; nothing better can be done if they no longer are.
                    let _refused = configure(address, before);
                }
                let owner = plan.bound.iter().find(|bound| Arc::ptr_eq(&bound.address, address));
                let listener = owner.map_or_else(|| "".into(), |bound| bound.listener.clone());
                return Err(BindError { listener, addr: address.addr, error });
            }
        }
        self.bound = plan.bound;
        Ok(())
    }

    /// One socket per worker, in worker order.
    fn bind(&self, wanted: SocketAddr, settings: &Settings, is_ours: bool) -> io::Result<Arc<ListeningAddress>> {
        // Our own socket that goes away with this reload proves that nobody else has the port.
        if !is_ours {
            sys::bind_exclusively(wanted)?;
        }
        let mut addr = wanted;
        let mut sockets = Vec::with_capacity(self.workers);
        for _worker in 0..self.workers {
            let socket = sys::listen(addr, &settings.options())?;
            addr = sys::local_addr(socket.as_fd())?;
            sockets.push(Arc::new(socket));
        }
        Ok(Arc::new(ListeningAddress { addr, sockets }))
    }
}

impl Listener {
    fn binds(&self) -> impl Iterator<Item = SocketAddr> {
        self.bind.iter().copied().flat_map(Bind::addresses)
    }
}

/// Applies settings to sockets that listen already.
fn configure(address: &ListeningAddress, settings: &Settings) -> io::Result<()> {
    let mut settings = settings.clone();
    if settings.congestion_control.is_empty() {
        // There is no way to say "the system's" to a socket that was given another one.
        settings.congestion_control = sys::default_congestion_control()?;
    }
    address.sockets.iter().try_for_each(|socket| sys::configure_listener(socket.as_fd(), &settings.options()))
}

/// Whether two addresses cannot be listened on at the same time.
fn overlaps(a: SocketAddr, b: SocketAddr) -> bool {
    // `[::]` is dual-stack: it covers IPv4 too.
    let covers = |wide: IpAddr, other: IpAddr| wide.is_unspecified() && (wide.is_ipv6() || other.is_ipv4());
    a.port() == b.port() && (a.ip() == b.ip() || covers(a.ip(), b.ip()) || covers(b.ip(), a.ip()))
}

#[cfg(test)]
mod tests;
