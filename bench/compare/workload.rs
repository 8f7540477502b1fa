//! What is asked of the proxies.

use forebay::load::{Mode, TargetKind};

/// One row of the tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) target: TargetKind,
    pub(crate) mode: Mode,
    pub(crate) connections: usize,
    pub(crate) cost: Cost,
}

/// What a unit of work costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// Proxy CPU seconds per 10^9 bytes.
    CpuPerGigabyte,
    /// Proxy CPU microseconds per request or connection.
    CpuPerOperation,
    /// Process bytes per idle pair of connections.
    MemoryPerPair,
}

impl Cost {
    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::CpuPerGigabyte => "CPU s/GB",
            Self::CpuPerOperation => "CPU µs/op",
            Self::MemoryPerPair => "B/pair",
        }
    }
}

const fn bulk(name: &'static str, title: &'static str, mode: Mode, connections: usize) -> Workload {
    let target = if matches!(mode, Mode::Upload) { TargetKind::Sink } else { TargetKind::Source };
    Workload { name, title, target, mode, connections, cost: Cost::CpuPerGigabyte }
}

const fn echo(name: &'static str, title: &'static str, mode: Mode, connections: usize, cost: Cost) -> Workload {
    Workload { name, title, target: TargetKind::Echo, mode, connections, cost }
}

/// Each has at most 8,000 connections: with a limit of 20,000 descriptors a proxy has room for twice as many, and
/// generator and targets, which are processes of their own, for theirs.
pub(crate) const WORKLOADS: [Workload; 9] = [
    bulk("down8", "download, 8 streams", Mode::Download, 8),
    bulk("down1", "download, 1 stream", Mode::Download, 1),
    bulk("up8", "upload, 8 streams", Mode::Upload, 8),
    bulk("up1", "upload, 1 stream", Mode::Upload, 1),
    echo("ping1", "64 B ping-pong × 1", Mode::Ping, 1, Cost::CpuPerOperation),
    echo("ping64", "64 B ping-pong × 64", Mode::Ping, 64, Cost::CpuPerOperation),
    echo("ping512", "64 B ping-pong × 512", Mode::Ping, 512, Cost::CpuPerOperation),
    echo("connect", "connect, request, close × 32", Mode::Connect, 32, Cost::CpuPerOperation),
    echo("idle", "8,000 idle pairs", Mode::Ping, 8000, Cost::MemoryPerPair),
];
