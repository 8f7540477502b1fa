//! One target group.

use super::{DraftGroup, TargetPlace};
use crate::config::tree::{Node, Table};
use crate::config::types::{
    AdminState, Balance, Connect, FailOpen, HashKey, HealthCheck, OnUnhealthy, Outlier, ProbeKind, Target, TargetGroup,
};
use crate::config::values::{self, Address};
use std::time::Duration;

pub(super) fn group<'t>(name: &str, node: &Node, table: &'t Table) -> DraftGroup<'t> {
    let default = TargetGroup::new(name, &[]);
    let written = table.elements("targets");
    let (targets, places) = written.iter().filter_map(target).unzip();
    let addresses = table.elements("source_addresses").iter().filter_map(Node::text);
    let group = TargetGroup {
        targets,
        balance: table.word("balance", BALANCES).unwrap_or(default.balance),
        hash_key: hash_key(table),
        hash_seed: table.owned("hash_seed"),
        table_size: table.number("table_size").unwrap_or(default.table_size),
        source_addresses: addresses.filter_map(|text| values::ip(text).ok()).collect(),
        max_connections: table.number("max_connections").unwrap_or(default.max_connections),
        drain_timeout: table.duration("drain_timeout").unwrap_or(default.drain_timeout),
        fail_open_below: match table.text("fail_open_below") {
            Some("never") => FailOpen::Never,
            _ => table.percent("fail_open_below").map_or(default.fail_open_below, FailOpen::Below),
        },
        on_unhealthy: table.word("on_unhealthy", ON_UNHEALTHY).unwrap_or_default(),
        connect: table.table("connect").map_or(default.connect, connect),
        health_check: table.table("health_check").map(health_check),
        outlier: table.table("outlier").map_or(default.outlier, outlier),
        ..default
    };
    DraftGroup { group, table, header: node.span.clone(), targets: places, written: written.len() }
}

const BALANCES: &[(&str, Balance)] = &[
    ("least_connections", Balance::LeastConnections),
    ("maglev", Balance::Maglev),
    ("round_robin", Balance::RoundRobin),
    ("random", Balance::Random),
    ("power_of_two", Balance::PowerOfTwo),
];

const ON_UNHEALTHY: &[(&str, OnUnhealthy)] = &[
    ("auto", OnUnhealthy::Auto),
    ("keep", OnUnhealthy::Keep),
    ("drain", OnUnhealthy::Drain),
    ("reset", OnUnhealthy::Reset),
    ("rebind", OnUnhealthy::Rebind),
];

const STATES: &[(&str, AdminState)] =
    &[("enabled", AdminState::Enabled), ("draining", AdminState::Draining), ("disabled", AdminState::Disabled)];

fn hash_key(table: &Table) -> HashKey {
    match table.text("hash_key") {
        Some("source_ip_port") => HashKey::SourceIpPort,
        Some("source_prefix") => HashKey::SourcePrefix {
            v4: table.number("hash_prefix_v4").unwrap_or(24),
            v6: table.number("hash_prefix_v6").unwrap_or(56),
        },
        _ => HashKey::SourceIp,
    }
}

/// A target and its places; `None` where the address cannot be read.
pub(in crate::config) fn target(node: &Node) -> Option<(Target, TargetPlace)> {
    let (table, address) = match node.table() {
        Some(table) => (table, table.get("address")?),
        None => (&Table::EMPTY, node),
    };
    let text = address.text()?;
    let Address::Ip(addr) = values::target(text).ok()? else { return None };
    let id = table.get("id");
    let target = Target {
        id: id.and_then(Node::text).unwrap_or(text).into(),
        address: addr,
        weight: table.number("weight").unwrap_or(1),
        backup: table.flag("backup").unwrap_or(false),
        max_connections: table.number("max_connections").unwrap_or(0),
        state: table.word("state", STATES).unwrap_or_default(),
    };
    Some((target, TargetPlace { id: id.unwrap_or(address).span.clone(), address: address.span.clone() }))
}

fn connect(table: &Table) -> Connect {
    let default = Connect::default();
    Connect {
        timeout: table.duration("timeout").unwrap_or(default.timeout),
        attempts: table.number("attempts").unwrap_or(default.attempts),
        deadline: table.duration("deadline").unwrap_or(default.deadline),
        retry_budget_percent: table.percent("retry_budget").unwrap_or(default.retry_budget_percent),
    }
}

fn health_check(table: &Table) -> HealthCheck {
    let interval = table.duration("interval").unwrap_or(Duration::from_secs(5));
    let bytes = |key: &str| table.text(key).and_then(|text| values::bytes(text).ok()).unwrap_or_default();
    let statuses = table.text("expect_status").and_then(|text| values::statuses(text).ok());
    let kind = match table.text("protocol") {
        Some("http") => ProbeKind::Http {
            path: table.text("path").unwrap_or("/").to_owned(),
            host: table.owned("host"),
            expect_status: statuses.unwrap_or_else(|| vec![(200, 399)]),
        },
        _ => ProbeKind::Tcp { send: bytes("send"), expect: bytes("expect") },
    };
    HealthCheck {
        kind,
        port: table.number("port").filter(|port| *port != 0),
        source_address: table.text("source_address").and_then(|text| values::ip(text).ok()),
        interval,
        // Who shortens the interval alone means the rest to fit into it.
        timeout: table.duration("timeout").unwrap_or(interval.min(Duration::from_secs(2))),
        jitter_percent: table.percent("jitter").unwrap_or(10),
        healthy_threshold: table.number("healthy_threshold").unwrap_or(2),
        unhealthy_threshold: table.number("unhealthy_threshold").unwrap_or(3),
        fast_interval: table.duration("fast_interval").unwrap_or(interval.min(Duration::from_secs(1))),
    }
}

fn outlier(table: &Table) -> Outlier {
    let default = Outlier::default();
    Outlier {
        consecutive_failures: table.number("consecutive_failures").unwrap_or(default.consecutive_failures),
        min_volume: table.number("min_volume").unwrap_or(default.min_volume),
        window: table.duration("window").unwrap_or(default.window),
        base_ejection: table.duration("base_ejection").unwrap_or(default.base_ejection),
        max_ejection: table.duration("max_ejection").unwrap_or(default.max_ejection),
        max_ejected_percent: table.percent("max_ejected").unwrap_or(default.max_ejected_percent),
        icmp: table.flag("icmp").unwrap_or(default.icmp),
    }
}
