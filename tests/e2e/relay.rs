//! Bytes pass unchanged, in any amount and rhythm.

use crate::harness::{DEADLINE, Forebay, Pattern, connect, heavy};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

const GIB: usize = 1 << 30;

fn one_target(bind: &str, target: SocketAddr) -> Forebay {
    Forebay::start(&format!(
        "[listeners.web]\nbind = \"{bind}\"\ntarget_group = \"web\"\n[target_groups.web]\ntargets = [\"{target}\"]\n"
    ))
}

fn send(mut stream: &TcpStream, mut pattern: Pattern, total: usize, piece: impl Fn(usize) -> usize) {
    while pattern.position() < total {
        let most = piece(pattern.position()).min(total - pattern.position());
        let put = stream.write(pattern.upcoming(most)).unwrap();
        pattern.advance(put);
    }
    stream.shutdown(Shutdown::Write).unwrap();
}

fn receive(mut stream: &TcpStream, mut pattern: Pattern, total: usize, piece: impl Fn(usize) -> usize) {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let most = piece(pattern.position()).clamp(1, buffer.len());
        let got = stream.read(&mut buffer[..most]).unwrap();
        if got == 0 {
            break;
        }
        pattern.verify(&buffer[..got]).unwrap();
    }
    assert_eq!(pattern.position(), total);
}

/// Sends and receives `total` bytes each way at the same time, in pieces of these sizes.
fn both_ways(
    client: &TcpStream,
    target: &TcpStream,
    total: usize,
    piece: impl Fn(usize) -> usize + Copy + Sync + Send,
) {
    thread::scope(|scope| {
        scope.spawn(|| send(client, Pattern::of_client(), total, piece));
        scope.spawn(|| send(target, Pattern::of_target(), total, piece));
        scope.spawn(|| receive(target, Pattern::of_client(), total, piece));
        scope.spawn(|| receive(client, Pattern::of_target(), total, piece));
    });
}

fn session(forebay: &Forebay, target: &TcpListener) -> (TcpStream, TcpStream) {
    let client = connect(forebay.addr("web"));
    let far = target.accept().unwrap().0;
    far.set_read_timeout(Some(DEADLINE)).unwrap();
    far.set_write_timeout(Some(DEADLINE)).unwrap();
    (client, far)
}

#[test]
fn one_gibibyte_each_way_at_once_is_byte_exact() {
    let _alone = heavy();
    for bind in ["127.0.0.1:0", "[::1]:0"] {
        let target = TcpListener::bind(bind).unwrap();
        let forebay = one_target(bind, target.local_addr().unwrap());
        let (client, far) = session(&forebay, &target);
        both_ways(&client, &far, GIB, |_position| 256 * 1024);
        let line = forebay.access_log(1).remove(0);
        assert_eq!((&line["bytes_to_target"], &line["bytes_to_client"]), (&GIB.into(), &GIB.into()));
        for direction in ["to_target", "to_client"] {
            assert_eq!(forebay.count("forebay_bytes_total", &[("listener", "web"), ("direction", direction)]), GIB);
        }
    }
}

/// Small and large writes in turns: a direction goes over to streaming and back again and again.
#[test]
fn changing_sizes_are_byte_exact() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let forebay = one_target("127.0.0.1:0", target.local_addr().unwrap());
    let sizes = |position: usize| match (position / 1_000_000) % 3 {
        0 => 1 + position % 1_009,
        1 => 256 * 1024,
        _ => 1 + position % 70_001,
    };
    for _session in 0..4 {
        let (client, far) = session(&forebay, &target);
        both_ways(&client, &far, 24_000_000, sizes);
    }
    assert_eq!(forebay.access_log(4).len(), 4);
}

#[test]
fn many_sessions_at_once_do_not_mix_their_bytes() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let forebay = one_target("127.0.0.1:0", target.local_addr().unwrap());
    let pairs: Vec<_> = (0..24).map(|_number| session(&forebay, &target)).collect();
    thread::scope(|scope| {
        for (number, (client, far)) in pairs.iter().enumerate() {
            // Different lengths: bytes that reach a neighbour are at the wrong position there.
            scope.spawn(move || {
                both_ways(client, far, 1_000_000 + number * 100_003, |position| 1 + (position * 7) % 90_001);
            });
        }
    });
    drop(pairs);
    assert_eq!(forebay.access_log(24).len(), 24);
}

/// The line of a session says what both sides saw.
#[test]
fn access_log_line_has_every_field() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let forebay = one_target("127.0.0.1:0", target.local_addr().unwrap());
    let (client, far) = session(&forebay, &target);
    let (client_addr, source) = (client.local_addr().unwrap(), far.peer_addr().unwrap());
    both_ways(&client, &far, 1000, |_position| 1000);
    let line = forebay.access_log(1).remove(0);
    let expected = [
        ("protocol", "tcp".into()),
        ("listener", "web".into()),
        ("client", client_addr.to_string().into()),
        ("listen_address", forebay.addr("web").to_string().into()),
        ("target_group", "web".into()),
        ("target", target.local_addr().unwrap().to_string().into()),
        ("target_address", target.local_addr().unwrap().to_string().into()),
        ("source", source.to_string().into()),
        ("attempts", 1.into()),
        ("bytes_to_target", 1000.into()),
        ("bytes_to_client", 1000.into()),
        ("datagrams_to_target", serde_json::Value::Null),
        ("datagrams_to_client", serde_json::Value::Null),
        ("close_reason", serde_json::Value::from("finished")),
    ];
    for (field, value) in expected {
        assert_eq!(line.get(field), Some(&value), "{field} in {line}");
    }
    for field in ["duration_ms", "connect_ms", "first_byte_ms"] {
        assert!(line[field].as_f64().is_some_and(|ms| (0.0..10_000.0).contains(&ms)), "{field} in {line}");
    }
    for field in ["client_rtt_us", "target_rtt_us", "client_retransmits", "target_retransmits"] {
        assert!(line[field].is_u64(), "{field} in {line}");
    }
    let time = line["time"].as_str().unwrap();
    assert!(time.len() >= 20 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time} is RFC 3339 in UTC");
    assert!(line["connect_ms"].as_f64() <= line["duration_ms"].as_f64(), "{line}");
}

#[test]
fn dual_stack_and_several_addresses_serve() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let forebay = Forebay::start(&format!(
        "[listeners.web]\nbind = [\"127.0.0.1:0\", \"[::1]:0\"]\ntarget_group = \"web\"\n\
         [listeners.dual]\nbind = \"[::]:0\"\ntarget_group = \"web\"\n\
         [target_groups.web]\ntargets = [\"{}\"]\n",
        target.local_addr().unwrap()
    ));
    let mut addrs = forebay.addrs("web");
    assert_eq!(addrs.len(), 2);
    let dual = forebay.addr("dual").port();
    addrs.extend([SocketAddr::from(([127, 0, 0, 1], dual)), format!("[::1]:{dual}").parse().unwrap()]);
    for addr in addrs {
        let client = connect(addr);
        let far = target.accept().unwrap().0;
        both_ways(&client, &far, 10_000, |_position| 5_000);
    }
    let lines = forebay.access_log(4);
    let last = lines
        .iter()
        .find(|line| line["listener"] == "dual" && line["client"].as_str().unwrap().starts_with("127."))
        .unwrap();
    assert_eq!(last["listen_address"], format!("127.0.0.1:{dual}"), "{last}");
}
