//! What must hold after every step, said anew and naively.

use forebay::balance::{FailOpen, Member, Pool, Standing, TargetReason, TargetRuntime};
use forebay::config::{AdminState, OnUnhealthy};
use forebay::control::HealthState;
use forebay::control::state::{Picture, ProbeOrder};
use forebay::model::{CloseReason, Observation, ObservationKind};
use forebay::snapshot::{GroupView, Manner, Snapshot};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

/// What has been seen so far.
#[derive(Default)]
pub(super) struct Invariants {
    generation: u64,
    /// The record of every target ever seen, by group and id.
    records: BTreeMap<(String, String), Arc<TargetRuntime>>,
}

fn is_stopped(member: &Member) -> bool {
    matches!(member.standing, Standing::Ineligible(TargetReason::Draining | TargetReason::Disabled))
}

impl Invariants {
    /// The snapshot on its own, and against those before it.
    pub(super) fn check(&mut self, snapshot: &Snapshot, now: Instant) {
        assert!(snapshot.generation >= self.generation, "a generation never goes back");
        self.generation = snapshot.generation;
        let mut current = BTreeSet::new();
        for group in &snapshot.groups {
            check_pool(group);
            for member in group.placement.members() {
                self.check_record(group, member);
                check_order(snapshot, group, member);
                current.insert(member.runtime.uid);
            }
        }
        let gone = snapshot.orders.targets.iter().filter(|(uid, _)| !current.contains(uid));
        for (_, order) in gone {
            assert!(matches!(order.reason, CloseReason::Drained | CloseReason::Admin), "a removed target drains");
            if let Manner::Spread { from, until } = order.manner {
                assert!(from <= until);
            }
        }
        for removed in snapshot.orders.listeners.values() {
            assert!(*removed <= now, "removed in the past");
        }
    }

    /// A target is the same record for ever, whatever reloads come between, and no number is used twice.
    fn check_record(&mut self, group: &GroupView, member: &Member) {
        let key = (group.config.name.to_string(), member.runtime.id.to_string());
        assert_eq!(member.runtime.group.name, group.config.name);
        assert!(Arc::ptr_eq(&member.runtime.group, &group.runtime), "a target shares its group's record");
        let uid = member.runtime.uid;
        let known = self.records.entry(key.clone()).or_insert_with(|| Arc::clone(&member.runtime));
        assert!(Arc::ptr_eq(known, &member.runtime), "{key:?} got another record");
        let owners = self.records.values().filter(|record| record.uid == uid).count();
        assert_eq!(owners, 1, "number {uid} is used twice");
    }

    /// Leases are load: no path forgets one.
    pub(super) fn check_loads(&self, held: &BTreeMap<u32, u32>) {
        for ((group, id), record) in &self.records {
            let held = held.get(&record.uid).copied().unwrap_or(0);
            assert_eq!(record.load.active(), held, "load of {group}/{id}");
        }
    }

    /// Only who is enabled may be picked, with a weight, and not a bystander of the pool.
    pub(super) fn check_picked(group: &GroupView, index: usize) {
        let member = &group.placement.members()[index];
        assert!(member.weight > 0 && !is_stopped(member), "picked {member:?}");
        match group.placement.pool() {
            Pool::Primaries | Pool::Backups => {
                assert!(matches!(member.standing, Standing::Eligible | Standing::Trial), "picked {member:?}");
            }
            Pool::FailOpen => assert_ne!(group.config.fail_open_below, FailOpen::Never),
            Pool::Empty => assert_eq!(member.standing, Standing::Trial, "picked {member:?} of an empty pool"),
        }
    }

    /// Nobody is turned away while an eligible target has room.
    pub(super) fn check_refused(group: &GroupView) {
        let members = group.placement.members();
        let primary =
            members.iter().any(|member| !member.backup && member.is_eligible() && !member.runtime.load.is_full());
        assert!(group.placement.pool() != Pool::Primaries || !primary, "refused although a target has room");
    }

    /// One probe at a time, and none of who is disabled.
    pub(super) fn check_probe(&self, order: &ProbeOrder, snapshot: &Snapshot, under_way: &[ProbeOrder]) {
        let members = snapshot.groups.iter().flat_map(|group| group.placement.members());
        let member = members.into_iter().find(|member| member.runtime.uid == order.target_uid);
        let member = member.expect("only configured targets are probed");
        assert_ne!(member.standing, Standing::Ineligible(TargetReason::Disabled), "a disabled target is not probed");
        assert!(order.group.health_check.is_some());
        assert!(under_way.iter().all(|other| other.probe < order.probe), "probes are numbered");
    }

    /// Nobody is ejected whose ejection the group cannot bear; a failed trial only goes on with one.
    pub(super) fn check_ejection(&self, picture: &Picture, group: &str, cause: Option<Observation>) {
        let cause = cause.expect("only what workers see ejects");
        let detail = picture.groups.iter().find(|detail| *detail.name == *group).expect("the group is shown");
        if cause.kind == ObservationKind::TrialFailed {
            return;
        }
        let wanted =
            || detail.targets.iter().filter(|one| one.target.state == AdminState::Enabled && one.target.weight > 0);
        let ejected = wanted().filter(|one| one.ejected_until.is_some()).count();
        assert!(ejected * 100 <= wanted().count() * 50, "more than half of {group} is ejected");
        let eligible = wanted().any(|one| one.ejected_until.is_none() && one.health == HealthState::Healthy);
        assert!(eligible, "the last eligible target of {group} was ejected");
    }
}

/// The pool, said anew.
fn check_pool(group: &GroupView) {
    let members = group.placement.members();
    let wanted = members.iter().filter(|member| !member.backup && member.weight > 0 && !is_stopped(member)).count();
    let is_eligible = |member: &&Member| member.weight > 0 && member.standing == Standing::Eligible;
    let eligible = members.iter().filter(is_eligible).filter(|member| !member.backup).count();
    let backups = members.iter().filter(is_eligible).any(|member| member.backup);
    let enough = match group.config.fail_open_below {
        FailOpen::Never => eligible > 0,
        FailOpen::Below(percent) => wanted > 0 && eligible * 100 > usize::from(percent) * wanted,
    };
    let expected = match (enough, backups, group.config.fail_open_below) {
        (true, _, _) => Pool::Primaries,
        (false, true, _) => Pool::Backups,
        (false, false, FailOpen::Below(_)) if wanted > 0 => Pool::FailOpen,
        (false, false, _) => Pool::Empty,
    };
    assert_eq!(group.placement.pool(), expected, "{members:?}");
}

/// Who is stopped has an order; who has one is stopped, or unhealthy in a group that asks for it.
fn check_order(snapshot: &Snapshot, group: &GroupView, member: &Member) {
    let order = snapshot.orders.targets.get(&member.runtime.uid);
    let expected = match member.standing {
        Standing::Ineligible(TargetReason::Disabled) => Some(CloseReason::Admin),
        Standing::Ineligible(TargetReason::Draining) => Some(CloseReason::Drained),
        _ => None,
    };
    match (order, expected) {
        (None, None) => {}
        (Some(order), Some(reason)) => assert_eq!(order.reason, reason, "{member:?}"),
        (None, Some(_)) => panic!("no order for {member:?}"),
        (Some(order), None) => {
            assert_eq!(order.reason, CloseReason::Unhealthy, "{member:?}");
            assert_eq!(member.standing, Standing::Ineligible(TargetReason::Unhealthy));
            assert!(matches!(group.config.on_unhealthy, OnUnhealthy::Drain | OnUnhealthy::Reset));
        }
    }
}
