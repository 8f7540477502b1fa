//! Rules, the sticky split, port ranges.

use crate::harness::{Forebay, Target, TargetKind, ask, ask_from, connect_from, consecutive_ports, private_loopback};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

fn group(name: &str, target: &Target) -> String {
    format!("[target_groups.{name}]\ntargets = [\"{}\"]\n", target.addr())
}

fn source(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 2, last))
}

#[test]
fn first_rule_that_matches_in_every_field_wins() {
    let names = ["plain", "source", "port", "both", "destination"];
    let targets: Vec<_> = names.iter().map(|name| Target::named(name)).collect();
    let groups: String = names.iter().zip(&targets).map(|(name, target)| group(name, target)).collect();
    let ip = private_loopback();
    let first = consecutive_ports(ip, 4);
    let special = first + 2;
    let other = private_loopback();
    let forebay = Forebay::start(&format!(
        "[listeners.web]\nbind = [\"{ip}:{first}-{last}\", \"{other}:0\"]\n\
         forward = [{{ target_group = \"plain\", weight = 1 }}]\nrules = [\n\
         {{ source = [\"127.0.2.16/28\"], destination_ports = [\"{special}\"], target_group = \"both\" }},\n\
         {{ source = [\"127.0.2.16/28\", \"127.0.2.200\"], target_group = \"source\" }},\n\
         {{ destination_ports = [\"{special}-{last}\"], target_group = \"port\" }},\n\
         {{ destination = [\"{other}\"], target_group = \"destination\" }},\n]\n{groups}",
        last = first + 3,
    ));
    let elsewhere = forebay.addrs("web").into_iter().find(|addr| addr.ip() == other).unwrap();
    let at = |port: u16| SocketAddr::new(ip, port);
    let cases = [
        (1, at(first), "plain"),
        (16, at(first), "source"),
        (31, at(first), "source"),
        (32, at(first), "plain"),
        (200, at(first), "source"),
        (201, at(first), "plain"),
        (16, at(special), "both"),
        (1, at(special), "port"),
        (1, at(first + 3), "port"),
        (200, at(special), "source"),
        (1, elsewhere, "destination"),
        (20, elsewhere, "source"),
    ];
    for (last, addr, expected) in cases {
        assert_eq!(ask_from(source(last), addr).name(), expected, "from {} to {addr}", source(last));
    }
}

/// A wildcard listener knows which address the client reached.
#[test]
fn destination_of_a_wildcard_listener_is_the_address_reached() {
    let (plain, special) = (Target::named("plain"), Target::named("special"));
    let forebay = Forebay::start(&format!(
        "[listeners.web]\nbind = \"0.0.0.0:0\"\ntarget_group = \"plain\"\n\
         rules = [{{ destination = [\"127.0.3.1\"], target_group = \"special\" }}]\n{}{}",
        group("plain", &plain),
        group("special", &special)
    ));
    let port = forebay.addr("web").port();
    assert_eq!(ask(SocketAddr::from(([127, 0, 3, 1], port))).name(), "special");
    assert_eq!(ask(SocketAddr::from(([127, 0, 3, 2], port))).name(), "plain");
}

#[test]
fn target_without_a_port_keeps_the_port_that_the_client_reached() {
    let (near, far) = (private_loopback(), private_loopback());
    let first = consecutive_ports(near, 4);
    let targets: Vec<_> = (first..first + 4)
        .map(|port| Target::at(TargetKind::Named, &port.to_string(), SocketAddr::new(far, port)))
        .collect();
    let forebay = Forebay::start(&format!(
        "[listeners.game]\nbind = \"{near}:{first}-{}\"\ntarget_group = \"game\"\n[target_groups.game]\n\
         targets = [\"{far}\"]\n",
        first + 3
    ));
    assert_eq!(forebay.addrs("game").len(), 4);
    for port in first..first + 4 {
        assert_eq!(ask(SocketAddr::new(near, port)).name(), port.to_string());
    }
    assert!(targets.iter().all(|target| target.accepted() == 1));
    let line = forebay.access_log(4).remove(3);
    assert_eq!(line["target"], far.to_string(), "{line}");
}

fn split(blue: u32, green: u32, groups: &str) -> String {
    format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\nforward = [{{ \
         target_group = \"blue\", weight = {blue} }}, {{ target_group = \"green\", weight = {green} }}]\n{groups}"
    )
}

/// A client stays on its side; when weight moves, only clients of the moved share change theirs.
#[test]
fn split_is_sticky_and_moves_only_the_added_share() {
    let (blue, green) = (Target::named("blue"), Target::named("green"));
    let groups = group("blue", &blue) + &group("green", &green);
    let forebay = Forebay::start(&split(80, 20, &groups));
    let addr = forebay.addr("web");
    let sides = || (1..=100).map(|last| ask_from(source(last), addr).name().to_owned()).collect::<Vec<_>>();
    let points = || {
        (1..=100)
            .map(|last| forebay.json(&format!("/v1/explain?listener=web&client={}:9", source(last))))
            .collect::<Vec<_>>()
    };
    let before = sides();
    assert_eq!(sides(), before, "a client stays on its side");
    let greens = before.iter().filter(|side| *side == "green").count();
    assert!((5..=40).contains(&greens), "{greens} of 100 at 20 %");
    for (side, explained) in before.iter().zip(points()) {
        assert_eq!(explained["target_group"], *side, "{explained}");
        let point = explained["split_point"].as_f64().unwrap();
        assert!((0.0..1.0).contains(&point), "{explained}");
    }
    forebay.reload_with(&split(50, 50, &groups));
    let after = sides();
    let back = before.iter().zip(&after).filter(|(before, after)| *before == "green" && *after == "blue").count();
    assert_eq!(back, 0, "nobody goes the other way");
    assert!(after.iter().filter(|side| *side == "green").count() > greens);
    forebay.reload_with(&split(80, 20, &groups));
    assert_eq!(sides(), before);
}

#[test]
fn split_by_source_and_port_spreads_one_address() {
    let (blue, green) = (Target::named("blue"), Target::named("green"));
    let groups = group("blue", &blue) + &group("green", &green);
    let text = split(50, 50, &groups).replace("forward =", "forward_key = \"source_ip_port\"\nforward =");
    let forebay = Forebay::start(&text);
    let answers: Vec<_> = (0..40).map(|_| ask(forebay.addr("web"))).collect();
    let greens = answers.iter().filter(|answer| answer.name() == "green").count();
    assert!((4..=36).contains(&greens), "{greens} of 40 at 50 %");
}

/// When one side of a split has no usable target, the other takes its clients.
#[test]
fn split_goes_to_the_other_side_when_one_has_no_target() {
    let (blue, green) = (Target::named("blue"), Target::named("green"));
    let groups = group("blue", &blue) + &group("green", &green);
    let forebay = Forebay::start(&split(50, 50, &groups));
    forebay.patch("green", &green.addr().to_string(), "{\"state\":\"disabled\"}");
    for last in 1..=30 {
        assert_eq!(ask_from(source(last), forebay.addr("web")).name(), "blue");
    }
}

#[test]
fn ipv6_clients_are_routed_by_ipv6_rules() {
    let (plain, special) = (Target::named_v6("plain"), Target::named_v6("special"));
    let forebay = Forebay::start(&format!(
        "[listeners.web]\nbind = \"[::]:0\"\ntarget_group = \"plain\"\n\
         rules = [{{ source = [\"::1/128\"], target_group = \"special\" }}]\n{}{}",
        group("plain", &plain),
        group("special", &special)
    ));
    let port = forebay.addr("web").port();
    assert_eq!(ask(format!("[::1]:{port}").parse().unwrap()).name(), "special");
    let v4 = SocketAddr::from(([127, 0, 0, 1], port));
    assert!(connect_from("127.0.0.1:0".parse().unwrap(), v4).is_ok());
    assert_eq!(ask(v4).name(), "plain");
}
