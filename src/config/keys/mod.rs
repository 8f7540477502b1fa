//! Every key of the file, once: what it may hold, its default, what it is for. Checking, the JSON Schema and
//! the hints all read these tables.

mod group;
mod listener;
mod process;

pub(super) use group::{CONNECT, DISCOVERY, HEALTH_CHECK, OUTLIER, TARGET, TARGET_GROUP};
pub(super) use listener::{CLIENT_LIMIT, FORWARD, LISTENER, MIRROR, RULE};
pub(super) use process::{ACCESS_LOG, ADMIN, LOG, ROOT, RUNTIME};

/// The keys of one kind of table.
#[derive(Debug)]
pub(super) struct Section {
    /// How a header of it is written; `NAME` stands for a name.
    pub(super) path: &'static str,
    pub(super) keys: &'static [Key],
}

impl Section {
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// As JSON; "" = none.
    pub(super) default: &'static str,
    pub(super) doc: &'static str,
    pub(super) scope: Scope,
    pub(super) later: Later,
    pub(super) required: bool,
}

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Any,
    Tcp,
    Udp,
}

/// What of it is understood but not built yet.
#[derive(Clone, Copy, Debug)]
pub(super) enum Later {
    /// Nothing.
    Nothing,
    /// Every value but the default.
    AllButDefault,
    /// These words.
    Words(&'static [&'static str]),
}

/// What a key may hold.
#[derive(Debug)]
pub(super) enum Kind {
    Flag,
    Integer {
        min: i64,
        max: i64,
    },
    /// The word, or an integer.
    WordOrInteger {
        word: &'static str,
        min: i64,
        max: i64,
    },
    Prime {
        max: i64,
    },
    Duration {
        zero: bool,
    },
    Percent,
    /// The word, or a percent.
    WordOrPercent {
        word: &'static str,
    },
    Word(&'static [&'static str]),
    Text(Form),
    List(Form),
    OneOrList(Form),
    Table(&'static Section),
    /// Named tables.
    Named(&'static Section),
    /// An array of tables.
    Tables(&'static Section),
    /// An array of tables, or of strings in this form that stand for one.
    Targets(&'static Section),
}

/// The grammar of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Up to this many bytes.
    Free {
        max: usize,
    },
    /// Printable, 1 to 255 bytes.
    Id,
    Name,
    Path,
    Bytes,
    Hex,
    Statuses,
    HttpPath,
    HttpHost,
    Algorithm,
    Bind,
    Admin,
    Prefix,
    Ports,
    Ip,
    /// An address, or "".
    IpOrNothing,
    Target,
    Resolver,
}

impl Key {
    const fn new(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Self {
        Self { name, kind, default, doc, scope: Scope::Any, later: Later::Nothing, required: false }
    }

    const fn tcp(mut self) -> Self {
        self.scope = Scope::Tcp;
        self
    }

    const fn udp(mut self) -> Self {
        self.scope = Scope::Udp;
        self
    }

    const fn later(mut self) -> Self {
        self.later = Later::AllButDefault;
        self
    }

    const fn later_words(mut self, words: &'static [&'static str]) -> Self {
        self.later = Later::Words(words);
        self
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

/// An integer with no upper bound of its own.
const fn count(min: i64) -> Kind {
    Kind::Integer { min, max: u32::MAX as i64 }
}

const fn integer(min: i64, max: i64) -> Kind {
    Kind::Integer { min, max }
}

/// A duration that may be zero.
const SPAN: Kind = Kind::Duration { zero: true };
/// A duration above zero.
const POSITIVE: Kind = Kind::Duration { zero: false };

/// Every kind of table, outermost first.
pub(super) const SECTIONS: &[&Section] = &[
    &ROOT,
    &RUNTIME,
    &ADMIN,
    &LOG,
    &ACCESS_LOG,
    &LISTENER,
    &FORWARD,
    &RULE,
    &MIRROR,
    &CLIENT_LIMIT,
    &TARGET_GROUP,
    &CONNECT,
    &HEALTH_CHECK,
    &OUTLIER,
    &DISCOVERY,
    &TARGET,
];
