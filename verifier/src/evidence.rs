//! What was read, before anything of it is believed, and what proving made of it.
//!
//! Invariants: loading keeps bytes as they were found and judges nothing; a body that lies in a
//! file stays there until it is needed; every list is in an order that the input decides, never
//! the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;

use hallmark_schemas::attestation::{ContentId, Verified};
use hallmark_schemas::defect::DefectProof;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::foreign::ForeignKey;
use hallmark_schemas::head::Slot;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::intent::Intent;
use hallmark_schemas::kind::KindName;
use hallmark_schemas::kind::value::Digest;
use hallmark_schemas::network::Network;
use hallmark_schemas::proof::{Inclusion, LogProof};
use hallmark_schemas::receipt::Receipt;
use hallmark_schemas::tile::TilePath;
use hallmark_schemas::time::{EntryTime, Timestamp};

use crate::prove::demanded::Missing;
use crate::prove::unseen::Unseen;
use crate::step::Step;
use crate::table::TableSet;

/// Everything the inputs hold. Nothing in it has been proved.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Network files of nodes given as input: the caller trusts these.
    pub networks_trusted: Vec<Vec<u8>>,
    /// Network files that came in bundles: they must follow from a trusted one, if there is one.
    pub networks_carried: Vec<Vec<u8>>,
    /// The logs, by origin.
    pub logs: BTreeMap<String, LogEvidence>,
    /// The bodies that are at hand.
    pub bodies: Bodies,
    /// Bodies that came outside a pack, with what they claim to be: a bundle's, in its order.
    pub carried: BTreeSet<ContentId>,
    /// Bodies that their holder says are damaged, with the SHA-256 of what it has instead.
    pub damaged: BTreeMap<ContentId, ContentId>,
    /// Signed statements of other systems.
    pub foreign: Vec<ForeignStatement>,
    /// Receipts of other systems that came apart from their statements.
    pub foreign_receipts: Vec<Vec<u8>>,
    /// Keys that the caller trusts for them.
    pub foreign_keys: Vec<ForeignKey>,
    /// Plain tables given with `--table` and read from a lake: judged, never proved.
    pub tables: TableSet,
    /// The instant for which a bundle says it was made.
    pub as_of: Option<Timestamp>,
    /// What was read, in the order in which it was given.
    pub sources: Vec<Source>,
    /// What was already wrong with the files themselves.
    pub defects: Vec<Defect>,
    /// Defect proofs that came along, about any log.
    pub proofs: Vec<FoundProof>,
    /// Pack segments that end inside a record: what a crash leaves, or a cut.
    pub torn: Vec<String>,
    /// Records that an `erasure` in a pack names, be it in a tree already or not.
    pub erasing: BTreeSet<ContentId>,
}

/// A defect proof, not yet believed.
#[derive(Clone, Debug)]
pub struct FoundProof {
    /// The proof.
    pub proof: DefectProof,
    /// The file that it was found in, for people.
    pub found_in: String,
}

/// One log as the inputs hold it.
#[derive(Debug, Default)]
pub struct LogEvidence {
    /// The folder that should hold every tile of it; `None` where only some came along.
    pub folder: Option<PathBuf>,
    /// Signed checkpoints as found, in the order found; proving sorts them by size.
    pub checkpoints: Vec<FoundNote>,
    /// Runs of entries by the index of their first.
    pub entries: BTreeMap<u64, Vec<Entry>>,
    /// Hash tiles that came along, by their path: checked against the entries.
    pub tiles: BTreeMap<String, Vec<u8>>,
    /// Tiles and bundles with a file of an earlier, narrower form that does not begin them.
    pub unlike: Vec<(TilePath, PathBuf)>,
    /// Receipts and proofs of single entries, in the order found.
    pub inclusions: Vec<LogInclusion>,
    /// The input says it holds every body of this log: a missing one makes it incomplete.
    pub whole: bool,
    /// What the node itself last wrote of its own log, beside DATA.
    pub own: Option<OwnHead>,
    /// Sizes of trees whose checkpoints nobody gave back when this log was made whole again.
    pub restored: Vec<Range<u64>>,
    /// A checkpoint of it that was signed elsewhere and is not of the tree here, as its node found.
    pub elsewhere: Option<FoundNote>,
}

/// A signed note, not yet believed.
#[derive(Clone, Debug)]
pub struct FoundNote {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The file that it was found in, for people.
    pub found_in: String,
}

/// Head and last intent of a node's own log.
#[derive(Clone, Debug)]
pub struct OwnHead {
    /// The slot that counts, with its file; `None` if neither is whole.
    pub slot: Option<(Slot, String)>,
    /// The last intent, with its file; `None` if it is missing or damaged.
    pub intent: Option<(Intent, String)>,
}

/// A signed statement of another system with its receipts, as they were received.
#[derive(Clone, Debug)]
pub struct ForeignStatement {
    /// The statement.
    pub statement: Vec<u8>,
    /// Its receipts.
    pub receipts: Vec<Vec<u8>>,
}

/// What a receipt or proof says, unchecked.
#[derive(Clone, Debug)]
pub struct LogInclusion {
    /// The entry that it is about.
    pub entry: Entry,
    /// Its place in the log.
    pub index: u64,
    /// Whether it is a receipt, by the log, or a proof by another.
    pub is_receipt: bool,
    /// Its bytes: a bundle may hold one for each of a million entries.
    pub place: Place,
}

impl LogInclusion {
    /// The proof itself, read and parsed again.
    pub fn read(&self, bodies: &Bodies) -> Result<Inclusion, String> {
        let bytes = bodies.read(&self.place).map_err(|error| error.to_string())?;
        let parsed = match self.is_receipt {
            true => Receipt::parse(&bytes).map(Inclusion::Receipt),
            false => LogProof::parse(&bytes).map(Inclusion::Proof),
        };
        parsed.map_err(|error| chain(&error))
    }
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

/// Bodies by content id, in memory or still in their files.
#[derive(Debug, Default)]
pub struct Bodies {
    places: BTreeMap<ContentId, Place>,
    files: Vec<Mutex<File>>,
}

/// Where bytes are that are read when they are needed.
#[derive(Clone, Debug)]
pub enum Place {
    /// In memory.
    Memory(Box<[u8]>),
    /// In a registered file.
    File {
        /// Number of the file.
        file: usize,
        /// Where they begin.
        offset: u64,
        /// How many they are.
        bytes: usize,
    },
    /// Nowhere any more: erased on purpose.
    Erased,
}

/// What is known of one body.
#[derive(Debug)]
pub enum Held {
    /// Its stored bytes.
    Bytes(Vec<u8>),
    /// Removed on purpose; its place is marked.
    Erased,
    /// Not in the inputs.
    Missing,
}

impl Bodies {
    /// Registers a file that bodies lie in and returns its number.
    pub fn add_file(&mut self, file: File) -> usize {
        self.files.push(Mutex::new(file));
        self.files.len() - 1
    }

    /// Notes that the body lies at `offset` of a registered file.
    pub fn add_in_file(&mut self, id: ContentId, file: usize, offset: u64, bytes: usize) {
        self.add(id, Place::File { file, offset, bytes });
    }

    /// Notes that the body has been erased.
    pub fn add_erased(&mut self, id: ContentId) {
        self.add(id, Place::Erased);
    }

    /// Notes where a body is. The first place found is kept, but for an erased one.
    pub fn add(&mut self, id: ContentId, place: Place) {
        let kept = self.places.get(&id);
        if kept.is_none_or(|kept| matches!(kept, Place::Erased)) {
            self.places.insert(id, place);
        }
    }

    /// Whether all that is known of this body is that it was erased.
    pub fn is_erased(&self, id: &ContentId) -> bool {
        matches!(self.places.get(id), Some(Place::Erased))
    }

    /// How many bodies are known.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True if none is known.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The ids of all that are known, in order.
    pub fn ids(&self) -> impl Iterator<Item = &ContentId> {
        self.places.keys()
    }

    /// Whether the body is known, erased or not.
    pub fn knows(&self, id: &ContentId) -> bool {
        self.places.contains_key(id)
    }

    /// Reads one body.
    pub fn get(&self, id: &ContentId) -> io::Result<Held> {
        match self.places.get(id) {
            None => Ok(Held::Missing),
            Some(Place::Erased) => Ok(Held::Erased),
            Some(place) => self.read(place).map(Held::Bytes),
        }
    }

    /// Reads the bytes at a place.
    pub fn read(&self, place: &Place) -> io::Result<Vec<u8>> {
        match place {
            Place::Erased => Err(io::ErrorKind::NotFound.into()),
            Place::Memory(body) => Ok(body.to_vec()),
            Place::File { file, offset, bytes } => {
                let mut file = self.files[*file].lock().map_err(|_| io::ErrorKind::Other)?;
                file.seek(SeekFrom::Start(*offset))?;
                let mut body = vec![0; *bytes];
                file.read_exact(&mut body)?;
                Ok(body)
            }
        }
    }
}

/// One thing that was read.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// As given on the command line.
    pub name: String,
    /// `bundle`, `node`, `lake`, or `table <name>`.
    pub what: String,
    /// SHA-256 of the file, where it is one.
    pub digest: Option<String>,
    /// Rows of a plain table that were read.
    pub rows_read: u64,
    /// Rows of a plain table that are judged.
    pub rows_used: u64,
    /// Rows of a plain table that were refused.
    pub rows_refused: u64,
    /// Columns that no table declares: not read.
    pub columns_ignored: Vec<String>,
    /// Why rows were refused; at most [`FAULTS_MAX`], the count says how many there were.
    pub faults: Vec<RowFault>,
    /// A plain table: nothing in it is signed.
    pub unproven: bool,
}

/// Most refused rows that one source describes; all are counted.
pub const FAULTS_MAX: usize = 100;

/// Why one row of a plain table was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}; {advice}")]
pub struct RowFault {
    /// Line of the file, the header being the first.
    pub line: u64,
    /// Name of the column, or a number where it has none.
    pub column: String,
    /// What is wrong.
    pub reason: String,
    /// What to do about it.
    pub advice: String,
}

/// What sort of thing is wrong with evidence. The text is the `kind` in the table `defects`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum DefectKind {
    /// A signature of a body, log, witness or network file that does not verify.
    BadSignature,
    /// A key used before it was known or after it was given up, or by someone else.
    KeyNotInForce,
    /// An issuer without the role that its kind needs.
    RoleMissing,
    /// Two contents under one natural identity.
    Fork,
    /// The same, of which its issuer has since corrected one.
    ForkCorrected,
    /// Two checkpoints of one log of which neither extends the other.
    Split,
    /// A later checkpoint that is smaller, or an earlier time on a later entry.
    Shrink,
    /// A device's batch that does not name the one before it.
    BadChain,
    /// A body that no entry of its log holds.
    Unlogged,
    /// A body, entry or key that the evidence needs and does not hold.
    Withheld,
    /// What another system signed, under a key or in a form that is not known here.
    Unchecked,
    /// Tiles, entries, receipts or the head that do not give the root of the checkpoint.
    BadProof,
    /// A file of the node's own log, such as a head slot, that is not what was written.
    Damaged,
    /// A body whose bytes are not those of its content id, or no attestation.
    BadBody,
    /// An entry whose audience is not the one that was signed.
    BadAudience,
    /// Fewer witnesses than the policy asks for.
    NoQuorum,
    /// An entry bundle that was served otherwise than the log had signed it.
    BadTile,
    /// A witness that cosigned two histories, or a smaller tree after a larger one.
    BadCosignature,
}

impl DefectKind {
    /// Its text in the table `defects`.
    pub const fn as_str(self) -> &'static str {
        match self {
            DefectKind::BadSignature => "bad_signature",
            DefectKind::KeyNotInForce => "key_not_in_force",
            DefectKind::RoleMissing => "role_missing",
            DefectKind::Fork => "fork",
            DefectKind::ForkCorrected => "fork_corrected",
            DefectKind::Split => "split",
            DefectKind::Shrink => "shrink",
            DefectKind::BadChain => "bad_chain",
            DefectKind::Unlogged => "unlogged",
            DefectKind::Withheld => "withheld",
            DefectKind::Unchecked => "unchecked",
            DefectKind::BadProof => "bad_proof",
            DefectKind::Damaged => "damaged",
            DefectKind::BadBody => "bad_body",
            DefectKind::BadAudience => "bad_audience",
            DefectKind::NoQuorum => "no_quorum",
            DefectKind::BadTile => "bad_tile",
            DefectKind::BadCosignature => "bad_cosignature",
        }
    }

    /// What it makes of a check: a contradiction between proved statements is for the rules to
    /// name; anything else says that the input itself proves nothing, or not everything.
    pub const fn exit(self) -> Exit {
        match self {
            DefectKind::Fork | DefectKind::ForkCorrected | DefectKind::BadChain => Exit::Done,
            DefectKind::Withheld | DefectKind::Unchecked => Exit::Incomplete,
            _ => Exit::Broken,
        }
    }
}

/// One thing that is wrong with the evidence itself: a row of the table `defects`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Defect {
    /// The log it was found in, if in one.
    pub log: Option<String>,
    /// The entry, if at one.
    pub entry: Option<u64>,
    /// What sort it is.
    pub kind: DefectKind,
    /// What it is about: a subject, a log or a file.
    pub subject: String,
    /// The attestations it rests on.
    pub cites: Vec<ContentId>,
    /// One sentence with the values.
    pub detail: String,
    /// Latest time of the entry, where it has one.
    pub at: Option<Timestamp>,
    /// What to do about it, where its sort does not say it.
    pub remedy: Option<&'static str>,
    /// The defect proof that shows it, by its SHA-256: then the input is not at fault.
    pub proof: Option<Digest>,
    /// The step of the check that it belongs to.
    pub step: Option<Step>,
}

impl Defect {
    /// What it makes of a check: what a proof shows about others is for the rules to name.
    pub const fn exit(&self) -> Exit {
        if self.proof.is_some() { Exit::Done } else { self.kind.exit() }
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        self.remedy.unwrap_or(self.kind.help())
    }
}

/// What of one issuer and kind a log holds: a row of the table `coverage`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Coverage {
    /// The log.
    pub log: String,
    /// The issuer; empty where bodies are missing, whose issuer nobody can know.
    pub issuer: Option<String>,
    /// The kind, likewise.
    pub kind: Option<KindName>,
    /// First entry that the row speaks of.
    pub from_entry: u64,
    /// Entry after the last that the row speaks of.
    pub to_entry: u64,
    /// Earliest time of these entries.
    pub from_at: Timestamp,
    /// Latest time of these entries.
    pub to_at: Timestamp,
    /// Bodies that are at hand.
    pub bodies_held: u64,
    /// Bodies that are not.
    pub bodies_missing: u64,
}

/// Something that could not be checked because it is not at hand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unchecked {
    /// What it is.
    pub what: UncheckedWhat,
    /// The log it belongs to, if to one.
    pub log: Option<String>,
    /// How many: entries, bodies, signatures, logs.
    pub count: u64,
    /// What is not at hand, for people.
    pub detail: String,
    /// The command that fetches it, and where to run it.
    pub command: String,
}

/// What was not at hand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UncheckedWhat {
    /// A range of entries.
    Range,
    /// Bodies of entries.
    Body,
    /// What introduces a key.
    Key,
    /// A whole log.
    Log,
}

impl UncheckedWhat {
    /// Its word in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            UncheckedWhat::Range => "entries",
            UncheckedWhat::Body => "bodies",
            UncheckedWhat::Key => "key",
            UncheckedWhat::Log => "log",
        }
    }
}

/// One attestation whose place in a log and whose signature have been proved.
#[derive(Debug)]
pub struct ProvenAttestation {
    /// Origin of the log: the lowest of several that hold it.
    pub origin: String,
    /// Its index there.
    pub entry: u64,
    /// When it was recorded.
    pub time: EntryTime,
    /// The attestation.
    pub attestation: Verified,
}

/// One log whose checkpoint, entries and tiles agree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProvenLog {
    /// Its origin.
    pub origin: String,
    /// Size of its newest checkpoint.
    pub size: u64,
    /// Root of that checkpoint, as hex.
    pub root: String,
    /// When a quorum of witnesses last vouched for it; without witnesses, the newest
    /// `admitted_at`.
    pub at: Timestamp,
    /// False if nobody but the log itself vouches for its times.
    pub witnessed: bool,
    /// What of it may be public records that are not at hand.
    pub unseen: Option<Unseen>,
}

/// An event that contradicts an earlier one of the same issuer in the same log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    /// It.
    pub id: ContentId,
    /// Who signed both.
    pub issuer: OrgId,
    /// The log.
    pub log: String,
    /// Its place there.
    pub entry: u64,
    /// The earlier one, which stands.
    pub standing: ContentId,
}

/// What proving leaves: the attestations that stand, and what is wrong with the rest.
#[derive(Debug)]
pub struct Proven {
    /// Those that stand, by (origin, entry); one row for a content id that several logs hold.
    pub attestations: Vec<ProvenAttestation>,
    /// What is wrong.
    pub defects: Vec<Defect>,
    /// Events that logs took only as evidence that they contradict what these had.
    pub refused: Vec<Refused>,
    /// From what absence can be concluded.
    pub coverage: Vec<Coverage>,
    /// Bodies that demands name and that are not at hand.
    pub missing: Vec<Missing>,
    /// What could not be checked.
    pub unchecked: Vec<Unchecked>,
    /// The logs.
    pub logs: Vec<ProvenLog>,
    /// Remarks for the reader: in doubt, unwitnessed.
    pub notes: Vec<String>,
    /// What the network file says, if there is one that can be used.
    pub network: Option<Network>,
    /// SHA-256 of that file, hex.
    pub network_digest: Option<String>,
    /// Plain tables, handed through.
    pub tables: TableSet,
    /// The newest instant in the evidence, if it has one.
    pub as_of: Option<Timestamp>,
}

impl Proven {
    /// What the defects alone make of the check.
    pub fn exit(&self) -> Exit {
        self.defects.iter().fold(Exit::Done, |exit, defect| exit.or(defect.exit()))
    }
}
