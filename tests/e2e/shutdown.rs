//! The end of the process, as asked for by signals.

use crate::harness::{Forebay, Stopwatch, Target, ask, connect, echo_once, eventually, list, pause, request, sees_fin};
use std::net::TcpStream;
use std::time::Duration;

fn start(target: &Target, runtime: &str) -> Forebay {
    Forebay::start(&format!(
        "[runtime]\n{runtime}\n[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n\
         [target_groups.web]\ntargets = [{}]\n",
        list(std::slice::from_ref(target))
    ))
}

#[test]
fn sigterm_without_sessions_ends_at_once_with_exit_0() {
    let target = Target::named("a");
    for signal in ["TERM", "INT"] {
        let mut forebay = start(&target, "");
        let watch = Stopwatch::start();
        forebay.signal(signal);
        assert_eq!(forebay.wait_exit(Duration::from_secs(5)).code(), Some(0));
        assert!(watch.elapsed() < Duration::from_secs(3), "{signal}: {:?}", watch.elapsed());
    }
}

#[test]
fn drain_delay_keeps_accepting_while_not_ready() {
    let target = Target::named("a");
    let mut forebay = start(&target, "drain_delay = \"2s\"");
    let addr = forebay.addr("web");
    let watch = Stopwatch::start();
    forebay.signal("TERM");
    eventually("readiness is false", || forebay.get("/readyz").status == 503);
    assert_eq!(forebay.get("/healthz").status, 200);
    let held = ask(addr);
    assert_eq!(held.name(), "a", "still accepting");
    let held = held.stream();
    eventually("nobody is accepted any more", || TcpStream::connect(addr).is_err());
    assert!(watch.elapsed() >= Duration::from_millis(1_900), "{:?}", watch.elapsed());
    echo_once(&held).unwrap();
    assert!(forebay.is_running(), "a session holds the process");
    drop(held);
    assert_eq!(forebay.wait_exit(Duration::from_secs(5)).code(), Some(0));
}

#[test]
fn sessions_left_are_closed_spread_before_the_shutdown_timeout() {
    let target = Target::named("a");
    let mut forebay = start(&target, "shutdown_timeout = \"4s\"");
    let held: Vec<_> = (0..30).map(|_| ask(forebay.addr("web")).stream()).collect();
    let log = forebay.access_log_file();
    let watch = Stopwatch::start();
    forebay.signal("TERM");
    let mut ends: Vec<Duration> = std::thread::scope(|scope| {
        let watch = &watch;
        let wait = |stream| {
            move || {
                sees_fin(stream).unwrap();
                watch.elapsed()
            }
        };
        let waiting: Vec<_> = held.iter().map(|stream| scope.spawn(wait(stream))).collect();
        waiting.into_iter().map(|waiting| waiting.join().unwrap()).collect()
    });
    ends.sort();
    let (first, last) = (ends[0], ends[29]);
    assert!(first >= Duration::from_millis(3_100) && last <= Duration::from_millis(4_600), "{first:?} to {last:?}");
    assert!(last.saturating_sub(first) >= Duration::from_millis(400), "spread: {first:?} to {last:?}");
    drop(held);
    assert_eq!(forebay.wait_exit(Duration::from_secs(6)).code(), Some(0));
    let stderr = forebay.stderr();
    assert!(
        stderr.lines().any(|line| line.contains("WARN") && line.contains("30")),
        "a warning with the count: {stderr}"
    );
    let text = std::fs::read_to_string(log).unwrap();
    assert_eq!(text.lines().filter(|line| line.contains("\"shutdown\"")).count(), 30, "{text}");
}

#[test]
fn second_signal_ends_at_once() {
    let target = Target::named("a");
    let mut forebay = start(&target, "");
    let held = ask(forebay.addr("web")).stream();
    forebay.signal("TERM");
    eventually("it is going down", || {
        request(&forebay.socket(), "GET", "/readyz", "").map_or(true, |reply| reply.status == 503)
    });
    assert!(forebay.is_running());
    let watch = Stopwatch::start();
    forebay.signal("TERM");
    assert_eq!(forebay.wait_exit(Duration::from_secs(3)).code(), Some(0));
    assert!(watch.elapsed() < Duration::from_secs(2));
    drop(held);
}

/// What the kernel had queued when the signal came is still served.
#[test]
fn connections_queued_at_the_signal_are_served() {
    let target = Target::named("a");
    let mut forebay = start(&target, "");
    let addr = forebay.addr("web");
    forebay.signal("STOP");
    let queued: Vec<_> = (0..50).map(|_| connect(addr)).collect();
    forebay.signal("TERM");
    forebay.signal("CONT");
    for (number, stream) in queued.iter().enumerate() {
        let mut name = [0; 2];
        std::io::Read::read_exact(&mut &*stream, &mut name).unwrap_or_else(|error| panic!("client {number}: {error}"));
        echo_once(stream).unwrap();
    }
    drop(queued);
    assert_eq!(forebay.wait_exit(Duration::from_secs(5)).code(), Some(0));
}

#[test]
fn sigusr1_reopens_the_access_log() {
    let target = Target::named("a");
    let forebay = start(&target, "");
    drop(ask(forebay.addr("web")));
    assert_eq!(forebay.access_log(1).len(), 1);
    let rotated = forebay.dir().join("access.log.1");
    std::fs::rename(forebay.access_log_file(), &rotated).unwrap();
    drop(ask(forebay.addr("web")));
    eventually("the old file is written until the signal", || {
        std::fs::read_to_string(&rotated).unwrap().lines().count() == 2
    });
    forebay.signal("USR1");
    eventually("a new file is there", || forebay.access_log_file().exists());
    drop(ask(forebay.addr("web")));
    assert_eq!(forebay.access_log(1).len(), 1);
    assert_eq!(std::fs::read_to_string(&rotated).unwrap().lines().count(), 2, "no line is lost, none doubled");
}

#[test]
fn shutdown_by_the_api_is_the_same() {
    let target = Target::named("a");
    let mut forebay = start(&target, "");
    let reply = forebay.send("POST", "/v1/shutdown", "");
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(forebay.wait_exit(Duration::from_secs(5)).code(), Some(0));
}

#[test]
fn a_session_that_ends_by_itself_lets_the_process_go() {
    let target = Target::named("a");
    let mut forebay = start(&target, "shutdown_timeout = \"20s\"");
    let held = ask(forebay.addr("web")).stream();
    forebay.signal("TERM");
    pause(Duration::from_millis(300), "a process that does not wait for its session would be gone by now");
    assert!(forebay.is_running());
    echo_once(&held).unwrap();
    let watch = Stopwatch::start();
    drop(held);
    assert_eq!(forebay.wait_exit(Duration::from_secs(5)).code(), Some(0));
    assert!(watch.elapsed() < Duration::from_secs(3), "{:?}", watch.elapsed());
}
