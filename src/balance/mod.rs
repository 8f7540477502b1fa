//! From a flow key to a target: pure, no clock, no lock, no socket, randomness passed in.

mod algorithm;
mod cursor;
mod forward;
mod least_connections;
pub mod maglev;
mod member;
mod placement;
mod power_of_two;
mod random;
mod round_robin;
mod runtime;
mod stable_hash;

pub use algorithm::{Balance, HashKey};
pub use cursor::Cursor;
pub use forward::Split;
pub use least_connections::EXACT_SCAN;
pub use maglev::MaglevTable;
pub use member::{FailOpen, Member, Pool, Standing, TargetReason, choose_pool};
pub use placement::{Explanation, PickError, Placement};
pub use runtime::{GroupRuntime, Lease, TargetRuntime};
pub use stable_hash::{SplitPoint, StableHash};
