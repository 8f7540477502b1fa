//! A new snapshot: doors opened and closed, orders given to running sessions.

use super::event_loop::Engine;
use super::serving::Served;
use super::session::{FLUSH_LIMIT, Session, Stage};
use super::sessions::SessionKey;
use crate::balance::Cursor;
use crate::model::{CloseReason, ClosedBy};
use crate::snapshot::{CloseOrder, Manner, Phase, Snapshot};
use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::closing::End;

impl Engine {
    /// Obeys `snapshot` from now on, and says so to control.
    ///
    /// # Errors
    /// When a listening socket cannot be waited for (out of memory for epoll); the snapshot is in force all the same.
    pub fn adopt(&mut self, snapshot: Arc<Snapshot>) -> io::Result<()> {
        let serving = snapshot.phase == Phase::Serving;
        let mut kept = vec![false; self.doors.len()];
        let mut opened = Ok(());
        if serving {
            for listener in &snapshot.listeners {
                for address in &listener.addresses {
                    let socket = &address.sockets[self.tools.index];
                    if let Some(index) = self.doors.position(socket) {
                        self.doors.renew(index, listener, address);
                        kept[index] = true;
                        continue;
                    }
                    match self.doors.open(&self.tools.registry, listener, address, socket) {
                        // It may have the place of a door that went before.
                        Ok(index) => {
                            kept.resize(kept.len().max(index + 1), false);
                            kept[index] = true;
                        }
                        Err(error) => opened = Err(error),
                    }
                }
            }
        }
        // The queue of a socket that goes is accepted until it is empty, under the snapshot that it was filled under.
        for index in (0..kept.len()).filter(|&index| !kept[index]) {
            self.doors.set_ready(index);
            // What comes while this goes on is as much as the queue holds, at most.
            let mut budget = self.doors.get(index).map_or(0, |door| door.listener.config.backlog.saturating_add(1));
            while budget > 0 && self.doors.is_ready(index) && self.accept_from(index) {
                budget -= 1;
            }
            self.doors.close(&self.tools.registry, index);
        }
        self.carry_cursors(&snapshot);
        let previous = std::mem::replace(&mut self.tools.snapshot, snapshot);
        if self.tools.snapshot.phase == Phase::Halted {
            self.end_all(CloseReason::Shutdown);
        } else if previous.orders != self.tools.snapshot.orders {
            self.give_orders();
        }
        self.tools.counters().generation.set(self.tools.snapshot.generation);
        self.tools.outbox.control_bell.ring();
        opened
    }

    /// Resets every session.
    pub fn end_all(&mut self, reason: CloseReason) {
        let keys: Vec<_> = self.sessions.keys().collect();
        for key in keys {
            self.settle(key, Served::Ended(End::reset(reason, ClosedBy::Forebay)));
        }
    }

    /// Keeps the place of every group's cursor; a group may have moved in the list.
    fn carry_cursors(&mut self, next: &Snapshot) {
        let old = std::mem::take(&mut self.tools.cursors);
        let mut old: Vec<_> = self.tools.snapshot.groups.iter().map(|view| &view.runtime).zip(old).collect();
        let carried = next.groups.iter().map(|view| {
            let place = old.iter().position(|(runtime, _cursor)| Arc::ptr_eq(runtime, &view.runtime));
            place.map_or_else(Cursor::new, |place| old.swap_remove(place).1)
        });
        self.tools.cursors = carried.collect();
    }

    /// Gives every session the order that concerns it now, or takes back one that does no longer.
    fn give_orders(&mut self) {
        let orders = self.tools.snapshot.orders.clone();
        let mut concerned: Vec<(SessionKey, CloseOrder)> = Vec::new();
        let keys: Vec<_> = self.sessions.keys().collect();
        for key in keys {
            let session = self.sessions.get_mut(key).expect("listed just now");
            match session.order(&orders) {
                None => session.ordered = None,
                Some(order) if session.obeys(&order) => {}
                Some(order) => concerned.push((key, order)),
            }
        }
        let now = self.tools.now;
        // Rank and number are per order: each spreads over a stretch of its own.
        let mut numbers: Vec<(CloseOrder, usize, usize)> = Vec::new();
        for (_key, order) in &concerned {
            match numbers.iter_mut().find(|(known, ..)| known == order) {
                Some((_order, total, _rank)) => *total += 1,
                None => numbers.push((*order, 1, 0)),
            }
        }
        for (key, order) in concerned {
            if order.manner == Manner::ResetNow {
                self.settle(key, Served::Ended(End::reset(order.reason, ClosedBy::Forebay)));
                continue;
            }
            let numbered = numbers.iter_mut().find(|(known, ..)| *known == order).expect("counted just now");
            // Evenly over the stretch; each worker a little apart from the others.
            let share = (numbered.2 as f64 + self.tools.random.f64()) / numbered.1 as f64;
            numbered.2 += 1;
            let session = self.sessions.get_mut(key).expect("listed just now");
            session.ordered = Some((moment(&order, now, share), order.reason));
            self.tools.arm(key, session);
        }
    }
}

impl Session {
    /// Whether the session has this order already, and so its moment.
    fn obeys(&self, order: &CloseOrder) -> bool {
        if matches!(self.stage, Stage::TargetLost { .. } | Stage::Draining { .. }) && order.manner != Manner::ResetNow {
            return true;
        }
        let Manner::Spread { from, until } = order.manner else { return false };
        self.ordered.is_some_and(|(at, reason)| reason == order.reason && (from..=until).contains(&at))
    }
}

/// When a session closes that has this share, 0..1, of an order's stretch of time.
pub(super) fn moment(order: &CloseOrder, now: Instant, share: f64) -> Instant {
    match order.manner {
        Manner::ResetNow => now,
        Manner::Spread { from, until } => {
            // The last part is for flushing, so that all is over by `until` where peers take what they are owed.
            let stretch = until.saturating_duration_since(from);
            let flush = FLUSH_LIMIT.min(stretch / 4);
            from + (stretch - flush).mul_f64(share)
        }
    }
}
