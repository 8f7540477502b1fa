//! Limits in time. Here time itself is the subject: these tests let some pass.

use crate::harness::{
    DEADLINE, Forebay, Stopwatch, Target, TargetKind, connect, echo_once, eventually, list, pause, sees_fin, sees_reset,
};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

fn start(listener: &str, target: &TcpListener) -> Forebay {
    Forebay::start(&format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n{listener}\n[target_groups.web]\n\
         targets = [\"{}\"]\n",
        target.local_addr().unwrap()
    ))
}

fn session(forebay: &Forebay, target: &TcpListener) -> (TcpStream, TcpStream) {
    let client = connect(forebay.addr("web"));
    let far = target.accept().unwrap().0;
    far.set_read_timeout(Some(DEADLINE)).unwrap();
    (client, far)
}

fn between(watch: &Stopwatch, least: u64, most: u64, what: &str) {
    let elapsed = watch.elapsed();
    assert!((u128::from(least)..=u128::from(most)).contains(&elapsed.as_millis()), "{what}: after {elapsed:?}");
}

#[test]
fn idle_session_is_reset_on_both_sides() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let forebay = start("idle_timeout = \"1s\"", &target);
    let (client, far) = session(&forebay, &target);
    let watch = Stopwatch::start();
    sees_reset(&client).unwrap();
    between(&watch, 900, 2_000, "the idle limit");
    sees_reset(&far).unwrap();
    let line = forebay.access_log(1).remove(0);
    assert_eq!((line["close_reason"].as_str(), line["closed_by"].as_str()), (Some("idle_timeout"), Some("forebay")));
}

#[test]
fn a_byte_in_either_direction_keeps_a_session() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let forebay = start("idle_timeout = \"1s\"", &target);
    let (client, far) = session(&forebay, &target);
    let mut byte = [0];
    for turn in 0..8 {
        pause(Duration::from_millis(400), "less than the idle limit");
        let (mut from, mut to) = if turn % 4 < 2 { (&client, &far) } else { (&far, &client) };
        from.write_all(b"x").unwrap();
        to.read_exact(&mut byte).unwrap();
    }
    let watch = Stopwatch::start();
    sees_reset(&client).unwrap();
    between(&watch, 900, 2_000, "the idle limit counts from the last byte");
}

#[test]
fn half_closed_session_has_its_own_limit() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let forebay = start("idle_timeout = \"1h\"\nhalf_close_timeout = \"1s\"", &target);
    let (client, far) = session(&forebay, &target);
    let watch = Stopwatch::start();
    client.shutdown(Shutdown::Write).unwrap();
    sees_reset(&client).unwrap();
    between(&watch, 900, 2_000, "the limit after a FIN");
    // After a FIN a reader sees only that; the reset is the socket's pending error.
    eventually("the target is reset too", || far.take_error().unwrap().is_some());
    assert_eq!(forebay.access_log(1)[0]["close_reason"], "half_close_timeout");

    // Bytes in the open direction refresh it.
    let (client, far) = session(&forebay, &target);
    client.shutdown(Shutdown::Write).unwrap();
    let mut byte = [0];
    for _turn in 0..5 {
        pause(Duration::from_millis(400), "less than the limit after a FIN");
        (&far).write_all(b"x").unwrap();
        (&client).read_exact(&mut byte).unwrap();
    }
    far.shutdown(Shutdown::Write).unwrap();
    sees_fin(&client).unwrap();
    assert_eq!(forebay.access_log(2)[1]["close_reason"], "finished");
}

/// A reader that pauses is not idle as long as the other side can still be moved, and no timer of the kernel ends it.
#[test]
fn lifetime_ends_a_busy_session_with_fin() {
    let target = Target::echo();
    let forebay = Forebay::start(&format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\nmax_lifetime = \"2s\"\n\
         [target_groups.web]\ntargets = [{}]\n",
        list(std::slice::from_ref(&target))
    ));
    let clients: Vec<_> = (0..12).map(|_| connect(forebay.addr("web"))).collect();
    let watch = Stopwatch::start();
    let mut ends: Vec<u128> = std::thread::scope(|scope| {
        let watch = &watch;
        let busy = |stream: TcpStream| {
            move || {
                while echo_once(&stream).is_ok() {
                    pause(Duration::from_millis(5), "a busy client need not be a hot one");
                }
                watch.elapsed().as_millis()
            }
        };
        let clients: Vec<_> = clients.into_iter().map(|stream| scope.spawn(busy(stream))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    ends.sort_unstable();
    assert!(ends[0] >= 1_700 && ends[11] <= 2_900, "2 s ± 10 %: {ends:?}");
    assert!(ends[11] - ends[0] >= 20, "jittered: {ends:?}");
    let lines = forebay.access_log(12);
    assert!(
        lines.iter().all(|line| line["close_reason"] == "max_lifetime" && line["closed_by"] == "forebay"),
        "{lines:?}"
    );

    let quiet = connect(forebay.addr("web"));
    sees_fin(&quiet).unwrap();
}

#[test]
fn no_limit_of_another_listener_leaks() {
    let target = Target::new(TargetKind::Echo, "echo");
    let forebay = Forebay::start(&format!(
        "[listeners.short]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\nidle_timeout = \"500ms\"\n\
         [listeners.long]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n[target_groups.web]\ntargets = [{}]\n",
        list(std::slice::from_ref(&target))
    ));
    let (short, long) = (connect(forebay.addr("short")), connect(forebay.addr("long")));
    eventually("both are there", || target.open() == 2);
    sees_reset(&short).unwrap();
    echo_once(&long).unwrap();
}

/// A reload with a new limit holds for sessions made after it at the latest, and hurts nobody.
#[test]
fn new_idle_limit_is_taken_over_by_a_reload() {
    let target = Target::echo();
    let text = |limit: &str| {
        format!(
            "[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\nidle_timeout = \"{limit}\"\n\
             [target_groups.web]\ntargets = [{}]\n",
            list(std::slice::from_ref(&target))
        )
    };
    let forebay = Forebay::start(&text("1h"));
    forebay.reload_with(&text("1s"));
    let client = connect(forebay.addr("web"));
    let watch = Stopwatch::start();
    sees_reset(&client).unwrap();
    between(&watch, 900, 2_000, "the new limit");
}
