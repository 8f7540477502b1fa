//! Serving, for `run` and `tcp`: a balancer with its admin API, until a signal or a request ends it.

use super::failure::{Exit, Failure};
use crate::admin;
use crate::balancer::{Balancer, BalancerOptions, Service};
use crate::config::Config;
use crate::control::StartError;
use std::path::PathBuf;

/// Serves until the process is told to end.
pub(super) fn serve(config: Config, config_file: Option<PathBuf>) -> Result<(), Failure> {
    let cannot = |message: String| Failure::new(Exit::CannotStart, message);
    let sockets = admin::bind(&config.admin).map_err(|error| cannot(error.to_string()))?;
    let api: Service = Box::new(move |link| Box::pin(admin::serve(sockets, link)));
    let options = BalancerOptions { config, config_file, signals: true, serve: vec![api] };
    Balancer::run(options).map_err(|error| match error {
        StartError::Configuration(message) => Failure::new(Exit::Config, message),
        StartError::Environment(message) => cannot(message),
    })
}
