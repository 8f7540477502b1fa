//! What the access log is told of one session, as plain data: formatting is the log writer's work.

use crate::balance::{GroupRuntime, TargetRuntime};
use crate::model::{CloseReason, ClosedBy, Protocol};
use crate::snapshot::ListenerRuntime;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A session that ended.
#[derive(Clone, Debug)]
pub struct SessionRecord {
    /// Its transport.
    pub protocol: Protocol,
    /// The listener that accepted it.
    pub listener: Arc<ListenerRuntime>,
    /// The client.
    pub client_addr: SocketAddr,
    /// The local address that the client reached.
    pub listen_addr: SocketAddr,
    /// The target group that it was routed to.
    pub group: Arc<GroupRuntime>,
    /// The target that served it, or was tried last.
    pub target: Option<Arc<TargetRuntime>>,
    /// That target's address.
    pub target_addr: Option<SocketAddr>,
    /// Our address towards the target.
    pub source_addr: Option<SocketAddr>,
    /// From accept to the end.
    pub duration: Duration,
    /// From accept to an established target connection.
    pub connect: Option<Duration>,
    /// From accept to the first byte of the target.
    pub first_byte: Option<Duration>,
    /// Connection attempts made.
    pub attempts: u32,
    /// Bytes written to the target.
    pub bytes_to_target: u64,
    /// Bytes written to the client.
    pub bytes_to_client: u64,
    /// Why it ended.
    pub close_reason: CloseReason,
    /// Which side ended it.
    pub closed_by: ClosedBy,
    /// The kernel's view of the client connection.
    pub client_tcp: Option<TcpFigures>,
    /// The kernel's view of the target connection.
    pub target_tcp: Option<TcpFigures>,
}

/// What the log shows of `TCP_INFO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpFigures {
    /// Smoothed round-trip time, in microseconds.
    pub rtt_us: u32,
    /// Segments retransmitted over the life of the connection.
    pub retransmits: u32,
}
