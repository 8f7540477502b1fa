//! Making the sockets of the admin API, before anything is served.

use super::access::Door;
use super::address::{default_socket, own_uid, show_addr};
use crate::config::{Admin, AdminAddr};
use std::fs::{self, DirBuilder, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::{fmt, io};
use tokio::net::UnixSocket;

/// Sockets that are bound and not served yet; dropping them removes the unix ones from the file system.
#[derive(Debug)]
pub struct AdminSockets {
    pub(super) unix: Vec<BoundUnix>,
    pub(super) tcp: Vec<(TcpListener, Door)>,
    pub(super) token: Option<String>,
    addresses: Vec<AdminAddr>,
}

impl AdminSockets {
    /// The addresses as bound, with the port that the kernel chose.
    #[must_use]
    pub fn addresses(&self) -> &[AdminAddr] {
        &self.addresses
    }
}

/// A unix socket that is bound; it listens once it is served, and is unreachable until then.
#[derive(Debug)]
pub(super) struct BoundUnix {
    pub(super) socket: UnixSocket,
    pub(super) file: SocketFile,
}

/// The name of a unix socket, removed when this is dropped, if it is still ours.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let still_ours =
            fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.device_and_inode);
        if still_ours {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Why the admin API cannot listen.
#[derive(Debug)]
pub enum BindError {
    /// Another forebay answers on this socket.
    InUse(PathBuf),
    /// What has the name of the socket is something else, which is left alone.
    NotASocket(PathBuf),
    /// The default directory belongs to someone else, or others may write to it.
    UnsafeDirectory(PathBuf),
    /// A network address without a token.
    TokenMissing(String),
    /// The token file is unreadable or empty.
    Token(PathBuf, io::Error),
    /// The kernel refused.
    Refused(String, io::Error),
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path) => write!(f, "another forebay is listening on {}", path.display()),
            Self::NotASocket(path) => write!(f, "{} exists and is not a socket", path.display()),
            Self::UnsafeDirectory(path) => {
                write!(f, "{} belongs to another user or is writable by others", path.display())
            }
            Self::TokenMissing(addr) => {
                write!(f, "{addr} is not a loopback address, so `admin.token_file` must be set")
            }
            Self::Token(path, error) => write!(f, "token file {}: {error}", path.display()),
            Self::Refused(addr, error) => write!(f, "admin API on {addr}: {error}"),
        }
    }
}

impl std::error::Error for BindError {}

/// Binds every configured address, or the default socket.
///
/// # Errors
/// The first address that cannot be bound; what was bound before it is released.
pub fn bind(config: &Admin) -> Result<AdminSockets, BindError> {
    let token = config.token_file.as_deref().map(read_token).transpose()?;
    let mut sockets = AdminSockets { unix: Vec::new(), tcp: Vec::new(), token, addresses: Vec::new() };
    let default = [AdminAddr::Unix(default_socket())];
    if config.listen.is_none() {
        own_directory(&default_socket())?;
    }
    for addr in config.listen.as_deref().unwrap_or(&default) {
        let refused = |error| BindError::Refused(show_addr(addr), error);
        match addr {
            AdminAddr::Unix(path) => {
                sockets.unix.push(bind_unix(path)?);
                sockets.addresses.push(addr.clone());
            }
            AdminAddr::Tcp(tcp) => {
                let door = Door::of(*tcp);
                if door == Door::Network && sockets.token.is_none() {
                    return Err(BindError::TokenMissing(tcp.to_string()));
                }
                let listener = TcpListener::bind(tcp).map_err(refused)?;
                listener.set_nonblocking(true).map_err(refused)?;
                sockets.addresses.push(AdminAddr::Tcp(listener.local_addr().map_err(refused)?));
                sockets.tcp.push((listener, door));
            }
        }
    }
    Ok(sockets)
}

fn read_token(path: &Path) -> Result<String, BindError> {
    let failed = |error| BindError::Token(path.into(), error);
    let token = fs::read_to_string(path).map_err(failed)?.trim().to_owned();
    if token.is_empty() { Err(failed(io::Error::other("it is empty"))) } else { Ok(token) }
}

/// Makes the directory of the default socket, or refuses one that another user could have prepared.
fn own_directory(socket: &Path) -> Result<(), BindError> {
    let Some(directory) = socket.parent() else { return Ok(()) };
    make_directory(directory)?;
    let meta = fs::symlink_metadata(directory).map_err(|error| BindError::Refused(show(directory), error))?;
    let safe = meta.is_dir() && meta.uid() == own_uid() && meta.mode() & 0o022 == 0;
    if safe { Ok(()) } else { Err(BindError::UnsafeDirectory(directory.into())) }
}

fn make_directory(directory: &Path) -> Result<(), BindError> {
    if directory.as_os_str().is_empty() || directory.exists() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|error| BindError::Refused(show(directory), error))
}

fn show(path: &Path) -> String {
    path.display().to_string()
}

/// Binds, narrows the mode, and leaves listening to the caller: a connection is refused until then, so
/// there is no moment at which the socket is open with a wider mode.
fn bind_unix(path: &Path) -> Result<BoundUnix, BindError> {
    let refused = |error| BindError::Refused(show(path), error);
    if let Some(directory) = path.parent() {
        make_directory(directory)?;
    }
    remove_stale(path)?;
    let socket = UnixSocket::new_stream().map_err(refused)?;
    socket.bind(path).map_err(|error| {
        if error.kind() == io::ErrorKind::AddrInUse { BindError::InUse(path.into()) } else { refused(error) }
    })?;
    let meta = fs::symlink_metadata(path).map_err(refused)?;
    let file = SocketFile { path: path.into(), device_and_inode: (meta.dev(), meta.ino()) };
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(refused)?;
    Ok(BoundUnix { socket, file })
}

fn remove_stale(path: &Path) -> Result<(), BindError> {
    let refused = |error| BindError::Refused(show(path), error);
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused(error)),
    };
    if !meta.file_type().is_socket() {
        return Err(BindError::NotASocket(path.into()));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(refused),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // EAGAIN is a full queue: somebody listens. EACCES hides who does.
        Ok(_) | Err(_) => Err(BindError::InUse(path.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    fn admin_on(path: &Path) -> Admin {
        Admin { listen: Some(vec![AdminAddr::Unix(path.into())]), token_file: None }
    }

    #[test]
    fn a_stale_socket_is_replaced_and_ours_is_removed_at_the_end() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("deep/er/admin.sock");
        make_directory(path.parent().expect("has one")).expect("made");
        drop(UnixListener::bind(&path).expect("bound"));
        assert!(path.exists(), "std leaves the name behind");
        let sockets = bind(&admin_on(&path)).expect("stale");
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().expect("has one")).expect("there").mode() & 0o777, 0o700);
        drop(sockets);
        assert!(!path.exists());
    }

    #[test]
    fn a_live_socket_and_a_plain_file_are_left_alone() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("admin.sock");
        let live = UnixListener::bind(&path).expect("bound");
        assert!(matches!(bind(&admin_on(&path)), Err(BindError::InUse(_))));
        drop(live);
        fs::remove_file(&path).expect("there");
        fs::write(&path, "precious").expect("written");
        assert!(matches!(bind(&admin_on(&path)), Err(BindError::NotASocket(_))));
        assert_eq!(fs::read_to_string(&path).expect("there"), "precious");
    }

    #[test]
    fn a_socket_that_took_the_name_later_is_not_removed() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("admin.sock");
        let sockets = bind(&admin_on(&path)).expect("free");
        let aside = dir.path().join("aside");
        fs::rename(&path, &aside).expect("renamed");
        let _successor = UnixListener::bind(&path).expect("bound");
        drop(sockets);
        assert!(path.exists());
    }

    #[test]
    fn a_network_address_needs_a_token() {
        let listen = Some(vec![AdminAddr::Tcp("0.0.0.0:0".parse().expect("literal"))]);
        assert!(matches!(bind(&Admin { listen, token_file: None }), Err(BindError::TokenMissing(_))));
    }
}
