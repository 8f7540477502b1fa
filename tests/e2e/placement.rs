//! Where connections go, seen by who answers them.

use crate::harness::{Answer, Forebay, Target, TargetKind, ask, ask_from, eventually, list};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn targets(count: usize) -> Vec<Target> {
    NAMES[..count].iter().map(|name| Target::named(name)).collect()
}

/// One listener `web` with one group `web` of these targets; `runtime` and `group` are further lines of their tables.
fn config(runtime: &str, group: &str, targets: &str) -> String {
    format!(
        "[runtime]\n{runtime}\n[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n\
         [target_groups.web]\ntargets = [{targets}]\n{group}\n"
    )
}

fn weighted(targets: &[Target], weights: &[u32]) -> String {
    let table = |(target, weight): (&Target, &u32)| format!("{{ address = \"{}\", weight = {weight} }}", target.addr());
    targets.iter().zip(weights).map(table).collect::<Vec<_>>().join(", ")
}

fn tally(answers: &[Answer]) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for answer in answers {
        *tally.entry(answer.name().to_owned()).or_default() += 1;
    }
    tally
}

fn counts(answers: &[Answer], count: usize) -> Vec<usize> {
    let tally = tally(answers);
    NAMES[..count].iter().map(|name| tally.get(*name).copied().unwrap_or(0)).collect()
}

fn source(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 1, last))
}

#[test]
fn maglev_keeps_a_source_on_its_target_as_explain_foretells() {
    let targets = targets(5);
    let forebay = Forebay::start(&config("workers = 2", "balance = \"maglev\"", &list(&targets)));
    let addr = forebay.addr("web");
    let id_of: BTreeMap<&str, String> =
        NAMES.iter().copied().zip(targets.iter().map(|t| t.addr().to_string())).collect();
    let mut used = BTreeMap::new();
    for last in 1..=40 {
        let explained = forebay.json(&format!("/v1/explain?listener=web&client={}:1", source(last)));
        assert_eq!(
            (&explained["verdict"], &explained["deterministic"]),
            (&"target".into(), &true.into()),
            "{explained}"
        );
        for _again in 0..3 {
            let answer = ask_from(source(last), addr);
            assert_eq!(explained["target"], id_of[answer.name()], "{explained}");
            used.insert(answer.name().to_owned(), ());
        }
    }
    assert_eq!(used.len(), 5, "40 sources reach all of 5 targets");
}

#[test]
fn maglev_by_source_and_port_is_as_explain_foretells() {
    let targets = targets(4);
    let forebay = Forebay::start(&config("", "balance = \"maglev\"\nhash_key = \"source_ip_port\"", &list(&targets)));
    let addr = forebay.addr("web");
    let mut answers = Vec::new();
    for _client in 0..24 {
        let answer = ask(addr);
        let name = answer.name().to_owned();
        let stream = answer.stream();
        let explained = forebay.json(&format!("/v1/explain?listener=web&client={}", stream.local_addr().unwrap()));
        let at = NAMES.iter().position(|n| *n == name).unwrap();
        assert_eq!(explained["target"], targets[at].addr().to_string(), "{explained}");
        answers.push(name);
    }
    answers.sort();
    answers.dedup();
    assert!(answers.len() > 1, "ports alone spread one address");
}

#[test]
fn maglev_by_prefix_keeps_neighbours_together() {
    let targets = targets(5);
    let forebay = Forebay::start(&config("", "balance = \"maglev\"\nhash_key = \"source_prefix\"", &list(&targets)));
    let addr = forebay.addr("web");
    let first = ask_from(source(1), addr).name().to_owned();
    for last in 2..30 {
        assert_eq!(ask_from(source(last), addr).name(), first, "one /24 is one key");
    }
}

#[test]
fn a_target_that_leaves_moves_only_its_own_sources_and_they_come_home() {
    let targets = targets(4);
    let forebay = Forebay::start(&config("", "balance = \"maglev\"", &list(&targets)));
    let addr = forebay.addr("web");
    let map = || (1..=40).map(|last| ask_from(source(last), addr).name().to_owned()).collect::<Vec<_>>();
    let before = map();
    let gone = targets[1].addr().to_string();
    forebay.patch("web", &gone, "{\"state\":\"draining\"}");
    let during = map();
    for (source, (before, during)) in before.iter().zip(&during).enumerate() {
        assert!(if before == "b" { during != "b" } else { during == before }, "source {source}: {before} → {during}");
    }
    forebay.patch("web", &gone, "{\"state\":\"enabled\"}");
    assert_eq!(map(), before);
}

#[test]
fn round_robin_is_exact_with_one_worker() {
    let targets = targets(3);
    let forebay = Forebay::start(&config("workers = 1", "balance = \"round_robin\"", &list(&targets)));
    let answers: Vec<_> = (0..30).map(|_| ask(forebay.addr("web"))).collect();
    assert_eq!(counts(&answers, 3), [10, 10, 10]);
    for three in answers.windows(3) {
        assert_eq!(tally(three).len(), 3, "three in a row are three targets");
    }
}

#[test]
fn weighted_round_robin_is_smooth() {
    let targets = targets(3);
    let forebay = Forebay::start(&config("workers = 1", "balance = \"round_robin\"", &weighted(&targets, &[5, 1, 2])));
    let answers: Vec<_> = (0..64).map(|_| ask(forebay.addr("web"))).collect();
    assert_eq!(counts(&answers, 3), [40, 8, 16]);
    for eight in answers.windows(8) {
        assert_eq!(counts(eight, 3), [5, 1, 2], "every eight in a row have the weights' shares");
    }
}

#[test]
fn least_connections_is_exact_for_sequential_opens_with_two_workers() {
    let targets = targets(4);
    let forebay = Forebay::start(&config("workers = 2", "balance = \"least_connections\"", &list(&targets)));
    let mut answers = Vec::new();
    for opened in 1..=40 {
        answers.push(ask(forebay.addr("web")));
        let counts = counts(&answers, 4);
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(most - least <= 1, "after {opened}: {counts:?}");
    }
}

#[test]
fn least_connections_follows_weights_and_closes() {
    let targets = targets(3);
    let forebay = Forebay::start(&config("workers = 2", "", &weighted(&targets, &[1, 2, 1])));
    let mut answers: Vec<_> = (0..40).map(|_| ask(forebay.addr("web"))).collect();
    assert_eq!(counts(&answers, 3), [10, 20, 10]);
    answers.retain(|answer| answer.name() != "a");
    let emptied = targets[0].addr().to_string();
    forebay.await_target("web", &emptied, "active", &0.into());
    for _new in 0..10 {
        let answer = ask(forebay.addr("web"));
        assert_eq!(answer.name(), "a", "the emptied target is filled up first");
        answers.push(answer);
    }
}

#[test]
fn least_connections_is_exact_for_more_sessions_than_two_workers_accept_in_turn() {
    let targets = targets(2);
    let forebay = Forebay::start(&config("workers = 2", "", &list(&targets)));
    let mut answers: Vec<_> = (0..100).map(|_| ask(forebay.addr("web"))).collect();
    assert_eq!(counts(&answers, 2), [50, 50]);
    answers.clear();
    eventually("all sessions have ended", || forebay.json("/v1/status")["sessions"] == 0);
}

#[test]
fn random_follows_weights() {
    let targets = targets(2);
    let forebay = Forebay::start(&config("", "balance = \"random\"", &weighted(&targets, &[1, 3])));
    let answers: Vec<_> = (0..400).map(|_| ask(forebay.addr("web"))).collect();
    // 400 draws of 3/4: standard deviation 8.7; six of them on either side.
    let heavier = counts(&answers, 2)[1];
    assert!((248..=352).contains(&heavier), "{heavier} of 400");
}

#[test]
fn power_of_two_evens_out_held_sessions() {
    let targets = targets(4);
    let forebay = Forebay::start(&config("workers = 2", "balance = \"power_of_two\"", &list(&targets)));
    let answers: Vec<_> = (0..80).map(|_| ask(forebay.addr("web"))).collect();
    let counts = counts(&answers, 4);
    assert!(counts.iter().all(|count| (14..=26).contains(count)), "{counts:?}");
}

#[test]
fn weight_zero_draining_and_disabled_targets_get_nothing_new() {
    let targets = targets(4);
    let tables = format!(
        "\"{}\", {{ address = \"{}\", weight = 0 }}, {{ address \
         = \"{}\", state = \"draining\" }}, {{ address = \"{}\", state = \"disabled\" }}",
        targets[0].addr(),
        targets[1].addr(),
        targets[2].addr(),
        targets[3].addr()
    );
    let forebay = Forebay::start(&config("", "balance = \"round_robin\"", &tables));
    for _client in 0..12 {
        assert_eq!(ask(forebay.addr("web")).name(), "a");
    }
    for (target, reason) in targets.iter().zip(["ok", "weight_zero", "draining", "disabled"]) {
        assert_eq!(forebay.target("web", &target.addr().to_string())["reason"], reason);
    }
    // Neither do they come back as a last resort.
    forebay.patch("web", &targets[0].addr().to_string(), "{\"state\":\"disabled\"}");
    assert!(ask(forebay.addr("web")).is_reset());
    assert_eq!(forebay.refused("web", "no_target"), 1);
}

const CHECKED: &str = "health_check = { protocol = \"http\", \
port = PORT, interval = \"200ms\", timeout = \"200ms\", fast_interval = \"50ms\" }";

/// A target whose health is asked for elsewhere, so that it can be down and reachable at once.
struct Checked {
    target: Target,
    health: Target,
}

impl Checked {
    fn new(name: &str) -> Self {
        Self { target: Target::named(name), health: Target::new(TargetKind::Http, "health") }
    }

    fn group(&self, name: &str, more: &str) -> String {
        let check = CHECKED.replace("PORT", &self.health.addr().port().to_string());
        format!("[target_groups.{name}]\ntargets = [\"{}\"]\n{check}\n{more}\n", self.target.addr())
    }

    fn id(&self) -> String {
        self.target.addr().to_string()
    }
}

#[test]
fn backups_serve_only_when_no_primary_can() {
    let mut primary = Target::named("primary");
    let backup = Target::named("backup");
    let forebay = Forebay::start(&format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n[target_groups.web]\n\
         targets = [\"{}\", {{ address = \"{}\", backup = true }}]\n\
         health_check = {{ interval = \"200ms\", timeout = \"200ms\", fast_interval = \"50ms\" }}\n",
        primary.addr(),
        backup.addr()
    ));
    let (addr, id) = (forebay.addr("web"), primary.addr().to_string());
    for _client in 0..6 {
        assert_eq!(ask(addr).name(), "primary");
    }
    primary.kill();
    forebay.await_target("web", &id, "health", &"unhealthy".into());
    for _client in 0..6 {
        assert_eq!(ask(addr).name(), "backup");
    }
    primary.revive();
    forebay.await_target("web", &id, "health", &"healthy".into());
    for _client in 0..6 {
        assert_eq!(ask(addr).name(), "primary");
    }
}

#[test]
fn all_down_fails_open_unless_told_never() {
    let (open, closed) = (Checked::new("open"), Checked::new("closed"));
    let forebay = Forebay::start(&format!(
        "[listeners.open]\nbind = \"127.0.0.1:0\"\ntarget_group = \"open\"\n\
         [listeners.closed]\nbind = \"127.0.0.1:0\"\ntarget_group = \"closed\"\n{}{}",
        open.group("open", ""),
        closed.group("closed", "fail_open_below = \"never\"")
    ));
    assert_eq!(ask(forebay.addr("open")).name(), "open");
    assert_eq!(ask(forebay.addr("closed")).name(), "closed");
    for (group, checked) in [("open", &open), ("closed", &closed)] {
        checked.health.set_status(500);
        forebay.await_target(group, &checked.id(), "health", &"unhealthy".into());
    }
    assert_eq!(ask(forebay.addr("open")).name(), "open");
    assert_eq!(forebay.count("forebay_target_group_fail_open", &[("target_group", "open")]), 1);
    assert_eq!(forebay.json("/v1/target_groups/open")["fail_open"], true);
    assert!(ask(forebay.addr("closed")).is_reset());
    assert_eq!(forebay.refused("closed", "no_target"), 1);
    assert_eq!(forebay.count("forebay_target_group_fail_open", &[("target_group", "closed")]), 0);
    for (group, checked) in [("open", &open), ("closed", &closed)] {
        checked.health.set_status(200);
        forebay.await_target(group, &checked.id(), "health", &"healthy".into());
    }
    assert_eq!(ask(forebay.addr("closed")).name(), "closed");
    assert_eq!(forebay.json("/v1/target_groups/open")["fail_open"], false);
}

/// At or below the share, all enabled ones are used; above it only the eligible.
#[test]
fn fail_open_below_counts_the_share_of_eligible_targets() {
    let mut targets = targets(4);
    let check = "health_check = { interval = \"200ms\", timeout = \"200ms\", fast_interval = \"50ms\" }";
    let more = format!(
        "balance = \"round_robin\"\nfail_open_below = \"50%\"\nconnect = {{ attempts = 1 }}\n\
         outlier = {{ consecutive_failures = 1000 }}\n{check}"
    );
    let forebay = Forebay::start(&config("workers = 1", &more, &list(&targets)));
    let addr = forebay.addr("web");
    targets[0].kill();
    forebay.await_target("web", &targets[0].addr().to_string(), "health", &"unhealthy".into());
    assert!((0..12).all(|_| ask(addr).is_served()), "three of four are above one half: the dead one is left out");
    targets[1].kill();
    forebay.await_target("web", &targets[1].addr().to_string(), "health", &"unhealthy".into());
    eventually("the group fails open", || forebay.json("/v1/target_groups/web")["fail_open"] == true);
    let served = (0..12).filter(|_| ask(addr).is_served()).count();
    assert_eq!(served, 6, "two of four are one half: the dead ones are used as well");
}

#[test]
fn offline_explain_foretells_what_happens() {
    let targets = targets(5);
    let forebay = Forebay::start(&config("", "balance = \"maglev\"\nhash_seed = \"s\"", &list(&targets)));
    for last in 1..=10 {
        let client = format!("{}:7", source(last));
        let file = forebay.config_file().to_str().unwrap();
        let output = crate::harness::forebay_cli(&[
            "explain",
            "--config",
            file,
            "--listener",
            "web",
            "--client",
            &client,
            "--json",
        ]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let explained: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let answer = ask_from(source(last), forebay.addr("web"));
        let at = NAMES.iter().position(|name| *name == answer.name()).unwrap();
        assert_eq!(explained["target"], targets[at].addr().to_string(), "{explained}");
        assert!(explained["slot"].is_u64() && explained["probes"] == 0, "{explained}");
    }
}
