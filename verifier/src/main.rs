//! The `hallmark-verify` command.

fn main() {}
