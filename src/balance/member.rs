//! A target as placement sees it, and the rule by which a group's pool is chosen.

use super::TargetRuntime;
use std::sync::Arc;

/// Why a target may, or may not, get new work: the `reason` of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetReason {
    /// It may.
    Ok,
    /// Its first probe has not answered.
    Initial,
    /// Its probes fail.
    Unhealthy,
    /// Its connections failed, and it sits out.
    Ejected,
    /// It only finishes what it has.
    Draining,
    /// An operator switched it off.
    Disabled,
    /// Its weight is 0.
    WeightZero,
    /// Its name has no address.
    Unresolved,
    /// It stands at its `max_connections`.
    AtCapacity,
}

impl TargetReason {
    /// The word of API and status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Initial => "initial",
            Self::Unhealthy => "unhealthy",
            Self::Ejected => "ejected",
            Self::Draining => "draining",
            Self::Disabled => "disabled",
            Self::WeightZero => "weight_zero",
            Self::Unresolved => "unresolved",
            Self::AtCapacity => "at_capacity",
        }
    }
}

/// What a target may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// New work.
    Eligible,
    /// Half-open after an ejection: one trial, for whoever wins `TargetRuntime::trial_open`. Not eligible yet.
    Trial,
    /// Nothing, unless the group fails open.
    Ineligible(TargetReason),
}

/// A target of a placement.
#[derive(Clone, Debug)]
pub struct Member {
    /// What is shared of it.
    pub runtime: Arc<TargetRuntime>,
    /// Its share; 0 = no new work, whatever the standing.
    pub weight: u16,
    /// Used only when no eligible target is left that is not a backup.
    pub backup: bool,
    /// What it may get.
    pub standing: Standing,
}

impl Member {
    /// Whether it may get new work while nothing is amiss.
    #[must_use]
    pub fn is_eligible(&self) -> bool {
        self.weight > 0 && self.standing == Standing::Eligible
    }

    /// Whether it waits for its one trial.
    #[must_use]
    pub fn is_half_open(&self) -> bool {
        self.weight > 0 && self.standing == Standing::Trial
    }

    /// Whether operator and file want it to work: enabled, with a weight.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        let stopped = matches!(self.standing, Standing::Ineligible(TargetReason::Draining | TargetReason::Disabled));
        self.weight > 0 && !stopped
    }

    /// Whether it may be used when the group fails open: wanted, no backup, and with an address.
    #[must_use]
    pub fn is_open_to_all(&self) -> bool {
        self.is_wanted() && !self.backup && self.standing != Standing::Ineligible(TargetReason::Unresolved)
    }

    /// The reason to show, with capacity as it is now.
    #[must_use]
    pub fn reason(&self) -> TargetReason {
        match self.standing {
            Standing::Ineligible(reason) => reason,
            Standing::Eligible | Standing::Trial if self.weight == 0 => TargetReason::WeightZero,
            Standing::Trial => TargetReason::Ejected,
            Standing::Eligible if self.runtime.load.is_full() => TargetReason::AtCapacity,
            Standing::Eligible => TargetReason::Ok,
        }
    }
}

/// When targets that are not eligible are used all the same: `fail_open_below`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailOpen {
    /// At or below this share of eligible targets, in percent 0..=100.
    Below(u8),
    /// Fail closed.
    Never,
}

/// The targets of a group that new work goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// The eligible ones that are no backups.
    Primaries,
    /// The eligible backups.
    Backups,
    /// Every enabled one with a weight that is no backup, be it unhealthy or ejected.
    FailOpen,
    /// None: refuse with `no_target`.
    Empty,
}

/// Chooses the pool of a group. Capacity plays no part here: who is full is skipped at the pick.
///
/// The share that is compared with `fail_open` is that of the eligible among the wanted non-backups,
/// counted in targets, exactly.
#[must_use]
pub fn choose_pool(members: &[Member], fail_open: FailOpen) -> Pool {
    let primaries = || members.iter().filter(|member| !member.backup);
    let eligible = primaries().filter(|member| member.is_eligible()).count();
    let wanted = primaries().filter(|member| member.is_wanted()).count();
    let share_is_enough = match fail_open {
        FailOpen::Below(percent) => eligible * 100 > wanted * usize::from(percent),
        FailOpen::Never => eligible > 0,
    };
    if share_is_enough {
        Pool::Primaries
    } else if members.iter().any(|member| member.backup && member.is_eligible()) {
        Pool::Backups
    } else if fail_open != FailOpen::Never && members.iter().any(Member::is_open_to_all) {
        Pool::FailOpen
    } else {
        Pool::Empty
    }
}
