//! TCP sockets: listening, accepting, connecting.

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};
use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Keep-alive: after this idle time probes go out, one every 10 s, three at most.
/// `None` = off.
pub type Keepalive = Option<Duration>;

const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

/// How a listening socket is made. Accepted sockets inherit all of it but the backlog (tcp(7)).
#[derive(Clone, Debug)]
pub struct ListenOptions<'a> {
    /// Length of the accept queue; the kernel caps it at `net.core.somaxconn`.
    pub backlog: u32,
    /// Keep-alive of accepted connections.
    pub keepalive: Keepalive,
    /// Congestion control of accepted connections; "" = the system's.
    pub congestion_control: &'a str,
}

/// How a connection to a target is made.
#[derive(Clone, Copy, Debug)]
pub struct ConnectOptions<'a> {
    /// Local address; `None` = the kernel chooses.
    pub source: Option<IpAddr>,
    /// Keep-alive.
    pub keepalive: Keepalive,
    /// Congestion control; "" = the system's.
    pub congestion_control: &'a str,
}

fn stream_socket(addr: &SocketAddr) -> io::Result<Socket> {
    let socket_type = Type::STREAM.nonblocking().cloexec();
    Socket::new_raw(Domain::for_address(*addr), socket_type, Some(Protocol::TCP))
}

fn keepalive_parameters(idle: Duration) -> TcpKeepalive {
    TcpKeepalive::new().with_time(idle).with_interval(KEEPALIVE_INTERVAL).with_retries(KEEPALIVE_PROBES)
}

/// Binds `addr` without SO_REUSEPORT and lets go of it again: fails when anything else listens there, even another
/// process of ours that would share the port.
///
/// # Errors
/// EADDRINUSE, EADDRNOTAVAIL, EACCES.
pub fn bind_exclusively(addr: SocketAddr) -> io::Result<()> {
    let socket = stream_socket(&addr)?;
    socket.set_reuse_address(true)?;
    if addr.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&addr.into())?;
    // bind(2) alone admits two SO_REUSEADDR sockets; listening is what conflicts.
    socket.listen(1)
}

/// A listening socket with SO_REUSEPORT; `[::]` is dual-stack.
///
/// # Errors
/// What bind(2), listen(2) and the options say; ENOENT for an unknown congestion control.
pub fn listen(addr: SocketAddr, options: &ListenOptions<'_>) -> io::Result<OwnedFd> {
    let socket = stream_socket(&addr)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    if addr.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&addr.into())?;
    let fd = OwnedFd::from(socket);
    configure_listener(std::os::fd::AsFd::as_fd(&fd), options)?;
    Ok(fd)
}

/// Ends listening: what comes from now on is refused with RST, and so is what is still queued. The address may be
/// listened on anew at once, even while the descriptor stays open.
///
/// # Errors
/// ENOTCONN when the socket does not listen.
pub fn stop_listening(fd: BorrowedFd<'_>) -> io::Result<()> {
    // On Linux shutdown(2) for reading takes a listening socket back to unconnected (`tcp_disconnect`).
    SockRef::from(&fd).shutdown(std::net::Shutdown::Read)
}

/// Applies the options to a bound socket and listens; on a listening one it changes them for connections to come.
///
/// # Errors
/// As [`listen`].
pub fn configure_listener(fd: BorrowedFd<'_>, options: &ListenOptions<'_>) -> io::Result<()> {
    let socket = SockRef::from(&fd);
    socket.set_tcp_nodelay(true)?;
    socket.set_keepalive(options.keepalive.is_some())?;
    if let Some(idle) = options.keepalive {
        socket.set_tcp_keepalive(&keepalive_parameters(idle))?;
    }
    if !options.congestion_control.is_empty() {
        socket.set_tcp_congestion(options.congestion_control.as_bytes())?;
    }
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))
}

/// The next connection of a listening socket, non-blocking and close-on-exec, and the client's address.
///
/// # Errors
/// `WouldBlock` when the queue is empty; EMFILE or ENFILE when descriptors ran out (the connection stays queued);
/// ECONNABORTED and network errors of the connection itself, which is gone then (accept(2)).
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<(OwnedFd, SocketAddr)> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let call = |storage: *mut socket2::SockAddrStorage, len: *mut libc::socklen_t| {
        // SAFETY: the fd is borrowed, so open; storage and length are writable and agree.
        let accepted = unsafe { libc::accept4(listener.as_raw_fd(), storage.cast(), len, flags) };
        if accepted < 0 { Err(io::Error::last_os_error()) } else { Ok(accepted) }
    };
    // SAFETY: accept4 fills in the address and its length, as `try_init` demands.
    let (accepted, client_addr) = unsafe { SockAddr::try_init(call) }?;
    // SAFETY: the kernel has just given us this descriptor and nobody else owns it.
    let connection = unsafe { OwnedFd::from_raw_fd(accepted) };
    let client_addr = client_addr.as_socket().ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
    Ok((connection, client_addr))
}

/// Starts connecting to `addr`. The socket turns writable when it is established or has failed: [`socket_error`]
/// tells which.
///
/// # Errors
/// Immediate failures: EADDRNOTAVAIL (no local port left), ENETUNREACH, EMFILE and their kin.
pub fn connect(addr: SocketAddr, options: &ConnectOptions<'_>) -> io::Result<OwnedFd> {
    let socket = stream_socket(&addr)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(idle) = options.keepalive {
        socket.set_tcp_keepalive(&keepalive_parameters(idle))?;
    }
    if !options.congestion_control.is_empty() {
        socket.set_tcp_congestion(options.congestion_control.as_bytes())?;
    }
    if let Some(source) = options.source {
        // The port is chosen at connect(2), so that one local port can serve several targets (ip(7)). All our sockets
        // with a source address do so: mixing makes the kernel search the whole range.
        choose_port_at_connect(&socket)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&addr.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        Ok(()) | Err(_) => Ok(socket.into()),
    }
}

/// Sets IP_BIND_ADDRESS_NO_PORT (ip(7)), for either family.
fn choose_port_at_connect(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    let len = libc::socklen_t::try_from(size_of::<libc::c_int>()).expect("four bytes");
    let (level, option) = (libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT);
    // SAFETY: the socket is open; `on` is readable for `len` bytes.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const on).cast(), len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes the pending error of a socket: `None` after a successful connect.
///
/// # Errors
/// What getsockopt(2) says.
pub fn socket_error(fd: BorrowedFd<'_>) -> io::Result<Option<io::Error>> {
    SockRef::from(&fd).take_error()
}

/// The local address of a socket.
///
/// # Errors
/// What getsockname(2) says.
pub fn local_addr(fd: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    let addr = SockRef::from(&fd).local_addr()?;
    addr.as_socket().ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))
}

/// A descriptor to keep in reserve: closing it makes room for one accept(2) when the process is out of them.
///
/// # Errors
/// EMFILE, ENFILE, or a system without /dev/null.
pub fn spare_descriptor() -> io::Result<OwnedFd> {
    File::open("/dev/null").map(OwnedFd::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> ListenOptions<'static> {
        ListenOptions { backlog: 16, keepalive: None, congestion_control: "" }
    }

    #[test]
    fn an_address_that_somebody_shares_by_reuseport_is_refused_by_the_exclusive_bind() {
        let first = listen("127.0.0.1:0".parse().unwrap(), &options()).unwrap();
        let addr = local_addr(std::os::fd::AsFd::as_fd(&first)).unwrap();
        let error = bind_exclusively(addr).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(first);
        bind_exclusively(addr).unwrap();
    }

    #[test]
    fn a_socket_that_has_stopped_listening_refuses_and_frees_its_address_while_it_is_open() {
        let stopped = listen("127.0.0.1:0".parse().unwrap(), &options()).unwrap();
        let addr = local_addr(std::os::fd::AsFd::as_fd(&stopped)).unwrap();
        stop_listening(std::os::fd::AsFd::as_fd(&stopped)).unwrap();
        let error = std::net::TcpStream::connect(addr).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        bind_exclusively(addr).unwrap();
        listen(addr, &options()).unwrap();
        drop(stopped);
    }

    #[test]
    fn an_unknown_congestion_control_is_refused() {
        let wrong = ListenOptions { congestion_control: "no-such-thing", ..options() };
        let error = listen("[::1]:0".parse().unwrap(), &wrong).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    }
}
