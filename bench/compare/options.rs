//! The command line of the comparison.

use super::Outcome;
use super::arena::Net;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const USAGE: &str = "usage: scripts/bench [OPTIONS]
  --quick            2 rounds of 1 s, for a first look
  --rounds N         interleaved runs of every cell (5)
  --seconds S        length of a measured run (4), after a quarter of it as warm-up
  --net NAMES        loopback, veth, veth-no-offload; comma-separated, or all (loopback)
  --only NAMES       workloads whose name begins so, comma-separated
  --proxies NAMES    proxies whose name begins so, comma-separated
  --engines          the baseline relays on tokio and tokio-uring too
  --forebay PATH     the binary to measure
  --name NAME        of the files in bench/results (latest)
  --cpus P,L         CPU of the proxy, CPU of load and targets (the first two allowed)";

/// What to compare, and how long.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) duration: Duration,
    pub(crate) nets: Vec<Net>,
    /// Prefixes of workload names; empty = all.
    pub(crate) only: Vec<String>,
    /// Prefixes of proxy names; empty = all.
    pub(crate) proxies: Vec<String>,
    pub(crate) engines: bool,
    pub(crate) forebay: PathBuf,
    pub(crate) name: String,
    /// Of the proxy, and of everything else.
    pub(crate) cpus: (usize, usize),
}

impl Options {
    /// A quarter of the measurement, at least 300 ms.
    pub(crate) fn warmup(&self) -> Duration {
        (self.duration / 4).max(Duration::from_millis(300))
    }
}

/// Whether `name` begins with one of `prefixes`, or there are none.
pub(crate) fn is_wanted(name: &str, prefixes: &[String]) -> bool {
    prefixes.is_empty() || prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()))
}

pub(crate) fn parse(arguments: &[String]) -> Outcome<Options> {
    let allowed = forebay::sys::allowed_cpus()?;
    let first = allowed.first().copied().unwrap_or(0);
    let mut options = Options {
        rounds: 5,
        duration: Duration::from_secs(4),
        nets: vec![Net::Loopback],
        only: Vec::new(),
        proxies: Vec::new(),
        engines: false,
        forebay: PathBuf::from(env!("CARGO_BIN_EXE_forebay")),
        name: "latest".to_owned(),
        cpus: (first, allowed.get(1).copied().unwrap_or(first)),
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value\n{USAGE}"));
        match argument.as_str() {
            // What cargo passes to every bench target.
            "--bench" => {}
            "--quick" => (options.rounds, options.duration) = (2, Duration::from_secs(1)),
            "--rounds" => options.rounds = value()?.parse::<usize>()?.max(1),
            "--seconds" => options.duration = Duration::try_from_secs_f64(value()?.parse()?)?,
            "--net" => options.nets = nets(value()?)?,
            "--only" => options.only = list(value()?),
            "--proxies" => options.proxies = list(value()?),
            "--engines" => options.engines = true,
            "--forebay" => options.forebay = PathBuf::from(value()?),
            "--name" => options.name.clone_from(value()?),
            "--cpus" => options.cpus = cpus(value()?)?,
            _ => return Err(format!("unknown option {argument}\n{USAGE}").into()),
        }
    }
    Ok(options)
}

fn list(text: &str) -> Vec<String> {
    text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn nets(text: &str) -> Outcome<Vec<Net>> {
    if text == "all" {
        return Ok(Net::ALL.to_vec());
    }
    let named = |name: String| {
        let found = Net::ALL.into_iter().find(|net| net.as_str() == name);
        found.ok_or_else(|| format!("no network is named {name}\n{USAGE}").into())
    };
    list(text).into_iter().map(named).collect()
}

fn cpus(text: &str) -> Outcome<(usize, usize)> {
    let (proxy, load) = text.split_once(',').ok_or("--cpus: two numbers, as in 0,1")?;
    Ok((proxy.parse()?, load.parse()?))
}
