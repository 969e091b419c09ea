//! The verifier from outside: whole inputs in, defects, findings and exit codes out.

#[path = "verify/command.rs"]
mod command;
#[path = "verify/lake.rs"]
mod lake;
#[path = "verify/tamper.rs"]
mod tamper;
#[path = "verify/world.rs"]
mod world;
