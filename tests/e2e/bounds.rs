//! Caps hold exactly, refusals are resets with their own count, and who may not come in does not.

use crate::harness::{Answer, Exit, Forebay, Launch, Target, ask, ask_from, eventually, list};
use std::net::{IpAddr, SocketAddr};

/// Opens `count` sessions one after the other.
fn open(addr: SocketAddr, count: usize) -> Vec<Answer> {
    (0..count).map(|_| ask(addr)).collect()
}

fn served(answers: &[Answer]) -> usize {
    assert!(answers.iter().all(|answer| answer.is_served() || answer.is_reset()), "a refusal is a reset: {answers:?}");
    answers.iter().filter(|answer| answer.is_served()).count()
}

/// Of eight, five are served; a place that becomes free is used again.
fn five_fit(text: &str) {
    let forebay = Forebay::start(text);
    let addr = forebay.addr("web");
    let mut answers = open(addr, 8);
    assert_eq!(served(&answers), 5);
    assert!(answers[..5].iter().all(Answer::is_served), "the first five");
    assert_eq!(forebay.refused("web", "max_connections"), 3);
    assert_eq!(forebay.count("forebay_connections_active", &[("listener", "web")]), 5);
    answers.remove(0);
    eventually("the place is free", || forebay.count("forebay_connections_active", &[("listener", "web")]) == 4);
    let mut more = open(addr, 2);
    assert_eq!(served(&more), 1);
    answers.append(&mut more);
    assert_eq!(
        forebay.count("forebay_connections_total", &[("listener", "web")]),
        6,
        "refusals are in refused_total only"
    );
}

fn config(runtime: &str, listener: &str, group: &str, targets: &str) -> String {
    format!(
        "[runtime]\n{runtime}\n[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n{listener}\n\
         [target_groups.web]\ntargets = [{targets}]\n{group}\n"
    )
}

#[test]
fn process_bound_is_exact() {
    let targets = [Target::named("a")];
    five_fit(&config("max_connections = 5", "", "", &list(&targets)));
}

#[test]
fn listener_bound_is_exact() {
    let targets = [Target::named("a")];
    five_fit(&config("", "max_connections = 5", "", &list(&targets)));
}

#[test]
fn group_bound_is_exact() {
    let targets = [Target::named("a"), Target::named("b")];
    five_fit(&config("", "", "max_connections = 5", &list(&targets)));
}

#[test]
fn target_bounds_are_exact_and_a_full_target_is_skipped() {
    let (a, b) = (Target::named("a"), Target::named("b"));
    let tables = format!(
        "{{ address = \"{}\", max_connections = 2 }}, {{ address = \"{}\", max_connections = 3 }}",
        a.addr(),
        b.addr()
    );
    for balance in ["least_connections", "maglev", "round_robin", "random", "power_of_two"] {
        five_fit(&config("", "", &format!("balance = \"{balance}\""), &tables));
        eventually("both are empty", || a.open() + b.open() == 0);
    }
    assert_eq!(a.accepted() + b.accepted(), 5 * 6);
}

#[test]
fn bounds_hold_when_everybody_comes_at_once() {
    let targets = [Target::named("a"), Target::named("b")];
    let tables: Vec<_> =
        targets.iter().map(|t| format!("{{ address = \"{}\", max_connections = 15 }}", t.addr())).collect();
    for (runtime, listener, group, most) in [
        ("max_connections = 20", "", "", 20),
        ("", "max_connections = 20", "", 20),
        ("", "", "max_connections = 20", 20),
        ("", "", "", 30),
    ] {
        let forebay = Forebay::start(&config(runtime, listener, group, &tables.join(", ")));
        let addr = forebay.addr("web");
        let answers: Vec<_> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..60).map(|_| scope.spawn(|| ask(addr))).collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        assert_eq!(served(&answers), most, "{runtime} {listener} {group}");
        assert_eq!(forebay.refused("web", "max_connections"), 60 - most);
        assert!(targets.iter().all(|target| target.open() <= 15));
    }
}

#[test]
fn a_bound_may_change_while_sessions_run() {
    let targets = [Target::named("a")];
    let text = |most: u32| config("", &format!("max_connections = {most}"), "", &list(&targets));
    let forebay = Forebay::start(&text(0));
    let addr = forebay.addr("web");
    let answers = open(addr, 6);
    assert_eq!(served(&answers), 6, "0 is no bound");
    forebay.reload_with(&text(7));
    assert_eq!(served(&open(addr, 1)), 1, "six of seven were taken: sessions from before count");
    forebay.reload_with(&text(3));
    assert!(ask(addr).is_reset());
    drop(answers);
    eventually("all have ended", || forebay.count("forebay_connections_active", &[("listener", "web")]) == 0);
    assert_eq!(served(&open(addr, 4)), 3);
}

#[test]
fn allow_and_deny_decide_who_comes_in() {
    let targets = [Target::named("a")];
    let forebay = Forebay::start(&config(
        "",
        "allow = [\"127.0.4.0/24\", \"127.0.5.1\"]\ndeny = [\"127.0.4.128/25\", \"127.0.0.0/8\"]",
        "",
        &list(&targets),
    ));
    assert!(ask_from("127.0.4.1".parse().unwrap(), forebay.addr("web")).is_reset(), "deny wins whatever is longer");
    let text =
        config("", "allow = [\"127.0.4.0/24\", \"127.0.5.1\"]\ndeny = [\"127.0.4.128/25\"]", "", &list(&targets));
    forebay.reload_with(&text);
    let cases = [
        ("127.0.4.1", true),
        ("127.0.4.127", true),
        ("127.0.4.128", false),
        ("127.0.4.255", false),
        ("127.0.5.1", true),
        ("127.0.5.2", false),
        ("127.0.0.1", false),
    ];
    for (source, comes_in) in cases {
        let answer = ask_from(source.parse::<IpAddr>().unwrap(), forebay.addr("web"));
        assert_eq!(answer.is_served(), comes_in, "{source}: {answer:?}");
        assert!(answer.is_served() || answer.is_reset());
    }
    assert_eq!(forebay.refused("web", "denied"), 5);
    assert_eq!(targets[0].accepted(), 3, "who is denied reaches no target");
}

#[test]
fn ipv4_prefixes_hold_on_a_dual_stack_listener() {
    let targets = [Target::named("a")];
    let text = config("", "deny = [\"127.0.6.0/24\", \"::1\"]", "", &list(&targets)).replace("127.0.0.1:0", "[::]:0");
    let forebay = Forebay::start(&text);
    let port = forebay.addr("web").port();
    let v4 = SocketAddr::from(([127, 0, 0, 1], port));
    assert!(ask_from("127.0.6.1".parse().unwrap(), v4).is_reset());
    assert!(ask_from("127.0.7.1".parse().unwrap(), v4).is_served());
    assert!(ask(format!("[::1]:{port}").parse().unwrap()).is_reset());
}

#[test]
fn a_bound_that_the_descriptor_limit_cannot_hold_does_not_start() {
    let targets = [Target::named("a")];
    let text = config("max_connections = 1000", "", "", &list(&targets));
    let Exit { code, stderr } = Launch::new(&text).through(&["prlimit", "--nofile=256:256"]).run_to_exit();
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains("max_connections"), "{stderr}");
    let forebay = Launch::new(&config("", "", "", &list(&targets))).through(&["prlimit", "--nofile=256:256"]).start();
    let most = forebay.json("/v1/status")["limits"]["max_connections"].as_u64().unwrap();
    assert!((50..=127).contains(&most), "two descriptors each, less a reserve: {most}");
}

/// An empty group is no reason to fall over.
#[test]
fn a_group_without_targets_refuses() {
    let targets = [Target::named("a")];
    let forebay = Forebay::start(&config("", "", "", &list(&targets)));
    forebay.patch("web", &targets[0].addr().to_string(), "{\"weight\":0}");
    assert!(ask(forebay.addr("web")).is_reset());
    assert_eq!(forebay.refused("web", "no_target"), 1);
}
