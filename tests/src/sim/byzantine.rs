//! The member that lies: two histories of one log, withheld and damaged answers, sizes from nowhere.

use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;
use hallmark_node::sim::{Reply, Request};
use hallmark_node::store::sim::SimDisk;
use hallmark_node::store::tiles::{Edge, Tiles};
use hallmark_node::witness::encode_request;
use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::head::Head;
use hallmark_schemas::merkle::Hash;
use hallmark_schemas::note::{Checkpoint, NoteSigner, SignedNote};
use hallmark_schemas::tile::TilePath;
use hallmark_schemas::time::Timestamp;

use super::stock::{DAWN, HONEST, STOCK};

/// Entries that both histories share.
pub(super) const COMMON: u64 = 2;
/// Entries at most: a seed stays small.
const SIZE_MAX: u64 = 24;

struct Branch {
    tiles: Tiles,
    edge: Edge,
    roots: Vec<Hash>,
}

impl Branch {
    fn new() -> Branch {
        let tiles = Tiles::new(Arc::new(SimDisk::default()), Path::new("/b"));
        let edge = Edge::empty();
        let roots = vec![edge.root()];
        Branch { tiles, edge, roots }
    }

    fn head(&self) -> Head {
        Head { size: self.edge.size(), root: self.edge.root() }
    }

    /// A full bundle that begins with what it has and goes on with entries of nothing.
    fn endless(&self, index: u64) -> Vec<u8> {
        let width = self.edge.size() as u16;
        let known = TilePath::Entries { index: 0, width };
        let known = self.tiles.read(&known, self.head()).ok().flatten();
        let mut bundle = known.filter(|_| index == 0).unwrap_or_default();
        let entry = Entry { audience: 0, admitted_at: DAWN, id: ContentId::from_bytes([0; 32]) };
        let mut entry = entry.to_bytes().to_vec();
        entry.splice(0..0, (entry.len() as u16).to_be_bytes());
        while bundle.len() < 256 * entry.len() {
            bundle.extend_from_slice(&entry);
        }
        bundle
    }

    fn push(&mut self, id: ContentId) {
        let entry = Entry { audience: 0, admitted_at: DAWN, id };
        if let Ok(edge) = self.tiles.grow(&self.edge, &[entry]) {
            self.edge = edge;
            self.roots.push(self.edge.root());
        }
    }
}

/// The liar.
pub(super) struct Byzantine {
    signer: NoteSigner,
    branches: [Branch; 2],
    /// What each honest witness last said it has seen.
    seen: [u64; HONEST],
    /// It shows each node the other history from now on.
    pub(super) turned: bool,
    /// It serves entries without end under a checkpoint of a size from nowhere.
    is_endless: bool,
}

impl Byzantine {
    pub(super) fn new(is_endless: bool) -> Byzantine {
        let mut branches = [Branch::new(), Branch::new()];
        for branch in &mut branches {
            for piece in &STOCK.facilities[..COMMON as usize] {
                branch.push(piece.id);
            }
        }
        let (signer, seen, turned) = (STOCK.logs[HONEST].clone(), [0; HONEST], false);
        Byzantine { signer, branches, seen, turned, is_endless }
    }

    fn note(&self, size: u64, root: Hash) -> Option<SignedNote> {
        let text = Checkpoint::new(&STOCK.origins[HONEST], size, root).to_string();
        let signature = self.signer.sign(&text, Timestamp::EPOCH).ok()?;
        let mut note = SignedNote::unsigned(text)?;
        note.add(signature);
        Some(note)
    }

    /// One of its histories grows.
    pub(super) fn grow(&mut self, rng: &mut Rng) {
        let which = rng.usize(..2);
        let branch = &mut self.branches[which];
        if SIZE_MAX <= branch.edge.size() {
            return;
        }
        let piece = &STOCK.facilities[rng.usize(..STOCK.facilities.len())];
        let id = if rng.u8(..3) == 0 {
            ContentId::from_bytes(std::array::from_fn(|_| rng.u8(..)))
        } else if which == 0 {
            piece.id
        } else {
            STOCK.contradictions[rng.usize(..STOCK.contradictions.len())].id
        };
        branch.push(id);
    }

    /// Which history it shows this node.
    fn shown(&self, to: usize) -> &Branch {
        &self.branches[(to + usize::from(self.turned)) % 2]
    }

    /// The newest tree that it shows this node.
    pub(super) fn shown_head(&self, to: usize) -> Head {
        self.shown(to).head()
    }

    /// Whether one of its histories has both of these trees.
    pub(super) fn has_both(&self, one: Head, other: Head) -> bool {
        let has = |branch: &Branch, head: Head| {
            branch.roots.get(head.size as usize).is_some_and(|root| *root == head.root)
        };
        one == other || self.branches.iter().any(|branch| has(branch, one) && has(branch, other))
    }

    /// Answers an honest node.
    pub(super) fn serve(&mut self, rng: &mut Rng, from: usize, request: &Request) -> Reply {
        let lies = !self.turned;
        let shown = self.shown(from);
        let not_found = Reply::Bytes(404, Vec::new());
        match request {
            Request::Checkpoint => {
                let (head, other) = (shown.head(), self.shown(from + 1).head());
                let (size, root) = match rng.u8(..20) {
                    0 if lies => (head.size + (1 << 40), [9; 32]),
                    5..=15 if lies && self.is_endless => (1 << 40, [9; 32]),
                    1 if lies => (head.size / 2, [8; 32]),
                    2 | 3 if lies => (other.size, other.root),
                    4 if lies => return Reply::Bytes(200, vec![b'x'; 3000]),
                    // The size that the node has, of the other history.
                    _ => (head.size, head.root),
                };
                let note = self.note(size, root);
                note.map_or(not_found, |note| Reply::Bytes(200, note.to_bytes()))
            }
            Request::Bundle(path) => match shown.tiles.read(path, shown.head()) {
                Ok(Some(mut bytes)) if !bytes.is_empty() => {
                    match rng.u8(..8) {
                        0 if lies => return not_found,
                        1 if lies => bytes = vec![0; 300_000],
                        2 if lies => *bytes.last_mut().expect("not empty") ^= 1,
                        _ => {}
                    }
                    Reply::Bytes(200, bytes)
                }
                _ if lies && self.is_endless => Reply::Bytes(200, shown.endless(path.index())),
                _ if lies && rng.bool() => Reply::Bytes(200, vec![0; 43 * 256]),
                _ => not_found,
            },
            Request::Bodies(ids) => {
                let all = || STOCK.facilities.iter().chain(&STOCK.contradictions);
                let body = |id: &ContentId| all().find(|piece| piece.id == *id);
                let mut answer = |id: &ContentId| match rng.u8(..6) {
                    0 if lies => None,
                    1 if lies => Some(STOCK.facilities[rng.usize(..4)].stored.clone()),
                    _ => body(id).map(|piece| piece.stored.clone()),
                };
                Reply::Bodies(ids.iter().map(&mut answer).collect())
            }
            Request::Held(_) => Reply::Held([None, None]),
            Request::AddCheckpoint(_) | Request::Process => not_found,
        }
    }

    /// Asks a witness to cosign one of its histories.
    pub(super) fn push(&self, rng: &mut Rng, to: usize) -> Option<Request> {
        let branch = &self.branches[rng.usize(..2)];
        let head = branch.head();
        let old = self.seen[to];
        if rng.u8(..12) == 0 {
            let note = self.note(head.size + 5, [7; 32])?;
            return Some(Request::AddCheckpoint(encode_request(old, &[], &note)));
        }
        let proof = if 0 < old && old < head.size {
            branch.tiles.consistency(old, head.size, head).ok()?
        } else {
            Vec::new()
        };
        let note = self.note(head.size, head.root)?;
        Some(Request::AddCheckpoint(encode_request(old.min(head.size), &proof, &note)))
    }

    /// What a witness answered.
    pub(super) fn hears(&mut self, from: usize, reply: &Reply, size: Option<u64>) {
        match reply {
            Reply::Bytes(409, body) => {
                let told = String::from_utf8_lossy(body).trim().parse();
                self.seen[from] = told.unwrap_or(0);
            }
            Reply::Bytes(200, _) => self.seen[from] = size.unwrap_or(0),
            _ => {}
        }
    }
}
