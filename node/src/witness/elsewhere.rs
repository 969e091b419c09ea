//! What others hold of our log that this process did not sign: found, proved, kept; then nothing
//! more is signed here.
//!
//! Invariants: a checkpoint under this log's own signature that is not of the tree here stops the
//! log at once, whoever shows it; what a witness merely says stops nothing; what both trees were
//! signed for is kept as a defect proof.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hallmark_schemas::defect::{Claim, DefectProof, TwoTrees};
use hallmark_schemas::layout::{Data, peer_name};
use hallmark_schemas::merkle::{self, Hash};
use hallmark_schemas::note::{SignedNote, VerifierKey};
use hallmark_schemas::tile::{TilePath, TileReader};
use tokio::runtime::Handle;
use tracing::{error, warn};

use super::guard::Refused;
use super::quorum::witness_road;
use super::recall;
use crate::api::problem::with_causes;
use crate::core::{GuardView, LogHandle, Signing};
use crate::files::write_durably;
use crate::mutants::mutant;
use crate::peers::road::Road;
use crate::service::Service;
use crate::store::disk::OsDisk;
use crate::store::elsewhere::Elsewhere;

/// Longest wait for what one node holds of our log.
const HELD_WAIT_MAX: Duration = Duration::from_secs(10);
/// Bytes of a hash in a tile.
const HASH_BYTES: usize = 32;
/// Most proofs against the own log that are kept: one is enough.
const KEPT_MAX: usize = 16;

/// What is behind the word of a witness.
pub(super) enum Behind {
    /// This checkpoint.
    Signed(Refused),
    /// Nothing: what it holds is of the tree here, or was given up.
    Nothing,
    /// It does not show what it speaks of.
    Unshown,
}

/// What a checkpoint that somebody holds of our log says about the tree here; `None` if the log did
/// not sign it, or has it, or gave it up.
pub(crate) fn judge(log: &LogHandle, key: &VerifierKey, note: &SignedNote) -> Option<Refused> {
    let theirs = note.checkpoint_of(key).ok()?;
    let view = log.compare(&theirs).ok().filter(|view| *view != GuardView::Within)?;
    if mutant("fork-unnoticed") {
        return None;
    }
    Some(Refused { size: theirs.size, view, note: Some(note.clone()) })
}

/// Looks for the checkpoint that a witness speaks of which refused ours: at its own node, in the own
/// witness's memory, then at all others.
pub(super) async fn look(service: &Arc<Service>, witness: &VerifierKey) -> Behind {
    let own = service.witness.seen(&peer_name(&service.config.origin));
    let own = own.and_then(|seen| SignedNote::parse(seen.note.as_bytes()).ok());
    let its = match witness_road(service, witness) {
        Some(road) if witness != service.witness.vkey() => patient(service, &road).await,
        _ => Vec::new(),
    };
    let is_shown = !its.is_empty() || witness == service.witness.vkey();
    if let Some(found) = worst(service, its.into_iter().chain(own).collect()).await {
        return Behind::Signed(found);
    }
    if is_shown {
        return Behind::Nothing;
    }
    let network = service.network();
    let members = network.network().members.iter();
    let others = members.filter(|member| member.origin != service.config.origin);
    let roads: Vec<Road<'_>> =
        others.filter_map(|member| Road::to(service, &member.origin)).collect();
    let held = join_all(roads.iter().map(|road| patient(service, road))).await;
    match worst(service, held.into_iter().flatten().collect()).await {
        Some(found) => Behind::Signed(found),
        None => Behind::Unshown,
    }
}

/// What a node holds of our log; nothing if it does not say so in time.
async fn patient(service: &Service, road: &Road<'_>) -> Vec<SignedNote> {
    let held = tokio::time::timeout(HELD_WAIT_MAX, road.held(&service.config.origin)).await;
    held.ok().and_then(Result::ok).into_iter().flatten().flatten().collect()
}

/// Of these checkpoints one that is not of the tree here; rather one that shows another tree.
async fn worst(service: &Arc<Service>, held: Vec<SignedNote>) -> Option<Refused> {
    let (log, key) = (service.node.log().clone(), own_key(service));
    let work = move || {
        let found = held.iter().filter_map(|note| judge(&log, &key, note));
        found.max_by_key(|one| (one.view == GuardView::Forked, one.size))
    };
    tokio::task::spawn_blocking(work).await.ok().flatten()
}

/// A checkpoint of this log that somebody shows, whoever it is: true if it ends all signing here.
/// Reads files: it blocks.
pub(crate) fn shown(service: &Arc<Service>, note: &SignedNote) -> bool {
    let log = service.node.log();
    let Some(refused) = judge(log, &own_key(service), note) else { return false };
    let is_running = log.signing() != Signing::WaitingForGuard;
    stop(service, refused, is_running);
    true
}

/// The same, off the async threads.
pub(super) async fn shown_async(service: &Arc<Service>, note: SignedNote) -> bool {
    let asked = Arc::clone(service);
    tokio::task::spawn_blocking(move || shown(&asked, &note)).await.unwrap_or(false)
}

/// Asks the witnesses of the policy what they hold of this log: what another process signed while
/// this one was held, or cut off, ends all signing here before it is asked for a cosignature.
pub(super) async fn ask_witnesses(service: &Arc<Service>) {
    let network = service.network();
    let keys = network.network().policy.witnesses().iter().map(|witness| &witness.key);
    let others = keys.filter(|key| *key != service.witness.vkey());
    let roads: Vec<Road<'_>> = others.filter_map(|key| witness_road(service, key)).collect();
    let held = join_all(roads.iter().map(|road| patient(service, road))).await;
    if let Some(refused) = worst(service, held.into_iter().flatten().collect()).await {
        stop(service, refused, true);
    }
}

/// What an earlier run found to be signed elsewhere, if nobody but this folder can say so: where there
/// are witnesses, they say after each start what counts. `restore` is what forgets it.
pub(super) async fn found_before(service: &Arc<Service>) -> Option<Refused> {
    if !service.network().network().policy.is_none() {
        return None;
    }
    let asked = Arc::clone(service);
    let work = move || {
        let kept = Elsewhere::new(Arc::new(OsDisk), &asked.data).newest();
        let kept = kept.unwrap_or_else(|error| {
            let error = with_causes(&error);
            warn!(error, "what was signed elsewhere before cannot be read");
            None
        });
        judge(asked.node.log(), &own_key(&asked), &kept?)
    };
    tokio::task::spawn_blocking(work).await.ok().flatten()
}

/// The key under which checkpoints are this log's.
pub(super) fn own_key(service: &Service) -> VerifierKey {
    crate::peers::log_key(&service.network(), &service.config.origin)
        .unwrap_or_else(|| service.log_vkey.clone())
}

/// Ends all signing, and keeps what proves why; once, and whatever becomes of who found it.
pub(super) fn stop(service: &Arc<Service>, refused: Refused, is_running: bool) {
    if !service.words.stops() {
        return;
    }
    if is_running {
        service.beside.give_way();
    }
    let (size, view) = (refused.size, refused.view);
    error!(size, ?view, "this log was signed elsewhere: read-only");
    let (service, handle) = (Arc::clone(service), Handle::current());
    tokio::task::spawn_blocking(move || {
        let signed = signed_here(&service);
        service.node.log().guard_refused(&refused, is_running);
        // What the witness remembers lies in the same folder, and its key is where the folder is.
        if let Err(error) = service.witness.doubt(&recall::logs(&service)) {
            let error = with_causes(&error);
            warn!(error, "it cannot be written down that the witness's memory may be old");
        }
        let proved = refused.note.map(|note| prove(&service, &handle, &signed, &note));
        match proved.unwrap_or(Ok(None)) {
            Ok(Some(path)) => {
                error!(path = %path.display(), "both trees were signed: this file proves it");
            }
            Ok(None) => {}
            Err(reason) => warn!(reason, "no proof of two trees is kept"),
        }
    });
}

/// What this log signed here, as far as it can still be shown; the newest first.
fn signed_here(service: &Service) -> Vec<SignedNote> {
    let log = service.node.log();
    let seen = service.witness.seen(&peer_name(log.origin()));
    let seen = seen.and_then(|seen| SignedNote::parse(seen.note.as_bytes()).ok());
    let waiting = log.subscribe_unsigned().borrow().as_deref().cloned();
    let published = log.published().map(|published| (*published.note).clone());
    waiting.into_iter().chain(seen).chain(published).collect()
}

/// A defect proof against the own log, if a note that was signed here contradicts this one.
fn prove(
    service: &Service,
    handle: &Handle,
    signed: &[SignedNote],
    theirs: &SignedNote,
) -> Result<Option<PathBuf>, String> {
    let log = service.node.log();
    let tiles = |note: &SignedNote, size| larger(service, handle, note, size);
    for ours in signed {
        if let Some(trees) = contradiction(log, &own_key(service), ours, theirs, &tiles) {
            let proof = DefectProof::new(&service.network(), Claim::Split(trees));
            return keep(&service.data, &proof.map_err(|e| with_causes(&e))?).map(Some);
        }
    }
    Ok(None)
}

/// The root that a tree has at a smaller size, and the proof that leads from there to its own.
type Link = (Hash, Vec<Hash>);

/// What two notes show together, one of them of the tree here; `None` if they do not contradict each
/// other, or nobody gives the hashes that would show it.
fn contradiction(
    log: &LogHandle,
    key: &VerifierKey,
    ours: &SignedNote,
    theirs: &SignedNote,
    larger: &dyn Fn(&SignedNote, u64) -> Option<Link>,
) -> Option<TwoTrees> {
    let (one, other) = (ours.checkpoint_of(key).ok()?, theirs.checkpoint_of(key).ok()?);
    if one.size == other.size {
        return (one.root != other.root).then(|| TwoTrees::new(key, [ours, theirs], None));
    }
    let (notes, size, root, (prefix, path)) = if other.size < one.size {
        let is_here = log.root_at(one.size).is_ok_and(|root| root == one.root);
        let prefix = log.root_at(other.size).ok().filter(|_| is_here)?;
        let link = (prefix, log.consistency_proof(other.size, one.size).ok()?);
        ([theirs, ours], other.size, other.root, link)
    } else {
        ([ours, theirs], one.size, one.root, larger(theirs, one.size)?)
    };
    let differs = 0 < size && prefix != root;
    differs.then(|| TwoTrees::new(key, notes, Some((prefix, &path))))
}

/// The same of a tree that is not here, from the hash tiles of whoever mirrors it.
fn larger(service: &Service, handle: &Handle, note: &SignedNote, size: u64) -> Option<Link> {
    let theirs = note.checkpoint().ok()?;
    let (network, origin) = (service.network(), &service.config.origin);
    let others = network.network().members.iter().filter(|member| member.origin != *origin);
    let mut roads = others.filter_map(|member| Road::to(service, &member.origin));
    roads.find_map(|road| {
        let fetch = |path: TilePath| {
            let asked = tokio::time::timeout(HELD_WAIT_MAX, road.tile(origin, path));
            let mut bytes = handle.block_on(asked).ok().and_then(Result::ok).ok_or(())?;
            bytes.truncate(usize::from(path.width()) * HASH_BYTES);
            Ok::<_, ()>(bytes)
        };
        let mut tiles = TileReader::new(theirs.size, fetch);
        let mut read = |level, index| tiles.hash(level, index);
        if merkle::root_from_read(theirs.size, &mut read).ok()? != theirs.root {
            return None;
        }
        let prefix = merkle::root_from_read(size, &mut read).ok()?;
        Some((prefix, merkle::consistency_proof(size, theirs.size, &mut read).ok()?))
    })
}

/// Keeps a proof against the own log that was verified.
pub(crate) fn keep(data: &Data, proof: &DefectProof) -> Result<PathBuf, String> {
    let dir = data.defects();
    let path = dir.join(format!("{}-{}.defect", proof.claim().word(), proof.digest()));
    if path.exists() || KEPT_MAX <= files(&dir).len() {
        return Ok(path);
    }
    std::fs::create_dir_all(&dir)
        .and_then(|()| write_durably(&path, proof.bytes()))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

/// The proofs that are kept against the own log.
pub(crate) fn proofs(data: &Data) -> Vec<DefectProof> {
    let read = |path: PathBuf| DefectProof::parse(&std::fs::read(path).ok()?).ok();
    files(&data.defects()).into_iter().filter_map(read).collect()
}

/// What they show, in one sentence each.
pub(crate) fn kept(data: &Data) -> Vec<String> {
    let sentence = |proof: DefectProof| {
        Some(format!("{}: {}", proof.claim().word(), proof.verify().ok()?.sentence))
    };
    proofs(data).into_iter().filter_map(sentence).collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_one = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "defect");
    let mut files: Vec<PathBuf> = listed.filter(is_one).collect();
    files.sort();
    files
}
