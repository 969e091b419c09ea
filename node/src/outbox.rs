//! DIR/outbox: what is signed and not yet stored.
//!
//! Invariants: a file is durable before anything of it is sent and goes only when each of its
//! attestations is stored, deferred or refused; what was refused lies in outbox/refused, with the
//! reason beside it, and is never dropped. Sending twice is harmless: ids are found again.

use std::path::{Path, PathBuf};

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::frame::{self, Piece};
use hallmark_schemas::kind::KindName;
use hallmark_schemas::layout::Dir;

use crate::failure::Failure;
use crate::files::{now, write_durably};

/// Attestations of one file, in the order in which they must be stored.
#[derive(Debug)]
pub struct Parcel {
    path: PathBuf,
    /// Stored bytes, each with its id.
    pub items: Vec<(ContentId, Vec<u8>)>,
}

/// What became of one attestation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fate {
    /// Durable at the node under this id: another one's, if the same was said before.
    Stored {
        /// The id that counts.
        id: ContentId,
        /// Whether it is already recorded.
        recorded: bool,
    },
    /// Kept by the node until the signer's key is known.
    Deferred,
    /// Not taken, and why.
    Refused {
        /// In the node's words.
        reason: String,
    },
    /// The node cannot take it now.
    Later {
        /// In the node's words.
        reason: String,
    },
}

/// Makes these attestations durable as one file.
pub fn put(dir: &Path, envelopes: &[Envelope]) -> Result<Parcel, Failure> {
    let outbox = Dir::new(dir).outbox();
    let cannot = |e: std::io::Error| unwritable(&outbox, &e);
    std::fs::create_dir_all(&outbox).map_err(cannot)?;
    let mut bytes = Vec::new();
    let mut items = Vec::new();
    for envelope in envelopes {
        frame::append(&mut bytes, envelope.stored());
        items.push((envelope.id(), envelope.stored().to_vec()));
    }
    let mut at = now().unix_ms();
    let path = loop {
        let path = outbox.join(format!("{at:015}-{:08}.outbox", std::process::id()));
        if !path.exists() {
            break path;
        }
        at += 1;
    };
    write_durably(&path, &bytes).map_err(cannot)?;
    Ok(Parcel { path, items })
}

/// Makes these attestations durable as the file that goes before all others: the begin of a log.
pub(crate) fn put_first(dir: &Path, envelopes: &[Envelope]) -> Result<(), Failure> {
    let outbox = Dir::new(dir).outbox();
    let mut bytes = Vec::new();
    envelopes.iter().for_each(|envelope| frame::append(&mut bytes, envelope.stored()));
    std::fs::create_dir_all(&outbox)
        .and_then(|()| write_durably(&outbox.join("000000000000000-00000000.outbox"), &bytes))
        .map_err(|e| unwritable(&outbox, &e))
}

/// Nothing is signed for good or sent unless it lies in the outbox first.
fn unwritable(outbox: &Path, error: &std::io::Error) -> Failure {
    use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let what = format!("cannot write the outbox {}", outbox.display());
    let (failure, help) = match error.kind() {
        StorageFull | QuotaExceeded => {
            (Failure::busy(what), "make room on the disk and submit again")
        }
        ReadOnlyFilesystem => (
            Failure::busy(what),
            "its disk is read-only: find out why (`mount`, the system's messages), mount it writable \
             and submit again; a node there serves what it has and takes nothing meanwhile",
        ),
        PermissionDenied => {
            (Failure::usage(what), "submit as the user that the node runs as, who may write there")
        }
        _ => (Failure::fault(what), "look at the disk and the rights of this folder"),
    };
    failure.because(error).note("nothing was sent").help(help)
}

/// Everything that waits, oldest first.
pub fn waiting(dir: &Path) -> Result<Vec<Parcel>, Failure> {
    let outbox = Dir::new(dir).outbox();
    let cannot = |e: std::io::Error| {
        Failure::fault(format!("cannot read the outbox {}", outbox.display())).because(&e)
    };
    let mut paths = Vec::new();
    let files = match std::fs::read_dir(&outbox) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        files => files.map_err(cannot)?,
    };
    for file in files {
        let path = file.map_err(cannot)?.path();
        if path.extension().is_some_and(|extension| extension == "outbox") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut parcels = Vec::new();
    for path in paths {
        let bytes = std::fs::read(&path).map_err(cannot)?;
        let damaged = || {
            Failure::fault(format!("{} is damaged", path.display()))
                .help("move it away; what it held was not sent and must be submitted again")
        };
        let mut items = Vec::new();
        for piece in frame::scan(&bytes) {
            let Piece::Record { content, .. } = piece else {
                return Err(damaged());
            };
            items.push((ContentId::of(content), content.to_vec()));
        }
        parcels.push(Parcel { path, items });
    }
    Ok(parcels)
}

impl Parcel {
    /// Whether its items must go one after the other: later ones rest on the keys of earlier ones,
    /// or on the codes that those made.
    pub fn is_ordered(&self) -> bool {
        self.items.iter().any(|(_, stored)| {
            let kind = Envelope::parse(stored).map(|envelope| envelope.kind());
            matches!(
                kind,
                Ok(KindName::Genesis
                    | KindName::Organisation
                    | KindName::Key
                    | KindName::Device
                    | KindName::Label
                    | KindName::Network
                    | KindName::Revocation)
            )
        })
    }

    /// Whether it begins with the genesis of the log.
    pub fn is_genesis(&self) -> bool {
        let first = self.items.first().and_then(|(_, stored)| Envelope::parse(stored).ok());
        first.is_some_and(|envelope| envelope.kind() == KindName::Genesis)
    }

    /// Removes the file once every fate is final; refused items are kept beside it.
    pub fn settle(&self, dir: &Path, fates: &[(ContentId, Fate)]) -> Result<(), Failure> {
        let cannot = |e: std::io::Error| {
            Failure::fault(format!("cannot settle {}", self.path.display())).because(&e)
        };
        let refused = Dir::new(dir).outbox().join("refused");
        for (id, fate) in fates {
            let Fate::Refused { reason } = fate else {
                continue;
            };
            let Some((_, stored)) = self.items.iter().find(|(item, _)| item == id) else {
                continue;
            };
            std::fs::create_dir_all(&refused).map_err(cannot)?;
            let name = id.to_string().replace(':', "-");
            write_durably(&refused.join(format!("{name}.cose")), stored).map_err(cannot)?;
            let reason = format!("{reason}\n");
            write_durably(&refused.join(format!("{name}.txt")), reason.as_bytes())
                .map_err(cannot)?;
        }
        let is_final = fates.iter().all(|(_, fate)| !matches!(fate, Fate::Later { .. }));
        if is_final && fates.len() == self.items.len() {
            match std::fs::remove_file(&self.path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(cannot(e)),
                _ => {}
            }
        }
        Ok(())
    }
}
