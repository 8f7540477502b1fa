//! The recursive check of the whole tree against the key tables: unknown and missing keys, types, ranges, grammars.

#![allow(clippy::wildcard_enum_match_arm, reason = "whatever is not of the expected type is one case")]

mod value;

use super::diagnostic::Hint;
use super::hints;
use super::keys::{CLIENT_LIMIT, Key, Kind, LISTENER, Later, ROOT, Scope, Section};
use super::problems::{Problem, Problems};
use super::tree::{Entry, Node, Table, Value};
use super::values;
use crate::model::Protocol;

/// Checks the whole file.
pub(super) fn check(root: &Table, problems: &Problems) {
    Check { problems, protocol: None, limits: false }.entries(&ROOT, root, "");
}

/// `protocol` is that of the listener that is being looked at.
#[derive(Clone, Copy)]
struct Check<'p> {
    problems: &'p Problems,
    protocol: Option<Protocol>,
    /// Inside `client_limit`, whose keys have names that occur elsewhere too.
    limits: bool,
}

impl Check<'_> {
    fn entries(self, section: &'static Section, table: &Table, path: &str) {
        for entry in &table.entries {
            match section.key(&entry.key) {
                None => self.problems.add(unknown_key(section, entry, path)),
                Some(key) if !self.fits(key.scope) => self.problems.add(self.foreign_key(key, entry)),
                Some(key) => self.value(key, entry, path),
            }
        }
    }

    fn table(self, section: &'static Section, node: &Node, path: &str) {
        let Value::Table(table) = &node.value else {
            return self.wrong_type(node, "a table", None);
        };
        let check = Self {
            protocol: self.protocol_of(section, table),
            limits: std::ptr::eq(section, &raw const CLIENT_LIMIT),
            ..self
        };
        check.entries(section, table, path);
        for key in section.keys.iter().filter(|key| key.required && table.get(key.name).is_none()) {
            let message = format!("{} has no `{}`", in_brackets(path), key.name);
            self.problems.add_absent(Problem::error("missing_key", &node.span, message).text_hint(example(key)));
        }
    }

    fn protocol_of(self, section: &'static Section, table: &Table) -> Option<Protocol> {
        if !std::ptr::eq(section, &raw const LISTENER) {
            return self.protocol;
        }
        match table.get("protocol").map(|node| node.text()) {
            None | Some(Some("tcp")) => Some(Protocol::Tcp),
            Some(Some("udp")) => Some(Protocol::Udp),
            Some(_) => None,
        }
    }

    fn fits(self, scope: Scope) -> bool {
        match (scope, self.protocol) {
            (Scope::Any, _) | (_, None) => true,
            (Scope::Tcp, Some(protocol)) => protocol == Protocol::Tcp,
            (Scope::Udp, Some(protocol)) => protocol == Protocol::Udp,
        }
    }

    fn foreign_key(self, key: &Key, entry: &Entry) -> Problem {
        let (own, other) = if key.scope == Scope::Tcp { ("TCP", "UDP") } else { ("UDP", "TCP") };
        let message = format!("`{}` is for {own} listeners, and this one serves {other}", key.name);
        Problem::error("protocol_mismatch", &entry.key_span, message)
    }

    fn value(self, key: &'static Key, entry: &Entry, path: &str) {
        let node = &entry.node;
        let below = || if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        match &key.kind {
            Kind::Table(section) => {
                self.table(section, node, &below());
                self.later(key, node);
            }
            Kind::Named(section) => self.named(section, node, &below()),
            Kind::Tables(section) => self.array(node, "an array of tables", |element| {
                self.table(section, element, &below());
            }),
            Kind::Targets(section) => self.array(node, "an array of addresses or tables", |element| {
                match (&element.value, section.key("address")) {
                    (Value::Text(_), Some(address)) => self.scalar(address, element),
                    (Value::Integer(_) | Value::Float | Value::Flag(_) | Value::Array(_), _) => {
                        self.wrong_type(element, "an address such as \"10.0.0.1:80\", or a table", None);
                    }
                    _ => self.table(section, element, &below()),
                }
            }),
            Kind::List(_) => self.array(node, "an array of strings", |element| self.scalar(key, element)),
            Kind::OneOrList(_) if matches!(node.value, Value::Array(_)) => {
                if node.elements().is_empty() {
                    let message = format!("`{}` is empty", key.name);
                    self.problems.add_absent(Problem::error("invalid_value", &node.span, message));
                }
                node.elements().iter().for_each(|element| self.scalar(key, element));
            }
            _ => self.scalar(key, node),
        }
        if matches!(key.kind, Kind::List(_)) {
            self.later(key, node);
        }
    }

    fn array(self, node: &Node, expected: &str, each: impl FnMut(&Node)) {
        match &node.value {
            Value::Array(elements) => elements.iter().for_each(each),
            _ => self.wrong_type(node, expected, None),
        }
    }

    fn named(self, section: &'static Section, node: &Node, path: &str) {
        let Value::Table(table) = &node.value else {
            return self.wrong_type(node, "a table of named tables", None);
        };
        for entry in &table.entries {
            if !values::is_name(&entry.key) {
                let message = format!("`{}` cannot be a name", entry.key.escape_debug());
                let hint = "a name begins with a letter or digit, then letters, digits, `_` and `-`; 64 at most";
                self.problems.add(Problem::error("invalid_name", &entry.key_span, message).text_hint(hint));
            }
            self.table(section, &entry.node, &format!("{path}.{}", entry.key));
        }
    }

    fn scalar(self, key: &'static Key, node: &Node) {
        if matches!(node.value, Value::Broken) {
            return;
        }
        match value::check(key, node) {
            Ok(None) => {}
            Ok(Some(warning)) => self.problems.add(warning),
            Err(problem) => return self.problems.add(problem),
        }
        if !matches!(key.kind, Kind::List(_)) {
            self.later(key, node);
        }
    }

    /// What is understood but not built yet is refused rather than ignored.
    fn later(self, key: &'static Key, node: &Node) {
        let what = match key.later {
            Later::Nothing => return,
            Later::AllButDefault if value::is_default(key, node) => return,
            Later::AllButDefault if self.limits => format!("`client_limit.{}`", key.name),
            Later::AllButDefault => format!("`{}`", key.name),
            Later::Words(words) => match node.text() {
                Some(word) if words.contains(&word) => format!("`{} = \"{word}\"`", key.name),
                _ => return,
            },
        };
        self.problems.add(Problem::error("unsupported", &node.span, format!("{what} is not supported yet")));
    }

    fn wrong_type(self, node: &Node, expected: &str, hint: Option<Hint>) {
        if !matches!(node.value, Value::Broken) {
            let message = format!("expected {expected}, found {}", node.value.describe());
            self.problems.add(Problem::error("invalid_type", &node.span, message).hint(hint));
        }
    }
}

/// A table as its header is written.
pub(super) fn in_brackets(path: &str) -> String {
    if path.is_empty() { "this file".to_owned() } else { format!("[{path}]") }
}

fn unknown_key(section: &'static Section, entry: &Entry, path: &str) -> Problem {
    let key = entry.key.escape_debug();
    let message = if path.is_empty() {
        format!("`{key}` is not a table of the file")
    } else {
        format!("`{key}` is not a key of {}", in_brackets(path))
    };
    Problem::error("unknown_key", &entry.key_span, message).hint(hints::key(section, path, &entry.key))
}

fn example(key: &Key) -> String {
    match key.name {
        "bind" => "bind = \"0.0.0.0:8080\"".to_owned(),
        "address" => "address = \"10.0.0.1:80\"".to_owned(),
        name => format!("{name} = \"web\""),
    }
}
