//! EPCIS 2.0 beside the log: documents become attestations, attestations become documents again.
//!
//! Invariants: an event is logged as its client wrote it; what a client reads back is that text,
//! with the `recordTime` of the log; nothing here knows of HTTP.

pub mod capture;
pub mod filter;
pub mod find;
pub mod jobs;
pub mod page;
