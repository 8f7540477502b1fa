//! The table of sessions: slots with a generation, so that a late event never reaches a newcomer.

use super::session::Session;
use std::num::NonZeroU32;

/// Names a session for its life, and no other one ever after (generations wrap after 2^31 uses of one slot).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SessionKey {
    pub(super) slot: u32,
    generation: NonZeroU32,
}

impl SessionKey {
    /// The key as a number below 2^63, for tokens.
    pub(super) fn to_bits(self) -> u64 {
        (u64::from(self.generation.get()) << 32) | u64::from(self.slot)
    }

    /// The inverse of [`Self::to_bits`].
    pub(super) fn from_bits(bits: u64) -> Option<Self> {
        let slot = u32::try_from(bits & u64::from(u32::MAX)).expect("masked");
        let generation = NonZeroU32::new(u32::try_from(bits >> 32).ok()?)?;
        Some(Self { slot, generation })
    }
}

#[derive(Debug)]
struct Slot {
    generation: NonZeroU32,
    session: Option<Session>,
}

/// Sessions of one worker.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Sessions {
    /// How many sessions there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Puts a session in.
    pub(super) fn insert(&mut self, session: Session) -> SessionKey {
        if let Some(slot) = self.free.pop() {
            let entry = &mut self.slots[slot as usize];
            entry.session = Some(session);
            return SessionKey { slot, generation: entry.generation };
        }
        let slot = u32::try_from(self.slots.len()).expect("sessions are bounded far below 2^32");
        self.slots.push(Slot { generation: NonZeroU32::MIN, session: Some(session) });
        SessionKey { slot, generation: NonZeroU32::MIN }
    }

    /// The session of `key`, unless it has ended.
    pub(super) fn get_mut(&mut self, key: SessionKey) -> Option<&mut Session> {
        let entry = self.slots.get_mut(key.slot as usize)?;
        if entry.generation == key.generation { entry.session.as_mut() } else { None }
    }

    /// The key of whatever session is in `slot`.
    pub(super) fn key_of_slot(&self, slot: u32) -> Option<SessionKey> {
        let entry = self.slots.get(slot as usize)?;
        entry.session.as_ref().map(|_session| SessionKey { slot, generation: entry.generation })
    }

    /// Takes a session out; its key is never valid again.
    pub(super) fn remove(&mut self, key: SessionKey) -> Option<Session> {
        let entry = self.slots.get_mut(key.slot as usize)?;
        if entry.generation != key.generation {
            return None;
        }
        let session = entry.session.take()?;
        let next = (entry.generation.get() + 1) & (u32::MAX >> 1);
        entry.generation = NonZeroU32::new(next).unwrap_or(NonZeroU32::MIN);
        self.free.push(key.slot);
        Some(session)
    }

    /// The keys of all sessions.
    pub(super) fn keys(&self) -> impl Iterator<Item = SessionKey> {
        let slots = 0..u32::try_from(self.slots.len()).expect("sessions are bounded far below 2^32");
        slots.filter_map(|slot| self.key_of_slot(slot))
    }
}
