//! `forebay shutdown`: drains and ends a running forebay, and waits for its end.

use super::admin_args::AdminArgs;
use super::failure::Failure;
use super::output;
use hyper::Method;
use std::time::Duration;

const POLL: Duration = Duration::from_millis(100);

/// Arguments of `shutdown`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  forebay shutdown")]
pub(super) struct Args {
    /// Print the body of the API
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Asks for the drain, then waits until the API is gone; the running forebay bounds that by its `shutdown_timeout`.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let client = args.admin.client()?;
    let reply = client.ask(&Method::POST, "/v1/shutdown", String::new())?;
    if args.json {
        output::print(&reply.text);
    } else {
        output::print("draining");
    }
    let pause = tokio::runtime::Builder::new_current_thread().enable_time().build();
    while client.answers() {
        if let Ok(pause) = &pause {
            // Made inside the runtime: a timer needs one to live in.
            pause.block_on(async { tokio::time::sleep(POLL).await });
        }
    }
    if !args.json {
        output::print("ended");
    }
    Ok(())
}
