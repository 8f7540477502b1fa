//! The balancer as a program embeds it: real sockets on loopback, every wait with a deadline.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its tools too")]

use forebay::config::{AccessLog, AccessLogFormat, AccessLogSink, AdminState, Config, Listener, TargetGroup};
use forebay::control::{Refusal, Request, TargetChange};
use forebay::model::CloseReason;
use forebay::time::clock;
use forebay::{Balancer, BalancerOptions, StartError};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// A target that says its name, then echoes.
fn target(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || echo(client, name));
        }
    });
    addr
}

fn echo(mut client: TcpStream, name: &str) -> std::io::Result<()> {
    client.write_all(name.as_bytes())?;
    let mut bytes = [0; 1024];
    loop {
        let read = client.read(&mut bytes)?;
        if read == 0 {
            return Ok(());
        }
        client.write_all(&bytes[..read])?;
    }
}

/// A client that has heard a target's one-byte name.
fn client(addr: SocketAddr) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut name = [0];
    stream.read_exact(&mut name).unwrap();
    (stream, String::from_utf8(name.to_vec()).unwrap())
}

fn echoes(stream: &mut TcpStream) -> bool {
    let mut reply = [0; 4];
    stream.write_all(b"ping").is_ok() && stream.read_exact(&mut reply).is_ok() && reply == *b"ping"
}

fn config(targets: &[SocketAddr]) -> Config {
    Config {
        listeners: vec![Listener::tcp("web", "127.0.0.1:0".parse().unwrap(), "pool")],
        target_groups: vec![TargetGroup::new("pool", targets)],
        ..Config::default()
    }
}

#[track_caller]
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = clock::now() + PATIENCE;
    while !condition() {
        assert!(clock::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::yield_now();
    }
}

fn ask(balancer: &Balancer, request: Request) -> Result<forebay::control::Changed, Refusal> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(balancer.link().ask(request))
}

fn set(balancer: &Balancer, target: SocketAddr, state: AdminState) -> forebay::control::Changed {
    let change = TargetChange { state: Some(state), weight: None };
    let (group, target) = ("pool".to_owned(), target.to_string());
    ask(balancer, Request::ChangeTarget { group, target, change }).unwrap()
}

#[test]
fn an_answered_change_is_obeyed_by_every_worker() {
    let (a, b) = (target("a"), target("b"));
    let balancer = Balancer::start(config(&[a, b])).unwrap();
    let addr = balancer.addresses("web")[0];
    let before = balancer.link().view().snapshot.generation;
    let changed = set(&balancer, a, AdminState::Draining);
    assert!(changed.changed && changed.generation > before);
    assert!((0..50).all(|_| client(addr).1 == "b"), "nobody reaches a draining target");
    assert!(!set(&balancer, a, AdminState::Draining).changed);
    balancer.shutdown();
}

#[test]
fn draining_keeps_sessions_and_disabling_resets_them() {
    let a = target("a");
    let balancer = Balancer::start(config(&[a, target("b")])).unwrap();
    let addr = balancer.addresses("web")[0];
    set(&balancer, a, AdminState::Enabled);
    let (mut stream, _) = std::iter::repeat_with(|| client(addr)).take(1000).find(|(_, name)| name == "a").unwrap();
    set(&balancer, a, AdminState::Draining);
    assert!(echoes(&mut stream));
    set(&balancer, a, AdminState::Disabled);
    let error = stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let closed = || balancer.statistics().listeners[0].closed.clone();
    wait_until("the count", || closed().contains(&(CloseReason::Admin, 1)));
    balancer.shutdown();
}

fn write_config(path: &Path, port: u16, targets: &[SocketAddr], extra: &str) {
    let targets: Vec<String> = targets.iter().map(|addr| format!("\"{addr}\"")).collect();
    let text = format!(
        "[listeners.web]\nbind = \"127.0.0.1:{port}\"\ntarget_group = \"pool\"\n{extra}\n\
         [target_groups.pool]\ntargets = [{}]\n",
        targets.join(", ")
    );
    std::fs::write(path, text).unwrap();
}

/// A balancer that was started from a file in `folder`.
fn from_file(path: &Path) -> Balancer {
    let config = forebay::config::load(path).unwrap().0;
    let options = BalancerOptions { config, config_file: Some(path.to_owned()), ..BalancerOptions::default() };
    Balancer::start_with(options).unwrap()
}

#[test]
fn a_reload_keeps_socket_and_sessions_and_moves_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forebay.toml");
    let (a, b) = (target("a"), target("b"));
    write_config(&path, 0, &[a], "");
    let balancer = from_file(&path);
    let addr = balancer.addresses("web")[0];
    let (mut stream, name) = client(addr);
    assert_eq!(name, "a");
    write_config(&path, 0, &[b], "backlog = 17\nkeepalive = \"7s\"");
    let changed = ask(&balancer, Request::Reload { keep_changes: false }).unwrap();
    assert!(changed.changed);
    assert_eq!(balancer.addresses("web"), [addr], "the same socket");
    assert_eq!(client(addr).1, "b");
    assert!(echoes(&mut stream), "a session of a removed target lives on");
    assert!(!ask(&balancer, Request::Reload { keep_changes: false }).unwrap().changed);
}

#[test]
fn a_removed_listener_refuses_while_its_sessions_live_on_and_may_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forebay.toml");
    let targets = [target("a")];
    write_config(&path, 0, &targets, "");
    let balancer = from_file(&path);
    let addr = balancer.addresses("web")[0];
    let (mut stream, _) = client(addr);
    std::fs::write(&path, format!("[target_groups.pool]\ntargets = [\"{}\"]\n", targets[0])).unwrap();
    ask(&balancer, Request::Reload { keep_changes: false }).unwrap();
    let error = TcpStream::connect_timeout(&addr, PATIENCE).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(echoes(&mut stream));
    write_config(&path, addr.port(), &targets, "");
    ask(&balancer, Request::Reload { keep_changes: false }).unwrap();
    assert_eq!(client(addr).1, "a");
    assert!(echoes(&mut stream));
}

#[test]
fn a_reload_that_fails_changes_nothing_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forebay.toml");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let a = target("a");
    write_config(&path, 0, &[a], "");
    let balancer = from_file(&path);
    let addr = balancer.addresses("web")[0];
    let generation = balancer.link().view().snapshot.generation;
    let wrong = [
        ("backlog = \"many\"", 0, "expected an integer"),
        ("congestion_control = \"no-such-thing\"", 0, "congestion"),
        ("", taken.local_addr().unwrap().port(), "listener `web` cannot listen on 127.0.0.1:"),
    ];
    for (extra, port, expected) in wrong {
        write_config(&path, port, &[target("b")], extra);
        let refusal = ask(&balancer, Request::Reload { keep_changes: false }).unwrap_err();
        let Refusal::Invalid { message, diagnostics, .. } = refusal else { panic!("{refusal:?}") };
        let said = diagnostics.iter().map(|one| one.message.clone()).chain([message]).collect::<Vec<_>>().join("\n");
        assert!(said.contains(expected) || said.contains("No such file"), "{said}");
        assert_eq!(balancer.link().view().snapshot.generation, generation);
        assert!(!balancer.link().view().last_reload.as_ref().unwrap().ok);
        assert_eq!(client(addr).1, "a");
    }
    balancer.shutdown();
}

#[test]
fn keys_that_need_a_restart_are_listed_and_the_rest_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forebay.toml");
    let a = target("a");
    write_config(&path, 0, &[a], "");
    let balancer = from_file(&path);
    write_config(&path, 0, &[a], "[runtime]\nworkers = 7\nmax_connections = 5\n");
    let changed = ask(&balancer, Request::Reload { keep_changes: false }).unwrap();
    assert_eq!(changed.pending_restart, ["workers"]);
    assert_eq!(balancer.link().view().pending_restart, ["workers"]);
    assert_eq!(balancer.link().view().max_connections, 5);
    balancer.shutdown();
}

#[test]
fn shutting_down_waits_for_sessions_that_end_and_every_one_has_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let access_log = AccessLog { sink: AccessLogSink::File(path.clone()), format: AccessLogFormat::Json };
    let balancer = Balancer::start(Config { access_log, ..config(&[target("a")]) }).unwrap();
    let addr = balancer.addresses("web")[0];
    let (mut stream, _) = client(addr);
    let link = balancer.link();
    let ending = std::thread::spawn(move || balancer.shutdown());
    wait_until("no longer accepting", || TcpStream::connect_timeout(&addr, PATIENCE).is_err());
    assert!(link.view().ready.is_err());
    assert!(echoes(&mut stream), "a session goes on while the process drains");
    drop(stream);
    ending.join().unwrap();
    let lines = std::fs::read_to_string(&path).unwrap();
    let opened: u64 = link.view().listeners[0].counters.sum(|one| &one.opened);
    assert_eq!(lines.lines().count() as u64, opened, "a line for every session, whoever came to try the door too");
    assert!(lines.contains(r#""bytes_to_target":4"#), "{lines}");
}

#[test]
fn sessions_left_are_closed_by_the_end_of_the_shutdown_timeout() {
    let mut config = config(&[target("a")]);
    config.runtime.shutdown_timeout = Duration::from_millis(200);
    let balancer = Balancer::start(config).unwrap();
    let (mut stream, _) = client(balancer.addresses("web")[0]);
    balancer.shutdown();
    assert!(!matches!(stream.read(&mut [0]), Ok(1..)), "closed");
}

#[test]
fn a_balancer_that_is_dropped_lets_go_of_its_address() {
    let balancer = Balancer::start(config(&[target("a")])).unwrap();
    let addr = balancer.addresses("web")[0];
    let (mut stream, _) = client(addr);
    drop(balancer);
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    TcpListener::bind(addr).unwrap();
}

#[test]
fn what_cannot_start_says_whether_the_configuration_or_the_system_is_to_blame() {
    let mut contradictory = config(&[]);
    contradictory.listeners[0].forward[0].target_group = "nowhere".into();
    assert!(matches!(Balancer::start(contradictory), Err(StartError::Configuration(_))));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut impossible = config(&[]);
    impossible.listeners[0].bind = vec![taken.local_addr().unwrap().into()];
    let error = Balancer::start(impossible).unwrap_err();
    assert!(matches!(&error, StartError::Environment(message) if message.contains("listener `web`")), "{error}");
    let mut greedy = config(&[]);
    greedy.runtime.max_connections = forebay::config::Auto::Fixed(u32::MAX);
    assert!(matches!(Balancer::start(greedy), Err(StartError::Environment(_))));
}
