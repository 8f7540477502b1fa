//! HAProxy's `tcplog`: what existing log readers understand.
//!
//! `client_ip:port [accept_date] frontend backend/server Tw/Tc/Tt bytes_read termination_state
//! actconn/feconn/beconn/srv_conn/retries srv_queue/backend_queue` (HAProxy configuration manual, 8.2.2).

use crate::engine::SessionRecord;
use crate::model::{CloseReason, ClosedBy};
use std::io::Write;
use std::time::{Duration, SystemTime};

/// Appends the line of a session that ended at `time`.
pub(super) fn append(batch: &mut Vec<u8>, record: &SessionRecord, time: SystemTime) {
    let accepted = time.checked_sub(record.duration).unwrap_or(time);
    let server = record.target.as_ref().map_or("<NOSRV>", |target| &*target.id);
    let server: String = server.chars().map(|c| if c.is_control() || c == ' ' { '_' } else { c }).collect();
    let connect = record.connect.map_or(-1, millis);
    let (active, of_group) = (record.listener.sessions.active(), record.group.sessions.active());
    let of_target = record.target.as_ref().map_or(0, |target| target.load.active());
    // Writing to a Vec cannot fail.
    let _written = writeln!(
        batch,
        "{} [{}] {} {}/{} 0/{}/{} {} {} {active}/{active}/{of_group}/{of_target}/{} 0/0",
        record.client_addr,
        date(accepted),
        record.listener.name,
        record.group.name,
        server,
        connect,
        millis(record.duration),
        record.bytes_to_client,
        termination(record),
        record.attempts.saturating_sub(1),
    );
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// `23/Nov/2026:01:32:17.123`, in UTC.
fn date(time: SystemTime) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // 2026-11-23T01:32:17.123Z
    let text = humantime::format_rfc3339_millis(time).to_string();
    let month = text.get(5..7).and_then(|month| month.parse::<usize>().ok()).unwrap_or(1);
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    let month = MONTHS.get(month.wrapping_sub(1)).unwrap_or(&"Jan");
    format!("{}/{month}/{}:{}", part(8..10), part(0..4), part(11..23))
}

/// Who ended it, and in which stage: two letters.
fn termination(record: &SessionRecord) -> &'static str {
    let connected = record.connect.is_some();
    match (record.close_reason, record.closed_by) {
        (CloseReason::Finished, _) => "--",
        (CloseReason::IdleTimeout | CloseReason::HalfCloseTimeout, _) => "cD",
        (CloseReason::LocalResource, _) => "RC",
        (CloseReason::Shutdown | CloseReason::Drained | CloseReason::Admin | CloseReason::MaxLifetime, _) => "KD",
        (CloseReason::Unhealthy, _) => "DD",
        (_, ClosedBy::Client) if connected => "CD",
        (_, ClosedBy::Client) => "CC",
        (CloseReason::ConnectTimeout, _) => "sC",
        (_, ClosedBy::Target | ClosedBy::Forebay) if connected => "SD",
        (_, ClosedBy::Target | ClosedBy::Forebay) => "SC",
    }
}
