//! What happens in the demo, and when: a target goes away at a third and is back at two thirds.

use super::view;
use crate::cli::output;
use crate::control::{ControlView, HealthState};
use crate::load::{Phase, Progress, Target, TargetKind};
use crate::stats::Latency;
use std::net::SocketAddr;
use std::time::Duration;

/// A line is printed each time so much has passed.
const LINE: Duration = Duration::from_secs(1);

/// Where one target stands in the story.
#[derive(Debug)]
pub(super) struct Actor {
    pub(super) addr: SocketAddr,
    /// `None` while it is away.
    running: Option<Target>,
    pub(super) health: HealthState,
    /// Sessions established with it, as the balancer counts them.
    opened: u64,
    /// How many of them since the last line.
    pub(super) opened_since: u64,
}

/// What is known at the end.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// From the moment that a target went away until the balancer said so.
    pub(super) noticed_after: Option<Duration>,
    /// From the moment that it was back until the balancer said so.
    pub(super) trusted_after: Option<Duration>,
    /// Connection attempts that failed on the way; each was retried on another target.
    pub(super) retried: u64,
}

/// The demo as it unfolds; told of the load ten times a second.
#[derive(Debug)]
pub(super) struct Story {
    actors: Vec<Actor>,
    length: Duration,
    next_line: Duration,
    completed: u64,
    gone_at: Option<Duration>,
    back_at: Option<Duration>,
    ending: Ending,
}

/// Which target goes away.
const LEAVER: usize = 1;

impl Story {
    pub(super) fn new(targets: Vec<Target>, length: Duration) -> Self {
        let actor = |target: Target| Actor {
            addr: target.addr(),
            running: Some(target),
            health: HealthState::Initial,
            opened: 0,
            opened_since: 0,
        };
        Self {
            actors: targets.into_iter().map(actor).collect(),
            length,
            next_line: LINE,
            completed: 0,
            gone_at: None,
            back_at: None,
            ending: Ending::default(),
        }
    }

    /// Moves the story on.
    pub(super) fn tick(&mut self, progress: &Progress<'_>, view: &ControlView) {
        if progress.phase != Phase::Measuring {
            return;
        }
        let now = progress.elapsed;
        self.look_at(view, now);
        self.act(now);
        if now >= self.next_line {
            self.next_line += LINE;
            self.print_line(now, progress, view);
        }
    }

    pub(super) fn ending(&self) -> &Ending {
        &self.ending
    }

    fn look_at(&mut self, view: &ControlView, now: Duration) {
        let Some(group) = view.groups.first() else { return };
        for (index, (actor, detail)) in self.actors.iter_mut().zip(&group.targets).enumerate() {
            let (before, after) = (actor.health, detail.health);
            actor.health = after;
            if index != LEAVER || before == after {
                continue;
            }
            let since = |then: Option<Duration>| then.map(|then| now.saturating_sub(then));
            match after {
                HealthState::Unhealthy => self.ending.noticed_after = since(self.gone_at),
                HealthState::Healthy if self.back_at.is_some() => self.ending.trusted_after = since(self.back_at),
                HealthState::Healthy | HealthState::Initial => continue,
            }
            output::print(&view::remark(now, &format!("forebay finds {} {}", view::name(index), after.as_str())));
        }
        let counters = view.snapshot.groups.first().map(|group| group.placement.members()).unwrap_or_default();
        self.ending.retried = counters
            .iter()
            .flat_map(|member| member.runtime.counters.iter())
            .flat_map(|counters| &counters.connect_failures)
            .map(crate::stats::Counter::get)
            .sum();
    }

    /// The target leaves at a moment when no client of ours is with it: a session cannot move to another target,
    /// and what the demo shows is that new ones do.
    fn act(&mut self, now: Duration) {
        let leaver = &mut self.actors[LEAVER];
        if self.gone_at.is_none()
            && now >= self.length / 3
            && leaver.running.as_ref().is_some_and(|one| one.open() == 0)
        {
            leaver.running = None;
            self.gone_at = Some(now);
            output::print(&view::remark(now, &format!("target {} stops", view::name(LEAVER))));
        }
        if self.gone_at.is_some() && self.back_at.is_none() && now >= self.length * 2 / 3 {
            leaver.running = Target::start(TargetKind::Echo, leaver.addr).ok();
            if leaver.running.is_some() {
                self.back_at = Some(now);
                output::print(&view::remark(now, &format!("target {} is back", view::name(LEAVER))));
            }
        }
    }

    fn print_line(&mut self, now: Duration, progress: &Progress<'_>, view: &ControlView) {
        let members = view.snapshot.groups.first().map(|group| group.placement.members()).unwrap_or_default();
        for (actor, member) in self.actors.iter_mut().zip(members) {
            let opened = member.runtime.counters.sum(|counters| &counters.opened);
            actor.opened_since = opened.saturating_sub(actor.opened);
            actor.opened = opened;
        }
        let completed = progress.completed.saturating_sub(self.completed);
        self.completed = progress.completed;
        let latency: &Latency = progress.latency;
        output::print(&view::line(now, completed, latency, progress.errors.total(), &self.actors));
    }
}
