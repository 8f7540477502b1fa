//! What the workers obey: one immutable view of configuration, health and sockets.
//!
//! Control compiles generation n + 1 from its state and publishes it; a worker swaps its `Arc` and goes
//! on. Nothing in here changes after it was published, save the shared counters of the runtime records.

mod compile;
mod orders;
mod route;
mod runtime;

pub use compile::{GroupInput, ListenerInput, TargetInput, compile_group, compile_listener};
pub use orders::{CloseOrder, Manner, Orders};
pub use route::Route;
pub use runtime::{ListenerRuntime, ListeningAddress, ProcessRuntime};

use crate::balance::{GroupRuntime, Placement, Split};
use crate::config;
use crate::limit::{Access, PrefixSet};
use std::sync::Arc;

/// What the process is doing, as far as workers care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Accepting.
    Serving,
    /// Accept what is queued, close the listening sockets, finish what runs; a worker without sessions ends.
    Stopping,
    /// Reset what still runs and end.
    Halted,
}

/// One generation.
#[derive(Debug)]
pub struct Snapshot {
    /// Its number: raised by one each time control publishes.
    pub generation: u64,
    /// What the process is doing.
    pub phase: Phase,
    /// Bounds and counters of the whole process.
    pub process: Arc<ProcessRuntime>,
    /// Listeners, in name order.
    pub listeners: Vec<Arc<ListenerView>>,
    /// Target groups, in name order; [`RuleView::group`] and [`ListenerView::sides`] point in here.
    pub groups: Vec<Arc<GroupView>>,
    /// Which running sessions must end, how and when.
    pub orders: Orders,
    /// Whether ended sessions are recorded for the access log.
    pub records_wanted: bool,
}

/// A listener as a worker sees it.
#[derive(Debug)]
pub struct ListenerView {
    /// Its record.
    pub runtime: Arc<ListenerRuntime>,
    /// Its settings.
    pub config: Arc<config::Listener>,
    /// Its sockets, one per worker at every address.
    pub addresses: Vec<Arc<ListeningAddress>>,
    /// Who may come.
    pub access: Access,
    /// First match wins.
    pub rules: Vec<RuleView>,
    /// Which side of the forward a client belongs to.
    pub split: Split,
    /// The group of each side, as an index into [`Snapshot::groups`].
    pub sides: Vec<usize>,
}

/// A routing rule, compiled. An empty field matches everything.
#[derive(Debug)]
pub struct RuleView {
    /// Client prefixes; `None` = any.
    pub source: Option<PrefixSet>,
    /// Prefixes of the address that was reached; `None` = any.
    pub destination: Option<PrefixSet>,
    /// Inclusive ranges of the port that was reached; empty = any.
    pub destination_ports: Vec<(u16, u16)>,
    /// Index into [`Snapshot::groups`].
    pub group: usize,
}

/// A target group as a worker sees it.
#[derive(Debug)]
pub struct GroupView {
    /// Its record.
    pub runtime: Arc<GroupRuntime>,
    /// Its settings; `config.targets` is what the file says, [`Self::targets`] what is in force.
    pub config: Arc<config::TargetGroup>,
    /// Where each member of [`Self::placement`] is reached, in the same order.
    pub targets: Vec<config::TargetAddr>,
    /// Who gets what.
    pub placement: Placement,
}
