//! The verifier from outside: whole inputs in, defects, findings and exit codes out.

#![expect(clippy::unwrap_used, reason = "a step of a test that fails is a test that fails")]

#[path = "verify/command.rs"]
mod command;
#[path = "verify/defect.rs"]
mod defect;
#[path = "verify/demand.rs"]
mod demand;
#[path = "verify/evaluate.rs"]
mod evaluate;
#[path = "verify/kept.rs"]
mod kept;
#[path = "verify/lake.rs"]
mod lake;
#[path = "verify/map.rs"]
mod map;
#[path = "verify/memory.rs"]
mod memory;
#[path = "verify/receipt.rs"]
mod receipt;
#[path = "verify/refused.rs"]
mod refused;
#[path = "verify/revocations.rs"]
mod revocations;
#[path = "verify/tamper.rs"]
mod tamper;
#[path = "verify/told.rs"]
mod told;
#[path = "verify/url.rs"]
mod url;
#[path = "verify/world.rs"]
mod world;
