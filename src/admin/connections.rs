//! Bounding the connections of one admin socket: when it is full, the least useful one has to go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Connections served at once on all sockets; each socket has its share.
const CONNECTIONS_BOUND: usize = 64;

/// A connection that has begun no request for so long is closed; so is one whose request takes longer.
const REQUEST_BOUND: Duration = Duration::from_secs(30);

/// One connection, as others see it.
#[derive(Debug)]
pub(super) struct Seat {
    /// When it was accepted, or its latest request began.
    since: Mutex<Instant>,
    answering: AtomicBool,
    ends_process: AtomicBool,
    leave: Notify,
}

impl Seat {
    /// Notes that a whole request head has arrived.
    pub(super) fn request_begins(&self, now: Instant) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = now;
        self.answering.store(true, Relaxed);
    }

    /// Notes that the answer is on its way.
    pub(super) fn request_ends(&self) {
        self.answering.store(false, Relaxed);
    }

    /// Notes that the process is to end once the answer has been written.
    pub(super) fn end_process_after_answer(&self) {
        self.ends_process.store(true, Relaxed);
    }

    /// Whether the connection, now over, was asked to end the process.
    pub(super) fn ends_process(&self) -> bool {
        self.ends_process.load(Relaxed)
    }

    fn since(&self) -> Instant {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when the connection must: it was asked to leave, or is past its time.
    pub(super) async fn over(&self) {
        let expired = async {
            let mut deadline = self.since() + REQUEST_BOUND;
            loop {
                tokio::time::sleep_until(deadline.into()).await;
                let later = self.since() + REQUEST_BOUND;
                if later <= deadline {
                    return;
                }
                deadline = later;
            }
        };
        tokio::select! {
            () = self.leave.notified() => {}
            () = expired => {}
        }
    }
}

/// Every connection of one socket.
#[derive(Debug)]
pub(super) struct Seats {
    taken: Vec<Arc<Seat>>,
    bound: usize,
}

impl Seats {
    /// The seats of one socket out of `sockets`.
    pub(super) fn of_one_in(sockets: usize) -> Self {
        Self { taken: Vec::new(), bound: (CONNECTIONS_BOUND / sockets.max(1)).max(1) }
    }

    /// A seat for a new connection. When all are taken, the connection that has waited longest for its
    /// request to be complete leaves: a thousand clients that send nothing only displace one another.
    pub(super) fn take(&mut self, now: Instant) -> Arc<Seat> {
        self.taken.retain(|seat| Arc::strong_count(seat) > 1);
        while self.taken.len() >= self.bound {
            let usefulness = |(_, seat): &(usize, &Arc<Seat>)| (seat.answering.load(Relaxed), seat.since());
            let least = self.taken.iter().enumerate().min_by_key(usefulness).map(|(index, _)| index);
            self.taken.swap_remove(least.expect("the list is full, so not empty")).leave.notify_one();
        }
        let seat = Arc::new(Seat {
            since: Mutex::new(now),
            answering: AtomicBool::new(false),
            ends_process: AtomicBool::new(false),
            leave: Notify::new(),
        });
        self.taken.push(Arc::clone(&seat));
        seat
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::clock;

    #[test]
    fn the_connection_that_waits_longest_leaves_when_the_socket_is_full() {
        let start = clock::now();
        let mut seats = Seats::of_one_in(1);
        let at = |millis| start + Duration::from_millis(millis);
        let taken: Vec<_> = (0..CONNECTIONS_BOUND as u64).map(|index| seats.take(at(index))).collect();
        taken[0].request_begins(at(1));
        taken[1].request_begins(at(1000));
        taken[1].request_ends();
        let _newcomer = seats.take(at(2000));
        let stays = |index: usize| seats.taken.iter().any(|seat| Arc::ptr_eq(seat, &taken[index]));
        assert!(stays(0), "it is being answered");
        assert!(stays(1), "it asked lately");
        assert!(!stays(2), "it never asked");
        assert_eq!(seats.taken.len(), CONNECTIONS_BOUND);
    }

    #[test]
    fn a_seat_that_was_left_is_free_again() {
        let now = clock::now();
        let mut seats = Seats::of_one_in(1);
        let kept = seats.take(now);
        for _ in 0..3 * CONNECTIONS_BOUND {
            drop(seats.take(now));
        }
        assert!(Arc::strong_count(&kept) > 1, "never asked to leave");
    }
}
