//! Which congestion control the system gives to a socket that asks for none.

use std::io;

/// The system's congestion control.
///
/// # Errors
/// Without /proc.
pub fn default_congestion_control() -> io::Result<String> {
    std::fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control").map(|name| name.trim().to_owned())
}
