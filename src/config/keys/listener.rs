//! Keys of a listener.

use super::{Form, Key, Kind, POSITIVE, SPAN, Section, count, integer};

pub(in crate::config) static LISTENER: Section = Section {
    path: "listeners.NAME",
    keys: &[
        Key::new("protocol", Kind::Word(&["tcp", "udp"]), "\"tcp\"", "The transport that it serves.")
            .later_words(&["udp"]),
        Key::new(
            "bind",
            Kind::OneOrList(Form::Bind),
            "",
            "One address or a list; \"[::]:80\" is dual-stack, \"0.0.0.0:7000-7099\" a port range, port 0 any free one.",
        )
        .required(),
        Key::new(
            "target_group",
            Kind::Text(Form::Name),
            "",
            "Where it all goes: shorthand for a forward with one entry. Exactly one of target_group and forward.",
        ),
        Key::new("forward", Kind::Tables(&FORWARD), "", "A weighted split, in which a client keeps its side."),
        Key::new(
            "forward_key",
            Kind::Word(&["source_ip", "source_ip_port"]),
            "\"source_ip\"",
            "What keeps a client on its side of the split.",
        ),
        Key::new("rules", Kind::Tables(&RULE), "[]", "First match wins, before forward; every field given must match."),
        Key::new("mirror", Kind::Table(&MIRROR), "", "Copies of a share of the traffic; absent = off.").later(),
        Key::new("allow", Kind::List(Form::Prefix), "[]", "Client prefixes that may come; empty = all."),
        Key::new("deny", Kind::List(Form::Prefix), "[]", "Client prefixes that may not; wins over allow."),
        Key::new("max_connections", count(0), "0", "TCP sessions or UDP flows; 0 = no limit of its own."),
        Key::new(
            "accept_proxy",
            Kind::Word(&["off", "v1", "v2", "any"]),
            "\"off\"",
            "The PROXY header that clients must send; UDP: \"v2\", in every datagram.",
        )
        .later(),
        Key::new(
            "proxy_trusted",
            Kind::List(Form::Prefix),
            "[]",
            "Prefixes that may send a PROXY header; required when accept_proxy is not \"off\".",
        )
        .later(),
        Key::new("proxy_header_timeout", POSITIVE, "\"3s\"", "Longest wait for a whole PROXY header.").later(),
        Key::new("backlog", integer(1, i32::MAX as i64), "4096", "Length of the accept queue.").tcp(),
        Key::new(
            "idle_timeout",
            POSITIVE,
            "\"1h\"",
            "No byte or datagram in either direction for so long ends the session or flow; UDP default \"60s\".",
        ),
        Key::new("half_close_timeout", POSITIVE, "\"60s\"", "The idle limit after the first FIN.").tcp(),
        Key::new("max_lifetime", SPAN, "\"0s\"", "Longest life, jittered by ±10 %; \"0s\" = off."),
        Key::new("keepalive", SPAN, "\"60s\"", "Idle time before the first of 3 probes 10 s apart, both sides; \"0s\" = off.")
            .tcp(),
        Key::new(
            "congestion_control",
            Kind::Text(Form::Algorithm),
            "\"\"",
            "Congestion control of both sides; \"\" = the system's.",
        )
        .tcp(),
        Key::new("requests", count(0), "0", "End the flow after so many client datagrams; 0 = never.").udp(),
        Key::new("responses", count(0), "0", "End the flow after so many replies; 0 = never.").udp(),
        Key::new(
            "on_full",
            Kind::Word(&["evict_probation", "refuse_new"]),
            "\"evict_probation\"",
            "What gives way at a bound; established flows are never evicted.",
        )
        .udp(),
        Key::new("dont_fragment", Kind::Flag, "false", "Send with DF; what is too big is dropped.").udp(),
        Key::new("client_limit", Kind::Table(&CLIENT_LIMIT), "", "Limits per client prefix."),
    ],
};

pub(in crate::config) static FORWARD: Section = Section {
    path: "listeners.NAME.forward",
    keys: &[
        Key::new("target_group", Kind::Text(Form::Name), "", "The group that receives this share.").required(),
        Key::new("weight", integer(0, 1000), "1", "Relative share; 0 = none."),
    ],
};

pub(in crate::config) static RULE: Section = Section {
    path: "listeners.NAME.rules",
    keys: &[
        Key::new("source", Kind::List(Form::Prefix), "[]", "Client prefixes; empty = any."),
        Key::new("destination", Kind::List(Form::Prefix), "[]", "Addresses that the client reached; empty = any."),
        Key::new("destination_ports", Kind::List(Form::Ports), "[]", "Ports that the client reached; empty = any."),
        Key::new("target_group", Kind::Text(Form::Name), "", "The group that receives what matches.").required(),
    ],
};

pub(in crate::config) static MIRROR: Section = Section {
    path: "listeners.NAME.mirror",
    keys: &[
        Key::new("target_group", Kind::Text(Form::Name), "", "The group that receives the copies.").required(),
        Key::new("share", Kind::Percent, "\"100%\"", "Share of the traffic that is copied."),
    ],
};

pub(in crate::config) static CLIENT_LIMIT: Section = Section {
    path: "listeners.NAME.client_limit",
    keys: &[
        Key::new("prefix_v4", integer(0, 32), "32", "Bits of an IPv4 address that make one client.").later(),
        Key::new("prefix_v6", integer(0, 128), "64", "Bits of an IPv6 address that make one client.").later(),
        Key::new("max_connections", count(0), "0", "Sessions or flows; 0 = no limit.").later(),
        Key::new("new_per_second", count(0), "0", "New sessions or flows a second; 0 = no limit.").later(),
        Key::new("burst", count(0), "0", "New ones at once; 0 = new_per_second.").later(),
        Key::new("packets_per_second", count(0), "0", "Datagrams a second; 0 = no limit.").udp().later(),
        Key::new(
            "bytes_per_second",
            integer(0, i64::MAX),
            "0",
            "Bytes a second, both directions together; paces TCP, drops UDP; 0 = no limit.",
        )
        .later(),
        Key::new(
            "action",
            Kind::Word(&["reset", "close", "delay"]),
            "\"reset\"",
            "What becomes of a TCP session over a limit; UDP always drops.",
        )
        .later(),
    ],
};
