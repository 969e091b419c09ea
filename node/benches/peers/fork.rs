//! From two signed histories of a log to the proof at the member that heard them, and at another.

use std::time::Instant;

use hallmark_schemas::note::{Checkpoint, SignedNote};
use hallmark_schemas::time::Timestamp;

use crate::peer::Peer;
use crate::world::{Outcome, addresses, command, found, log_signer, org, origin, run, wait};

/// A round of gossip, in milliseconds: the heartbeat.
const ROUND_MS: f64 = 1000.0;

/// Prints both times.
pub(crate) async fn measure() -> Outcome<()> {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (dir, second) = (root.path().join("node"), root.path().join("second"));
    found(&dir, 1..2)?;
    let _node = run(&dir)?;
    let network = dir.join("network.hallmark");
    let network = network.to_str().ok_or("a path that is no text")?;
    let own = ["--org", &org(2), "--name", "Second", "--role", "auditor", "--network", network];
    command("init", &second, &own)?;
    let join = second.join("join.cbor");
    command("admit", &dir, &[join.to_str().ok_or("a path that is no text")?])?;
    let _second = run(&second)?;
    wait("the two to meet", || {
        let peers = crate::world::status(&dir)?["peers_connected"].as_u64();
        Ok((peers == Some(1)).then_some(()))
    })?;
    let mut liar = Peer::new(1, &addresses(&dir)?.1)?;
    liar.connect().await?;
    let signed = |root: u8| -> Outcome<Vec<u8>> {
        let text = Checkpoint::new(&origin(1)?, 7, [root; 32]).to_string();
        let signature = log_signer(1)?.sign(&text, Timestamp::EPOCH)?;
        let mut note = SignedNote::unsigned(text).ok_or("no text of a note")?;
        note.add(signature);
        Ok(note.to_bytes())
    };
    liar.publish("checkpoints", &signed(1)?).await?;
    liar.stay(std::time::Duration::from_millis(500)).await;
    let began = Instant::now();
    liar.publish("checkpoints", &signed(2)?).await?;
    let staying = tokio::spawn(async move {
        liar.stay(std::time::Duration::from_secs(30)).await;
    });
    let mut times = Vec::new();
    for node in [&dir, &second] {
        let told = || {
            let why = command("peer", node, &["why", &org(1)])?;
            Ok(String::from_utf8(why)?.contains("signed two histories").then_some(()))
        };
        tokio::task::block_in_place(|| wait("the proof of two histories", told))?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    staying.abort();
    println!(
        "two histories: proved after {:.0} ms where they were heard, {:.0} ms at another member; a \
         round of gossip {ROUND_MS:.0} ms, ratio {:.2} and {:.2}",
        times[0],
        times[1],
        times[0] / ROUND_MS,
        times[1] / ROUND_MS
    );
    Ok(())
}
