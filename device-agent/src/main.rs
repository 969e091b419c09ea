//! The `hallmark-agent` command.

fn main() {}
