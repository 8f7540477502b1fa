//! A control that is not there: a view made from a file, and a link whose requests a test answers.

use super::explain::compile;
use crate::config;
use crate::control::{
    Changed, ControlLink, ControlView, GroupDetail, HealthState, LastReload, ProbeTotals, Refusal, Request,
    ServiceState, TargetDetail,
};
use crate::time::clock;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, oneshot, watch};

/// Two groups, one listener with a rule and a split; the tests' whole world.
pub(crate) const FILE: &str = r#"
[listeners.web]
bind = "127.0.0.1:8080"
forward = [{ target_group = "blue", weight = 3 }, { target_group = "green", weight = 1 }]
rules = [{ source = ["10.9.0.0/16"], target_group = "green" }]
deny = ["10.66.0.0/16"]

[target_groups.blue]
balance = "maglev"
targets = ["127.0.0.1:9001", { id = "odd/é\"\\", address = "127.0.0.1:9002", weight = 2, backup = true }]

[target_groups.green]
targets = ["127.0.0.1:9003", { address = "127.0.0.1:9004", state = "draining" }, { address = "127.0.0.1:9005", weight = 0 }]
"#;

/// The view of a forebay that serves `text` and has seen nothing yet.
pub(crate) fn view_of(text: &str) -> ControlView {
    let parsed = config::parse("test.toml", text);
    let config = parsed.config.unwrap_or_else(|| panic!("{:#?}", parsed.diagnostics));
    let snapshot = compile(&config);
    let detail = |target: &config::Target| TargetDetail {
        id: Arc::clone(&target.id),
        target: target.clone(),
        health: HealthState::Healthy,
        ejected_until: None,
        origin: "file",
        probes: ProbeTotals::default(),
    };
    let groups = config.target_groups.iter().map(|group| GroupDetail {
        name: Arc::clone(&group.name),
        targets: group.targets.iter().map(detail).collect(),
    });
    ControlView {
        groups: groups.collect(),
        listeners: snapshot.listeners.iter().map(|listener| Arc::clone(&listener.runtime)).collect(),
        snapshot: Arc::new(snapshot),
        retired_targets: Vec::new(),
        config: Arc::new(config),
        state: ServiceState::Serving,
        ready: Ok(()),
        engine: "epoll",
        engine_reason: "asked for".into(),
        workers: 1,
        started: clock::now(),
        config_file: Some("/x.toml".into()),
        differs_from_file: false,
        pending_restart: vec!["runtime.workers"],
        last_reload: Some(LastReload {
            ok: true,
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_500),
            message: String::new(),
        }),
        max_connections: 9900,
        max_flows: 262_144,
    }
}

/// What control would receive.
pub(crate) type Requests = mpsc::Receiver<(Request, oneshot::Sender<Result<Changed, Refusal>>)>;

/// A link that shows `view` for ever.
pub(crate) fn link_to(view: ControlView) -> (ControlLink, Requests) {
    let (requests, received) = mpsc::channel(8);
    let (_, view) = watch::channel(Arc::new(view));
    (ControlLink::new(requests, view), received)
}
