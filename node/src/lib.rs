//! `hallmark-node`: the peer of an organisation.

pub mod admission;
pub mod core;
pub mod deferred;
pub mod index;
pub mod mirror;
pub mod sequencer;
pub mod store;
