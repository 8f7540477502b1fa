use super::*;
use crate::config::TargetGroup;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

fn check(kind: ProbeKind) -> HealthCheck {
    HealthCheck {
        kind,
        port: None,
        source_address: None,
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
        jitter_percent: 0,
        healthy_threshold: 1,
        unhealthy_threshold: 1,
        fast_interval: Duration::from_secs(1),
    }
}

fn tcp(send: &str, expect: &str) -> HealthCheck {
    check(ProbeKind::Tcp { send: send.into(), expect: expect.into() })
}

fn http(path: &str, expect_status: &[(u16, u16)]) -> HealthCheck {
    check(ProbeKind::Http { path: path.to_owned(), host: String::new(), expect_status: expect_status.to_vec() })
}

/// One probe of a peer that reads until `until`, then answers with each of `replies` in a segment of its own, then
/// stays until the prober is gone. Returns what the peer has read, too.
fn probed(check: HealthCheck, until: &'static str, replies: &[&'static str]) -> (ProbeOutcome, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let replies = replies.to_vec();
    let is_http = matches!(check.kind, ProbeKind::Http { .. });
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut read = Vec::new();
        let mut byte = [0];
        while !read.ends_with(until.as_bytes()) && stream.read(&mut byte).unwrap_or(0) == 1 {
            read.push(byte[0]);
        }
        for reply in replies {
            if stream.write_all(reply.as_bytes()).is_err() {
                break;
            }
        }
        let ended_by_reset = stream.read_to_end(&mut Vec::new()).is_err();
        // HTTP ends an exchange with FIN, and then with RST: it may be read before the RST is there.
        assert!(ended_by_reset || is_http, "a probe ends with RST");
        String::from_utf8(read).unwrap()
    });
    let outcome = outcome(check, addr);
    (outcome, peer.join().unwrap())
}

fn outcome(check: HealthCheck, addr: SocketAddr) -> ProbeOutcome {
    let group = TargetGroup { health_check: Some(check), ..TargetGroup::new("g", &[]) };
    let order = ProbeOrder { target_uid: 1, probe: 1, started: clock::now(), addr, group: Arc::new(group) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(probe(&order))
}

#[test]
fn a_connection_is_enough_when_nothing_is_expected() {
    assert_eq!(probed(tcp("", ""), "", &[]).0, ProbeOutcome::Passed);
}

#[test]
fn a_refusal_fails() {
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ProbeOutcome::Failed(why) = outcome(tcp("", ""), addr) else { panic!("passed") };
    assert!(why.contains("refused"), "{why}");
}

#[test]
fn a_reply_may_come_in_pieces_and_be_longer_than_expected() {
    let (outcome, sent) = probed(tcp("PING\n", "+PONG"), "PING\n", &["+P", "ONG and more"]);
    assert_eq!((outcome, &*sent), (ProbeOutcome::Passed, "PING\n"));
}

#[test]
fn the_first_byte_that_differs_fails_without_waiting_for_more() {
    let (outcome, _) = probed(tcp("PING\n", "+PONG and a long tail"), "PING\n", &["-ERR"]);
    assert!(matches!(outcome, ProbeOutcome::Failed(why) if why.contains("-ERR")));
}

#[test]
fn silence_times_out() {
    let silent = HealthCheck { timeout: Duration::from_millis(50), ..tcp("PING\n", "+PONG") };
    assert_eq!(probed(silent, "PING\n", &[]).0, ProbeOutcome::TimedOut);
}

#[test]
fn an_http_status_within_the_ranges_passes_and_others_fail() {
    let ask = |status: &'static str| probed(http("/up?x=1", &[(200, 204), (418, 418)]), "\r\n\r\n", &[status]);
    let (outcome, asked) = ask("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(outcome, ProbeOutcome::Passed);
    assert!(asked.starts_with("GET /up?x=1 HTTP/1.1\r\nhost: 127.0.0.1:"), "{asked}");
    assert_eq!(ask("HTTP/1.1 418 Teapot\r\ncontent-length: 9999999\r\n\r\n").0, ProbeOutcome::Passed);
    assert_eq!(ask("HTTP/1.1 503 Busy\r\n\r\n").0, ProbeOutcome::Failed("status 503".to_owned()));
    assert!(matches!(ask("+PONG\r\n").0, ProbeOutcome::Failed(_)));
}
