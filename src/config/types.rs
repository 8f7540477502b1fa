//! The configuration as the rest of forebay sees it: validated, every default filled in.

pub use crate::balance::{Balance, FailOpen, HashKey};
use crate::model::{Name, Protocol, TargetId};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// A whole configuration. Made by [`parse`](super::parse) from TOML, or in code from the `Default`s.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Process-wide settings.
    pub runtime: Runtime,
    /// The admin API.
    pub admin: Admin,
    /// The operational log.
    pub log: Log,
    /// One line per session.
    pub access_log: AccessLog,
    /// Listeners, sorted by name.
    pub listeners: Vec<Listener>,
    /// Target groups, sorted by name.
    pub target_groups: Vec<TargetGroup>,
}

/// `auto`, or an explicit number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auto<T> {
    /// Derived from the machine at start.
    #[default]
    Auto,
    /// As written.
    Fixed(T),
}

/// How bytes move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// The fastest that this kernel and sandbox allow.
    #[default]
    Auto,
    /// Readiness through epoll, copy and splice(2).
    Epoll,
    /// Completion through io_uring.
    Uring,
}

/// Whether the process locks itself in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sandbox {
    /// As far as the kernel allows.
    #[default]
    Auto,
    /// Not at all.
    Off,
    /// Or do not start.
    Required,
}

/// `[runtime]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Runtime {
    /// Worker threads: 1..=256, or the CPUs this process may use.
    pub workers: Auto<u16>,
    /// The engine asked for.
    pub engine: EngineChoice,
    /// Pin each worker to a CPU.
    pub pin_workers: bool,
    /// TCP sessions, whole process.
    pub max_connections: Auto<u32>,
    /// UDP flows, whole process.
    pub max_flows: u32,
    /// Longest wait for sessions after SIGTERM.
    pub shutdown_timeout: Duration,
    /// How long accepting goes on after readiness turned false.
    pub drain_delay: Duration,
    /// How long a successor may take to be ready.
    pub upgrade_timeout: Duration,
    /// The user to drop to; "" = stay.
    pub user: String,
    /// Whether the process locks itself in.
    pub sandbox: Sandbox,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            workers: Auto::Auto,
            engine: EngineChoice::Auto,
            pin_workers: true,
            max_connections: Auto::Auto,
            max_flows: 262_144,
            shutdown_timeout: Duration::from_secs(30),
            drain_delay: Duration::ZERO,
            upgrade_timeout: Duration::from_secs(30),
            user: String::new(),
            sandbox: Sandbox::Auto,
        }
    }
}

/// Where the admin API listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminAddr {
    /// A unix socket, mode 0600.
    Unix(PathBuf),
    /// A TCP address.
    Tcp(SocketAddr),
}

/// `[admin]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Admin {
    /// `None` = the default socket, `<runtime dir>/admin.sock`.
    pub listen: Option<Vec<AdminAddr>>,
    /// File holding the bearer token.
    pub token_file: Option<PathBuf>,
}

/// Severity below which operational log lines are dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}

/// Shape of operational log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// `[log]`, to stderr.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log {
    /// Lines below this severity are dropped.
    pub level: LogLevel,
    /// Shape of a line.
    pub format: LogFormat,
}

/// Where access-log lines go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AccessLogSink {
    /// Nowhere.
    #[default]
    Off,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, reopened on SIGUSR1.
    File(PathBuf),
}

/// Shape of access-log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// One JSON object per session.
    #[default]
    Json,
    /// HAProxy's `tcplog`.
    HaproxyTcplog,
}

/// `[access_log]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccessLog {
    /// Where lines go.
    pub sink: AccessLogSink,
    /// Shape of a line.
    pub format: AccessLogFormat,
}

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
