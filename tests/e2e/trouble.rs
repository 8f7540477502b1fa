//! Bad days: flapping and slow targets, reloads without end, a stopped process, replicas that must agree.

use crate::harness::{
    Forebay, FullListener, Resources, Stopwatch, Target, TargetKind, ask, ask_from, connect, echo_once, eventually,
    heavy, list, pause,
};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

fn checked(targets: &str, port: u16, more: &str) -> String {
    format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n[target_groups.web]\n\
         targets = [{targets}]\n{more}\n\
         health_check = {{ protocol = \"http\", port = {port}, \
         interval = \"200ms\", timeout = \"200ms\", fast_interval = \"50ms\", jitter = \"0%\" }}\n"
    )
}

/// How often the health of a target is seen to change while `length` passes.
fn transitions(forebay: &Forebay, id: &str, length: Duration) -> usize {
    let watch = Stopwatch::start();
    let (mut last, mut changes) = (forebay.target("web", id)["health"].clone(), 0);
    while watch.elapsed() < length {
        let now = forebay.target("web", id)["health"].clone();
        changes += usize::from(now != last);
        last = now;
        pause(Duration::from_millis(4), "between two looks");
    }
    changes
}

/// Row 7: every other probe fails; with thresholds of 2 and 3 that is no verdict at all.
#[test]
fn flapping_target_does_not_flap_the_verdict() {
    let (target, health) = (Target::named("a"), Target::new(TargetKind::Http, "health"));
    let id = target.addr().to_string();
    let forebay = Forebay::start(&checked(&format!("\"{id}\""), health.addr().port(), ""));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The status changes as soon as it has been given out once.
            let mut answered = health.answered();
            while !stop.load(Ordering::SeqCst) {
                if health.answered() > answered {
                    answered = health.answered();
                    health.set_status(if answered % 2 == 0 { 200 } else { 500 });
                }
                pause(Duration::from_millis(1), "between two looks");
            }
        });
        let before = health.answered();
        let changes = transitions(&forebay, &id, Duration::from_secs(3));
        let probes = health.answered() - before;
        stop.store(true, Ordering::SeqCst);
        assert!(probes >= 10, "{probes} probes");
        // At most one transition per threshold window of two probes; seldom does a probe overtake the change of status.
        assert!(changes * 2 <= probes && changes <= 2, "{changes} transitions in {probes} probes");
    });
}

/// Row 7: nine of ten do not answer probes in time; nobody is sent there.
#[test]
fn nine_of_ten_slow_leaves_the_tenth_serving() {
    let slow: Vec<_> = (0..9).map(|_| FullListener::new()).collect();
    let live = Target::named("live");
    let addrs: String = slow.iter().map(|full| format!("\"{}\", ", full.addr())).collect();
    let forebay = Forebay::start(&format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n[target_groups.web]\n\
         targets = [{addrs}\"{}\"]\n\
         health_check = {{ interval = \"300ms\", timeout = \"200ms\", fast_interval = \"100ms\" }}\n",
        live.addr()
    ));
    eventually("nine are out", || forebay.json("/v1/target_groups/web")["eligible"] == 1);
    let watch = Stopwatch::start();
    for _client in 0..50 {
        assert_eq!(ask(forebay.addr("web")).name(), "live");
    }
    assert!(watch.elapsed() < Duration::from_secs(2), "nobody waits for a slow one: {:?}", watch.elapsed());
    assert_eq!(forebay.json("/v1/target_groups/web")["fail_open"], false);
}

/// Row 7: back within one probe interval of being well again.
#[test]
fn recovery_takes_at_most_one_probe_interval() {
    let (target, health) = (Target::named("a"), Target::new(TargetKind::Http, "health"));
    let id = target.addr().to_string();
    let text = checked(&format!("\"{id}\""), health.addr().port(), "fail_open_below = \"never\"")
        .replace("interval = \"200ms\", timeout", "interval = \"1s\", timeout");
    let forebay = Forebay::start(&text);
    health.set_status(500);
    forebay.await_target("web", &id, "health", &"unhealthy".into());
    let failures = health.answered();
    eventually("it is long unhealthy", || health.answered() > failures + 1);
    health.set_status(200);
    let watch = Stopwatch::start();
    forebay.await_target("web", &id, "health", &"healthy".into());
    // One interval to the next probe, one fast interval to the second pass, and a little for two looks.
    assert!(watch.elapsed() <= Duration::from_millis(1_250), "{:?}", watch.elapsed());
    assert!(ask(forebay.addr("web")).is_served());
}

fn long_list(number: usize) -> String {
    format!("max_connections = {}", 1_000 + number)
}

/// Row 10: 100 bad and 100 good reloads under load: no reset, no descriptor, no memory.
#[test]
fn two_hundred_reloads_under_load_hurt_nobody() {
    let _alone = heavy();
    let targets = [Target::named("a"), Target::named("b")];
    let text = |number: usize| {
        format!(
            "[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n{}\n[target_groups.web]\n\
             balance = \"maglev\"\ntargets = [{}]\n",
            long_list(number),
            list(&targets)
        )
    };
    let forebay = Forebay::start(&text(0));
    let addr = forebay.addr("web");
    let held: Vec<_> = (0..50).map(|_| ask(addr).stream()).collect();
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let reload_both = |number: usize| {
        forebay.reload_with(&text(number));
        forebay.rewrite_config(&text(number).replace("balance", "blance"));
        let reply = forebay.reload();
        assert_eq!(reply.status, 422, "{reply:?}");
        let detail = &reply.json()["error"]["details"][0];
        assert_eq!((&detail["line"], &detail["column"]), (&json!(6), &json!(1)), "{detail}");
        assert!(detail["file"].as_str().is_some_and(|file| file.ends_with("forebay.toml")), "{detail}");
    };
    std::thread::scope(|scope| {
        for _client in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let stream = ask(addr).stream();
                    echo_once(&stream).unwrap();
                    done.fetch_add(1, Ordering::SeqCst);
                    pause(Duration::from_millis(1), "load, not overload");
                }
            });
        }
        let ending = scopeguard(&stop);
        for number in 1..=20 {
            reload_both(number);
        }
        let (memory, generation) = (forebay.resources().memory_bytes(), forebay.generation());
        let start = done.load(Ordering::SeqCst);
        for number in 21..=120 {
            reload_both(number);
            held.iter().step_by(10).for_each(|stream| echo_once(stream).unwrap());
        }
        eventually("there was load all the time", || done.load(Ordering::SeqCst) > start + 50);
        assert_eq!(forebay.generation(), generation + 100, "one generation per good reload, none per bad one");
        let grown = forebay.resources().memory_bytes().saturating_sub(memory);
        assert!(grown <= 1 << 20, "memory grew by {} KiB over 200 reloads", grown / 1024);
        drop(ending);
    });
    held.iter().for_each(|stream| echo_once(stream).unwrap());
    drop(held);
    for reason in ["client_reset", "target_reset", "admin", "drained", "unhealthy"] {
        assert_eq!(forebay.count("forebay_connections_closed_total", &[("reason", reason)]), 0, "{reason}");
    }
}

/// Says `true` when it goes out of scope, also by a panic: the load ends with the test.
fn scopeguard(stop: &AtomicBool) -> impl Drop + '_ {
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    Stop(stop)
}

/// Row 15, through the whole process: two replicas whose files list the targets in another order. (100,000 keys are
/// compared in the
/// library's own tests; here it is about files, ids and the API.)
#[test]
fn replicas_with_another_order_of_targets_choose_alike() {
    let targets: Vec<_> = ["a", "b", "c", "d", "e", "f", "g"].iter().map(|name| Target::named(name)).collect();
    let table = |target: &Target, name: usize| {
        format!("{{ id = \"t{name}\", address = \"{}\", weight = {} }}", target.addr(), 1 + name % 3)
    };
    let mut tables: Vec<_> = targets.iter().zip(0..).map(|(target, name)| table(target, name)).collect();
    let text = |tables: &[String]| {
        format!(
            "[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n[target_groups.web]\n\
             balance = \"maglev\"\ntargets = [{}]\n",
            tables.join(", ")
        )
    };
    let first = Forebay::start(&text(&tables));
    tables.reverse();
    tables.swap(1, 4);
    let second = Forebay::start(&text(&tables));
    for number in 0..500_u32 {
        let client = Ipv4Addr::from(0x0a00_0000 + number * 7_919);
        let path = format!("/v1/explain?listener=web&client={client}:{}", 1024 + number);
        let (one, other) = (first.json(&path), second.json(&path));
        assert_eq!((&one["target"], &one["slot"]), (&other["target"], &other["slot"]), "{client}");
    }
    for last in 1..=60 {
        let source = IpAddr::V4(Ipv4Addr::new(127, 0, 8, last));
        assert_eq!(ask_from(source, first.addr("web")).name(), ask_from(source, second.addr("web")).name(), "{source}");
    }
}

/// Row 22: half a minute of not running is nobody's failure. (The wall clock is only ever shown: `time::clock::wall`.)
#[test]
fn stopped_process_goes_on_as_if_nothing_had_happened() {
    let target = Target::named("a");
    let forebay = Forebay::start(&format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\nidle_timeout = \"45s\"\n\
         [target_groups.web]\ntargets = [{}]\n\
         health_check = {{ interval = \"1s\", timeout = \"1s\", fast_interval = \"500ms\" }}\n",
        list(std::slice::from_ref(&target))
    ));
    let (addr, id) = (forebay.addr("web"), target.addr().to_string());
    let held: Vec<_> = (0..20).map(|_| ask(addr).stream()).collect();
    let failures = || {
        let samples = forebay.samples();
        let failed = samples.iter().filter(|s| s.name == "forebay_probes_total" && s.value > 0.0);
        failed.map(|s| (s.labels["result"].clone(), s.value)).collect::<Vec<_>>()
    };
    assert_eq!(failures().len(), 1, "one kind of result so far, passes: {:?}", failures());
    forebay.signal("STOP");
    pause(Duration::from_secs(30), "a process is stopped for half a minute");
    let waiting = connect(addr);
    forebay.signal("CONT");
    for stream in &held {
        echo_once(stream).unwrap();
    }
    let watch = Stopwatch::start();
    while watch.elapsed() < Duration::from_secs(3) {
        assert_eq!(forebay.target("web", &id)["health"], "healthy");
        pause(Duration::from_millis(50), "between two looks");
    }
    assert_eq!(failures().len(), 1, "no probe failed: {:?}", failures());
    let mut name = [0; 2];
    std::io::Read::read_exact(&mut &waiting, &mut name).unwrap();
    assert_eq!(&name, b"a\n", "who came meanwhile is served");
    held.iter().for_each(|stream| echo_once(stream).unwrap());
    assert_eq!(forebay.count("forebay_connections_active", &[("listener", "web")]), 21);
    let resources: Resources = forebay.resources();
    assert!(resources.cpu_seconds() < 20.0);
}
