//! Capture jobs: what became of each document, kept for whoever asks later.
//!
//! Invariants: a job is durable before its client is told of it; names sort by time; the number of
//! jobs is bounded, the oldest go first.

use std::io::ErrorKind;
use std::path::Path;

use hallmark_schemas::hex;
use hallmark_schemas::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::capture::Behaviour;
use crate::files::write_durably;

/// About how many jobs are kept; each takes a few kilobytes.
const KEPT_MAX: usize = 10_000;
/// Longest file of a job that is read: 10,000 events of 256 bytes, and errors.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Hexadecimal digits of a job's name: its time in milliseconds, and 64 random bits.
const NAME_DIGITS: usize = 28;

/// What became of one document, in the words of the EPCIS capture interface.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its name.
    #[serde(rename = "captureID")]
    pub id: String,
    /// When the document came.
    pub created_at: Timestamp,
    /// When the last of it was durable or refused.
    pub finished_at: Timestamp,
    /// Never: a job is told once it has ended.
    pub running: bool,
    /// Whether every event is in the log, or waits for its tree.
    pub success: bool,
    /// What was asked for where an event is refused.
    pub capture_error_behaviour: Behaviour,
    /// Why events were refused, in their order.
    pub errors: Vec<JobError>,
    /// The attestation of each event, in the order of the document; none where it was refused.
    pub attestations: Vec<Option<String>>,
}

/// Why one event was refused: problem details with the place of the event.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct JobError {
    /// An exception of EPCIS.
    pub r#type: String,
    /// The same for people.
    pub title: String,
    /// The status that the event alone would have been answered with.
    pub status: u16,
    /// What is wrong.
    pub detail: String,
    /// The event, as a JSON pointer into the document.
    pub pointer: String,
}

/// A new name for a job of this time.
pub fn name(now: Timestamp) -> String {
    let random: [u8; 8] = crate::keys::random();
    format!("{:012x}{}", now.unix_ms() & 0xffff_ffff_ffff, hex::encode(&random))
}

/// Makes a job durable in `folder` (DATA/jobs).
pub fn keep(folder: &Path, job: &Job) -> std::io::Result<()> {
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let text = serde_json::to_vec(job).map_err(std::io::Error::other)?;
    write_durably(&folder.join(format!("{}.json", job.id)), &text)?;
    // One name in sixteen ends so: reading the folder costs more than keeping a few jobs longer.
    if !job.id.ends_with('0') {
        return Ok(());
    }
    let mut all = names(folder)?;
    if KEPT_MAX < all.len() {
        all.truncate(all.len() - KEPT_MAX);
        for old in all {
            std::fs::remove_file(folder.join(format!("{old}.json")))?;
        }
    }
    Ok(())
}

/// The job of this name.
pub fn read(folder: &Path, name: &str) -> std::io::Result<Option<Job>> {
    if !is_name(name) {
        return Ok(None);
    }
    let path = folder.join(format!("{name}.json"));
    let file = match std::fs::File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let reader = std::io::BufReader::new(std::io::Read::take(file, FILE_BYTES_MAX));
    serde_json::from_reader(reader).map(Some).map_err(std::io::Error::other)
}

/// The names of jobs, newest first, at most `limit`, older than `before` where that is given.
pub fn list(folder: &Path, before: Option<&str>, limit: usize) -> std::io::Result<Vec<String>> {
    let all = names(folder)?.into_iter().rev();
    let older = all.filter(|name| before.is_none_or(|before| name.as_str() < before));
    Ok(older.take(limit).collect())
}

/// All names, oldest first.
fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let name = entry?.file_name().into_string().unwrap_or_default();
        all.extend(name.strip_suffix(".json").filter(|name| is_name(name)).map(str::to_owned));
    }
    all.sort_unstable();
    Ok(all)
}

fn is_name(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == NAME_DIGITS && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: &str) -> Job {
        let at = Timestamp::from_unix_ms(1_790_000_000_000);
        Job {
            id: id.to_owned(),
            created_at: at,
            finished_at: at,
            running: false,
            success: true,
            capture_error_behaviour: Behaviour::Rollback,
            errors: Vec::new(),
            attestations: vec![None],
        }
    }

    #[test]
    fn jobs_are_read_back_and_listed_newest_first() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("jobs");
        assert_eq!(list(&folder, None, 9).unwrap(), Vec::<String>::new());
        let names: Vec<String> = (1..4).map(|ms| name(Timestamp::from_unix_ms(ms))).collect();
        names.iter().for_each(|name| keep(&folder, &job(name)).unwrap());
        assert_eq!(read(&folder, &names[1]).unwrap(), Some(job(&names[1])));
        let newest = [names[2].clone(), names[1].clone()];
        assert_eq!(list(&folder, None, 2).unwrap(), newest);
        assert_eq!(list(&folder, Some(&names[1]), 2).unwrap(), names[..1]);
        for no_name in ["", "../../etc/passwd", &"0".repeat(28), &"x".repeat(28)] {
            assert_eq!(read(&folder, no_name).unwrap(), None, "{no_name}");
        }
    }
}
