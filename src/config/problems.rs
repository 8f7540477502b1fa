//! The problems found so far: every check adds to one list and goes on.

use super::diagnostic::{Diagnostic, Hint, LineIndex, Related, Severity, Span, floor};
use std::cell::RefCell;

/// Problems of one file that are told; what comes after is only counted.
pub(super) const MAX_DIAGNOSTICS: usize = 1000;

/// A problem that is not tied to a file yet.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    severity: Severity,
    code: &'static str,
    span: Span,
    message: String,
    related: Vec<(Span, String)>,
    hint: Option<Hint>,
}

impl Problem {
    pub(super) fn error(code: &'static str, span: &Span, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { severity: Severity::Error, code, span: span.clone(), message, related: Vec::new(), hint: None }
    }

    pub(super) fn warning(code: &'static str, span: &Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    pub(super) fn related(mut self, span: &Span, message: impl Into<String>) -> Self {
        self.related.push((span.clone(), message.into()));
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<Option<Hint>>) -> Self {
        self.hint = hint.into();
        self
    }

    pub(super) fn text_hint(self, text: impl Into<String>) -> Self {
        self.hint(Hint::Text(text.into()))
    }

    fn into_diagnostic(self, file: &str, text: &str, index: &LineIndex<'_>) -> Diagnostic {
        let related = |(span, message): (Span, String)| {
            let (line, column) = index.position(span.start);
            Related { line, column, message, span: clamp(text, &span) }
        };
        let (line, column) = index.position(self.span.start);
        let (end_line, end_column) = index.position(self.span.end);
        Diagnostic {
            severity: self.severity,
            code: self.code,
            message: self.message,
            file: file.to_owned(),
            line,
            column,
            end_line,
            end_column,
            related: self.related.into_iter().map(related).collect(),
            hint: self.hint,
            span: clamp(text, &self.span),
        }
    }
}

fn clamp(text: &str, span: &Span) -> Span {
    let start = floor(text, span.start);
    start..floor(text, span.end).max(start)
}

/// The growing list.
#[derive(Default)]
pub(super) struct Problems {
    list: RefCell<Vec<Problem>>,
    /// Part of the file could not be read, so what is absent from the tree may well be in the file.
    pub(super) lossy: bool,
}

impl Problems {
    pub(super) fn add(&self, problem: Problem) {
        self.list.borrow_mut().push(problem);
    }

    /// Adds a problem that consists in something being absent; not where part of the file was unreadable.
    pub(super) fn add_absent(&self, problem: Problem) {
        if !self.lossy {
            self.add(problem);
        }
    }

    /// Whether the file is refused already.
    pub(super) fn any_error(&self) -> bool {
        self.list.borrow().iter().any(|problem| problem.severity == Severity::Error)
    }

    /// All of them, in file order.
    pub(super) fn into_diagnostics(self, file: &str, text: &str) -> Vec<Diagnostic> {
        let index = LineIndex::new(text);
        let mut list = self.list.into_inner();
        list.sort_by_key(|problem| (problem.span.start, problem.span.end));
        list.dedup_by(|a, b| a.span == b.span && a.code == b.code && a.message == b.message);
        let more = list.len().saturating_sub(MAX_DIAGNOSTICS);
        if more > 0 {
            // Errors must not be cut off behind warnings: the verdict depends on there being one.
            list.sort_by_key(|problem| problem.severity != Severity::Error);
            list.truncate(MAX_DIAGNOSTICS);
            list.sort_by_key(|problem| (problem.span.start, problem.span.end));
            let severity = list.iter().map(|p| p.severity).find(|s| *s == Severity::Error).unwrap_or(Severity::Warning);
            let end = text.len()..text.len();
            list.push(Problem { severity, ..Problem::error("too_many", &end, format!("and {more} more problems")) });
        }
        list.into_iter().map(|problem| problem.into_diagnostic(file, text, &index)).collect()
    }
}
