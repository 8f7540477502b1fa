//! Changing the configuration of a running balancer.

use crate::harness::{Forebay, Target, ask, echo_once, eventually, list};
use serde_json::json;

fn config(targets: &str, more: &str) -> String {
    format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n{more}\n[target_groups.web]\n\
         targets = [{targets}]\n"
    )
}

#[test]
fn good_reload_by_signal_is_taken_over_and_hurts_no_session() {
    let targets = [Target::named("a"), Target::named("b")];
    let forebay = Forebay::start(&config(&list(&targets[..1]), ""));
    let (addr, before) = (forebay.addr("web"), forebay.generation());
    let held = ask(addr).stream();
    forebay.rewrite_config(&config(&list(&targets[1..]), ""));
    forebay.signal("HUP");
    eventually("the new generation serves", || forebay.generation() > before);
    assert_eq!(forebay.addr("web"), addr, "an unchanged listener keeps its sockets");
    assert_eq!(ask(addr).name(), "b");
    echo_once(&held).unwrap();
    let status = forebay.json("/v1/status");
    assert_eq!((&status["last_reload"]["ok"], &status["differs_from_file"]), (&json!(true), &json!(false)));
    assert_eq!(forebay.count("forebay_config_last_reload_successful", &[]), 1);
    assert_eq!(forebay.metric("forebay_config_generation", &[]).to_string(), status["generation"].to_string());
}

#[test]
fn bad_reload_changes_nothing_and_says_what_is_wrong() {
    let targets = [Target::named("a")];
    let good = config(&list(&targets), "");
    let forebay = Forebay::start(&good);
    let (before, addr) = (forebay.generation(), forebay.addr("web"));
    let held = ask(addr).stream();
    let bad = good.replace("target_group = \"web\"", "target_group = \"wbe\"\nfall = 3\nbacklog = \"many\"");
    forebay.rewrite_config(&bad);
    let reply = forebay.reload();
    let body = reply.json();
    assert_eq!((reply.status, &body["error"]["code"]), (422, &json!("config_invalid")), "{body}");
    let details = body["error"]["details"].as_array().unwrap();
    assert_eq!(details.len(), 3, "every problem in one go: {body}");
    let file = forebay.config_file().to_str().unwrap();
    for (line, detail) in (3..).zip(details) {
        assert_eq!(
            (&detail["severity"], &detail["file"], &detail["line"]),
            (&json!("error"), &json!(file), &json!(line))
        );
        assert!(detail["column"].as_u64().unwrap() >= 1 && detail["message"].is_string() && detail["code"].is_string());
    }
    assert_eq!((&details[0]["column"], &details[0]["hint"]), (&json!(16), &json!("web")), "{body}");
    forebay.signal("HUP");
    let place = format!("{file}:3:16");
    eventually("the log names the place", || {
        forebay.stderr().contains(&place) || forebay.stderr().contains("forebay.toml:3:16")
    });
    let status = forebay.json("/v1/status");
    assert_eq!(
        (status["generation"].as_u64(), &status["last_reload"]["ok"]),
        (Some(before), &json!(false)),
        "{status}"
    );
    assert!(!status["last_reload"]["message"].as_str().unwrap().is_empty());
    assert_eq!(forebay.count("forebay_config_last_reload_successful", &[]), 0);
    echo_once(&held).unwrap();
    assert_eq!(ask(addr).name(), "a");
    std::fs::remove_file(forebay.config_file()).unwrap();
    assert_ne!(forebay.reload().status, 200);
    assert_eq!(ask(addr).name(), "a");
}

/// A reload that cannot bind is refused whole.
#[test]
fn reload_onto_a_taken_port_is_refused_and_binds_nothing() {
    let targets = [Target::named("a"), Target::named("b")];
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let good = config(&list(&targets[..1]), "");
    let forebay = Forebay::start(&good);
    let (before, addr) = (forebay.generation(), forebay.addr("web"));
    let bad = config(&list(&targets[1..]), "")
        + &format!(
            "[listeners.early]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n[listeners.taken]\nbind = \"{}\"\n\
             target_group = \"web\"\n",
            taken.local_addr().unwrap()
        );
    forebay.rewrite_config(&bad);
    let reply = forebay.reload();
    assert!(reply.status >= 400, "{reply:?}");
    assert_eq!(forebay.generation(), before);
    assert_eq!(ask(addr).name(), "a", "nothing is half published");
    assert_eq!(forebay.json("/v1/listeners")["listeners"].as_array().unwrap().len(), 1);
}

#[test]
fn keys_that_need_a_restart_are_listed_and_the_rest_is_taken_over() {
    let targets = [Target::named("a"), Target::named("b")];
    let forebay = Forebay::start(&(config(&list(&targets[..1]), "") + "[runtime]\nworkers = 2\n"));
    forebay.reload_with(&(config(&list(&targets[1..]), "") + "[runtime]\nworkers = 1\n"));
    let status = forebay.json("/v1/status");
    assert_eq!((&status["workers"], &status["last_reload"]["ok"]), (&json!(2), &json!(true)));
    assert!(status["pending_restart"].to_string().contains("workers"), "{status}");
    assert_eq!(ask(forebay.addr("web")).name(), "b");
}

#[test]
fn listeners_come_and_go_while_others_serve() {
    let targets = [Target::named("a")];
    let forebay = Forebay::start(&config(&list(&targets), ""));
    let addr = forebay.addr("web");
    for round in 0..5 {
        let extra = format!("[listeners.extra{round}]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n");
        forebay.reload_with(&(config(&list(&targets), "") + &extra));
        assert_eq!(ask(forebay.addr(&format!("extra{round}"))).name(), "a");
        assert_eq!(ask(addr).name(), "a");
    }
    forebay.reload_with(&config(&list(&targets), ""));
    assert_eq!(forebay.addr("web"), addr);
}

/// A reload returns to the file what was changed at run time, and says so; `keep_changes` keeps it.
#[test]
fn reload_undoes_runtime_changes_unless_told_to_keep_them() {
    let targets = [Target::named("a"), Target::named("b")];
    let forebay = Forebay::start(&config(&list(&targets), ""));
    let id = targets[0].addr().to_string();
    forebay.patch("web", &id, "{\"weight\":5}");
    assert_eq!(forebay.json("/v1/status")["differs_from_file"], true);
    let reply = forebay.send("POST", "/v1/reload?keep_changes=true", "");
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(forebay.target("web", &id)["weight"], 5);
    let answer = forebay.reload();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.json()["discarded"].as_array().is_some_and(|list| list.len() == 1), "{answer:?}");
    assert_eq!(forebay.target("web", &id)["weight"], 1);
    assert_eq!(forebay.json("/v1/status")["differs_from_file"], false);
}

#[test]
fn counters_never_go_back() {
    let targets = [Target::named("a")];
    let forebay = Forebay::start(&config(&list(&targets), ""));
    for _client in 0..5 {
        assert!(ask(forebay.addr("web")).is_served());
    }
    eventually("all have ended", || forebay.count("forebay_connections_closed_total", &[("listener", "web")]) == 5);
    let counters = || {
        let samples = forebay.samples();
        let counters = samples.into_iter().filter(|sample| sample.name.ends_with("_total"));
        counters
            .map(|sample| ((sample.name, sample.labels), sample.value))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let before = counters();
    forebay.reload_with(&config(&list(&targets), "max_connections = 100"));
    let after = counters();
    for (series, value) in before {
        assert!(
            after.get(&series).is_some_and(|now| *now >= value),
            "{series:?} was {value}, is {:?}",
            after.get(&series)
        );
    }
}
