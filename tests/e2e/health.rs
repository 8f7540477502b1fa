//! Active checks: verdicts after their thresholds, and what traffic does meanwhile.

use crate::harness::{
    DEADLINE, Forebay, Launch, Stopwatch, Target, TargetKind, ask, echo_once, eventually, list, sees_reset,
};
use serde_json::json;
use std::net::TcpListener;
use std::time::Duration;

/// A connect that fails before the verdict also counts as a passive failure: its ejection is to be over soon.
const ROUND_ROBIN: &str = "balance = \"round_robin\"\noutlier = { base_ejection = \"1s\" }";

const FAST: &str = "interval = \"200ms\", timeout = \"200ms\", fast_interval = \"50ms\"";

fn config(targets: &str, check: &str, more: &str) -> String {
    format!(
        "[runtime]\nworkers = 1\n[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n[target_groups.web]\n\
         targets = [{targets}]\n{more}\nhealth_check = {{ {check}, {FAST} }}\n"
    )
}

#[test]
fn tcp_check_follows_a_target_down_and_up() {
    let mut target = Target::named("a");
    let id = target.addr().to_string();
    let forebay = Forebay::start(&config(&format!("\"{id}\""), "protocol = \"tcp\"", ""));
    assert_eq!(forebay.target("web", &id)["health"], "healthy", "ready means: every target has its verdict");
    assert_eq!(forebay.count("forebay_target_healthy", &[("target", &id)]), 1);
    target.kill();
    forebay.await_target("web", &id, "health", &"unhealthy".into());
    assert_eq!(forebay.target("web", &id)["reason"], "unhealthy");
    assert_eq!(forebay.count("forebay_target_healthy", &[("target", &id)]), 0);
    target.revive();
    forebay.await_target("web", &id, "health", &"healthy".into());
    assert!(forebay.count("forebay_probes_total", &[("target", &id)]) >= 6);
}

/// Two failures are not three; the third flips the verdict, and two passes flip it back.
#[test]
fn verdict_flips_exactly_at_its_threshold() {
    let (target, health) = (Target::named("a"), Target::new(TargetKind::Http, "health"));
    let id = target.addr().to_string();
    let check = format!("protocol = \"http\", port = {}", health.addr().port());
    let forebay = Forebay::start(&config(&format!("\"{id}\""), &check, "fail_open_below = \"never\""));
    let answered_since = |start: usize| health.answered() - start;
    for round in 0..3 {
        // At most two failures at a time: the first goes out, then the answer is right again before the third can come.
        let start = health.answered();
        health.set_status(503);
        eventually("one failure was answered", || answered_since(start) >= 1);
        health.set_status(200);
        let failures = answered_since(start);
        let passes = health.answered();
        eventually("passes followed", || health.answered() >= passes + 3);
        if failures < 3 {
            assert_eq!(forebay.target("web", &id)["health"], "healthy", "round {round}: {failures} failures");
        }
    }
    health.set_status(503);
    forebay.await_target("web", &id, "health", &"unhealthy".into());
    assert!(ask(forebay.addr("web")).is_reset());
    health.set_status(399);
    forebay.await_target("web", &id, "health", &"healthy".into());
    assert!(ask(forebay.addr("web")).is_served());
}

#[test]
fn http_check_accepts_the_expected_status_only() {
    let (target, health) = (Target::named("a"), Target::new(TargetKind::Http, "health"));
    let id = target.addr().to_string();
    let check =
        format!("protocol = \"http\", port = {}, expect_status = \"204\", path = \"/live\"", health.addr().port());
    health.set_status(204);
    let forebay = Forebay::start(&config(&format!("\"{id}\""), &check, ""));
    assert_eq!(forebay.target("web", &id)["health"], "healthy");
    health.set_status(200);
    forebay.await_target("web", &id, "health", &"unhealthy".into());
    health.set_status(0);
    let before = health.accepted();
    eventually("probes went unanswered", || health.accepted() >= before + 3);
    assert_eq!(forebay.target("web", &id)["health"], "unhealthy", "no answer is a failure");
    health.set_status(204);
    forebay.await_target("web", &id, "health", &"healthy".into());
}

#[test]
fn send_and_expect_decide_on_what_comes_back() {
    let health = Target::new(TargetKind::Line, "PONG");
    let target = Target::named("a");
    let id = target.addr().to_string();
    let check = format!("send = \"PING\\r\\n\", expect = \"+PONG\", port = {}", health.addr().port());
    let forebay = Forebay::start(&config(&format!("\"{id}\""), &check, ""));
    assert_eq!(forebay.target("web", &id)["health"], "healthy");
    health.rename("LOADING");
    forebay.await_target("web", &id, "health", &"unhealthy".into());
    health.rename("PONG and more");
    forebay.await_target("web", &id, "health", &"healthy".into());
}

/// Until its first answer a target counts as unhealthy; then one success is enough.
#[test]
fn first_answer_decides_and_readiness_waits_for_it() {
    let (slow, fast) = (Target::named("slow"), Target::named("fast"));
    let health = Target::new(TargetKind::Http, "health");
    health.set_status(0);
    let forebay = Launch::new(&format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n[listeners.other]\n\
         bind = \"127.0.0.1:0\"\ntarget_group = \"other\"\n\
         [target_groups.web]\ntargets = [\"{}\"]\nfail_open_below = \"never\"\n\
         health_check = {{ protocol = \"http\", port = {}, interval \
         = \"3s\", timeout = \"3s\", healthy_threshold = 3 }}\n\
         [target_groups.other]\ntargets = [\"{}\"]\n",
        slow.addr(),
        health.addr().port(),
        fast.addr()
    ))
    .start_unready();
    let id = slow.addr().to_string();
    assert_eq!(forebay.get("/readyz").status, 503, "the first verdict is missing");
    assert_eq!(forebay.target("web", &id)["health"], "initial");
    assert_eq!(forebay.target("web", &id)["reason"], "initial");
    let watch = Stopwatch::start();
    forebay.await_target("web", &id, "health", &"unhealthy".into());
    health.set_status(200);
    eventually("ready at the latest timeout + 1 s after the start", || forebay.get("/readyz").status == 200);
    assert!(watch.elapsed() < Duration::from_secs(5));
    forebay.await_target("web", &id, "health", &"healthy".into());
}

/// Clients notice nothing: a connect is retried before the verdict, and the target is left out after it.
#[test]
fn killed_target_costs_no_client_an_error() {
    let mut targets = [Target::named("a"), Target::named("b"), Target::named("c")];
    let forebay = Forebay::start(&config(&list(&targets), "protocol = \"tcp\"", ROUND_ROBIN));
    let (addr, id) = (forebay.addr("web"), targets[1].addr().to_string());
    let clients = |count: usize| {
        for number in 0..count {
            let answer = ask(addr);
            assert!(answer.is_served(), "client {number}: {answer:?}");
            echo_once(&answer.stream()).unwrap();
        }
    };
    clients(30);
    eventually("no session is on the target to be killed", || targets[1].open() == 0);
    targets[1].kill();
    clients(100);
    forebay.await_target("web", &id, "eligible", &false.into());
    let failures = forebay.target("web", &id)["connect_failures"].as_u64().unwrap();
    assert!(failures >= 1, "the first ones went there and were retried");
    clients(60);
    assert_eq!(forebay.target("web", &id)["connect_failures"], failures, "after the verdict nobody goes there");
    targets[1].revive();
    let revived = &targets[1];
    let before = revived.accepted();
    eventually("the revived target gets clients, and again nobody sees an error", || {
        clients(3);
        forebay.target("web", &id)["eligible"] == true
    });
    clients(30);
    assert!(revived.accepted() > before);
}

#[test]
fn sessions_of_an_unhealthy_target_are_kept_by_default_and_reset_when_asked() {
    for (policy, kept) in [("auto", true), ("keep", true), ("reset", false)] {
        let (target, health) = (Target::named("a"), Target::new(TargetKind::Http, "health"));
        let id = target.addr().to_string();
        let check = format!("protocol = \"http\", port = {}", health.addr().port());
        let forebay = Forebay::start(&config(&format!("\"{id}\""), &check, &format!("on_unhealthy = \"{policy}\"")));
        let stream = ask(forebay.addr("web")).stream();
        health.set_status(500);
        forebay.await_target("web", &id, "health", &"unhealthy".into());
        if kept {
            echo_once(&stream).unwrap_or_else(|error| panic!("{policy}: {error}"));
        } else {
            sees_reset(&stream).unwrap_or_else(|error| panic!("{policy}: {error}"));
            let line = forebay.access_log(1).remove(0);
            assert_eq!((&line["close_reason"], &line["closed_by"]), (&json!("unhealthy"), &json!("forebay")));
        }
        drop(stream);
    }
}

/// A reload carries health and load over, by the target's id.
#[test]
fn reload_carries_health_over() {
    let (target, health) = (Target::named("a"), Target::new(TargetKind::Http, "health"));
    let check = format!("protocol = \"http\", port = {}", health.addr().port());
    let table = format!("{{ id = \"t\", address = \"{}\" }}", target.addr());
    let forebay = Forebay::start(&config(&table, &check, "fail_open_below = \"never\""));
    let held = ask(forebay.addr("web"));
    health.set_status(500);
    forebay.await_target("web", "t", "health", &"unhealthy".into());
    // From here on the probe does not answer in time: nothing but carried state can say "unhealthy" at once.
    forebay.reload_with(&config(&table, &check, "fail_open_below = \"never\"\nmax_connections = 9"));
    let shown = forebay.target("web", "t");
    assert_eq!((&shown["health"], &shown["active"]), (&json!("unhealthy"), &json!(1)), "{shown}");
    assert!(ask(forebay.addr("web")).is_reset());
    echo_once(&held.stream()).unwrap();
}

/// A checker leaves nothing behind: each probe is one connection that ends.
#[test]
fn probes_close_their_connections() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let forebay = Forebay::start(&config(&format!("\"{}\"", target.local_addr().unwrap()), "protocol = \"tcp\"", ""));
    for _probe in 0..5 {
        let (stream, _from) = target.accept().unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut byte = [0];
        let end = std::io::Read::read(&mut &stream, &mut byte);
        assert!(matches!(end, Ok(0)) || end.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    }
    assert_eq!(forebay.target("web", &target.local_addr().unwrap().to_string())["health"], "healthy");
}
