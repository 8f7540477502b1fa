//! `forebay check`: validate a file without serving it.

use crate::config::{self, Diagnostic, LoadError, Severity, Summary};
use serde_json::json;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where a file is looked for when none is named, in this order.
pub const DEFAULT_FILES: [&str; 2] = ["/etc/forebay/forebay.toml", "./forebay.toml"];

/// The file to use: the one that is named, else the first default that exists, else the first default.
#[must_use]
pub fn find_file(named: Option<&Path>) -> PathBuf {
    let default = || DEFAULT_FILES.iter().map(Path::new).find(|path| path.exists());
    named.or_else(default).unwrap_or(Path::new(DEFAULT_FILES[0])).to_owned()
}

/// Validates `file` (else the default one). Text: `ok` and a summary to stdout, diagnostics to stderr. JSON: one
/// object to stdout. Exit code 0, or 1 when the file is missing, unreadable or invalid.
#[must_use]
pub fn run(file: Option<&Path>, json: bool) -> ExitCode {
    let path = find_file(file);
    let outcome = config::read(&path);
    let ok = if json { print_json(&path, outcome) } else { print_text(outcome) };
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_text(outcome: Result<(String, config::Parsed), LoadError>) -> bool {
    let (text, parsed) = match outcome {
        Ok(read) => read,
        Err(error) => {
            print(&mut io::stderr(), &format!("error: {error}\n"));
            return false;
        }
    };
    let color = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let rendered = config::render(&parsed.diagnostics, &text, color);
    if !rendered.is_empty() {
        print(&mut io::stderr(), &format!("{rendered}\n"));
    }
    if parsed.config.is_some() {
        print(&mut io::stdout(), &format!("ok: {}\n", parsed.summary));
        return true;
    }
    print(&mut io::stderr(), &format!("{}\n", verdict(&parsed.diagnostics)));
    false
}

fn verdict(diagnostics: &[Diagnostic]) -> String {
    let count = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let plural = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let errors = plural(count(Severity::Error), "error");
    match count(Severity::Warning) {
        0 => errors,
        warnings => format!("{errors}, {}", plural(warnings, "warning")),
    }
}

fn print_json(path: &Path, outcome: Result<(String, config::Parsed), LoadError>) -> bool {
    let (ok, diagnostics, summary) = match outcome {
        Ok((_, parsed)) => (parsed.config.is_some(), json!(parsed.diagnostics), parsed.summary),
        Err(error) => (false, json!([unreadable(path, &error)]), Summary::default()),
    };
    print(&mut io::stdout(), &format!("{}\n", json!({ "ok": ok, "diagnostics": diagnostics, "summary": summary })));
    ok
}

/// A file that cannot be read has no lines, so the diagnostic stands at its beginning.
fn unreadable(path: &Path, error: &LoadError) -> serde_json::Value {
    json!({
        "severity": "error", "code": "unreadable", "message": error.to_string(), "file": path.display().to_string(),
        "line": 1, "column": 1, "end_line": 1, "end_column": 1, "related": [], "hint": null,
    })
}

/// A reader that goes away has what it wanted.
fn print(sink: &mut impl Write, text: &str) {
    drop(sink.write_all(text.as_bytes()));
}
