//! Keys of a target group.

use super::{Form, Key, Kind, POSITIVE, SPAN, Section, count, integer};

/// The largest prime below 2^24: 64 MiB of slots.
const MAX_TABLE_SIZE: i64 = 16_777_213;

pub(in crate::config) static TARGET_GROUP: Section = Section {
    path: "target_groups.NAME",
    keys: &[
        Key::new(
            "targets",
            Kind::Targets(&TARGET),
            "[]",
            "Its members: addresses or tables, inline or as [[target_groups.NAME.targets]].",
        ),
        Key::new(
            "balance",
            Kind::Word(&["least_connections", "maglev", "round_robin", "random", "power_of_two"]),
            "\"least_connections\"",
            "How a target is chosen.",
        ),
        Key::new(
            "hash_key",
            Kind::Word(&["source_ip", "source_ip_port", "source_prefix", "quic_cid", "payload"]),
            "\"source_ip\"",
            "What placement hashes.",
        )
        .later_words(&["quic_cid", "payload"]),
        Key::new("hash_prefix_v4", integer(0, 32), "24", "Bits of an IPv4 address, for \"source_prefix\"."),
        Key::new("hash_prefix_v6", integer(0, 128), "56", "Bits of an IPv6 address, for \"source_prefix\"."),
        Key::new(
            "hash_seed",
            Kind::Text(Form::Free { max: 255 }),
            "\"\"",
            "The same on every replica; part of the Maglev permutation.",
        ),
        Key::new(
            "table_size",
            Kind::Prime { max: MAX_TABLE_SIZE },
            "65537",
            "Maglev slots, a prime, over 100 per target; 4 bytes each.",
        ),
        Key::new(
            "payload_offset",
            integer(0, 65_507),
            "0",
            "First byte that \"payload\" hashes; a shorter datagram hashes the source.",
        )
        .later(),
        Key::new("payload_length", integer(1, 64), "8", "Bytes that \"payload\" hashes.").later(),
        Key::new(
            "quic_server_id_offset",
            integer(0, 19),
            "1",
            "Where a target's id lies inside the connection id, in bytes.",
        )
        .later(),
        Key::new("quic_server_id_length", integer(1, 20), "8", "Bytes of a target's id.").later(),
        Key::new("quic_cid_prefix", integer(1, 20), "8", "Remembered bytes of ids that targets announce.").later(),
        Key::new("send_proxy", Kind::Word(&["off", "v1", "v2"]), "\"off\"", "PROXY header to send to targets.").later(),
        Key::new("send_proxy_tlvs", Kind::Flag, "false", "Pass on the TLVs that came in.").later(),
        Key::new(
            "preserve_client",
            Kind::Word(&["off", "ip", "ip_port"]),
            "\"off\"",
            "Speak to targets from the client's address (IP_TRANSPARENT; needs CAP_NET_ADMIN).",
        )
        .later(),
        Key::new(
            "source_addresses",
            Kind::List(Form::Ip),
            "[]",
            "Pool of local addresses towards targets, against port exhaustion; empty = the system chooses.",
        ),
        Key::new("max_connections", count(0), "0", "Sessions and flows of the group; 0 = no limit of its own."),
        Key::new("slow_start", SPAN, "\"0s\"", "Ramp of a new or recovered target; \"0s\" = off.").later(),
        Key::new("drain_timeout", SPAN, "\"300s\"", "How long running work of a draining target may go on."),
        Key::new(
            "fail_open_below",
            Kind::WordOrPercent { word: "never" },
            "\"0%\"",
            "Share of eligible targets at or below which all enabled ones are used; \"never\" = fail closed.",
        ),
        Key::new(
            "on_unhealthy",
            Kind::Word(&["auto", "keep", "drain", "reset", "rebind"]),
            "\"auto\"",
            "Running work of an unhealthy target; \"auto\": TCP keeps, UDP rebinds; \"rebind\" is for UDP.",
        ),
        Key::new("connect", Kind::Table(&CONNECT), "", "Connecting and retrying."),
        Key::new("health_check", Kind::Table(&HEALTH_CHECK), "", "Active checks; table absent = none."),
        Key::new("outlier", Kind::Table(&OUTLIER), "", "Passive health and circuit breaking; on by default."),
        Key::new("discovery", Kind::Table(&DISCOVERY), "", "Targets from DNS or a file, beside or instead of targets.")
            .later(),
    ],
};

pub(in crate::config) static CONNECT: Section = Section {
    path: "target_groups.NAME.connect",
    keys: &[
        Key::new("timeout", POSITIVE, "\"2s\"", "One attempt."),
        Key::new("attempts", integer(1, 8), "3", "Distinct targets that are tried."),
        Key::new("deadline", POSITIVE, "\"5s\"", "All attempts together."),
        Key::new("retry_budget", Kind::Percent, "\"20%\"", "Retries, of connects in flight, never under 3."),
    ],
};

pub(in crate::config) static HEALTH_CHECK: Section = Section {
    path: "target_groups.NAME.health_check",
    keys: &[
        Key::new("protocol", Kind::Word(&["tcp", "udp", "http"]), "\"tcp\"", "What a probe speaks.")
            .later_words(&["udp"]),
        Key::new("port", integer(0, 65_535), "0", "Port of the probes; 0 = the target's."),
        Key::new("source_address", Kind::Text(Form::IpOrNothing), "\"\"", "Local address of the probes; \"\" = any."),
        Key::new("interval", POSITIVE, "\"5s\"", "Time between probes."),
        Key::new(
            "timeout",
            POSITIVE,
            "\"2s\"",
            "One probe; not above interval (default: the lesser of 2s and interval).",
        ),
        Key::new("jitter", Kind::Percent, "\"10%\"", "Random part of the interval."),
        Key::new("healthy_threshold", integer(1, 1000), "2", "Passes in a row that make a target healthy."),
        Key::new("unhealthy_threshold", integer(1, 1000), "3", "Failures in a row that make a target unhealthy."),
        Key::new("fast_interval", POSITIVE, "\"1s\"", "Time between probes while a transition is under way."),
        Key::new(
            "send",
            Kind::Text(Form::Bytes),
            "\"\"",
            "tcp, udp: the string's bytes, or \"hex:0a0b\"; required for udp.",
        ),
        Key::new(
            "expect",
            Kind::Text(Form::Bytes),
            "\"\"",
            "tcp, udp: prefix of what comes back; \"\" = any reply (udp) or the connection (tcp).",
        ),
        Key::new("path", Kind::Text(Form::HttpPath), "\"/\"", "http: what to GET."),
        Key::new("host", Kind::Text(Form::HttpHost), "\"\"", "http: the Host header; \"\" = the target's address."),
        Key::new("expect_status", Kind::Text(Form::Statuses), "\"200-399\"", "http: status codes that pass."),
        Key::new("agent_port", integer(0, 65_535), "0", "Port of a text agent (\"75%\", \"drain\", \"up\"); 0 = off.")
            .later(),
    ],
};

pub(in crate::config) static OUTLIER: Section = Section {
    path: "target_groups.NAME.outlier",
    keys: &[
        Key::new("consecutive_failures", count(0), "5", "TCP: failed connects in a row that eject; 0 = off."),
        Key::new(
            "failure_percent",
            integer(0, 100),
            "0",
            "TCP: failed share that ejects, with at least min_volume connects in window; 0 = off.",
        )
        .later(),
        Key::new("min_volume", count(1), "20", "Connects in window below which failure_percent does not count.")
            .later(),
        Key::new("window", POSITIVE, "\"10s\"", "The time that failure_percent looks back.").later(),
        Key::new("base_ejection", POSITIVE, "\"30s\"", "First ejection; the n-th lasts n times as long."),
        Key::new("max_ejection", POSITIVE, "\"300s\"", "Longest ejection."),
        Key::new("max_ejected", Kind::Percent, "\"50%\"", "Share of the group that may be ejected at once."),
        Key::new(
            "early_close_window",
            SPAN,
            "\"0ms\"",
            "A session that the target closes this soon without an answer counts as a failure; \"0ms\" = off.",
        )
        .later(),
        Key::new("icmp", Kind::Flag, "true", "UDP: unreachable messages count as failures.").later(),
        Key::new("unanswered_flows", count(0), "0", "UDP: so many flows in window without an answer eject; 0 = off.")
            .later(),
    ],
};

pub(in crate::config) static DISCOVERY: Section = Section {
    path: "target_groups.NAME.discovery",
    keys: &[
        Key::new("dns", Kind::Text(Form::Free { max: 255 }), "\"\"", "Name to resolve; one target per address."),
        Key::new("type", Kind::Word(&["a", "srv"]), "\"srv\"", "\"a\" = A and AAAA, which needs port."),
        Key::new("port", integer(0, 65_535), "0", "Port of the targets, for type \"a\"."),
        Key::new("min_ttl", SPAN, "\"1s\"", "Answers live at least so long."),
        Key::new("max_ttl", POSITIVE, "\"5m\"", "Answers live at most so long."),
        Key::new(
            "servers",
            Kind::List(Form::Resolver),
            "[]",
            "Resolvers, \"ip\" or \"ip:port\"; empty = the system's.",
        ),
        Key::new("file", Kind::Text(Form::Path), "\"\"", "Prometheus file_sd JSON, watched."),
    ],
};

pub(in crate::config) static TARGET: Section = Section {
    path: "target_groups.NAME.targets",
    keys: &[
        Key::new(
            "id",
            Kind::Text(Form::Id),
            "",
            "Identity across reloads, and the Maglev key; default: the address as written.",
        ),
        Key::new("address", Kind::Text(Form::Target), "", "Where it is reached; without a port: the client's port.")
            .required(),
        Key::new("weight", integer(0, 1000), "1", "Relative share; 0 = no new work, no deadline."),
        Key::new("backup", Kind::Flag, "false", "Used only when no other target is eligible."),
        Key::new("max_connections", count(0), "0", "Sessions and flows; 0 = no limit of its own."),
        Key::new("state", Kind::Word(&["enabled", "draining", "disabled"]), "\"enabled\"", "Administrative state."),
        Key::new("quic_server_id", Kind::Text(Form::Hex), "\"\"", "The id inside QUIC connection ids, in hex.").later(),
    ],
};
