//! The configuration as the rest of forebay sees it: validated, every default filled in.

mod group;
mod listener;
mod process;

pub use crate::balance::{Balance, FailOpen, HashKey};
pub use group::*;
pub use listener::*;
pub use process::*;
