//! `hallmark-agent`: signs scans and meter readings at the source, and loses none.
//!
//! The way of a reading: a [`source`] takes it, [`batch`] signs it, [`spool`] makes it durable,
//! [`publish`] sends it until a receipt returns that [`trust`] proves.

mod agent;
pub mod batch;
pub mod cli;
mod command;
pub mod config;
mod delivery;
pub mod enrol;
pub mod failure;
pub mod key;
pub mod layout;
pub mod parse;
pub mod publish;
pub mod source;
pub mod spool;
pub mod tally;
pub mod trust;
