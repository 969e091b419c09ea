//! How soon two histories of one log are proved, where they were gossiped and elsewhere.

use std::time::Instant;

use anyhow::Context;
use hallmark_examples::world::node::Node;
use hallmark_examples::world::{http, until};
use hallmark_schemas::layout::peer_name;
use hallmark_tests::liar::{false_checkpoint, nothing};

use crate::support::{NETWORK, Network, WAIT_MAX, median};

/// Prints both times, the median of so many forks.
pub(crate) async fn measure(rounds: u64) -> anyhow::Result<()> {
    let network = Network::found().await?;
    let auditor = network.running(2).await?;
    let [mut here, mut elsewhere] = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        let mut plant = network.running(3 + round).await?;
        let slug = plant.org().trim_start_matches("urn:hallmark:org:").replace(':', "-");
        let origin = format!("{NETWORK}/{slug}/1");
        let size = followed(&network.registrar, &auditor, &origin).await?;
        plant.stop().await?;
        let liar = network.liar(&plant, nothing()).await?;
        let began = Instant::now();
        let keys = plant.dir().join("keys");
        liar.publish("checkpoints", false_checkpoint(&keys, &origin, size, 1));
        proved(&network.registrar, &plant).await?;
        here.push(began.elapsed());
        proved(&auditor, &plant).await?;
        elsewhere.push(began.elapsed());
    }
    println!(
        "fork: gossiped to one member and proved there after {:.2} s, at another after {:.2} s, \
         medians of {rounds}",
        median(here).as_secs_f64(),
        median(elsewhere).as_secs_f64()
    );
    Ok(())
}

/// Waits until both hold the same copy of a log; its size.
async fn followed(one: &Node, other: &Node, origin: &str) -> anyhow::Result<u64> {
    let path = format!("peers/{}/checkpoint", peer_name(origin));
    let newest = async |node: &Node| {
        let answer = http::get(&format!("{}/{path}", node.url().trim_end_matches('/'))).await?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let stated = text.lines().take(3).map(str::to_owned).collect::<Vec<_>>();
        Ok::<_, anyhow::Error>((answer.status == 200).then_some(stated))
    };
    let stated = until("two copies", WAIT_MAX, || async {
        let (ours, theirs) = (newest(one).await?, newest(other).await?);
        Ok(ours.filter(|ours| Some(ours) == theirs.as_ref()))
    })
    .await?;
    stated.get(1).and_then(|size| size.parse().ok()).context("no size")
}

async fn proved(node: &Node, accused: &Node) -> anyhow::Result<()> {
    until("the proof of two histories", WAIT_MAX, || async {
        let why = node.run("peer", &["why", accused.org()]).await?.stdout;
        Ok(why.contains("signed two histories").then_some(()))
    })
    .await
}
