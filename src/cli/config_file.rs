//! Finding and reading the configuration file.

use super::failure::{Exit, Failure};
use crate::config::{self, Config};
use std::path::{Path, PathBuf};

/// A file that is valid.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) config: Config,
    /// Its warnings as a person reads them; empty when there are none.
    pub(super) warnings: String,
}

/// `--config`, else `/etc/forebay/forebay.toml`, else `./forebay.toml`.
pub(super) fn find(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let defaults = ["/etc/forebay/forebay.toml", "forebay.toml"];
    let found = given.map(Path::to_owned).or_else(|| defaults.iter().map(PathBuf::from).find(|path| path.exists()));
    found.ok_or_else(|| {
        let message = format!("no configuration: give --config FILE, or write {} or ./{}", defaults[0], defaults[1]);
        Failure::new(Exit::Config, message)
    })
}

/// Reads and validates a file.
pub(super) fn load(path: &Path) -> Result<Loaded, Failure> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| Failure::new(Exit::Config, format!("{}: {error}", path.display())))?;
    match config::parse(&text, &path.display().to_string()) {
        Ok((config, warnings)) => Ok(Loaded { config, warnings: config::render(&text, &warnings) }),
        Err(diagnostics) => {
            let message = format!("{} is invalid\n{}", path.display(), config::render(&text, &diagnostics));
            Err(Failure::new(Exit::Config, message))
        }
    }
}
