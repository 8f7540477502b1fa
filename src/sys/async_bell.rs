//! A bell that a tokio event loop can wait on.

use super::EventFd;
use std::io;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Waits for an [`EventFd`] inside a tokio runtime.
#[derive(Debug)]
pub struct AsyncBell(AsyncFd<EventFd>);

impl AsyncBell {
    /// Waits on a duplicate of `bell`. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// EMFILE, ENFILE; ENOMEM for the event loop.
    pub fn new(bell: &EventFd) -> io::Result<Self> {
        let own = bell.duplicate()?;
        // SAFETY: the descriptor is owned by the `EventFd` that goes in, is never replaced, and is taken out of the
        // event loop before it is closed, as the whole is dropped in that order.
        let registered = unsafe { AsyncFd::register_with_interest(own, Interest::READABLE) };
        Ok(Self(registered?))
    }

    /// Waits until the bell rings, and silences it. May be dropped and called again without missing a ring.
    ///
    /// # Errors
    /// When the event loop ends.
    pub async fn rung(&self) -> io::Result<()> {
        let mut guard = self.0.readable().await?;
        self.0.get_ref().clear();
        guard.clear_ready();
        Ok(())
    }
}
