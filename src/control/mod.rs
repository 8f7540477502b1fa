//! The control plane: configuration, health, reload, drain.

mod request;
mod view;

pub use request::{Changed, ControlLink, Refusal, Request, TargetChange};
pub use view::{ControlView, GroupDetail, HealthState, LastReload, ProbeTotals, ServiceState, TargetDetail};
