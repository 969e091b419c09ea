//! A bench with a barcode reader: lines in, EPCIS events out, a clear answer for each scan.
//!
//! Invariants: every scan is its own event, durable before the operator reads `kept here`; a
//! repeated scan makes no second event; a code whose check digit is wrong makes none at all.

use std::io::BufRead;

use hallmark_schemas::id::DeviceId;
use hallmark_schemas::time::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::batch::{Kept, Taken};
use crate::cli::Output;
use crate::config::source::StdinConfig;
use crate::failure::Failure;
use crate::layout::Layout;
use crate::parse::next_line;

pub mod bench;
pub mod recent;
pub mod workflow;

use bench::{Bench, Step};
use recent::Recent;

/// Reads scans from standard input until it ends, and answers each.
///
/// Returns early, without error, when nobody takes any more.
pub(crate) fn run(
    config: StdinConfig,
    device: DeviceId,
    layout: &Layout,
    out: Output,
    taken: mpsc::Sender<Taken>,
) -> Result<Driven, Failure> {
    let stdin = Stdin::open(&config, &device, layout)?;
    stdin.drive(std::io::stdin().lock(), &taken, &out)
}

/// The bench, and the scans that it remembers.
struct Stdin {
    bench: Bench,
    recent: Recent,
}

/// What became of the scans.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Driven {
    /// Scans that are in the spool now.
    pub(crate) kept: u64,
    /// Repeated scans.
    pub(crate) before: u64,
    /// Scans of which nothing was kept; the operator read why.
    pub(crate) refused: u64,
}

impl std::fmt::Display for Driven {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Driven { kept, before, refused } = self;
        write!(to, "{kept} scans kept here, {before} kept before, {refused} refused")
    }
}

impl Stdin {
    fn open(config: &StdinConfig, device: &DeviceId, layout: &Layout) -> Result<Stdin, Failure> {
        let scans = layout.scans();
        let recent = Recent::open(&scans, config.duplicate_window, now()).map_err(|error| {
            Failure::fault(format!("cannot read {}", scans.display()))
                .because(&error)
                .help("free or repair the disk; without this file repeated scans would count twice")
        })?;
        Ok(Stdin { bench: Bench::new(config, device)?, recent })
    }

    fn drive(
        mut self,
        mut input: impl BufRead,
        taken: &mpsc::Sender<Taken>,
        out: &Output,
    ) -> Result<Driven, Failure> {
        let mut driven = Driven::default();
        loop {
            let line = next_line(&mut input).map_err(|error| {
                Failure::input("cannot read standard input").because(&error).help(
                    "connect the reader again and start the agent: what was kept is in the spool",
                )
            })?;
            let Some(line) = line else { return Ok(driven) };
            if line.trim().is_empty() {
                continue;
            }
            let Some(answer) = self.scan(&line, taken)? else {
                return Ok(driven);
            };
            match answer.word {
                Word::KeptHere => driven.kept += 1,
                Word::KeptBefore => driven.before += 1,
                Word::Refused => driven.refused += 1,
                Word::Mode => {}
            }
            out.item(&answer, &answer.json(&line));
        }
    }

    /// What one line means, once it is durable; `None` when nobody takes any more.
    fn scan(&mut self, line: &str, taken: &mpsc::Sender<Taken>) -> Result<Option<Answer>, Failure> {
        let at = now();
        let told = |word, text, goods| Ok(Some(Answer { word, text, goods }));
        let (epcis, scan, goods) = match self.bench.line(line, at, &random_uuid()?) {
            Step::Mode(text) => return told(Word::Mode, text, None),
            Step::Refused(why) => return told(Word::Refused, why, None),
            Step::Keep { epcis, scan, goods } => (epcis, scan, goods),
        };
        let text = format!("{goods} ({})", self.bench.doing());
        if self.recent.has(&scan, at) {
            return told(Word::KeptBefore, text, Some(goods));
        }
        let (answer, kept) = oneshot::channel();
        if taken.blocking_send(Taken::Event { epcis, answer: Some(answer) }).is_err() {
            return Ok(None);
        }
        let Ok(kept) = kept.blocking_recv() else {
            return Ok(None);
        };
        match kept {
            Kept::Here(_) => {
                self.recent.add(&scan, at).map_err(|error| {
                    Failure::fault("cannot remember the scan")
                        .because(&error)
                        .help("free disk space, then start the agent again: the scan is kept")
                })?;
                told(Word::KeptHere, text, Some(goods))
            }
            Kept::Before => told(Word::KeptBefore, text, Some(goods)),
            Kept::Refused(why) => told(Word::Refused, why, Some(goods)),
        }
    }
}

/// What the operator is told of one scan.
struct Answer {
    word: Word,
    text: String,
    goods: Option<String>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Word {
    KeptHere,
    KeptBefore,
    Refused,
    Mode,
}

impl Word {
    const fn as_str(self) -> &'static str {
        match self {
            Word::KeptHere => "kept here",
            Word::KeptBefore => "kept before",
            Word::Refused => "refused",
            Word::Mode => "mode",
        }
    }
}

impl Answer {
    fn json(&self, line: &str) -> Value {
        let code: String = line.chars().take(200).collect();
        let mut object = json!({ "answer": self.word.as_str(), "text": self.text, "code": code });
        if let Some(goods) = &self.goods {
            object["goods"] = json!(goods);
        }
        object
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{}: {}", self.word.as_str(), self.text)
    }
}

/// The clock of the machine; before 1970 or after 9999 it is as good as none.
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let ms = since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    Timestamp::try_from_unix_ms(ms).unwrap_or(Timestamp::MAX)
}

/// A random UUID (version 4), as a URN.
fn random_uuid() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::fault("the operating system gives no random bytes").note(error)
    })?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::from("urn:uuid:");
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use hallmark_schemas::attestation::ContentId;

    use super::*;
    use crate::cli::Format;

    fn config() -> StdinConfig {
        StdinConfig {
            name: "bench".to_owned(),
            mode: Some("commission".to_owned()),
            control_prefix: "mode:".to_owned(),
            read_point: "https://id.gs1.org/414/9506000134352".to_owned(),
            biz_location: None,
            utc_offset_min: 480,
            duplicate_window: Duration::from_secs(600),
        }
    }

    /// Drives lines through a bench whose events a thread keeps.
    fn drive(dir: &Path, lines: &str) -> (Driven, Vec<String>) {
        let device = "urn:hallmark:device:lei:529900T8BM49AURSDO55:b-1".parse().unwrap();
        let stdin = Stdin::open(&config(), &device, &Layout::new(dir)).unwrap();
        let (sender, mut receiver) = mpsc::channel(4);
        let keeper = std::thread::spawn(move || {
            let mut events = Vec::new();
            while let Some(taken) = receiver.blocking_recv() {
                if let Taken::Event { epcis, answer } = taken {
                    let id = ContentId::of(epcis.as_bytes());
                    answer.unwrap().send(Kept::Here(id)).unwrap();
                    events.push(epcis);
                }
            }
            events
        });
        let out = Output { format: Format::Json };
        let driven = stdin.drive(lines.as_bytes(), &sender, &out).unwrap();
        drop(sender);
        (driven, keeper.join().unwrap())
    }

    #[test]
    fn two_scans_a_repetition_and_a_wrong_check_digit_make_two_events() {
        let dir = tempfile::tempdir().unwrap();
        let a = "(01)09506000134352(21)A";
        let b = "]Q3010950600013435221B";
        let c = "(01)09506000134353(21)C";
        let (driven, events) = drive(dir.path(), &format!("{a}\n{b}\n\n{b}\r\n{c}\n"));
        assert_eq!(driven, Driven { kept: 2, before: 1, refused: 1 });
        assert_eq!(events.len(), 2);
        // A new start remembers what was kept.
        let (driven, events) = drive(dir.path(), &format!("{a}\n"));
        assert_eq!(driven, Driven { kept: 0, before: 1, refused: 0 });
        assert!(events.is_empty());
    }
}
