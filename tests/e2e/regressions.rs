//! What once went wrong, one test each.

use crate::harness::{
    DEADLINE, Forebay, Target, connect, echo_once, eventually, forebay_cli, list, pause, reset, sees_fin,
};
use std::io::{ErrorKind, Read};
use std::net::{Shutdown, TcpListener};
use std::time::Duration;

fn config(listener: &str, targets: &str, group: &str) -> String {
    format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n{listener}\n[target_groups.web]\n\
         targets = [{targets}]\n{group}\n"
    )
}

/// The half-close limit counted from the last byte, so a polite close after a long silence became a reset.
#[test]
fn a_fin_after_a_long_silence_is_passed_on_like_any_other() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let targets = format!("\"{}\"", target.local_addr().unwrap());
    let forebay = Forebay::start(&config("half_close_timeout = \"1s\"", &targets, ""));
    let client = connect(forebay.addr("web"));
    let (far, _from) = target.accept().unwrap();
    far.set_read_timeout(Some(DEADLINE)).unwrap();
    pause(Duration::from_millis(1_500), "longer than the limit after a FIN");
    client.shutdown(Shutdown::Write).unwrap();
    sees_fin(&far).unwrap();
    drop(far);
    sees_fin(&client).unwrap();
    assert_eq!(forebay.access_log(1)[0]["close_reason"], "finished");
}

/// The attempt of a client that gave up was closed, not reset: its target saw an orderly end.
#[test]
fn a_client_reset_while_connecting_is_no_fin_to_the_target() {
    const CLIENTS: usize = 200;
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let targets = format!("\"{}\"", target.local_addr().unwrap());
    let forebay = Forebay::start(&config("", &targets, ""));
    (0..CLIENTS).for_each(|_client| reset(connect(forebay.addr("web"))));
    let closed = || forebay.count("forebay_connections_closed_total", &[("reason", "client_reset")]);
    eventually("every client's reset is noticed", || closed() == CLIENTS);
    target.set_nonblocking(true).unwrap();
    while let Ok((mut far, _from)) = target.accept() {
        far.set_nonblocking(false).unwrap();
        far.set_read_timeout(Some(DEADLINE)).unwrap();
        let end = far.read(&mut [0]);
        assert!(end.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset), "{end:?}");
    }
}

/// The order that ended the sessions of the verdict stayed in force, and ended those that came by failing open.
#[test]
fn sessions_that_come_by_failing_open_are_not_meant_by_the_verdict() {
    let (target, probed) = (Target::named("a"), TcpListener::bind("127.0.0.1:0").unwrap());
    let check = format!(
        "health_check = {{ port = {}, interval = \"200ms\", timeout = \"200ms\", fast_interval = \"50ms\" }}",
        probed.local_addr().unwrap().port()
    );
    let group = format!("on_unhealthy = \"reset\"\n{check}");
    let forebay = Forebay::start(&config("", &list(std::slice::from_ref(&target)), &group));
    let id = target.addr().to_string();
    forebay.await_target("web", &id, "health", &"healthy".into());
    drop(probed);
    forebay.await_target("web", &id, "health", &"unhealthy".into());
    for _client in 0..20 {
        let answer = crate::harness::ask(forebay.addr("web"));
        assert_eq!(answer.name(), "a");
        let stream = answer.stream();
        drop(forebay.patch("web", &id, "{\"weight\":2}"));
        echo_once(&stream).unwrap();
        drop(forebay.patch("web", &id, "{\"weight\":1}"));
        echo_once(&stream).unwrap();
    }
}

/// It panicked as soon as it had to wait.
#[test]
fn shutdown_waits_for_sessions_and_reports() {
    let target = Target::named("a");
    let text =
        format!("[runtime]\nshutdown_timeout = \"1s\"\n{}", config("", &list(std::slice::from_ref(&target)), ""));
    let mut forebay = Forebay::start(&text);
    let _held = crate::harness::ask(forebay.addr("web"));
    let admin = format!("unix:{}", forebay.socket().display());
    let output = forebay_cli(&["shutdown", "--admin", &admin]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("ended"), "{output:?}");
    assert_eq!(forebay.wait_exit(DEADLINE).code(), Some(0));
}
