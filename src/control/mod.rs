//! The control plane: configuration, health, reload, drain.

pub mod binder;
pub mod capacity;
mod event;
mod log_limit;
mod request;
pub mod state;
mod view;

pub use event::{Event, EventKind};
pub use log_limit::LogLimit;
pub use request::{Changed, ControlLink, Refusal, Request, TargetChange};
pub use view::{ControlView, GroupDetail, HealthState, LastReload, ProbeTotals, ServiceState, TargetDetail};
