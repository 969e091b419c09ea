//! Why the entries that a log serves do not lead from our copy to its newest signed root.
//!
//! The hash tiles tell: if they give the signed root, they give what the signed tree has at the size
//! of our copy, and what it has in place of each entry. So either the log has two histories, or what
//! was served as an entry bundle is not what the log signed. If they give another root, nothing at
//! all is proved.

use std::path::PathBuf;
use std::sync::Arc;

use hallmark_schemas::defect::{BadTile, Claim, Served};
use hallmark_schemas::merkle::{self, Hash};
use hallmark_schemas::note::{Checkpoint, NoteSigner, SignedNote};
use hallmark_schemas::tile::{self, TILE_WIDTH, TileError, TilePath, TileReader};
use tokio::runtime::Handle;
use tracing::warn;

use crate::mirror::MirroredLog;
use crate::service::Service;
use crate::store::StoreError;

/// Most bundles that are asked for again to find the one that is wrong: 16 M entries.
const BUNDLES_MAX: u64 = 65_536;

/// Bytes of a hash.
const HASH: usize = 32;

/// Asks for the hash tiles of the note's tree, and keeps what they prove.
pub(super) fn prove(
    service: &Service,
    handle: &Handle,
    log: &Arc<MirroredLog>,
    note: &SignedNote,
) -> Result<Option<PathBuf>, StoreError> {
    let urls = service.addresses.urls(&service.network(), log.origin());
    let (Some(url), Ok(theirs)) = (urls.first(), note.checkpoint_of(log.log_key())) else {
        return Ok(None);
    };
    let source = Source { service, handle, url: format!("{url}/log") };
    let report = |path, served: &[u8]| source.report(log.origin(), path, served);
    keep(&|path| source.tile(path), &report, log, (note, &theirs))
}

/// The same with whoever gives tiles, and signs what was given.
pub(crate) fn keep(
    fetch: &dyn Fn(TilePath) -> Result<Vec<u8>, String>,
    report: &dyn Fn(TilePath, &[u8]) -> Option<SignedNote>,
    log: &MirroredLog,
    (note, theirs): (&SignedNote, &Checkpoint),
) -> Result<Option<PathBuf>, StoreError> {
    let mut tiles = TileReader::new(theirs.size, fetch);
    let mut read = |level, index| tiles.hash(level, index);
    match look(fetch, &mut read, log, theirs) {
        Ok(Found::Split { prefix, path }) => {
            let Some(ours) = log.checkpoint() else { return Ok(None) };
            log.keep_split([&ours, note], Some((prefix, &path)))
        }
        Ok(Found::Tile { at, leaf, proof, path, served }) => {
            let Some(report) = report(path, &served) else { return Ok(None) };
            let signed = (log.log_key(), note);
            let claim = BadTile::new(signed, (at, leaf), &proof, &served, &report);
            log.keep_defect(Claim::BadTile(claim))
        }
        Ok(Found::Nothing(why)) => {
            warn!(origin = log.origin(), why, "a log that is not followed further");
            Ok(None)
        }
        Err(error) => {
            warn!(origin = log.origin(), %error, "the hash tiles of a log tell nothing");
            Ok(None)
        }
    }
}

/// What the tiles tell.
enum Found {
    /// The signed tree has another root at the size of our copy.
    Split { prefix: Hash, path: Vec<Hash> },
    /// A bundle is not what the signed tree has: where it differs, and what the tree has there.
    Tile { at: u64, leaf: Hash, proof: Vec<Hash>, path: TilePath, served: Vec<u8> },
    /// Nothing that is proved.
    Nothing(&'static str),
}

type TileFault = TileError<String>;

fn look(
    fetch: &dyn Fn(TilePath) -> Result<Vec<u8>, String>,
    read: &mut impl FnMut(u32, u64) -> Result<Hash, TileFault>,
    log: &MirroredLog,
    theirs: &Checkpoint,
) -> Result<Found, TileFault> {
    if merkle::root_from_read(theirs.size, &mut *read)? != theirs.root {
        return Ok(Found::Nothing("its hash tiles do not give the root that it signed either"));
    }
    let ours = log.head();
    if 0 < ours.size && ours.size < theirs.size {
        let prefix = merkle::root_from_read(ours.size, &mut *read)?;
        if prefix != ours.root {
            let path = merkle::consistency_proof(ours.size, theirs.size, &mut *read)?;
            return Ok(Found::Split { prefix, path });
        }
    }
    let first = ours.size / u64::from(TILE_WIDTH);
    let end = theirs.size.div_ceil(u64::from(TILE_WIDTH)).min(first + BUNDLES_MAX);
    for index in first..end {
        let left = theirs.size - index * u64::from(TILE_WIDTH);
        let width = left.min(u64::from(TILE_WIDTH)) as u16;
        let path = TilePath::Entries { index, width };
        let served = fetch(path).map_err(TileError::Fetch)?;
        let Some((at, leaf)) = differs(&served, path, &mut *read)? else { continue };
        let proof = merkle::inclusion_proof(at, theirs.size, &mut *read)?;
        return Ok(Found::Tile { at, leaf, proof, path, served });
    }
    Ok(Found::Nothing("asked again, it serves what it signed"))
}

/// The first entry of a bundle that is not the signed tree's, with the leaf that the tree has.
fn differs(
    served: &[u8],
    path: TilePath,
    read: &mut impl FnMut(u32, u64) -> Result<Hash, TileFault>,
) -> Result<Option<(u64, Hash)>, TileFault> {
    let entries = tile::parse_entries(served).unwrap_or_default();
    let first = path.index() * u64::from(TILE_WIDTH);
    for place in 0..path.width() {
        let at = first + u64::from(place);
        let leaf = read(0, at)?;
        let served = entries.get(usize::from(place)).map(|entry| merkle::leaf_hash(entry));
        if served != Some(leaf) {
            return Ok(Some((at, leaf)));
        }
    }
    Ok(None)
}

/// Where tiles are asked for.
struct Source<'a> {
    service: &'a Service,
    handle: &'a Handle,
    url: String,
}

impl Source<'_> {
    /// A tile; where only the full one is there, of that as much as was asked for.
    fn tile(&self, path: TilePath) -> Result<Vec<u8>, String> {
        let get = |path: TilePath| {
            let url = format!("{}/{path}", self.url);
            let answer = self.handle.block_on(self.service.client.get(&url));
            answer.map_err(|error| error.to_string()).map(|answer| (answer.status, answer.body))
        };
        let (status, body) = get(path)?;
        if status == 200 {
            return Ok(body);
        }
        if !path.is_full()
            && let (200, mut body) = get(path.full())?
        {
            if let TilePath::Hashes { width, .. } = path {
                body.truncate(usize::from(width) * HASH);
            }
            return Ok(body);
        }
        Err(format!("{}/{path} answers {status}", self.url))
    }

    /// Our word of what was served, signed with the peer key.
    fn report(&self, origin: &str, path: TilePath, served: &[u8]) -> Option<SignedNote> {
        let now = (self.service.clock)();
        let mut note = Served::new(origin, &self.url, path, served, now).to_note()?;
        let signer =
            NoteSigner::log(&self.service.config.origin, self.service.peer.clone()).ok()?;
        note.add(signer.sign(note.text(), now).ok()?);
        Some(note)
    }
}
