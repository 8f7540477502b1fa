//! Connects that fail, and what is tried instead.

use crate::harness::{
    DEADLINE, Forebay, FullListener, Stopwatch, Target, ask, connect, eventually, refused_addr, sees_reset,
};
use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

fn config(targets: &str, connect: &str, more: &str) -> String {
    format!(
        "[runtime]\nworkers = 1\n[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n[target_groups.web]\n\
         targets = [{targets}]\nbalance = \"round_robin\"\n{more}\nconnect = {{ {connect} }}\n\
         outlier = {{ consecutive_failures = 1000 }}\n"
    )
}

#[test]
fn refused_everywhere_resets_the_client_after_all_attempts() {
    let dead: Vec<_> = (0..4).map(|_| refused_addr()).collect();
    let list = dead.iter().map(|(addr, _held)| format!("\"{addr}\"")).collect::<Vec<_>>().join(", ");
    let forebay = Forebay::start(&config(&list, "", ""));
    assert!(ask(forebay.addr("web")).is_reset());
    let line = forebay.access_log(1).remove(0);
    assert_eq!(
        (line["close_reason"].as_str(), line["attempts"].as_u64()),
        (Some("connect_refused"), Some(3)),
        "{line}"
    );
    assert_eq!(
        forebay.count("forebay_target_connect_failures_total", &[("reason", "refused")]),
        3,
        "three distinct targets"
    );
    for (addr, _held) in &dead {
        assert!(forebay.count("forebay_target_connect_failures_total", &[("target", &addr.to_string())]) <= 1);
    }
}

/// The only target is tried again, after 100 ms and 200 ms.
#[test]
fn only_target_is_tried_again_after_a_growing_wait() {
    let (dead, _held) = refused_addr();
    let forebay = Forebay::start(&config(&format!("\"{dead}\""), "", ""));
    let watch = Stopwatch::start();
    assert!(ask(forebay.addr("web")).is_reset());
    let took = watch.elapsed().as_millis();
    assert!((280..1_500).contains(&took), "{took} ms");
    assert_eq!(forebay.access_log(1)[0]["attempts"], 3);
}

#[test]
fn number_of_attempts_is_as_configured() {
    let dead: Vec<_> = (0..5).map(|_| refused_addr()).collect();
    let list = dead.iter().map(|(addr, _held)| format!("\"{addr}\"")).collect::<Vec<_>>().join(", ");
    for attempts in [1, 2, 5] {
        let forebay = Forebay::start(&config(&list, &format!("attempts = {attempts}"), ""));
        assert!(ask(forebay.addr("web")).is_reset());
        assert_eq!(forebay.access_log(1)[0]["attempts"], attempts);
    }
}

#[test]
fn target_that_never_answers_is_given_up_after_its_timeout_and_another_is_tried() {
    let (full, live) = (FullListener::new(), Target::named("live"));
    let forebay =
        Forebay::start(&config(&format!("\"{}\", \"{}\"", full.addr(), live.addr()), "timeout = \"400ms\"", ""));
    for _client in 0..2 {
        assert_eq!(ask(forebay.addr("web")).name(), "live");
    }
    let lines = forebay.access_log(2);
    let retried: Vec<_> = lines.iter().filter(|line| line["attempts"] == 2).collect();
    assert!(!retried.is_empty(), "one of two clients was sent to the first target: {lines:?}");
    let took = retried[0]["connect_ms"].as_f64().unwrap();
    assert!((380.0..2_000.0).contains(&took), "from accept to connected: {took} ms");
    let labels = [("target", full.addr().to_string()), ("reason", "timeout".to_owned())];
    let labels: Vec<_> = labels.iter().map(|(key, value)| (*key, value.as_str())).collect();
    assert_eq!(forebay.count("forebay_target_connect_failures_total", &labels), retried.len());
}

#[test]
fn all_attempts_together_end_at_the_deadline() {
    let full = FullListener::new();
    let forebay =
        Forebay::start(&config(&format!("\"{}\"", full.addr()), "timeout = \"800ms\", deadline = \"1s\"", ""));
    let watch = Stopwatch::start();
    assert!(ask(forebay.addr("web")).is_reset());
    let took = watch.elapsed().as_millis();
    assert!((900..2_200).contains(&took), "{took} ms");
    assert_eq!(forebay.access_log(1)[0]["close_reason"], "connect_timeout");
}

/// Early bytes of the client wait for the target and are not lost by a retry.
#[test]
fn bytes_sent_before_the_connect_succeeds_reach_the_second_target() {
    let ((dead, _held), live) = (refused_addr(), TcpListener::bind("127.0.0.1:0").unwrap());
    let forebay = Forebay::start(&config(&format!("\"{dead}\", \"{}\"", live.local_addr().unwrap()), "", ""));
    for _both_orders in 0..2 {
        let mut client = connect(forebay.addr("web"));
        client.write_all(b"early bird").unwrap();
        let (far, _from) = live.accept().unwrap();
        far.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut got = [0; 10];
        std::io::Read::read_exact(&mut &far, &mut got).unwrap();
        assert_eq!(&got, b"early bird");
    }
    assert!(forebay.count("forebay_target_connect_failures_total", &[("reason", "refused")]) >= 1);
}

/// Of many connects that fail together only the budget's share is tried again: no storm on what is still up.
#[test]
fn retry_budget_bounds_a_storm() {
    let full = [FullListener::new(), FullListener::new(), FullListener::new()];
    let list = full.iter().map(|full| format!("\"{}\"", full.addr())).collect::<Vec<_>>().join(", ");
    let forebay = Forebay::start(&config(&list, "timeout = \"700ms\", deadline = \"5s\"", ""));
    let clients: Vec<_> = (0..60).map(|_| connect(forebay.addr("web"))).collect();
    for client in &clients {
        sees_reset(client).unwrap();
    }
    drop(clients);
    let lines = forebay.access_log(60);
    let attempts: u64 = lines.iter().map(|line| line["attempts"].as_u64().unwrap()).sum();
    // 60 first attempts; without a budget 120 more. With one, at most a fifth of those in flight, and never under
    // three.
    assert!((63..=100).contains(&attempts), "{attempts} attempts");
    assert_eq!(
        forebay.count("forebay_target_connect_failures_total", &[("reason", "timeout")]),
        usize::try_from(attempts).unwrap()
    );
}

#[test]
fn a_few_connects_may_always_be_retried() {
    let (full, live) = (FullListener::new(), Target::named("live"));
    let text =
        config(&format!("\"{}\", \"{}\"", full.addr(), live.addr()), "timeout = \"400ms\", retry_budget = \"0%\"", "");
    let forebay = Forebay::start(&text);
    let addr = forebay.addr("web");
    let names: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..6).map(|_| scope.spawn(|| ask(addr).name().to_owned())).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert!(names.iter().all(|name| name == "live"), "three retries at a time are always allowed: {names:?}");
}

/// Under Maglev the retry goes where explain says the key goes when the first choice is out.
#[test]
fn maglev_retries_in_probe_order() {
    let mut targets = [Target::named("a"), Target::named("b"), Target::named("c"), Target::named("d")];
    let text = config(&crate::harness::list(&targets), "", "").replace("round_robin", "maglev");
    let forebay = Forebay::start(&text);
    let addr = forebay.addr("web");
    let first = ask(addr).name().to_owned();
    let at = targets.iter().position(|target| target.open() > 0 || target.accepted() > 0).unwrap();
    let id = targets[at].addr().to_string();
    forebay.patch("web", &id, "{\"state\":\"draining\"}");
    let second = ask(addr).name().to_owned();
    forebay.patch("web", &id, "{\"state\":\"enabled\"}");
    eventually("it is first choice again", || ask(addr).name() == first);
    targets[at].kill();
    assert_eq!(ask(addr).name(), second);
}

#[test]
fn sessions_survive_while_their_listener_is_busy_failing() {
    let ((dead, _held), live) = (refused_addr(), Target::named("live"));
    let forebay = Forebay::start(&config(&format!("\"{}\", \"{dead}\"", live.addr()), "timeout = \"200ms\"", ""));
    let held = ask(forebay.addr("web")).stream();
    for _client in 0..30 {
        assert!(ask(forebay.addr("web")).is_served());
        crate::harness::echo_once(&held).unwrap();
    }
    crate::harness::within(Duration::from_secs(5), "all but the held one have ended", || live.open() == 1);
}
