//! How far a long command is, on a terminal.
//!
//! Invariant: off a terminal nothing is drawn.

use indicatif::{ProgressBar, ProgressStyle};

use crate::restore::Phase;

/// One bar for each phase, one after another.
pub(crate) struct Bars {
    phase: Option<Phase>,
    bar: ProgressBar,
}

impl Bars {
    /// Nothing yet.
    pub(crate) fn new() -> Bars {
        Bars { phase: None, bar: ProgressBar::hidden() }
    }

    /// So many of so many are done.
    pub(crate) fn tell(&mut self, phase: Phase, done: u64, of: u64) {
        if self.phase != Some(phase) {
            self.bar.finish_and_clear();
            self.phase = Some(phase);
            let name = match phase {
                Phase::Entries => "entries",
                Phase::Tiles => "tiles",
                Phase::Bodies => "bodies",
                Phase::Index => "index",
            };
            self.bar = ProgressBar::new(of).with_message(name).with_style(style());
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

fn style() -> ProgressStyle {
    let line = "{msg:8} {wide_bar} {human_pos} of {human_len}, {per_sec}, {eta} left";
    ProgressStyle::with_template(line).unwrap_or_else(|_| ProgressStyle::default_bar())
}

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
