//! Where the admin API is found.

use crate::config::AdminAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The socket used when no address is configured: `<runtime dir>/admin.sock`.
///
/// The runtime directory is the first of `$RUNTIME_DIRECTORY`, `/run/forebay` as root,
/// `$XDG_RUNTIME_DIR/forebay` and `/tmp/forebay-UID` that applies.
#[must_use]
pub fn default_socket() -> PathBuf {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    runtime_dir(variable("RUNTIME_DIRECTORY").as_deref(), variable("XDG_RUNTIME_DIR").as_deref(), own_uid())
        .join("admin.sock")
}

/// systemd writes several directories as a colon-separated list (systemd.exec(5)); the first is ours.
fn runtime_dir(runtime_directory: Option<&str>, xdg_runtime_dir: Option<&str>, uid: u32) -> PathBuf {
    if let Some(first) = runtime_directory.and_then(|list| list.split(':').find(|dir| !dir.is_empty())) {
        return PathBuf::from(first);
    }
    if uid == 0 {
        return PathBuf::from("/run/forebay");
    }
    xdg_runtime_dir.map_or_else(|| PathBuf::from(format!("/tmp/forebay-{uid}")), |dir| Path::new(dir).join("forebay"))
}

/// The user that this process runs as; `u32::MAX` when /proc is not mounted.
pub(super) fn own_uid() -> u32 {
    std::fs::metadata("/proc/self").map_or(u32::MAX, |meta| meta.uid())
}

/// Reads `unix:PATH`, a path with a slash in it, or `IP:PORT`.
///
/// # Errors
/// When the text is none of them.
pub fn parse_addr(text: &str) -> Result<AdminAddr, String> {
    if let Some(path) = text.strip_prefix("unix:").or_else(|| text.contains('/').then_some(text)) {
        return if path.is_empty() { Err("`unix:` needs a path".into()) } else { Ok(AdminAddr::Unix(path.into())) };
    }
    text.parse().map(AdminAddr::Tcp).map_err(|_invalid| format!("`{text}` is neither `unix:PATH` nor `IP:PORT`"))
}

/// The address as the configuration file writes it.
#[must_use]
pub fn show_addr(addr: &AdminAddr) -> String {
    match addr {
        AdminAddr::Unix(path) => format!("unix:{}", path.display()),
        AdminAddr::Tcp(addr) => addr.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_directory_is_the_first_that_applies() {
        let some = Some;
        assert_eq!(runtime_dir(some("/run/a:/run/b"), some("/x"), 0), Path::new("/run/a"));
        assert_eq!(runtime_dir(None, some("/x"), 0), Path::new("/run/forebay"));
        assert_eq!(runtime_dir(None, some("/x"), 7), Path::new("/x/forebay"));
        assert_eq!(runtime_dir(None, None, 7), Path::new("/tmp/forebay-7"));
    }

    #[test]
    fn an_address_is_a_socket_path_or_an_ip_and_port() {
        assert_eq!(parse_addr("unix:/a/b"), Ok(AdminAddr::Unix("/a/b".into())));
        assert_eq!(parse_addr("./b.sock"), Ok(AdminAddr::Unix("./b.sock".into())));
        assert_eq!(parse_addr("[::1]:9"), Ok(AdminAddr::Tcp("[::1]:9".parse().expect("literal"))));
        assert!(parse_addr("unix:").is_err());
        assert!(parse_addr("localhost").is_err());
    }
}
