//! Serving in this process, until it is told to end: what `run` and `tcp` come down to.

use super::failure::{Exit, Failure};
use crate::config::Config;
use crate::control::StartError;
use crate::{Balancer, BalancerOptions, admin};
use std::path::PathBuf;

/// Serves `config` and its admin API until the process is told to end; `file` is what a reload reads.
pub(super) fn serve(config: Config, file: Option<PathBuf>) -> Result<(), Failure> {
    let sockets = admin::bind(&config.admin).map_err(|error| Failure::new(Exit::CannotStart, error.to_string()))?;
    let admin: crate::Service = Box::new(move |link| Box::pin(admin::serve(sockets, link)));
    let options = BalancerOptions { config, config_file: file, signals: true, serve: vec![admin] };
    Balancer::run(options).map_err(|error| {
        let exit = match error {
            StartError::Configuration(_) => Exit::Config,
            StartError::Environment(_) => Exit::CannotStart,
        };
        Failure::new(exit, error.to_string())
    })
}
