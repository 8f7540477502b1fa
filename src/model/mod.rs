//! Nouns as plain data: what every other layer speaks of.

mod close_reason;
mod flow_key;
mod observation;

pub use close_reason::{CloseReason, ClosedBy, ConnectFailure, RefuseReason};
pub use flow_key::{FlowKey, canonical};
pub use observation::{Observation, ObservationKind};

use std::sync::Arc;

/// The name of a listener or of a target group: `[A-Za-z0-9][A-Za-z0-9_-]{0,63}`.
pub type Name = Arc<str>;

/// What identifies a target inside its group, across reloads and replicas: printable text, at most 255 bytes.
pub type TargetId = Arc<str>;

/// The transport that a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// Byte streams.
    Tcp,
    /// Datagrams.
    Udp,
}

impl Protocol {
    /// The word used in configuration, API, metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}
