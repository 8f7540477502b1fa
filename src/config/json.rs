//! A configuration as the admin API shows it: every key, in the words of the file.

#![allow(clippy::wildcard_enum_match_arm, reason = "whatever is not of the expected type is one case")]

use super::keys::{self, Key, Kind, Scope, Section};
use super::types::*;
use super::values::{DEFAULT_ADMIN, bind_text, bytes_text, duration_text, target_text};
use crate::model::Protocol;
use ipnet::IpNet;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Every key of the configuration, defaults included. Keys of the other protocol are left out of a listener, and
/// tables that are absent are null.
#[must_use]
pub fn to_json(config: &Config) -> Value {
    let listeners: Map<String, Value> = config.listeners.iter().map(|l| (l.name.to_string(), listener(l))).collect();
    let groups: Map<String, Value> = config.target_groups.iter().map(|g| (g.name.to_string(), group(g))).collect();
    json!({
        "runtime": runtime(&config.runtime),
        "admin": admin(&config.admin),
        "log": log(&config.log),
        "access_log": access_log(&config.access_log),
        "listeners": listeners,
        "target_groups": groups,
    })
}

/// The defaults of a table with `values` on top.
fn over(section: &Section, keep: &dyn Fn(&Key) -> bool, values: Value) -> Value {
    let default = |key: &Key| match key.kind {
        Kind::Table(inner) if inner.keys.iter().all(|key| !key.default.is_empty()) && key.name == "client_limit" => {
            over(inner, keep, json!({}))
        }
        _ => serde_json::from_str(key.default).unwrap_or(Value::Null),
    };
    let kept = section.keys.iter().filter(|key| keep(key));
    let mut all: Map<String, Value> = kept.map(|key| (key.name.to_owned(), default(key))).collect();
    if let Value::Object(values) = values {
        all.extend(values.into_iter().filter(|(name, _)| section.key(name).is_some_and(keep)));
    }
    Value::Object(all)
}

fn duration(value: Duration) -> Value {
    json!(duration_text(value))
}

fn percent(value: u8) -> Value {
    json!(format!("{value}%"))
}

fn auto<T: Into<u64>>(value: Auto<T>) -> Value {
    match value {
        Auto::Auto => json!("auto"),
        Auto::Fixed(number) => json!(number.into()),
    }
}

fn prefixes(nets: &[IpNet]) -> Value {
    let text =
        |net: &IpNet| if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() };
    nets.iter().map(text).collect()
}

fn ranges(ranges: &[(u16, u16)]) -> Vec<String> {
    let text = |(first, last): &(u16, u16)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    ranges.iter().map(text).collect()
}

fn runtime(runtime: &Runtime) -> Value {
    let engine = match runtime.engine {
        EngineChoice::Auto => "auto",
        EngineChoice::Epoll => "epoll",
        EngineChoice::Uring => "uring",
    };
    let sandbox = match runtime.sandbox {
        Sandbox::Auto => "auto",
        Sandbox::Off => "off",
        Sandbox::Required => "required",
    };
    let values = json!({
        "workers": auto(runtime.workers),
        "engine": engine,
        "pin_workers": runtime.pin_workers,
        "max_connections": auto(runtime.max_connections),
        "max_flows": runtime.max_flows,
        "shutdown_timeout": duration(runtime.shutdown_timeout),
        "drain_delay": duration(runtime.drain_delay),
        "upgrade_timeout": duration(runtime.upgrade_timeout),
        "user": runtime.user,
        "sandbox": sandbox,
    });
    over(&keys::RUNTIME, &|_| true, values)
}

fn admin(admin: &Admin) -> Value {
    let text = |addr: &AdminAddr| match addr {
        AdminAddr::Unix(path) => format!("unix:{}", path.display()),
        AdminAddr::Tcp(addr) => addr.to_string(),
    };
    let listen = admin.listen.as_ref().map(|listen| listen.iter().map(text).collect());
    let token_file = admin.token_file.as_ref().map(|path| path.display().to_string());
    let values = json!({
        "listen": listen.unwrap_or_else(|| vec![DEFAULT_ADMIN.to_owned()]),
        "token_file": token_file.unwrap_or_default(),
    });
    over(&keys::ADMIN, &|_| true, values)
}

fn log(log: &Log) -> Value {
    let level = match log.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    };
    let format = match log.format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    };
    over(&keys::LOG, &|_| true, json!({ "level": level, "format": format }))
}

fn access_log(access_log: &AccessLog) -> Value {
    let path = match &access_log.sink {
        AccessLogSink::Off => String::new(),
        AccessLogSink::Stdout => "stdout".to_owned(),
        AccessLogSink::Stderr => "stderr".to_owned(),
        AccessLogSink::File(path) => path.display().to_string(),
    };
    let format = match access_log.format {
        AccessLogFormat::Json => "json",
        AccessLogFormat::HaproxyTcplog => "haproxy-tcplog",
    };
    over(&keys::ACCESS_LOG, &|_| true, json!({ "path": path, "format": format }))
}

fn listener(listener: &Listener) -> Value {
    let forward = |f: &Forward| json!({ "target_group": &*f.target_group, "weight": f.weight });
    let only = match &listener.forward[..] {
        [one] if one.weight == 1 => json!(&*one.target_group),
        _ => Value::Null,
    };
    let forward_key = match listener.forward_key {
        ForwardKey::SourceIp => "source_ip",
        ForwardKey::SourceIpPort => "source_ip_port",
    };
    let rule = |rule: &Rule| {
        json!({
            "source": prefixes(&rule.source),
            "destination": prefixes(&rule.destination),
            "destination_ports": ranges(&rule.destination_ports),
            "target_group": &*rule.target_group,
        })
    };
    let values = json!({
        "protocol": listener.protocol.as_str(),
        "bind": listener.bind.iter().copied().map(bind_text).collect::<Vec<_>>(),
        "target_group": only,
        "forward": listener.forward.iter().map(forward).collect::<Vec<_>>(),
        "forward_key": forward_key,
        "rules": listener.rules.iter().map(rule).collect::<Vec<_>>(),
        "allow": prefixes(&listener.allow),
        "deny": prefixes(&listener.deny),
        "max_connections": listener.max_connections,
        "backlog": listener.backlog,
        "idle_timeout": duration(listener.idle_timeout),
        "half_close_timeout": duration(listener.half_close_timeout),
        "max_lifetime": duration(listener.max_lifetime),
        "keepalive": duration(listener.keepalive),
        "congestion_control": listener.congestion_control,
    });
    let own = if listener.protocol == Protocol::Tcp { Scope::Tcp } else { Scope::Udp };
    over(&keys::LISTENER, &|key| key.scope == Scope::Any || key.scope == own, values)
}

fn group(group: &TargetGroup) -> Value {
    let fail_open_below = match group.fail_open_below {
        FailOpen::Below(share) => percent(share),
        FailOpen::Never => json!("never"),
    };
    let on_unhealthy = match group.on_unhealthy {
        OnUnhealthy::Auto => "auto",
        OnUnhealthy::Keep => "keep",
        OnUnhealthy::Drain => "drain",
        OnUnhealthy::Reset => "reset",
        OnUnhealthy::Rebind => "rebind",
    };
    let mut values = json!({
        "targets": group.targets.iter().map(target).collect::<Vec<_>>(),
        "balance": group.balance.as_str(),
        "hash_key": group.hash_key.as_str(),
        "hash_seed": group.hash_seed,
        "table_size": group.table_size,
        "source_addresses": group.source_addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "max_connections": group.max_connections,
        "drain_timeout": duration(group.drain_timeout),
        "fail_open_below": fail_open_below,
        "on_unhealthy": on_unhealthy,
        "connect": connect(&group.connect),
        "health_check": group.health_check.as_ref().map(health_check),
        "outlier": outlier(&group.outlier),
    });
    if let HashKey::SourcePrefix { v4, v6 } = group.hash_key {
        values["hash_prefix_v4"] = json!(v4);
        values["hash_prefix_v6"] = json!(v6);
    }
    over(&keys::TARGET_GROUP, &|_| true, values)
}

fn target(target: &Target) -> Value {
    let values = json!({
        "id": &*target.id,
        "address": target_text(target.address),
        "weight": target.weight,
        "backup": target.backup,
        "max_connections": target.max_connections,
        "state": target.state.as_str(),
    });
    over(&keys::TARGET, &|_| true, values)
}

fn connect(connect: &Connect) -> Value {
    let values = json!({
        "timeout": duration(connect.timeout),
        "attempts": connect.attempts,
        "deadline": duration(connect.deadline),
        "retry_budget": percent(connect.retry_budget_percent),
    });
    over(&keys::CONNECT, &|_| true, values)
}

fn health_check(check: &HealthCheck) -> Value {
    let mut values = json!({
        "port": check.port.unwrap_or(0),
        "source_address": check.source_address.map_or_else(String::new, |ip| ip.to_string()),
        "interval": duration(check.interval),
        "timeout": duration(check.timeout),
        "jitter": percent(check.jitter_percent),
        "healthy_threshold": check.healthy_threshold,
        "unhealthy_threshold": check.unhealthy_threshold,
        "fast_interval": duration(check.fast_interval),
    });
    match &check.kind {
        ProbeKind::Tcp { send, expect } => {
            values["protocol"] = json!("tcp");
            values["send"] = json!(bytes_text(send));
            values["expect"] = json!(bytes_text(expect));
        }
        ProbeKind::Http { path, host, expect_status } => {
            values["protocol"] = json!("http");
            values["path"] = json!(path);
            values["host"] = json!(host);
            values["expect_status"] = json!(ranges(expect_status).join(","));
        }
    }
    over(&keys::HEALTH_CHECK, &|_| true, values)
}

fn outlier(outlier: &Outlier) -> Value {
    let values = json!({
        "consecutive_failures": outlier.consecutive_failures,
        "min_volume": outlier.min_volume,
        "window": duration(outlier.window),
        "base_ejection": duration(outlier.base_ejection),
        "max_ejection": duration(outlier.max_ejection),
        "max_ejected": percent(outlier.max_ejected_percent),
        "icmp": outlier.icmp,
    });
    over(&keys::OUTLIER, &|_| true, values)
}
