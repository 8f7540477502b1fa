//! What the end-to-end tests are made of: the real binary, scripted ends around it, and bounded waiting.

mod client;
mod gate;
mod http;
mod metrics;
mod namespace;
mod pattern;
mod ports;
mod process;
mod resources;
mod script;
mod target;
mod wait;

pub(crate) use client::{Answer, ask, ask_from, connect, connect_from, echo_once, reset, sees_fin, sees_reset};
pub(crate) use gate::heavy;
pub(crate) use http::request;
pub(crate) use namespace::{in_private_network, not_run};
pub(crate) use pattern::Pattern;
pub(crate) use ports::{FullListener, consecutive_ports, private_loopback, refused_addr};
pub(crate) use process::{Exit, Forebay, Launch, forebay_cli, open_to_all, promtool, raise_descriptor_limit};
pub(crate) use resources::Resources;
pub(crate) use script::play;
pub(crate) use target::{Target, TargetKind, list};
pub(crate) use wait::{DEADLINE, Stopwatch, eventually, pause, within};
