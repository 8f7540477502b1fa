//! One JSON object per session.

use crate::engine::{SessionRecord, TcpFigures};
use serde::Serialize;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    protocol: &'static str,
    listener: &'a str,
    client: SocketAddr,
    listen_address: SocketAddr,
    target_group: &'a str,
    target: Option<&'a str>,
    target_address: Option<SocketAddr>,
    source: Option<SocketAddr>,
    duration_ms: f64,
    connect_ms: Option<f64>,
    first_byte_ms: Option<f64>,
    attempts: u32,
    bytes_to_target: u64,
    bytes_to_client: u64,
    datagrams_to_target: Option<u64>,
    datagrams_to_client: Option<u64>,
    close_reason: &'static str,
    closed_by: &'static str,
    client_rtt_us: Option<u32>,
    target_rtt_us: Option<u32>,
    client_retransmits: Option<u32>,
    target_retransmits: Option<u32>,
}

/// Appends the line of a session that ended at `time`.
pub(super) fn append(batch: &mut Vec<u8>, record: &SessionRecord, time: SystemTime) {
    let rtt = |figures: Option<TcpFigures>| figures.map(|figures| figures.rtt_us);
    let retransmits = |figures: Option<TcpFigures>| figures.map(|figures| figures.retransmits);
    let line = Line {
        time: humantime::format_rfc3339_millis(time).to_string(),
        protocol: record.protocol.as_str(),
        listener: &record.listener.name,
        client: record.client_addr,
        listen_address: record.listen_addr,
        target_group: &record.group.name,
        target: record.target.as_ref().map(|target| &*target.id),
        target_address: record.target_addr,
        source: record.source_addr,
        duration_ms: millis(record.duration),
        connect_ms: record.connect.map(millis),
        first_byte_ms: record.first_byte.map(millis),
        attempts: record.attempts,
        bytes_to_target: record.bytes_to_target,
        bytes_to_client: record.bytes_to_client,
        datagrams_to_target: None,
        datagrams_to_client: None,
        close_reason: record.close_reason.as_str(),
        closed_by: record.closed_by.as_str(),
        client_rtt_us: rtt(record.client_tcp),
        target_rtt_us: rtt(record.target_tcp),
        client_retransmits: retransmits(record.client_tcp),
        target_retransmits: retransmits(record.target_tcp),
    };
    let length = batch.len();
    if serde_json::to_writer(&mut *batch, &line).is_ok() {
        batch.push(b'\n');
    } else {
        // A Vec takes every byte and every field is plain; half a line would still be worse than none.
        batch.truncate(length);
    }
}

/// Milliseconds with microseconds as the fraction.
#[allow(clippy::cast_precision_loss, reason = "2^53 microseconds are 285 years")]
fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}
