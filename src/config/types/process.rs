//! The whole, and what is process-wide.

use super::{Listener, TargetGroup};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A whole configuration. Made by [`parse`](crate::config::parse) from TOML, or in code from the `Default`s.
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
