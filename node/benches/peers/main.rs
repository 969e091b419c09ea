//! The network as a member meets it when others misbehave, are many, or lie.
//!
//! `cargo bench -p hallmark-node --bench peers [-- flood|crowd|fork|finding]` prints how long an
//! honest member and an honest client wait beside two members that ask and dial without end,
//! against how long they wait without those; the memory of a node with 100 peers, against that
//! with none; the time from a second signed history to its proof at two members, against a round of
//! gossip; and the time from the checkpoint over a contradiction in one node's log to the finding
//! at another, against the wait that the configuration states.

mod crowd;
mod finding;
mod flood;
mod fork;
mod peer;
mod world;

use std::time::Duration;

use world::Outcome;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parts = ["flood", "crowd", "fork", "finding"];
    let is_wanted = |part: &str| {
        let mut named = arguments.iter().filter(|one| parts.contains(&one.as_str())).peekable();
        named.peek().is_none() || named.any(|one| one == part)
    };
    hallmark_node::client::install_tls_provider();
    let runtime = tokio::runtime::Runtime::new()?;
    if is_wanted("flood") {
        runtime.block_on(flood::measure())?;
    }
    if is_wanted("crowd") {
        runtime.block_on(crowd::measure())?;
    }
    if is_wanted("fork") {
        runtime.block_on(fork::measure())?;
    }
    if is_wanted("finding") {
        runtime.block_on(finding::measure())?;
    }
    Ok(())
}

/// The 50th and 99th percentile.
fn percentiles(mut times: Vec<Duration>) -> [Duration; 2] {
    times.sort_unstable();
    [50, 99].map(|percent| times[(times.len() - 1) * percent / 100])
}
