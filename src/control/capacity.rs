//! How many sessions fit into the descriptors that this process may have.

use crate::config::Auto;
use std::fmt;

/// Standard streams, control's event loop and signals, bells, the access log and what libraries open for a moment.
const CONTROL_DESCRIPTORS: u64 = 32;

/// Event loop (twice: a registry is a duplicate), bell and spare descriptor.
const WORKER_DESCRIPTORS: u64 = 4;

/// Probes at once, and so their connections, however many descriptors there are.
const PROBES_MAX: u64 = 256;

/// Admin connections that room is kept for.
const ADMIN_MAX: u64 = 64;

/// Pipes for splicing, all workers together: 64 MiB of pipe pages (what an unprivileged user gets) in pipes of 256 KiB.
const PIPES_MAX: u64 = 256;

/// How the descriptors are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// `RLIMIT_NOFILE`.
    pub descriptors: u64,
    /// What is kept for everything but sessions.
    pub reserve: u64,
    /// TCP sessions.
    pub max_connections: u32,
    /// Pipes per worker.
    pub pipes_per_worker: usize,
    /// Probes at once.
    pub probes: usize,
}

/// A bound that is asked for and does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoesNotFit {
    wanted: u32,
    capacity: Capacity,
}

impl fmt::Display for DoesNotFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Capacity { descriptors, reserve, .. } = self.capacity;
        let (wanted, fit) = (self.wanted, most(descriptors, reserve));
        let needed = u64::from(wanted) * 2 + reserve;
        write!(
            f,
            "runtime.max_connections = {wanted} needs {needed} descriptors (two each and {reserve} in reserve), \
             RLIMIT_NOFILE allows {descriptors}: raise it, or ask for {fit} at most"
        )
    }
}

/// Two descriptors each, of what the reserve leaves.
fn most(descriptors: u64, reserve: u64) -> u32 {
    u32::try_from(descriptors.saturating_sub(reserve) / 2).unwrap_or(u32::MAX)
}

impl Capacity {
    /// Shares out `descriptors` among `workers` with so many listening `sockets`.
    ///
    /// # Errors
    /// When the number asked for does not fit, or nothing fits at all.
    pub fn share_out(descriptors: u64, workers: usize, sockets: usize, wanted: Auto<u32>) -> Result<Self, DoesNotFit> {
        let (workers_wide, sockets) = (workers as u64, sockets as u64);
        // Small limits: a sixteenth each for probes and admin, an eighth for pipes.
        let probes = (descriptors / 16).clamp(4, PROBES_MAX);
        let admin = (descriptors / 16).clamp(4, ADMIN_MAX);
        let pipes = (descriptors / 16).min(PIPES_MAX) / workers_wide.max(1);
        let reserve = CONTROL_DESCRIPTORS + workers_wide * (WORKER_DESCRIPTORS + 2 * pipes) + sockets + probes + admin;
        let max_connections = match wanted {
            Auto::Auto => most(descriptors, reserve),
            Auto::Fixed(wanted) => wanted,
        };
        let (pipes_per_worker, probes) = (pipes as usize, probes as usize);
        let capacity = Self { descriptors, reserve, max_connections, pipes_per_worker, probes };
        if max_connections == 0 || max_connections > most(descriptors, reserve) {
            return Err(DoesNotFit { wanted: max_connections.max(1), capacity });
        }
        Ok(capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_leaves_room_for_everything_else() {
        for descriptors in [256, 1024, 20_000, 1 << 20] {
            for workers in [1, 2, 16] {
                let capacity = Capacity::share_out(descriptors, workers, workers * 2, Auto::Auto).unwrap();
                let used = u64::from(capacity.max_connections) * 2 + capacity.reserve;
                assert!(used <= descriptors && used + 2 > descriptors, "{capacity:?}");
            }
        }
    }

    #[test]
    fn an_impossible_number_is_refused_and_the_message_tells_the_most() {
        let most = Capacity::share_out(1024, 2, 2, Auto::Auto).unwrap().max_connections;
        assert!(Capacity::share_out(1024, 2, 2, Auto::Fixed(most)).is_ok());
        let error = Capacity::share_out(1024, 2, 2, Auto::Fixed(most + 1)).unwrap_err().to_string();
        assert!(error.contains(&format!("ask for {most} at most")) && error.contains("allows 1024"), "{error}");
    }

    #[test]
    fn a_limit_that_leaves_no_room_for_any_session_is_refused() {
        assert!(Capacity::share_out(64, 16, 160, Auto::Auto).is_err());
    }
}
