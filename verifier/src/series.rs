//! Statistics of whole series: plain functions, without the query engine.
//!
//! Invariants: sums run in the order of the series and every transcendental function is `libm`'s, so
//! a figure has the same bits on every machine; what is compared or printed is rounded first, by
//! whoever calls.

pub mod balance;
pub mod change;
pub mod digits;
pub mod lag;
pub mod level;
pub mod line;
pub mod robust;
pub mod scaled;
pub mod shape;
pub mod special;
pub mod tail;
pub mod week;
