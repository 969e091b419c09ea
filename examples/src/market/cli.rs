//! Arguments of `market`, and what it does.

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;

use super::score::{Truth, score};

/// Makes the records of a market with known frauds, or says how many of these a report found.
#[derive(Debug, Parser)]
#[command(name = "market")]
#[command(after_help = "Example:
  cargo run --release -p hallmark-examples --bin market -- market --seed 7
  hallmark-verify check $(for f in market/*.csv; do n=$(basename $f .csv); [ $n = truth ] || \\
      echo --table $n=$f; done) --at 2026-05-01T00:00:00Z --report json -o market/report.json
  cargo run --release -p hallmark-examples --bin market -- market --score market/report.json")]
pub struct Options {
    /// The folder of the tables.
    pub folder: PathBuf,
    /// The seed.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// About so many items.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1_800..=1_000_000))]
    pub items: u64,
    /// A JSON report of `hallmark-verify check` on the tables: prints what it found of the truth.
    #[arg(long, value_name = "FILE")]
    pub score: Option<PathBuf>,
}

/// Does what the arguments say.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let Some(report) = &options.score else {
        let market = super::make(options.seed, options.items);
        market.write(&options.folder).context("the tables cannot be written")?;
        let count = market.incidents.len();
        println!(
            "{} items, {count} incidents of fraud: {}",
            market.items,
            options.folder.display()
        );
        return Ok(());
    };
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let truth = Truth::parse(&read(&options.folder.join("truth.csv"))?)?;
    let report = serde_json::from_str(&read(report)?).context("the report is no JSON")?;
    print!("{}", score(&truth, &report).to_markdown());
    Ok(())
}
