//! Bytes between two established connections.

use super::closing::End;
use super::moving::{Broken, Pause, Run};
use super::serving::Served;
use super::session::{FLUSH_LIMIT, Readiness, Session, Stage};
use super::tools::{Side, Tools};
use crate::model::{CloseReason, ClosedBy};
use crate::relay::Step;
use crate::sys;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

impl Session {
    /// Moves what can be moved, in both directions, and draws the conclusion.
    pub(super) fn serve_relay(&mut self, tools: &mut Tools) -> Served {
        if let Some(end) = self.take_failures(tools.now) {
            return Served::Ended(end);
        }
        let to_target = self.run(Side::Target, tools);
        let to_target = match to_target {
            Ok(pause) => pause,
            Err(end) => return Served::Ended(end),
        };
        let to_client = match self.run(Side::Client, tools) {
            Ok(pause) => pause,
            Err(end) => return Served::Ended(end),
        };
        let left_over = matches!(to_target, Pause::Share) || matches!(to_client, Pause::Share);
        match self.stage {
            Stage::Relaying => {
                if self.is_closed_both_ways() {
                    let closed_by = self.first_fin.unwrap_or(ClosedBy::Forebay);
                    return Served::Ended(End::quiet(CloseReason::Finished, closed_by));
                }
            }
            Stage::TargetLost { reason, reset_at } => {
                if self.is_closed_both_ways() && self.client_has_everything() || tools.now >= reset_at {
                    return Served::Ended(End::reset(reason, ClosedBy::Target));
                }
            }
            Stage::Draining { reason, reset_at } => {
                if let Some(end) = self.finish_draining(reason, tools.now >= reset_at, tools) {
                    return Served::Ended(end);
                }
            }
            Stage::Connecting(_) => {}
        }
        if left_over { Served::LeftOver } else { Served::Waiting }
    }

    /// Ends an established session whose deadline has passed.
    pub(super) fn expire_relay(&mut self, reason: CloseReason, tools: &mut Tools) -> Served {
        if matches!(reason, CloseReason::IdleTimeout | CloseReason::HalfCloseTimeout) {
            return Served::Ended(End::reset(reason, ClosedBy::Forebay));
        }
        self.stage = Stage::Draining { reason, reset_at: tools.now + FLUSH_LIMIT };
        self.serve_relay(tools)
    }

    fn is_closed_both_ways(&self) -> bool {
        self.to_target.half.step() == Step::Done && self.to_client.half.step() == Step::Done
    }

    /// Runs one direction until it has to pause; an end when a connection failed that the session cannot do without.
    fn run(&mut self, towards: Side, tools: &mut Tools) -> Result<Pause, End> {
        let draining = matches!(self.stage, Stage::Draining { .. });
        let target_lost = matches!(self.stage, Stage::TargetLost { .. });
        let Some(target) = self.target.as_ref() else { return Ok(Pause::Done) };
        let (client, target) = (self.client.as_fd(), target.as_fd());
        let mut run = match towards {
            Side::Target => Run {
                direction: &mut self.to_target,
                source: client,
                sink: target,
                source_ready: &mut self.client_ready,
                sink_ready: &mut self.target_ready,
                moved: 0,
            },
            Side::Client => Run {
                direction: &mut self.to_client,
                source: target,
                sink: client,
                source_ready: &mut self.target_ready,
                sink_ready: &mut self.client_ready,
                moved: 0,
            },
        };
        let before = run.direction.bytes;
        let mut outcome = run.go(tools);
        if draining && matches!(outcome, Ok(Pause::Source | Pause::Share)) {
            // Ended by order: what had arrived is delivered (a turn's share of it), what may still come is not waited
            // for.
            run.direction.half = run.direction.half.source_ended();
            outcome = run.go(tools);
        }
        let (moved, wrote) = (run.moved, run.direction.bytes - before);
        let fin_due = run.direction.half.step() == Step::Shutdown;
        if moved > 0 || wrote > 0 {
            self.last_active = tools.now;
            self.count_bytes(towards, wrote, tools);
        }
        match outcome {
            Err(Broken::Source(error)) => {
                self.connection_failed(other(towards), &error, tools).map_or(Ok(Pause::Done), Err)
            }
            Err(Broken::Sink(error)) => self.connection_failed(towards, &error, tools).map_or(Ok(Pause::Done), Err),
            Ok(_pause) if fin_due => {
                self.pass_fin(towards, target_lost && towards == Side::Client, tools.now);
                Ok(Pause::Done)
            }
            Ok(pause) => Ok(pause),
        }
    }

    /// Passes FIN on; not where the target was lost, because FIN would make a truncated answer look whole.
    fn pass_fin(&mut self, towards: Side, withhold: bool, now: Instant) {
        let (direction, opposite, sink) = match towards {
            Side::Target => (&mut self.to_target, &self.to_client, self.target.as_ref()),
            Side::Client => (&mut self.to_client, &self.to_target, Some(&self.client)),
        };
        direction.half = direction.half.closed();
        if withhold {
            return;
        }
        if matches!(self.stage, Stage::Relaying) && opposite.half.step() == Step::Done {
            // The last FIN: closing the socket, which comes next, sends it.
            return;
        }
        if let Some(sink) = sink {
            // ENOTCONN: it was reset meanwhile, and its own event says so.
            let _reset_already = sys::shutdown_write(sink.as_fd());
        }
        let from = if towards == Side::Target { ClosedBy::Client } else { ClosedBy::Target };
        if self.first_fin.replace(self.first_fin.unwrap_or(from)).is_none() {
            // The limit after the first FIN counts from that FIN.
            self.last_active = now;
        }
    }

    fn count_bytes(&mut self, towards: Side, wrote: u64, tools: &Tools) {
        if wrote == 0 {
            return;
        }
        let listener = self.listener.runtime.counters.of(tools.index);
        let target = self.lease.as_ref().map(|lease| lease.target().counters.of(tools.index));
        match towards {
            Side::Target => {
                listener.bytes_to_target.add(wrote);
                target.iter().for_each(|target| target.bytes_to_target.add(wrote));
            }
            Side::Client => {
                listener.bytes_to_client.add(wrote);
                target.iter().for_each(|target| target.bytes_to_client.add(wrote));
                let accepted = self.accepted;
                self.first_byte_time.get_or_insert_with(|| tools.now.saturating_duration_since(accepted));
            }
        }
    }

    /// Acts on errors that events told of, before bytes are moved: the client's reset reaches the target at once.
    fn take_failures(&mut self, now: Instant) -> Option<End> {
        if std::mem::take(&mut self.client_ready.failed)
            && let Ok(Some(error)) = sys::socket_error(self.client.as_fd())
        {
            return Some(self.draining_end().unwrap_or_else(|| client_lost(&error)));
        }
        if std::mem::take(&mut self.target_ready.failed) {
            let error = self.target.as_ref().and_then(|target| sys::socket_error(target.as_fd()).ok().flatten());
            if let Some(error) = error {
                if let Some(end) = self.draining_end() {
                    return Some(end);
                }
                self.target_lost(&error, now);
            }
        }
        None
    }

    /// Acts on an error that moving bytes met.
    fn connection_failed(&mut self, side: Side, error: &io::Error, tools: &mut Tools) -> Option<End> {
        if let Some(end) = self.draining_end() {
            return Some(end);
        }
        match side {
            Side::Client => Some(client_lost(error)),
            Side::Target => {
                self.target_lost(error, tools.now);
                // What the target's kernel had delivered is still there to be read.
                self.run(Side::Client, tools).err()
            }
        }
    }

    /// Ended by order, whatever the peers make of it: the order is the cause.
    fn draining_end(&self) -> Option<End> {
        let Stage::Draining { reason, .. } = self.stage else { return None };
        Some(End::reset(reason, ClosedBy::Forebay))
    }

    /// The target is gone: nothing more goes there; what it sent is still delivered, then the client is reset.
    pub(super) fn target_lost(&mut self, error: &io::Error, now: Instant) {
        if matches!(self.stage, Stage::TargetLost { .. }) {
            // The error that ends the reading of what was left.
            self.to_client.half = self.to_client.half.source_ended();
            return;
        }
        let reason = if sys::is_peer_silence(error) { CloseReason::TargetTimeout } else { CloseReason::TargetReset };
        self.stage = Stage::TargetLost { reason, reset_at: now + FLUSH_LIMIT };
        self.to_target.half = self.to_target.half.closed();
        // The error is consumed: from now on reading goes on to a plain end of stream.
        self.target_ready.readable = true;
        self.target_ready.read_closed = true;
    }

    /// Whether the client's kernel has acknowledged all that was written to it.
    fn client_has_everything(&self) -> bool {
        sys::unacknowledged_bytes(self.client.as_fd()).map_or(true, |bytes| bytes == 0)
    }

    /// Ended by order, FIN sent both ways: waits for the FIN of both, reading nothing else.
    fn finish_draining(&mut self, reason: CloseReason, overdue: bool, tools: &mut Tools) -> Option<End> {
        if overdue {
            return Some(End::reset(reason, ClosedBy::Forebay));
        }
        if !self.is_closed_both_ways() {
            return None;
        }
        let target = self.target.as_ref()?;
        let client_gone = discard(self.client.as_fd(), &mut self.client_ready, &mut tools.scratch[..]);
        let target_gone = discard(target.as_fd(), &mut self.target_ready, &mut tools.scratch[..]);
        (client_gone && target_gone).then(|| End::quiet(reason, ClosedBy::Forebay))
    }
}

fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Target,
        Side::Target => Side::Client,
    }
}

fn client_lost(error: &io::Error) -> End {
    let reason = if sys::is_peer_silence(error) { CloseReason::ClientTimeout } else { CloseReason::ClientReset };
    End::reset(reason, ClosedBy::Client)
}

/// Reads and drops what comes; true at the end of the stream.
fn discard(fd: BorrowedFd<'_>, ready: &mut Readiness, scratch: &mut [u8]) -> bool {
    if !ready.read_closed {
        return false;
    }
    // What a peer may still send after its FIN is nothing; before it, a bounded amount per look.
    for _round in 0..16 {
        match sys::receive(fd, scratch) {
            Ok(0) => return true,
            Ok(_dropped) => {}
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
    false
}
