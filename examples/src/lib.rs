//! The demo and its seeded generator.
