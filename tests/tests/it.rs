//! All system tests: one binary.
