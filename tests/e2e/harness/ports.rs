//! Addresses with a property: refusing, never answering, consecutive, or all one's own.

use super::target::listen;
use super::wait::{DEADLINE, wait_for};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// An address where nobody listens; refused at once. Held bound, so that nobody else gets it.
pub(crate) fn refused_addr() -> (SocketAddr, socket2::Socket) {
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket can be made");
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("loopback can be bound");
    let addr = socket.local_addr().expect("a bound socket has an address").as_socket().expect("it is an IP address");
    (addr, socket)
}

/// A loopback address that no other test of this process uses.
pub(crate) fn private_loopback() -> IpAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(127, 64 + high % 128, low, NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// The first of `count` consecutive ports, all free on `ip`.
pub(crate) fn consecutive_ports(ip: IpAddr, count: u16) -> u16 {
    let free = |port: u16| TcpListener::bind((ip, port)).is_ok();
    let first = (20_000..30_000).step_by(usize::from(count)).find(|first| (*first..*first + count).all(free));
    first.expect("an address of one's own has consecutive free ports")
}

/// A listening socket whose queue is full: a connect to it is neither accepted nor refused, the SYN is dropped.
pub(crate) struct FullListener {
    listener: TcpListener,
    plugs: Vec<TcpStream>,
}

impl FullListener {
    pub(crate) fn new() -> Self {
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into(), 0).expect("loopback can be bound");
        let addr = listener.local_addr().expect("a bound socket has an address");
        let mut plugs = Vec::new();
        wait_for(DEADLINE, "the queue is full", || {
            match TcpStream::connect_timeout(&addr, Duration::from_millis(200)) {
                Ok(plug) => plugs.push(plug),
                Err(_full) => return Ok(()),
            }
            Err(format!("{} connections were accepted", plugs.len()))
        });
        Self { listener, plugs }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.listener.local_addr().expect("a bound socket has an address")
    }

    /// How many connections stand in the way.
    pub(crate) fn plugs(&self) -> usize {
        self.plugs.len()
    }

    pub(crate) fn listener(&self) -> &TcpListener {
        &self.listener
    }
}

#[test]
fn a_full_listener_answers_only_after_it_is_unplugged() {
    let full = FullListener::new();
    let addr = full.addr();
    let error = TcpStream::connect_timeout(&addr, Duration::from_millis(300)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    let waiting = std::thread::spawn(move || TcpStream::connect_timeout(&addr, DEADLINE));
    for _plug in 0..full.plugs() {
        full.listener().accept().unwrap();
    }
    assert!(waiting.join().unwrap().is_ok());
    full.listener().accept().unwrap();
}

#[test]
fn a_refusing_address_refuses() {
    let (addr, _held) = refused_addr();
    assert_eq!(TcpStream::connect(addr).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn private_addresses_differ_and_have_ports() {
    assert_ne!(private_loopback(), private_loopback());
    assert!(consecutive_ports(private_loopback(), 4) >= 20_000);
}
