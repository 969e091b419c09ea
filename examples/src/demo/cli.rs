//! The command line of the demo.

use std::path::PathBuf;

use clap::Parser;

/// Five organisations, two devices, four frauds: watch Hallmark find them, and scan a code.
///
/// Founds a network of a registrar, a producer, an inspector, an emission verifier and a registry
/// on this machine, connected over libp2p; lets a scanner and a meter work; cuts one node off and
/// lets it catch up; commits four frauds in the open, one of them a forked log, and shows what is
/// found, with the evidence; then reads the passports of an honest item, a copied one, an invented one and one
/// whose record was changed on disk. Everything happens in a temporary folder and on loopback.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo demo", bin_name = "cargo demo", max_term_width = 100)]
#[command(after_help = "Examples:
  cargo demo
  cargo demo --once
  cargo demo --meter my-meter.csv --events my-events.json
  cargo demo --data target/example     writes the generated files and ends

Exit codes: 0 exactly what was expected was found and read · 1 something is missing or unexpected ·
2 command line · 3 input malformed · 70 our own fault")]
pub struct Options {
    /// End after the findings instead of staying up until Ctrl-C.
    #[arg(long)]
    pub once: bool,
    /// Use these readings instead of the generated meter: columns `read_at` (or `period_end`) and
    /// `amount` in Wh (or `usage_kwh`), or in the unit that a column `unit` names.
    #[arg(long, value_name = "FILE.csv")]
    pub meter: Option<PathBuf>,
    /// Submit this EPCIS 2.0 document instead of the generated journey.
    #[arg(long, value_name = "FILE.json")]
    pub events: Option<PathBuf>,
    /// Seed of the generated data.
    #[arg(long, default_value_t = crate::generate::SEED)]
    pub seed: u64,
    /// Write the generated files into this folder and end.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Work in this folder, which must be new, and keep it.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}
