//! Scans of the last minutes, so that one pulled twice makes one event.
//!
//! Invariants: only what is durable in the spool is remembered; the file is a help, not evidence:
//! a line that is lost lets a repetition through, a line that is damaged is skipped.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::time::Timestamp;

/// Most scans that are remembered: 262,144 * 80 bytes is 20 MiB.
const SCANS_MAX: usize = 262_144;

/// The scans of one window of time.
pub struct Recent {
    window_ms: i64,
    /// When a scan was kept, by its digest.
    kept_at: HashMap<ContentId, Timestamp>,
    file: File,
}

impl Recent {
    /// Reads the file, and writes it anew without what is too old.
    pub fn open(path: &Path, window: Duration, now: Timestamp) -> io::Result<Recent> {
        let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => String::new(),
            Err(error) => return Err(error),
        };
        let mut kept_at = HashMap::new();
        for line in text.lines() {
            let Some((ms, id)) = line.split_once(' ') else {
                continue;
            };
            let at = ms.parse().ok().and_then(Timestamp::try_from_unix_ms);
            if let (Some(at), Ok(id)) = (at, id.parse::<ContentId>())
                && is_within(at, now, window_ms)
            {
                kept_at.insert(id, at);
            }
        }
        let fresh = path.with_extension("new");
        let mut file = File::create(&fresh)?;
        for (id, at) in &kept_at {
            writeln!(file, "{} {id}", at.unix_ms())?;
        }
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Recent { window_ms, kept_at, file })
    }

    /// Whether the scan was kept within the window before `now`.
    pub fn has(&self, scan: &str, now: Timestamp) -> bool {
        let kept_at = self.kept_at.get(&ContentId::of(scan.as_bytes()));
        kept_at.is_some_and(|at| is_within(*at, now, self.window_ms))
    }

    /// Remembers a scan that is durable.
    pub fn add(&mut self, scan: &str, now: Timestamp) -> io::Result<()> {
        if SCANS_MAX <= self.kept_at.len() {
            let window_ms = self.window_ms;
            self.kept_at.retain(|_, at| is_within(*at, now, window_ms));
        }
        let id = ContentId::of(scan.as_bytes());
        writeln!(self.file, "{} {id}", now.unix_ms())?;
        if self.kept_at.len() < SCANS_MAX {
            self.kept_at.insert(id, now);
        }
        Ok(())
    }
}

/// A clock that was set back keeps what it remembers.
fn is_within(at: Timestamp, now: Timestamp, window_ms: i64) -> bool {
    now.ms_since(at) < window_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_is_remembered_for_its_window_across_starts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("scans");
        let (window, at) = (Duration::from_secs(60), Timestamp::from_unix_ms);
        let mut recent = Recent::open(&path, window, at(1_000_000)).unwrap();
        assert!(!recent.has("A", at(1_000_000)));
        recent.add("A", at(1_000_000)).unwrap();
        assert!(recent.has("A", at(1_059_999)));
        assert!(!recent.has("A", at(1_060_000)));
        fs::write(&path, format!("{}x y\n7\n", fs::read_to_string(&path).unwrap())).unwrap();
        let recent = Recent::open(&path, window, at(1_030_000)).unwrap();
        assert!(recent.has("A", at(1_030_000)));
        let recent = Recent::open(&path, window, at(1_090_000)).unwrap();
        assert!(!recent.has("A", at(1_090_000)));
    }
}
