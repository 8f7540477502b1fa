//! The configuration in force as JSON, in the words of the file: every key, defaults filled in.

use super::address::show_addr;
use super::default_socket;
use super::target_bodies::show_target_addr;
use crate::config::{
    AccessLogFormat, AccessLogSink, AdminAddr, Auto, Bind, Config, EngineChoice, FailOpen, ForwardKey, HashKey, HealthCheck,
    Listener, LogFormat, LogLevel, OnUnhealthy, ProbeKind, Rule, Sandbox, TargetGroup,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// `config` in `GET /v1/config`; its shape is that of the TOML file.
#[derive(Debug, Serialize)]
pub(super) struct ConfigBody {
    runtime: Value,
    admin: Value,
    log: Value,
    access_log: Value,
    listeners: Map<String, Value>,
    target_groups: Map<String, Value>,
}

impl ConfigBody {
    pub(super) fn new(config: &Config) -> Self {
        let listeners = config.listeners.iter();
        let groups = config.target_groups.iter();
        Self {
            runtime: runtime(config),
            admin: admin(config),
            log: json!({ "level": log_level(config.log.level), "format": log_format(config.log.format) }),
            access_log: json!({ "path": sink(&config.access_log.sink), "format": line_format(config.access_log.format) }),
            listeners: listeners.map(|one| (one.name.to_string(), listener(one))).collect(),
            target_groups: groups.map(|one| (one.name.to_string(), target_group(one))).collect(),
        }
    }
}

fn runtime(config: &Config) -> Value {
    let runtime = &config.runtime;
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
    json!({
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
    })
}

fn admin(config: &Config) -> Value {
    let default = [AdminAddr::Unix(default_socket())];
    let listen = config.admin.listen.as_deref().unwrap_or(&default);
    let token_file = config.admin.token_file.as_ref().map(|path| path.display().to_string());
    json!({
        "listen": listen.iter().map(show_addr).collect::<Vec<_>>(),
        "token_file": token_file.unwrap_or_default(),
    })
}

fn log_level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    }
}

fn log_format(format: LogFormat) -> &'static str {
    match format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    }
}

fn line_format(format: AccessLogFormat) -> &'static str {
    match format {
        AccessLogFormat::Json => "json",
        AccessLogFormat::HaproxyTcplog => "haproxy-tcplog",
    }
}

fn sink(sink: &AccessLogSink) -> String {
    match sink {
        AccessLogSink::Off => String::new(),
        AccessLogSink::Stdout => "stdout".into(),
        AccessLogSink::Stderr => "stderr".into(),
        AccessLogSink::File(path) => path.display().to_string(),
    }
}

fn listener(listener: &Listener) -> Value {
    let forward: Vec<_> = listener
        .forward
        .iter()
        .map(|side| json!({ "target_group": &*side.target_group, "weight": side.weight }))
        .collect();
    let forward_key = match listener.forward_key {
        ForwardKey::SourceIp => "source_ip",
        ForwardKey::SourceIpPort => "source_ip_port",
    };
    json!({
        "protocol": listener.protocol.as_str(),
        "bind": listener.bind.iter().map(bind).collect::<Vec<_>>(),
        "forward": forward,
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
    })
}

fn bind(bind: &Bind) -> String {
    let first = std::net::SocketAddr::new(bind.ip, bind.first_port);
    if bind.first_port == bind.last_port { first.to_string() } else { format!("{first}-{}", bind.last_port) }
}

fn rule(rule: &Rule) -> Value {
    let ports: Vec<_> = rule.destination_ports.iter().map(|&(first, last)| range(first, last)).collect();
    json!({
        "source": prefixes(&rule.source),
        "destination": prefixes(&rule.destination),
        "destination_ports": ports,
        "target_group": &*rule.target_group,
    })
}

fn prefixes(list: &[ipnet::IpNet]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn range(first: u16, last: u16) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

fn target_group(group: &TargetGroup) -> Value {
    let targets = group.targets.iter().map(|target| {
        json!({
            "id": &*target.id,
            "address": show_target_addr(target.address),
            "weight": target.weight,
            "backup": target.backup,
            "max_connections": target.max_connections,
            "state": target.state.as_str(),
        })
    });
    let fail_open_below = match group.fail_open_below {
        FailOpen::Below(share) => percent(share),
        FailOpen::Never => "never".into(),
    };
    let on_unhealthy = match group.on_unhealthy {
        OnUnhealthy::Auto => "auto",
        OnUnhealthy::Keep => "keep",
        OnUnhealthy::Drain => "drain",
        OnUnhealthy::Reset => "reset",
        OnUnhealthy::Rebind => "rebind",
    };
    let (hash_prefix_v4, hash_prefix_v6) = match group.hash_key {
        HashKey::SourcePrefix { v4, v6 } => (v4, v6),
        HashKey::SourceIp | HashKey::SourceIpPort => (24, 56),
    };
    json!({
        "targets": targets.collect::<Vec<_>>(),
        "balance": group.balance.as_str(),
        "hash_key": group.hash_key.as_str(),
        "hash_prefix_v4": hash_prefix_v4,
        "hash_prefix_v6": hash_prefix_v6,
        "hash_seed": group.hash_seed,
        "table_size": group.table_size,
        "source_addresses": group.source_addresses,
        "max_connections": group.max_connections,
        "drain_timeout": duration(group.drain_timeout),
        "fail_open_below": fail_open_below,
        "on_unhealthy": on_unhealthy,
        "connect": {
            "timeout": duration(group.connect.timeout),
            "attempts": group.connect.attempts,
            "deadline": duration(group.connect.deadline),
            "retry_budget": percent(group.connect.retry_budget_percent),
        },
        "health_check": group.health_check.as_ref().map(health_check),
        "outlier": {
            "consecutive_failures": group.outlier.consecutive_failures,
            "base_ejection": duration(group.outlier.base_ejection),
            "max_ejection": duration(group.outlier.max_ejection),
            "max_ejected": percent(group.outlier.max_ejected_percent),
        },
    })
}

fn health_check(check: &HealthCheck) -> Value {
    let (protocol, speech) = match &check.kind {
        ProbeKind::Tcp { send, expect } => ("tcp", json!({ "send": bytes(send), "expect": bytes(expect) })),
        ProbeKind::Http { path, host, expect_status } => {
            let ranges: Vec<_> = expect_status.iter().map(|&(first, last)| range(first, last)).collect();
            ("http", json!({ "path": path, "host": host, "expect_status": ranges.join(",") }))
        }
    };
    let mut table = json!({
        "protocol": protocol,
        "port": check.port.unwrap_or(0),
        "source_address": check.source_address.map(|ip| ip.to_string()).unwrap_or_default(),
        "interval": duration(check.interval),
        "timeout": duration(check.timeout),
        "jitter": percent(check.jitter_percent),
        "healthy_threshold": check.healthy_threshold,
        "unhealthy_threshold": check.unhealthy_threshold,
        "fast_interval": duration(check.fast_interval),
    });
    if let (Some(table), Value::Object(speech)) = (table.as_object_mut(), speech) {
        table.extend(speech);
    }
    table
}

/// The bytes as text where they are text, else in the file's hex notation.
fn bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.starts_with("hex:") => text.into(),
        _ => bytes.iter().fold("hex:".into(), |text, byte| format!("{text}{byte:02x}")),
    }
}

fn percent(share: u8) -> String {
    format!("{share}%")
}

fn auto<T: Into<u64> + Copy>(value: Auto<T>) -> Value {
    match value {
        Auto::Auto => "auto".into(),
        Auto::Fixed(number) => number.into().into(),
    }
}

/// In the largest unit of the grammar that the defaults are written in: whole hours, else seconds, else milliseconds.
fn duration(duration: Duration) -> String {
    let (seconds, millis) = (duration.as_secs(), duration.subsec_millis());
    match (seconds, millis) {
        (1.., 0) if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        (_, 0) => format!("{seconds}s"),
        _ => format!("{}ms", duration.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_the_defaults_are() {
        let written = |millis| duration(Duration::from_millis(millis));
        assert_eq!(written(0), "0s");
        assert_eq!(written(3_600_000), "1h");
        assert_eq!(written(300_000), "300s");
        assert_eq!(written(60_000), "60s");
        assert_eq!(written(1500), "1500ms");
    }

    #[test]
    fn probe_bytes_that_are_not_text_are_hex() {
        assert_eq!(bytes(b"PING\r\n"), "PING\r\n");
        assert_eq!(bytes(&[0xff, 0x0a]), "hex:ff0a");
        assert_eq!(bytes(b"hex:"), "hex:6865783a");
    }
}
