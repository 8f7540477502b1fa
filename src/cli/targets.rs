//! `forebay targets`: the targets of a running forebay.

use super::admin_args::AdminArgs;
use super::failure::Failure;
use super::output;
use super::status::text;
use serde_json::Value;

/// Arguments of `targets`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  forebay targets --admin 127.0.0.1:9901")]
pub(super) struct Args {
    /// Print the body of the API
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Prints one line per target.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let reply = args.admin.client()?.get("/v1/target_groups")?;
    output::print(&if args.json { reply.text } else { table(&reply.json()) });
    Ok(())
}

fn table(body: &Value) -> String {
    let headings =
        ["group", "target", "address", "state", "health", "reason", ">weight", ">active", ">opened", ">failures"];
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut rows = Vec::new();
    for group in list(&body["target_groups"]) {
        for target in list(&group["targets"]) {
            let backup = if target["backup"] == true { " (backup)" } else { "" };
            let until = target["ejected_until"].as_str().map_or_else(String::new, |time| format!(" until {time}"));
            rows.push(vec![
                text(&group, "name"),
                format!("{}{backup}", text(&target, "id")),
                text(&target, "address"),
                text(&target, "state"),
                text(&target, "health"),
                format!("{}{until}", text(&target, "reason")),
                text(&target, "weight"),
                text(&target, "active"),
                text(&target, "opened"),
                text(&target, "connect_failures"),
            ]);
        }
    }
    output::table(&headings, &rows)
}
