//! The engine that works everywhere: readiness through epoll (mio, edge-triggered), copy and splice(2).
//!
//! One turn: wait → read the clock once → mailbox if woken → accept → relay → expired timers. Each stage is bounded, so
//! none starves another; what is left over is done in the next turn, which then does not wait.

mod adopt;
mod closing;
mod connecting;
mod doors;
mod event_loop;
mod moving;
mod pools;
mod relaying;
mod serving;
mod session;
mod sessions;
mod tools;

pub use event_loop::{Engine, EngineSeat};
