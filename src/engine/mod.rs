//! How bytes move: the epoll engine, the same state machines under either.

pub mod epoll;
mod outbox;
mod session_record;

pub use outbox::Outbox;
pub use session_record::{SessionRecord, TcpFigures};
