//! Passive health of TCP targets: who fails too often in a row sits out for a while.
//!
//! The n-th ejection lasts n times the base, up to a bound, ± [`JITTER_PERCENT`]. Its end is half-open:
//! one trial connection, which either brings the target back or ejects it once more. n goes down by one
//! for every `max_ejection` that the target has since worked without being ejected. An active check of the
//! port that traffic goes to brings a target back too, once it has seen it fail and recover; a passing
//! probe of another port does not.
//!
//! After a decision to eject, set the target's `failures_in_a_row` to 0; after [`Decision::OpenTrial`] set
//! its `trial_open`.

use super::schedule::jittered;
use std::time::{Duration, Instant};

/// How much longer or shorter an ejection may be, at random, so that targets do not return together.
pub const JITTER_PERCENT: u8 = 10;

/// When and for how long targets of a group are ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EjectionPolicy {
    /// Failures in a row that eject; 0 = off.
    pub consecutive_failures: u32,
    /// The first ejection.
    pub base_ejection: Duration,
    /// The longest.
    pub max_ejection: Duration,
    /// Share of the group that may be out at once, in percent.
    pub max_ejected_percent: u8,
}

/// How the group stands at the moment of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupCounts {
    /// Its targets that are enabled and have a weight.
    pub wanted: usize,
    /// Those of them that are ejected or half-open.
    pub ejected: usize,
    /// Eligible targets other than the one in question.
    pub other_eligible: usize,
}

/// What follows from what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Stay,
    /// It would be ejected, but too many are out already or it is the last eligible one.
    Spared,
    /// It is out until then.
    Eject {
        /// When it may have its trial.
        until: Instant,
    },
    /// It is half-open: hand out one trial.
    OpenTrial,
    /// It is back.
    Return,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    In { since: Option<Instant> },
    Out { until: Instant },
    HalfOpen { since: Instant },
}

/// Whether one target is ejected, and how often it has been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EjectionState {
    phase: Phase,
    /// Ejections that count for the length of the next.
    times: u32,
}

impl Default for EjectionState {
    fn default() -> Self {
        Self { phase: Phase::In { since: None }, times: 0 }
    }
}

impl EjectionState {
    /// Whether it is out, half-open included.
    #[must_use]
    pub fn is_ejected(&self) -> bool {
        !matches!(self.phase, Phase::In { .. })
    }

    /// Whether it waits for the outcome of its trial.
    #[must_use]
    pub fn is_half_open(&self) -> bool {
        matches!(self.phase, Phase::HalfOpen { .. })
    }

    /// When it is out: until then; half-open, since then.
    #[must_use]
    pub fn ejected_until(&self) -> Option<Instant> {
        match self.phase {
            Phase::In { .. } => None,
            Phase::Out { until } => Some(until),
            Phase::HalfOpen { since } => Some(since),
        }
    }

    /// When [`Self::advance`] has something to do.
    #[must_use]
    pub fn next_change(&self) -> Option<Instant> {
        match self.phase {
            Phase::Out { until } => Some(until),
            Phase::In { .. } | Phase::HalfOpen { .. } => None,
        }
    }

    /// Weighs a failure that is the `in_a_row`-th; what comes in while the target is out says nothing new.
    pub fn on_failure(
        &mut self,
        in_a_row: u32,
        group: GroupCounts,
        policy: &EjectionPolicy,
        now: Instant,
        random: &mut fastrand::Rng,
    ) -> Decision {
        let Phase::In { since } = self.phase else { return Decision::Stay };
        if policy.consecutive_failures == 0 || in_a_row < policy.consecutive_failures {
            return Decision::Stay;
        }
        let too_many = (group.ejected + 1) * 100 > group.wanted * usize::from(policy.max_ejected_percent);
        if too_many || group.other_eligible == 0 {
            return Decision::Spared;
        }
        if let Some(since) = since {
            self.times = self.times.saturating_sub(spans(now.saturating_duration_since(since), policy.max_ejection));
        }
        self.eject(policy, now, random)
    }

    /// Ends the ejection when its time has come.
    pub fn advance(&mut self, now: Instant) -> Decision {
        match self.phase {
            Phase::Out { until } if now >= until => {
                self.phase = Phase::HalfOpen { since: until };
                Decision::OpenTrial
            }
            Phase::In { .. } | Phase::Out { .. } | Phase::HalfOpen { .. } => Decision::Stay,
        }
    }

    /// Weighs the trial's outcome. A failed one ejects whatever the group's counts: the target is out already.
    pub fn on_trial(
        &mut self,
        passed: bool,
        policy: &EjectionPolicy,
        now: Instant,
        random: &mut fastrand::Rng,
    ) -> Decision {
        if !self.is_half_open() {
            return Decision::Stay;
        }
        if !passed {
            return self.eject(policy, now, random);
        }
        self.phase = Phase::In { since: Some(now) };
        Decision::Return
    }

    /// An active check of the port that traffic goes to has seen the target fail and recover: it is back.
    pub fn on_recovered(&mut self, now: Instant) -> Decision {
        if !self.is_ejected() {
            return Decision::Stay;
        }
        self.phase = Phase::In { since: Some(now) };
        Decision::Return
    }

    fn eject(&mut self, policy: &EjectionPolicy, now: Instant, random: &mut fastrand::Rng) -> Decision {
        self.times = self.times.saturating_add(1);
        let length = policy.base_ejection.saturating_mul(self.times).min(policy.max_ejection);
        let until = now + jittered(length, JITTER_PERCENT, random).min(policy.max_ejection);
        self.phase = Phase::Out { until };
        Decision::Eject { until }
    }
}

/// How many whole spans of `length` passed; with no length there is no memory.
fn spans(passed: Duration, length: Duration) -> u32 {
    if length.is_zero() {
        return u32::MAX;
    }
    u32::try_from(passed.as_nanos() / length.as_nanos()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
