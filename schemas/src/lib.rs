//! What Hallmark's bytes mean: identifiers, attestations, signatures, Merkle maths.
//!
//! No I/O, clock, randomness, async or network: every function here gives the same answer on any
//! machine. Read the modules in the order below.

pub mod hex;
mod text;
pub mod time;
pub mod id;
pub mod gs1;
pub mod goods;
pub mod quantity;
pub mod role;
pub mod audience;
pub mod key;
pub mod cbor;
pub mod cose;
pub mod attestation;
pub mod kind;
pub mod table;
pub mod identity;
pub mod history;
pub mod entry;
pub mod merkle;
pub mod tile;
pub mod note;
pub mod policy;
pub mod receipt;
pub mod foreign;
pub mod frame;
pub mod pack;
pub mod layout;
pub mod network;
pub mod enrolment;
pub mod token;
pub mod ack;
pub mod bundle;
pub mod exit;
