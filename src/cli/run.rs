//! `forebay run`: serves what a configuration file says.

use super::failure::Failure;
use super::{check, config_file, logging, serve};
use std::path::PathBuf;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "SIGHUP reloads the file, SIGTERM drains and ends (a second one ends at once).\n\n\
    Example:\n  forebay run --config /etc/forebay/forebay.toml")]
pub(super) struct Args {
    /// The file; by default /etc/forebay/forebay.toml, else ./forebay.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Serves until the process is told to end.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let path = check::find_file(args.config.as_deref());
    let loaded = config_file::load(&path)?;
    if !loaded.warnings.is_empty() {
        eprintln!("{}", loaded.warnings.trim_end());
    }
    logging::begin(&loaded.config.log);
    serve::serve(loaded.config, Some(path))
}
