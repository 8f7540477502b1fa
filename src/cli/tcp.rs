//! `forebay tcp`: serves one TCP listener without a file.

use super::failure::{Exit, Failure};
use super::{logging, serve};
use crate::admin;
use crate::config::{self, AccessLogSink, Auto, Balance, Config, HealthCheck, Listener, ProbeKind, TargetGroup};
use std::net::SocketAddr;
use std::time::Duration;

/// What listener and target group are called.
const NAME: &str = "tcp";

/// Arguments of `tcp`.
#[derive(Debug, clap::Args)]
#[command(after_help = "There is no admin API unless --admin is given; with no address it is the default socket.\n\n\
    Example:\n  forebay tcp 0.0.0.0:8080 10.0.0.1:80 10.0.0.2:80 --health-check --admin")]
pub(super) struct Args {
    /// Address to listen on
    #[arg(value_name = "BIND")]
    bind: SocketAddr,
    /// Addresses to forward to
    #[arg(value_name = "TARGET", required = true)]
    targets: Vec<SocketAddr>,
    /// How a target is chosen
    #[arg(long, value_name = "HOW", default_value = "least_connections", value_parser = parse_balance)]
    balance: Balance,
    /// Worker threads, 1 to 256; by default the CPUs this process may use
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// Check each target every 5 s by connecting to it
    #[arg(long)]
    health_check: bool,
    /// Write a line per session to stdout, stderr or a file
    #[arg(long, value_name = "PATH")]
    access_log: Option<String>,
    /// Serve the admin API: --admin for the default socket, --admin=ADDR for another address
    #[arg(long, value_name = "ADDR", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    admin: Option<String>,
    /// File with the bearer token for an admin API over TCP
    #[arg(long, value_name = "FILE")]
    token_file: Option<std::path::PathBuf>,
}

const BALANCES: [Balance; 5] =
    [Balance::LeastConnections, Balance::Maglev, Balance::RoundRobin, Balance::Random, Balance::PowerOfTwo];

fn parse_balance(text: &str) -> Result<Balance, String> {
    let known = BALANCES.into_iter().find(|one| one.as_str() == text);
    known.ok_or_else(|| format!("one of {}", BALANCES.map(Balance::as_str).join(", ")))
}

/// Serves until the process is told to end.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = config(args)?;
    logging::begin(&config.log);
    serve::serve(config, None)
}

fn config(args: &Args) -> Result<Config, Failure> {
    let usage = |message: String| Failure::new(Exit::Usage, message);
    for (index, target) in args.targets.iter().enumerate() {
        if *target == args.bind {
            return Err(usage(format!("{target} is the address to listen on; it cannot be a target too")));
        }
        if args.targets[..index].contains(target) {
            return Err(usage(format!("{target} is given twice")));
        }
    }
    let mut config = Config {
        listeners: vec![Listener::tcp(NAME, args.bind, NAME)],
        target_groups: vec![TargetGroup {
            balance: args.balance,
            health_check: args.health_check.then(connect_check),
            ..TargetGroup::new(NAME, &args.targets)
        }],
        ..Config::default()
    };
    config.runtime.workers = args.workers.map_or(Auto::Auto, Auto::Fixed);
    config.access_log.sink = match args.access_log.as_deref() {
        None | Some("") => AccessLogSink::Off,
        Some("stdout") => AccessLogSink::Stdout,
        Some("stderr") => AccessLogSink::Stderr,
        Some(path) => AccessLogSink::File(path.into()),
    };
    config.admin = config::Admin { listen: admin_listen(args.admin.as_deref())?, token_file: args.token_file.clone() };
    Ok(config)
}

fn admin_listen(given: Option<&str>) -> Result<Option<Vec<config::AdminAddr>>, Failure> {
    match given {
        None => Ok(Some(Vec::new())),
        Some("") => Ok(None),
        Some(text) => match admin::parse_addr(text) {
            Ok(addr) => Ok(Some(vec![addr])),
            Err(message) => Err(Failure::new(Exit::Usage, format!("--admin: {message}"))),
        },
    }
}

/// A check with the defaults of the file format.
fn connect_check() -> HealthCheck {
    HealthCheck {
        kind: ProbeKind::Tcp { send: Vec::new(), expect: Vec::new() },
        port: None,
        source_address: None,
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        jitter_percent: 10,
        healthy_threshold: 2,
        unhealthy_threshold: 3,
        fast_interval: Duration::from_secs(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn config_of(line: &str) -> Result<Config, Failure> {
        let command = Cli::try_parse_from(line.split_whitespace()).expect("parsed").command;
        let Command::Tcp(args) = command else { panic!("{command:?}") };
        config(&args)
    }

    #[test]
    fn without_options_it_is_the_smallest_file_without_an_admin_api() {
        let mut config = config_of("forebay tcp 127.0.0.1:1 127.0.0.1:2 127.0.0.1:3").expect("sound");
        assert_eq!(config.admin.listen.take(), Some(Vec::new()));
        let file = "[listeners.tcp]\nbind = \"127.0.0.1:1\"\ntarget_group = \"tcp\"\n\
            [target_groups.tcp]\ntargets = [\"127.0.0.1:2\", \"127.0.0.1:3\"]\n";
        assert_eq!(Some(config), crate::config::parse("x", file).config);
    }

    #[test]
    fn a_health_check_has_the_defaults_of_the_file() {
        let config = config_of("forebay tcp 127.0.0.1:1 127.0.0.1:2 --health-check --admin").expect("sound");
        assert_eq!(config.admin.listen, None, "the default socket");
        let file = "[listeners.tcp]\nbind = \"127.0.0.1:1\"\ntarget_group = \"tcp\"\n\
            [target_groups.tcp]\ntargets = [\"127.0.0.1:2\"]\nhealth_check = {}\n";
        assert_eq!(Some(config), crate::config::parse("x", file).config);
    }

    #[test]
    fn a_target_given_twice_or_equal_to_the_bind_is_a_usage_error() {
        for line in ["forebay tcp 127.0.0.1:1 127.0.0.1:2 127.0.0.1:2", "forebay tcp 127.0.0.1:1 127.0.0.1:1"] {
            assert_eq!(config_of(line).expect_err(line).exit, Exit::Usage);
        }
    }
}
