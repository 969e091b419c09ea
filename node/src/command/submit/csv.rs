//! CSV with --kind readings: samples of an instrument without a key, as batches signed by the
//! node's capture device.
//!
//! Invariants: header = column names of `meter_readings` in any order; an error names its line; the
//! batches continue the chain of the capture device, kept in DIR/outbox/chain.json.

use std::path::Path;

use hallmark_schemas::audience::Audience;
use hallmark_schemas::id::Subject;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::readings::{ClockQuality, Readings, Sample};
use hallmark_schemas::layout::Dir;
use hallmark_schemas::quantity::Quantity;
use hallmark_schemas::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::command::init::capture_id;
use crate::config::Config;
use crate::sign::{Defaults, Statement, StatementError};

/// Samples of one batch: a day of quarter hours would be 96.
const SAMPLES_OF_BATCH: usize = 1000;

/// The last batch number of the capture device that was used.
#[derive(Default, Deserialize, Serialize)]
struct Chain {
    sequence: u64,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    device: Option<String>,
    quantity: Quantity,
    unit: String,
    read_at: String,
    interval_s: u32,
    amount: i64,
    #[serde(default)]
    register: Option<i64>,
    #[serde(default)]
    quality: Option<String>,
}

/// The statements of one file.
pub(super) fn readings(
    bytes: &[u8],
    config: &Config,
    defaults: &Defaults,
    dir: &Path,
) -> Result<Vec<Statement>, StatementError> {
    let device = capture_id(&config.org);
    let path = Dir::new(dir).outbox().join("chain.json");
    let mut chain: Chain =
        serde_json::from_slice(&std::fs::read(&path).unwrap_or_default()).unwrap_or_default();
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let mut batches: Vec<Readings> = Vec::new();
    for row in reader.deserialize() {
        let row: Row = row.map_err(|e| StatementError::Row {
            line: e.position().map_or(0, csv::Position::line),
            reason: e.to_string(),
        })?;
        let line = batches.iter().map(|batch| batch.samples.len() as u64).sum::<u64>() + 2;
        let wrong = |reason: String| StatementError::Row { line, reason };
        if row.device.as_deref().is_some_and(|named| named != device.as_str()) {
            return Err(wrong(format!(
                "the node signs for its own device {device} only; a meter with a key of its own \
                 is replayed by `hallmark-agent replay`"
            )));
        }
        let read_at = Timestamp::parse(&row.read_at).map_err(|e| wrong(e.to_string()))?;
        let (amount, register, quality) = (row.amount, row.register, row.quality);
        let sample =
            Sample { read_at, amount, register, quality, source_amount: None, source_unit: None };
        match batches.last_mut() {
            Some(batch)
                if batch.quantity == row.quantity
                    && batch.unit == row.unit
                    && batch.interval_s == row.interval_s
                    && batch.samples.len() < SAMPLES_OF_BATCH =>
            {
                batch.samples.push(sample);
            }
            _ => {
                chain.sequence += 1;
                batches.push(Readings {
                    boot: 0,
                    sequence: chain.sequence,
                    previous: None,
                    quantity: row.quantity,
                    unit: row.unit,
                    scale_e10: None,
                    statistic: None,
                    interval_s: row.interval_s,
                    clock_quality: ClockQuality::Unsynchronised,
                    resolution: None,
                    config_hash: None,
                    samples: vec![sample],
                });
            }
        }
    }
    let failed = |e: std::io::Error| StatementError::Row { line: 0, reason: e.to_string() };
    std::fs::create_dir_all(Dir::new(dir).outbox()).map_err(failed)?;
    let text = serde_json::to_vec(&chain).expect("a number is JSON");
    crate::files::write_durably(&path, &text).map_err(failed)?;
    let aud = defaults.aud.clone().unwrap_or(Audience::Members);
    let sub = Subject::Device(device);
    let statement = |batch| Statement::of(Body::Readings(batch), sub.clone(), aud.clone());
    Ok(batches.into_iter().map(statement).collect())
}
