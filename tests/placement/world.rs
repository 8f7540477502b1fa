//! Groups, clients and placements to ask questions of.

use forebay::balance::{
    Balance, Cursor, FailOpen, GroupRuntime, HashKey, Lease, Member, PickError, Placement, Standing, TargetRuntime,
};
use forebay::model::FlowKey;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

pub(crate) const TABLE_SIZE: u32 = 65_537;

/// An eligible member with this id.
pub(crate) fn member(id: &str, weight: u16) -> Member {
    static LAST_UID: AtomicU32 = AtomicU32::new(0);
    let uid = LAST_UID.fetch_add(1, Relaxed) + 1;
    let group = Arc::new(GroupRuntime::new("web".into(), 1));
    let runtime = Arc::new(TargetRuntime::new(uid, id.into(), group, 1));
    Member { runtime, weight, backup: false, standing: Standing::Eligible }
}

/// Eligible members t0, t1 … of these weights.
pub(crate) fn members(weights: &[u16]) -> Vec<Member> {
    weights.iter().enumerate().map(|(n, weight)| member(&format!("t{n}"), *weight)).collect()
}

/// Members named as addresses are.
pub(crate) fn fleet(count: usize) -> Vec<Member> {
    (0..count).map(|n| member(&format!("10.0.{}.{}:80", n / 250, n % 250 + 1), 1)).collect()
}

pub(crate) fn place(balance: Balance, members: Vec<Member>) -> Placement {
    place_after(balance, members, None)
}

pub(crate) fn place_after(balance: Balance, members: Vec<Member>, previous: Option<&Placement>) -> Placement {
    Placement::new(balance, HashKey::SourceIp, "", TABLE_SIZE, members, FailOpen::Below(0), previous)
}

/// The n-th client: an address and port of its own.
pub(crate) fn client(n: u32) -> FlowKey {
    let ip = IpAddr::V4(Ipv4Addr::from(0x0b00_0000_u32.wrapping_add(n.wrapping_mul(2_654_435_761) >> 4)));
    let port = u16::try_from(1024 + n % 60_000).expect("below 65,536");
    FlowKey::new(SocketAddr::new(ip, port), "192.0.2.1:80".parse().expect("an address"))
}

/// The id that Maglev gives this client.
pub(crate) fn home(placement: &Placement, key: &FlowKey) -> Arc<str> {
    let member = placement.explain(key).member.expect("somebody is eligible");
    Arc::clone(&placement.members()[usize::from(member)].runtime.id)
}

/// One worker with its cursor and its random numbers.
pub(crate) struct Worker {
    pub(crate) cursor: Cursor,
    pub(crate) random: fastrand::Rng,
}

impl Worker {
    pub(crate) fn new(seed: u64) -> Self {
        Self { cursor: Cursor::new(), random: fastrand::Rng::with_seed(seed) }
    }

    pub(crate) fn pick(&mut self, placement: &Placement, n: u32, tried: &[u16]) -> Result<(u16, Lease), PickError> {
        placement.pick(&client(n), tried, &mut self.cursor, &mut self.random)
    }

    /// How often each member is picked in `rounds` picks whose leases end at once.
    pub(crate) fn tally(&mut self, placement: &Placement, rounds: u32) -> Vec<u32> {
        let mut counts = vec![0; placement.members().len()];
        for n in 0..rounds {
            let (member, _lease) = self.pick(placement, n, &[]).expect("somebody is open");
            counts[usize::from(member)] += 1;
        }
        counts
    }
}

pub(crate) fn loads(placement: &Placement) -> Vec<u32> {
    placement.members().iter().map(|member| member.runtime.load.active()).collect()
}
