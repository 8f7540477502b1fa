//! What control tells the outside of itself.

use crate::model::{Name, TargetId};

/// What an event is about: the `kind` of `/v1/events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A configuration was taken.
    Reload,
    /// A target was changed at run time.
    Change,
    /// A verdict of active checks flipped.
    Health,
    /// A target was ejected, got its trial, or returned.
    Ejection,
    /// A group began, or ceased, to use targets that are not eligible.
    FailOpen,
    /// A target, a listener or the process drains.
    Drain,
    /// A worker failed or ended.
    Worker,
}

impl EventKind {
    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reload => "reload",
            Self::Change => "change",
            Self::Health => "health",
            Self::Ejection => "ejection",
            Self::FailOpen => "fail_open",
            Self::Drain => "drain",
            Self::Worker => "worker",
        }
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What it is about.
    pub kind: EventKind,
    /// Whether an operator should look: logged as a warning.
    pub is_warning: bool,
    /// One sentence.
    pub message: String,
    /// The listener concerned.
    pub listener: Option<Name>,
    /// The target group concerned.
    pub target_group: Option<Name>,
    /// The target concerned.
    pub target: Option<TargetId>,
}

impl Event {
    /// An event of which only kind and message are known.
    #[must_use]
    pub fn new(kind: EventKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, is_warning: false, message, listener: None, target_group: None, target: None }
    }

    /// The same, as a warning when `condition` holds.
    #[must_use]
    pub fn warning_if(self, condition: bool) -> Self {
        Self { is_warning: condition, ..self }
    }

    /// The same, about a listener.
    #[must_use]
    pub fn of_listener(self, listener: &Name) -> Self {
        Self { listener: Some(listener.clone()), ..self }
    }

    /// The same, about a target group.
    #[must_use]
    pub fn of_group(self, group: &Name) -> Self {
        Self { target_group: Some(group.clone()), ..self }
    }

    /// The same, about a target.
    #[must_use]
    pub fn of_target(self, group: &Name, target: &TargetId) -> Self {
        Self { target_group: Some(group.clone()), target: Some(target.clone()), ..self }
    }

    /// Writes it to the operational log.
    pub fn log(&self, generation: u64) {
        let kind = self.kind.as_str();
        let (listener, group, target) =
            (self.listener.as_deref(), self.target_group.as_deref(), self.target.as_deref());
        if self.is_warning {
            tracing::warn!(kind, generation, listener, target_group = group, target, "{}", self.message);
        } else {
            tracing::info!(kind, generation, listener, target_group = group, target, "{}", self.message);
        }
    }
}
