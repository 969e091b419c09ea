//! Peers as an operator meets them: beside flooders, in a crowd, forked, and judged from afar.
//!
//! `cargo build --release --workspace --bins && cargo bench --workspace --bench peers
//! [-- flood|crowd|fork|finding [COUNT]]` prints how long an honest client waits alone and beside
//! two members that ask as fast as they can; the memory of a node with 100 peers; the time until a
//! forked log is proved at another member; and the time from a checkpoint at one node to a finding
//! at another.

mod crowd;
mod finding;
mod flood;
mod fork;
mod support;

/// Members of the crowd.
const CROWD: u64 = 100;
/// How often what is timed once in a run is timed.
const ROUNDS: u64 = 5;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let count = arguments.iter().find_map(|argument| argument.parse::<u64>().ok());
    let parts = ["flood", "crowd", "fork", "finding"];
    let named = arguments.iter().any(|argument| parts.contains(&argument.as_str()));
    for part in parts {
        if named && !arguments.iter().any(|argument| argument == part) {
            continue;
        }
        match part {
            "flood" => flood::measure().await?,
            "crowd" => crowd::measure(count.unwrap_or(CROWD)).await?,
            "fork" => fork::measure(count.unwrap_or(ROUNDS)).await?,
            _ => finding::measure(count.unwrap_or(ROUNDS)).await?,
        }
    }
    Ok(())
}
