//! Counts that outlive a start, for `status`: DIR/tally.json.
//!
//! Invariant: nothing depends on it. It is written without a sync, and a count is lost with power;
//! what was taken and what was refused lies in the spool.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::layout::Layout;
use crate::publish::Tally;

/// Shortest time between two writes while entries are on their way.
const PERIOD: Duration = Duration::from_millis(200);

/// What a device has done over all its starts.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Totals {
    /// Attestations spooled.
    pub taken: u64,
    /// Attestations that left the spool on a receipt.
    pub recorded: u64,
    /// Attestations that a node refused.
    pub refused: u64,
    /// Whether the broker was there when this was written.
    pub connected: bool,
}

impl Totals {
    /// What was written last; zeros where nothing was, or where it cannot be read.
    pub fn read(layout: &Layout) -> Totals {
        let text = fs::read_to_string(layout.tally()).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }
}

/// Keeps the file up to date during one start.
pub(crate) struct Board {
    path: PathBuf,
    before: Totals,
    shown: Option<(Totals, Instant)>,
}

impl Board {
    /// Goes on from what was written last.
    pub(crate) fn open(layout: &Layout) -> Board {
        Board { path: layout.tally(), before: Totals::read(layout), shown: None }
    }

    /// Writes the totals if they changed; not more often than they can be read.
    pub(crate) fn show(&mut self, tally: &Tally) {
        let totals = Totals {
            taken: self.before.taken + tally.taken,
            recorded: self.before.recorded + tally.acknowledged,
            refused: self.before.refused + tally.refused,
            connected: tally.connected,
        };
        let is_due = self.shown.is_none_or(|(shown, at)| {
            shown != totals && (tally.pending == 0 || PERIOD <= at.elapsed())
        });
        if is_due && self.write(&totals).is_ok() {
            self.shown = Some((totals, Instant::now()));
        }
    }

    fn write(&self, totals: &Totals) -> std::io::Result<()> {
        let new = self.path.with_extension("new");
        fs::write(&new, serde_json::to_string(totals)?)?;
        fs::rename(&new, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_grow_over_starts_and_a_damaged_file_counts_from_zero() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let tally = Tally { taken: 3, acknowledged: 2, ..Tally::default() };
        Board::open(&layout).show(&tally);
        Board::open(&layout).show(&tally);
        assert_eq!((Totals::read(&layout).taken, Totals::read(&layout).recorded), (6, 4));
        fs::write(layout.tally(), "{").unwrap();
        assert_eq!(Totals::read(&layout), Totals::default());
    }
}
