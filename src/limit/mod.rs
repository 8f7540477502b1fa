//! Who may come in: pure.

mod prefix_set;

pub use prefix_set::{Access, PrefixSet};
