//! The way out of a wrong word: another product's word → ours, a key that belongs elsewhere, the nearest word.

use super::diagnostic::Hint;
use super::keys::{SECTIONS, Section};

/// What HAProxy, nginx, Envoy, AWS and others say → what forebay says. Where a word has several meanings, the first
/// that the table in question knows is taken, else the first.
const OTHERS: &[(&str, &[&str])] = &[
    // health checks
    ("rise", &["healthy_threshold"]),
    ("fall", &["unhealthy_threshold"]),
    ("passes", &["healthy_threshold"]),
    ("fails", &["unhealthy_threshold", "consecutive_failures"]),
    ("retries", &["attempts", "unhealthy_threshold"]),
    ("healthy_threshold_count", &["healthy_threshold"]),
    ("unhealthy_threshold_count", &["unhealthy_threshold"]),
    ("inter", &["interval"]),
    ("fastinter", &["fast_interval"]),
    ("period", &["interval"]),
    ("every", &["interval"]),
    ("interval_jitter", &["jitter"]),
    ("unhealthy_interval", &["fast_interval"]),
    ("check", &["health_check"]),
    ("checks", &["health_check"]),
    ("health_checks", &["health_check"]),
    ("healthcheck", &["health_check"]),
    ("health", &["health_check"]),
    ("tcp_check", &["health_check"]),
    ("httpchk", &["health_check"]),
    ("matcher", &["expect_status"]),
    ("status", &["expect_status", "state"]),
    ("expected_statuses", &["expect_status"]),
    ("uri", &["path"]),
    ("receive", &["expect"]),
    ("recv", &["expect"]),
    ("response", &["expect"]),
    ("request", &["send"]),
    ("agent_check", &["agent_port"]),
    // names of things
    ("frontend", &["listeners"]),
    ("frontends", &["listeners"]),
    ("listen", &["bind", "listen", "listeners"]),
    ("listener", &["listeners"]),
    ("server", &["targets", "listeners"]),
    ("servers", &["targets"]),
    ("service", &["listeners"]),
    ("services", &["target_groups"]),
    ("backend", &["target_group", "target_groups"]),
    ("backends", &["targets", "target_groups"]),
    ("default_backend", &["target_group"]),
    ("use_backend", &["rules"]),
    ("upstream", &["target_group", "target_groups"]),
    ("upstreams", &["targets", "target_groups"]),
    ("cluster", &["target_group", "target_groups"]),
    ("clusters", &["target_groups"]),
    ("pool", &["target_group", "target_groups"]),
    ("pools", &["target_groups"]),
    ("proxy_pass", &["target_group"]),
    ("endpoint", &["address", "targets"]),
    ("endpoints", &["targets"]),
    ("lb_endpoints", &["targets"]),
    ("members", &["targets"]),
    ("hosts", &["targets"]),
    ("nodes", &["targets"]),
    ("target", &["targets", "target_group", "target_groups"]),
    ("group", &["target_group"]),
    ("weighted_clusters", &["forward"]),
    ("split", &["forward"]),
    ("split_clients", &["forward"]),
    ("routes", &["rules"]),
    ("acl", &["rules", "allow"]),
    ("filter_chain_match", &["rules"]),
    ("source_prefix_ranges", &["source"]),
    ("src", &["source"]),
    ("dst", &["destination"]),
    ("prefix_ranges", &["destination"]),
    ("dst_port", &["destination_ports"]),
    ("destination_port", &["destination_ports"]),
    ("ports", &["destination_ports", "bind"]),
    ("shadow", &["mirror"]),
    ("request_mirror_policies", &["mirror"]),
    // listeners
    ("address", &["bind", "address"]),
    ("addr", &["bind", "address"]),
    ("ip", &["address", "bind"]),
    ("host", &["address", "host"]),
    ("port", &["bind", "port", "address"]),
    ("mode", &["protocol"]),
    ("proto", &["protocol"]),
    ("transport", &["protocol"]),
    ("type", &["protocol", "type"]),
    ("maxconn", &["max_connections"]),
    ("max_conns", &["max_connections"]),
    ("max_conn", &["max_connections"]),
    ("connection_limit", &["max_connections"]),
    ("worker_connections", &["max_connections"]),
    ("proxy_timeout", &["idle_timeout"]),
    ("timeout", &["idle_timeout", "timeout", "connect.timeout"]),
    ("timeout_client", &["idle_timeout"]),
    ("timeout_server", &["idle_timeout"]),
    ("timeout_tunnel", &["idle_timeout"]),
    ("client_timeout", &["idle_timeout"]),
    ("server_timeout", &["idle_timeout"]),
    ("timeout_client_fin", &["half_close_timeout"]),
    ("timeout_server_fin", &["half_close_timeout"]),
    ("clitimeout", &["idle_timeout"]),
    ("srvtimeout", &["idle_timeout"]),
    ("session_timeout", &["idle_timeout"]),
    ("max_connection_duration", &["max_lifetime"]),
    ("so_keepalive", &["keepalive"]),
    ("tcp_keepalive", &["keepalive"]),
    ("clitcpka", &["keepalive"]),
    ("srvtcpka", &["keepalive"]),
    ("option_tcpka", &["keepalive"]),
    ("proxy_requests", &["requests"]),
    ("proxy_responses", &["responses"]),
    ("accept_proxy_protocol", &["accept_proxy"]),
    ("proxy_protocol", &["accept_proxy", "send_proxy"]),
    ("set_real_ip_from", &["proxy_trusted"]),
    ("proxy_protocol_timeout", &["proxy_header_timeout"]),
    ("rate_limit", &["client_limit"]),
    ("limit_conn", &["client_limit"]),
    ("limit_req", &["client_limit"]),
    ("rate", &["new_per_second"]),
    ("blacklist", &["deny"]),
    ("blocklist", &["deny"]),
    ("whitelist", &["allow"]),
    ("allowlist", &["allow"]),
    ("tcp_backlog_size", &["backlog"]),
    // target groups
    ("algorithm", &["balance"]),
    ("lb_policy", &["balance"]),
    ("lb_algorithm", &["balance"]),
    ("policy", &["balance"]),
    ("load_balancing", &["balance"]),
    ("strategy", &["balance"]),
    ("scheduler", &["balance"]),
    ("method", &["balance"]),
    ("least_conn", &["balance"]),
    ("leastconn", &["balance"]),
    ("ip_hash", &["balance"]),
    ("roundrobin", &["balance"]),
    ("random", &["balance"]),
    ("maglev", &["balance"]),
    ("hash", &["hash_key"]),
    ("hash_type", &["balance"]),
    ("hash_policy", &["hash_key"]),
    ("stickiness", &["hash_key"]),
    ("sticky", &["hash_key"]),
    ("ring_size", &["table_size"]),
    ("minimum_ring_size", &["table_size"]),
    ("lookup_table_size", &["table_size"]),
    ("timeout_connect", &["connect.timeout"]),
    ("connect_timeout", &["connect.timeout"]),
    ("proxy_connect_timeout", &["connect.timeout"]),
    ("contimeout", &["connect.timeout"]),
    ("max_connect_attempts", &["connect.attempts"]),
    ("proxy_next_upstream", &["connect.attempts"]),
    ("proxy_next_upstream_tries", &["attempts", "connect.attempts"]),
    ("proxy_next_upstream_timeout", &["deadline", "connect.deadline"]),
    ("max_attempts", &["attempts"]),
    ("total_timeout", &["deadline"]),
    ("slowstart", &["slow_start"]),
    ("slow_start_config", &["slow_start"]),
    ("deregistration_delay", &["drain_timeout"]),
    ("draining_timeout", &["drain_timeout"]),
    ("hard_stop_after", &["shutdown_timeout"]),
    ("worker_shutdown_timeout", &["shutdown_timeout"]),
    ("grace", &["drain_delay"]),
    ("panic_threshold", &["fail_open_below"]),
    ("healthy_panic_threshold", &["fail_open_below"]),
    ("proxy_bind", &["source_addresses"]),
    ("usesrc", &["preserve_client"]),
    ("transparent", &["preserve_client"]),
    ("preserve_client_ip", &["preserve_client"]),
    ("send_proxy_v2", &["send_proxy"]),
    ("on_marked_down", &["on_unhealthy"]),
    ("outlier_detection", &["outlier"]),
    ("circuit_breaker", &["outlier"]),
    ("circuit_breakers", &["outlier"]),
    ("observe", &["outlier"]),
    ("max_fails", &["outlier.consecutive_failures", "consecutive_failures"]),
    ("error_limit", &["consecutive_failures"]),
    ("consecutive_errors", &["consecutive_failures"]),
    ("consecutive_5xx", &["consecutive_failures"]),
    ("consecutive_gateway_failure", &["consecutive_failures"]),
    ("fail_timeout", &["outlier.base_ejection", "base_ejection"]),
    ("base_ejection_time", &["base_ejection"]),
    ("max_ejection_time", &["max_ejection"]),
    ("max_ejection_percent", &["max_ejected"]),
    ("resolvers", &["discovery"]),
    ("nameserver", &["servers"]),
    ("nameservers", &["servers"]),
    ("resolver", &["servers", "discovery"]),
    ("sd", &["discovery"]),
    ("consul", &["discovery"]),
    // targets
    ("name", &["id"]),
    ("label", &["id"]),
    ("priority", &["backup"]),
    ("load_balancing_weight", &["weight"]),
    ("ratio", &["weight"]),
    ("load", &["weight"]),
    ("disabled", &["state"]),
    ("enabled", &["state"]),
    ("down", &["state"]),
    ("drain", &["state", "drain_timeout"]),
    // the process
    ("global", &["runtime"]),
    ("process", &["runtime"]),
    ("events", &["runtime"]),
    ("defaults", &["listeners"]),
    ("stream", &["listeners"]),
    ("nbthread", &["workers"]),
    ("nbproc", &["workers"]),
    ("threads", &["workers"]),
    ("concurrency", &["workers"]),
    ("worker_processes", &["workers"]),
    ("cpu_map", &["pin_workers"]),
    ("worker_cpu_affinity", &["pin_workers"]),
    ("uid", &["user"]),
    ("group_name", &["user"]),
    ("stats", &["admin"]),
    ("stats_socket", &["admin"]),
    ("api", &["admin"]),
    ("logging", &["log"]),
    ("error_log", &["log"]),
    ("loglevel", &["level"]),
    ("log_level", &["level", "log"]),
    ("verbosity", &["level"]),
    ("log_format", &["format"]),
    ("token", &["token_file"]),
    ("file", &["path", "file"]),
];

/// Words of values.
const OTHER_VALUES: &[(&str, &[&str])] = &[
    ("leastconn", &["least_connections"]),
    ("least_conn", &["least_connections"]),
    ("least_request", &["least_connections"]),
    ("least_requests", &["least_connections"]),
    ("lc", &["least_connections"]),
    ("wlc", &["least_connections"]),
    ("roundrobin", &["round_robin"]),
    ("static_rr", &["round_robin"]),
    ("rr", &["round_robin"]),
    ("wrr", &["round_robin"]),
    ("p2c", &["power_of_two"]),
    ("two_choices", &["power_of_two"]),
    ("ring_hash", &["maglev"]),
    ("consistent", &["maglev"]),
    ("consistent_hash", &["maglev"]),
    ("hash", &["maglev"]),
    ("source", &["maglev", "source_ip"]),
    ("ip_hash", &["maglev"]),
    ("client_ip", &["source_ip"]),
    ("src", &["source_ip"]),
    ("remote_addr", &["source_ip"]),
    ("ip", &["source_ip"]),
    ("http", &["tcp"]),
    ("https", &["http", "tcp"]),
    ("tls", &["tcp"]),
    ("stream", &["tcp"]),
    ("datagram", &["udp"]),
    ("warning", &["warn"]),
    ("notice", &["info"]),
    ("trace", &["debug"]),
    ("crit", &["error"]),
    ("io_uring", &["uring"]),
    ("tcplog", &["haproxy-tcplog"]),
    ("plain", &["text"]),
    ("maint", &["disabled"]),
    ("down", &["disabled"]),
    ("drain", &["draining"]),
    ("ready", &["enabled"]),
    ("up", &["enabled"]),
    ("aaaa", &["a"]),
    ("rst", &["reset"]),
];

/// A way out for a key that `section`, here the table `path`, does not have.
pub(super) fn key(section: &Section, path: &str, written: &str) -> Option<Hint> {
    let word = normal(written);
    if let Some(own) = section.keys.iter().find(|key| key.name == word) {
        return Some(Hint::Nearest(own.name.to_owned()));
    }
    if let Some((_, ours)) = OTHERS.iter().find(|(other, _)| *other == word) {
        if let Some(own) = ours.iter().find(|ours| section.key(first(ours)).is_some()) {
            return Some(Hint::Ours((*own).to_owned()));
        }
        if let Some(near) = nearest(section.keys.iter().map(|key| key.name), &word) {
            return Some(Hint::Nearest(near.to_owned()));
        }
        return Some(Hint::Text(elsewhere(section, path, last(ours[0])).unwrap_or_else(|| format!("`{}`", ours[0]))));
    }
    if let Some(near) = nearest(section.keys.iter().map(|key| key.name), &word) {
        return Some(Hint::Nearest(near.to_owned()));
    }
    elsewhere(section, path, &word).map(Hint::Text)
}

/// A way out for a word that is not one of `words`.
pub(super) fn word(words: &[&'static str], written: &str) -> Option<Hint> {
    let word = normal(written);
    if words.contains(&word.as_str()) {
        return Some(Hint::Nearest(word));
    }
    let others = OTHER_VALUES.iter().find(|(other, _)| *other == word);
    if let Some(ours) = others.and_then(|(_, ours)| ours.iter().find(|ours| words.contains(ours))) {
        return Some(Hint::Ours((*ours).to_owned()));
    }
    nearest(words.iter().copied(), &word).map(|near| Hint::Nearest(near.to_owned()))
}

/// The nearest of `known`, when it is near enough to be a slip.
pub(super) fn nearest<'k>(known: impl Iterator<Item = &'k str>, written: &str) -> Option<&'k str> {
    let allowed = (written.chars().count() / 3).clamp(1, 4);
    let distance = |name: &'k str| (strsim::damerau_levenshtein(name, written), name);
    // Long garbage is nobody's slip, and the distance is quadratic.
    let near = |(distance, name): &(usize, &str)| *distance <= allowed && *distance < name.chars().count();
    if written.len() > 80 {
        return None;
    }
    known.map(distance).filter(near).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

fn first(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// The table that has this key, where it is another one.
fn elsewhere(section: &Section, path: &str, name: &str) -> Option<String> {
    // Tables inside this one first, then any.
    let inside = |other: &&&Section| other.path.starts_with(section.path) && other.path != section.path;
    let has = |other: &&&Section| other.key(name).is_some() && other.path != section.path;
    let found = SECTIONS.iter().filter(inside).find(has).or_else(|| SECTIONS.iter().find(has))?;
    let place = match found.path.strip_prefix(section.path) {
        _ if found.path.is_empty() => "a table of the file".to_owned(),
        Some(below) if !path.is_empty() => format!("a key of [{path}{below}]"),
        _ => format!("a key of [{}]", found.path),
    };
    Some(format!("`{name}` is {place}"))
}

fn normal(written: &str) -> String {
    written.trim().to_ascii_lowercase().replace(['-', ' ', '.'], "_")
}
