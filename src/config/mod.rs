//! The configuration: TOML text → tree with places → grammar check → typed draft → checks across tables →
//! [`Config`], or every problem at once as [`Diagnostic`]s.
//!
//! ```text
//! syntax ─> tree ─> grammar (reads keys) ─> build ─> validate ─> Config
//!    └────────┴────────────┴───────────────────────────┴──────> Diagnostics ─> render, JSON
//! ```

mod build;
mod diagnostic;
mod grammar;
mod hints;
mod json;
mod keys;
mod load;
mod problems;
mod render;
mod schema;
mod syntax;
mod tree;
mod types;
mod validate;
mod values;

#[cfg(test)]
mod tests;

pub use diagnostic::{Diagnostic, Hint, Related, Severity};
pub use json::to_json;
pub(crate) use load::read;
pub use load::{LoadError, load};
pub use render::render;
pub use schema::schema;
pub use types::*;

use serde::Serialize;

/// How much a file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Listeners.
    pub listeners: usize,
    /// Target groups.
    pub target_groups: usize,
    /// Targets, over all groups.
    pub targets: usize,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        let (listeners, groups) = (plural(self.listeners, "listener"), plural(self.target_groups, "target group"));
        write!(f, "{listeners}, {groups}, {}", plural(self.targets, "target"))
    }
}

/// What a text says.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The configuration; `None` when any diagnostic is an error.
    pub config: Option<Config>,
    /// Errors and warnings, in file order.
    pub diagnostics: Vec<Diagnostic>,
    /// What the text holds, errors or not.
    pub summary: Summary,
}

/// Reads a whole configuration from its text. `file_name` is what diagnostics call it.
///
/// Never binds a socket, resolves a name or opens a file.
#[must_use]
pub fn parse(file_name: &str, text: &str) -> Parsed {
    let mut problems = problems::Problems::default();
    let root = syntax::read(text, &mut problems);
    grammar::check(&root, &problems);
    let draft = build::draft(&root);
    validate::check(&draft, &problems);
    let summary = Summary {
        listeners: draft.listeners.len(),
        target_groups: draft.groups.len(),
        targets: draft.groups.iter().map(|group| group.written).sum(),
    };
    let diagnostics = problems.into_diagnostics(file_name, text);
    let valid = !diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    Parsed { config: valid.then(|| draft.into_config()), diagnostics, summary }
}

impl build::Draft<'_> {
    fn into_config(self) -> Config {
        let mut listeners: Vec<Listener> = self.listeners.into_iter().map(|draft| draft.listener).collect();
        let mut target_groups: Vec<TargetGroup> = self.groups.into_iter().map(|draft| draft.group).collect();
        listeners.sort_by(|a, b| a.name.cmp(&b.name));
        target_groups.sort_by(|a, b| a.name.cmp(&b.name));
        let (runtime, admin, log, access_log) = (self.runtime, self.admin, self.log, self.access_log);
        Config { runtime, admin, log, access_log, listeners, target_groups }
    }
}
