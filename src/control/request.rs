//! What others may ask of control, and how they ask it.

use super::ControlView;
use crate::config::{AdminState, Diagnostic};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// A change of one target at run time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetChange {
    /// New administrative state.
    pub state: Option<AdminState>,
    /// New weight, 0..=1000.
    pub weight: Option<u16>,
}

/// What was asked.
#[derive(Debug)]
pub enum Request {
    /// Read the file again.
    Reload {
        /// Keep run-time changes on top of the file.
        keep_changes: bool,
    },
    /// Change one target.
    ChangeTarget {
        /// Name of its group.
        group: String,
        /// Its id.
        target: String,
        /// What to change.
        change: TargetChange,
    },
    /// Drain and end, as SIGTERM does. Answered at once.
    Shutdown,
}

/// A change that every worker has adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The generation that has it.
    pub generation: u64,
    /// False when it was so already.
    pub changed: bool,
    /// Run-time changes that a reload undid.
    pub discarded: Vec<String>,
    /// Keys whose new value needs a restart.
    pub pending_restart: Vec<&'static str>,
}

/// Why something asked was not done. Nothing has changed then, except under [`Refusal::NotAdopted`].
#[derive(Clone, Debug)]
pub enum Refusal {
    /// No such group or target.
    NotFound(String),
    /// A value out of bounds.
    BadRequest(String),
    /// Not in this state.
    Conflict(String),
    /// The file is unreadable or invalid, or an address cannot be bound.
    Invalid {
        /// One line.
        message: String,
        /// Every problem, where the file was read.
        diagnostics: Vec<Diagnostic>,
        /// The problems rendered for people.
        rendered: String,
    },
    /// Published, but not every worker has adopted it within 5 s.
    NotAdopted,
    /// Control has ended.
    Gone,
}

/// Sends requests to control and reads its view; cheap to clone.
#[derive(Clone, Debug)]
pub struct ControlLink {
    pub(super) requests: mpsc::Sender<(Request, oneshot::Sender<Result<Changed, Refusal>>)>,
    pub(super) view: watch::Receiver<Arc<ControlView>>,
}

impl ControlLink {
    /// A link over these channels.
    #[must_use]
    pub fn new(
        requests: mpsc::Sender<(Request, oneshot::Sender<Result<Changed, Refusal>>)>,
        view: watch::Receiver<Arc<ControlView>>,
    ) -> Self {
        Self { requests, view }
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// The refusal of control.
    pub async fn ask(&self, request: Request) -> Result<Changed, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.requests.send((request, answer)).await.map_err(|_closed| Refusal::Gone)?;
        answered.await.map_err(|_closed| Refusal::Gone)?
    }

    /// The latest view.
    #[must_use]
    pub fn view(&self) -> Arc<ControlView> {
        Arc::clone(&self.view.borrow())
    }
}
