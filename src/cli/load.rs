//! `forebay load`: the load generator and its targets.

use crate::load::{Mode, Plan, Progress, Report, Target, TargetKind, TargetOptions, run};
use crate::model::Protocol;
use clap::{Args, Subcommand, ValueEnum};
use std::io::{self, Write as _};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

const DONE: u8 = 0;
const USAGE: u8 = 2;
const COULD_NOT_START: u8 = 3;
const SAW_ERRORS: u8 = 6;

/// Generate load, or answer it
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  forebay load echo 127.0.0.1:9000 &\n  forebay load tcp 127.0.0.1:9000 --mode ping \
                        --connections 64 --rate 10000 --seconds 10"
)]
pub struct LoadArgs {
    #[command(subcommand)]
    command: LoadCommand,
}

#[derive(Debug, Subcommand)]
enum LoadCommand {
    /// Generate TCP load
    #[command(after_help = "Example:\n  forebay load tcp 127.0.0.1:8080 --mode connect --connections 16 --seconds 5")]
    Tcp(GenerateArgs),
    /// Generate UDP load (not supported yet)
    #[command(after_help = "Example:\n  forebay load udp 127.0.0.1:8080 --mode ping --connections 100 --gso")]
    Udp(GenerateArgs),
    /// Send back what comes
    #[command(after_help = "Example:\n  forebay load echo 127.0.0.1:0")]
    Echo(TargetArgs),
    /// Read and discard
    #[command(after_help = "Example:\n  forebay load sink '[::1]:9000'")]
    Sink(TargetArgs),
    /// Write until the client is gone
    #[command(after_help = "Example:\n  forebay load source 127.0.0.1:9000 --congestion-control reno")]
    Source(TargetArgs),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeArg {
    /// Send SIZE bytes over a standing connection and read them back
    Ping,
    /// Connect, send SIZE bytes, read them back, close
    Connect,
    /// Read from a source
    Download,
    /// Write to a sink
    Upload,
}

impl From<ModeArg> for Mode {
    fn from(arg: ModeArg) -> Self {
        match arg {
            ModeArg::Ping => Self::Ping,
            ModeArg::Connect => Self::Connect,
            ModeArg::Download => Self::Download,
            ModeArg::Upload => Self::Upload,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProtocolArg {
    /// Byte streams
    Tcp,
    /// Datagrams (not supported yet)
    Udp,
}

#[allow(clippy::struct_excessive_bools, reason = "independent flags of a command line")]
#[derive(Debug, Args)]
struct GenerateArgs {
    /// Where to: HOST:PORT
    #[arg(value_name = "ADDR")]
    addr: String,
    /// What one operation is
    #[arg(long, value_enum, default_value = "ping")]
    mode: ModeArg,
    /// Connections open at a time
    #[arg(long, value_name = "N", default_value_t = 1)]
    connections: usize,
    /// Bytes per operation [default: 64, in bulk modes 262144]
    #[arg(long, value_name = "BYTES")]
    size: Option<usize>,
    /// Operations per second over all connections, at fixed times whatever the answers do; 0 = closed loop
    #[arg(long, value_name = "PER_SECOND", default_value_t = 0.0)]
    rate: f64,
    /// Length of the measurement
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    seconds: Duration,
    /// Runs before the measurement and does not count
    #[arg(long, value_name = "S", default_value = "0", value_parser = seconds)]
    warmup: Duration,
    /// UDP: send runs of datagrams in one call
    #[arg(long)]
    gso: bool,
    /// Congestion control of the generator's sockets
    #[arg(long, value_name = "NAME", default_value = "")]
    congestion_control: String,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct TargetArgs {
    /// Where to listen: ADDRESS:PORT; port 0 = a free one
    #[arg(value_name = "BIND")]
    bind: SocketAddr,
    /// The transport
    #[arg(long, value_enum, default_value = "tcp")]
    protocol: ProtocolArg,
    /// Congestion control of accepted connections
    #[arg(long, value_name = "NAME", default_value = "")]
    congestion_control: String,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_not_a_number| format!("not a number of seconds: {text}"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Runs the command and returns the exit code: 0 done, 2 usage, 3 could not start, 6 saw errors.
#[must_use]
pub fn run_load(args: &LoadArgs) -> u8 {
    match &args.command {
        LoadCommand::Tcp(generate) => run_generator(generate, Protocol::Tcp),
        LoadCommand::Udp(generate) => run_generator(generate, Protocol::Udp),
        LoadCommand::Echo(target) => run_target(target, TargetKind::Echo),
        LoadCommand::Sink(target) => run_target(target, TargetKind::Sink),
        LoadCommand::Source(target) => run_target(target, TargetKind::Source),
    }
}

fn complain(code: u8, problem: impl std::fmt::Display) -> u8 {
    eprintln!("error: {problem}");
    code
}

fn run_target(args: &TargetArgs, kind: TargetKind) -> u8 {
    if matches!(args.protocol, ProtocolArg::Udp) {
        return complain(USAGE, "udp is not supported yet");
    }
    let options = TargetOptions { congestion_control: args.congestion_control.clone() };
    let target = match Target::start_with(kind, args.bind, &options) {
        Ok(target) => target,
        Err(error) => return complain(COULD_NOT_START, format_args!("cannot listen on {}: {error}", args.bind)),
    };
    let mut stdout = io::stdout();
    if let Err(error) = writeln!(stdout, "listening on {}", target.addr()).and_then(|()| stdout.flush()) {
        return complain(COULD_NOT_START, format_args!("cannot say where: {error}"));
    }
    match target.wait() {
        Ok(()) => DONE,
        Err(error) => complain(COULD_NOT_START, error),
    }
}

fn run_generator(args: &GenerateArgs, protocol: Protocol) -> u8 {
    let plan = match plan_of(args, protocol) {
        Ok(plan) => plan,
        Err(problem) => return complain(USAGE, problem),
    };
    let report = match run(&plan, |_progress: &Progress<'_>| {}) {
        Ok(report) => report,
        Err(error) => return complain(COULD_NOT_START, error),
    };
    let text = if args.json { json_of(&report) } else { text_of(&report) };
    if writeln!(io::stdout(), "{text}").is_err() {
        return SAW_ERRORS;
    }
    if report.errors.total() > 0 { SAW_ERRORS } else { DONE }
}

fn plan_of(args: &GenerateArgs, protocol: Protocol) -> Result<Plan, String> {
    if args.gso && protocol == Protocol::Tcp {
        return Err("--gso is for udp".to_owned());
    }
    let mut found = args.addr.to_socket_addrs().map_err(|error| format!("{}: {error}", args.addr))?;
    let addr = found.next().ok_or_else(|| format!("{}: no address", args.addr))?;
    let mode = Mode::from(args.mode);
    let plan = Plan {
        protocol,
        addr,
        mode,
        connections: args.connections,
        size: args.size.unwrap_or(mode.default_size()),
        rate: args.rate,
        duration: args.seconds,
        warmup: args.warmup,
        congestion_control: args.congestion_control.clone(),
    };
    plan.validate().map_err(|error| error.to_string())?;
    Ok(plan)
}

fn json_of(report: &Report) -> String {
    serde_json::to_string(report).expect("numbers and constant words")
}

fn text_of(report: &Report) -> String {
    let (latency, errors) = (&report.latency_us, &report.errors);
    format!(
        "{} {}: {} connections, {} bytes, {:.1} s\n\
         completed  {} ({:.1}/s, {:.1} Mbit/s)\n\
         latency    min {} p50 {} p99 {} p99.9 {} max {} mean {} µs\n\
         errors     connect {} reset {} timeout {} mismatch {}",
        report.protocol,
        report.mode,
        report.connections,
        report.size,
        report.seconds,
        report.completed,
        report.per_second,
        report.bits_per_second / 1e6,
        latency.min,
        latency.p50,
        latency.p99,
        latency.p99_9,
        latency.max,
        latency.mean,
        errors.connect,
        errors.reset,
        errors.timeout,
        errors.mismatch,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        load: LoadArgs,
    }

    fn exit_code(line: &str) -> u8 {
        run_load(&Line::try_parse_from(line.split(' ')).unwrap().load)
    }

    #[test]
    fn every_documented_option_is_understood() {
        let line =
            "load tcp 127.0.0.1:1 --mode upload --connections 8 --size 100 --rate 2.5 --seconds 0.5 --warmup 1 --json";
        let LoadCommand::Tcp(args) = Line::try_parse_from(line.split(' ')).unwrap().load.command else {
            panic!("not tcp")
        };
        let plan = plan_of(&args, Protocol::Tcp).unwrap();
        assert_eq!((plan.mode, plan.connections, plan.size), (Mode::Upload, 8, 100));
        assert_eq!((plan.duration, plan.warmup), (Duration::from_millis(500), Duration::from_secs(1)));
    }

    #[test]
    fn udp_is_refused_as_usage() {
        assert_eq!(exit_code("load udp 127.0.0.1:1 --mode ping --gso"), USAGE);
        assert_eq!(exit_code("load echo 127.0.0.1:0 --protocol udp"), USAGE);
    }

    #[test]
    fn errors_seen_are_in_the_exit_code() {
        let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(exit_code(&format!("load tcp {unused} --seconds 0.05 --json")), SAW_ERRORS);
        let target = Target::start(TargetKind::Echo, "127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(exit_code(&format!("load tcp {} --seconds 0.05", target.addr())), DONE);
        assert_eq!(exit_code(&format!("load echo {}", target.addr())), COULD_NOT_START);
    }
}
