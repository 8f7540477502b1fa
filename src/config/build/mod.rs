//! Tree → typed values with their places. Whatever the grammar check refused is left at its default here, so that the
//! checks across the file still see the rest.

mod group;
mod listener;
mod process;

use super::diagnostic::Span;
use super::tree::{Node, Table};
use super::types::{AccessLog, Admin, Listener, Log, Runtime, TargetGroup};
use super::values;
use crate::model::Name;
use ipnet::IpNet;
use std::time::Duration;

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

/// The whole file, typed but not yet checked across tables.
pub(super) struct Draft<'t> {
    pub(super) runtime: Runtime,
    pub(super) admin: Admin,
    /// `admin.listen`, each with its place.
    pub(super) admin_listen: Vec<At<super::types::AdminAddr>>,
    pub(super) log: Log,
    pub(super) access_log: AccessLog,
    pub(super) listeners: Vec<DraftListener<'t>>,
    pub(super) groups: Vec<DraftGroup<'t>>,
}

/// A listener and the places that checks across the file point at.
pub(super) struct DraftListener<'t> {
    pub(super) listener: Listener,
    pub(super) table: &'t Table,
    pub(super) header: Span,
    pub(super) binds: Vec<At<super::types::Bind>>,
    /// Every target group that it names.
    pub(super) references: Vec<At<Name>>,
}

/// A target group and the places that checks across the file point at.
pub(super) struct DraftGroup<'t> {
    pub(super) group: TargetGroup,
    pub(super) table: &'t Table,
    pub(super) header: Span,
    /// Places of `group.targets`, in the same order.
    pub(super) targets: Vec<TargetPlace>,
    /// Targets in the file, also those that could not be read.
    pub(super) written: usize,
}

/// Where a target stands.
pub(super) struct TargetPlace {
    /// The id, or the address that stands for it.
    pub(super) id: Span,
    pub(super) address: Span,
}

/// Builds everything.
pub(super) fn draft(root: &Table) -> Draft<'_> {
    let empty = &Table::EMPTY;
    let admin = root.table("admin").unwrap_or(empty);
    let admin_listen = process::admin_listen(admin);
    Draft {
        runtime: process::runtime(root.table("runtime").unwrap_or(empty)),
        admin: process::admin(admin, &admin_listen),
        admin_listen,
        log: process::log(root.table("log").unwrap_or(empty)),
        access_log: process::access_log(root.table("access_log").unwrap_or(empty)),
        listeners: named(root, "listeners").map(|(name, node, table)| listener::listener(name, node, table)).collect(),
        groups: named(root, "target_groups").map(|(name, node, table)| group::group(name, node, table)).collect(),
    }
}

fn named<'t>(root: &'t Table, key: &str) -> impl Iterator<Item = (&'t str, &'t Node, &'t Table)> {
    let entries = root.table(key).map_or(&[][..], |table| &table.entries);
    entries.iter().filter_map(|entry| Some((entry.key.as_str(), &entry.node, entry.node.table()?)))
}

impl Table {
    const EMPTY: Self = Self { entries: Vec::new() };

    fn duration(&self, key: &str) -> Option<Duration> {
        self.text(key).and_then(|text| values::duration(text).ok())
    }

    fn percent(&self, key: &str) -> Option<u8> {
        self.text(key).and_then(|text| values::percent(text).ok())
    }

    fn prefixes(&self, key: &str) -> Vec<IpNet> {
        let nets = self.elements(key).iter().filter_map(Node::text).filter_map(|text| values::prefix(text).ok());
        nets.map(|(net, _cut)| net).collect()
    }

    fn owned(&self, key: &str) -> String {
        self.text(key).unwrap_or_default().to_owned()
    }

    /// The value that goes with the word under `key`.
    fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    }
}
