//! Figures of all runs, and what is made of them.

use super::arena::Net;
use super::options::Options;
use super::proxies::Proxy;
use super::role::Measured;
use super::workload::{Cost, Workload};
use serde::Serialize;
use std::fs;

/// Everything that is written to the JSON file.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) proxies: Vec<Contestant>,
    pub(crate) cells: Vec<Cell>,
}

/// Where it ran.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) kernel: String,
    pub(crate) cpu: String,
    pub(crate) cpus: usize,
}

/// Who ran.
#[derive(Debug, Serialize)]
pub(crate) struct Contestant {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Neither forebay nor a baseline.
    pub(crate) is_peer: bool,
}

/// One proxy under one workload on one network.
#[derive(Debug, Serialize)]
pub(crate) struct Cell {
    pub(crate) net: &'static str,
    pub(crate) workload: &'static str,
    pub(crate) title: &'static str,
    pub(crate) proxy: String,
    pub(crate) unit: &'static str,
    /// Cost per unit of work in each run, in the order of the runs.
    pub(crate) costs: Vec<f64>,
    pub(crate) runs: Vec<Measured>,
    /// Why the cell does not count, if it does not.
    pub(crate) problem: Option<String>,
}

impl Results {
    pub(crate) fn new(options: &Options, proxies: &[Proxy]) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
        let machine = Machine {
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            cpu: model.trim_start_matches([' ', '\t', ':']).to_owned(),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
        };
        let contestant = |proxy: &Proxy| Contestant {
            name: proxy.name.clone(),
            version: proxy.version.clone(),
            is_peer: proxy.is_peer(),
        };
        let seconds = options.duration.as_secs_f64();
        let proxies = proxies.iter().map(contestant).collect();
        Self { machine, rounds: options.rounds, seconds, proxies, cells: Vec::new() }
    }

    /// Networks and workloads in the order in which they ran.
    pub(crate) fn rows(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        let mut rows: Vec<_> = self.cells.iter().map(|cell| (cell.net, cell.workload, cell.title)).collect();
        rows.dedup();
        rows
    }

    pub(crate) fn cell(&self, net: &str, workload: &str, proxy: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| (cell.net, cell.workload) == (net, workload) && cell.proxy == proxy)
    }

    /// The proxy that is 1: forebay, or the first one when forebay does not take part.
    pub(crate) fn base(&self) -> &str {
        &self.proxies[0].name
    }

    /// A valid cell's cost as a multiple of the base's.
    pub(crate) fn ratio(&self, cell: &Cell) -> Option<f64> {
        let base = self.cell(cell.net, cell.workload, self.base())?.median()?;
        cell.median().map(|cost| cost / base)
    }

    /// The cheapest peer of a row.
    pub(crate) fn best_peer(&self, net: &str, workload: &str) -> Option<(&str, f64)> {
        let peers = self.proxies.iter().filter(|proxy| proxy.is_peer);
        let costs = peers.filter_map(|proxy| {
            let cost = self.cell(net, workload, &proxy.name)?.median()?;
            Some((proxy.name.as_str(), cost))
        });
        costs.min_by(|left, right| left.1.total_cmp(&right.1))
    }
}

impl Cell {
    pub(crate) fn new(net: Net, workload: &Workload, proxy: &Proxy) -> Self {
        Self {
            net: net.as_str(),
            workload: workload.name,
            title: workload.title,
            proxy: proxy.name.clone(),
            unit: workload.cost.unit(),
            costs: Vec::new(),
            runs: Vec::new(),
            problem: None,
        }
    }

    /// Adds a run; one with errors makes the cell invalid.
    pub(crate) fn add(&mut self, measured: Measured, workload: &Workload) {
        if measured.errors > 0 {
            self.problem = Some(format!("{} errors", measured.errors));
        } else if measured.completed == 0 {
            self.problem = Some("nothing was completed".to_owned());
        }
        self.costs.push(cost_of(&measured, workload));
        self.runs.push(measured);
    }

    /// The median cost, unless the cell is invalid.
    pub(crate) fn median(&self) -> Option<f64> {
        if self.problem.is_some() { None } else { median(self.costs.iter().copied()) }
    }

    /// Lowest and highest cost.
    pub(crate) fn range(&self) -> (f64, f64) {
        let low = self.costs.iter().copied().fold(f64::INFINITY, f64::min);
        (low, self.costs.iter().copied().fold(f64::NEG_INFINITY, f64::max))
    }

    /// The median of another figure of the runs.
    pub(crate) fn median_of(&self, figure: impl Fn(&Measured) -> f64) -> f64 {
        median(self.runs.iter().map(figure)).unwrap_or(f64::NAN)
    }

    /// One line about the latest run.
    pub(crate) fn last_run(&self) -> String {
        match (&self.problem, self.costs.last(), self.runs.last()) {
            (Some(problem), _, _) => format!("{:16} INVALID: {problem}", self.proxy),
            (None, Some(cost), Some(run)) => {
                let (busy, gigabits) = (100.0 * run.cpu_seconds / run.seconds, run.bits_per_second / 1e9);
                let (unit, per_second, p99) = (self.unit, run.per_second, run.p99_us);
                format!(
                    "{:16} {cost:10.3} {unit:9} {per_second:9.0}/s {gigabits:6.2} Gbit/s p99 {p99} µs, {busy:.0} % CPU",
                    self.proxy
                )
            }
            (None, _, _) => format!("{:16} no run", self.proxy),
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of a run of seconds are far below 2^53")]
fn cost_of(measured: &Measured, workload: &Workload) -> f64 {
    match workload.cost {
        Cost::CpuPerGigabyte => measured.cpu_seconds * 1e9 / measured.bytes as f64,
        Cost::CpuPerOperation => measured.cpu_seconds * 1e6 / measured.completed as f64,
        Cost::MemoryPerPair => measured.memory_bytes as f64 / workload.connections as f64,
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _even => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}
