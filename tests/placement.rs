//! What placement promises, asked from outside: shares, stability, exactness, bounds.

#[path = "placement/maglev.rs"]
mod maglev;
#[path = "placement/pick.rs"]
mod pick;
#[path = "placement/pool.rs"]
mod pool;
#[path = "placement/split.rs"]
mod split;
#[path = "placement/world.rs"]
mod world;
