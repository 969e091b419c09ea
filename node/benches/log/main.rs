//! The log as its users meet it: over HTTP, after a restart, and asked for proofs.
//!
//! `cargo bench -p hallmark-node --bench log [-- http|capture|proof|restart|backfill [COUNT]]`
//! prints
//! attestations a second with one client and with 64, against the bare signature check; events
//! a second in EPCIS documents; the time
//! of a proof of inclusion from the tiles of a large log; the time from start to serving with the
//! index whole and deleted; the bytes on disk of an attestation against its body; and how fast a
//! member that joins copies a log with its bodies, against what it can verify and write.

mod backfill;
mod capture;
mod http;
mod proof;
mod restart;
mod support;

use std::time::Duration;

use support::Outcome;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let count = arguments.iter().find_map(|argument| argument.parse::<u64>().ok());
    let is_wanted = |part: &str| {
        let mut named = arguments
            .iter()
            .filter(|one| {
                ["http", "capture", "proof", "restart", "backfill"].contains(&one.as_str())
            })
            .peekable();
        named.peek().is_none() || named.any(|one| one == part)
    };
    if is_wanted("http") {
        http::measure(count.unwrap_or(60_000))?;
    }
    if is_wanted("capture") {
        capture::measure(count.unwrap_or(400_000))?;
    }
    if is_wanted("proof") {
        proof::measure(count.unwrap_or(10_000_000))?;
    }
    if is_wanted("restart") {
        restart::measure(count.unwrap_or(1_000_000))?;
    }
    if is_wanted("backfill") {
        backfill::measure(count.unwrap_or(1_000_000))?;
    }
    Ok(())
}

/// The 50th and 99th percentile.
fn percentiles(mut times: Vec<Duration>) -> [Duration; 2] {
    times.sort_unstable();
    [50, 99].map(|percent| times[(times.len() - 1) * percent / 100])
}
