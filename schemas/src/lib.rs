//! What Hallmark's bytes mean: identifiers, attestations, signatures, Merkle maths.
//!
//! No I/O, clock, randomness, async or network: every function here gives the same answer on any
//! machine. Read the modules in the order below.

pub mod ack;
pub mod attestation;
pub mod audience;
pub mod bundle;
pub mod cbor;
pub mod cose;
pub mod cosigned;
pub mod day;
pub mod defect;
pub mod enrolment;
pub mod entry;
pub mod exit;
pub mod foreign;
pub mod frame;
pub mod goods;
pub mod gs1;
pub mod head;
pub mod hex;
pub mod history;
pub mod id;
pub mod identity;
pub mod intent;
pub mod key;
pub mod kind;
pub mod layout;
pub mod merkle;
pub mod network;
pub mod note;
pub mod pack;
pub mod policy;
pub mod proof;
pub mod quantity;
pub mod receipt;
pub mod restored;
pub mod role;
pub mod serial;
pub mod table;
mod text;
pub mod tile;
pub mod time;
pub mod token;
#[cfg(feature = "sim")]
pub mod verdicts;
