//! From a record at one node to the finding about it at another.

use std::time::Instant;

use anyhow::Context;
use hallmark_examples::world::node::Node;
use hallmark_examples::world::{http, until};

use crate::support::{Network, WAIT_MAX, median, record};

/// Prints the median time over so many serials that are made twice.
pub(crate) async fn measure(rounds: u64) -> anyhow::Result<()> {
    let network = Network::found().await?;
    let plant = network.running(2).await?;
    let mut times = Vec::new();
    for round in 0..rounds {
        let item = format!("https://id.gs1.org/01/09506000134352/21/B{round}");
        for (hour, day) in [(8, 1), (9, 3)] {
            let file = network.root.path().join(format!("event-{round}-{day}.json"));
            let event = serde_json::json!({
                "type": "ObjectEvent", "action": "ADD", "bizStep": "commissioning",
                "eventTime": format!("2026-03-0{day}T0{hour}:00:00.000+08:00"),
                "eventTimeZoneOffset": "+08:00", "epcList": [item],
                "readPoint": {"id": "https://id.gs1.org/414/9506000134352"},
            });
            std::fs::write(&file, event.to_string())?;
            record(&plant, &file).await?;
        }
        let began = Instant::now();
        found(&network.registrar, &item).await?;
        times.push(began.elapsed());
    }
    println!(
        "finding: from the receipt at one node to the finding at another {:.2} s, median of \
         {rounds}",
        median(times).as_secs_f64()
    );
    Ok(())
}

/// Waits until a node's findings name the item.
async fn found(node: &Node, item: &str) -> anyhow::Result<()> {
    let ran = node.run("token", &["--scope", "read", "--purpose", "bench"]).await?.with_code(0)?;
    let token = format!("Bearer {}", ran.stdout.lines().last().context("no token")?.trim());
    let url = format!("{}/v1/findings", node.url().trim_end_matches('/'));
    until("the finding", WAIT_MAX, || async {
        let answer = http::send("GET", &url, &[("authorization", &token)], b"").await?;
        let json = answer.json();
        let findings = json["findings"].as_array().cloned().unwrap_or_default();
        let is_it = |finding: &serde_json::Value| {
            finding["code"] == "TRC-001" && finding["subject"] == item
        };
        Ok(findings.iter().any(is_it).then_some(()))
    })
    .await
}
