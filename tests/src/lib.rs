//! System tests live in `tests/it.rs`.
