//! The results as Markdown.

use super::results::{Cell, Results};
use std::fmt::Write as _;

/// A table of ratios, then one of absolute figures.
pub(crate) fn markdown(results: &Results) -> String {
    let mut text = String::new();
    let (machine, base) = (&results.machine, results.base());
    let _infallible = writeln!(
        text,
        "Linux {}, {}, {} CPUs; proxy on one core, load and targets on another; {} interleaved runs of {} s, medians.\n\n\
         Proxy CPU per unit of work (idle: process memory per pair), {base} = 1; lower is better. In brackets: lowest and\n\
         highest run. `{base}-again` is a second instance of the same program: its distance from 1 is noise.\n",
        machine.kernel, machine.cpu, machine.cpus, results.rounds, results.seconds
    );
    ratios(results, &mut text);
    absolutes(results, &mut text);
    for proxy in &results.proxies {
        let _infallible = writeln!(text, "- {}: {}", proxy.name, proxy.version);
    }
    text
}

fn ratios(results: &Results, text: &mut String) {
    let base = results.base();
    let others: Vec<_> = results.proxies.iter().map(|proxy| proxy.name.as_str()).filter(|name| *name != base).collect();
    let _infallible = writeln!(text, "| network | workload | {base} | {} | {base} / best peer |", others.join(" | "));
    let _infallible = writeln!(text, "|---|---|{}", "---|".repeat(others.len() + 2));
    for (net, workload, title) in results.rows() {
        let own = results.cell(net, workload, base);
        let _infallible = write!(text, "| {net} | {title} | {} |", own.map_or_else(String::new, absolute));
        for other in &others {
            let _infallible = write!(
                text,
                " {} |",
                results.cell(net, workload, other).map_or_else(String::new, |cell| ratio(results, cell))
            );
        }
        let against = results.best_peer(net, workload).zip(own.and_then(Cell::median));
        let best = against.map_or_else(|| "–".to_owned(), |((peer, cost), own)| format!("{:.2} × {peer}", own / cost));
        let _infallible = writeln!(text, " {best} |");
    }
    text.push('\n');
}

fn absolute(cell: &Cell) -> String {
    let invalid = || format!("invalid: {}", cell.problem.as_deref().unwrap_or("no run"));
    cell.median().map_or_else(invalid, |cost| format!("{} {}", figure(cost), cell.unit))
}

fn ratio(results: &Results, cell: &Cell) -> String {
    let Some(ratio) = results.ratio(cell) else { return absolute(cell) };
    let (low, high) = cell.range();
    let scale = cell.median().map_or(f64::NAN, |median| ratio / median);
    format!("{ratio:.2} [{:.2}–{:.2}]", low * scale, high * scale)
}

fn absolutes(results: &Results, text: &mut String) {
    text.push_str(
        "| network | workload | proxy | cost | lowest–highest | operations/s | Gbit/s | p50 µs | p99 µs | p99.9 µs | proxy CPU |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for cell in &results.cells {
        let (low, high) = cell.range();
        let _infallible = writeln!(
            text,
            "| {} | {} | {} | {} | {}–{} | {:.0} | {:.2} | {:.0} | {:.0} | {:.0} | {:.0} % |",
            cell.net,
            cell.title,
            cell.proxy,
            absolute(cell),
            figure(low),
            figure(high),
            cell.median_of(|run| run.per_second),
            cell.median_of(|run| run.bits_per_second / 1e9),
            cell.median_of(|run| as_float(run.p50_us)),
            cell.median_of(|run| as_float(run.p99_us)),
            cell.median_of(|run| as_float(run.p99_9_us)),
            cell.median_of(|run| 100.0 * run.cpu_seconds / run.seconds),
        );
    }
    text.push('\n');
}

/// Three significant digits or so.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 1.0 => format!("{value:.1}"),
        _small => format!("{value:.3}"),
    }
}

#[allow(clippy::cast_precision_loss, reason = "microseconds of a run of seconds are far below 2^53")]
fn as_float(micros: u64) -> f64 {
    micros as f64
}
