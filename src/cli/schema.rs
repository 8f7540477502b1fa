//! `forebay schema`: the JSON Schema of the file.

use crate::config;
use std::io::{self, Write};
use std::process::ExitCode;

/// Prints the JSON Schema to stdout.
#[must_use]
pub fn run() -> ExitCode {
    let text = format!("{:#}\n", config::schema());
    // A reader that goes away, such as `head`, has what it wanted.
    drop(io::stdout().write_all(text.as_bytes()));
    ExitCode::SUCCESS
}
