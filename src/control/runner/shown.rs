//! What control shows of itself, made anew when something changed.

use super::Runner;
use crate::control::capacity::Capacity;
use crate::control::state::Picture;
use crate::control::{ControlView, LastReload};
use crate::time::clock;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Small changes, such as counts of probes, are shown at this pace.
pub(super) const PACE: Duration = Duration::from_millis(100);

/// What is shown beside the state.
pub(super) struct Frame<'a> {
    workers: usize,
    started: Instant,
    config_file: Option<&'a PathBuf>,
    capacity: &'a Capacity,
    last_reload: Option<&'a LastReload>,
    pending_restart: &'a [&'static str],
}

impl<'a> Frame<'a> {
    pub(super) fn new(
        workers: usize,
        started: Instant,
        config_file: Option<&'a PathBuf>,
        capacity: &'a Capacity,
    ) -> Self {
        Self { workers, started, config_file, capacity, last_reload: None, pending_restart: &[] }
    }
}

pub(super) fn view(picture: Picture, frame: &Frame<'_>) -> ControlView {
    let Picture { snapshot, config, groups, listeners, retired_targets, state, ready, differs_from_file } = picture;
    ControlView {
        max_flows: config.runtime.max_flows,
        snapshot,
        config,
        groups,
        listeners,
        retired_targets,
        state,
        ready,
        differs_from_file,
        engine: "epoll",
        engine_reason: "the only engine of this build".to_owned(),
        workers: frame.workers,
        started: frame.started,
        config_file: frame.config_file.cloned(),
        pending_restart: frame.pending_restart.to_vec(),
        last_reload: frame.last_reload.cloned(),
        max_connections: frame.capacity.max_connections,
    }
}

impl Runner {
    /// Shows the state where it has changed: what is `urgent` at once, the rest at its pace.
    pub(super) fn show(&mut self, now: Instant, urgent: bool) {
        let is_other = {
            let shown = self.view.borrow();
            shown.state != self.state.service() || shown.ready != self.state.ready()
        };
        let is_due = self.is_view_stale && now.saturating_duration_since(self.view_made) >= PACE;
        if !(urgent || is_other || is_due) {
            return;
        }
        let Some(picture) = self.state.picture(now, clock::wall()) else { return };
        let frame = Frame {
            last_reload: self.last_reload.as_ref(),
            pending_restart: &self.pending_restart,
            ..Frame::new(self.workers.len(), self.started, self.config_file.as_ref(), &self.capacity)
        };
        self.view.send_replace(Arc::new(view(picture, &frame)));
        self.view_made = now;
        self.is_view_stale = false;
    }
}
