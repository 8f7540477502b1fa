//! The command line: one file per command; arguments in, exit code out.

mod admin_args;
pub mod check;
mod client;
mod config_file;
mod demo;
mod explain;
mod failure;
pub mod load;
mod logging;
mod output;
mod reload;
mod run;
pub mod schema;
mod serve;
mod shutdown;
mod status;
mod target;
mod targets;
mod tcp;

use clap::{CommandFactory, Parser, Subcommand};
use failure::Failure;
use std::path::PathBuf;
use std::process::ExitCode;

/// The arguments of `forebay`.
#[derive(Debug, Parser)]
#[command(name = "forebay", version, about = "A high-throughput L4 load balancer", max_term_width = 100)]
#[command(after_help = "Example:\n  forebay tcp 127.0.0.1:8080 10.0.0.1:80 10.0.0.2:80")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve what a configuration file says
    Run(run::Args),
    /// Serve one TCP listener without a file
    Tcp(tcp::Args),
    /// See it work: targets, a balancer, a light load and a failover in one process
    Demo(demo::Args),
    /// Validate a file without serving it
    Check(CheckArgs),
    /// Say where a client would go, and why
    Explain(explain::Args),
    /// Show what a running forebay is doing
    Status(status::Args),
    /// Show the targets of a running forebay
    Targets(targets::Args),
    /// Change a target of a running forebay
    Target(target::Args),
    /// Read the configuration file again
    Reload(reload::Args),
    /// Drain and end a running forebay
    Shutdown(shutdown::Args),
    /// Generate load, or answer it
    Load(load::LoadArgs),
    /// Print the JSON Schema of the configuration file
    #[command(after_help = "Example:\n  forebay schema > forebay.schema.json")]
    Schema,
}

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  forebay check forebay.toml")]
struct CheckArgs {
    /// The file; by default /etc/forebay/forebay.toml, else ./forebay.toml
    file: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command that the process was started with.
///
/// Exit codes: 0 done, 1 configuration, 2 usage, 3 could not start, 4 no running forebay reached,
/// 5 the running forebay refused, 6 `load` or `demo` saw errors.
#[must_use]
pub fn main() -> ExitCode {
    Cli::parse().command.run().unwrap_or_else(Failure::report)
}

impl Command {
    fn run(self) -> Result<ExitCode, Failure> {
        let done = match self {
            Self::Check(args) => return Ok(check::run(args.file.as_deref(), args.json)),
            Self::Load(args) => return Ok(ExitCode::from(load::run_load(&args))),
            Self::Schema => return Ok(schema::run()),
            Self::Run(args) => run::run(&args),
            Self::Tcp(args) => tcp::run(&args),
            Self::Demo(args) => demo::run(&args),
            Self::Explain(args) => explain::run(&args),
            Self::Status(args) => status::run(&args),
            Self::Targets(args) => targets::run(&args),
            Self::Target(args) => target::run(&args),
            Self::Reload(args) => reload::run(&args),
            Self::Shutdown(args) => shutdown::run(&args),
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}

/// The definition of every command, for checks and for generated documents.
#[must_use]
pub fn definition() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests;
