//! forebay: a high-throughput L4 load balancer.
//!
//! The binary is a thin caller of this library. [`Balancer`] starts one from a [`config::Config`] inside your own
//! program; [`load`] makes traffic for it and measures. The modules, lowest layer first: [`model`], [`time`],
//! [`stats`],
//! [`sys`] · [`balance`], [`health`], [`relay`], [`limit`] · [`config`] · [`snapshot`] · [`engine`] · [`worker`] ·
//! [`control`], [`load`] · [`admin`], [`cli`]. A module imports modules of earlier rows only; ARCHITECTURE.md says why.

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
