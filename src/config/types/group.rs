//! Target groups, their targets, and how both are watched.

use crate::balance::{Balance, FailOpen, HashKey};
use crate::model::{Name, TargetId};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What becomes of running work when its target turns unhealthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnhealthy {
    /// TCP keeps, UDP rebinds.
    #[default]
    Auto,
    /// Goes on.
    Keep,
    /// Drains.
    Drain,
    /// Is reset at once.
    Reset,
    /// UDP: the next datagram picks anew.
    Rebind,
}

/// The administrative state of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AdminState {
    /// Takes new work.
    #[default]
    Enabled,
    /// No new work; what runs may finish.
    Draining,
    /// No work, no probes.
    Disabled,
}

impl AdminState {
    /// The word of file and API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Draining => "draining",
            Self::Disabled => "disabled",
        }
    }
}

/// Where a target is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TargetAddr {
    /// Its IP address.
    pub ip: IpAddr,
    /// Its port; `None` keeps the port that the client reached.
    pub port: Option<u16>,
}

impl TargetAddr {
    /// The address to connect to, for a client that reached `listen_port`.
    #[must_use]
    pub fn at(self, listen_port: u16) -> SocketAddr {
        SocketAddr::new(self.ip, self.port.unwrap_or(listen_port))
    }
}

/// One target.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Identity across reloads, and the Maglev key; by default the address as written.
    pub id: TargetId,
    /// Where it is reached.
    pub address: TargetAddr,
    /// 0..=1000; 0 = no new work.
    pub weight: u16,
    /// Used only when no eligible target is left that is not a backup.
    pub backup: bool,
    /// Sessions; 0 = no limit of its own.
    pub max_connections: u32,
    /// Administrative state.
    pub state: AdminState,
}

/// `[target_groups.NAME.connect]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect {
    /// One attempt.
    pub timeout: Duration,
    /// Distinct targets.
    pub attempts: u32,
    /// All attempts together.
    pub deadline: Duration,
    /// Percent of connects in flight that may be retries, never under 3.
    pub retry_budget_percent: u8,
}

impl Default for Connect {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(2),
            attempts: 3,
            deadline: Duration::from_secs(5),
            retry_budget_percent: 20,
        }
    }
}

/// What a probe speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeKind {
    /// Connects; then sends `send` and awaits a reply that starts with `expect`, where not empty.
    Tcp {
        /// Bytes to send; may be empty.
        send: Vec<u8>,
        /// Prefix of the reply; empty = the connection is enough.
        expect: Vec<u8>,
    },
    /// HTTP/1.1 GET.
    Http {
        /// Request target.
        path: String,
        /// Host header; "" = the target's address.
        host: String,
        /// Inclusive ranges of passing status codes.
        expect_status: Vec<(u16, u16)>,
    },
}

/// `[target_groups.NAME.health_check]`.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthCheck {
    /// What a probe speaks.
    pub kind: ProbeKind,
    /// `None` = the target's port.
    pub port: Option<u16>,
    /// Local address of probes.
    pub source_address: Option<IpAddr>,
    /// Between probes.
    pub interval: Duration,
    /// One probe; not above `interval`.
    pub timeout: Duration,
    /// Random part of the interval, in percent.
    pub jitter_percent: u8,
    /// Passes in a row that make healthy.
    pub healthy_threshold: u32,
    /// Failures in a row that make unhealthy.
    pub unhealthy_threshold: u32,
    /// Between probes while a transition is under way.
    pub fast_interval: Duration,
}

/// `[target_groups.NAME.outlier]`: passive health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlier {
    /// Failures in a row that eject; 0 = off.
    pub consecutive_failures: u32,
    /// Connects in `window` below which a failure share does not count.
    pub min_volume: u32,
    /// The time that a failure share looks back.
    pub window: Duration,
    /// First ejection; the n-th lasts n times as long.
    pub base_ejection: Duration,
    /// Longest ejection.
    pub max_ejection: Duration,
    /// Percent of a group that may be ejected at once.
    pub max_ejected_percent: u8,
    /// UDP: unreachable messages count as failures.
    pub icmp: bool,
}

impl Default for Outlier {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            min_volume: 20,
            window: Duration::from_secs(10),
            base_ejection: Duration::from_secs(30),
            max_ejection: Duration::from_secs(300),
            max_ejected_percent: 50,
            icmp: true,
        }
    }
}

/// `[target_groups.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetGroup {
    /// Its name.
    pub name: Name,
    /// Members, in file order.
    pub targets: Vec<Target>,
    /// How a target is chosen.
    pub balance: Balance,
    /// What Maglev hashes.
    pub hash_key: HashKey,
    /// Same on every replica; part of the Maglev permutation.
    pub hash_seed: String,
    /// Maglev slots, a prime.
    pub table_size: u32,
    /// Pool of local addresses towards targets.
    pub source_addresses: Vec<IpAddr>,
    /// Sessions; 0 = no limit of its own.
    pub max_connections: u32,
    /// How long running work of a draining target may go on.
    pub drain_timeout: Duration,
    /// When targets that are not eligible are used all the same.
    pub fail_open_below: FailOpen,
    /// What becomes of running work when its target turns unhealthy.
    pub on_unhealthy: OnUnhealthy,
    /// Connecting and retrying.
    pub connect: Connect,
    /// Active checks; `None` = none.
    pub health_check: Option<HealthCheck>,
    /// Passive health.
    pub outlier: Outlier,
}

impl TargetGroup {
    /// A group with the defaults of the file format and these targets, each its address as id.
    #[must_use]
    pub fn new(name: &str, targets: &[SocketAddr]) -> Self {
        let target = |addr: &SocketAddr| Target {
            id: addr.to_string().into(),
            address: TargetAddr { ip: addr.ip(), port: Some(addr.port()) },
            weight: 1,
            backup: false,
            max_connections: 0,
            state: AdminState::Enabled,
        };
        Self {
            name: name.into(),
            targets: targets.iter().map(target).collect(),
            balance: Balance::LeastConnections,
            hash_key: HashKey::SourceIp,
            hash_seed: String::new(),
            table_size: 65_537,
            source_addresses: Vec::new(),
            max_connections: 0,
            drain_timeout: Duration::from_secs(300),
            fail_open_below: FailOpen::Below(0),
            on_unhealthy: OnUnhealthy::Auto,
            connect: Connect::default(),
            health_check: None,
            outlier: Outlier::default(),
        }
    }
}
