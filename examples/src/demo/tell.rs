//! The demo's narration: plain lines on stdout.

use std::io::{IsTerminal, Write};
use std::time::Instant;

use serde_json::Value;

/// Evidence ids of one finding that are printed; the page has them all.
const EVIDENCE_MAX: usize = 3;

/// Tells the story step by step.
#[derive(Debug)]
pub(super) struct Teller {
    began: Instant,
    step: usize,
}

impl Default for Teller {
    fn default() -> Teller {
        Teller { began: Instant::now(), step: 0 }
    }
}

impl Teller {
    /// Begins the next step.
    pub(super) fn step(&mut self, title: &str) {
        self.step += 1;
        let s = self.began.elapsed().as_secs();
        line(&format!("\n{}. {title}   [{s} s]", self.step));
    }

    /// One thing that happened.
    pub(super) fn say(&self, text: &str) {
        line(&format!("   {text}"));
    }

    /// Something drawn in white on black, whatever the terminal's colours are.
    pub(super) fn drawing(&self, lines: &[String]) {
        let is_terminal = std::io::stdout().is_terminal();
        for drawn in lines {
            // Without a terminal the characters alone are the data.
            let (begin, end) = if is_terminal { ("\x1b[97;40m", "\x1b[0m") } else { ("", "") };
            line(&format!("   {begin}{drawn}{end}"));
        }
    }

    /// One finding with its evidence.
    pub(super) fn finding(&self, finding: &Value) {
        let text = |key: &str| finding[key].as_str().unwrap_or_default();
        line(&format!("\n   {:<8} {}  {}", text("severity"), text("code"), text("title")));
        line(&format!("     {}", text("message_en")));
        let evidence = finding["evidence"].as_array().map_or(&[][..], Vec::as_slice);
        let count = finding["evidence_count"].as_u64().unwrap_or_default();
        for id in evidence.iter().take(EVIDENCE_MAX).filter_map(Value::as_str) {
            line(&format!("     evidence {id}"));
        }
        let shown = evidence.len().min(EVIDENCE_MAX) as u64;
        if shown < count {
            line(&format!("     and {} more", count - shown));
        }
        line(&format!("     answer   {}", text("answer")));
    }
}

/// A closed pipe ends nothing: whoever reads has read enough.
fn line(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}
