//! How a command fails: one line on stderr and an exit code.

use std::process::ExitCode;

/// The exit codes of the contract, without 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// Configuration missing, unreadable or invalid.
    Config = 1,
    /// Wrong arguments; offline: unknown listener.
    Usage = 2,
    /// Could not start: bind, privilege, limits.
    CannotStart = 3,
    /// No running forebay was reached.
    NotReached = 4,
    /// The running forebay refused.
    Refused = 5,
    /// `load` or `demo` saw errors.
    SawErrors = 6,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    /// What stderr gets; may have several lines. Empty when everything has been said.
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// Says it, and gives the exit code.
    pub(super) fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("forebay: {}", self.message.trim_end());
        }
        ExitCode::from(self.exit as u8)
    }
}
