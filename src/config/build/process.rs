//! The process-wide tables.

use super::At;
use crate::config::tree::{Node, Table};
use crate::config::types::{
    AccessLog, AccessLogFormat, AccessLogSink, Admin, AdminAddr, Auto, EngineChoice, Log, LogFormat, LogLevel, Runtime,
    Sandbox,
};
use crate::config::values;
use std::path::PathBuf;

pub(super) fn runtime(table: &Table) -> Runtime {
    let default = Runtime::default();
    Runtime {
        workers: table.number("workers").map_or(Auto::Auto, Auto::Fixed),
        engine: table.word("engine", ENGINES).unwrap_or_default(),
        pin_workers: table.flag("pin_workers").unwrap_or(default.pin_workers),
        max_connections: table.number("max_connections").map_or(Auto::Auto, Auto::Fixed),
        max_flows: table.number("max_flows").unwrap_or(default.max_flows),
        shutdown_timeout: table.duration("shutdown_timeout").unwrap_or(default.shutdown_timeout),
        drain_delay: table.duration("drain_delay").unwrap_or(default.drain_delay),
        upgrade_timeout: table.duration("upgrade_timeout").unwrap_or(default.upgrade_timeout),
        user: table.owned("user"),
        sandbox: table.word("sandbox", SANDBOXES).unwrap_or_default(),
    }
}

const ENGINES: &[(&str, EngineChoice)] =
    &[("auto", EngineChoice::Auto), ("epoll", EngineChoice::Epoll), ("uring", EngineChoice::Uring)];

const SANDBOXES: &[(&str, Sandbox)] =
    &[("auto", Sandbox::Auto), ("off", Sandbox::Off), ("required", Sandbox::Required)];

pub(super) fn admin_listen(table: &Table) -> Vec<At<AdminAddr>> {
    let address = |node: &Node| Some(At { value: values::admin(node.text()?).ok()?, span: node.span.clone() });
    table.get("listen").map_or(&[][..], Node::one_or_many).iter().filter_map(address).collect()
}

pub(super) fn admin(table: &Table, listen: &[At<AdminAddr>]) -> Admin {
    // The default, written out as the documentation shows it, is still the default.
    let is_default = |addr: &At<AdminAddr>| values::admin(values::DEFAULT_ADMIN).as_ref() == Ok(&addr.value);
    let explicit = match listen {
        [] => false,
        [only] => !is_default(only),
        _ => true,
    };
    Admin {
        listen: explicit.then(|| listen.iter().map(|addr| addr.value.clone()).collect()),
        token_file: table.text("token_file").filter(|path| !path.is_empty()).map(PathBuf::from),
    }
}

pub(super) fn log(table: &Table) -> Log {
    Log {
        level: table.word("level", LEVELS).unwrap_or_default(),
        format: table.word("format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]).unwrap_or_default(),
    }
}

const LEVELS: &[(&str, LogLevel)] =
    &[("error", LogLevel::Error), ("warn", LogLevel::Warn), ("info", LogLevel::Info), ("debug", LogLevel::Debug)];

pub(super) fn access_log(table: &Table) -> AccessLog {
    let sink = match table.text("path").unwrap_or_default() {
        "" => AccessLogSink::Off,
        "stdout" => AccessLogSink::Stdout,
        "stderr" => AccessLogSink::Stderr,
        path => AccessLogSink::File(PathBuf::from(path)),
    };
    let formats = [("json", AccessLogFormat::Json), ("haproxy-tcplog", AccessLogFormat::HaproxyTcplog)];
    AccessLog { sink, format: table.word("format", &formats).unwrap_or_default() }
}
