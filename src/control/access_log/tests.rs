use super::*;
use crate::balance::{GroupRuntime, TargetRuntime};
use crate::engine::{SessionRecord, TcpFigures};
use crate::model::{CloseReason, ClosedBy, Protocol};
use crate::snapshot::ListenerRuntime;
use crate::time::clock;
use std::time::UNIX_EPOCH;

fn record() -> SessionRecord {
    let group = Arc::new(GroupRuntime::new("pool".into(), 1));
    SessionRecord {
        protocol: Protocol::Tcp,
        listener: Arc::new(ListenerRuntime::new(1, "web".into(), 1)),
        client_addr: "192.0.2.7:1234".parse().unwrap(),
        listen_addr: "[2001:db8::1]:80".parse().unwrap(),
        target: Some(Arc::new(TargetRuntime::new(1, "a \"1\"\n".into(), Arc::clone(&group), 1))),
        group,
        target_addr: Some("10.0.0.1:80".parse().unwrap()),
        source_addr: Some("10.0.0.9:4321".parse().unwrap()),
        duration: Duration::from_micros(1_234_567),
        connect: Some(Duration::from_micros(250)),
        first_byte: None,
        attempts: 2,
        bytes_to_target: 3,
        bytes_to_client: 4,
        close_reason: CloseReason::TargetReset,
        closed_by: ClosedBy::Target,
        client_tcp: Some(TcpFigures { rtt_us: 17, retransmits: 0 }),
        target_tcp: None,
    }
}

#[test]
fn a_json_line_has_every_field_and_null_where_not_applicable() {
    let mut line = Vec::new();
    json_line::append(&mut line, &record(), UNIX_EPOCH + Duration::from_millis(1_700_000_000_123));
    let expected = concat!(
        r#"{"time":"2023-11-14T22:13:20.123Z","protocol":"tcp","listener":"web","client":"192.0.2.7:1234","#,
        r#""listen_address":"[2001:db8::1]:80","target_group":"pool","target":"a \"1\"\n","#,
        r#""target_address":"10.0.0.1:80","source":"10.0.0.9:4321","duration_ms":1234.567,"connect_ms":0.25,"#,
        r#""first_byte_ms":null,"attempts":2,"bytes_to_target":3,"bytes_to_client":4,"datagrams_to_target":null,"#,
        r#""datagrams_to_client":null,"close_reason":"target_reset","closed_by":"target","client_rtt_us":17,"#,
        r#""target_rtt_us":null,"client_retransmits":0,"target_retransmits":null}"#,
        "\n"
    );
    assert_eq!(String::from_utf8(line).unwrap(), expected);
}

#[test]
fn a_tcplog_line_is_what_haproxy_writes() {
    let mut line = Vec::new();
    tcplog_line::append(&mut line, &record(), UNIX_EPOCH + Duration::from_millis(1_700_000_001_357));
    let expected = "192.0.2.7:1234 [14/Nov/2023:22:13:20.122] web pool/a_\"1\"_ 0/0/1234 4 SD 0/0/0/0/1 0/0\n";
    assert_eq!(String::from_utf8(line).unwrap(), expected);
}

fn lines_of(path: &std::path::Path) -> usize {
    std::fs::read_to_string(path).unwrap_or_default().lines().count()
}

#[track_caller]
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = clock::now() + Duration::from_secs(10);
    while !condition() {
        assert!(clock::now() < deadline, "{what}: not within 10 s");
        std::thread::yield_now();
    }
}

#[test]
fn a_moved_file_is_opened_anew_and_every_record_has_its_line_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    let sink = config::AccessLogSink::File(path.clone());
    let config = config::AccessLog { sink, format: AccessLogFormat::Json };
    let outbox = Arc::new(Outbox::new().unwrap());
    let log = AccessLog::start(Arc::clone(&outbox), open(&config).unwrap()).unwrap();
    assert!(outbox.record(record()));
    outbox.wake_log_writer();
    wait_until("the first line", || lines_of(&path) == 1);
    std::fs::rename(&path, &moved).unwrap();
    log.reopen();
    wait_until("the new file", || path.exists());
    for _ in 0..1000 {
        assert!(outbox.record(record()));
    }
    assert!(log.finish(Duration::from_secs(10), clock::now));
    assert_eq!((lines_of(&moved), lines_of(&path)), (1, 1000));
}

#[test]
fn a_full_sink_loses_lines_and_counts_them() {
    let sink = config::AccessLogSink::File("/dev/full".into());
    let config = config::AccessLog { sink, format: AccessLogFormat::Json };
    let outbox = Arc::new(Outbox::new().unwrap());
    let log = AccessLog::start(Arc::clone(&outbox), open(&config).unwrap()).unwrap();
    for _ in 0..7 {
        assert!(outbox.record(record()));
    }
    outbox.wake_log_writer();
    wait_until("the count", || log.lines_lost() == 7);
    assert!(log.finish(Duration::from_secs(10), clock::now));
}
