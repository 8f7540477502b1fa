//! `forebay status`: what a running forebay is doing.

use super::admin_args::AdminArgs;
use super::failure::Failure;
use super::output;
use serde_json::Value;
use std::fmt::Write as _;
use std::time::Duration;

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  forebay status --admin unix:/run/forebay/admin.sock")]
pub(super) struct Args {
    /// Print the body of the API
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Prints the status, and the listeners below it.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let client = args.admin.client()?;
    let status = client.get("/v1/status")?;
    if args.json {
        output::print(&status.text);
        return Ok(());
    }
    let listeners = client.get("/v1/listeners")?.json();
    output::print(&format!("{}\n{}", summary(&status.json()), listener_table(&listeners)));
    Ok(())
}

/// A member of an object as text, without quotes.
pub(super) fn text(value: &Value, key: &str) -> String {
    match &value[key] {
        Value::String(text) => text.clone(),
        Value::Null => "-".into(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    }
}

/// A list of strings, joined.
pub(super) fn joined(value: &Value) -> String {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

fn summary(status: &Value) -> String {
    let mut out = String::new();
    let mut say = |name: &str, value: String| {
        writeln!(out, "{name:<12} {value}").expect("a String takes all that is written");
    };
    say("forebay", format!("{}, pid {}", text(status, "version"), text(status, "pid")));
    let ready = if status["ready"] == true {
        "ready".to_owned()
    } else {
        format!("not ready ({})", text(status, "ready_reason"))
    };
    say("state", format!("{}, {ready}", text(status, "state")));
    say("engine", format!("{} ({})", text(status, "engine"), text(status, "engine_reason")));
    say("workers", text(status, "workers"));
    say("generation", text(status, "generation"));
    let uptime = Duration::try_from_secs_f64(status["uptime_seconds"].as_f64().unwrap_or_default()).unwrap_or_default();
    say("uptime", humantime::format_duration(Duration::from_secs(uptime.as_secs())).to_string());
    let differs = if status["differs_from_file"] == true { " (run-time changes are in force)" } else { "" };
    say("config", format!("{}{differs}", text(status, "config_file")));
    let last = &status["last_reload"];
    if !last.is_null() {
        let outcome =
            if last["ok"] == true { "taken".to_owned() } else { format!("refused: {}", text(last, "message")) };
        say("last reload", format!("{}, {outcome}", text(last, "time")));
    }
    let pending = joined(&status["pending_restart"]);
    if !pending.is_empty() {
        say("restart for", pending);
    }
    say("sessions", format!("{} of {}", text(status, "sessions"), text(&status["limits"], "max_connections")));
    out
}

fn listener_table(body: &Value) -> String {
    let headings =
        ["listener", "addresses", "state", ">active", ">opened", ">closed", ">refused", ">to target", ">to client"];
    let listeners = body["listeners"].as_array().map(Vec::as_slice).unwrap_or_default();
    let row = |one: &Value| {
        let number = |key: &str| text(one, key);
        vec![
            text(one, "name"),
            joined(&one["addresses"]),
            text(one, "state"),
            number("active"),
            number("opened"),
            number("closed"),
            number("refused"),
            number("bytes_to_target"),
            number("bytes_to_client"),
        ]
    };
    output::table(&headings, &listeners.iter().map(row).collect::<Vec<_>>())
}
