//! What system tests and benchmarks share; the tests themselves live in `tests/it.rs`.

pub mod liar;
pub mod sim;
pub mod vectors;
