//! `forebay explain`: where a client would go, and why.

use super::admin_args::AdminArgs;
use super::client::segment;
use super::failure::{Exit, Failure};
use super::{check, config_file, output};
use crate::admin::explain::{Explained, Question, compile, explain};
use std::fmt::Write as _;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --live the answer comes from the file alone, and every enabled target counts as healthy.\n\n\
    Example:\n  forebay explain --config forebay.toml --listener web --client 192.0.2.7:1234"
)]
#[allow(clippy::struct_excessive_bools, reason = "one per option")]
pub(super) struct Args {
    /// Name of the listener
    #[arg(long, value_name = "NAME")]
    listener: String,
    /// The client's address and port
    #[arg(long, value_name = "IP:PORT")]
    client: String,
    /// First bytes that the client sends, in hex (TCP placement never reads them)
    #[arg(long, value_name = "HEX")]
    payload: Option<String>,
    /// The address that the client reaches, where the listener has several
    #[arg(long, value_name = "IP:PORT")]
    listen_address: Option<String>,
    /// Ask the running forebay instead of the file
    #[arg(long)]
    live: bool,
    /// Print the body of the API
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Answers from the file, or from the running forebay.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let question =
        Question::parse(&args.listener, &args.client, args.payload.as_deref(), args.listen_address.as_deref())
            .map_err(|message| Failure::new(Exit::Usage, message))?;
    let body = if args.live { ask(args)? } else { answer_offline(args, &question)? };
    if args.json {
        output::print(&body);
        return Ok(());
    }
    let explained: Explained = serde_json::from_str(&body)
        .map_err(|error| Failure::new(Exit::Refused, format!("the answer is not what this version reads: {error}")))?;
    output::print(&sentences(&explained, args.live));
    Ok(())
}

fn ask(args: &Args) -> Result<String, Failure> {
    let mut path = format!("/v1/explain?listener={}&client={}", segment(&args.listener), segment(&args.client));
    let optional = [("payload", &args.payload), ("listen_address", &args.listen_address)];
    for (name, value) in optional {
        if let Some(value) = value {
            path = format!("{path}&{name}={}", segment(value));
        }
    }
    Ok(args.admin.client()?.get(&path)?.text)
}

fn answer_offline(args: &Args, question: &Question) -> Result<String, Failure> {
    let path = check::find_file(args.admin.config.as_deref());
    let config = config_file::load(&path)?.config;
    let explained = explain(&compile(&config), question).ok_or_else(|| {
        let names: Vec<&str> = config.listeners.iter().map(|listener| &*listener.name).collect();
        let message = format!("no listener is named `{}`; {} has: {}", args.listener, path.display(), names.join(", "));
        Failure::new(Exit::Usage, message)
    })?;
    Ok(serde_json::to_string(&explained).expect("text and numbers always serialise"))
}

/// The answer for a person.
fn sentences(explained: &Explained, live: bool) -> String {
    let mut text = format!("Client {} on listener `{}`\n", explained.client, explained.listener);
    let mut say = |line: String| writeln!(text, "  {line}").expect("a String takes all that is written");
    match (&explained.target_group, explained.rule, explained.split_point) {
        (None, _, _) => {}
        (Some(group), Some(rule), _) => say(format!("Rule {rule} matches (counted from 0): target group `{group}`.")),
        (Some(group), None, Some(point)) => {
            say(format!("No rule matches; at {point:.4} of the split it belongs to target group `{group}`."));
        }
        (Some(group), None, None) => say(format!("No rule matches; the forward names target group `{group}`.")),
    }
    if let (Some(balance), Some(hash_key)) = (&explained.balance, &explained.hash_key) {
        match explained.slot {
            Some(slot) => {
                say(format!("The group balances by {balance}: {hash_key} hashes to slot {slot}{}.", probes(explained)));
            }
            None => say(format!("The group balances by {balance}, so the target depends on the moment.")),
        }
    }
    match (&explained.refused, &explained.target, &explained.address) {
        (Some(reason), _, _) => say(format!("It is refused: {reason}.")),
        (None, Some(target), Some(address)) if target == address => say(format!("It goes to target {target}.")),
        (None, Some(target), address) => {
            say(format!("It goes to target `{target}` at {}.", address.as_deref().unwrap_or("its address")));
        }
        (None, None, _) => {
            let names = |able: bool| -> Vec<&str> {
                explained.candidates.iter().filter(|one| one.eligible == able).map(|one| &*one.target).collect()
            };
            match names(true) {
                eligible if eligible.is_empty() => {
                    say(format!("None is eligible, so the group fails open: to one of {}.", names(false).join(", ")));
                }
                eligible => say(format!("It goes to one of: {}.", eligible.join(", "))),
            }
        }
    }
    for candidate in explained.candidates.iter().filter(|one| !one.eligible) {
        say(format!("Target `{}` gets no new work: {}.", candidate.target, candidate.reason));
    }
    if !live {
        text.push_str("  Every enabled target counts as healthy here; --live asks the running forebay.\n");
    }
    text
}

fn probes(explained: &Explained) -> String {
    match explained.probes {
        0 => String::new(),
        1 => ", and one slot on, since its own target is not eligible".into(),
        probes => format!(", and {probes} slots on, since the targets before are not eligible"),
    }
}
