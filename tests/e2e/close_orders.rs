//! Who ends a session, and how, is seen unchanged by the other side, and written down.

use crate::harness::{Forebay, FullListener, play};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};

/// One close order: what both ends do, and what the access log then says.
struct Order {
    target: &'static str,
    client: &'static str,
    /// The close reason.
    reason: &'static str,
    /// The side that ended it; two when both may be said to.
    closed_by: &'static [&'static str],
}

/// Plays `order` over IPv4 and IPv6.
fn holds(order: &Order) {
    for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let target = TcpListener::bind((ip, 0)).unwrap();
        let bind = std::net::SocketAddr::new(ip, 0);
        let forebay = Forebay::start(&format!(
            "[listeners.web]\nbind = \"{bind}\"\ntarget_group = \"web\"\n[target_groups.web]\ntargets = [\"{}\"]\n",
            target.local_addr().unwrap()
        ));
        let seen = play(forebay.addr("web"), &target, order.target, order.client)
            .unwrap_or_else(|error| panic!("{ip}: {error}"));
        let line = forebay.access_log(1).remove(0);
        assert_eq!(line["close_reason"], order.reason, "{ip}: {line}");
        assert!(order.closed_by.iter().any(|side| line["closed_by"] == *side), "{ip}: {line}");
        if order.reason == "finished" {
            assert_eq!(seen.sent_by_client, seen.read_by_target, "{ip}");
            assert_eq!(seen.sent_by_target, seen.read_by_client, "{ip}");
            assert_eq!(line["bytes_to_target"], seen.sent_by_client, "{ip}: {line}");
            assert_eq!(line["bytes_to_client"], seen.sent_by_target, "{ip}: {line}");
        }
        let closed =
            forebay.count("forebay_connections_closed_total", &[("listener", "web"), ("reason", order.reason)]);
        assert_eq!(closed, 1, "{ip}: one close of reason {}", order.reason);
    }
}

macro_rules! close_orders {
    ($($(#[$doc:meta])* $name:ident: $target:literal, $client:literal => $reason:literal by $($by:literal)|+;)+) => {
        $($(#[$doc])* #[test] fn $name() {
            holds(&Order { target: $target, client: $client, reason: $reason, closed_by: &[$($by),+] });
        })+
    };
}

close_orders! {
    client_half_close_is_passed_on_and_the_reply_still_comes:
        "accept read(10) read_eof write(100000) fin close",
        "connect write(10) fin read(100000) read_eof close" => "finished" by "client";
    target_half_close_is_passed_on_and_the_upload_goes_on:
        "accept write(10) fin read(3000000) read_eof close",
        "connect read(10) read_eof write(3000000) fin close" => "finished" by "target";
    reset_by_an_idle_client_reaches_the_target:
        "accept read(1) signal(got) read_rst",
        "connect write(1) wait(got) rst" => "client_reset" by "client";
    reset_by_an_idle_target_reaches_the_client:
        "accept read(1) rst",
        "connect write(1) read_rst" => "target_reset" by "target";
    reset_by_a_client_in_the_middle_of_a_download_reaches_the_target:
        "accept write_until_rst",
        "connect read(3000000) rst" => "client_reset" by "client";
    reset_by_a_target_in_the_middle_of_an_upload_reaches_the_client:
        "accept read(3000000) rst",
        "connect write_until_rst" => "target_reset" by "target";
    target_that_speaks_first_is_heard_at_once:
        "accept write(5) read(7) write(9) fin read_eof close",
        "connect read(5) write(7) read(9) read_eof fin close" => "finished" by "target";
    fin_before_any_data_is_passed_on:
        "accept read_eof fin close",
        "connect fin read_eof close" => "finished" by "client";
    fin_before_any_data_may_be_answered:
        "accept read_eof write(70000) fin close",
        "connect fin read(70000) read_eof close" => "finished" by "client";
    target_fin_before_any_data_is_passed_on:
        "accept fin read(70000) read_eof close",
        "connect read_eof write(70000) fin close" => "finished" by "target";
    /// What the target's kernel had delivered reaches the client, then RST: never a clean end of a cut reply.
    data_before_a_reset_of_the_target_is_delivered_then_the_reset:
        "accept read(1) write(200000) flushed signal(sent) wait(look) rst",
        "connect write(1) wait(sent) signal(look) read(200000) read_rst" => "target_reset" by "target";
    /// The same while the client does not read: the bytes wait in the balancer's kernel when the reset comes.
    data_held_for_a_slow_client_survives_a_reset_of_the_target:
        "accept read(1) write(600000) flushed signal(sent) rst signal(reset)",
        "connect write(1) wait(sent) wait(reset) read(600000) read_rst" => "target_reset" by "target";
    slow_reader_gets_every_byte:
        "accept write_until_stuck signal(stuck) write(1000000) fin read_eof close",
        "connect wait(stuck) read_to_eof fin close" => "finished" by "target";
    slow_target_gets_every_byte:
        "accept wait(stuck) read_to_eof fin close",
        "connect write_until_stuck signal(stuck) write(1000000) fin read_eof close" => "finished" by "client";
    both_sides_may_finish_at_the_same_time:
        "accept read(1) signal(met) fin read_eof close",
        "connect write(1) wait(met) fin read_eof close" => "finished" by "client" | "target";
    both_sides_may_be_full_and_still_finish:
        "accept write_until_stuck signal(far) wait(near) read_to_eof fin close",
        "connect write_until_stuck signal(near) wait(far) fin read_to_eof close" => "finished" by "client";
    empty_connection_is_a_session_too:
        "accept read_eof close",
        "connect close" => "finished" by "client";
    reset_by_a_client_that_does_not_read_frees_a_blocked_target:
        "accept write_until_stuck signal(stuck) write_until_rst",
        "connect wait(stuck) rst" => "client_reset" by "client";
    reset_by_a_target_that_does_not_read_frees_a_blocked_client:
        "accept wait(stuck) rst",
        "connect write_until_stuck signal(stuck) write_until_rst" => "target_reset" by "target";
    /// A server that answers without reading the whole request: its kernel sends RST after the reply.
    reply_of_a_target_that_closes_during_the_upload_arrives_before_its_reset:
        "accept read(500) write(100) flushed signal(answered) wait(heard) close",
        "connect write(1000) wait(answered) read(100) signal(heard) read_rst" => "target_reset" by "target";
    client_that_closes_during_the_download_resets_the_target:
        "accept write_until_rst",
        "connect read(1000) close" => "client_reset" by "client";
    reset_by_the_target_after_the_client_half_closed_reaches_the_client:
        "accept read(10) read_eof rst",
        "connect write(10) fin read_rst" => "target_reset" by "target";
    reset_by_the_client_after_the_target_half_closed_reaches_the_target:
        "accept write(10) fin signal(fin) read_rst",
        "connect read(10) read_eof wait(fin) rst" => "client_reset" by "client";
    data_before_a_reset_of_the_client_does_not_hide_it:
        "accept read(1000) signal(got) read_rst",
        "connect write(1000) wait(got) rst" => "client_reset" by "client";
}

/// A FIN of the client, and bytes before it, wait for a target that is slow to accept.
#[test]
fn client_fin_before_the_target_is_connected_is_passed_on_after_it() {
    let full = FullListener::new();
    let forebay = Forebay::start(&format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n[target_groups.web]\ntargets = [\"{}\"]\n\
         connect = {{ timeout = \"9s\", deadline = \"9s\" }}\n",
        full.addr()
    ));
    let addr = forebay.addr("web");
    let target = format!("await_syn wait(gone) discard({}) accept read(10) read_eof write(20) fin close", full.plugs());
    let client = "connect write(10) fin signal(gone) read(20) read_eof close";
    play(addr, full.listener(), &target, client).unwrap();
    assert_eq!(forebay.access_log(1)[0]["close_reason"], "finished");
}

/// A client that resets while its target is still being connected ends the attempt.
#[test]
fn client_reset_before_the_target_is_connected_ends_the_attempt() {
    let full = FullListener::new();
    let forebay = Forebay::start(&format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n[target_groups.web]\ntargets = [\"{}\"]\n\
         connect = {{ timeout = \"9s\", deadline = \"9s\" }}\n",
        full.addr()
    ));
    play(forebay.addr("web"), full.listener(), "await_syn signal(syn)", "connect write(10) wait(syn) rst").unwrap();
    let line = forebay.access_log(1).remove(0);
    assert_eq!((&line["close_reason"], &line["closed_by"]), (&"client_reset".into(), &"client".into()), "{line}");
    assert!(line["duration_ms"].as_f64().unwrap() < 5_000.0, "{line}");
}

#[test]
fn orders_hold_for_two_families_mixed() {
    let target = TcpListener::bind("[::1]:0").unwrap();
    let forebay = Forebay::start(&format!(
        "[listeners.web]\nbind = \"[::]:0\"\ntarget_group = \"web\"\n[target_groups.web]\ntargets = [\"{}\"]\n",
        target.local_addr().unwrap()
    ));
    let v4 = std::net::SocketAddr::new(Ipv4Addr::LOCALHOST.into(), forebay.addr("web").port());
    play(v4, &target, "accept read(10) read_eof write(5) fin close", "connect write(10) fin read(5) read_eof close")
        .unwrap();
    let line = forebay.access_log(1).remove(0);
    assert!(line["client"].as_str().unwrap().starts_with("127.0.0.1:"), "an IPv4-mapped client is IPv4: {line}");
    assert!(line["target_address"].as_str().unwrap().starts_with("[::1]:"), "{line}");
}
