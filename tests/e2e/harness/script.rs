//! Scripted ends of a session: `accept read(10) fin read_eof close` on one side, `connect write(10) …` on the other.
//!
//! Words: `accept`, `connect`, `read(N)` exactly N bytes, `write(N)`, `flushed` (everything written has been
//! acknowledged),
//! `fin`, `read_eof`, `read_rst`, `read_to_eof`, `read_until_rst` (any bytes, then that end), `write_until_stuck`
//! (both kernels are full),
//! `write_until_rst`, `rst`, `close`, `await_syn` (somebody is connecting to a full queue), `discard(N)` (takes N
//! connections out of the
//! queue), `signal(NAME)` and `wait(NAME)` between the two. Every byte is checked against its position;
//! every step has a deadline, and a failure names the step.

use super::client::{connect, reset, with_deadlines};
use super::pattern::Pattern;
use super::wait::{DEADLINE, Stopwatch, pause};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// What the two ends have seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Play {
    pub(crate) sent_by_client: usize,
    pub(crate) read_by_target: usize,
    pub(crate) sent_by_target: usize,
    pub(crate) read_by_client: usize,
}

/// Runs both scripts at the same time; the client connects to `addr`, the target accepts on `listener`.
pub(crate) fn play(addr: SocketAddr, listener: &TcpListener, target: &str, client: &str) -> Result<Play, String> {
    listener.set_nonblocking(true).expect("a listener can be made non-blocking");
    let meeting = Meeting::default();
    let near = End::new("client", client, Place::At(addr), &meeting);
    let far = End::new("target", target, Place::On(listener), &meeting);
    let (near, far) = std::thread::scope(|scope| {
        let near = scope.spawn(|| near.run());
        let far = scope.spawn(|| far.run());
        (near.join().expect("a script does not panic"), far.join().expect("a script does not panic"))
    });
    match (near, far) {
        (Ok((sent_by_client, read_by_client)), Ok((sent_by_target, read_by_target))) => {
            Ok(Play { sent_by_client, read_by_target, sent_by_target, read_by_client })
        }
        (near, far) => Err([near.err(), far.err()].into_iter().flatten().collect::<Vec<_>>().join("; ")),
    }
}

/// Where the two scripts meet.
#[derive(Default)]
struct Meeting {
    said: Mutex<BTreeSet<String>>,
    changed: Condvar,
}

enum Place<'a> {
    At(SocketAddr),
    On(&'a TcpListener),
}

struct End<'a> {
    name: &'static str,
    script: &'a str,
    place: Place<'a>,
    meeting: &'a Meeting,
    stream: Option<TcpStream>,
    sent: Pattern,
    read: Pattern,
}

impl<'a> End<'a> {
    fn new(name: &'static str, script: &'a str, place: Place<'a>, meeting: &'a Meeting) -> Self {
        let (sent, read) = match place {
            Place::At(_) => (Pattern::of_client(), Pattern::of_target()),
            Place::On(_) => (Pattern::of_target(), Pattern::of_client()),
        };
        Self { name, script, place, meeting, stream: None, sent, read }
    }

    fn run(mut self) -> Result<(usize, usize), String> {
        for (index, step) in self.script.split_whitespace().enumerate() {
            if let Err(reason) = self.step(step) {
                // Whatever the other side waits for will not come.
                self.meeting.say("FAILED");
                return Err(format!("{} step {} `{step}` of `{}`: {reason}", self.name, index + 1, self.script));
            }
        }
        Ok((self.sent.position(), self.read.position()))
    }

    fn step(&mut self, step: &str) -> Result<(), String> {
        let (verb, argument) = step.strip_suffix(')').and_then(|step| step.split_once('(')).unwrap_or((step, ""));
        let count = || argument.parse::<usize>().map_err(|error| format!("`{argument}`: {error}"));
        match verb {
            "accept" => self.accept(),
            "await_syn" => self.await_syn(),
            "discard" => self.discard(count()?),
            "connect" => {
                let Place::At(addr) = self.place else { return Err("only a client connects".into()) };
                self.stream = Some(connect(addr));
                Ok(())
            }
            "read" => self.read_exactly(count()?),
            "write" => self.write(count()?),
            "flushed" => self.flushed(),
            "fin" => self.stream()?.shutdown(Shutdown::Write).map_err(|error| error.to_string()),
            "read_eof" => self.read_end(false).and_then(expect_eof),
            "read_rst" => self.read_end(false).and_then(expect_reset),
            "read_to_eof" => self.read_end(true).and_then(expect_eof),
            "read_until_rst" => self.read_end(true).and_then(expect_reset),
            "write_until_stuck" => self.write_until_stuck(),
            "write_until_rst" => self.write_until_reset(),
            "rst" => self.stream.take().map(reset).ok_or_else(|| "no connection".into()),
            "close" => self.stream.take().map(drop).ok_or_else(|| "no connection".into()),
            "signal" => {
                self.meeting.say(argument);
                Ok(())
            }
            "wait" => self.meeting.wait(argument),
            unknown => Err(format!("unknown word `{unknown}`")),
        }
    }

    fn stream(&self) -> Result<&TcpStream, String> {
        self.stream.as_ref().ok_or_else(|| "no connection".into())
    }

    fn accept(&mut self) -> Result<(), String> {
        let Place::On(listener) = self.place else { return Err("only a target accepts".into()) };
        let watch = Stopwatch::start();
        loop {
            match listener.accept() {
                Ok((stream, _from)) => {
                    stream.set_nonblocking(false).map_err(|error| error.to_string())?;
                    self.stream = Some(with_deadlines(stream));
                    return Ok(());
                }
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error.to_string()),
                Err(_nobody) if watch.elapsed() > DEADLINE => return Err(format!("nobody came within {DEADLINE:?}")),
                Err(_nobody) if self.meeting.heard("FAILED") => return Err("the other side failed".into()),
                Err(_nobody) => pause(Duration::from_millis(2), "between two looks"),
            }
        }
    }

    fn await_syn(&self) -> Result<(), String> {
        let Place::On(listener) = self.place else { return Err("only a target is connected to".into()) };
        let addr = listener.local_addr().map_err(|error| error.to_string())?;
        let port = format!(":{:04X}", addr.port());
        let watch = Stopwatch::start();
        // State 02 is SYN_SENT (include/net/tcp_states.h).
        while !rows(addr).iter().any(|row| row[2].ends_with(&port) && row[3] == "02") {
            if watch.elapsed() > DEADLINE {
                return Err("nobody is connecting".into());
            }
            pause(Duration::from_millis(2), "between two looks");
        }
        Ok(())
    }

    fn discard(&self, count: usize) -> Result<(), String> {
        let Place::On(listener) = self.place else { return Err("only a target accepts".into()) };
        (0..count).try_for_each(|_plug| listener.accept().map(|_connection| ()).map_err(|error| error.to_string()))
    }

    fn read_exactly(&mut self, mut count: usize) -> Result<(), String> {
        let mut buffer = vec![0; count.clamp(1, 256 * 1024)];
        while count > 0 {
            let most = count.min(buffer.len());
            match self.stream()?.read(&mut buffer[..most]) {
                Ok(0) => return Err(format!("FIN with {count} bytes missing")),
                Ok(got) => {
                    self.read.verify(&buffer[..got])?;
                    count -= got;
                }
                Err(error) => return Err(format!("{error} with {count} bytes missing")),
            }
        }
        Ok(())
    }

    fn write(&mut self, mut count: usize) -> Result<(), String> {
        while count > 0 {
            let piece = self.sent.upcoming(count.min(256 * 1024));
            let put = self.stream()?.write(piece).map_err(|error| format!("{error} with {count} bytes left"))?;
            self.sent.advance(put);
            count -= put;
        }
        Ok(())
    }

    /// Writes until the write end has been stuck for a while: relay and kernels hold all they want to hold.
    fn write_until_stuck(&mut self) -> Result<(), String> {
        let stream = self.stream()?.try_clone().map_err(|error| error.to_string())?;
        stream.set_write_timeout(Some(Duration::from_millis(400))).map_err(|error| error.to_string())?;
        let end = self.write_on(&stream);
        stream.set_write_timeout(Some(DEADLINE)).map_err(|error| error.to_string())?;
        if would_block(&end) { Ok(()) } else { Err(end.to_string()) }
    }

    fn write_until_reset(&mut self) -> Result<(), String> {
        let stream = self.stream()?.try_clone().map_err(|error| error.to_string())?;
        let end = self.write_on(&stream);
        if matches!(end.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) {
            Ok(())
        } else {
            Err(end.to_string())
        }
    }

    fn write_on(&mut self, mut stream: &TcpStream) -> io::Error {
        loop {
            match stream.write(self.sent.upcoming(64 * 1024)) {
                Ok(put) => self.sent.advance(put),
                Err(error) => return error,
            }
        }
    }

    fn read_end(&mut self, bytes_allowed: bool) -> Result<Result<(), io::Error>, String> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match self.stream()?.read(&mut buffer) {
                Ok(0) => return Ok(Ok(())),
                Ok(got) if !bytes_allowed => return Err(format!("{got} bytes instead of the end")),
                Ok(got) => self.read.verify(&buffer[..got])?,
                Err(error) if would_block(&error) => return Err(format!("no end within {DEADLINE:?}")),
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    /// Waits until the kernel's send queue of this connection is empty, as /proc/net/tcp shows it.
    fn flushed(&self) -> Result<(), String> {
        let stream = self.stream()?;
        let addrs = (stream.local_addr(), stream.peer_addr());
        let (Ok(local), Ok(remote)) = addrs else { return Err("the connection has no addresses any more".into()) };
        let watch = Stopwatch::start();
        while unacknowledged(local, remote) != Some(0) {
            if watch.elapsed() > DEADLINE {
                return Err(format!("{:?} bytes are not acknowledged", unacknowledged(local, remote)));
            }
            pause(Duration::from_millis(2), "between two looks");
        }
        Ok(())
    }
}

impl Meeting {
    fn say(&self, name: &str) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        self.changed.notify_all();
    }

    fn heard(&self, name: &str) -> bool {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    fn wait(&self, name: &str) -> Result<(), String> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = |said: &mut BTreeSet<String>| !said.contains(name) && !said.contains("FAILED");
        let (said, _timeout) =
            self.changed.wait_timeout_while(said, DEADLINE, missing).unwrap_or_else(PoisonError::into_inner);
        if said.contains(name) { Ok(()) } else { Err("the other side never said so".into()) }
    }
}

fn expect_eof(end: Result<(), io::Error>) -> Result<(), String> {
    end.map_err(|error| format!("expected FIN, saw {error}"))
}

fn expect_reset(end: Result<(), io::Error>) -> Result<(), String> {
    match end {
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
        other => Err(format!("expected RST, saw {}", other.map_or_else(|error| error.to_string(), |()| "FIN".into()))),
    }
}

fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Bytes in the send queue of the connection between two addresses; `None` when there is no such connection.
fn unacknowledged(local: SocketAddr, remote: SocketAddr) -> Option<u64> {
    let ports = (format!(":{:04X}", local.port()), format!(":{:04X}", remote.port()));
    let rows = rows(local);
    let row = rows.iter().find(|row| row[1].ends_with(&ports.0) && row[2].ends_with(&ports.1))?;
    u64::from_str_radix(row[4].split(':').next()?, 16).ok()
}

/// The kernel's table of TCP sockets, split into fields.
fn rows(family_of: SocketAddr) -> Vec<Vec<String>> {
    let table = if family_of.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
    let table = std::fs::read_to_string(table).unwrap_or_default();
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    rows.filter(|row| row.len() > 4).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct(target: &str, client: &str) -> Result<Play, String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        play(listener.local_addr().unwrap(), &listener, target, client)
    }

    #[test]
    fn both_ends_see_what_the_other_did() {
        let seen = direct(
            "accept read(10) read_eof write(300000) fin close",
            "connect write(10) fin read(300000) read_eof close",
        );
        let all = Play { sent_by_client: 10, read_by_target: 10, sent_by_target: 300_000, read_by_client: 300_000 };
        assert_eq!(seen, Ok(all));
        direct("accept write(1000) flushed signal(sent) rst", "connect wait(sent) read(1000) read_rst").unwrap();
        direct("accept write_until_stuck signal(stuck) write_until_rst", "connect wait(stuck) read(1000) rst").unwrap();
    }

    #[test]
    fn a_fin_for_an_rst_is_a_failure_that_names_its_step() {
        let error = direct("accept read(1) rst", "connect write(1) read_eof").unwrap_err();
        assert!(error.contains("client step 3 `read_eof`") && error.contains("expected FIN"), "{error}");
        let error = direct("accept read(1) close", "connect write(1) read_rst").unwrap_err();
        assert!(error.contains("expected RST, saw FIN"), "{error}");
        let error = direct("accept write(5) close", "connect read(6)").unwrap_err();
        assert!(error.contains("FIN with 1 bytes missing"), "{error}");
        let error = direct("accept jump", "connect wait(never)").unwrap_err();
        assert!(error.contains("unknown word `jump`") && error.contains("never said so"), "{error}");
    }
}
