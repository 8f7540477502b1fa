//! forebay
pub mod balance;
pub mod config;
pub mod health;
pub mod limit;
pub mod model;
pub mod stats;
pub mod time;
