//! From a configuration to a running forebay with its admin API.

use super::failure::{Exit, Failure};
use crate::admin;
use crate::config::Config;
use crate::control::StartError;
use crate::{Balancer, BalancerOptions, Service};
use std::path::PathBuf;

/// Serves on this thread until a signal or the API ends it. `file` is what a reload reads.
pub(super) fn serve(config: Config, file: Option<PathBuf>) -> Result<(), Failure> {
    let options = BalancerOptions { config_file: file, signals: true, ..options(config)? };
    Balancer::run(options).map_err(|error| refused(&error))
}

/// Serves on threads of its own; obeys no signals.
pub(super) fn start(config: Config) -> Result<Balancer, Failure> {
    Balancer::start_with(options(config)?).map_err(|error| refused(&error))
}

/// Binds the admin API: what is in use there stops the start before anything is served.
fn options(config: Config) -> Result<BalancerOptions, Failure> {
    let bound = admin::bind(&config.admin);
    let sockets = bound.map_err(|error| Failure::new(Exit::CannotStart, error.to_string()))?;
    let addresses: Vec<String> = sockets.addresses().iter().map(admin::show_addr).collect();
    if !addresses.is_empty() {
        tracing::info!(addresses = addresses.join(", "), "admin API");
    }
    let api: Service = Box::new(|link| Box::pin(admin::serve(sockets, link)));
    Ok(BalancerOptions { config, serve: vec![api], ..BalancerOptions::default() })
}

fn refused(error: &StartError) -> Failure {
    let exit = match error {
        StartError::Configuration(_) => Exit::Config,
        StartError::Environment(_) => Exit::CannotStart,
    };
    Failure::new(exit, error.to_string())
}
