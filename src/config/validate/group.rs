//! Checks of one target group.

use crate::balance::maglev::MAX_TARGETS;
use crate::config::build::{Draft, DraftGroup};
use crate::config::keys::HEALTH_CHECK;
use crate::config::problems::{Problem, Problems};
use crate::config::tree::Table;
use crate::config::types::Balance;
use crate::config::values::duration_text;
use crate::model::Protocol;
use std::collections::BTreeMap;

/// Maglev slots per target under which shares are visibly uneven.
const SLOTS_PER_TARGET: usize = 100;

pub(super) fn check(draft: &DraftGroup<'_>, file: &Draft<'_>, problems: &Problems) {
    ids(draft, problems);
    number(draft, problems);
    slots(draft, problems);
    protocols(draft, file, problems);
    if let Some((table, node)) = draft.table.table("health_check").zip(draft.table.get("health_check")) {
        health_check(draft, table, &node.span, problems);
    }
    timeouts(draft, problems);
    source_addresses(draft, problems);
}

/// Placement knows its members by 16-bit numbers.
fn number(draft: &DraftGroup<'_>, problems: &Problems) {
    if let Some(place) = draft.targets.get(MAX_TARGETS) {
        let message = format!("a target group has at most {MAX_TARGETS} targets");
        problems.add(Problem::error("out_of_range", &place.id, message));
    }
}

fn ids(draft: &DraftGroup<'_>, problems: &Problems) {
    let mut seen = BTreeMap::new();
    for (target, place) in draft.group.targets.iter().zip(&draft.targets) {
        match seen.get(&target.id) {
            Some(first) => {
                let message = format!("the id `{}` is used twice in this group", target.id);
                let problem = Problem::error("duplicate_id", &place.id, message).related(first, "first used here");
                let by_address = place.id == place.address;
                problems.add(if by_address {
                    problem.text_hint("give one of the two an `id` of its own")
                } else {
                    problem
                });
            }
            None => drop(seen.insert(target.id.clone(), place.id.clone())),
        }
    }
}

fn slots(draft: &DraftGroup<'_>, problems: &Problems) {
    let size = usize::try_from(draft.group.table_size).unwrap_or(usize::MAX);
    if draft.group.balance == Balance::Maglev && size < SLOTS_PER_TARGET * draft.written {
        let span = draft.table.get("table_size").map_or(&draft.header, |node| &node.span);
        let message =
            format!("{size} slots for {} targets: under {SLOTS_PER_TARGET} each, shares are uneven", draft.written);
        let next = i64::try_from(SLOTS_PER_TARGET * draft.written).map_or(2, crate::config::values::next_prime);
        problems.add(Problem::warning("small_table", span, message).text_hint(format!("table_size = {next} or more")));
    }
}

fn protocols(draft: &DraftGroup<'_>, file: &Draft<'_>, problems: &Problems) {
    let of_tcp = |l: &&crate::config::build::DraftListener<'_>| l.listener.protocol == Protocol::Tcp;
    let uses = file.listeners.iter().filter(of_tcp).flat_map(|listener| &listener.references);
    let Some(user) = uses.into_iter().find(|reference| reference.value == draft.group.name) else { return };
    for (key, words) in [("hash_key", &["quic_cid", "payload"][..]), ("on_unhealthy", &["rebind"][..])] {
        let Some(node) = draft.table.get(key) else { continue };
        if let Some(word) = node.text().filter(|word| words.contains(word)) {
            let message = format!("`{key} = \"{word}\"` is for UDP, and a TCP listener uses this group");
            let problem = Problem::error("protocol_mismatch", &node.span, message);
            problems.add(problem.related(&user.span, "used here"));
        }
    }
}

fn health_check(draft: &DraftGroup<'_>, table: &Table, header: &std::ops::Range<usize>, problems: &Problems) {
    let Some(check) = &draft.group.health_check else { return };
    let (interval, timeout) = (table.get("interval"), table.get("timeout"));
    if check.timeout > check.interval
        && let Some(node) = timeout.or(interval)
    {
        let (long, short) = (duration_text(check.timeout), duration_text(check.interval));
        let message = format!("the probe's timeout of {long} is above its interval of {short}");
        let problem = Problem::error("out_of_range", &node.span, message);
        problems.add(match interval.filter(|_| timeout.is_some()) {
            Some(interval) => problem.related(&interval.span, "the interval"),
            None => problem.text_hint(format!("the interval is {short} by default")),
        });
    }
    if let Some(node) = table.get("fast_interval").filter(|_| check.fast_interval > check.interval) {
        let message = "`fast_interval` is above `interval`, so it slows down what it should speed up";
        problems.add(Problem::warning("ineffective", &node.span, message));
    }
    let without_port = draft.group.targets.iter().zip(&draft.targets).find(|(target, _)| target.address.port.is_none());
    if let Some((_, place)) = without_port.filter(|_| check.port.is_none()) {
        let message = "the health check needs `port`: a target has none of its own";
        problems.add_absent(Problem::error("missing_key", header, message).related(&place.address, "no port here"));
    }
    let http = table.text("protocol") == Some("http");
    let (foreign, why) = if http {
        (&["send", "expect"][..], "is for tcp and udp probes")
    } else {
        (&["path", "host", "expect_status"][..], "is for http probes")
    };
    let plain = |key: &&&str| {
        table.text(key).is_some_and(|text| HEALTH_CHECK.key(key).is_some_and(|k| k.default.trim_matches('"') == text))
    };
    for entry in foreign.iter().filter(|key| !plain(key)).filter_map(|key| table.entry(key)) {
        let message = format!("`{}` {why}, so it has no effect", entry.key);
        let problem = Problem::warning("ineffective", &entry.key_span, message);
        problems.add(if http { problem } else { problem.text_hint("protocol = \"http\"") });
    }
    if table.text("protocol") == Some("udp") && table.text("send").is_none_or(str::is_empty) {
        problems.add_absent(Problem::error("missing_key", header, "a udp probe needs `send`"));
    }
}

fn timeouts(draft: &DraftGroup<'_>, problems: &Problems) {
    let (connect, outlier) = (&draft.group.connect, &draft.group.outlier);
    let explicit = |table: &str, key: &str| draft.table.table(table).and_then(|table| table.get(key));
    if let Some(node) = explicit("connect", "timeout").filter(|_| connect.timeout > connect.deadline) {
        let deadline = duration_text(connect.deadline);
        let message = format!("one attempt may take longer than all together: `deadline` is {deadline}");
        problems.add(Problem::warning("ineffective", &node.span, message));
    }
    if let Some(node) = explicit("outlier", "base_ejection").filter(|_| outlier.base_ejection > outlier.max_ejection) {
        let longest = duration_text(outlier.max_ejection);
        let message = format!("the first ejection is longer than the longest: `max_ejection` is {longest}");
        problems.add(Problem::warning("ineffective", &node.span, message));
    }
}

fn source_addresses(draft: &DraftGroup<'_>, problems: &Problems) {
    let mut seen = BTreeMap::new();
    for node in draft.table.elements("source_addresses") {
        let Some(ip) = node.text().and_then(|text| crate::config::values::ip(text).ok()) else { continue };
        match seen.get(&ip) {
            Some(first) => {
                let problem = Problem::error("duplicate", &node.span, format!("{ip} occurs twice"));
                problems.add(problem.related(first, "first used here"));
            }
            None => drop(seen.insert(ip, node.span.clone())),
        }
    }
}
