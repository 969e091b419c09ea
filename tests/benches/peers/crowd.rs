//! The memory of a node with many peers that are connected and gossip.

use std::time::Duration;

use anyhow::Context;
use hallmark_examples::world::until;
use hallmark_tests::liar::nothing;

use crate::support::{Network, WAIT_MAX};

/// How long the crowd stays before it is weighed.
const SETTLED: Duration = Duration::from_secs(10);

/// Prints the memory before anyone came, and with all of them.
pub(crate) async fn measure(count: u64) -> anyhow::Result<()> {
    let mut network = Network::found().await?;
    let pid =
        network.registrar.process().and_then(|process| process.pid()).context("no process")?;
    let alone = resident_mib(pid)?;
    let mut members = Vec::new();
    for number in 0..count {
        members.push(network.member(2 + number).await?);
    }
    let admitted = resident_mib(pid)?;
    let mut liars = Vec::new();
    for member in &members {
        liars.push(network.liar(member, nothing()).await?);
    }
    let all = format!("{count} connections");
    until(&all, WAIT_MAX, || async {
        let listed = network.registrar.run("peer", &["list"]).await?.with_code(0)?.stdout;
        let here = listed.lines().filter(|line| line.trim_start().starts_with("connected"));
        Ok((here.count() as u64 == count).then_some(()))
    })
    .await?;
    tokio::time::sleep(SETTLED).await;
    let crowded = resident_mib(pid)?;
    println!(
        "crowd: {alone:.1} MiB alone, {admitted:.1} MiB once {count} members were admitted, \
         {crowded:.1} MiB with all of them connected: {:.2} MiB for each connection",
        (crowded - admitted) / count as f64
    );
    Ok(())
}

/// Resident memory of a process.
fn resident_mib(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}
