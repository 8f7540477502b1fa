//! The file as a tree that knows where everything stands, in file order.

use super::diagnostic::Span;

/// A value and its place.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) value: Value,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    /// `None` = beyond 64 bits.
    Integer(Option<i64>),
    Float,
    Flag(bool),
    Datetime,
    Array(Vec<Node>),
    Table(Table),
    /// A syntax error, reported already.
    Broken,
}

/// The entries of a table, in file order.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) entries: Vec<Entry>,
}

/// A key with its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Span,
    pub(super) node: Node,
}

impl Value {
    /// What it is, for "found …".
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float => "a float",
            Self::Flag(_) => "a boolean",
            Self::Datetime => "a date",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
            Self::Broken => "nothing readable",
        }
    }
}

impl Node {
    pub(super) fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    pub(super) fn integer(&self) -> Option<i64> {
        if let Value::Integer(number) = &self.value { *number } else { None }
    }

    pub(super) fn table(&self) -> Option<&Table> {
        if let Value::Table(table) = &self.value { Some(table) } else { None }
    }

    /// The elements of an array; nothing for anything else.
    pub(super) fn elements(&self) -> &[Self] {
        if let Value::Array(elements) = &self.value { elements } else { &[] }
    }

    /// The elements of an array, or the single value itself.
    pub(super) fn one_or_many(&self) -> &[Self] {
        if let Value::Array(elements) = &self.value { elements } else { std::slice::from_ref(self) }
    }
}

impl Table {
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Node::text)
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.get(key).and_then(|node| if let Value::Flag(flag) = node.value { Some(flag) } else { None })
    }

    /// An integer that fits `T`.
    pub(super) fn number<T: TryFrom<i64>>(&self, key: &str) -> Option<T> {
        self.get(key).and_then(Node::integer).and_then(|number| T::try_from(number).ok())
    }

    pub(super) fn table(&self, key: &str) -> Option<&Self> {
        self.get(key).and_then(Node::table)
    }

    /// The elements of an array under `key`; nothing when it is absent.
    pub(super) fn elements(&self, key: &str) -> &[Node] {
        self.get(key).map_or(&[], Node::elements)
    }
}
