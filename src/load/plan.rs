//! What to generate.

use crate::model::Protocol;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// An operation (or an attempt to connect) that takes longer has failed.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(5);

/// What one operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Send `size` bytes over a standing connection and read them back.
    Ping,
    /// Connect, send `size` bytes, read them back, end with FIN both ways.
    Connect,
    /// Read `size` bytes from a source.
    Download,
    /// Write `size` bytes to a sink.
    Upload,
}

impl Mode {
    /// The word on the command line and in the report.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Connect => "connect",
            Self::Download => "download",
            Self::Upload => "upload",
        }
    }

    /// Whether bytes stream in one direction, so that an operation is but a unit of counting.
    #[must_use]
    pub const fn is_bulk(self) -> bool {
        matches!(self, Self::Download | Self::Upload)
    }

    /// Bytes per operation when the user does not say.
    #[must_use]
    pub const fn default_size(self) -> usize {
        if self.is_bulk() { 256 * 1024 } else { 64 }
    }
}

/// A load to generate.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The transport; only TCP yet.
    pub protocol: Protocol,
    /// Where to.
    pub addr: SocketAddr,
    /// What one operation is.
    pub mode: Mode,
    /// Connections open at a time, 1 to [`Plan::MOST_CONNECTIONS`]; each has at most one operation under way.
    pub connections: usize,
    /// Bytes per operation, at most [`Plan::LARGEST_SIZE`]; 0 only for [`Mode::Connect`].
    pub size: usize,
    /// Operations per second over all connections, at intended times that do not depend on the answers; 0 = closed
    /// loop: the next operation begins when the last one has ended.
    pub rate: f64,
    /// Length of the measurement.
    pub duration: Duration,
    /// Runs before the measurement and does not count (its errors do).
    pub warmup: Duration,
    /// Congestion control of the generator's sockets; "" = the system's.
    pub congestion_control: String,
}

/// A plan that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError(pub String);

impl fmt::Display for PlanError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for PlanError {}

impl Plan {
    /// Upper bound of `connections`.
    pub const MOST_CONNECTIONS: usize = 1_000_000;
    /// Upper bound of `size`: 64 MiB.
    pub const LARGEST_SIZE: usize = 64 * 1024 * 1024;

    /// One connection, closed loop, the mode's size, one second.
    #[must_use]
    pub fn new(addr: SocketAddr, mode: Mode) -> Self {
        Self {
            protocol: Protocol::Tcp,
            addr,
            mode,
            connections: 1,
            size: mode.default_size(),
            rate: 0.0,
            duration: Duration::from_secs(1),
            warmup: Duration::ZERO,
            congestion_control: String::new(),
        }
    }

    /// Whether every number is within its bound.
    ///
    /// # Errors
    /// Says which is not.
    pub fn validate(&self) -> Result<(), PlanError> {
        let refuse = |why: String| Err(PlanError(why));
        if self.protocol == Protocol::Udp {
            return refuse("udp is not supported yet".to_owned());
        }
        if !(1..=Self::MOST_CONNECTIONS).contains(&self.connections) {
            return refuse(format!("connections: 1 to {}, not {}", Self::MOST_CONNECTIONS, self.connections));
        }
        if self.size > Self::LARGEST_SIZE {
            return refuse(format!("size: at most {} bytes, not {}", Self::LARGEST_SIZE, self.size));
        }
        if self.size == 0 && self.mode != Mode::Connect {
            return refuse(format!("size: at least 1 byte in mode {}", self.mode.as_str()));
        }
        if !self.rate.is_finite() || !(0.0..=1e9).contains(&self.rate) {
            return refuse(format!("rate: 0 to 1000000000 per second, not {}", self.rate));
        }
        if self.duration.is_zero() {
            return refuse("seconds: more than 0".to_owned());
        }
        Ok(())
    }
}
