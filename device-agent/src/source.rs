//! Where the agent takes from: one file for each protocol, picked by `protocol` in config.toml.
//!
//! Invariants: a source hands over [`crate::batch::Taken`] and nothing else; it says "kept" only
//! after it was told that the entry is durable; it blocks, so it runs on a thread of its own.

pub mod replay;
pub mod stdin;
