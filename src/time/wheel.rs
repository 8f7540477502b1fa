//! The timer wheel: one timer per key, bounded by the number of keys.
//!
//! Setting, moving and cancelling are O(1): each slot is a doubly linked list of nodes in one table, indexed by key. A
//! session does not move its timer when bytes flow: it lets it fire, looks at its true deadline and sets it again.
//! Ticks are 8 ms; levels of 64 slots cover 0.5 s, 33 s, 35 min, 37 h, 99 days and 17 years. A slot of a coarser level
//! is spread over finer ones when its time begins, so precision at the end is one tick.

use std::time::{Duration, Instant};

/// Length of a tick.
const TICK: Duration = Duration::from_millis(8);
const TICK_NANOS: u128 = TICK.as_nanos();
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
const LEVELS: usize = 6;
/// The last tick of the wheel, 17 years after its start: later timers wait there.
const LAST_TICK: u64 = (1 << (SLOT_BITS * 6)) - 1;
/// No node, no slot.
const NONE: u32 = u32::MAX;

/// What a timer stands for: a small number, such as an index into a table of sessions.
pub type TimerKey = u32;

#[derive(Clone, Copy, Debug)]
struct Node {
    tick: u64,
    /// Index into `heads`; `NONE` = not set.
    slot: u32,
    previous: u32,
    next: u32,
}

const UNSET: Node = Node { tick: 0, slot: NONE, previous: NONE, next: NONE };

/// Timers of one worker.
#[derive(Debug)]
pub struct Wheel {
    start: Instant,
    /// Every slot before this tick has been fired.
    next_tick: u64,
    nodes: Vec<Node>,
    heads: [u32; LEVELS * SLOTS],
    occupied: [u64; LEVELS],
    len: usize,
}

impl Wheel {
    /// An empty wheel; `now` is its tick zero.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let (nodes, heads) = (Vec::new(), [NONE; LEVELS * SLOTS]);
        Self { start: now, next_tick: 0, nodes, heads, occupied: [0; LEVELS], len: 0 }
    }

    /// How many timers are set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no timer is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets the timer of `key`, or moves it: it fires with the first [`Self::fire`] at or after `deadline`, rounded up
    /// to a tick.
    pub fn set(&mut self, deadline: Instant, key: TimerKey) {
        let index = key as usize;
        if index >= self.nodes.len() {
            self.nodes.resize(index + 1, UNSET);
        }
        self.cancel(key);
        let nanos = deadline.saturating_duration_since(self.start).as_nanos();
        let tick = u64::try_from(nanos.div_ceil(TICK_NANOS)).unwrap_or(u64::MAX);
        self.nodes[index].tick = tick.clamp(self.next_tick, LAST_TICK);
        self.link(key);
        self.len += 1;
    }

    /// When the timer of `key` fires, if it is set.
    #[must_use]
    pub fn deadline(&self, key: TimerKey) -> Option<Instant> {
        let node = self.nodes.get(key as usize).filter(|node| node.slot != NONE)?;
        Some(self.time_of(node.tick))
    }

    /// Cancels the timer of `key`, if it is set.
    pub fn cancel(&mut self, key: TimerKey) {
        if self.nodes.get(key as usize).is_some_and(|node| node.slot != NONE) {
            self.unlink(key);
            self.len -= 1;
        }
    }

    /// When [`Self::fire`] should be called next; `None` when no timer is set.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.next_slot().map(|(tick, _level)| self.time_of(tick))
    }

    /// Fires every timer that is due at `now`; at most `limit` of them (the others stay due).
    pub fn fire(&mut self, now: Instant, limit: usize, fired: &mut Vec<TimerKey>) {
        let elapsed = now.saturating_duration_since(self.start).as_nanos() / TICK_NANOS;
        let now_tick = u64::try_from(elapsed).unwrap_or(u64::MAX).min(LAST_TICK);
        while fired.len() < limit {
            let Some((tick, level)) = self.next_slot().filter(|&(tick, _level)| tick <= now_tick) else {
                self.next_tick = self.next_tick.max(now_tick);
                return;
            };
            self.next_tick = self.next_tick.max(tick);
            let head = level * SLOTS + slot_of(tick, level);
            if level == 0 {
                fired.push(self.heads[head]);
                self.cancel(self.heads[head]);
            } else {
                self.spread(head);
            }
        }
    }

    /// Moves the timers of a coarse slot, whose time has begun, to finer ones.
    fn spread(&mut self, head: usize) {
        while self.heads[head] != NONE {
            let key = self.heads[head];
            self.unlink(key);
            let node = &mut self.nodes[key as usize];
            node.tick = node.tick.max(self.next_tick);
            self.link(key);
        }
    }

    /// The occupied slot whose time begins first: its first tick and its level.
    fn next_slot(&self) -> Option<(u64, usize)> {
        (0..LEVELS).filter_map(|level| Some((self.next_occupied(level)?, level))).min()
    }

    fn next_occupied(&self, level: usize) -> Option<u64> {
        // Slots before the present one belong to a turn that is over: they are empty.
        let ahead = self.occupied[level] & (u64::MAX << slot_of(self.next_tick, level));
        if ahead == 0 {
            return None;
        }
        let shift = SLOT_BITS * level_number(level);
        let turn = self.next_tick >> shift >> SLOT_BITS;
        let tick = ((turn << SLOT_BITS) + u64::from(ahead.trailing_zeros())) << shift;
        Some(tick.max(self.next_tick))
    }

    fn time_of(&self, tick: u64) -> Instant {
        let nanos = u128::from(tick) * TICK_NANOS;
        self.start + Duration::from_nanos(u64::try_from(nanos).expect("17 years are below 2^64 ns"))
    }

    /// Puts a node, whose tick is set, into its slot: of the level where the tick first differs from the present one.
    fn link(&mut self, key: TimerKey) {
        let tick = self.nodes[key as usize].tick;
        let differing = tick ^ self.next_tick;
        let level = if differing == 0 { 0 } else { ((63 - differing.leading_zeros()) / SLOT_BITS) as usize };
        let head = level * SLOTS + slot_of(tick, level);
        let next = std::mem::replace(&mut self.heads[head], key);
        let slot = u32::try_from(head).expect("a few hundred slots");
        self.nodes[key as usize] = Node { tick, slot, previous: NONE, next };
        if next != NONE {
            self.nodes[next as usize].previous = key;
        }
        self.occupied[level] |= 1 << (head % SLOTS);
    }

    fn unlink(&mut self, key: TimerKey) {
        let Node { slot, previous, next, .. } = self.nodes[key as usize];
        let head = slot as usize;
        if previous == NONE {
            self.heads[head] = next;
            if next == NONE {
                self.occupied[head / SLOTS] &= !(1 << (head % SLOTS));
            }
        } else {
            self.nodes[previous as usize].next = next;
        }
        if next != NONE {
            self.nodes[next as usize].previous = previous;
        }
        self.nodes[key as usize].slot = NONE;
    }
}

fn level_number(level: usize) -> u32 {
    u32::try_from(level).expect("below LEVELS")
}

fn slot_of(tick: u64, level: usize) -> usize {
    usize::try_from((tick >> (SLOT_BITS * level_number(level))) & (SLOTS as u64 - 1)).expect("below SLOTS")
}

#[cfg(test)]
mod tests;
