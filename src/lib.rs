//! forebay
pub mod balance;
pub mod cli;
pub mod load;
pub mod model;
pub mod relay;
pub mod stats;
pub mod sys;
pub mod time;
