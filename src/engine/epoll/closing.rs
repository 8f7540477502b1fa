//! The end of a session: each of them has exactly one, with one reason, counted and recorded once.

use super::session::{Session, Stage};
use super::tools::Tools;
use crate::balance::TargetRuntime;
use crate::engine::{SessionRecord, TcpFigures};
use crate::model::{CloseReason, ClosedBy, Protocol};
use crate::sys;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    reason: CloseReason,
    closed_by: ClosedBy,
    /// Both connections are reset; else both have seen FIN both ways and are closed quietly.
    reset: bool,
}

impl End {
    pub(super) fn reset(reason: CloseReason, closed_by: ClosedBy) -> Self {
        Self { reason, closed_by, reset: true }
    }

    pub(super) fn quiet(reason: CloseReason, closed_by: ClosedBy) -> Self {
        Self { reason, closed_by, reset: false }
    }
}

impl Session {
    /// Closes both connections, returns what was lent, counts and records.
    pub(super) fn close(mut self, end: End, tools: &mut Tools) {
        if matches!(self.stage, Stage::Connecting(_)) {
            self.leave_connecting();
        }
        self.to_target.unpark(tools);
        self.to_client.unpark(tools);
        let worker = tools.index;
        let duration = tools.now.saturating_duration_since(self.accepted);
        self.listener.runtime.counters.of(worker).closed[end.reason.index()].add(1);
        self.group.counters.of(worker).session_duration.record(duration);
        self.listener.runtime.sessions.release();
        self.group.sessions.release();
        tools.process.sessions.release();
        if tools.snapshot.records_wanted {
            let record = self.record(end, duration, tools);
            tools.record(record);
        }
        let Self { client, target, lease, .. } = self;
        drop(lease);
        if end.reset {
            sys::close_with_reset(client);
            if let Some(target) = target {
                sys::close_with_reset(target);
            }
        }
    }

    fn record(&self, end: End, duration: std::time::Duration, tools: &Tools) -> SessionRecord {
        SessionRecord {
            protocol: Protocol::Tcp,
            listener: self.listener.runtime.clone(),
            client_addr: self.key.client_addr,
            listen_addr: self.key.listen_addr,
            group: self.group.clone(),
            target: self.last_target(tools),
            target_addr: self.target_addr,
            source_addr: self.source_addr,
            duration,
            connect: self.connect_time,
            first_byte: self.first_byte_time,
            attempts: u32::from(self.attempts),
            bytes_to_target: self.to_target.bytes,
            bytes_to_client: self.to_client.bytes,
            close_reason: end.reason,
            closed_by: end.closed_by,
            client_tcp: figures(&self.client),
            target_tcp: self.target.as_ref().and_then(figures),
        }
    }
}

impl Session {
    /// The target that serves it, or was tried last, unless that one was removed meanwhile.
    fn last_target(&self, tools: &Tools) -> Option<Arc<TargetRuntime>> {
        if let Some(lease) = &self.lease {
            return Some(Arc::clone(lease.target()));
        }
        let (_index, view) = tools.group_view(&self.group)?;
        let mut members = view.placement.members().iter();
        members.find(|member| member.runtime.uid == self.target_uid).map(|member| Arc::clone(&member.runtime))
    }
}

fn figures(connection: &OwnedFd) -> Option<TcpFigures> {
    let told = sys::tcp_info(connection.as_fd()).ok()?;
    Some(TcpFigures { rtt_us: told.rtt_us, retransmits: told.retransmits })
}
