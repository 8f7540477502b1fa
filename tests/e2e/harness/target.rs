//! Targets that live as long as a test wants: named, echoing, silent, flooding, or speaking a little HTTP.

use super::client::with_deadlines;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What a target does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TargetKind {
    /// Says its name and a line feed, then echoes.
    Named,
    /// Echoes.
    Echo,
    /// Accepts and never reads or writes.
    Silent,
    /// Reads one line and answers `+name\r\n`.
    Line,
    /// Reads an HTTP request head and answers with [`Target::set_status`]'s status; 0 = never answers.
    Http,
}

struct Inner {
    name: Mutex<String>,
    kind: TargetKind,
    accepted: AtomicUsize,
    answered: AtomicUsize,
    status: AtomicU16,
    open: Mutex<BTreeMap<usize, TcpStream>>,
}

/// A listening target on loopback.
pub(crate) struct Target {
    inner: Arc<Inner>,
    addr: SocketAddr,
    listener: Option<(TcpListener, thread::JoinHandle<()>)>,
}

impl Target {
    /// A target of this kind on 127.0.0.1.
    pub(crate) fn new(kind: TargetKind, name: &str) -> Self {
        Self::at(kind, name, (Ipv4Addr::LOCALHOST, 0).into())
    }

    /// A target that says its name, then echoes.
    pub(crate) fn named(name: &str) -> Self {
        Self::new(TargetKind::Named, name)
    }

    /// As [`Self::named`], on ::1.
    pub(crate) fn named_v6(name: &str) -> Self {
        Self::at(TargetKind::Named, name, (Ipv6Addr::LOCALHOST, 0).into())
    }

    /// A target that echoes.
    pub(crate) fn echo() -> Self {
        Self::new(TargetKind::Echo, "echo")
    }

    /// A target at exactly this address.
    pub(crate) fn at(kind: TargetKind, name: &str, addr: SocketAddr) -> Self {
        let inner = Inner {
            name: Mutex::new(name.to_owned()),
            kind,
            accepted: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            status: AtomicU16::new(200),
            open: Mutex::default(),
        };
        let mut target = Self { inner: Arc::new(inner), addr, listener: None };
        target.revive();
        target
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Connections accepted since the start.
    pub(crate) fn accepted(&self) -> usize {
        self.inner.accepted.load(Ordering::SeqCst)
    }

    /// Requests answered since the start (`Http` and `Line`).
    pub(crate) fn answered(&self) -> usize {
        self.inner.answered.load(Ordering::SeqCst)
    }

    /// Connections open now.
    pub(crate) fn open(&self) -> usize {
        self.inner.open().len()
    }

    /// The connections themselves, for a test that plays the target (`Silent`).
    pub(crate) fn take_open(&self) -> Vec<TcpStream> {
        std::mem::take(&mut *self.inner.open()).into_values().collect()
    }

    /// What an `Http` target answers from now on; 0 = it reads and stays silent.
    pub(crate) fn set_status(&self, status: u16) {
        self.inner.status.store(status, Ordering::SeqCst);
    }

    /// What the target says it is from now on.
    pub(crate) fn rename(&self, name: &str) {
        name.clone_into(&mut self.inner.name.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Stops listening; new connections are refused, open ones live on.
    pub(crate) fn stop_listening(&mut self) {
        if let Some((listener, thread)) = self.listener.take() {
            SockRef::from(&listener).shutdown(Shutdown::Both).expect("a listening socket can be shut down");
            thread.join().expect("the accepting thread ended well");
        }
    }

    /// Ends like a killed process: listens no longer, and every connection is closed.
    pub(crate) fn kill(&mut self) {
        self.stop_listening();
        for stream in self.inner.open().values() {
            let _already_gone = stream.shutdown(Shutdown::Both);
        }
    }

    /// Listens again, at the same address.
    pub(crate) fn revive(&mut self) {
        let listener = listen(self.addr, 4096).unwrap_or_else(|error| panic!("target at {}: {error}", self.addr));
        self.addr = listener.local_addr().expect("a bound socket has an address");
        let (inner, accepting) = (Arc::clone(&self.inner), listener.try_clone().expect("a socket can be cloned"));
        let thread = thread::spawn(move || {
            while let Ok((stream, _client)) = accepting.accept() {
                inner.serve(stream);
            }
        });
        self.listener = Some((listener, thread));
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Inner {
    fn open(&self) -> MutexGuard<'_, BTreeMap<usize, TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(self: &Arc<Self>, stream: TcpStream) {
        let number = self.accepted.fetch_add(1, Ordering::SeqCst);
        if self.kind == TargetKind::Silent {
            self.open().insert(number, stream);
            return;
        }
        let Ok(clone) = stream.try_clone() else { return };
        self.open().insert(number, clone);
        let inner = Arc::clone(self);
        let name = self.name.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let talk = move || {
            let _ended_by_the_other_side = inner.talk(&name, &stream);
            let _gone = stream.shutdown(Shutdown::Write);
            inner.open().remove(&number);
        };
        thread::Builder::new().stack_size(128 * 1024).spawn(talk).expect("a thread can be started");
    }

    fn talk(&self, name: &str, mut stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        match self.kind {
            TargetKind::Http => return self.answer(b"\r\n\r\n", stream),
            TargetKind::Line => return self.answer(b"\n", stream),
            TargetKind::Named => stream.write_all(format!("{name}\n").as_bytes())?,
            TargetKind::Echo | TargetKind::Silent => {}
        }
        let mut buffer = [0; 16 * 1024];
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                count => stream.write_all(&buffer[..count])?,
            }
        }
    }

    fn answer(&self, end: &[u8], stream: &TcpStream) -> io::Result<()> {
        let mut stream = with_deadlines(stream.try_clone()?);
        let (mut asked, mut byte) = (Vec::new(), [0]);
        while !asked.ends_with(end) {
            stream.read_exact(&mut byte)?;
            asked.push(byte[0]);
        }
        let status = self.status.load(Ordering::SeqCst);
        if status == 0 {
            return stream.read(&mut byte).map(|_count| ());
        }
        self.answered.fetch_add(1, Ordering::SeqCst);
        let name = self.name.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match self.kind {
            TargetKind::Line => stream.write_all(format!("+{name}\r\n").as_bytes()),
            TargetKind::Http | TargetKind::Named | TargetKind::Echo | TargetKind::Silent => stream
                .write_all(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes()),
        }
    }
}

/// A listening socket with SO_REUSEADDR, as servers have.
pub(super) fn listen(addr: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if matches!(addr.ip(), IpAddr::V6(_)) {
        socket.set_only_v6(true)?;
    }
    socket.bind(&SockAddr::from(addr))?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// `"a", "b"`: the addresses of targets as a TOML list's inside.
pub(crate) fn list(targets: &[Target]) -> String {
    targets.iter().map(|target| format!("\"{}\"", target.addr())).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_killed_target_refuses_and_a_revived_one_serves_again() {
    let mut target = Target::named("a");
    let first = super::ask(target.addr());
    assert_eq!(first.name(), "a");
    target.kill();
    super::sees_fin(&first.stream()).unwrap();
    assert_eq!(TcpStream::connect(target.addr()).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    target.revive();
    assert_eq!(super::ask(target.addr()).name(), "a");
    super::eventually("no connection is open", || target.open() == 0);
    assert_eq!(target.accepted(), 2);
}
