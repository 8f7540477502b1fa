//! The configuration: TOML text → raw tree with spans → validated [`Config`], or diagnostics.

mod types;

pub use types::*;
