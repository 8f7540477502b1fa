//! forebay
pub mod balance;
pub mod model;
pub mod relay;
pub mod stats;
pub mod sys;
pub mod time;
