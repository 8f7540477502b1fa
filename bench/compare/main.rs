//! Side by side: forebay and each peer found, with equivalent configurations, on the same core, in interleaved runs.
//!
//! `scripts/bench` is the front door. Everything runs in private network namespaces, so that the congestion control,
//! the port range and the absence of TIME_WAIT are the same for all and nothing outside is touched. The figure of
//! merit is proxy CPU time per unit of work, which does not depend on how fast the load generator is.

mod arena;
mod chart;
mod contest;
mod options;
mod process;
mod proxies;
mod results;
mod role;
mod table;
mod workload;

use std::error::Error;
use std::process::ExitCode;

/// What most things here return: the first problem ends the program with its text.
type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some(role::GENERATE) => role::generate(&arguments[1..]),
        Some(role::TARGET) => role::target(&arguments[1..]),
        _ => options::parse(&arguments).and_then(|options| contest::hold(&options)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
