//! Taking targets and listeners out of service without hurting who is on them.

use crate::harness::{
    Forebay, Stopwatch, Target, TargetKind, ask, connect, echo_once, eventually, list, sees_fin, sees_reset, within,
};
use serde_json::json;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

fn config(targets: &str, more: &str) -> String {
    format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n[target_groups.web]\n\
         targets = [{targets}]\n{more}\n"
    )
}

#[test]
fn draining_target_gets_no_new_work_and_keeps_its_old() {
    let targets = [Target::named("a"), Target::named("b")];
    let forebay = Forebay::start(&config(&list(&targets), ""));
    let held: Vec<_> = (0..10).map(|_| ask(forebay.addr("web"))).collect();
    let id = targets[0].addr().to_string();
    let before = forebay.generation();
    let answer = forebay.patch("web", &id, "{\"state\":\"draining\"}");
    assert_eq!((&answer["changed"], answer["generation"].as_u64().unwrap()), (&json!(true), before + 1));
    assert_eq!(forebay.patch("web", &id, "{\"state\":\"draining\"}")["changed"], false, "changes are idempotent");
    for _client in 0..20 {
        assert_eq!(ask(forebay.addr("web")).name(), "b");
    }
    assert_eq!(forebay.target("web", &id)["reason"], "draining");
    assert_eq!(forebay.target("web", &id)["active"], 5);
    assert_eq!(forebay.count("forebay_target_state", &[("target", &id), ("state", "draining")]), 1);
    for answer in held {
        echo_once(&answer.stream()).unwrap();
    }
    forebay.patch("web", &id, "{\"state\":\"enabled\"}");
    eventually("it serves again", || ask(forebay.addr("web")).name() == "a");
}

/// At the end of a drain: data flushed, FIN both ways, spread over the last fifth.
#[test]
fn drain_timeout_closes_what_is_left_with_fin_and_spread() {
    let target = Target::named("a");
    let spare = Target::named("b");
    let forebay = Forebay::start(&config(
        &format!("\"{}\", {{ address = \"{}\", backup = true }}", target.addr(), spare.addr()),
        "drain_timeout = \"5s\"",
    ));
    let held: Vec<TcpStream> = (0..40).map(|_| ask(forebay.addr("web")).stream()).collect();
    for stream in &held {
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    }
    let watch = Stopwatch::start();
    forebay.patch("web", &target.addr().to_string(), "{\"state\":\"draining\"}");
    assert_eq!(ask(forebay.addr("web")).name(), "b", "new work goes elsewhere at once");
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
    let (first, last) = (ends[0], ends[ends.len() - 1]);
    assert!(first >= Duration::from_millis(3_900), "nothing before the last 20 %: {first:?}");
    assert!(last <= Duration::from_millis(5_700), "all within the timeout: {last:?}");
    assert!(last.saturating_sub(first) >= Duration::from_millis(600), "spread over a second: {first:?} to {last:?}");
    // No burst: in no tenth of that second do more than three tenths of the sessions end.
    let burst = ends.windows(13).map(|some| some[12].saturating_sub(some[0])).min().unwrap();
    assert!(burst >= Duration::from_millis(100), "13 of 40 ended within {burst:?}");
    drop(held);
    let lines = forebay.access_log(41);
    let drained = lines.iter().filter(|line| line["close_reason"] == "drained").collect::<Vec<_>>();
    assert_eq!(drained.len(), 40);
    assert!(drained.iter().all(|line| line["closed_by"] == "forebay"));
}

/// Who does not answer the FIN of a drain is reset five seconds later.
#[test]
fn drained_session_that_does_not_end_is_reset_after_five_seconds() {
    let target = Target::new(TargetKind::Silent, "a");
    let forebay = Forebay::start(&config(&list(std::slice::from_ref(&target)), "drain_timeout = \"1s\""));
    let client = connect(forebay.addr("web"));
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    eventually("the target has it", || target.open() == 1);
    let watch = Stopwatch::start();
    forebay.patch("web", &target.addr().to_string(), "{\"state\":\"draining\"}");
    sees_fin(&client).unwrap();
    assert!(watch.elapsed() < Duration::from_millis(1_600), "FIN at the end of the drain: {:?}", watch.elapsed());
    within(Duration::from_secs(7), "RST five seconds later", || (&client).write_all(b"x").is_err());
    assert!(watch.elapsed() >= Duration::from_millis(5_500), "not before: {:?}", watch.elapsed());
    assert_eq!(forebay.access_log(1)[0]["close_reason"], "drained");
}

#[test]
fn disabling_a_target_closes_its_sessions_at_once() {
    let targets = [Target::named("a"), Target::named("b")];
    let forebay = Forebay::start(&config(&list(&targets), ""));
    let held: Vec<_> = (0..10).map(|_| ask(forebay.addr("web"))).collect();
    let watch = Stopwatch::start();
    forebay.patch("web", &targets[0].addr().to_string(), "{\"state\":\"disabled\"}");
    for answer in held {
        let (name, stream) = (answer.name().to_owned(), answer.stream());
        if name == "a" {
            assert!(sees_reset(&stream).is_ok() || sees_fin(&stream).is_ok());
        } else {
            echo_once(&stream).unwrap();
        }
    }
    assert!(watch.elapsed() < Duration::from_secs(3), "at once: {:?}", watch.elapsed());
    let reasons: Vec<_> =
        forebay.access_log(10).iter().map(|line| line["close_reason"].as_str().unwrap().to_owned()).collect();
    assert_eq!(reasons.iter().filter(|reason| *reason == "admin").count(), 5, "{reasons:?}");
    for _client in 0..5 {
        assert_eq!(ask(forebay.addr("web")).name(), "b");
    }
}

#[test]
fn target_removed_by_a_reload_drains() {
    let targets = [Target::named("a"), Target::named("b")];
    let text = |list: &str| config(list, "drain_timeout = \"2s\"");
    let forebay = Forebay::start(&text(&list(&targets)));
    let held: Vec<_> = (0..4).map(|_| ask(forebay.addr("web"))).collect();
    let watch = Stopwatch::start();
    forebay.reload_with(&text(&list(&targets[1..])));
    for _client in 0..10 {
        assert_eq!(ask(forebay.addr("web")).name(), "b");
    }
    let (on_removed, on_kept): (Vec<_>, Vec<_>) = held.into_iter().partition(|answer| answer.name() == "a");
    assert_eq!((on_removed.len(), on_kept.len()), (2, 2));
    let on_removed: Vec<_> = on_removed.into_iter().map(crate::harness::Answer::stream).collect();
    for stream in &on_removed {
        echo_once(stream).unwrap();
    }
    for stream in &on_removed {
        sees_fin(stream).unwrap();
    }
    assert!((1_500..3_000).contains(&watch.elapsed().as_millis()), "{:?}", watch.elapsed());
    for answer in on_kept {
        echo_once(&answer.stream()).unwrap();
    }
    drop(on_removed);
    eventually("the drained target is gone", || {
        forebay.json("/v1/target_groups/web")["targets"].as_array().unwrap().len() == 1
    });
}

#[test]
fn removed_listener_refuses_the_new_and_keeps_the_old() {
    let target = Target::named("a");
    let both = config(&list(std::slice::from_ref(&target)), "")
        + "[listeners.extra]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n";
    let forebay = Forebay::start(&both);
    let addr = forebay.addr("extra");
    let held = ask(addr).stream();
    forebay.reload_with(&config(&list(std::slice::from_ref(&target)), ""));
    eventually("nobody listens there", || TcpStream::connect(addr).is_err());
    echo_once(&held).unwrap();
    assert!(ask(forebay.addr("web")).is_served());
    drop(held);
    eventually("the session has ended", || target.open() == 0);
    forebay.rebase();
}

#[test]
fn weight_and_state_may_change_together_and_nonsense_is_refused() {
    let targets = [Target::named("a"), Target::named("b")];
    let forebay = Forebay::start(&config(&list(&targets), "balance = \"round_robin\""));
    let id = targets[0].addr().to_string();
    forebay.patch("web", &id, "{\"weight\":0}");
    assert_eq!(forebay.target("web", &id)["reason"], "weight_zero");
    forebay.patch("web", &id, "{\"weight\":7,\"state\":\"disabled\"}");
    let shown = forebay.target("web", &id);
    assert_eq!((&shown["weight"], &shown["state"]), (&json!(7), &json!("disabled")));
    let path = format!("/v1/target_groups/web/targets/{id}");
    for body in ["{\"weight\":1001}", "{\"weight\":-1}", "{\"state\":\"asleep\"}", "{\"wieght\":1}", "{", "[]"] {
        let reply = forebay.send("PATCH", &path, body);
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (400, &json!("bad_request")), "{body}");
    }
    assert_eq!(forebay.send("PATCH", "/v1/target_groups/web/targets/nobody", "{\"weight\":1}").status, 404);
    assert_eq!(forebay.send("PATCH", "/v1/target_groups/nothing/targets/x", "{\"weight\":1}").status, 404);
    assert_eq!(forebay.target("web", &id)["weight"], 7, "a refused change changes nothing");
}
