//! `cargo demo`, and the seeded generator of its data.
//!
//! Read [`generate`] for what the data is and where the frauds are, [`demo`] for what happens, and
//! [`market`] for a market with known truth.

pub mod generate;
pub mod market;
pub mod random;

pub mod world;

pub mod demo;
