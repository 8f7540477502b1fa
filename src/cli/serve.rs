//! Placeholder.
use super::failure::Failure;
/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}
pub(super) fn run(_args: &Args) -> Result<(), Failure> { Ok(()) }
