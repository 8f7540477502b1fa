//! The state machines of a session, without I/O: what to do next, and until when.

mod deadlines;
mod half_relay;
mod pace;

pub use deadlines::Deadlines;
pub use half_relay::{HalfRelay, Step};
pub use pace::{Pace, Transport};
