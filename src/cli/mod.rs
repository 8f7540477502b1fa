//! One file per command.
pub mod load;
