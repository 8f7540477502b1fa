//! forebay
pub mod balance;
pub mod cli;
pub mod config;
pub mod model;
pub mod stats;
