//! TOML text → tree, and every syntax error.
//!
//! The `toml` crate goes on after an error, but two kinds make it lose what follows. Those lines are mended and the
//! text is read once more: a key without a value is blanked out, a table header that is not closed gets its bracket.

#![allow(clippy::wildcard_enum_match_arm, reason = "whatever is not of the expected type is one case")]

use super::diagnostic::{Span, floor};
use super::problems::{MAX_DIAGNOSTICS, Problem, Problems};
use super::tree::{Entry, Node, Table, Value};
use toml::de::{DeTable, DeValue, Error};

const NO_VALUE: &str = "key with no value";
const NO_KEY: &str = "invalid key-value pair";
const UNCLOSED_HEADER: &str = "unclosed table";
const DUPLICATE: &str = "duplicate key";

/// Reads the whole text. Where an error destroys more than one value, `problems.lossy` is set.
pub(super) fn read(text: &str, problems: &mut Problems) -> Table {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut errors: Vec<SyntaxError> = errors.iter().map(SyntaxError::from).collect();
    let root = match Mended::new(text, &errors) {
        None => convert(document.get_ref(), &|span| span),
        Some(mended) => {
            let (document, second) = DeTable::parse_recoverable(&mended.text);
            // The first reading ended early, so part of what is wrong with values shows in the second one only.
            let second = second.iter().map(SyntaxError::from).filter(|error| !error.loses_place());
            errors.extend(second.map(|error| SyntaxError { span: mended.original(error.span), ..error }));
            errors.sort_by(|a, b| (a.span.start, a.span.end, &a.message).cmp(&(b.span.start, b.span.end, &b.message)));
            errors.dedup_by(|a, b| a.span == b.span && a.message == b.message);
            convert(document.get_ref(), &|span| mended.original(span))
        }
    };
    report(text, root, errors, problems)
}

struct SyntaxError {
    span: Span,
    message: String,
}

impl SyntaxError {
    /// Whether the parser does not read on after it.
    fn loses_place(&self) -> bool {
        [NO_VALUE, NO_KEY, UNCLOSED_HEADER].iter().any(|message| self.message.starts_with(message))
    }
}

impl From<&Error> for SyntaxError {
    fn from(error: &Error) -> Self {
        Self { span: error.span().unwrap_or(0..0), message: error.message().to_owned() }
    }
}

/// The text with the lines mended that would make the parser lose its place.
struct Mended {
    text: String,
    /// Where a byte was inserted, in bytes of the mended text, ascending.
    inserted: Vec<usize>,
}

impl Mended {
    fn new(text: &str, errors: &[SyntaxError]) -> Option<Self> {
        let mut places: Vec<&SyntaxError> = errors.iter().filter(|error| error.loses_place()).collect();
        if places.is_empty() {
            return None;
        }
        places.sort_by_key(|error| error.span.start);
        let mut mended = Self { text: String::with_capacity(text.len() + places.len()), inserted: Vec::new() };
        let mut copied = 0;
        for error in places {
            let at = floor(text, error.span.start);
            if at < copied {
                continue;
            }
            if error.message.starts_with(UNCLOSED_HEADER) {
                mended.text.push_str(&text[copied..at]);
                mended.inserted.push(mended.text.len());
                mended.text.push(']');
                copied = at;
            } else {
                let line = line_around(text, at);
                let start = line.start.max(copied);
                mended.text.push_str(&text[copied..start]);
                mended.text.extend(std::iter::repeat_n(' ', line.end.saturating_sub(start)));
                copied = line.end.max(start);
            }
        }
        mended.text.push_str(&text[copied..]);
        Some(mended)
    }

    fn original(&self, span: Span) -> Span {
        let back = |byte: usize| byte - self.inserted.partition_point(|&at| at < byte);
        back(span.start)..back(span.end)
    }
}

/// The line that holds byte `at`, without its line feed; at a line feed the line before it.
fn line_around(text: &str, at: usize) -> Span {
    let start = text[..at].rfind('\n').map_or(0, |feed| feed + 1);
    let end = text[at..].find('\n').map_or(text.len(), |feed| at + feed);
    start..end
}

fn convert(table: &DeTable<'_>, place: &dyn Fn(Span) -> Span) -> Table {
    let entry = |(key, value): (&toml::Spanned<toml::de::DeString<'_>>, &toml::Spanned<DeValue<'_>>)| Entry {
        key: key.get_ref().to_string(),
        key_span: place(key.span()),
        node: convert_value(value, place),
    };
    let mut entries: Vec<Entry> = table.iter().map(entry).collect();
    entries.sort_by_key(|entry| entry.key_span.start);
    Table { entries }
}

fn convert_value(value: &toml::Spanned<DeValue<'_>>, place: &dyn Fn(Span) -> Span) -> Node {
    let converted = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()),
        DeValue::Float(_) => Value::Float,
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(array) => Value::Array(array.iter().map(|element| convert_value(element, place)).collect()),
        DeValue::Table(table) => Value::Table(convert(table, place)),
    };
    Node { span: place(value.span()), value: converted }
}

/// Reports the errors, marks values that they fall into as broken, and decides whether anything else was lost.
fn report(text: &str, mut root: Table, mut errors: Vec<SyntaxError>, problems: &mut Problems) -> Table {
    errors.sort_by_key(|error| (error.span.start, error.span.end));
    let mut last_line = usize::MAX;
    let mut swallowed_until = 0;
    for (seen, error) in errors.into_iter().enumerate() {
        if seen >= MAX_DIAGNOSTICS {
            // Only counted from here on: looking up the place of each would be quadratic.
            problems.lossy = true;
            problems.add(Problem::error("syntax", &error.span, error.message));
            continue;
        }
        let line = line_around(text, floor(text, error.span.start));
        if error.message == DUPLICATE {
            problems.add(duplicate(text, &root, &error.span));
            continue;
        }
        if error.span.start < swallowed_until {
            continue;
        }
        match break_value(&mut root, &error.span) {
            Fell::Scalar(span) => problems.add(broken_scalar(text, &span, &error.message)),
            Fell::Unclosed(span) if span.end >= text.trim_end().len() && !closes(text, &span) => {
                problems.lossy = true;
                swallowed_until = usize::MAX;
                swallow(&mut root, &span);
                let open = span.start..span.start + 1;
                let what = if text[span.start..].starts_with('[') { "array" } else { "table" };
                problems.add(Problem::error("syntax", &open, format!("this {what} is never closed")));
            }
            Fell::Unclosed(_) | Fell::Outside => {
                // A letter that a bare key may not have is read all the same: nothing is lost.
                problems.lossy |= !error.message.starts_with("invalid unquoted key");
                if line.start != last_line {
                    last_line = line.start;
                    problems.add(Problem::error("syntax", &visible(text, &error.span, &line), plain(&error.message)));
                }
            }
        }
    }
    root
}

/// Where an error fell.
enum Fell {
    Scalar(Span),
    /// Inside the outermost array or inline table that is here.
    Unclosed(Span),
    Outside,
}

fn break_value(table: &mut Table, at: &Span) -> Fell {
    for entry in &mut table.entries {
        match break_node(&mut entry.node, at) {
            Fell::Outside => {}
            fell => return fell,
        }
    }
    Fell::Outside
}

fn break_node(node: &mut Node, at: &Span) -> Fell {
    let inside = node.span.start <= at.start && at.start <= node.span.end;
    let fell = match &mut node.value {
        Value::Table(table) => break_value(table, at),
        Value::Array(elements) => elements
            .iter_mut()
            .map(|e| break_node(e, at))
            .find(|f| !matches!(f, Fell::Outside))
            .unwrap_or(Fell::Outside),
        _ if inside => {
            node.value = Value::Broken;
            return Fell::Scalar(node.span.clone());
        }
        _ => return Fell::Outside,
    };
    // The span of a `[table]` is its header alone, so an error below it is not inside.
    if inside && at.start > node.span.start { Fell::Unclosed(node.span.clone()) } else { fell }
}

/// Marks the value at `span` as broken: what an unclosed bracket swallowed was not meant to be in it.
fn swallow(table: &mut Table, span: &Span) {
    for entry in &mut table.entries {
        if entry.node.span == *span {
            entry.node.value = Value::Broken;
        } else if let Value::Table(inner) = &mut entry.node.value {
            swallow(inner, span);
        }
    }
}

fn closes(text: &str, span: &Span) -> bool {
    let inner = &text[floor(text, span.start)..floor(text, span.end)];
    let count = |c: char| inner.matches(c).count();
    if inner.starts_with('[') { count('[') <= count(']') } else { count('{') <= count('}') }
}

fn broken_scalar(text: &str, span: &Span, message: &str) -> Problem {
    let written = &text[floor(text, span.start)..floor(text, span.end)];
    if written.trim().is_empty() {
        return Problem::error("syntax", span, "the value is missing after `=`");
    }
    if written.starts_with(['"', '\'']) {
        return Problem::error("syntax", span, plain(message));
    }
    let hint = match written.trim() {
        "yes" | "on" | "True" | "TRUE" => "true".to_owned(),
        "no" | "off" | "False" | "FALSE" => "false".to_owned(),
        other => format!("\"{}\"", other.replace(['"', '\\'], "")),
    };
    Problem::error("syntax", span, "this is not a TOML value; text needs quotes").text_hint(format!("write `{hint}`"))
}

/// An empty span in the middle of a line becomes the text before it, which is what the error is about.
fn visible(text: &str, span: &Span, line: &Span) -> Span {
    if span.start < span.end {
        return span.clone();
    }
    let start = line.start + (text[line.clone()].len() - text[line.clone()].trim_start().len());
    let end = line.start + text[line.clone()].trim_end().len();
    if start < end { start..end } else { span.clone() }
}

fn plain(message: &str) -> String {
    if message.starts_with(NO_VALUE) || message.starts_with(NO_KEY) {
        return "expected `key = value` or a `[table]` here".to_owned();
    }
    if message.starts_with(UNCLOSED_HEADER) {
        return "this table header is not closed: expected `]`".to_owned();
    }
    if message.ends_with("string, expected `\"`") || message.ends_with("string, expected `'`") {
        return "this string is never closed".to_owned();
    }
    format!("TOML syntax: {message}")
}

fn duplicate(text: &str, root: &Table, span: &Span) -> Problem {
    let line = line_around(text, floor(text, span.start));
    let header: String = text[line.clone()].split('#').next().unwrap_or_default().split_whitespace().collect();
    if header.starts_with('[') {
        let start = line.start + text[line.clone()].find('[').unwrap_or(0);
        let shown = start..start + text[start..line.end].split('#').next().unwrap_or_default().trim_end().len();
        if let Some(first) = earlier_header(text, &header, line.start) {
            let problem = Problem::error("duplicate_key", &shown, format!("{header} is defined twice"));
            return problem.related(&first, "first defined here");
        }
        let name = header.trim_matches(['[', ']']).rsplit('.').next().unwrap_or_default();
        let problem = Problem::error("duplicate_key", &shown, format!("`{name}` is set already, in another way"));
        return match earlier_key(root, name.trim_matches(['"', '\'']), line.start) {
            Some(first) => problem.related(&first, "first set here"),
            None => problem,
        };
    }
    let key = &text[floor(text, span.start)..floor(text, span.end)];
    let problem = Problem::error("duplicate_key", span, format!("`{key}` is set twice"));
    match earlier_key(root, key.trim_matches(['"', '\'']), span.start) {
        Some(first) => problem.related(&first, "first set here"),
        None => problem,
    }
}

fn earlier_header(text: &str, header: &str, before: usize) -> Option<Span> {
    let mut start = 0;
    for line in text[..before].split_inclusive('\n') {
        let content = line.split('#').next().unwrap_or_default();
        if content.split_whitespace().collect::<String>() == header {
            let indent = content.len() - content.trim_start().len();
            return Some(start + indent..start + content.trim_end().len());
        }
        start += line.len();
    }
    None
}

/// The last use of `key` before byte `before`: a table's keys stand together, so that is the first of the two.
fn earlier_key(table: &Table, key: &str, before: usize) -> Option<Span> {
    fn visit(node: &Node, key: &str, before: usize, best: &mut Option<Span>) {
        match &node.value {
            Value::Table(table) => search(table, key, before, best),
            Value::Array(elements) => elements.iter().for_each(|element| visit(element, key, before, best)),
            _ => {}
        }
    }
    fn search(table: &Table, key: &str, before: usize, best: &mut Option<Span>) {
        for entry in &table.entries {
            let later = best.as_ref().is_none_or(|span| span.start < entry.key_span.start);
            if entry.key == key && entry.key_span.start < before && later {
                *best = Some(entry.key_span.clone());
            }
            visit(&entry.node, key, before, best);
        }
    }
    let mut best = None;
    search(table, key, before, &mut best);
    best
}
