//! What is finite runs out: descriptors, ports, memory, pipes. The figures are those of the project's failure table.

use crate::harness::{
    Answer, Forebay, Launch, Pattern, Resources, Stopwatch, Target, TargetKind, ask, connect, connect_from, echo_once,
    eventually, heavy, in_private_network, list, not_run, open_to_all, pause, raise_descriptor_limit, reset, within,
};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

fn config(runtime: &str, listener: &str, targets: &str) -> String {
    format!(
        "[runtime]\n{runtime}\n[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n{listener}\n\
         [target_groups.web]\ntargets = [{targets}]\n"
    )
}

/// CPU seconds used while `length` passes.
fn cpu_during(resources: Resources, length: Duration) -> f64 {
    let before = resources.cpu_seconds();
    pause(length, "CPU use is a rate");
    resources.cpu_seconds() - before
}

/// Row 1.
#[test]
fn descriptors_exhausted_costs_no_cpu_and_heals_within_a_second() {
    let _alone = heavy();
    let target = Target::named("a");
    let forebay = Launch::new(&config("", "", &list(std::slice::from_ref(&target))))
        .through(&["prlimit", "--nofile=256:256"])
        .start();
    let addr = forebay.addr("web");
    let answers: Vec<Answer> = (0..500).map(|_| ask(addr)).collect();
    let most = forebay.json("/v1/status")["limits"]["max_connections"].as_u64().unwrap();
    let served = answers.iter().filter(|answer| answer.is_served()).count();
    assert_eq!(u64::try_from(served).unwrap(), most, "as many as it said");
    assert!(answers.iter().all(|answer| answer.is_served() || answer.is_reset()), "nobody is left hanging");
    let refused = forebay.refused("web", "max_connections") + forebay.refused("web", "descriptors");
    assert_eq!(refused, 500 - served);
    let used = cpu_during(forebay.resources(), Duration::from_secs(3));
    assert!(used <= 0.05, "{used} s of CPU in 3 s of being full");
    for answer in &answers {
        if let Answer::Served(stream, _name) = answer {
            echo_once(stream).unwrap();
        }
    }
    drop(answers);
    within(Duration::from_secs(1), "it serves again", || ask(addr).is_served());
}

/// Row 2. Clients bring their own ports from outside the range, so that all of it belongs to the balancer.
#[test]
fn ephemeral_ports_exhausted_serves_what_the_range_allows() {
    in_private_network("exhaustion::ephemeral_ports_exhausted_serves_what_the_range_allows", (40_000, 40_059), || {
        for (count, expected) in [(1_u16, 60), (2, 120)] {
            let at = |number: u16| {
                Target::at(TargetKind::Named, "a", SocketAddr::from(([127, 0, 0, 1], 20_001 + number + 10 * count)))
            };
            let targets: Vec<_> = (0..count).map(at).collect();
            let listen = SocketAddr::from(([127, 0, 0, 1], 20_100 + count));
            let text = config("", "", &list(&targets)).replace("127.0.0.1:0", &listen.to_string());
            let forebay = Forebay::start(&text);
            let mut served = Vec::new();
            let mut refused = 0;
            for client in 0..120 {
                let source = SocketAddr::from(([127, 0, 0, 1], 21_000 + 1_000 * count + client));
                let stream = connect_from(source, listen).unwrap();
                let mut name = [0; 2];
                match (&stream).read(&mut name) {
                    Ok(2) => served.push(stream),
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => refused += 1,
                    other => panic!("client {client}: {other:?}"),
                }
            }
            assert_eq!((served.len(), refused), (expected, 120 - expected), "{count} targets");
            let local = forebay.count("forebay_connections_closed_total", &[("reason", "local_resource")]);
            assert_eq!(local, 120 - expected, "the reason is ours");
            for target in &targets {
                let shown = forebay.target("web", &target.addr().to_string());
                assert_eq!(shown["eligible"], true, "a target is not blamed for our ports: {shown}");
            }
            let used = cpu_during(forebay.resources(), Duration::from_secs(2));
            assert!(used <= 0.05, "{used} s of CPU in 2 s");
            served.iter().for_each(|stream| echo_once(stream).unwrap());
        }
    });
}

/// Row 3. 10,000 sessions, or as many as two descriptors each fit into this machine's hard limit.
#[test]
fn reset_storm_is_over_within_two_seconds() {
    let _alone = heavy();
    let limit = raise_descriptor_limit();
    if limit < 9_000 {
        return not_run("reset storm", "the descriptor limit is under 9,000");
    }
    let sessions = ((limit - 1_500) / 2).min(10_000);
    let target = Target::new(TargetKind::Silent, "silent");
    let forebay = Forebay::start(&config("", "", &list(std::slice::from_ref(&target))));
    let addr = forebay.addr("web");
    let before = forebay.resources().memory_bytes();
    let clients: Vec<_> = (0..sessions).map(|_| connect(addr)).collect();
    within(Duration::from_secs(20), "all sessions are relayed", || target.open() == sessions);
    let active = || forebay.count("forebay_connections_active", &[("listener", "web")]);
    assert_eq!(active(), sessions);
    let watch = Stopwatch::start();
    clients.into_iter().for_each(reset);
    within(Duration::from_secs(2), "all are freed", || active() == 0);
    eprintln!("{sessions} sessions reset and freed in {:?}", watch.elapsed());
    assert_eq!(forebay.count("forebay_connections_closed_total", &[("reason", "client_reset")]), sessions);
    assert!(!forebay.stderr().contains("ERROR"), "{}", forebay.stderr());
    let grown = forebay.resources().memory_bytes().saturating_sub(before);
    eprintln!("process memory after the storm: +{} KiB", grown / 1024);
    drop(target.take_open());
}

/// Writes pattern bytes into every stream until none takes more.
fn fill(streams: &[TcpStream], patterns: &mut [Pattern], most: usize) {
    for stream in streams {
        stream.set_nonblocking(true).unwrap();
    }
    let mut quiet = 0;
    while quiet < 40 {
        let mut moved = 0;
        for (mut stream, pattern) in streams.iter().zip(patterns.iter_mut()) {
            let left = most - pattern.position();
            if left == 0 {
                continue;
            }
            match stream.write(pattern.upcoming(left.min(128 * 1024))) {
                Ok(put) => {
                    pattern.advance(put);
                    moved += put;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
        }
        quiet = if moved == 0 { quiet + 1 } else { 0 };
        if moved == 0 {
            pause(Duration::from_millis(5), "the relay moves what it can");
        }
    }
}

/// The 99th percentile of `count` echoes over one session.
fn p99(stream: &TcpStream, count: usize) -> Duration {
    let mut times: Vec<Duration> = (0..count)
        .map(|_| {
            let watch = Stopwatch::start();
            echo_once(stream).unwrap();
            watch.elapsed()
        })
        .collect();
    times.sort();
    times[count * 99 / 100]
}

/// Row 4. The median of several 99th percentiles: one interruption of a shared machine must not decide.
#[test]
fn readers_that_never_read_cost_little_memory_and_nobody_elses_time() {
    const READERS: usize = 1_000;
    let _alone = heavy();
    let (flood, echo) = (Target::new(TargetKind::Silent, "flood"), Target::echo());
    let forebay = Forebay::start(&format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n[target_groups.web]\ntargets = [\"{}\"]\n\
         [listeners.echo]\nbind = \"127.0.0.1:0\"\ntarget_group = \"echo\"\n[target_groups.echo]\ntargets = [\"{}\"]\n",
        flood.addr(),
        echo.addr()
    ));
    let quick = connect(forebay.addr("echo"));
    let median = |stream| {
        let mut runs: Vec<_> = (0..9).map(|_| p99(stream, 1_000)).collect();
        runs.sort();
        runs[4]
    };
    let alone = median(&quick);
    let before = forebay.resources().memory_bytes();
    let readers: Vec<_> = (0..READERS).map(|_| connect(forebay.addr("web"))).collect();
    eventually("all are connected", || flood.open() == READERS);
    let streams = flood.take_open();
    let mut patterns = vec![Pattern::of_target(); READERS];
    fill(&streams, &mut patterns, 100_000_000);
    let each = forebay.resources().memory_bytes().saturating_sub(before) / u64::try_from(READERS).unwrap();
    assert!(each <= 40 * 1024, "{each} bytes of process memory a connection");
    let used = cpu_during(forebay.resources(), Duration::from_secs(2));
    assert!(used <= 0.05, "{used} s of CPU in 2 s in which nothing can move");
    let beside = median(&quick);
    // A tenth of a millisecond for the clock and the scheduler of a shared machine.
    let allowed = alone.mul_f64(1.2) + Duration::from_micros(100);
    assert!(beside <= allowed, "p99 {beside:?} beside them, {alone:?} alone");
    drop((readers, streams));
}

/// Row 5. Opened, left alone, looked at, and each closed at its own idle limit.
#[test]
fn silent_connections_cost_half_a_kilobyte_and_no_wake_ups() {
    const SESSIONS: usize = 8_000;
    const IDLE: Duration = Duration::from_secs(12);
    let _alone = heavy();
    if raise_descriptor_limit() < 2 * SESSIONS + 1_500 {
        return not_run("8,000 silent connections", "the descriptor limit is under 17,500");
    }
    let target = Target::new(TargetKind::Silent, "silent");
    let forebay = Forebay::start(&config("", "idle_timeout = \"12s\"", &list(std::slice::from_ref(&target))));
    let addr = forebay.addr("web");
    let before = forebay.resources().memory_bytes();
    let watch = Stopwatch::start();
    let clients: Vec<_> = (0..SESSIONS).map(|_| (connect(addr), watch.elapsed())).collect();
    eventually("all sessions are relayed", || target.open() == SESSIONS);
    assert!(watch.elapsed() < IDLE / 2, "opening took {:?}, too slow to look at them idle", watch.elapsed());
    let each = forebay.resources().memory_bytes().saturating_sub(before) / u64::try_from(SESSIONS).unwrap();
    assert!(each <= 512, "{each} bytes of process memory each");
    pause(Duration::from_secs(3), "the deadlines of connecting pass, then nothing is left to do");
    let sleeps = forebay.resources().sleeps("worker");
    pause(Duration::from_secs(2), "wake-ups are a rate");
    for (before, after) in sleeps.iter().zip(forebay.resources().sleeps("worker")) {
        assert!(after - before <= 4, "a worker woke up {} times in 2 s", after - before);
    }
    let mut left: Vec<_> = clients.iter().collect();
    left.iter().for_each(|(stream, _opened)| stream.set_nonblocking(true).unwrap());
    let mut byte = [0];
    while !left.is_empty() {
        left.retain(|(stream, opened)| match stream.peek(&mut byte) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                assert!(
                    watch.elapsed() <= *opened + IDLE + Duration::from_secs(1),
                    "one is still open {:?} after",
                    watch.elapsed() - *opened
                );
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                let lived = watch.elapsed() - *opened;
                assert!(lived + Duration::from_secs(1) >= IDLE, "one was closed after {lived:?}");
                false
            }
            other => panic!("an idle limit is a reset, not {other:?}"),
        });
        pause(Duration::from_millis(20), "between two looks");
    }
    drop(target.take_open());
    assert_eq!(forebay.count("forebay_connections_closed_total", &[("reason", "idle_timeout")]), SESSIONS);
}

/// Row 18. All are blocked half-way, so that every one holds bytes at once; without privileges pipes are scarce.
#[test]
fn two_thousand_streaming_connections_of_an_unprivileged_user_are_byte_exact() {
    const SESSIONS: usize = 2_000;
    const EACH: usize = 1_500_000;
    let _alone = heavy();
    if raise_descriptor_limit() < 4 * SESSIONS {
        return not_run("2,000 streaming connections", "the descriptor limit is under 8,000");
    }
    let target = Target::new(TargetKind::Silent, "silent");
    let launch = Launch::new(&config("", "", &list(std::slice::from_ref(&target))));
    let root = std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
    let forebay = if root {
        open_to_all(launch.dir());
        launch.through(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]).start()
    } else {
        launch.start()
    };
    let addr = forebay.addr("web");
    let clients: Vec<_> = (0..SESSIONS).map(|_| connect(addr)).collect();
    eventually("all are connected", || target.open() == SESSIONS);
    let far = target.take_open();
    let mut patterns = vec![Pattern::of_target(); SESSIONS];
    fill(&far, &mut patterns, EACH);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Readers take turns, so that most stay blocked for most of the time.
            let mut buffer = vec![0; 64 * 1024];
            let mut open: Vec<_> = clients.iter().map(|client| (client, Pattern::of_target())).collect();
            open.iter().for_each(|(client, _pattern)| client.set_nonblocking(true).unwrap());
            let watch = Stopwatch::start();
            while !open.is_empty() {
                assert!(watch.elapsed() < Duration::from_secs(60), "{} readers still wait", open.len());
                open.retain_mut(|(client, pattern)| match client.read(&mut buffer) {
                    Ok(0) => {
                        assert_eq!(pattern.position(), EACH);
                        false
                    }
                    Ok(got) => {
                        pattern.verify(&buffer[..got]).unwrap();
                        true
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                        true
                    }
                });
            }
        });
        let mut open: Vec<_> = far.iter().zip(patterns.iter_mut()).collect();
        while !open.is_empty() {
            open.retain_mut(|(stream, pattern)| {
                let left = EACH - pattern.position();
                if left == 0 {
                    stream.shutdown(std::net::Shutdown::Write).unwrap();
                    return false;
                }
                match (&**stream).write(pattern.upcoming(left.min(128 * 1024))) {
                    Ok(put) => pattern.advance(put),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
                }
                true
            });
        }
    });
    drop((clients, far));
    eventually("all sessions have ended", || {
        forebay.count("forebay_connections_closed_total", &[("reason", "finished")]) == SESSIONS
    });
}

/// A listener whose target is full of unread connections does not stop the others (part of rows 1 and 4).
#[test]
fn one_stuck_listener_does_not_stop_another() {
    let stuck = TcpListener::bind("127.0.0.1:0").unwrap();
    let live = Target::named("live");
    let forebay = Forebay::start(&format!(
        "[runtime]\nworkers = 1\n[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n\
         [target_groups.web]\ntargets = [\"{}\"]\n\
         [listeners.live]\nbind = \"127.0.0.1:0\"\ntarget_group = \"live\"\n[target_groups.live]\ntargets = [\"{}\"]\n",
        stuck.local_addr().unwrap(),
        live.addr()
    ));
    let clients: Vec<_> = (0..20).map(|_| connect(forebay.addr("web"))).collect();
    let mut patterns = vec![Pattern::of_client(); clients.len()];
    fill(&clients, &mut patterns, 50_000_000);
    let watch = Stopwatch::start();
    for _client in 0..50 {
        assert!(ask(forebay.addr("live")).is_served());
    }
    assert!(watch.elapsed() < Duration::from_secs(2), "{:?}", watch.elapsed());
    clients.into_iter().for_each(reset);
    drop(stuck);
}
