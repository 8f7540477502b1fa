//! Which running forebay a command talks to.

use super::client::Client;
use super::config_file;
use super::failure::{Exit, Failure};
use crate::admin;
use crate::config::AdminAddr;
use std::path::{Path, PathBuf};

/// How a running forebay is found: `--admin`, else the address in the file, else the default socket.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct AdminArgs {
    /// Admin API of the running forebay: unix:PATH or IP:PORT
    #[arg(long, env = "FOREBAY_ADMIN", value_name = "ADDR")]
    pub(super) admin: Option<String>,
    /// Take the admin address from this configuration file
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// File with the bearer token, for an API over TCP
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
}

impl AdminArgs {
    /// A client for the forebay that the arguments name.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        let (addr, token_file) = self.find()?;
        let token = token_file.as_deref().map(read_token).transpose()?;
        Ok(Client::new(addr, token))
    }

    pub(super) fn find(&self) -> Result<(AdminAddr, Option<PathBuf>), Failure> {
        let given = self.admin.as_deref().filter(|text| !text.is_empty());
        if let Some(text) = given {
            let addr =
                admin::parse_addr(text).map_err(|message| Failure::new(Exit::Usage, format!("--admin: {message}")))?;
            return Ok((addr, self.token_file.clone()));
        }
        let Some(path) = &self.config else {
            return Ok((AdminAddr::Unix(admin::default_socket()), self.token_file.clone()));
        };
        let config = config_file::load(path)?.config.admin;
        let addr = match &config.listen {
            None => AdminAddr::Unix(admin::default_socket()),
            Some(listen) => listen.first().cloned().ok_or_else(|| {
                let message = format!("{} switches the admin API off", path.display());
                Failure::new(Exit::NotReached, message)
            })?,
        };
        Ok((addr, self.token_file.clone().or(config.token_file)))
    }
}

fn read_token(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| Failure::new(Exit::Usage, format!("token file {}: {error}", path.display())))?;
    Ok(text.trim().to_owned())
}
