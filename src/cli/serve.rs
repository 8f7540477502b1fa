//! Placeholder.
use super::failure::Failure;
use crate::config::Config;
use std::path::PathBuf;
/// Serves until the process is told to end.
pub(super) fn serve(_config: Config, _file: Option<PathBuf>) -> Result<(), Failure> {
    Ok(())
}
