//! The `hallmark-node` command.

fn main() {}
