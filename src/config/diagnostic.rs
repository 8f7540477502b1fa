//! One problem of a file, and where it is.

use serde::Serialize;
use std::ops::Range;

/// Bytes of the file.
pub(super) type Span = Range<usize>;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is accepted, and probably not what was meant.
    Warning,
}

/// A way out of a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// The nearest known word.
    Nearest(String),
    /// Our word for another product's.
    Ours(String),
    /// A sentence, or the text to write instead.
    Text(String),
}

impl Hint {
    /// The bare word, or the sentence.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Nearest(text) | Self::Ours(text) | Self::Text(text) => text,
        }
    }

    /// The line that a person reads.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Nearest(word) => format!("did you mean `{word}`?"),
            Self::Ours(word) => format!("forebay calls it `{word}`"),
            Self::Text(text) => text.clone(),
        }
    }
}

impl Serialize for Hint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A second place that a problem is about, such as a duplicate's first use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is there.
    pub message: String,
    /// The same place in bytes.
    #[serde(skip)]
    pub span: Span,
}

/// One problem of a file; serialises to the shape that the admin API promises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable word for programs.
    pub code: &'static str,
    /// One sentence for people.
    pub message: String,
    /// The file as it was named.
    pub file: String,
    /// First line, from 1.
    pub line: usize,
    /// First column in characters, from 1.
    pub column: usize,
    /// Last line.
    pub end_line: usize,
    /// The column after the last character.
    pub end_column: usize,
    /// Other places that belong to it.
    pub related: Vec<Related>,
    /// A way out.
    pub hint: Option<Hint>,
    /// The same place in bytes.
    #[serde(skip)]
    pub span: Span,
}

/// Line starts of a text, to turn bytes into lines and columns.
pub(super) struct LineIndex<'t> {
    text: &'t str,
    starts: Vec<usize>,
    ascii: bool,
}

impl<'t> LineIndex<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts, ascii: text.is_ascii() }
    }

    /// Line and column, both from 1, of a byte; a byte inside a character counts as its start.
    pub(super) fn position(&self, byte: usize) -> (usize, usize) {
        let byte = floor(self.text, byte);
        let line = self.starts.partition_point(|&start| start <= byte);
        let start = self.starts[line - 1];
        let column = if self.ascii { byte - start } else { self.text[start..byte].chars().count() };
        (line, column + 1)
    }
}

/// The nearest character boundary at or before `byte`.
pub(super) fn floor(text: &str, byte: usize) -> usize {
    text.floor_char_boundary(byte.min(text.len()))
}
