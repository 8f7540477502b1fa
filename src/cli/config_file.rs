//! Reading the configuration file.

use super::failure::{Exit, Failure};
use crate::config::{self, Config};
use std::io::IsTerminal;
use std::path::Path;

/// A file that is valid.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) config: Config,
    /// Its warnings as a person reads them; empty when there are none.
    pub(super) warnings: String,
}

/// Reads and validates a file.
pub(super) fn load(path: &Path) -> Result<Loaded, Failure> {
    let (text, parsed) = config::read(path).map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let rendered = config::render(&parsed.diagnostics, &text, wants_color());
    match parsed.config {
        Some(config) => Ok(Loaded { config, warnings: rendered }),
        None => Err(Failure::new(Exit::Config, format!("{} is invalid\n{rendered}", path.display()))),
    }
}

fn wants_color() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
