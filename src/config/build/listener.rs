//! One listener.

use super::{At, DraftListener};
use crate::config::tree::{Node, Table};
use crate::config::types::{Bind, Forward, ForwardKey, Listener, Rule};
use crate::config::values;
use crate::model::{Name, Protocol};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// How long a UDP flow may be silent by default.
const UDP_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) fn listener<'t>(name: &str, node: &Node, table: &'t Table) -> DraftListener<'t> {
    let default = Listener::tcp(name, SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), "");
    let protocols = [("tcp", Protocol::Tcp), ("udp", Protocol::Udp)];
    let protocol = table.word("protocol", &protocols).unwrap_or(Protocol::Tcp);
    let idle_timeout = if protocol == Protocol::Udp { UDP_IDLE_TIMEOUT } else { default.idle_timeout };
    let forward_keys = [("source_ip", ForwardKey::SourceIp), ("source_ip_port", ForwardKey::SourceIpPort)];
    let binds = binds(table);
    let listener = Listener {
        name: name.into(),
        protocol,
        bind: binds.iter().map(|bind| bind.value).collect(),
        forward: forward(table),
        forward_key: table.word("forward_key", &forward_keys).unwrap_or_default(),
        rules: table.elements("rules").iter().filter_map(Node::table).map(rule).collect(),
        allow: table.prefixes("allow"),
        deny: table.prefixes("deny"),
        max_connections: table.number("max_connections").unwrap_or(default.max_connections),
        backlog: table.number("backlog").unwrap_or(default.backlog),
        idle_timeout: table.duration("idle_timeout").unwrap_or(idle_timeout),
        half_close_timeout: table.duration("half_close_timeout").unwrap_or(default.half_close_timeout),
        max_lifetime: table.duration("max_lifetime").unwrap_or(default.max_lifetime),
        keepalive: table.duration("keepalive").unwrap_or(default.keepalive),
        congestion_control: table.owned("congestion_control"),
    };
    DraftListener { listener, table, header: node.span.clone(), binds, references: references(table) }
}

fn binds(table: &Table) -> Vec<At<Bind>> {
    let bind = |node: &Node| Some(At { value: values::bind(node.text()?).ok()?, span: node.span.clone() });
    table.get("bind").map_or(&[][..], Node::one_or_many).iter().filter_map(bind).collect()
}

fn forward(table: &Table) -> Vec<Forward> {
    if let Some(target_group) = table.text("target_group") {
        return vec![Forward { target_group: target_group.into(), weight: 1 }];
    }
    let side = |table: &Table| {
        Some(Forward { target_group: table.text("target_group")?.into(), weight: table.number("weight").unwrap_or(1) })
    };
    table.elements("forward").iter().filter_map(Node::table).filter_map(side).collect()
}

fn rule(table: &Table) -> Rule {
    let ports = |node: &Node| match node.integer() {
        Some(port) => u16::try_from(port).ok().map(|port| (port, port)),
        None => values::ports(node.text()?).ok(),
    };
    Rule {
        source: table.prefixes("source"),
        destination: table.prefixes("destination"),
        destination_ports: table.elements("destination_ports").iter().filter_map(ports).collect(),
        target_group: table.text("target_group").unwrap_or_default().into(),
    }
}

fn references(table: &Table) -> Vec<At<Name>> {
    let group = |table: &Table| {
        let node = table.get("target_group")?;
        Some(At { value: Name::from(node.text().filter(|name| values::is_name(name))?), span: node.span.clone() })
    };
    let nested = ["forward", "rules"].into_iter().flat_map(|key| table.elements(key)).filter_map(Node::table);
    std::iter::once(table).chain(nested).chain(table.table("mirror")).filter_map(group).collect()
}
