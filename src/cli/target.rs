//! `forebay target`: changes a target at run time.

use super::admin_args::AdminArgs;
use super::client::segment;
use super::failure::{Exit, Failure};
use super::output;
use super::status::text;
use hyper::Method;
use serde_json::{Value, json};

/// Arguments of `target`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  forebay target web 10.0.0.1:80 drain\n  forebay target web 10.0.0.1:80 weight 5")]
pub(super) struct Args {
    /// Target group
    group: String,
    /// Id of the target
    id: String,
    /// What to do with it
    action: Action,
    /// The new weight, 0 to 1000
    #[arg(value_name = "N", required_if_eq("action", "weight"), value_parser = clap::value_parser!(u16).range(0..=1000))]
    weight: Option<u16>,
    /// Print the body of the API
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Action {
    /// No new work; what runs may finish
    Drain,
    /// New work again
    Enable,
    /// No work at all; sessions are closed at once
    Disable,
    /// Change its share
    Weight,
}

/// Sends the change, and waits until every worker has adopted it.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let body = patch(args)?;
    let path = format!("/v1/target_groups/{}/targets/{}", segment(&args.group), segment(&args.id));
    let reply = args.admin.client()?.ask(&Method::PATCH, &path, body.to_string())?;
    if args.json {
        output::print(&reply.text);
        return Ok(());
    }
    let answer = reply.json();
    let verb = if answer["changed"] == true { "changed" } else { "was so already" };
    output::print(&format!("{} in {}: {verb}, generation {}", args.id, args.group, text(&answer, "generation")));
    Ok(())
}

fn patch(args: &Args) -> Result<Value, Failure> {
    let body = match args.action {
        Action::Weight => return Ok(json!({ "weight": args.weight })),
        Action::Drain => json!({ "state": "draining" }),
        Action::Enable => json!({ "state": "enabled" }),
        Action::Disable => json!({ "state": "disabled" }),
    };
    match args.weight {
        Some(_) => Err(Failure::new(Exit::Usage, "a number belongs to `weight` only")),
        None => Ok(body),
    }
}
