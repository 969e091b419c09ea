//! The flask before it is made: described, certified, and given labels.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};

use super::tell::Teller;
use super::{Stage, now};
use crate::generate::{goods, product};
use crate::world::node::Node;

/// What the maker, the certifier and the accreditor say, each on its own node.
pub(super) async fn describe(stage: &Stage, teller: &Teller) -> anyhow::Result<()> {
    let period = product::around(now()?).context("the clock is at an end of time")?;
    let file = |name: &str| stage.input.folder.join(name);
    std::fs::write(file("certificate.json"), product::certificate(period))?;
    std::fs::write(file("accreditation.json"), product::accreditation(period))?;
    for (node, name, told) in [
        (&stage.producer, "product.json", "describes flask and lot, and states a footprint"),
        (&stage.verifier, "certificate.json", "certifies the flask"),
        (&stage.registrar, "accreditation.json", "accredits the certifier"),
    ] {
        record(node, &file(name).to_string_lossy()).await?;
        teller.say(&format!("{} {told}", node.name()));
    }
    Ok(())
}

async fn record(node: &Node, file: &str) -> anyhow::Result<()> {
    node.run("submit", &[file, "--receipt"]).await?.with_code(0)?;
    Ok(())
}

/// The printed labels: where the code of each serial leads.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    links: BTreeMap<String, String>,
}

impl Labels {
    /// Has the producer's node make a label for each flask; the flasks carry them from now on.
    pub(super) async fn print(stage: &mut Stage, teller: &Teller) -> anyhow::Result<Labels> {
        let path = stage.folder.join("labels.csv");
        let count = stage.input.data.bench.labels();
        let args = [
            goods::gtin(),
            format!("--count={count}"),
            format!("--lot={}", product::LOT),
            format!("--order={}", product::ORDER),
            format!("--host={}", stage.producer.url()),
            format!("--output={}", path.display()),
        ];
        stage.producer.run("label", &args).await?.with_code(0)?;
        let mut rows = csv::Reader::from_path(&path)?;
        let mut serials = Vec::new();
        let mut links = BTreeMap::new();
        for row in rows.deserialize() {
            let row: BTreeMap<String, String> = row?;
            let cell = |name: &str| row.get(name).cloned().context("labels.csv lacks a column");
            serials.push(cell("serial")?);
            links.insert(cell("serial")?, cell("digital_link")?);
        }
        ensure!(links.len() == count, "{} labels instead of {count}", links.len());
        stage.input.relabel(&serials)?;
        teller.say(&format!("{count} labels whose serials nobody can guess: {}", path.display()));
        Ok(Labels { links })
    }

    /// Where the code of a flask leads.
    pub(super) fn link(&self, serial: &str) -> anyhow::Result<&str> {
        self.links.get(serial).map(String::as_str).with_context(|| format!("no label of {serial}"))
    }
}
