//! From a path to a configuration.

use super::diagnostic::Diagnostic;
use super::problems::{Problem, Problems};
use super::types::Config;
use super::{parse, render};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A larger file is a mistake: 10,000 targets take about one megabyte.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Why a file gives no configuration.
#[derive(Debug)]
pub enum LoadError {
    /// It could not be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It was read, and is wrong.
    Invalid {
        /// Every problem, warnings included.
        diagnostics: Vec<Diagnostic>,
        /// The text that they are about.
        text: String,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error } => write!(f, "cannot read {}: {error}", path.display()),
            Self::Invalid { diagnostics, text } => f.write_str(render(diagnostics, text, false).trim_end()),
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { error, .. } => Some(error),
            Self::Invalid { .. } => None,
        }
    }
}

/// Reads, checks and returns the configuration in a file, with its warnings.
///
/// # Errors
/// The file cannot be read, is larger than 64 MiB, or has at least one error.
pub fn load(path: &Path) -> Result<(Config, Vec<Diagnostic>), LoadError> {
    let (text, parsed) = read(path)?;
    match parsed.config {
        Some(config) => Ok((config, parsed.diagnostics)),
        None => Err(LoadError::Invalid { diagnostics: parsed.diagnostics, text }),
    }
}

/// Reads and checks a file; `Ok` also when it is wrong.
///
/// # Errors
/// `Unreadable` only.
pub(crate) fn read(path: &Path) -> Result<(String, super::Parsed), LoadError> {
    let unreadable = |error| LoadError::Unreadable { path: path.to_owned(), error };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(unreadable(io::Error::other("the file is larger than 64 MiB")));
    }
    let name = path.display().to_string();
    match String::from_utf8(bytes) {
        Ok(text) => {
            let parsed = parse(&name, &text);
            Ok((text, parsed))
        }
        Err(error) => Ok(not_utf8(&name, &error)),
    }
}

fn not_utf8(name: &str, error: &std::string::FromUtf8Error) -> (String, super::Parsed) {
    let at = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
    let problems = Problems::default();
    let end = at + char::REPLACEMENT_CHARACTER.len_utf8();
    problems.add(Problem::error("syntax", &(at..end), "a configuration is UTF-8 text, and this byte is not"));
    let diagnostics = problems.into_diagnostics(name, &text);
    (text, super::Parsed { config: None, diagnostics, summary: super::Summary::default() })
}
