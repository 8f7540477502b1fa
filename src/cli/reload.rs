//! `forebay reload`: reads the file again, and waits until it is in force.

use super::admin_args::AdminArgs;
use super::failure::Failure;
use super::output;
use super::status::{joined, text};
use hyper::Method;

/// Arguments of `reload`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  forebay reload --keep-changes")]
#[allow(clippy::struct_excessive_bools, reason = "one per option")]
pub(super) struct Args {
    /// Keep run-time changes on top of the file
    #[arg(long)]
    keep_changes: bool,
    /// Print the body of the API
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Reloads; an invalid file leaves everything as it was and exits 1 with its diagnostics.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let path = if args.keep_changes { "/v1/reload?keep_changes=true" } else { "/v1/reload" };
    let reply = args.admin.client()?.ask(&Method::POST, path, String::new())?;
    if args.json {
        output::print(&reply.text);
        return Ok(());
    }
    let answer = reply.json();
    let verb = if answer["changed"] == true { "reloaded" } else { "nothing has changed" };
    output::print(&format!("{verb}, generation {}", text(&answer, "generation")));
    let discarded = joined(&answer["discarded"]);
    if !discarded.is_empty() {
        output::print(&format!("undone run-time changes: {discarded}"));
    }
    let pending = joined(&answer["pending_restart"]);
    if !pending.is_empty() {
        eprintln!("forebay: a restart is needed for: {pending}");
    }
    Ok(())
}
