//! forebay
pub mod balance;
pub mod config;
pub mod model;
pub mod stats;
