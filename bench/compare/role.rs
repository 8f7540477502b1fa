//! What the comparison starts of itself, in a namespace and on a CPU: a target, and the generator of one run.

use super::Outcome;
use super::process::{cpu_nanos, family_of, memory_bytes, pause};
use forebay::load::{Mode, Phase, Plan, Report, Target, TargetKind, run};
use forebay::time::clock;
use serde::{Deserialize, Serialize};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub(crate) const GENERATE: &str = "role-generate";
pub(crate) const TARGET: &str = "role-target";

const PROXY_IS_UP_WITHIN: Duration = Duration::from_secs(10);
/// Idle pairs are not unused pairs: each has carried so many requests before memory is looked at.
const REQUESTS_PER_IDLE_PAIR: f64 = 2.0;

/// One run, as handed to the generator's process.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Assignment {
    pub(crate) addr: SocketAddr,
    pub(crate) mode: String,
    pub(crate) connections: usize,
    pub(crate) seconds: f64,
    pub(crate) warmup: f64,
    /// The proxy.
    pub(crate) pid: u32,
    /// Memory is the question, not CPU.
    pub(crate) idle: bool,
}

/// What the generator's process measured.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Measured {
    /// Of the proxy, during the measurement.
    pub(crate) cpu_seconds: f64,
    /// Length of the measurement.
    pub(crate) seconds: f64,
    /// Growth of the proxy's memory by the connections.
    pub(crate) memory_bytes: i64,
    pub(crate) completed: u64,
    pub(crate) bytes: u64,
    pub(crate) errors: u64,
    pub(crate) per_second: f64,
    pub(crate) bits_per_second: f64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) p99_9_us: u64,
}

/// `role-target KIND ADDR`: serves until it is ended.
pub(crate) fn target(arguments: &[String]) -> Outcome<()> {
    let [kind, bind] = arguments else { return Err("role-target KIND ADDR".into()) };
    let kind = match kind.as_str() {
        "echo" => TargetKind::Echo,
        "sink" => TargetKind::Sink,
        _ => TargetKind::Source,
    };
    let target = Target::start(kind, bind.parse()?)?;
    println!("listening on {}", target.addr());
    Ok(target.wait()?)
}

/// `role-generate ASSIGNMENT`: runs it and prints what was [`Measured`]. The proxy's CPU time is read at the very
/// moments when the measurement begins and ends, by the thread that generates.
pub(crate) fn generate(arguments: &[String]) -> Outcome<()> {
    let assignment: Assignment = serde_json::from_str(arguments.first().ok_or("role-generate ASSIGNMENT")?)?;
    let mode = match assignment.mode.as_str() {
        "ping" => Mode::Ping,
        "connect" => Mode::Connect,
        "download" => Mode::Download,
        _ => Mode::Upload,
    };
    wait_for(assignment.addr)?;
    let plan = Plan {
        connections: assignment.connections,
        duration: Duration::try_from_secs_f64(assignment.seconds)?,
        warmup: Duration::try_from_secs_f64(assignment.warmup)?,
        ..Plan::new(assignment.addr, mode)
    };
    let measured = if assignment.idle { memory_of(plan, &assignment)? } else { cpu_of(&plan, &assignment)? };
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

/// The first connection goes through when the proxy serves.
fn wait_for(addr: SocketAddr) -> Outcome<()> {
    let deadline = clock::now() + PROXY_IS_UP_WITHIN;
    loop {
        match TcpStream::connect_timeout(&addr, Duration::from_secs(1)) {
            Ok(_served) => return Ok(()),
            Err(error) if clock::now() > deadline => return Err(format!("no proxy at {addr}: {error}").into()),
            Err(_not_yet) => pause(Duration::from_millis(10)),
        }
    }
}

fn cpu_of(plan: &Plan, assignment: &Assignment) -> Outcome<Measured> {
    let family = family_of(assignment.pid);
    let (mut at_start, mut at_end, mut length, mut bytes) = (None, 0, Duration::ZERO, 0);
    let report = run(plan, |progress| match progress.phase {
        Phase::Measuring if at_start.is_none() => at_start = Some(cpu_nanos(&family)),
        Phase::Ended => (at_end, length, bytes) = (cpu_nanos(&family), progress.elapsed, progress.bytes),
        Phase::Establishing | Phase::Warmup | Phase::Measuring => {}
    })?;
    let nanos = at_end.saturating_sub(at_start.unwrap_or(at_end));
    let measured = measured_of(&report, length, bytes);
    Ok(Measured { cpu_seconds: Duration::from_nanos(nanos).as_secs_f64(), ..measured })
}

fn memory_of(plan: Plan, assignment: &Assignment) -> Outcome<Measured> {
    let family = family_of(assignment.pid);
    // Code and tables that the first connections touch are no price of a pair.
    let few = Plan { connections: 16, duration: Duration::from_millis(200), warmup: Duration::ZERO, ..plan.clone() };
    run(&few, |_progress| {})?;
    let before = memory_bytes(&family);
    let requests = forebay_float(plan.connections) * REQUESTS_PER_IDLE_PAIR;
    let plan = Plan { rate: requests / plan.duration.as_secs_f64(), warmup: Duration::ZERO, ..plan };
    let (mut after, mut length, mut bytes, mut established) = (0, Duration::ZERO, 0, 0);
    let report = run(&plan, |progress| {
        if progress.phase == Phase::Ended {
            (after, length, bytes) = (memory_bytes(&family), progress.elapsed, progress.bytes);
            established = progress.established;
        }
    })?;
    if established < plan.connections {
        return Err(format!("only {established} of {} pairs were open", plan.connections).into());
    }
    let measured = measured_of(&report, length, bytes);
    Ok(Measured { memory_bytes: after.cast_signed() - before.cast_signed(), ..measured })
}

fn measured_of(report: &Report, length: Duration, bytes: u64) -> Measured {
    Measured {
        cpu_seconds: 0.0,
        seconds: length.as_secs_f64(),
        memory_bytes: 0,
        completed: report.completed,
        bytes,
        errors: report.errors.total(),
        per_second: report.per_second,
        bits_per_second: report.bits_per_second,
        p50_us: report.latency_us.p50,
        p99_us: report.latency_us.p99,
        p99_9_us: report.latency_us.p99_9,
    }
}

#[allow(clippy::cast_precision_loss, reason = "a few thousand")]
fn forebay_float(count: usize) -> f64 {
    count as f64
}
