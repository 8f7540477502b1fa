//! The file is read again.

use super::Runner;
use crate::config::{self, Config, LoadError, Severity};
use crate::control::capacity::Capacity;
use crate::control::state::{Answer, Input};
use crate::control::{LastReload, Refusal, access_log};
use crate::time::clock;
use std::fmt;
use std::sync::Arc;

impl Runner {
    /// Takes the file as it is now. Anything wrong and nothing has changed, save that it is shown and logged.
    pub(super) fn reload(&mut self, keep_changes: bool) -> Result<Answer, Refusal> {
        let done = self.try_reload(keep_changes);
        let message = match &done {
            Ok(_) => String::new(),
            Err(Refusal::Invalid { message, rendered, .. }) => {
                if let Some(held_back) = self.limit.admit("reload", clock::now()) {
                    tracing::error!(held_back, "reload failed, nothing has changed: {message}\n{rendered}");
                }
                message.clone()
            }
            Err(Refusal::Conflict(message) | Refusal::BadRequest(message) | Refusal::NotFound(message)) => {
                if let Some(held_back) = self.limit.admit("reload", clock::now()) {
                    tracing::error!(held_back, "reload refused: {message}");
                }
                message.clone()
            }
            Err(refusal @ (Refusal::NotAdopted | Refusal::Gone)) => format!("{refusal:?}"),
        };
        self.last_reload = Some(LastReload { ok: done.is_ok(), time: clock::wall(), message });
        self.show(clock::now(), true);
        done
    }

    fn try_reload(&mut self, keep_changes: bool) -> Result<Answer, Refusal> {
        let Some(path) = &self.config_file else {
            return Err(Refusal::Conflict("forebay was started without a configuration file".to_owned()));
        };
        let (config, warnings) = config::load(path).map_err(|error| refusal(&error))?;
        for warning in warnings.iter().filter(|diagnostic| diagnostic.severity == Severity::Warning) {
            tracing::warn!(file = %warning.file, line = warning.line, "{}", warning.message);
        }
        let config = Arc::new(config);
        let plan = self.binder.plan(&config).map_err(|error| invalid(&error))?;
        let (descriptors, workers) = (self.capacity.descriptors, self.workers.len());
        let capacity = Capacity::share_out(descriptors, workers, plan.sockets(), config.runtime.max_connections)
            .map_err(|error| invalid(&error))?;
        let is_log_new = config.access_log != self.state.config().access_log;
        let log = if is_log_new {
            let opened = access_log::open(&config.access_log);
            Some(opened.map_err(|error| invalid(&format!("the access log cannot be opened: {error}")))?)
        } else {
            None
        };
        let addresses = plan.addresses(&config);
        self.binder.commit(plan).map_err(|error| invalid(&error))?;
        let answer = self.apply(Input::Reload { config: Arc::clone(&config), addresses, keep_changes })?;
        self.process.sessions.set_limit(capacity.max_connections);
        self.capacity.max_connections = capacity.max_connections;
        if let Some(log) = log {
            self.access_log.take_up(log);
        }
        self.pending_restart = pending_restart(&self.started_with, &config);
        if !self.pending_restart.is_empty() {
            tracing::warn!(keys = ?self.pending_restart, "the new values of these keys need a restart");
        }
        Ok(answer)
    }
}

/// Keys that hold for the life of the process and have another value now.
fn pending_restart(started: &Config, now: &Config) -> Vec<&'static str> {
    let (before, after) = (&started.runtime, &now.runtime);
    let keys = [
        ("workers", before.workers != after.workers),
        ("engine", before.engine != after.engine),
        ("pin_workers", before.pin_workers != after.pin_workers),
        ("user", before.user != after.user),
        ("sandbox", before.sandbox != after.sandbox),
        ("admin.listen", started.admin.listen != now.admin.listen),
        ("admin.token_file", started.admin.token_file != now.admin.token_file),
        ("log.level", started.log.level != now.log.level),
        ("log.format", started.log.format != now.log.format),
    ];
    keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

fn invalid(error: &dyn fmt::Display) -> Refusal {
    Refusal::Invalid { message: error.to_string(), diagnostics: Vec::new(), rendered: String::new() }
}

fn refusal(error: &LoadError) -> Refusal {
    match error {
        LoadError::Unreadable { .. } => invalid(error),
        LoadError::Invalid { diagnostics, .. } => {
            let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
            let (count, mut errors) = (errors.clone().count(), errors);
            let first = errors.next().map_or_else(String::new, |first| {
                format!("{}:{}:{}: {}", first.file, first.line, first.column, first.message)
            });
            let message = if count > 1 { format!("{first} (and {} more)", count - 1) } else { first };
            Refusal::Invalid { message, diagnostics: diagnostics.clone(), rendered: error.to_string() }
        }
    }
}
