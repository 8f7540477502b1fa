//! From a flow key to a target: pure, no clock, no lock, no socket, randomness passed in.

mod algorithm;
mod runtime;

pub use algorithm::{Balance, HashKey};
pub use runtime::{GroupRuntime, Lease, TargetRuntime};
