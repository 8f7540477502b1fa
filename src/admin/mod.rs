//! The admin API: HTTP/1.1 and JSON over unix sockets and TCP, and the metrics.
//!
//! [`bind`] happens before anything is served, so that a socket in use stops the start; [`serve()`] runs on
//! control's thread. A request reads the latest [`ControlView`](crate::control::ControlView) or asks control
//! through its link; nothing in here touches a worker.

mod access;
mod address;
mod bodies;
mod connections;
mod error;
pub mod explain;
mod metrics;
mod process_status;
mod router;
mod serve;
mod sockets;
mod target_bodies;
mod writes;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub use address::{default_socket, parse_addr, show_addr};
pub use serve::serve;
pub use sockets::{AdminSockets, BindError, bind};
