//! The answers, offline and with state.

use super::*;
use crate::admin::fixture::{FILE, view_of};

fn ask(listener: &str, client: &str) -> Option<Explained> {
    let view = view_of(FILE);
    explain(&view.snapshot, &Question::parse(listener, client, None, None).expect("valid"))
}

#[test]
fn the_body_has_every_field_in_the_order_of_the_contract() {
    let body = serde_json::to_string(&ask("web", "[::ffff:10.9.1.1]:1234").expect("a listener")).expect("text");
    assert_eq!(
        body,
        r#"{"listener":"web","client":"10.9.1.1:1234","verdict":"target","refused":null,"rule":0,"split_point":null,"target_group":"green","balance":"least_connections","hash_key":"source_ip","slot":null,"probes":0,"target":null,"address":null,"deterministic":false,"candidates":[{"target":"127.0.0.1:9003","eligible":true,"reason":"ok"},{"target":"127.0.0.1:9004","eligible":false,"reason":"draining"},{"target":"127.0.0.1:9005","eligible":false,"reason":"weight_zero"}]}"#
    );
}

#[test]
fn maglev_names_slot_target_and_address() {
    let blue = |port: u16| ask("web", &format!("192.0.2.{}:{port}", port % 256)).expect("a listener");
    let explained =
        (1..200).map(blue).find(|one| one.target_group.as_deref() == Some("blue")).expect("3 of 4 go to blue");
    assert!(explained.deterministic && explained.slot.is_some());
    assert_eq!(explained.target.as_deref(), Some("127.0.0.1:9001"), "the other is a backup");
    assert_eq!(explained.address.as_deref(), Some("127.0.0.1:9001"));
    assert!(explained.split_point.is_some_and(|point| (0.0..0.75).contains(&point)));
}

#[test]
fn a_denied_client_is_refused_before_it_is_routed() {
    let explained = ask("web", "10.66.0.1:1").expect("a listener");
    assert_eq!((&*explained.verdict, explained.refused.as_deref()), ("refused", Some("denied")));
    assert!(explained.target_group.is_none() && explained.candidates.is_empty());
}

#[test]
fn a_group_without_targets_to_use_refuses() {
    let text = FILE.replace("\"127.0.0.1:9003\", ", "");
    let view = view_of(&text);
    let question = Question::parse("web", "10.9.0.1:1", None, None).expect("valid");
    let explained = explain(&view.snapshot, &question).expect("a listener");
    assert_eq!((&*explained.verdict, explained.refused.as_deref()), ("refused", Some("no_target")));
}

#[test]
fn a_full_listener_refuses_live() {
    let view = view_of(FILE);
    let sessions = &view.snapshot.listeners[0].runtime.sessions;
    sessions.set_limit(1);
    assert!(sessions.try_acquire());
    let question = Question::parse("web", "10.9.0.1:1", None, None).expect("valid");
    let explained = explain(&view.snapshot, &question).expect("a listener");
    assert_eq!(explained.refused.as_deref(), Some("max_connections"));
}

#[test]
fn a_listener_that_nobody_named_has_no_answer() {
    assert!(ask("none", "10.9.0.1:1").is_none());
}

#[test]
fn a_payload_is_hex() {
    assert!(Question::parse("web", "1.2.3.4:5", Some("0a0B"), None).is_ok());
    assert!(Question::parse("web", "1.2.3.4:5", Some("0a0"), None).is_err());
    assert!(Question::parse("web", "1.2.3.4:5", Some("zz"), None).is_err());
}
