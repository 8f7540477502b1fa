//! The addresses of a session or flow, as placement sees them.

use std::net::{IpAddr, SocketAddr};

/// Whom placement is asked for: the client's address and the local address that it reached.
///
/// Both are canonical: an IPv4-mapped IPv6 address is IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    /// The client's address and port.
    pub client_addr: SocketAddr,
    /// The address and port that the client spoke to.
    pub listen_addr: SocketAddr,
}

impl FlowKey {
    /// A key with both addresses made canonical.
    #[must_use]
    pub fn new(client_addr: SocketAddr, listen_addr: SocketAddr) -> Self {
        Self { client_addr: canonical(client_addr), listen_addr: canonical(listen_addr) }
    }
}

/// The address with an IPv4-mapped IPv6 address turned into IPv4.
#[must_use]
pub fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, addr.port()),
        IpAddr::V6(_) => addr,
    }
}
