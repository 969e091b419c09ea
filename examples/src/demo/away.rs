//! One organisation is cut off while the others go on, and catches up when it comes back.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::tell::Teller;
use super::{NETWORK_WAIT_MAX, Stage, entries};
use crate::world::node::Node;

/// How often the copy is looked at while it grows.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The inspector's node dies as in a power cut.
pub(super) async fn cut_off(stage: &mut Stage, teller: &Teller) -> anyhow::Result<()> {
    stage.inspector.kill().await?;
    let told = format!(
        "{} is cut off; the others go on: 3 of 5 witnesses are enough",
        stage.inspector.name()
    );
    teller.say(&told);
    Ok(())
}

/// It comes back, and fetches what the producer has recorded meanwhile.
pub(super) async fn catch_up(stage: &mut Stage, teller: &Teller) -> anyhow::Result<()> {
    let began = Instant::now();
    stage.inspector.start(&[]).await?;
    let (inspector, producer) = (&stage.inspector, &stage.producer);
    let wanted = entries(producer).await?;
    let mut told = None;
    loop {
        let (size, missing) = copy(inspector, producer).await?;
        if told != Some((size, missing)) {
            told = Some((size, missing));
            teller.say(&format!(
                "its copy of {}'s log: {size} of {wanted} entries, {missing} bodies to come",
                producer.name()
            ));
        }
        if wanted <= size && missing == 0 {
            break;
        }
        ensure!(began.elapsed() < NETWORK_WAIT_MAX, "{} does not catch up", inspector.name());
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let s = began.elapsed().as_secs_f32();
    teller.say(&format!("{} is up to date {s:.1} s after its start", inspector.name()));
    Ok(())
}

/// Entries of the copy that `node` keeps of another's log, and bodies that it lacks of them.
async fn copy(node: &Node, other: &Node) -> anyhow::Result<(u64, u64)> {
    let peer = peer(node, other).await?;
    let of = |key: &str| peer["copy"][key].as_u64().unwrap_or_default();
    Ok((of("size"), of("bodies_wanted")))
}

/// What a node tells of another as its peer.
pub(super) async fn peer(node: &Node, other: &Node) -> anyhow::Result<Value> {
    let ended = node.run("peer", &["why", other.org(), "--format", "json"]).await?.with_code(0)?;
    let line = ended.stdout.lines().next().context("it tells nothing")?;
    Ok(serde_json::from_str(line)?)
}
