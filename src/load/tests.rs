use super::*;
use crate::time::clock;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

const FAMILIES: [&str; 2] = ["127.0.0.1:0", "[::1]:0"];

fn target(kind: TargetKind, bind: &str) -> Target {
    Target::start(kind, bind.parse().unwrap()).unwrap()
}

fn plan(addr: SocketAddr, mode: Mode) -> Plan {
    Plan { connections: 4, duration: Duration::from_millis(150), ..Plan::new(addr, mode) }
}

fn report_of(plan: &Plan) -> Report {
    run(plan, |_progress| {}).unwrap()
}

/// A target of one connection that does as `script` says.
fn scripted(script: impl FnOnce(TcpStream) + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    (addr, thread::spawn(move || script(listener.accept().unwrap().0)))
}

/// Echoes operations of 64 bytes until the peer ends; after `quick` of them one takes `stall` longer (a channel that
/// nobody sends on is the clock).
fn echo_with_stall(mut stream: TcpStream, quick: usize, stall: Duration) {
    let (_never, silence) = mpsc::channel::<()>();
    let mut operation = [0; 64];
    for count in 0.. {
        if stream.read_exact(&mut operation).is_err() {
            return;
        }
        if count == quick {
            let _timed_out = silence.recv_timeout(stall);
        }
        if stream.write_all(&operation).is_err() {
            return;
        }
    }
}

#[test]
fn every_mode_runs_without_errors_on_both_families() {
    let pairs = [
        (TargetKind::Echo, Mode::Ping),
        (TargetKind::Echo, Mode::Connect),
        (TargetKind::Source, Mode::Download),
        (TargetKind::Sink, Mode::Upload),
    ];
    for bind in FAMILIES {
        for (kind, mode) in pairs {
            let target = target(kind, bind);
            let report = report_of(&plan(target.addr(), mode));
            assert_eq!(report.errors, Errors::default(), "{kind:?} {bind}");
            assert!(report.completed > 0 && report.bits_per_second > 0.0, "{kind:?} {bind}: {report:?}");
            assert!(target.bytes() >= report.completed * report.size as u64 / 2);
            assert!(report.latency_us.min <= report.latency_us.p50 && report.latency_us.p50 <= report.latency_us.max);
        }
    }
}

#[test]
fn operations_larger_than_every_buffer_come_back_whole() {
    let target = target(TargetKind::Echo, FAMILIES[0]);
    for mode in [Mode::Ping, Mode::Connect] {
        let plan =
            Plan { connections: 2, size: 20 << 20, duration: Duration::from_secs(1), ..plan(target.addr(), mode) };
        let mut completed = 0;
        let report = run_until(&plan, |progress| {
            completed = progress.completed;
            if completed >= 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        assert_eq!(report.errors, Errors::default(), "{mode:?}");
    }
}

#[test]
fn many_connections_each_get_their_own_bytes() {
    let target = target(TargetKind::Echo, FAMILIES[0]);
    let report = report_of(&Plan { connections: 700, size: 300, ..plan(target.addr(), Mode::Ping) });
    assert_eq!((report.errors, target.accepted()), (Errors::default(), 700));
    assert!(report.completed >= 700, "{report:?}");
}

#[test]
fn an_open_loop_counts_the_stall_for_every_request_that_was_meant_to_happen_in_it() {
    let (addr, script) = scripted(|stream| echo_with_stall(stream, 20, Duration::from_millis(400)));
    let plan = Plan { rate: 200.0, connections: 1, duration: Duration::from_secs(1), ..plan(addr, Mode::Ping) };
    let report = report_of(&plan);
    script.join().unwrap();
    // 80 requests fell into the stall and waited 200 ms on average; a closed loop would have seen one of 400 ms.
    assert!(report.latency_us.max >= 390_000 && report.latency_us.p99 >= 350_000, "{report:?}");
    assert!(report.latency_us.mean >= 50_000, "{report:?}");
    assert_eq!(report.errors, Errors::default());
}

#[test]
fn a_stall_that_outlasts_the_run_is_seen_too() {
    let (addr, script) = scripted(|stream| echo_with_stall(stream, 20, Duration::from_millis(1500)));
    let plan = Plan { rate: 200.0, connections: 1, duration: Duration::from_millis(600), ..plan(addr, Mode::Ping) };
    let report = report_of(&plan);
    script.join().unwrap();
    assert!(report.completed <= 21 && report.latency_us.p50 >= 100_000, "{report:?}");
}

#[test]
fn a_closed_loop_takes_the_stall_once() {
    let (addr, script) = scripted(|stream| echo_with_stall(stream, 200, Duration::from_millis(100)));
    let plan = Plan { connections: 1, duration: Duration::from_millis(600), ..plan(addr, Mode::Ping) };
    let report = report_of(&plan);
    script.join().unwrap();
    assert!(report.latency_us.max >= 99_000, "{report:?}");
    assert!(report.completed < 200 || report.latency_us.p50 < 99_000, "{report:?}");
}

#[test]
fn a_wrong_byte_is_a_mismatch() {
    let (addr, script) = scripted(|mut stream| {
        let mut operation = [0; 64];
        stream.read_exact(&mut operation).unwrap();
        operation[63] ^= 1;
        stream.write_all(&operation).unwrap();
        let _until_the_generator_closes = stream.read(&mut operation);
    });
    let plan = Plan { connections: 1, duration: Duration::from_millis(50), ..plan(addr, Mode::Ping) };
    let report = report_of(&plan);
    script.join().unwrap();
    assert_eq!((report.errors.mismatch, report.completed), (1, 0));
}

#[test]
fn an_early_fin_is_a_reset_and_a_refusal_a_connect_error() {
    let (addr, script) = scripted(|mut stream| {
        let mut half = [0; 32];
        stream.read_exact(&mut half).unwrap();
        stream.write_all(&half).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let _until_the_generator_closes = stream.read_to_end(&mut Vec::new());
    });
    let report = report_of(&Plan { connections: 1, duration: Duration::from_millis(50), ..plan(addr, Mode::Ping) });
    script.join().unwrap();
    assert_eq!((report.errors.reset, report.errors.mismatch, report.completed), (1, 0, 0));
    for mode in [Mode::Ping, Mode::Connect] {
        let report = report_of(&plan(addr, mode));
        assert!(report.errors.connect >= 4 && report.errors.total() == report.errors.connect, "{report:?}");
    }
}

#[test]
fn a_run_in_which_nothing_comes_back_has_time_outs() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let report = report_of(&plan(silent.local_addr().unwrap(), Mode::Ping));
    assert_eq!((report.errors.timeout, report.completed), (4, 0));
}

#[test]
fn the_warm_up_does_not_count() {
    let target = target(TargetKind::Echo, FAMILIES[0]);
    let warm = Plan { rate: 1000.0, warmup: Duration::from_millis(300), ..plan(target.addr(), Mode::Ping) };
    let mut phases = Vec::new();
    let report = run(&warm, |progress| phases.push(progress.phase)).unwrap();
    phases.dedup();
    assert_eq!(phases, [Phase::Warmup, Phase::Measuring, Phase::Ended]);
    assert!((1..=151).contains(&report.completed), "{report:?}");
}

#[test]
fn the_rate_is_kept_and_operations_are_spread_over_the_connections() {
    let target = target(TargetKind::Echo, FAMILIES[0]);
    let plan = Plan { rate: 400.0, duration: Duration::from_millis(500), ..plan(target.addr(), Mode::Connect) };
    let report = report_of(&plan);
    assert!((150..=201).contains(&report.completed), "{report:?}");
    assert_eq!(report.errors, Errors::default());
}

#[test]
fn echo_finishes_what_it_was_sent_before_its_fin() {
    let target = target(TargetKind::Echo, FAMILIES[1]);
    let mut stream = TcpStream::connect(target.addr()).unwrap();
    let sent: Vec<u8> = (0..3_000_000_u32).map(|index| index.to_le_bytes()[0] ^ index.to_le_bytes()[2]).collect();
    let (mut writer, bytes) = (stream.try_clone().unwrap(), sent.clone());
    // Reading begins only when everything is on its way, so that the target has to hold back.
    let writing = thread::spawn(move || {
        writer.write_all(&bytes).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    writing.join().unwrap();
    assert!(received == sent);
}

#[test]
fn a_sink_answers_fin_with_fin_and_a_source_goes_on_after_it() {
    let sink = target(TargetKind::Sink, FAMILIES[0]);
    let mut stream = TcpStream::connect(sink.addr()).unwrap();
    stream.write_all(&[7; 100_000]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap(), 0);
    assert_eq!((sink.bytes(), sink.accepted()), (100_000, 1));

    let source = target(TargetKind::Source, FAMILIES[0]);
    let mut stream = TcpStream::connect(source.addr()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    stream.read_exact(&mut vec![0; 20_000_000]).unwrap();
    drop(stream);
    let deadline = clock::now() + Duration::from_secs(10);
    while source.open() > 0 {
        assert!(clock::now() < deadline, "the source holds a connection that is gone");
        thread::yield_now();
    }
}

#[test]
fn a_target_that_stops_closes_its_connections_and_frees_its_address() {
    let first = target(TargetKind::Echo, FAMILIES[0]);
    let addr = first.addr();
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    assert_eq!(Target::start(TargetKind::Echo, addr).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    first.stop();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert_eq!(Target::start(TargetKind::Echo, addr).unwrap().addr(), addr);
}

#[test]
fn plans_beyond_their_bounds_are_refused() {
    let good = Plan::new("127.0.0.1:1".parse().unwrap(), Mode::Ping);
    let bad = [
        Plan { connections: 0, ..good.clone() },
        Plan { size: 0, ..good.clone() },
        Plan { size: Plan::LARGEST_SIZE + 1, ..good.clone() },
        Plan { rate: f64::NAN, ..good.clone() },
        Plan { rate: -1.0, ..good.clone() },
        Plan { duration: Duration::ZERO, ..good.clone() },
        Plan { protocol: crate::model::Protocol::Udp, ..good.clone() },
    ];
    assert_eq!(good.validate(), Ok(()));
    for plan in bad {
        assert_eq!(run(&plan, |_progress| {}).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{plan:?}");
    }
}
