//! The choices that a target group offers.

/// How a target is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Balance {
    /// Fewest sessions per weight.
    #[default]
    LeastConnections,
    /// Consistent hashing.
    Maglev,
    /// Smooth weighted turn.
    RoundRobin,
    /// Weighted chance.
    Random,
    /// The better of two distinct random ones.
    PowerOfTwo,
}

impl Balance {
    /// The word of the file format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeastConnections => "least_connections",
            Self::Maglev => "maglev",
            Self::RoundRobin => "round_robin",
            Self::Random => "random",
            Self::PowerOfTwo => "power_of_two",
        }
    }
}

/// What placement hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HashKey {
    /// The client's address.
    #[default]
    SourceIp,
    /// The client's address and port.
    SourceIpPort,
    /// The client's address cut to these prefix lengths.
    SourcePrefix {
        /// Bits kept of an IPv4 address, 0..=32.
        v4: u8,
        /// Bits kept of an IPv6 address, 0..=128.
        v6: u8,
    },
}

impl HashKey {
    /// The word of the file format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SourceIp => "source_ip",
            Self::SourceIpPort => "source_ip_port",
            Self::SourcePrefix { .. } => "source_prefix",
        }
    }
}
