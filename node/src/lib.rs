//! `hallmark-node`: the peer of an organisation.
//!
//! The way of an attestation: `api/entries.rs` or `mqtt.rs` take it in, `admission.rs` proves it,
//! `sequencer.rs` makes it durable and logs it, `peers.rs` and `witness.rs` carry the log through
//! the network, `judge.rs` finds what is wrong. Read the modules in the order below.

pub mod failure;
pub mod cli;
pub mod config;
pub mod keys;
pub mod files;
pub mod command;
pub mod store;
pub mod index;
pub mod admission;
pub mod deferred;
pub mod sequencer;
pub mod mirror;
pub mod core;
pub mod sign;
pub mod outbox;
pub mod client;
pub mod bundle;
pub mod service;
pub mod serve;
pub mod socket;
pub mod api;
pub mod peers;
pub mod witness;
pub mod mqtt;
pub mod judge;
pub mod page;
