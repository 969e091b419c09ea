//! The witness: this node's word that another's log has only grown.
//!
//! Invariants: what is cosigned is durable before the signature leaves; reading the state, checking
//! and storing happen under one lock, so two requests cannot race; the state lies in DIR/head,
//! outside DATA, so that no restored backup makes this witness forget; after a failed write nothing
//! more is cosigned, because nobody knows what a start would find; it never states an earlier time
//! than before, whatever its clock says and whichever log it speaks of; a log whose newest checkpoint
//! it may have forgotten is not cosigned until others told what they hold (`memory.rs`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallmark_schemas::defect::{Claim, TwoTrees};
use hallmark_schemas::head::Head;
use hallmark_schemas::merkle::{EMPTY_ROOT, Hash, prefix_of, verify_consistency};
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::{Checkpoint, NoteSigner, SignedNote, VerifierKey};
use hallmark_schemas::time::Timestamp;
use tokio::sync::Notify;
use tracing::{error, warn};

use hallmark_schemas::key::SignError;
use hallmark_schemas::layout::peer_name;

use memory::{Held, Known, Told};

use crate::mutants::mutant;
use crate::store::StoreError;
use crate::store::disk::{Disk, DiskError, OnPath};

pub mod asking;
pub(crate) mod elsewhere;
pub mod guard;
pub mod memory;
pub mod quorum;
pub(crate) mod recall;
pub mod renew;
mod stranger;
pub mod twin;
pub mod words;

/// Most hashes of a consistency proof (tlog-witness).
const PROOF_MAX: usize = 63;

/// A clock that is so many milliseconds behind what was stated before is told.
const CLOCK_BEHIND_MS: i64 = 5_000;

/// Cosigns checkpoints of the network's logs. Cheap to clone.
#[derive(Clone)]
pub struct Witness {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    signer: Arc<NoteSigner>,
    /// Logs of other networks that the operator lets us cosign: their keys, by origin.
    strangers: Arc<BTreeMap<String, Vec<VerifierKey>>>,
    states: Arc<Mutex<States>>,
    /// Some log came into doubt.
    doubted: Arc<Notify>,
}

/// What this witness knows. `cosign` alone changes it, with the files.
struct States {
    /// What was last cosigned, by hex of the origin.
    seen: BTreeMap<String, Seen>,
    /// Which logs were ever cosigned, and what of that may be forgotten.
    known: Known,
    /// What others told of logs in doubt, by hex of the origin.
    told: BTreeMap<String, Told>,
    /// A write failed: the files may hold more than `seen`.
    failed: bool,
    /// The latest time that was ever stated, in whole seconds as cosignatures state it.
    stated_at: Timestamp,
}

impl States {
    /// What the next checkpoint of a log must go on from: what was cosigned; or the copy here, which
    /// contains it; or, in doubt, the newest that anyone told, or what that has to be shown to grow from.
    fn base(&self, hex: &str, copied: Option<Copied>, is_in_doubt: bool) -> Option<Seen> {
        let seen = self.seen.get(hex);
        // What was never cosigned, and is in no doubt, begins at nothing.
        let copied = copied.filter(|_| seen.is_some() || is_in_doubt);
        let copy = copied.filter(|copied| copied.before.as_ref() == seen).map(|copied| copied.copy);
        let told = self.told.get(hex).filter(|_| is_in_doubt);
        let told = match told.map(|told| &told.lacks) {
            Some(Some((old, _))) => return Some(old.clone()),
            _ => told.and_then(|told| told.newest().cloned()),
        };
        let newest = seen.cloned().into_iter().chain(copy).chain(told);
        newest.reduce(|one, other| if one.size < other.size { other } else { one })
    }
}

/// What this node has copied of a log, beyond what its witness has cosigned.
struct Copied {
    /// What was cosigned when this was found.
    before: Option<Seen>,
    copy: Seen,
}

/// The newest checkpoint of one log that this witness has cosigned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// Its size.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The note with the log's signature and our cosignature.
    pub note: String,
}

impl Seen {
    /// Its tree.
    pub fn head(&self) -> Head {
        Head { size: self.size, root: self.root }
    }
}

/// What a good request gets.
#[derive(Debug, Eq, PartialEq)]
pub enum Answer {
    /// 200: our cosignature lines.
    Cosigned {
        /// One line each, with its newline.
        lines: String,
    },
    /// 409: the size that we hold.
    Conflict {
        /// Our size.
        size: u64,
    },
}

/// Why nothing was cosigned.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// 404: no log of this network, and none that the configuration names.
    #[error("{origin} is no log that this witness knows")]
    UnknownLog {
        /// What the checkpoint says.
        origin: String,
    },
    /// 403: no signature of the log's key, or a bad one.
    #[error("the checkpoint is not signed by the log's key: {reason}")]
    Untrusted {
        /// What is wrong.
        reason: String,
    },
    /// 400: not a request of tlog-witness, or a smaller tree.
    #[error("{reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// 422: the new tree does not contain the old one.
    #[error("the proof does not lead from {old} to {new}: {reason}")]
    Unproved {
        /// Old size.
        old: u64,
        /// New size.
        new: u64,
        /// What is wrong.
        reason: String,
        /// What it proves about the log, if the request itself proves it.
        claim: Option<Box<Claim>>,
    },
    /// 503: what this witness cosigned last of the log may be lost.
    #[error(
        "this witness may have lost what it cosigned last of {origin}, and cosigns nothing of it \
         until so many others have told what they hold that none can know more"
    )]
    Forgotten {
        /// The log.
        origin: String,
    },
    /// 500: the state cannot be made durable.
    #[error("the witness cannot write its state")]
    Disk {
        /// Why.
        source: DiskError,
    },
    /// 500: a write failed before, so nothing is cosigned until the next start.
    #[error("a write of the witness failed before: start the node again")]
    Failed,
    /// 500: the witness key does not sign.
    #[error("failed to sign with the witness key")]
    Sign {
        /// What the key's holder said.
        source: SignError,
    },
}

impl Fault {
    /// Whether the process must end: what the witness wrote last may or may not be durable.
    pub fn is_final(&self) -> bool {
        matches!(self, Fault::Disk { source } if source.is_final())
    }
}

/// A parsed `add-checkpoint` request.
struct Request {
    old: u64,
    proof: Vec<Hash>,
    note: SignedNote,
}

impl Witness {
    /// Reads the state under `dir` (DIR/head/witness). A damaged file counts as lost: what it said is
    /// asked of others before that log is cosigned again.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        signer: NoteSigner,
    ) -> Result<Witness, StoreError> {
        disk.create_dir_all(dir).on("make", dir)?;
        disk.settle_dir(dir).on("sync", dir)?;
        let (mut seen, mut stated_at) = (BTreeMap::new(), Timestamp::EPOCH);
        for name in disk.list(dir).on("list", dir)? {
            if name.len() != 64 {
                continue; // one that was being written when the process ended
            }
            let path = dir.join(&name);
            let Some(bytes) = disk.read(&path).on("read", &path)? else { continue };
            match remembered(&bytes, &name, signer.vkey()) {
                Some((one, told)) => {
                    stated_at = stated_at.max(told);
                    seen.insert(name, one);
                }
                None => error!(
                    path = %path.display(),
                    "what this witness cosigned of a log is damaged: what others hold is asked for"
                ),
            }
        }
        let mut known = Known::read(&*disk, dir)?;
        if mutant("witness-forgets") {
            seen.clear();
            known = Known::nothing();
        }
        let told = BTreeMap::new();
        let states = Arc::new(Mutex::new(States { seen, known, told, failed: false, stated_at }));
        let (dir, signer, strangers) = (dir.to_owned(), Arc::new(signer), Arc::default());
        let doubted = Arc::new(Notify::new());
        Ok(Witness { disk, dir, signer, strangers, states, doubted })
    }

    /// The same witness, for logs of other networks too: origin and key of each.
    pub fn knowing(self, logs: impl IntoIterator<Item = (String, VerifierKey)>) -> Witness {
        let mut strangers: BTreeMap<String, Vec<VerifierKey>> = BTreeMap::new();
        for (origin, key) in logs {
            strangers.entry(origin).or_default().push(key);
        }
        Witness { strangers: Arc::new(strangers), ..self }
    }

    /// The keys that may sign checkpoints of this log; none if it is not known. A log of the
    /// network has the key of the network file alone.
    fn keys_of(&self, network: &NetworkFile, origin: &str) -> Vec<VerifierKey> {
        match crate::peers::log_key(network, origin) {
            Some(key) => vec![key],
            None => self.strangers.get(origin).cloned().unwrap_or_default(),
        }
    }

    /// Our verifier key.
    pub fn vkey(&self) -> &VerifierKey {
        self.signer.vkey()
    }

    /// The newest that we cosigned of the log with this hex of its origin.
    pub fn seen(&self, hex: &str) -> Option<Seen> {
        self.states().seen.get(hex).cloned()
    }

    fn states(&self) -> MutexGuard<'_, States> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_in_doubt(&self, states: &States, hex: &str) -> bool {
        let is_stranger = self.strangers.keys().any(|origin| peer_name(origin) == hex);
        states.known.doubts(hex, is_stranger, states.seen.contains_key(hex))
    }

    /// `add-checkpoint` of tlog-witness: the order of its checks is the specification's. `held` gives
    /// what this node itself holds of a log: a request that goes on from less is refused as one that
    /// goes on from less than was cosigned.
    pub fn add_checkpoint(
        &self,
        network: &NetworkFile,
        body: &[u8],
        held: impl FnOnce(&str) -> Option<Held<'static>>,
        now: Timestamp,
    ) -> Result<Answer, Fault> {
        let request = parse(body)?;
        let checkpoint = Checkpoint::stated(request.note.text())
            .map_err(|e| Fault::Malformed { reason: e.to_string() })?;
        let keys = self.keys_of(network, &checkpoint.origin);
        if keys.is_empty() {
            return Err(Fault::UnknownLog { origin: checkpoint.origin });
        }
        is_trusted(&request.note, &keys)?;
        if checkpoint.size < request.old {
            let (old, new) = (request.old, checkpoint.size);
            return Err(Fault::Malformed { reason: format!("old size {old} is over size {new}") });
        }
        let hex = peer_name(&checkpoint.origin);
        let copied = held(&hex).and_then(|held| self.copied(&hex, &keys, &held));
        self.cosign(&keys, request, &checkpoint, copied, now)
    }

    /// The checkpoint that this node holds of a log, if what was cosigned is a beginning of its tree;
    /// with the state for which that was found.
    fn copied(&self, hex: &str, keys: &[VerifierKey], held: &Held<'_>) -> Option<Copied> {
        let copy = seen_in(&held.note, keys)?;
        let before = self.seen(hex);
        let is_within = before.as_ref().is_none_or(|seen| {
            seen.size < copy.size && (held.root_at)(seen.size) == Some(seen.root)
        });
        is_within.then_some(Copied { before, copy })
    }

    /// Checks against the state, stores, signs: all under the lock. The log's signature is checked.
    fn cosign(
        &self,
        keys: &[VerifierKey],
        request: Request,
        checkpoint: &Checkpoint,
        copied: Option<Copied>,
        now: Timestamp,
    ) -> Result<Answer, Fault> {
        let mut states = self.states();
        if states.failed {
            return Err(Fault::Failed);
        }
        let hex = peer_name(&checkpoint.origin);
        let is_in_doubt = self.is_in_doubt(&states, &hex);
        let base = states.base(&hex, copied, is_in_doubt);
        let (size, root) = base.as_ref().map_or((0, EMPTY_ROOT), |seen| (seen.size, seen.root));
        // What is known is told, also while more may have been cosigned.
        if request.old != size && (0 < size || !is_in_doubt) {
            return Ok(Answer::Conflict { size });
        }
        let lacks = states.told.get(&hex).and_then(|told| told.lacks.as_ref());
        let is_lacked =
            |(_, new): &(Seen, Seen)| (new.size, new.root) == (checkpoint.size, checkpoint.root);
        if is_in_doubt && !lacks.is_some_and(is_lacked) {
            return Err(Fault::Forgotten { origin: checkpoint.origin.clone() });
        }
        let (old, new) = (request.old, checkpoint.size);
        let unproved = |reason: String| {
            error!(origin = %checkpoint.origin, old, new, reason, "a log does not prove its growth");
            let seen = base.as_ref().and_then(|seen| SignedNote::parse(seen.note.as_bytes()).ok());
            let claim = seen.and_then(|seen| {
                let signed = |key: &&VerifierKey| {
                    [&seen, &request.note].iter().all(|note| note.checkpoint_of(key).is_ok())
                };
                keys.iter().find(signed).and_then(|key| two_histories(key, &seen, &request))
            });
            Fault::Unproved { old, new, reason, claim: claim.map(Box::new) }
        };
        if old == 0 && !request.proof.is_empty() {
            return Err(unproved("from nothing no proof is needed".to_owned()));
        }
        if new == 0 && checkpoint.root != EMPTY_ROOT {
            return Err(unproved("the root of an empty tree is another".to_owned()));
        }
        if old != 0 && !mutant("consistency-unchecked") {
            verify_consistency(old, &root, new, &checkpoint.root, &request.proof)
                .map_err(|e| unproved(e.to_string()))?;
        }
        let at = if mutant("witness-goes-back") { now } else { now.max(states.stated_at) };
        if CLOCK_BEHIND_MS < at.ms_since(now) {
            warn!(clock = %now, stated = %at, "the clock is behind what this witness stated before");
        }
        let signature =
            self.signer.sign(request.note.text(), at).map_err(|source| Fault::Sign { source })?;
        let lines = format!("{signature}\n");
        let mut note = request.note;
        note.retain(|line| keys.iter().any(|key| line.is_of(key)));
        note.add(signature);
        let state = Seen { size: new, root: checkpoint.root, note: note.to_string() };
        self.store(&mut states, hex.clone(), state)?;
        if is_in_doubt {
            self.end_doubt(&mut states, &hex, true)?;
        }
        states.stated_at = at;
        Ok(Answer::Cosigned { lines })
    }

    /// Makes what is known of a log durable; that it was ever cosigned first.
    fn store(&self, states: &mut States, hex: String, state: Seen) -> Result<(), Fault> {
        let path = self.dir.join(&hex);
        let mut stored = Ok(());
        if !states.known.notes(&hex) {
            let mut known = states.known.clone();
            known.note(&hex);
            stored = known.write(&*self.disk, &self.dir);
            if stored.is_ok() {
                states.known = known;
            }
        }
        let stored = stored.and_then(|()| {
            if mutant("witness-signs-before-durable") {
                self.disk.write(&path, state.note.as_bytes()).on("write", &path)
            } else {
                self.disk.replace(&path, state.note.as_bytes()).on("write", &path)
            }
        });
        stored.map_err(|source| {
            // Where nothing could be written nothing was changed, and it may be tried again.
            states.failed = source.is_final();
            Fault::Disk { source }
        })?;
        states.seen.insert(hex, state);
        Ok(())
    }

    /// Cosigns a checkpoint whose tree this node has itself, as writer or as mirror.
    ///
    /// `prove` gives the consistency proof between two sizes of that tree.
    pub fn cosign_held(
        &self,
        key: &VerifierKey,
        note: &SignedNote,
        now: Timestamp,
        prove: impl Fn(u64, u64) -> Option<Vec<Hash>>,
    ) -> Result<Option<String>, Fault> {
        let untrusted = |e: &dyn std::fmt::Display| Fault::Untrusted { reason: e.to_string() };
        let checkpoint = note.checkpoint_of(key).map_err(|e| untrusted(&e))?;
        let hex = peer_name(&checkpoint.origin);
        let old = self.seen(&hex).map_or(0, |seen| seen.size);
        if checkpoint.size < old || self.is_in_doubt(&self.states(), &hex) {
            return Ok(None);
        }
        let proof = if old == 0 || old == checkpoint.size {
            Vec::new()
        } else {
            let Some(proof) = prove(old, checkpoint.size) else {
                return Ok(None);
            };
            proof
        };
        let request = Request { old, proof, note: note.clone() };
        match self.cosign(std::slice::from_ref(key), request, &checkpoint, None, now)? {
            Answer::Cosigned { lines } => Ok(Some(lines)),
            Answer::Conflict { .. } => {
                warn!(origin = %checkpoint.origin, "another request came between");
                Ok(None)
            }
        }
    }
}

/// The claim that the log signed two histories, where its request shows that: another root for the
/// size that was cosigned, or a proof that leads to the new root from another old one.
fn two_histories(key: &VerifierKey, seen: &SignedNote, request: &Request) -> Option<Claim> {
    let (old, new) = (seen.checkpoint().ok()?, request.note.checkpoint().ok()?);
    let notes = [seen, &request.note];
    if old.size == new.size {
        return Some(Claim::Split(TwoTrees::new(key, notes, None)));
    }
    let prefix = prefix_of(old.size, new.size, &new.root, &request.proof)?;
    Some(Claim::Split(TwoTrees::new(key, notes, Some((prefix, &request.proof)))))
}

/// What a file says was cosigned of the log with this hex of its origin, and when; `None` if it is
/// damaged. Without a line of ours, as others told it or of an earlier key, it states no time.
fn remembered(bytes: &[u8], hex: &str, own: &VerifierKey) -> Option<(Seen, Timestamp)> {
    let note = SignedNote::parse(bytes).ok()?;
    let checkpoint = note.checkpoint().ok()?;
    let told = note.signed_by(own).ok()?;
    let (size, root) = (checkpoint.size, checkpoint.root);
    let seen = Seen { size, root, note: note.to_string() };
    (peer_name(&checkpoint.origin) == hex).then(|| (seen, told.unwrap_or(Timestamp::EPOCH)))
}

/// A checkpoint as it is remembered, if a key of the log has signed it: without others' signatures.
fn seen_in(note: &SignedNote, keys: &[VerifierKey]) -> Option<Seen> {
    let checkpoint = keys.iter().find_map(|key| note.checkpoint_of(key).ok())?;
    let mut note = note.clone();
    note.retain(|line| keys.iter().any(|key| line.is_of(key)));
    let (size, root) = (checkpoint.size, checkpoint.root);
    (0 < size).then(|| Seen { size, root, note: note.to_string() })
}

/// Fails unless a key of the log has signed, and none of them badly.
fn is_trusted(note: &SignedNote, keys: &[VerifierKey]) -> Result<(), Fault> {
    let untrusted = |reason: String| Fault::Untrusted { reason };
    let mut signed = false;
    for key in keys {
        signed |= note.signed_by(key).map_err(|e| untrusted(e.to_string()))?.is_some();
    }
    if signed {
        Ok(())
    } else {
        Err(untrusted("no key that is known for it has signed".to_owned()))
    }
}

/// `old <size>`, proof lines, an empty line, the checkpoint.
fn parse(body: &[u8]) -> Result<Request, Fault> {
    let wrong = |reason: &str| Fault::Malformed { reason: reason.to_owned() };
    let text = std::str::from_utf8(body).map_err(|_| wrong("the request is not UTF-8"))?;
    let (head, note) = text.split_once("\n\n").ok_or_else(|| wrong("there is no empty line"))?;
    let mut lines = head.split('\n');
    let old = lines.next().and_then(|line| line.strip_prefix("old "));
    let old = old.ok_or_else(|| wrong("the first line is not `old <size>`"))?;
    let is_decimal = old == "0" || (!old.starts_with('0') && !old.starts_with('+'));
    let old: u64 = old
        .parse()
        .ok()
        .filter(|_| is_decimal)
        .ok_or_else(|| wrong("the old size is no decimal number without leading zeros"))?;
    let mut proof = Vec::new();
    for line in lines {
        let hash = STANDARD.decode(line).ok().and_then(|hash| Hash::try_from(hash).ok());
        proof.push(hash.ok_or_else(|| wrong("a proof line is no base64 of 32 bytes"))?);
        if PROOF_MAX < proof.len() {
            return Err(wrong("the proof has more than 63 lines"));
        }
    }
    let note = SignedNote::parse(note.as_bytes())
        .map_err(|e| Fault::Malformed { reason: format!("the checkpoint cannot be read: {e}") })?;
    Ok(Request { old, proof, note })
}

/// The request that [`Witness::add_checkpoint`] takes.
pub fn encode_request(old: u64, proof: &[Hash], note: &SignedNote) -> Vec<u8> {
    let mut text = format!("old {old}\n");
    for hash in proof {
        text.push_str(&STANDARD.encode(hash));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&note.to_string());
    text.into_bytes()
}

#[cfg(test)]
mod tests;
