//! How the demo looks.

use super::story::{Actor, Ending};
use crate::admin::show_addr;
use crate::config::AdminAddr;
use crate::control::HealthState;
use crate::load::{Report, Target};
use crate::stats::Latency;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::time::Duration;

/// Widest bar, in characters.
const BAR: usize = 12;
/// Sessions of a second that fill a bar.
const FULL_BAR: u64 = 120;

/// What a target is called.
pub(super) fn name(index: usize) -> char {
    ['a', 'b', 'c'].get(index).copied().unwrap_or('?')
}

/// What is where, and what one can try.
pub(super) fn opening(listen_addr: SocketAddr, targets: &[Target], admin: &AdminAddr) -> String {
    let mut text = format!("forebay demo: clients -> {listen_addr} -> {} echo targets\n", targets.len());
    for (index, target) in targets.iter().enumerate() {
        put(&mut text, &format!("  target {}  {}\n", name(index), target.addr()));
    }
    let admin = show_addr(admin);
    put(&mut text, &format!("  look at it from another terminal:\n    forebay targets --admin {admin}\n"));
    put(&mut text, &format!("    forebay status --admin {admin}\n\n"));
    put(
        &mut text,
        &format!(" time  sessions       p50       p99  errors  {:BAR$}     {:BAR$}     {:BAR$}\n", "a", "b", "c"),
    );
    text
}

/// One second.
pub(super) fn line(now: Duration, completed: u64, latency: &Latency, errors: u64, actors: &[Actor]) -> String {
    let millis = |duration: Duration| format!("{:.2} ms", duration.as_secs_f64() * 1e3);
    let (p50, p99) = (millis(latency.quantile(0.5)), millis(latency.quantile(0.99)));
    let mut text = format!("{:>4}s  {completed:>8}  {p50:>8}  {p99:>8}  {errors:>6}  ", now.as_secs());
    for actor in actors {
        put(&mut text, &format!("{} {:<3} ", bar(actor), actor.opened_since));
    }
    text.trim_end().to_owned()
}

fn bar(actor: &Actor) -> String {
    let filled = usize::try_from(actor.opened_since * BAR as u64 / FULL_BAR).unwrap_or(BAR).min(BAR);
    match actor.health {
        HealthState::Healthy => painted(GREEN, &format!("{:<BAR$}", "#".repeat(filled))),
        HealthState::Unhealthy => painted(RED, &format!("{:<BAR$}", "unhealthy")),
        HealthState::Initial => format!("{:<BAR$}", "initial"),
    }
}

/// Something that happened.
pub(super) fn remark(now: Duration, what: &str) -> String {
    painted(BOLD, &format!("{:>4.1}s  -- {what} --", now.as_secs_f64()))
}

/// What came of it.
pub(super) fn closing(report: &Report, ending: &Ending) -> String {
    let mut text = format!(
        "\n{} sessions in {:.1} s, p99 {:.2} ms, {} errors seen by clients\n",
        report.completed,
        report.seconds,
        Duration::from_micros(report.latency_us.p99).as_secs_f64() * 1e3,
        report.errors.total(),
    );
    let seconds = |duration: Duration| format!("{:.1} s", duration.as_secs_f64());
    if let Some(noticed) = ending.noticed_after {
        put(&mut text, &format!("target b was found unhealthy {} after it had stopped; ", seconds(noticed)));
        put(&mut text, &format!("until then {} connects were retried on another target\n", ending.retried));
    }
    if let Some(trusted) = ending.trusted_after {
        put(&mut text, &format!("it was given work again {} after it was back\n", seconds(trusted)));
    }
    text
}

const GREEN: &str = "32";
const RED: &str = "31";
const BOLD: &str = "1";

/// In colour on a terminal, plain elsewhere and under `NO_COLOR`.
fn painted(code: &str, text: &str) -> String {
    let wanted = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if wanted { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

fn put(text: &mut String, more: &str) {
    text.write_str(more).expect("a String takes all that is written");
}
