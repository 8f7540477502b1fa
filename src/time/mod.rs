//! The clock (the only one), the timer wheel and back-off.

pub mod backoff;
pub mod clock;
mod wheel;

pub use wheel::{TimerKey, Wheel};
