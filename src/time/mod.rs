//! Time: the one clock, and what is computed from it.

pub mod backoff;
pub mod clock;
