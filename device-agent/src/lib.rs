//! `hallmark-agent`: signs scans and meter readings at the source, and loses none.

mod delivery;
pub mod spool;
