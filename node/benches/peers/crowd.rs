//! The memory of a node with 100 peers, against that with none.

use std::time::Duration;

use crate::peer::Peer;
use crate::world::{Outcome, addresses, found, run};

/// How many.
const PEERS: usize = 100;
/// How long each asks before memory is read.
const ASKING: Duration = Duration::from_secs(5);

/// Prints both, and what one peer takes.
pub(crate) async fn measure() -> Outcome<()> {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let dir = root.path().join("node");
    found(&dir, 1..PEERS + 1)?;
    let node = run(&dir)?;
    let (_, to) = addresses(&dir)?;
    // What a node holds settles a moment after its start.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = node.memory()?;
    let mut peers = tokio::task::JoinSet::new();
    for number in 1..=PEERS {
        let mut peer = Peer::new(number, &to)?;
        peers.spawn(async move {
            peer.connect().await.map_err(|e| e.to_string())?;
            peer.stay(ASKING).await;
            Ok::<_, String>(peer)
        });
    }
    let mut here = Vec::with_capacity(PEERS);
    while let Some(peer) = peers.join_next().await {
        here.push(peer??);
    }
    let quiet = node.memory()?;
    let end = std::time::Instant::now() + ASKING;
    let mut asking = tokio::task::JoinSet::new();
    for mut peer in here {
        asking.spawn(async move {
            let asked = peer.honest(end).await.map_err(|e| e.to_string())?;
            Ok::<_, String>((peer, asked.len()))
        });
    }
    let (mut still_here, mut questions) = (Vec::with_capacity(PEERS), 0);
    while let Some(done) = asking.join_next().await {
        let (peer, asked) = done??;
        still_here.push(peer);
        questions += asked;
    }
    let busy = node.memory()?;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!(
        "memory: {:.1} MiB with {PEERS} peers, {:.1} MiB after {questions} questions of theirs; \
         {:.1} MiB without any, ratio {:.2}; one peer {:.0} KiB",
        mib(quiet),
        mib(busy),
        mib(before),
        busy as f64 / before as f64,
        (busy.saturating_sub(before)) as f64 / 1024.0 / PEERS as f64
    );
    Ok(())
}
