//! Every system call that std does not offer, and every unsafe line.
//!
//! A wrapper borrows descriptors, returns `io::Result`, and says what the man page leaves open.
#![allow(unsafe_code, reason = "the one place for it; each block says why it is sound")]

mod affinity;
mod async_bell;
mod bytes;
mod congestion_control;
mod errno;
mod event_fd;
mod files;
mod limits;
mod load_alarm;
mod load_discard;
mod pipe;
mod socket;
mod splice;
mod tcp;
mod wait;

pub use affinity::{allowed_cpus, pin_to_cpu};
pub use async_bell::AsyncBell;
pub use bytes::{receive, send};
pub use congestion_control::default_congestion_control;
pub use errno::{connect_failure, is_connection_gone, is_exhaustion, is_peer_silence};
pub use event_fd::EventFd;
pub use files::open_for_append;
pub use limits::{descriptor_limit, raise_descriptor_limit};
pub use load_alarm::Alarm;
pub use load_discard::discard;
pub use pipe::{Pipe, pipe};
pub use socket::{
    ConnectOptions, Keepalive, ListenOptions, accept, bind_exclusively, configure_listener, connect, listen,
    local_addr, socket_error, spare_descriptor, stop_listening,
};
pub use splice::splice;
pub use tcp::{TcpInfo, close_with_reset, queued_bytes, shutdown_write, tcp_info, unacknowledged_bytes};
pub use wait::wait_readable;
