//! The JSON of `/v1/status` and `/v1/listeners`.

use super::process_status::SecurityBody;
use crate::control::{ControlView, LastReload, ServiceState};
use crate::snapshot::ListenerRuntime;
use crate::stats::ListenerCounters;
use serde::Serialize;
use std::time::{Instant, SystemTime};

/// RFC 3339 in UTC, with milliseconds.
pub(super) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// `GET /v1/status`
#[derive(Debug, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "the shape of the contract")]
pub(super) struct StatusBody {
    version: &'static str,
    pid: u32,
    state: &'static str,
    ready: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    ready_reason: Option<String>,
    engine: &'static str,
    engine_reason: String,
    workers: usize,
    generation: u64,
    uptime_seconds: f64,
    config_file: Option<String>,
    differs_from_file: bool,
    pending_restart: Vec<&'static str>,
    last_reload: Option<LastReloadBody>,
    limits: LimitsBody,
    sessions: u32,
    flows: u32,
    security: SecurityBody,
}

#[derive(Debug, Serialize)]
struct LastReloadBody {
    ok: bool,
    time: String,
    message: String,
}

#[derive(Debug, Serialize)]
struct LimitsBody {
    max_connections: u32,
    max_flows: u32,
}

impl StatusBody {
    /// The status at `now`.
    pub(super) fn new(view: &ControlView, now: Instant) -> Self {
        let reload =
            |last: &LastReload| LastReloadBody { ok: last.ok, time: rfc3339(last.time), message: last.message.clone() };
        Self {
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            state: view.state.as_str(),
            ready: view.ready.is_ok(),
            ready_reason: view.ready.clone().err(),
            engine: view.engine,
            engine_reason: view.engine_reason.clone(),
            workers: view.workers,
            generation: view.snapshot.generation,
            uptime_seconds: now.saturating_duration_since(view.started).as_secs_f64(),
            config_file: view.config_file.as_ref().map(|path| path.display().to_string()),
            differs_from_file: view.differs_from_file,
            pending_restart: view.pending_restart.clone(),
            last_reload: view.last_reload.as_ref().map(reload),
            limits: LimitsBody { max_connections: view.max_connections, max_flows: view.max_flows },
            sessions: view.snapshot.process.sessions.active(),
            flows: 0,
            security: SecurityBody::read(),
        }
    }
}

/// The counters of one listener, read so that they agree with one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SessionTotals {
    pub(super) opened: u64,
    pub(super) closed: u64,
    pub(super) refused: u64,
}

impl SessionTotals {
    /// Ends are read before beginnings, so that `opened` is never below `closed` while workers count on.
    pub(super) fn read(runtime: &ListenerRuntime) -> Self {
        let closed = runtime.counters.iter().map(ListenerCounters::closed_total).sum();
        std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
        let opened = runtime.counters.sum(|counters| &counters.opened);
        let refused =
            runtime.counters.iter().flat_map(|counters| &counters.refused).map(crate::stats::Counter::get).sum();
        Self { opened, closed, refused }
    }

    /// Sessions between their beginning and their end.
    pub(super) fn active(self) -> u64 {
        self.opened.saturating_sub(self.closed)
    }
}

/// `GET /v1/listeners`
#[derive(Debug, Serialize)]
pub(super) struct ListenersBody {
    generation: u64,
    listeners: Vec<ListenerBody>,
}

#[derive(Debug, Serialize)]
struct ListenerBody {
    name: String,
    protocol: &'static str,
    addresses: Vec<String>,
    state: &'static str,
    forward: Vec<ForwardBody>,
    active: u64,
    opened: u64,
    closed: u64,
    refused: u64,
    bytes_to_target: u64,
    bytes_to_client: u64,
}

#[derive(Debug, Serialize)]
struct ForwardBody {
    target_group: String,
    weight: u32,
}

/// Every listener in force, then those that were removed and still have sessions.
pub(super) fn listeners(view: &ControlView) -> ListenersBody {
    let serving = matches!(view.state, ServiceState::Starting | ServiceState::Serving | ServiceState::Draining);
    let in_force = view.snapshot.listeners.iter().map(|listener| {
        let forward = listener.config.forward.iter();
        ListenerBody {
            protocol: listener.config.protocol.as_str(),
            addresses: listener.addresses.iter().map(|address| address.addr.to_string()).collect(),
            state: if serving { "active" } else { "draining" },
            forward: forward
                .map(|side| ForwardBody { target_group: side.target_group.to_string(), weight: side.weight })
                .collect(),
            ..counted(&listener.runtime)
        }
    });
    let known = |uid: u32| view.snapshot.listeners.iter().any(|listener| listener.runtime.uid == uid);
    let removed = view.listeners.iter().filter(|runtime| !known(runtime.uid)).map(|runtime| counted(runtime));
    let draining = removed.filter(|body| body.active > 0);
    ListenersBody { generation: view.snapshot.generation, listeners: in_force.chain(draining).collect() }
}

fn counted(runtime: &ListenerRuntime) -> ListenerBody {
    let totals = SessionTotals::read(runtime);
    ListenerBody {
        name: runtime.name.to_string(),
        protocol: "tcp",
        addresses: Vec::new(),
        state: "draining",
        forward: Vec::new(),
        active: totals.active(),
        opened: totals.opened,
        closed: totals.closed,
        refused: totals.refused,
        bytes_to_target: runtime.counters.sum(|counters| &counters.bytes_to_target),
        bytes_to_client: runtime.counters.sum(|counters| &counters.bytes_to_client),
    }
}
