//! `hallmark-agent`: signs scans and meter readings at the source, and loses none.

mod agent;
pub mod batch;
pub mod config;
mod delivery;
pub mod enrol;
pub mod failure;
pub mod key;
pub mod layout;
pub mod publish;
pub mod spool;
pub mod trust;
