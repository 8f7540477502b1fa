//! Clients: plain blocking sockets with a deadline on everything.

use super::wait::DEADLINE;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

/// How a listener received a client.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Served by the target of this name; the session is open.
    Served(TcpStream, String),
    /// Reset before a byte came.
    Reset,
    /// Closed with FIN before a byte came.
    Fin,
}

impl Answer {
    /// The serving target's name; panics when there was none.
    #[track_caller]
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Served(_stream, name) => name,
            Self::Reset | Self::Fin => panic!("not served but {self:?}"),
        }
    }

    /// The open session; panics when there is none.
    #[track_caller]
    pub(crate) fn stream(self) -> TcpStream {
        match self {
            Self::Served(stream, _name) => stream,
            Self::Reset | Self::Fin => panic!("not served but {self:?}"),
        }
    }

    pub(crate) fn is_reset(&self) -> bool {
        matches!(self, Self::Reset)
    }

    pub(crate) fn is_served(&self) -> bool {
        matches!(self, Self::Served(..))
    }
}

/// Connects; panics when that fails.
#[track_caller]
pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    open(None, addr).unwrap_or_else(|error| panic!("connect to {addr}: {error}"))
}

/// Connects from a local address; port 0 = any.
pub(crate) fn connect_from(source: SocketAddr, addr: SocketAddr) -> io::Result<TcpStream> {
    open(Some(source), addr)
}

/// Connects and waits for the name that [`super::TargetKind::Named`] says first.
#[track_caller]
pub(crate) fn ask(addr: SocketAddr) -> Answer {
    answer_on(open(None, addr))
}

/// As [`ask`], from this address.
#[track_caller]
pub(crate) fn ask_from(source: IpAddr, addr: SocketAddr) -> Answer {
    answer_on(open(Some(SocketAddr::new(source, 0)), addr))
}

fn open(source: Option<SocketAddr>, addr: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    if let Some(source) = source {
        socket.set_reuse_address(true)?;
        socket.bind(&SockAddr::from(source))?;
    }
    // SO_SNDTIMEO bounds connect(2) as well (socket(7)). The reset of a refusal may be there before it returns.
    socket.set_write_timeout(Some(DEADLINE))?;
    socket.connect(&SockAddr::from(addr))?;
    Ok(with_deadlines(socket.into()))
}

#[track_caller]
fn answer_on(opened: io::Result<TcpStream>) -> Answer {
    let mut stream = match opened {
        Ok(stream) => stream,
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Answer::Reset,
        Err(error) => panic!("connect: {error}"),
    };
    let mut name = Vec::new();
    let mut byte = [0];
    loop {
        match stream.read(&mut byte) {
            Ok(0) => return Answer::Fin,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) => name.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Answer::Reset,
            Err(error) => panic!("neither a name nor an end within {DEADLINE:?}: {error}"),
        }
    }
    Answer::Served(stream, String::from_utf8_lossy(&name).into_owned())
}

/// Sends eight bytes and expects them back.
pub(crate) fn echo_once(mut stream: &TcpStream) -> io::Result<()> {
    let mut back = [0; 8];
    stream.write_all(b"12345678")?;
    stream.read_exact(&mut back)?;
    if &back == b"12345678" { Ok(()) } else { Err(io::Error::other(format!("wrong echo: {back:?}"))) }
}

/// Ends a connection with RST.
pub(crate) fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("SO_LINGER can be set");
    drop(stream);
}

/// Reads until the end, which must be RST.
pub(crate) fn sees_reset(stream: &TcpStream) -> Result<(), String> {
    match drain(stream) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
        other => Err(format!("expected RST, saw {other:?}")),
    }
}

/// Reads until the end, which must be FIN.
pub(crate) fn sees_fin(stream: &TcpStream) -> Result<(), String> {
    drain(stream).map(|_bytes| ()).map_err(|error| format!("expected FIN, saw {error}"))
}

fn drain(mut stream: &TcpStream) -> io::Result<usize> {
    let mut sink = [0; 4096];
    let mut total = 0;
    loop {
        match stream.read(&mut sink)? {
            0 => return Ok(total),
            count => total += count,
        }
    }
}

pub(super) fn with_deadlines(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(DEADLINE)).expect("a read deadline can be set");
    stream.set_write_timeout(Some(DEADLINE)).expect("a write deadline can be set");
    stream.set_nodelay(true).expect("TCP_NODELAY can be set");
    stream
}

#[test]
fn an_answer_tells_service_reset_and_fin_apart() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let script = std::thread::spawn(move || {
        let accept = || listener.accept().unwrap().0;
        let mut named = accept();
        named.write_all(b"a\n").unwrap();
        reset(accept());
        drop(accept());
        named
    });
    assert_eq!(ask(addr).name(), "a");
    assert!(ask(addr).is_reset());
    assert!(matches!(ask(addr), Answer::Fin));
    script.join().unwrap();
}
