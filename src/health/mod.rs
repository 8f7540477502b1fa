//! What is known of a target's health, and when to ask again: pure, time and randomness passed in.

mod ejection;
mod schedule;
mod tracker;

pub use ejection::{Decision, EjectionPolicy, EjectionState, GroupCounts, JITTER_PERCENT};
pub use schedule::{LATE, Pace, ProbeQueue, SPREAD};
pub use tracker::{Health, Thresholds, Tracker, Transition};
