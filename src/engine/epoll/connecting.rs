//! From a picked target to an established connection: attempts, retries, the budget for them.

use super::closing::End;
use super::serving::Served;
use super::session::{ATTEMPTS_MAX, Attempts, Readiness, Session, Stage};
use super::sessions::SessionKey;
use super::tools::{Side, Tools};
use crate::balance::{GroupRuntime, Lease, PickError};
use crate::model::{CloseReason, ClosedBy, ConnectFailure, ObservationKind};
use crate::snapshot::GroupView;
use crate::sys::{self, ConnectOptions};
use std::os::fd::AsFd;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Pause before the same, only target is tried again; doubled each time.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// Retries that a group may always have under way.
const RETRY_FLOOR: u32 = 3;

impl Session {
    /// Starts with the target that admission picked.
    pub(super) fn begin_attempts(
        &mut self,
        key: SessionKey,
        group_index: usize,
        member: u16,
        tools: &mut Tools,
    ) -> Served {
        let view = std::sync::Arc::clone(&tools.snapshot.groups[group_index]);
        let deadline = tools.now + view.config.connect.deadline;
        self.stage = Stage::Connecting(Attempts {
            tried: [0; ATTEMPTS_MAX],
            tried_len: 0,
            deadline,
            next_at: deadline,
            retrying: false,
            failure: ConnectFailure::Timeout,
        });
        self.group.connecting.fetch_add(1, Relaxed);
        self.attempt(key, &view, member, tools)
    }

    /// One attempt at the target that is leased.
    fn attempt(&mut self, key: SessionKey, view: &GroupView, member: u16, tools: &mut Tools) -> Served {
        let Stage::Connecting(attempts) = &mut self.stage else { return Served::Waiting };
        let lease = self.lease.as_ref().expect("an attempt has a lease");
        let known = usize::from(attempts.tried_len);
        if known < ATTEMPTS_MAX {
            attempts.tried[known] = lease.target().uid;
            attempts.tried_len += 1;
        }
        self.target_uid = lease.target().uid;
        attempts.next_at = attempts.deadline.min(tools.now + view.config.connect.timeout);
        self.attempts = self.attempts.saturating_add(1);
        let target_addr = view.targets[usize::from(member)].at(self.key.listen_addr.port());
        self.target_addr = Some(target_addr);
        self.target_ready = Readiness::default();
        let config = &self.listener.config;
        let options = ConnectOptions {
            source: tools.next_source_address(view, target_addr.is_ipv4()),
            keepalive: (!config.keepalive.is_zero()).then_some(config.keepalive),
            congestion_control: &config.congestion_control,
        };
        let connection = sys::connect(target_addr, &options)
            .and_then(|connection| tools.register(&connection, key, Side::Target).map(|()| connection));
        match connection {
            Ok(connection) => {
                self.target = Some(connection);
                Served::Waiting
            }
            Err(error) => self.attempt_failed(key, sys::connect_failure(&error), tools),
        }
    }

    /// Looks at what the events say of an attempt.
    pub(super) fn serve_connecting(&mut self, key: SessionKey, tools: &mut Tools) -> Served {
        if std::mem::take(&mut self.client_ready.failed) {
            // A reset of the client cancels the attempt; its FIN does not, and is passed on later.
            return Served::Ended(self.abandon_attempts(End::reset(CloseReason::ClientReset, ClosedBy::Client)));
        }
        let Some(target) = &self.target else { return Served::Waiting };
        if std::mem::take(&mut self.target_ready.failed) {
            let error = sys::socket_error(target.as_fd()).unwrap_or_else(Some);
            let failure = error.as_ref().map_or(ConnectFailure::Reset, sys::connect_failure);
            let spoke =
                failure == ConnectFailure::Reset && sys::queued_bytes(target.as_fd()).is_ok_and(|bytes| bytes > 0);
            if let (true, Some(error)) = (spoke, error) {
                // Established, spoke and reset, all since the last look: the client gets what was said.
                self.established(key, tools);
                self.target_lost(&error, tools.now);
                return self.serve_relay(tools);
            }
            return self.attempt_failed(key, failure, tools);
        }
        if self.target_ready.writable {
            self.established(key, tools);
            return self.serve_relay(tools);
        }
        Served::Waiting
    }

    /// A deadline of the attempt, of all attempts or of a pause between them has passed.
    pub(super) fn expire_connecting(&mut self, key: SessionKey, tools: &mut Tools) -> Served {
        let Stage::Connecting(attempts) = self.stage else { return Served::Waiting };
        if tools.now < attempts.next_at {
            return Served::Waiting;
        }
        if self.target.is_some() {
            return self.attempt_failed(key, ConnectFailure::Timeout, tools);
        }
        // The pause before the only target is tried again is over.
        let end = end_after(attempts.failure);
        let Some((group_index, view)) = tools.group_view(&self.group) else {
            return Served::Ended(self.abandon_attempts(end));
        };
        match tools.pick(group_index, &self.key, &[]) {
            Ok((member, lease)) => {
                self.lease = Some(lease);
                self.attempt(key, &view, member, tools)
            }
            Err(_none) => Served::Ended(self.abandon_attempts(end)),
        }
    }

    fn established(&mut self, key: SessionKey, tools: &mut Tools) {
        self.leave_connecting();
        let lease = self.lease.as_mut().expect("an established session has a lease");
        let trial = lease.settle_trial();
        lease.target().note_success();
        lease.target().counters.of(tools.index).opened.add(1);
        if trial {
            tools.observe(lease.target().uid, ObservationKind::TrialPassed);
        }
        let took = tools.now.saturating_duration_since(self.accepted);
        self.group.counters.of(tools.index).connect_duration.record(took);
        self.connect_time = Some(took);
        self.last_active = tools.now;
        if tools.snapshot.records_wanted {
            self.source_addr = self.target.as_ref().and_then(|target| sys::local_addr(target.as_fd()).ok());
        }
        if !tools.snapshot.orders.is_empty() {
            let order = self.order(&tools.snapshot.orders);
            // A reset for health was meant for those that were there when it was given.
            let order = order.filter(|order| order.reason != CloseReason::Unhealthy || order.start().is_some());
            self.ordered = order.map(|order| {
                let share = tools.random.f64();
                (super::adopt::moment(&order, tools.now, share), order.reason)
            });
        }
        // The timer of the attempt would wake the worker for nothing.
        tools.wheel.set(self.next_deadline(tools.now), key.slot);
    }

    /// Draws the consequences of a failed attempt: the next one, a pause, or the end.
    fn attempt_failed(&mut self, key: SessionKey, failure: ConnectFailure, tools: &mut Tools) -> Served {
        let Stage::Connecting(attempts) = self.stage else { return Served::Waiting };
        self.drop_attempt();
        if let Some(lease) = self.lease.take() {
            tools.blame(lease, failure);
        }
        let end = end_after(failure);
        let Some((group_index, view)) = tools.group_view(&self.group) else {
            return Served::Ended(self.abandon_attempts(end));
        };
        let allowed = view.config.connect.attempts.min(u32::try_from(ATTEMPTS_MAX).expect("small"));
        if u32::from(self.attempts) >= allowed || tools.now >= attempts.deadline {
            return Served::Ended(self.abandon_attempts(end));
        }
        if !attempts.retrying && !enter_retry(&self.group, view.config.connect.retry_budget_percent) {
            return Served::Ended(self.abandon_attempts(end));
        }
        if let Stage::Connecting(attempts) = &mut self.stage {
            attempts.retrying = true;
            attempts.failure = failure;
        }
        let tried = attempts.tried_members(&view);
        match tools.pick(group_index, &self.key, &tried) {
            Ok((member, lease)) => {
                self.lease = Some(lease);
                self.attempt(key, &view, member, tools)
            }
            // The same target again only when it is the only one, and after a pause.
            Err(PickError::Exhausted) if view.placement.pool_len() == 1 => {
                let pause = FIRST_BACKOFF * 2_u32.saturating_pow(u32::from(self.attempts) - 1);
                if let Stage::Connecting(attempts) = &mut self.stage {
                    attempts.next_at = tools.now + pause;
                }
                if tools.now + pause >= attempts.deadline {
                    return Served::Ended(self.abandon_attempts(end));
                }
                Served::Waiting
            }
            Err(_none) => Served::Ended(self.abandon_attempts(end)),
        }
    }

    /// Gives up: what a session without a target ends with.
    pub(super) fn abandon_attempts(&mut self, end: End) -> End {
        self.leave_connecting();
        self.drop_attempt();
        end
    }

    /// Lets go of the present attempt. The target's kernel may have established it meanwhile: RST, never FIN, tells it
    /// that nobody is there.
    fn drop_attempt(&mut self) {
        if let Some(target) = self.target.take() {
            sys::close_with_reset(target);
        }
    }

    /// Takes the session out of the group's counts of connecting ones.
    pub(super) fn leave_connecting(&mut self) {
        if let Stage::Connecting(attempts) = std::mem::replace(&mut self.stage, Stage::Relaying) {
            self.group.connecting.fetch_sub(1, Relaxed);
            if attempts.retrying {
                self.group.retrying.fetch_sub(1, Relaxed);
            }
        }
    }
}

impl Attempts {
    /// The members of the present view that were tried; an allocation, but only after a failure.
    fn tried_members(&self, view: &GroupView) -> Vec<u16> {
        let tried = &self.tried[..usize::from(self.tried_len)];
        let members = (0_u16..).zip(view.placement.members());
        members.filter(|(_index, member)| tried.contains(&member.runtime.uid)).map(|(index, _member)| index).collect()
    }
}

impl Tools {
    /// Counts a failed attempt, and tells control when the target is to blame.
    fn blame(&self, mut lease: Lease, failure: ConnectFailure) {
        // Where the failure is ours nothing was learnt: a trial that is dropped unsettled is handed out again.
        let trial = failure.blames_target() && lease.settle_trial();
        let target = lease.target();
        target.counters.of(self.index).connect_failures[failure.index()].add(1);
        if !failure.blames_target() {
            return;
        }
        let in_a_row = target.note_failure();
        let kind =
            if trial { ObservationKind::TrialFailed } else { ObservationKind::ConnectFailed { failure, in_a_row } };
        self.observe(target.uid, kind);
    }

    /// The next of the group's source addresses of this family; `None` = the kernel chooses.
    fn next_source_address(&mut self, view: &GroupView, ipv4: bool) -> Option<std::net::IpAddr> {
        let pool = &view.config.source_addresses;
        if pool.is_empty() {
            return None;
        }
        self.next_source = self.next_source.wrapping_add(1);
        let start = self.next_source % pool.len();
        pool[start..].iter().chain(&pool[..start]).copied().find(|source| source.is_ipv4() == ipv4)
    }
}

/// The end of a session whose last attempt failed.
fn end_after(failure: ConnectFailure) -> End {
    let closed_by = if failure.blames_target() { ClosedBy::Target } else { ClosedBy::Forebay };
    End::reset(failure.close_reason(), closed_by)
}

/// Enters the group's retry budget, or not: retries may be a share of the connects in flight, and never fewer than 3.
fn enter_retry(group: &GroupRuntime, percent: u8) -> bool {
    let connecting = u64::from(group.connecting.load(Relaxed));
    let share = u32::try_from(connecting * u64::from(percent) / 100).unwrap_or(u32::MAX);
    let allowed = share.max(RETRY_FLOOR);
    let below = |retrying: u32| (retrying < allowed).then(|| retrying + 1);
    group.retrying.fetch_update(Relaxed, Relaxed, below).is_ok()
}
