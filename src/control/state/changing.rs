//! A target is changed at run time.

use super::{Answer, State};
use crate::config::AdminState;
use crate::control::{Event, EventKind, Refusal, ServiceState, TargetChange};
use std::time::Instant;

/// The largest weight.
const WEIGHT_MAX: u16 = 1000;

impl State {
    pub(super) fn change_target(
        &mut self,
        group: &str,
        id: &str,
        change: TargetChange,
        now: Instant,
    ) -> Result<Answer, Refusal> {
        if matches!(self.service(), ServiceState::Stopping) {
            return Err(Refusal::Conflict("forebay is stopping".to_owned()));
        }
        if change.weight.is_some_and(|weight| weight > WEIGHT_MAX) {
            return Err(Refusal::BadRequest(format!("a weight is 0 to {WEIGHT_MAX}")));
        }
        let found = self.groups.binary_search_by(|state| (*state.config.name).cmp(group)).ok();
        let group_index = found.ok_or_else(|| Refusal::NotFound(format!("no target group is named `{group}`")))?;
        let targets = &mut self.groups[group_index].targets;
        let target = targets.iter_mut().find(|target| **target.id() == *id);
        let target =
            target.ok_or_else(|| Refusal::NotFound(format!("target group `{group}` has no target with id `{id}`")))?;
        let before = target.state();
        if !target.lay(change) {
            return Ok(Answer::default());
        }
        target.settle_stop(now);
        let (uid, id, state, weight) = (target.uid(), target.id().clone(), target.state(), target.weight());
        let group = &self.groups[group_index];
        let message = format!("now {} with weight {weight}", state.as_str());
        let changed = Event::new(EventKind::Change, message).of_target(&group.config.name, &id);
        let drain = format!("drains for {} s at most", group.config.drain_timeout.as_secs_f64());
        let drains = Event::new(EventKind::Drain, drain).of_target(&group.config.name, &id);
        self.tell(changed);
        if state == AdminState::Draining && before != state {
            self.tell(drains);
        }
        self.mark_stale(group_index);
        self.schedule_probe(uid, now);
        Ok(Answer { changed: true, discarded: Vec::new() })
    }
}
