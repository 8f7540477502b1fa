//! The control plane: configuration, health, reload, drain.

pub mod access_log;
pub mod binder;
pub mod capacity;
mod event;
mod launch;
mod log_limit;
mod prober;
mod published;
mod request;
mod runner;
mod signals;
pub mod state;
mod view;

pub use event::{Event, EventKind};
pub use launch::{StartError, launch};
pub use log_limit::LogLimit;
pub use request::{Changed, ControlLink, Refusal, Request, TargetChange};
pub(crate) use runner::End;
pub use runner::Runner;
pub use view::{ControlView, GroupDetail, HealthState, LastReload, ProbeTotals, ServiceState, TargetDetail};
