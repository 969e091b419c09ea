//! `hallmark-node`: the peer of an organisation.
//!
//! The way of an attestation: `api/entries.rs` or `mqtt.rs` take it in, `admission.rs` proves it,
//! `sequencer.rs` makes it durable and logs it, `peers.rs` and `witness.rs` carry the log through
//! the network, `judge.rs` finds what is wrong. Read the modules in the order below.

pub mod admission;
pub mod api;
pub(crate) mod backup;
pub mod bundle;
pub mod cli;
pub mod client;
pub mod command;
pub mod config;
pub mod core;
pub(crate) mod crash;
pub mod defect;
pub mod deferred;
pub mod demand;
pub mod entitled;
pub mod epcis;
pub(crate) mod erasure;
pub mod failure;
pub mod files;
pub mod index;
pub mod judge;
pub mod keys;
pub mod labels;
pub mod mirror;
pub mod mqtt;
pub mod mutants;
mod negotiate;
pub mod net;
pub mod outbox;
pub mod page;
pub mod passport;
pub mod peers;
pub mod reach;
pub(crate) mod remedy;
pub(crate) mod repair;
pub(crate) mod restore;
pub mod sequencer;
pub mod serve;
pub mod service;
pub mod sign;
#[cfg(feature = "sim")]
pub mod sim;
pub mod socket;
pub mod store;
pub mod trace;
pub mod witness;
