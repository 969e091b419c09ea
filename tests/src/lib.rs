//! What system tests share; the tests themselves live in `tests/it.rs`.

pub mod sim;
pub mod vectors;
