//! What a log's own tree shows against it, and what somebody says it was served.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{DefectError, Shown, digests, hashes, lines_of, log_key, note, note_by};
use crate::entry::Entry;
use crate::kind::value::{Blob, Digest};
use crate::merkle::{self, Hash};
use crate::network::NetworkFile;
use crate::note::{Checkpoint, NoteKeyKind, SignedNote, VerifierKey};
use crate::tile::{self, TILE_WIDTH, TilePath};
use crate::time::Timestamp;

/// First line of a report of what was served: no checkpoint begins so with a number in line two.
const REPORT_LINE: &str = "hallmark/served/v1";

/// An entry with its way to the root of a tree.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TreeEntry {
    /// The entry, 41 bytes.
    pub entry: Blob,
    /// Its place.
    pub index: u64,
    /// Inclusion proof.
    pub path: Vec<Digest>,
}

impl TreeEntry {
    /// An entry with the proof that leads to the root.
    pub fn new(entry: &Entry, index: u64, path: &[Hash]) -> TreeEntry {
        TreeEntry { entry: Blob(entry.to_bytes().to_vec()), index, path: digests(path) }
    }

    fn verify(&self, under: &Checkpoint) -> Result<Entry, DefectError> {
        let (entry, path) = (Entry::parse(&self.entry.0)?, hashes(&self.path));
        let leaf = entry.leaf_hash();
        merkle::verify_inclusion(&leaf, self.index, under.size, &path, &under.root)?;
        Ok(entry)
    }
}

/// Two entries of one signed tree, the later one admitted earlier.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TimesBack {
    /// The signed note of the tree.
    pub checkpoint: String,
    /// The entry with the lower index.
    pub earlier: TreeEntry,
    /// The entry with the higher index.
    pub later: TreeEntry,
}

impl TimesBack {
    /// The entries and the note of their tree.
    pub fn new(
        key: &VerifierKey,
        note: &SignedNote,
        earlier: TreeEntry,
        later: TreeEntry,
    ) -> TimesBack {
        TimesBack { checkpoint: lines_of(note, key), earlier, later }
    }

    pub(super) fn verify(&self, network: &NetworkFile) -> Result<Shown, DefectError> {
        let tree = signed(&self.checkpoint, network)?;
        let (earlier, later) = (self.earlier.verify(&tree)?, self.later.verify(&tree)?);
        if self.later.index <= self.earlier.index || earlier.admitted_at <= later.admitted_at {
            return Err(DefectError::Nothing { why: "the times of the entries do not go back" });
        }
        let sentence = format!(
            "{} went back in time: entry {} was admitted at {}, entry {} at {}",
            tree.origin,
            self.earlier.index,
            earlier.admitted_at,
            self.later.index,
            later.admitted_at
        );
        Ok(Shown {
            subject: tree.origin.clone(),
            origin: tree.origin,
            cites: vec![earlier.id, later.id],
            at: Some(later.admitted_at),
            sentence,
            signed_by_accused: true,
        })
    }
}

/// An entry bundle as it was served, beside what the log had signed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BadTile {
    /// The signed note of the tree that the bundle should be of.
    pub checkpoint: String,
    /// The entry that the bundle has otherwise, or not at all.
    pub index: u64,
    /// The leaf hash that the signed tree has there.
    pub leaf: Digest,
    /// Inclusion proof of that leaf.
    pub path: Vec<Digest>,
    /// The bytes that were served.
    pub served: Blob,
    /// The word of who was served them: see [`Served`].
    pub report: String,
}

/// What a report says; who reports signs it as a note, with the peer key of its node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Served {
    /// The log.
    pub origin: String,
    /// From where.
    pub url: String,
    /// As which bundle.
    pub tile: TilePath,
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// When.
    pub at: Timestamp,
}

impl Served {
    /// A report of these bytes.
    pub fn new(origin: &str, url: &str, tile: TilePath, served: &[u8], at: Timestamp) -> Served {
        let digest = Digest(Sha256::digest(served).into());
        Served { origin: origin.to_owned(), url: url.to_owned(), tile, digest, at }
    }

    /// The text to sign; `None` if origin or URL hold what a note cannot.
    pub fn to_note(&self) -> Option<SignedNote> {
        let Served { origin, url, tile, digest, at } = self;
        let digest = STANDARD.encode(digest.0);
        let lines =
            [REPORT_LINE, origin, url, &tile.to_string(), &digest, &at.unix_ms().to_string()]
                .map(str::to_owned);
        let plain = lines.iter().all(|line| !line.is_empty() && !line.contains('\n'));
        SignedNote::unsigned(lines.join("\n") + "\n").filter(|_| plain)
    }

    fn parse(text: &str) -> Option<Served> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let first = lines.next()? == REPORT_LINE;
        let (origin, url) = (lines.next()?.to_owned(), lines.next()?.to_owned());
        let tile = lines.next()?.parse().ok()?;
        let digest = Digest(STANDARD.decode(lines.next()?).ok()?.try_into().ok()?);
        let at = Timestamp::try_from_unix_ms(crate::note::parse_size(lines.next()?)?)?;
        let served = Served { origin, url, tile, digest, at };
        let same = served.to_note().is_some_and(|note| note.text() == text);
        (first && same && lines.next().is_none()).then_some(served)
    }
}

impl BadTile {
    /// What the signed tree has at `index`, and the bytes that a bundle had instead.
    pub fn new(
        (key, checkpoint): (&VerifierKey, &SignedNote),
        (index, leaf): (u64, Hash),
        path: &[Hash],
        served: &[u8],
        report: &SignedNote,
    ) -> BadTile {
        BadTile {
            checkpoint: lines_of(checkpoint, key),
            index,
            leaf: Digest(leaf),
            path: digests(path),
            served: Blob(served.to_vec()),
            report: report.to_string(),
        }
    }

    pub(super) fn verify(&self, network: &NetworkFile) -> Result<Shown, DefectError> {
        let tree = signed(&self.checkpoint, network)?;
        let path = hashes(&self.path);
        merkle::verify_inclusion(&self.leaf.0, self.index, tree.size, &path, &tree.root)?;
        let report = note("report", &self.report)?;
        let served = Served::parse(report.text()).ok_or(DefectError::Report)?;
        let reporter = reporter(&report, network)?;
        let digest: [u8; 32] = Sha256::digest(&self.served.0).into();
        if served.origin != tree.origin || served.digest.0 != digest {
            return Err(DefectError::Report);
        }
        self.differs(served.tile)?;
        let sentence = format!(
            "{reporter} says that {} served {} of {} otherwise than the log signed it: entry {} differs",
            served.url, served.tile, tree.origin, self.index
        );
        Ok(Shown {
            subject: tree.origin.clone(),
            origin: tree.origin,
            cites: Vec::new(),
            at: Some(served.at),
            sentence,
            signed_by_accused: false,
        })
    }

    /// That the bytes are no bundle of this path in the signed tree.
    fn differs(&self, tile: TilePath) -> Result<(), DefectError> {
        let TilePath::Entries { index, width } = tile else {
            return Err(DefectError::Report);
        };
        let first = index.saturating_mul(u64::from(TILE_WIDTH));
        let place = self.index.checked_sub(first).filter(|place| *place < u64::from(width));
        let place = place.ok_or(DefectError::Report)?;
        let Ok(entries) = tile::parse_entries(&self.served.0) else {
            return Ok(());
        };
        let served = usize::try_from(place).ok().and_then(|place| entries.get(place));
        match served {
            Some(entry) if merkle::leaf_hash(entry) == self.leaf.0 => {
                Err(DefectError::Nothing { why: "what was served is what the log signed" })
            }
            _ => Ok(()),
        }
    }
}

/// The key that a member of this origin signs reports with.
pub fn report_key(network: &NetworkFile, origin: &str) -> Option<VerifierKey> {
    let member = network.network().member_of_origin(origin)?;
    VerifierKey::new(origin, NoteKeyKind::Ed25519, member.peer_key.clone()).ok()
}

fn reporter(report: &SignedNote, network: &NetworkFile) -> Result<String, DefectError> {
    let name = report.signatures().first().map(|line| line.name.clone()).unwrap_or_default();
    let key = report_key(network, &name);
    let key = key.ok_or_else(|| DefectError::UnknownLog { origin: name.clone() })?;
    if report.signatures().len() != 1 {
        return Err(DefectError::Encoding { which: "report" });
    }
    let signed = report.signed_by(&key);
    match signed.map_err(|source| DefectError::Unsigned { which: "report", source })? {
        Some(_) => Ok(name),
        None => Err(DefectError::NotSignedBy { which: "report", name }),
    }
}

fn signed(text: &str, network: &NetworkFile) -> Result<Checkpoint, DefectError> {
    let which = "checkpoint";
    let stated = note(which, text)?.checkpoint();
    let stated = stated.map_err(|source| DefectError::NoCheckpoint { which, source })?;
    let key = log_key(network, &stated.origin)?;
    note_by(which, text, key)?
        .checkpoint_of(key)
        .map_err(|source| DefectError::Unsigned { which, source })
}
