//! A group's placement: from a flow key to a target with its lease.

use super::cursor::Cursor;
use super::maglev::{MAX_TARGETS, MaglevTable};
use super::member::{FailOpen, Member, Pool, Standing, choose_pool};
use super::{Balance, HashKey, Lease, StableHash};
use crate::model::{FlowKey, TargetId};
use std::sync::Arc;

/// Marks a rank whose target is not in the pool.
const OUTSIDE: u16 = u16::MAX;

/// Slots that a probe passes over before it asks whether any target is left to be found.
const BLIND_PROBES: usize = 128;

/// How a target group's work is placed, immutable; made anew whenever a member's standing changes.
///
/// Members are known by their index in [`Self::members`]; at most 65,535 are used.
#[derive(Debug)]
pub struct Placement {
    pub(super) balance: Balance,
    hash_key: HashKey,
    hash: StableHash,
    pub(super) members: Vec<Member>,
    pool: Pool,
    /// Members of the pool, ascending; half-open ones are not among them, unless all are open.
    pub(super) usable: Vec<u16>,
    /// Half-open members that no probe of the table would reach.
    trials: Vec<u16>,
    /// Running totals of the weights of `usable`.
    pub(super) totals: Vec<u64>,
    /// All of the pool weigh the same.
    pub(super) even: bool,
    /// Stands for the pool with its weights: a cursor that was made for another one starts anew.
    pub(super) stamp: u64,
    primaries: Option<Ranked>,
    backups: Option<Ranked>,
    /// By rank of the pool's table, the member that may be used, or [`OUTSIDE`].
    member_of_rank: Vec<u16>,
}

/// A table with the member of each rank.
#[derive(Clone, Debug)]
struct Ranked {
    table: Arc<MaglevTable>,
    members: Arc<[u16]>,
}

/// Why no target was picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PickError {
    /// The pool is empty.
    NoTarget,
    /// Each target of the pool that was not tried stands at its `max_connections`.
    AtCapacity,
    /// Each target of the pool has been tried.
    Exhausted,
}

/// Where a key would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The slot that the key's hash names; only Maglev has one.
    pub slot: Option<u32>,
    /// How many slots the probe went on from there.
    pub probes: u32,
    /// The member, where the key decides it.
    pub member: Option<u16>,
    /// Whether the key decides.
    pub deterministic: bool,
}

impl Placement {
    /// Compiles a placement. The tables of `previous` are taken over where ids, weights, seed and size are the same.
    #[must_use]
    pub fn new(
        balance: Balance,
        hash_key: HashKey,
        hash_seed: &str,
        table_size: u32,
        mut members: Vec<Member>,
        fail_open: FailOpen,
        previous: Option<&Self>,
    ) -> Self {
        members.truncate(MAX_TARGETS);
        let pool = choose_pool(&members, fail_open);
        let usable: Vec<u16> = indices(&members, |member| belongs(member, pool));
        let mut placement = Self {
            balance,
            hash_key,
            hash: StableHash::new(hash_seed),
            pool,
            trials: Vec::new(),
            totals: Vec::new(),
            even: usable.windows(2).all(|pair| weight_of(&members, pair[0]) == weight_of(&members, pair[1])),
            stamp: stamp_of(&members, &usable),
            primaries: None,
            backups: None,
            member_of_rank: Vec::new(),
            members,
            usable,
        };
        placement.trials = indices(&placement.members, |member| placement.needs_trial_list(member));
        match balance {
            Balance::Maglev => placement.attach_tables(table_size, previous),
            Balance::Random => placement.totals = placement.running_totals(),
            Balance::LeastConnections | Balance::RoundRobin | Balance::PowerOfTwo => {}
        }
        placement
    }

    /// Every member, also those that get nothing.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Whom new work goes to.
    #[must_use]
    pub fn pool(&self) -> Pool {
        self.pool
    }

    /// How many members may get work now.
    #[must_use]
    pub fn pool_len(&self) -> usize {
        self.usable.len()
    }

    /// How a target is chosen.
    #[must_use]
    pub fn balance(&self) -> Balance {
        self.balance
    }

    /// What of the client is hashed.
    #[must_use]
    pub fn hash_key(&self) -> HashKey {
        self.hash_key
    }

    /// Whether the group has eligible targets to work with, without failing open.
    #[must_use]
    pub fn has_own_pool(&self) -> bool {
        matches!(self.pool, Pool::Primaries | Pool::Backups)
    }

    /// Whether both placements look into the same Maglev tables: nothing was rebuilt between them.
    #[must_use]
    pub fn shares_tables_with(&self, other: &Self) -> bool {
        let same = |a: &Option<Ranked>, b: &Option<Ranked>| match (a, b) {
            (Some(a), Some(b)) => Arc::ptr_eq(&a.table, &b.table),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        same(&self.primaries, &other.primaries) && same(&self.backups, &other.backups)
    }

    /// How many members are eligible, backups too.
    #[must_use]
    pub fn eligible_count(&self) -> usize {
        self.members.iter().filter(|member| member.is_eligible()).count()
    }

    /// Picks a target for `key` that is not among `tried`, and takes its lease.
    ///
    /// A half-open target gets its one trial before anyone else is considered (Maglev: from a key that is its own).
    ///
    /// # Errors
    /// When no target of the pool may be used; nothing is leased then.
    pub fn pick(
        &self,
        key: &FlowKey,
        tried: &[u16],
        cursor: &mut Cursor,
        random: &mut fastrand::Rng,
    ) -> Result<(u16, Lease), PickError> {
        for index in self.trials.iter().filter(|index| !tried.contains(index)) {
            if let Some(lease) = Lease::take_trial(&self.members[usize::from(*index)].runtime) {
                return Ok((*index, lease));
            }
        }
        let picked = match self.balance {
            Balance::Maglev => {
                self.probe(key, tried, |index| self.lease(index)).map(|found| (found.member, found.taken))
            }
            Balance::LeastConnections => self.pick_least_connections(tried, random),
            Balance::PowerOfTwo => self.pick_power_of_two(tried, random),
            Balance::Random => self.pick_random(tried, random),
            Balance::RoundRobin => self.pick_round_robin(tried, cursor, random),
        };
        picked.ok_or_else(|| self.pick_error(tried))
    }

    /// Where `key` would go now, by the same code as [`Self::pick`], without taking a lease.
    #[must_use]
    pub fn explain(&self, key: &FlowKey) -> Explanation {
        if self.balance != Balance::Maglev {
            return Explanation { slot: None, probes: 0, member: None, deterministic: false };
        }
        let slot = self.active_table().map(|ranked| ranked.table.home_slot(self.hash.flow(key, self.hash_key)));
        let found = self.probe(key, &[], |index| self.would_lease(index).then_some(()));
        Explanation {
            slot: slot.and_then(|slot| u32::try_from(slot).ok()),
            probes: found.as_ref().map_or(0, |found| found.probes),
            member: found.map(|found| found.member),
            deterministic: true,
        }
    }

    /// The member's lease, unless it is full, or half-open with its trial gone.
    pub(super) fn lease(&self, index: u16) -> Option<Lease> {
        let member = &self.members[usize::from(index)];
        if member.standing == Standing::Trial {
            let trial = Lease::take_trial(&member.runtime);
            if trial.is_some() || self.pool != Pool::FailOpen {
                return trial;
            }
        }
        Lease::take(&member.runtime)
    }

    fn would_lease(&self, index: u16) -> bool {
        let member = &self.members[usize::from(index)];
        let open = member.standing != Standing::Trial || self.pool == Pool::FailOpen || member.runtime.is_trial_open();
        open && !member.runtime.load.is_full()
    }

    /// Whether this member of the pool may be asked for a lease.
    pub(super) fn is_open(&self, index: u16, tried: &[u16]) -> bool {
        !tried.contains(&index) && !self.members[usize::from(index)].runtime.load.is_full()
    }

    /// Walks the slots from the key's own until `take` takes a member that is in the pool and not tried.
    fn probe<T>(&self, key: &FlowKey, tried: &[u16], take: impl Fn(u16) -> Option<T>) -> Option<Found<T>> {
        let ranked = self.active_table()?;
        let ranks = ranked.table.ranks();
        let home = ranked.table.home_slot(self.hash.flow(key, self.hash_key));
        for (probes, rank) in ranks[home..].iter().chain(&ranks[..home]).enumerate() {
            if probes == BLIND_PROBES && !self.usable.iter().any(|index| self.is_open(*index, tried)) {
                return None;
            }
            let Some(&member) = self.member_of_rank.get(usize::from(*rank)) else { continue };
            if member == OUTSIDE || tried.contains(&member) {
                continue;
            }
            if let Some(taken) = take(member) {
                let probes = u32::try_from(probes).unwrap_or(u32::MAX);
                return Some(Found { probes, member, taken });
            }
        }
        None
    }

    fn pick_error(&self, tried: &[u16]) -> PickError {
        if self.usable.is_empty() {
            PickError::NoTarget
        } else if self.usable.iter().all(|index| tried.contains(index)) {
            PickError::Exhausted
        } else {
            PickError::AtCapacity
        }
    }

    fn active_table(&self) -> Option<&Ranked> {
        match self.pool {
            Pool::Primaries | Pool::FailOpen => self.primaries.as_ref(),
            Pool::Backups => self.backups.as_ref(),
            Pool::Empty => None,
        }
    }

    fn needs_trial_list(&self, member: &Member) -> bool {
        let probed = self.balance == Balance::Maglev
            && match self.pool {
                Pool::Primaries | Pool::FailOpen => !member.backup,
                Pool::Backups => member.backup,
                Pool::Empty => false,
            };
        let wanted = !member.backup || self.pool != Pool::Primaries;
        member.is_half_open() && wanted && !probed
    }

    fn attach_tables(&mut self, table_size: u32, previous: Option<&Self>) {
        self.primaries = self.rank(false, table_size, previous);
        self.backups = self.rank(true, table_size, previous);
        let member_of_rank = self.active_table().map(|ranked| {
            let in_pool = |index: &u16| {
                let member = &self.members[usize::from(*index)];
                if belongs(member, self.pool) || member.is_half_open() { *index } else { OUTSIDE }
            };
            ranked.members.iter().map(in_pool).collect()
        });
        self.member_of_rank = member_of_rank.unwrap_or_default();
    }

    /// The table over all (non-)backups with a weight, whatever their standing; from `previous` where it can be.
    fn rank(&self, backup: bool, table_size: u32, previous: Option<&Self>) -> Option<Ranked> {
        let before =
            previous.and_then(|previous| if backup { &previous.backups } else { &previous.primaries }.as_ref());
        let mut order = indices(&self.members, |member| member.backup == backup && member.weight > 0);
        if order.is_empty() {
            return None;
        }
        if let (Some(previous), Some(ranked)) = (previous, before)
            && same_targets(&previous.members, &self.members)
            && previous.hash == self.hash
            && ranked.table.has_size(table_size)
        {
            return Some(ranked.clone());
        }
        let id = |index: u16| &self.members[usize::from(index)].runtime.id;
        order.sort_unstable_by(|a, b| id(*a).cmp(id(*b)));
        order.dedup_by(|a, b| id(*a) == id(*b));
        let targets: Vec<(TargetId, u16)> =
            order.iter().map(|index| (Arc::clone(id(*index)), weight_of(&self.members, *index))).collect();
        let table = match before {
            Some(ranked) if ranked.table.is_of(&targets, self.hash, table_size) => Arc::clone(&ranked.table),
            Some(_) | None => Arc::new(MaglevTable::build(targets, self.hash, table_size)),
        };
        Some(Ranked { table, members: order.into() })
    }

    fn running_totals(&self) -> Vec<u64> {
        let mut total = 0;
        let weights = self.usable.iter().map(|index| weight_of(&self.members, *index));
        weights
            .map(|weight| {
                total += u64::from(weight);
                total
            })
            .collect()
    }
}

/// Where a probe ended.
struct Found<T> {
    probes: u32,
    member: u16,
    taken: T,
}

fn belongs(member: &Member, pool: Pool) -> bool {
    match pool {
        Pool::Primaries => !member.backup && member.is_eligible(),
        Pool::Backups => member.backup && member.is_eligible(),
        Pool::FailOpen => member.is_open_to_all(),
        Pool::Empty => false,
    }
}

fn indices(members: &[Member], wanted: impl Fn(&Member) -> bool) -> Vec<u16> {
    (0_u16..).zip(members).filter(|(_, member)| wanted(member)).map(|(index, _)| index).collect()
}

fn weight_of(members: &[Member], index: u16) -> u16 {
    members[usize::from(index)].weight
}

/// Whether both list the same targets in the same order with the same weights: no need to look at ids.
fn same_targets(before: &[Member], now: &[Member]) -> bool {
    let same = |(a, b): (&Member, &Member)| {
        Arc::ptr_eq(&a.runtime.id, &b.runtime.id) && a.weight == b.weight && a.backup == b.backup
    };
    before.len() == now.len() && before.iter().zip(now).all(same)
}

fn stamp_of(members: &[Member], usable: &[u16]) -> u64 {
    const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15; // 2^64 / golden ratio, odd
    let mix = |stamp: u64, value: u64| (stamp ^ value).wrapping_mul(MULTIPLIER).rotate_left(29);
    let stamp = usable.iter().fold(1, |stamp, index| {
        let member = &members[usize::from(*index)];
        mix(mix(stamp, u64::from(member.runtime.uid)), u64::from(member.weight))
    });
    stamp | 1 // never 0, the stamp of a cursor that has seen no pool
}
