//! How far a long command is, on a terminal.
//!
//! Invariant: off a terminal nothing is drawn.

use hallmark_verifier::watch::Stage;
use indicatif::{ProgressBar, ProgressStyle};

use crate::restore::Phase;

/// One bar for each phase, one after another.
pub(crate) struct Bars {
    phase: Option<&'static str>,
    bar: ProgressBar,
}

impl Bars {
    /// Nothing yet.
    pub(crate) fn new() -> Bars {
        Bars { phase: None, bar: ProgressBar::hidden() }
    }

    /// So many of so many are done.
    pub(crate) fn tell(&mut self, phase: Phase, done: u64, of: u64) {
        let name = match phase {
            Phase::Entries => "entries",
            Phase::Tiles => "tiles",
            Phase::Bodies => "bodies",
            Phase::Index => "index",
        };
        self.draw(name, ROWS, done, of);
    }

    /// The same of a check.
    pub(crate) fn look(&mut self, stage: Stage, done: u64, of: u64) {
        let (name, line) = match stage {
            Stage::Tiles => ("tiles", ROWS),
            Stage::Packs => ("packs", BYTES),
            Stage::Bodies => ("bodies", ROWS),
            Stage::Signatures => ("signatures", ROWS),
        };
        self.draw(name, line, done, of);
    }

    fn draw(&mut self, name: &'static str, line: &str, done: u64, of: u64) {
        if self.phase != Some(name) {
            self.bar.finish_and_clear();
            self.phase = Some(name);
            let style = ProgressStyle::with_template(line);
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            self.bar = ProgressBar::new(of).with_message(name).with_style(style);
        }
        self.bar.set_length(of);
        self.bar.set_position(done);
    }

    /// All is done.
    pub(crate) fn end(&mut self) {
        self.bar.finish_and_clear();
        self.phase = None;
    }
}

const ROWS: &str = "{msg:10} {wide_bar} {human_pos} of {human_len}, {per_sec}, {eta} left";
const BYTES: &str = "{msg:10} {wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";

/// Bytes for people.
pub(crate) fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}

/// "1 entry", "2 entries".
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    }
}
