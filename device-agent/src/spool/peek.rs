//! A look at a spool that another process may be working on: nothing is written or cut.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::frame::{self, Piece};

use super::segment::{self, Entry};
use super::{Class, SpoolError, disk};

/// What lies in a spool.
#[derive(Debug, Default)]
pub struct Seen {
    /// Entries without a receipt, oldest first.
    pub waiting: Vec<Waiting>,
    /// Entries that the node refused.
    pub refused: Vec<Refused>,
    /// Bytes on disk.
    pub bytes: u64,
    /// Parts that are no entry; they are set aside at the next start.
    pub damaged: u64,
}

/// An entry that waits for a receipt.
#[derive(Debug)]
pub struct Waiting {
    /// Its content id.
    pub id: ContentId,
    /// What it is to the spool.
    pub class: Class,
    /// The attestation.
    pub body: Vec<u8>,
}

/// An entry that the node refused, kept aside.
#[derive(Debug)]
pub struct Refused {
    /// Its content id, in hexadecimal digits.
    pub id: String,
    /// Why.
    pub reason: String,
    /// The attestation's file.
    pub path: PathBuf,
}

/// Looks at the spool in `dir`; one that was never made is empty.
pub fn peek(dir: &Path) -> Result<Seen, SpoolError> {
    let mut seen = Seen::default();
    if !dir.exists() {
        return Ok(seen);
    }
    let mut ids = HashSet::new();
    for number in segment::list(dir)? {
        let path = segment::path(dir, number);
        let bytes = match std::fs::read(&path) {
            // Released and removed since it was listed.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            read => read.map_err(disk("read", &path))?,
        };
        let done = segment::released(&segment::released_path(dir, number))?;
        seen.bytes += bytes.len() as u64;
        for piece in frame::scan(&bytes) {
            match piece {
                Piece::Record { content, .. } => {
                    let Some(entry) = Entry::parse(content) else {
                        continue;
                    };
                    let id = ContentId::of(entry.body);
                    if !done.contains(&id) && ids.insert(id) {
                        let (class, body) = (entry.class, entry.body.to_vec());
                        seen.waiting.push(Waiting { id, class, body });
                    }
                }
                Piece::Damaged { .. } => seen.damaged += 1,
                // The other process may be writing it now.
                Piece::Torn { .. } => {}
            }
        }
    }
    seen.refused = refused(&dir.join("refused"))?;
    Ok(seen)
}

fn refused(dir: &Path) -> Result<Vec<Refused>, SpoolError> {
    let mut found = Vec::new();
    let files = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        read => read.map_err(disk("read", dir))?,
    };
    for file in files {
        let path = file.map_err(disk("read", dir))?.path();
        if path.extension().is_some_and(|extension| extension == "cose") {
            let reason = std::fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
            let id = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            found.push(Refused { id: id.unwrap_or_default(), reason, path });
        }
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, Opened, Spool, WhenFull};
    use super::*;

    #[test]
    fn a_look_shows_what_waits_and_what_was_refused_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("spool");
        assert!(peek(&dir).unwrap().waiting.is_empty());
        let limits = Limits { bytes_max: 1 << 30, when_full: WhenFull::Stop };
        let Opened { mut spool, .. } = Spool::open(&dir, limits).unwrap();
        let ids = [b"a", b"b", b"c"].map(|body: &[u8; 1]| {
            let id = ContentId::of(body);
            spool.take(&[(id, Class::Scan, body)]).unwrap();
            id
        });
        spool.release(&ids[0]).unwrap();
        spool.refuse(&ids[1], "role missing").unwrap();
        for _ in 0..2 {
            let seen = peek(&dir).unwrap();
            assert_eq!(seen.waiting.iter().map(|entry| entry.id).collect::<Vec<_>>(), [ids[2]]);
            assert_eq!(seen.refused.len(), 1);
            assert_eq!(seen.refused[0].reason, "role missing");
        }
    }
}
