//! One vocabulary for how work ends, shared by the access log, the metrics and the documents.

/// Declares an enum whose variants have one stable word each.
macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// Every variant, in declaration order: `ALL[v.index()] == v`.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];
            /// How many variants there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The word used in the access log, as a metric label and in the documents.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// Position in [`Self::ALL`], for counters kept in an array.
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

vocabulary! {
    /// The one cause for which a session (or flow) ended.
    CloseReason {
        /// Both directions reached their end.
        Finished = "finished",
        /// The client sent RST.
        ClientReset = "client_reset",
        /// The target sent RST.
        TargetReset = "target_reset",
        /// The client's kernel stopped answering (keep-alive or retransmission gave up).
        ClientTimeout = "client_timeout",
        /// The target's kernel stopped answering.
        TargetTimeout = "target_timeout",
        /// No byte in either direction for `idle_timeout`.
        IdleTimeout = "idle_timeout",
        /// No byte for `half_close_timeout` after the first FIN.
        HalfCloseTimeout = "half_close_timeout",
        /// `max_lifetime` passed.
        MaxLifetime = "max_lifetime",
        /// Every attempt failed, the last one with a refusal.
        ConnectRefused = "connect_refused",
        /// Every attempt failed, the last one by time.
        ConnectTimeout = "connect_timeout",
        /// Every attempt failed, the last one with host or network unreachable.
        ConnectUnreachable = "connect_unreachable",
        /// Every attempt failed, the last one reset before it was established.
        ConnectReset = "connect_reset",
        /// A descriptor, port or buffer of ours ran out.
        LocalResource = "local_resource",
        /// The target became unhealthy and `on_unhealthy` asks for it.
        Unhealthy = "unhealthy",
        /// The drain of target or listener reached its end.
        Drained = "drained",
        /// The process is ending.
        Shutdown = "shutdown",
        /// An operator closed it, or disabled its target.
        Admin = "admin",
        /// The worker that served it failed.
        WorkerFailed = "worker_failed",
    }
}

vocabulary! {
    /// Why new work was turned away before a session was made.
    RefuseReason {
        /// `deny`, or absent from a non-empty `allow`.
        Denied = "denied",
        /// A `max_connections` bound of process, listener, group or every target.
        MaxConnections = "max_connections",
        /// A limit per client prefix.
        ClientLimit = "client_limit",
        /// No target may be used.
        NoTarget = "no_target",
        /// A malformed or oversized PROXY header.
        ProxyHeader = "proxy_header",
        /// A PROXY header from an untrusted source.
        ProxyUntrusted = "proxy_untrusted",
        /// The PROXY header did not arrive in time.
        ProxyTimeout = "proxy_timeout",
        /// The process is out of file descriptors.
        Descriptors = "descriptors",
        /// Listener or process is draining.
        Draining = "draining",
    }
}

vocabulary! {
    /// Which side ended a session.
    ClosedBy {
        /// The client.
        Client = "client",
        /// The target.
        Target = "target",
        /// This balancer.
        Forebay = "forebay",
    }
}

vocabulary! {
    /// How one connection attempt failed.
    ConnectFailure {
        /// ECONNREFUSED.
        Refused = "refused",
        /// No answer within `connect.timeout`, or ETIMEDOUT.
        Timeout = "timeout",
        /// EHOSTUNREACH, ENETUNREACH and their kin.
        Unreachable = "unreachable",
        /// Reset before it was established.
        Reset = "reset",
        /// EADDRNOTAVAIL, EMFILE, ENFILE, ENOBUFS, ENOMEM: ours, never blamed on the target.
        LocalResource = "local_resource",
    }
}

impl ConnectFailure {
    /// Whether the target is to blame: only then passive health hears of it.
    #[must_use]
    pub const fn blames_target(self) -> bool {
        !matches!(self, Self::LocalResource)
    }

    /// The reason a session closes with when this was the failure of its last attempt.
    #[must_use]
    pub const fn close_reason(self) -> CloseReason {
        match self {
            Self::Refused => CloseReason::ConnectRefused,
            Self::Timeout => CloseReason::ConnectTimeout,
            Self::Unreachable => CloseReason::ConnectUnreachable,
            Self::Reset => CloseReason::ConnectReset,
            Self::LocalResource => CloseReason::LocalResource,
        }
    }
}
