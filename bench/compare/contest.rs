//! The order of the runs: round by round, each proxy once per round, so that drift of the machine hits all alike.

use super::Outcome;
use super::arena::{Arena, Net};
use super::options::{Options, is_wanted};
use super::process::Running;
use super::proxies::{self, Proxy};
use super::results::{Cell, Results};
use super::role::{Assignment, GENERATE, Measured, TARGET};
use super::workload::{Cost, WORKLOADS, Workload};
use super::{chart, table};
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Stdio, id};

const PROXY_PORT: u16 = 8000;
const TARGET_PORT: u16 = 9000;
/// Time to open 8,000 connections and use each twice.
const IDLE_SECONDS: f64 = 2.0;

/// Runs everything that the options ask for and writes `bench/results/NAME.{json,md,svg}`.
pub(crate) fn hold(options: &Options) -> Outcome<()> {
    let proxies = proxies::find(options);
    if proxies.is_empty() {
        return Err("no proxy was found; scripts/install-peers bench gets the peers".into());
    }
    for proxy in &proxies {
        println!("{:16} {}", proxy.name, proxy.version);
    }
    let mut results = Results::new(options, &proxies);
    let _raised = forebay::sys::raise_descriptor_limit()?;
    let place = Workplace::new()?;
    for &net in &options.nets {
        let arena = Arena::new(net)?;
        for workload in WORKLOADS.iter().filter(|workload| is_wanted(workload.name, &options.only)) {
            let cells = contest(options, net, &arena, workload, &proxies, &place.0)?;
            results.cells.extend(cells);
            write(&results, &options.name)?;
        }
    }
    println!("\n{}", table::markdown(&results));
    Ok(())
}

fn write(results: &Results, name: &str) -> Outcome<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/results");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("{name}.json")), serde_json::to_string_pretty(results)? + "\n")?;
    fs::write(folder.join(format!("{name}.md")), table::markdown(results))?;
    fs::write(folder.join(format!("{name}.svg")), chart::svg(results))?;
    Ok(())
}

/// A folder for configurations and logs that goes with the value.
struct Workplace(PathBuf);

impl Workplace {
    fn new() -> Outcome<Self> {
        let path = env::temp_dir().join(format!("forebay-bench-{}", id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}

fn contest(
    options: &Options,
    net: Net,
    arena: &Arena,
    workload: &Workload,
    proxies: &[Proxy],
    place: &Path,
) -> Outcome<Vec<Cell>> {
    let mut cells: Vec<Cell> = proxies.iter().map(|proxy| Cell::new(net, workload, proxy)).collect();
    let target = SocketAddr::from((arena.target_ip, TARGET_PORT));
    let _serving = start_target(arena, options.cpus.1, workload, target)?;
    for round in 1..=options.rounds {
        for (index, (proxy, cell)) in proxies.iter().zip(&mut cells).enumerate() {
            let folder = place.join(format!("{index}-{}", proxy.name));
            fs::create_dir_all(&folder)?;
            match run_once(options, arena, workload, proxy, &folder, target) {
                Ok(measured) => cell.add(measured, workload),
                Err(error) => cell.problem = Some(format!("{error}; {}", last_line(&folder.join("output.log")))),
            }
            println!("{:15} {:8} round {round} {}", net.as_str(), workload.name, cell.last_run());
        }
    }
    Ok(cells)
}

fn last_line(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no output").trim().to_owned()
}

/// A target in a process of its own, once it listens.
fn start_target(arena: &Arena, cpu: usize, workload: &Workload, addr: SocketAddr) -> Outcome<Running> {
    let mut command = arena.at_target(cpu, &env::current_exe()?);
    command.args([TARGET, workload.target.as_str(), &addr.to_string()]).stdout(Stdio::piped());
    let mut target = Running(command.spawn()?);
    let output = target.0.stdout.take().ok_or("the target has no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    if line.starts_with("listening on ") { Ok(target) } else { Err("the target did not start".into()) }
}

/// One run of one proxy: a fresh process, so that the spread between processes is in the figures.
fn run_once(
    options: &Options,
    arena: &Arena,
    workload: &Workload,
    proxy: &Proxy,
    folder: &Path,
    target: SocketAddr,
) -> Outcome<Measured> {
    let listen = SocketAddr::from((arena.proxy_ip, PROXY_PORT));
    let mut running = proxy.start(arena, options.cpus.0, folder, listen, target)?;
    let idle = workload.cost == Cost::MemoryPerPair;
    let assignment = Assignment {
        addr: listen,
        mode: workload.mode.as_str().to_owned(),
        connections: workload.connections,
        seconds: if idle { IDLE_SECONDS } else { options.duration.as_secs_f64() },
        warmup: if idle { 0.0 } else { options.warmup().as_secs_f64() },
        pid: running.0.id(),
        idle,
    };
    let mut command = arena.at_client(options.cpus.1, &env::current_exe()?);
    let output = command.args([GENERATE, &serde_json::to_string(&assignment)?]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned().into());
    }
    if running.has_ended() {
        return Err("the proxy ended by itself".into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
