//! From probe answers to a verdict, by streaks.

/// What the probes say of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Health {
    /// No answer yet: counts as unhealthy.
    #[default]
    Initial,
    /// It answers.
    Healthy,
    /// It does not.
    Unhealthy,
}

impl Health {
    /// The word of API and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// Answers in a row that flip a verdict; 0 counts as 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Passes that make an unhealthy target healthy.
    pub healthy: u32,
    /// Failures that make a healthy target unhealthy.
    pub unhealthy: u32,
}

/// A verdict that has just flipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The verdict before.
    pub from: Health,
    /// The verdict now.
    pub to: Health,
}

/// The verdict on one target. The first answer decides by itself, whichever it is; then thresholds count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracker {
    thresholds: Thresholds,
    health: Health,
    /// Answers in a row that contradict `health`.
    contrary: u32,
}

impl Tracker {
    /// A tracker that has heard nothing.
    #[must_use]
    pub fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, health: Health::Initial, contrary: 0 }
    }

    /// The verdict.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health
    }

    /// Changes the thresholds; verdict and streak go on, and the next answer is weighed by the new ones.
    pub fn set_thresholds(&mut self, thresholds: Thresholds) {
        self.thresholds = thresholds;
    }

    /// Whether a verdict is in the making (none yet, or a streak against it): probe at `fast_interval` then.
    #[must_use]
    pub fn in_transition(&self) -> bool {
        self.health == Health::Initial || self.contrary > 0
    }

    /// Takes one answer in; tells when the verdict flipped.
    pub fn observe(&mut self, pass: bool) -> Option<Transition> {
        let answer = if pass { Health::Healthy } else { Health::Unhealthy };
        if answer == self.health {
            self.contrary = 0;
            return None;
        }
        self.contrary = self.contrary.saturating_add(1);
        let needed = match self.health {
            Health::Initial => 1,
            Health::Healthy => self.thresholds.unhealthy,
            Health::Unhealthy => self.thresholds.healthy,
        };
        if self.contrary < needed {
            return None;
        }
        self.contrary = 0;
        let from = std::mem::replace(&mut self.health, answer);
        Some(Transition { from, to: answer })
    }
}

#[cfg(test)]
mod tests {
    use super::Health::{Healthy, Initial, Unhealthy};
    use super::*;

    /// The verdict after each of the answers.
    fn verdicts(thresholds: Thresholds, answers: &str) -> Vec<Health> {
        let mut tracker = Tracker::new(thresholds);
        let mut before = Initial;
        let step = |answer: &str| {
            let transition = tracker.observe(answer == "ok");
            assert_eq!(transition.is_some(), tracker.health() != before, "a transition is told when there is one");
            if let Some(transition) = transition {
                assert_eq!(transition, Transition { from: before, to: tracker.health() });
            }
            before = tracker.health();
            before
        };
        answers.split_whitespace().map(step).collect()
    }

    const USUAL: Thresholds = Thresholds { healthy: 2, unhealthy: 3 };

    #[test]
    fn a_target_never_probed_is_initial_and_in_transition() {
        let tracker = Tracker::new(USUAL);
        assert_eq!(tracker.health(), Initial);
        assert!(tracker.in_transition());
    }

    #[test]
    fn one_success_is_enough_the_first_time() {
        assert_eq!(verdicts(USUAL, "ok"), [Healthy]);
    }

    #[test]
    fn one_failure_is_enough_the_first_time() {
        assert_eq!(verdicts(USUAL, "fail ok ok"), [Unhealthy, Unhealthy, Healthy]);
    }

    #[test]
    fn third_failure_in_a_row_makes_a_target_unhealthy() {
        assert_eq!(verdicts(USUAL, "ok fail fail fail"), [Healthy, Healthy, Healthy, Unhealthy]);
    }

    #[test]
    fn a_success_in_between_starts_the_count_anew() {
        let expected = [Healthy, Healthy, Healthy, Healthy, Healthy, Healthy, Unhealthy];
        assert_eq!(verdicts(USUAL, "ok fail fail ok fail fail fail"), expected);
    }

    #[test]
    fn a_failure_in_between_starts_the_way_back_anew() {
        assert_eq!(verdicts(USUAL, "fail ok fail ok ok"), [Unhealthy, Unhealthy, Unhealthy, Unhealthy, Healthy]);
    }

    #[test]
    fn a_streak_against_the_verdict_is_a_transition_until_it_is_broken_or_complete() {
        let mut tracker = Tracker::new(USUAL);
        tracker.observe(true);
        assert!(!tracker.in_transition());
        tracker.observe(false);
        assert!(tracker.in_transition());
        tracker.observe(true);
        assert!(!tracker.in_transition());
        for _ in 0..3 {
            tracker.observe(false);
        }
        assert!(!tracker.in_transition());
    }

    #[test]
    fn lowered_thresholds_weigh_the_streak_under_way() {
        let mut tracker = Tracker::new(Thresholds { healthy: 2, unhealthy: 9 });
        tracker.observe(true);
        tracker.observe(false);
        tracker.set_thresholds(Thresholds { healthy: 2, unhealthy: 2 });
        assert_eq!(tracker.observe(false), Some(Transition { from: Healthy, to: Unhealthy }));
    }
}
