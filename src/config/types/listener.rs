//! Listeners and where they send their clients.

use crate::model::{Name, Protocol};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Addresses to bind: one IP and one or more ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bind {
    /// The local address; `[::]` is dual-stack.
    pub ip: IpAddr,
    /// First port; 0 = the kernel chooses (then `last_port` is 0 too).
    pub first_port: u16,
    /// Last port, inclusive.
    pub last_port: u16,
}

impl Bind {
    /// Every socket address of this bind, in port order.
    pub fn addresses(self) -> impl Iterator<Item = SocketAddr> {
        (self.first_port..=self.last_port).map(move |port| SocketAddr::new(self.ip, port))
    }
}

impl From<SocketAddr> for Bind {
    fn from(addr: SocketAddr) -> Self {
        Self { ip: addr.ip(), first_port: addr.port(), last_port: addr.port() }
    }
}

/// One side of a weighted split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The group that receives this share.
    pub target_group: Name,
    /// Relative share.
    pub weight: u32,
}

/// What keeps a client on its side of a split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardKey {
    /// The client's address.
    #[default]
    SourceIp,
    /// The client's address and port.
    SourceIpPort,
}

/// A routing rule: every non-empty field must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Client prefixes.
    pub source: Vec<IpNet>,
    /// Local addresses that the client reached, as prefixes.
    pub destination: Vec<IpNet>,
    /// Local ports that the client reached, inclusive ranges.
    pub destination_ports: Vec<(u16, u16)>,
    /// The group that receives what matches.
    pub target_group: Name,
}

/// `[listeners.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// Its name.
    pub name: Name,
    /// The transport it serves.
    pub protocol: Protocol,
    /// Addresses to bind, in file order.
    pub bind: Vec<Bind>,
    /// The weighted split; never empty (`target_group` is shorthand for one entry).
    pub forward: Vec<Forward>,
    /// What keeps a client on its side of the split.
    pub forward_key: ForwardKey,
    /// First match wins, before `forward`.
    pub rules: Vec<Rule>,
    /// Client prefixes that may come; empty = all.
    pub allow: Vec<IpNet>,
    /// Client prefixes that may not; wins over `allow`.
    pub deny: Vec<IpNet>,
    /// Sessions; 0 = no limit of its own.
    pub max_connections: u32,
    /// Length of the accept queue.
    pub backlog: u32,
    /// No byte in either direction for so long ends a session.
    pub idle_timeout: Duration,
    /// The idle limit after the first FIN.
    pub half_close_timeout: Duration,
    /// Longest life of a session, jittered by ±10 %; zero = off.
    pub max_lifetime: Duration,
    /// Idle time before the first keep-alive probe, both sides; zero = off.
    pub keepalive: Duration,
    /// Congestion control of both sides; "" = the system's.
    pub congestion_control: String,
}

impl Listener {
    /// A TCP listener with the defaults of the file format.
    #[must_use]
    pub fn tcp(name: &str, bind: SocketAddr, target_group: &str) -> Self {
        Self {
            name: name.into(),
            protocol: Protocol::Tcp,
            bind: vec![bind.into()],
            forward: vec![Forward { target_group: target_group.into(), weight: 1 }],
            forward_key: ForwardKey::SourceIp,
            rules: Vec::new(),
            allow: Vec::new(),
            deny: Vec::new(),
            max_connections: 0,
            backlog: 4096,
            idle_timeout: Duration::from_secs(3600),
            half_close_timeout: Duration::from_secs(60),
            max_lifetime: Duration::ZERO,
            keepalive: Duration::from_secs(60),
            congestion_control: String::new(),
        }
    }
}
