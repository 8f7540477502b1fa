//! Checks of one listener.

use crate::config::build::DraftListener;
use crate::config::diagnostic::Hint;
use crate::config::hints;
use crate::config::problems::{Problem, Problems};
use crate::config::tree::Node;
use crate::model::Protocol;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(draft: &DraftListener<'_>, groups: &BTreeSet<&str>, problems: &Problems) {
    one_destination(draft, problems);
    split(draft, problems);
    known_groups(draft, groups, problems);
    proxy(draft, problems);
    keepalive(draft, problems);
}

/// The kernel counts the idle time in whole seconds, up to 32,767 of them (TCP_KEEPIDLE, tcp(7)).
fn keepalive(draft: &DraftListener<'_>, problems: &Problems) {
    let Some(node) = draft.table.get("keepalive") else { return };
    let idle = draft.listener.keepalive;
    let is_whole = idle.subsec_nanos() == 0 && idle.as_secs() <= 32_767;
    if !is_whole {
        let message = "`keepalive` must be whole seconds, \"1s\" to \"32767s\", or \"0s\" = off";
        problems.add(Problem::error("out_of_range", &node.span, message));
    }
}

fn one_destination(draft: &DraftListener<'_>, problems: &Problems) {
    let name = &draft.listener.name;
    match (draft.table.entry("target_group"), draft.table.entry("forward")) {
        (Some(a), Some(b)) => {
            let (first, second) = if a.key_span.start < b.key_span.start { (a, b) } else { (b, a) };
            let message = format!("[listeners.{name}] has both `target_group` and `forward`");
            let problem = Problem::error("conflict", &second.key_span, message);
            let problem = problem.related(&first.key_span, format!("`{}` is here", first.key));
            problems.add(problem.text_hint("keep one: `target_group` is short for a `forward` with one entry"));
        }
        (None, None) => {
            let message = format!("[listeners.{name}] has neither `target_group` nor `forward`");
            problems
                .add_absent(Problem::error("missing_key", &draft.header, message).text_hint("target_group = \"web\""));
        }
        _ => {}
    }
}

fn split(draft: &DraftListener<'_>, problems: &Problems) {
    let Some(node) = draft.table.get("forward") else { return };
    let mut seen = BTreeMap::new();
    for group in node.elements().iter().filter_map(Node::table).filter_map(|side| side.get("target_group")) {
        let Some(name) = group.text() else { continue };
        match seen.get(name) {
            Some(first) => {
                let message = format!("`{name}` occurs twice in this split");
                problems.add(Problem::error("duplicate", &group.span, message).related(first, "first used here"));
            }
            None => drop(seen.insert(name, group.span.clone())),
        }
    }
    let weight = |side: &Node| {
        side.table().is_none_or(|table| table.get("weight").is_none_or(|weight| weight.integer() != Some(0)))
    };
    if node.elements().is_empty() && matches!(node.value, crate::config::tree::Value::Array(_)) {
        problems.add_absent(Problem::error("invalid_value", &node.span, "`forward` is empty"));
    } else if !node.elements().is_empty() && !node.elements().iter().any(weight) {
        problems.add(Problem::error("invalid_value", &node.span, "no weight in this split is above 0"));
    }
}

fn known_groups(draft: &DraftListener<'_>, groups: &BTreeSet<&str>, problems: &Problems) {
    for reference in draft.references.iter().filter(|reference| !groups.contains(&*reference.value)) {
        let name = &reference.value;
        let message = if groups.is_empty() {
            format!("no target group is named `{name}`; none is defined")
        } else {
            format!("no target group is named `{name}`; defined: {}", listed(groups))
        };
        let near = hints::nearest(groups.iter().copied(), name).map(|near| Hint::Nearest(near.to_owned()));
        problems.add_absent(Problem::error("unknown_target_group", &reference.span, message).hint(near));
    }
}

/// Names for a message: enough to choose from, never a page.
fn listed(groups: &BTreeSet<&str>) -> String {
    const SHOWN: usize = 10;
    let shown = groups.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if groups.len() > SHOWN { format!("{shown} and {} more", groups.len() - SHOWN) } else { shown }
}

fn proxy(draft: &DraftListener<'_>, problems: &Problems) {
    let Some(node) = draft.table.get("accept_proxy") else { return };
    let Some(mode) = node.text().filter(|mode| ["v1", "v2", "any"].contains(mode)) else { return };
    if draft.listener.protocol == Protocol::Udp && mode != "v2" {
        let message = format!("`accept_proxy = \"{mode}\"` is for TCP; over UDP only \"v2\" exists");
        problems.add(Problem::error("protocol_mismatch", &node.span, message));
    }
    if draft.table.elements("proxy_trusted").is_empty() {
        let message = "`accept_proxy` needs `proxy_trusted`: the prefixes that may send the header";
        problems.add_absent(Problem::error("missing_key", &node.span, message));
    }
}
