//! The next generation: from what control knows to what workers obey.

use super::State;
use super::target::Stop;
use crate::config::AccessLogSink;
use crate::snapshot::{Orders, Snapshot};
use std::sync::Arc;
use std::time::Instant;

impl State {
    /// The next generation, or `None` when nothing has changed that workers must know.
    ///
    /// Groups and listeners that have not changed are shared with the generation before.
    pub fn compile(&mut self, now: Instant) -> Option<Arc<Snapshot>> {
        if !self.is_stale {
            return None;
        }
        self.is_stale = false;
        if self.generation == 0 {
            self.expect_verdicts(now);
        }
        self.generation += 1;
        let mut groups = Vec::with_capacity(self.groups.len());
        for index in 0..self.groups.len() {
            groups.push(self.groups[index].compile());
            if let Some(event) = self.groups[index].fail_open_edge() {
                self.tell(event);
            }
        }
        let names = &self.groups;
        let index_of = |name: &crate::model::Name| names.binary_search_by(|group| group.config.name.cmp(name)).ok();
        let listeners = self.listeners.iter_mut().map(|listener| listener.compile(index_of)).collect();
        let snapshot = Arc::new(Snapshot {
            generation: self.generation,
            phase: self.service.phase(),
            process: Arc::clone(&self.process),
            listeners,
            groups,
            orders: self.orders(now),
            records_wanted: self.config.access_log.sink != AccessLogSink::Off,
        });
        self.snapshot = Some(Arc::clone(&snapshot));
        Some(snapshot)
    }

    fn orders(&mut self, now: Instant) -> Orders {
        let mut orders = Orders { all: self.service.order(), ..Orders::default() };
        self.retired.give_orders(&mut orders, now);
        for group in &mut self.groups {
            let drain_timeout = group.config.drain_timeout;
            for target in &mut group.targets {
                // Over; who came since, because the group fails open, is not meant.
                target.stop.take_if(|stop| is_over(stop, now, drain_timeout));
                if let Some(Stop::Reset { generation: generation @ None, .. }) = &mut target.stop {
                    *generation = Some(self.generation);
                }
                if let Some(stop) = target.stop {
                    orders.targets.insert(target.uid(), stop.order(drain_timeout));
                }
            }
        }
        orders
    }
}

/// Whether a drain for health has had its time. Draining by administration stays in force as long as the state does.
fn is_over(stop: &Stop, now: Instant, drain_timeout: std::time::Duration) -> bool {
    match *stop {
        Stop::Drain { reason: crate::model::CloseReason::Unhealthy, since } => now > since + drain_timeout,
        Stop::Drain { .. } | Stop::Reset { .. } => false,
    }
}
