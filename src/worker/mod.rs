//! The pinned thread: mailbox, adopt, turn.

mod mailbox;
mod thread;

pub use mailbox::Mailbox;
pub use thread::{Seat, Worker};

#[cfg(test)]
mod tests;
