//! The demo's data, made from one seed: what a small works sends in a month, and three frauds.
//!
//! Invariants: the same seed gives the same bytes; everything is honest until a function of
//! [`fraud`] changes it, and each of those says what it changed; all organisations, places' owners
//! and codes are made up (GS1 prefix 952 is reserved for examples).
//!
//! | file | what | made by |
//! |---|---|---|
//! | `meter.csv` | four weeks of quarter hours of the works' electricity meter | [`meter`] |
//! | `scans.txt` | one day at the packing bench, as a barcode reader types it | [`scans`] |
//! | `journey.json` | an earlier carton on its way to a shop, as an EPCIS 2.0 document | [`goods`] |
//! | `facilities.json` | works and shop with their positions, as attestations to submit | [`goods`] |
//! | `product.json` | the flask, its lot and its footprint, as attestations to submit | [`product`] |
//! | `report.json` | the works' emissions report for the four weeks | [`report`] |

pub mod fraud;
pub mod goods;
pub mod meter;
pub mod product;
pub mod report;
pub mod scans;

use std::path::Path;

use hallmark_schemas::id::{FacilityId, OrgId};

use crate::random::Random;

/// The seed of `cargo demo`.
pub const SEED: u64 = 20_260_302;

/// The producer of the story.
pub const PRODUCER: &str = "urn:hallmark:org:uscc:91310000DEM0QHE01M";
/// Who verifies its emissions and certifies its goods.
pub const VERIFIER: &str = "urn:hallmark:org:uscc:91110000DEM0BCH01G";

/// The meter of the story.
pub fn meter_device() -> String {
    format!("{}:meter-1", PRODUCER.replacen(":org:", ":device:", 1))
}

/// All data of one seed, frauds committed.
#[derive(Clone, Debug)]
pub struct Data {
    /// The producer's works.
    pub facility: FacilityId,
    /// What the meter read.
    pub meter: meter::Series,
    /// What the packing bench scans.
    pub bench: scans::Bench,
    /// The report on the meter's four weeks.
    pub report: report::Report,
    /// What was done to them.
    pub frauds: Vec<fraud::Fraud>,
}

/// Makes everything and commits the three frauds.
pub fn all(seed: u64) -> Data {
    let producer: OrgId = PRODUCER.parse().expect("a valid example organisation");
    let facility = FacilityId::new(&producer, "works-1").expect("a valid local name");
    let mut random = Random::new(seed);
    let mut meter = meter::Series::honest(&mut random, meter::WEEKS);
    let bench = scans::Bench::honest(&mut random);
    let mut report = report::Report::honest(&facility, &meter);
    let frauds = vec![
        fraud::overwrite_week(&mut meter),
        fraud::understate(&mut report),
        fraud::clone_serial(&bench),
    ];
    Data { facility, meter, bench, report, frauds }
}

impl Data {
    /// Puts the serials of printed labels, one for each flask, in place of the generated ones.
    pub fn relabel(&mut self, serials: &[String]) {
        self.bench.relabel(serials);
        self.frauds.retain(|fraud| fraud.code != "TRC-005");
        self.frauds.push(fraud::clone_serial(&self.bench));
    }

    /// Writes the files of the table above into `folder`.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let meter = self.meter.to_csv(&meter_device(), self.facility.as_str());
        std::fs::write(folder.join("meter.csv"), meter)?;
        std::fs::write(folder.join("scans.txt"), self.bench.lines().join("\n") + "\n")?;
        std::fs::write(folder.join("journey.json"), goods::journey(&self.bench))?;
        std::fs::write(folder.join("facilities.json"), goods::facilities(&self.facility))?;
        std::fs::write(folder.join("product.json"), product::description())?;
        std::fs::write(folder.join("report.json"), self.report.to_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_files_and_another_seed_others() {
        let csv = |seed| all(seed).meter.to_csv("d", "f");
        assert_eq!(csv(SEED), csv(SEED));
        assert_ne!(csv(SEED), csv(SEED + 1));
        assert_eq!(all(SEED).bench.lines(), all(SEED).bench.lines());
    }

    #[test]
    fn printed_labels_replace_every_generated_serial() {
        let mut data = all(SEED);
        let before = data.bench.clone();
        let printed: Vec<_> = (0..before.labels()).map(|n| format!("PRINTED{n:02}")).collect();
        data.relabel(&printed);
        let text = data.bench.lines().join("\n") + &goods::journey(&data.bench);
        for serial in before.serials() {
            assert!(!text.contains(serial), "{serial}");
        }
        for serial in &printed {
            assert!(text.contains(serial), "{serial}");
        }
        let told = &data.frauds.last().expect("three frauds").subject;
        assert_eq!((told, data.frauds.len()), (&data.bench.cloned(), 3));
        assert!(told.contains("PRINTED"));
    }

    #[test]
    fn every_fraud_of_the_story_is_committed_once() {
        let codes: Vec<_> = all(SEED).frauds.iter().map(|fraud| fraud.code).collect();
        assert_eq!(codes, ["MTR-005", "ACT-003", "TRC-005"]);
    }
}
