//! A market with known truth: what honest members of a supply chain record in 90 days, and frauds.
//!
//! The model, all of it drawn from one seed:
//!
//! - 5 producers with 2 products each, 2 contract makers, 3 distributors, 20 shops, a certifier, an
//!   inspection body; one shop lies abroad. A lot of each product a day, so many items that it comes to
//!   the number asked for; a third of the lots of two producers is made by contract makers, under label
//!   orders of the producer that they cite.
//! - Items are made, packed into cases of 20, these onto pallets; pallets go to a distributor, cases to
//!   shops, items over the counter. Half a percent is taken out of its case again and packed into
//!   another, one in a hundred sold items comes back, half of these are sold again; two in a thousand
//!   are destroyed.
//! - 2 % of all reads are missed, item by item and event by event. Each place has a clock of its own,
//!   up to two minutes off. One event in twenty waits up to nine days in a spool before it is recorded.
//! - One producer presses oil: inputs and outputs by weight, each weighed with 0.2 % error.
//!
//! Frauds are committed afterwards ([`fraud`]), each told with what it did. Invariants: the same seed
//! and size give the same bytes; what is not in the truth is honest; all organisations are made up (GS1
//! prefix 952 is reserved for examples).

pub mod cli;
pub mod flow;
pub mod fraud;
pub mod place;
pub mod record;
pub mod score;

use std::path::Path;

use crate::random::Random;
use record::Records;

/// The first instant: 1 January 2026 in UTC.
pub const START_MS: u64 = 1_767_225_600_000;
/// Days of the market.
pub const DAYS: u64 = 90;
/// A day.
pub const DAY_MS: u64 = 86_400_000;
/// An hour.
pub const HOUR_MS: u64 = 3_600_000;
/// A minute.
pub const MINUTE_MS: u64 = 60_000;

/// One thing that was done, and what would find it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Incident {
    /// Which fraud.
    pub fraud: &'static str,
    /// Rules that look for it.
    pub codes: &'static [&'static str],
    /// The subject of a finding of it.
    pub subject: String,
    /// What the anchor of a finding holds, where the subject has several.
    pub anchor: String,
}

/// All records, and what was done to them.
#[derive(Clone, Debug)]
pub struct Market {
    /// Items that were made.
    pub items: u64,
    /// Table by table, as CSV.
    pub records: Records,
    /// The truth.
    pub incidents: Vec<Incident>,
}

/// Makes the market of a seed with about so many items, and commits the frauds.
pub fn make(seed: u64, items: u64) -> Market {
    let mut random = Random::new(seed);
    let mut records = Records::new();
    let sold = flow::honest(&mut random, &mut records, items);
    let incidents = fraud::commit(&mut random, &mut records, &sold);
    Market { items: sold.made, records, incidents }
}

impl Market {
    /// Writes `<table>.csv` for each table, and `truth.csv`.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        for (name, text) in self.records.tables() {
            std::fs::write(folder.join(format!("{name}.csv")), text)?;
        }
        let mut truth = format!("fraud,codes,subject,anchor\nitems,,{},\n", self.items);
        for Incident { fraud, codes, subject, anchor } in &self.incidents {
            truth.push_str(&format!("{fraud},{},{subject},{anchor}\n", codes.join(" ")));
        }
        std::fs::write(folder.join("truth.csv"), truth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_market_and_every_fraud_is_there() {
        let market = make(7, 3_000);
        assert_eq!(make(7, 3_000).records, market.records);
        assert_ne!(make(8, 3_000).records, market.records);
        assert!((2_700..=3_300).contains(&market.items), "{}", market.items);
        for fraud in fraud::ALL {
            let count = market.incidents.iter().filter(|one| one.fraud == fraud).count();
            assert!(0 < count, "{fraud}");
        }
    }
}
