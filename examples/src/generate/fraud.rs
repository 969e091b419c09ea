//! The three frauds, committed in the open.
//!
//! Each function changes honest data in the one way it names and returns what a reader, and the
//! demo's check, need to know: the rule that must find it and where.

use super::meter::{Series, WEEK};
use super::report::Report;
use super::scans::Bench;

/// One fraud and the finding that it must lead to.
#[derive(Clone, Debug)]
pub struct Fraud {
    /// The rule that finds it.
    pub code: &'static str,
    /// What was done, in a sentence.
    pub told: String,
    /// A part of the finding's subject.
    pub subject: String,
}

/// Writes the second week over the fourth: a quiet week hides a busy one.
pub fn overwrite_week(series: &mut Series) -> Fraud {
    let earlier = series.amounts[WEEK..2 * WEEK].to_vec();
    series.amounts[3 * WEEK..4 * WEEK].copy_from_slice(&earlier);
    Fraud {
        code: "MTR-005",
        told: "the meter's fourth week is overwritten with its second".to_owned(),
        subject: "meter-1".to_owned(),
    }
}

/// Reports 18 % less electricity than the meter counted.
pub fn understate(report: &mut Report) -> Fraud {
    report.activity_wh = report.activity_wh / 100 * 82;
    Fraud {
        code: "ACT-003",
        told: "the emissions report states 18 % less electricity than the meter counted".to_owned(),
        subject: "works-1".to_owned(),
    }
}

/// Picks the serial that a shop far away sells while it still stands on the bench.
pub fn clone_serial(bench: &Bench) -> Fraud {
    let item = bench.cloned();
    Fraud {
        code: "TRC-005",
        told: format!("a shop in Ürümqi sells a copy of {item} while it is packed in Shanghai"),
        subject: item,
    }
}
