//! forebay
pub mod admin;
pub mod balance;
mod balancer;
pub mod cli;
pub mod config;
pub mod control;
pub mod engine;
pub mod health;
pub mod limit;
pub mod load;
pub mod model;
pub mod relay;
pub mod snapshot;
pub mod stats;
pub mod sys;
pub mod time;
pub mod worker;

pub use balancer::{Balancer, BalancerOptions, ListenerStatistics, Service, Statistics, TargetStatistics};
pub use control::StartError;
