//! What must be true after every step, from what the world outside was told.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_node::core::Signing;
use hallmark_node::mirror::growth::WRITE_ENTRIES;
use hallmark_node::sim::{Reply, Request, SimNode};
use hallmark_node::store::tiles::parse_bundle;
use hallmark_node::witness::Seen;
use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::head::Head;
use hallmark_schemas::merkle::{Frontier, Hash};
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::SignedNote;
use hallmark_schemas::receipt::Receipt;
use hallmark_schemas::tile::TilePath;
use hallmark_schemas::time::Timestamp;

use super::byzantine::Byzantine;
use super::forgetting::Forgotten;
use super::stock::{DAWN, HONEST, STOCK};

/// Limits of what a node may remember of strangers, as every simulated node is set.
pub(super) const DEFERRED_PER_KEY_MAX: usize = 6;
pub(super) const DEFERRED_BYTES_MAX: usize = 64 << 10;
pub(super) const LACKING_MAX: usize = 4;

/// The one history of an honest log.
#[derive(Default)]
struct Tree {
    ids: Vec<ContentId>,
    places: BTreeMap<ContentId, u64>,
    frontier: Frontier,
    /// Of every size.
    roots: Vec<Hash>,
    /// Size of the newest published checkpoint.
    published: u64,
    /// The notes that were looked at.
    seen: BTreeSet<String>,
    /// The note that was published last, with its cosignatures.
    note: Option<SignedNote>,
}

/// What was promised by one honest node.
#[derive(Default)]
struct Promises {
    stored: BTreeSet<ContentId>,
    deferred: BTreeSet<ContentId>,
    /// Newest trees of its copies and of what its witness cosigned, by origin.
    copies: BTreeMap<String, Head>,
    witnessed: BTreeMap<String, Head>,
    /// What its witness stated last of each log, and the latest of all.
    stated: BTreeMap<String, String>,
    stated_at: Option<Timestamp>,
    /// What its witness may have forgotten, by origin.
    forgotten: BTreeMap<String, Forgotten>,
    /// Logs that its witness doubted, and of which it may so remember what others told.
    doubted: BTreeSet<String>,
}

/// All promises.
pub(super) struct Oracle {
    network: NetworkFile,
    trees: Vec<Tree>,
    promises: Vec<Promises>,
}

impl Oracle {
    pub(super) fn new(network: NetworkFile) -> Oracle {
        let tree = || Tree { roots: vec![Frontier::new().root()], ..Tree::default() };
        Oracle {
            network,
            trees: (0..HONEST).map(|_| tree()).collect(),
            promises: (0..HONEST).map(|_| Promises::default()).collect(),
        }
    }

    /// Entries that a node's log has published.
    pub(super) fn published(&self, node: usize) -> u64 {
        self.trees[node].published
    }

    /// The files of a node's copy of this log were damaged.
    pub(super) fn damaged(&mut self, node: usize, origin: &str) {
        self.promises[node].copies.remove(origin);
    }

    /// Whether the witness of some node may have forgotten something.
    pub(super) fn forgets_any(&self) -> bool {
        self.promises.iter().any(|promises| !promises.forgotten.is_empty())
    }

    /// The witness of a node may have forgotten what it cosigned of these logs.
    pub(super) fn forgets(&mut self, node: usize, origins: &[String]) {
        let promises = &mut self.promises[node];
        for origin in origins {
            promises.forgotten.insert(origin.clone(), Forgotten::default());
        }
        // Nor does it know when it stated something last.
        promises.stated_at = None;
    }

    /// A process begins: what the one before it was told it asks for again. Whoever tells it may sign
    /// more after that, which completes a quorum with what was forgotten: so only what was published
    /// before is held against it.
    pub(super) fn starts(&mut self, node: usize) {
        for (origin, forgotten) in &mut self.promises[node].forgotten {
            let whose = STOCK.origins.iter().position(|one| one == origin);
            let tree = whose.and_then(|whose| self.trees.get(whose));
            forgotten.begin(tree.map_or(0, |tree| tree.published));
        }
    }

    /// A node was told by another what that holds of a log, as witness and as mirror.
    pub(super) fn told(
        &mut self,
        (node, by): (usize, usize),
        origin: &str,
        holds: &[Option<String>; 2],
    ) {
        if let Some(forgotten) = self.promises[node].forgotten.get_mut(origin) {
            forgotten.tell(by, holds);
        }
    }

    /// A node said that it stored this.
    pub(super) fn stored(&mut self, node: usize, id: ContentId, known: bool) -> Result<(), String> {
        self.promises[node].deferred.remove(&id);
        if !self.promises[node].stored.insert(id) && !known {
            return Err(format!("node {node} took {id} for new, which it had acknowledged"));
        }
        Ok(())
    }

    /// A node said that it keeps this until its key is known.
    pub(super) fn deferred(&mut self, node: usize, id: ContentId) {
        self.promises[node].deferred.insert(id);
    }

    /// Everything that can be seen of a node after it moved.
    pub(super) fn look(
        &mut self,
        number: usize,
        node: &SimNode,
        liar: &Byzantine,
    ) -> Result<(), String> {
        let notes = node.unsigned().into_iter().chain(node.published().map(|one| one.note));
        for note in notes.collect::<Vec<_>>() {
            if !self.trees[number].seen.contains(note.text()) {
                self.signed(number, node, &note)?;
                self.trees[number].seen.insert(note.text().to_owned());
            }
        }
        self.look_published(number, node)?;
        self.look_copies(number, node, liar)?;
        self.look_witness(number, node, liar)?;
        let (count, bytes) = node.deferred();
        if (2 * DEFERRED_PER_KEY_MAX as u64) < count || (DEFERRED_BYTES_MAX as u64) < bytes {
            return Err(format!("node {number} keeps {count} deferred attestations: too many"));
        }
        Ok(())
    }

    /// A log signed a tree: it must be an end of the one history.
    fn signed(&mut self, number: usize, node: &SimNode, note: &SignedNote) -> Result<(), String> {
        let signed = note.checkpoint_of(STOCK.logs[number].vkey()).map_err(|e| e.to_string())?;
        let tree = &mut self.trees[number];
        let known = tree.ids.len() as u64;
        if known < signed.size {
            let entries = node.entries(known..signed.size)?;
            for entry in entries {
                if let Some(place) = tree.places.insert(entry.id, tree.ids.len() as u64) {
                    return Err(format!("{} is in log {number} twice, first at {place}", entry.id));
                }
                tree.ids.push(entry.id);
                tree.frontier.push(entry.leaf_hash());
                tree.roots.push(tree.frontier.root());
            }
        }
        if tree.roots[signed.size as usize] != signed.root {
            return Err(format!("log {number} signed two trees of size {}", signed.size));
        }
        Ok(())
    }

    fn look_published(&mut self, number: usize, node: &SimNode) -> Result<(), String> {
        let Some(published) = node.published() else { return Ok(()) };
        let size = published.head.size;
        let tree = &mut self.trees[number];
        if tree.roots.get(size as usize) != Some(&published.head.root) {
            return Err(format!("log {number} publishes a tree of size {size} it never signed"));
        }
        if size < tree.published {
            return Err(format!("log {number} publishes {size} entries after {}", tree.published));
        }
        if tree.note.as_ref() != Some(&*published.note) {
            tree.published = size;
            tree.note = Some((*published.note).clone());
            let policy = &self.network.network().policy;
            let key = STOCK.logs[number].vkey().clone();
            policy.check(&published.note, &key).map_err(|error| {
                format!("log {number} published size {size} without its quorum: {error}")
            })?;
        }
        Ok(())
    }

    fn look_copies(
        &mut self,
        number: usize,
        node: &SimNode,
        liar: &Byzantine,
    ) -> Result<(), String> {
        for copy in node.copies() {
            if LACKING_MAX < copy.lacking {
                let lacking = copy.lacking;
                return Err(format!("node {number} remembers {lacking} withheld bodies"));
            }
            if WRITE_ENTRIES < copy.unwritten {
                let (origin, count) = (copy.origin, copy.unwritten);
                return Err(format!("node {number} heaps up {count} entries that {origin} served"));
            }
            let whose = (0..HONEST).find(|one| STOCK.origins[*one] == copy.origin);
            if let Some(whose) = whose {
                let root = self.trees[whose].roots.get(copy.head.size as usize);
                if root != Some(&copy.head.root) {
                    let size = copy.head.size;
                    return Err(format!("node {number} copied a tree of {size} that never was"));
                }
            }
            let before = self.promises[number].copies.entry(copy.origin.clone());
            let before = before.or_insert(Head::EMPTY);
            if copy.head.size < before.size {
                let (origin, ours, size) = (copy.origin, before.size, copy.head.size);
                return Err(format!("node {number}: its copy of {origin} shrank {ours} to {size}"));
            }
            if whose.is_none() && !liar.has_both(*before, copy.head) {
                return Err(format!("node {number}: its copy of {} forked", copy.origin));
            }
            *before = copy.head;
        }
        Ok(())
    }

    fn look_witness(
        &mut self,
        number: usize,
        node: &SimNode,
        liar: &Byzantine,
    ) -> Result<(), String> {
        for whose in 0..=HONEST {
            let origin = &STOCK.origins[whose];
            let word = node.witnessed(origin);
            let forgotten = self.promises[number].forgotten.get_mut(origin);
            if node.doubts(origin) {
                self.promises[number].doubted.insert(origin.clone());
            } else if let Some(forgotten) = forgotten {
                forgotten.settle(number, whose, self.network.network().policy.is_none());
            }
            let forgotten = self.promises[number].forgotten.get_mut(origin);
            let is_left = forgotten.map(|forgotten| forgotten.is_left(word.as_ref()));
            if is_left == Some(true) {
                continue;
            }
            if is_left.is_some() {
                self.recalled((number, whose), word.as_ref(), liar)?;
            }
            let seen = word.as_ref().map_or(Head::EMPTY, |word| word.head());
            let before =
                self.promises[number].witnessed.entry(origin.clone()).or_insert(Head::EMPTY);
            let is_growth = if whose == HONEST {
                before.size <= seen.size && (*before == Head::EMPTY || liar.has_both(*before, seen))
            } else {
                before.size <= seen.size
                    && self.trees[whose].roots.get(seen.size as usize) == Some(&seen.root)
            };
            if !is_growth {
                let (old, new) = (before.size, seen.size);
                return Err(format!(
                    "witness {number} cosigned log {whose} at {old} and at {new}: no growth"
                ));
            }
            *before = seen;
            self.look_time(number, node, origin, word)?;
        }
        Ok(())
    }

    /// A witness that had forgotten has taken in, or cosigned, something of that log again.
    fn recalled(
        &mut self,
        (number, whose): (usize, usize),
        word: Option<&Seen>,
        liar: &Byzantine,
    ) -> Result<(), String> {
        let (origin, promises) = (&STOCK.origins[whose], &mut self.promises[number]);
        let Some(forgotten) = promises.forgotten.remove(origin) else { return Ok(()) };
        forgotten.may_end(number, whose, self.network.network().policy.is_none())?;
        let seen = word.map_or(Head::EMPTY, Seen::head);
        let contains = |head: &Head| {
            let is_one = whose < HONEST || *head == Head::EMPTY || liar.has_both(*head, seen);
            is_one && head.size <= seen.size
        };
        if !forgotten.heads().all(contains) {
            let size = seen.size;
            return Err(format!(
                "witness {number} went on with {size} entries of log {whose}, not with what it was told"
            ));
        }
        // No quorum had seen more of an honest log than it had published; what one of another saw
        // nobody can tell.
        let before = promises.witnessed.entry(origin.clone()).or_insert(Head::EMPTY);
        let size = forgotten.published;
        match self.trees.get(whose) {
            Some(tree) if size < before.size => {
                *before = Head { size, root: tree.roots[size as usize] };
            }
            Some(_) => {}
            None => *before = Head::EMPTY,
        }
        Ok(())
    }

    /// Whatever its clock says, a witness states no earlier time than it stated before.
    fn look_time(
        &mut self,
        number: usize,
        node: &SimNode,
        origin: &str,
        word: Option<Seen>,
    ) -> Result<(), String> {
        let promises = &mut self.promises[number];
        let before = promises.stated.get(origin);
        let Some(Seen { note, .. }) = word.filter(|word| before != Some(&word.note)) else {
            return Ok(());
        };
        let parsed = SignedNote::parse(note.as_bytes()).map_err(|error| error.to_string())?;
        let at = parsed.signed_by(node.witness_key()).map_err(|error| error.to_string())?;
        promises.stated.insert(origin.to_owned(), note);
        let Some(at) = at else {
            // What others told is remembered as they told it.
            let what = || format!("witness {number} keeps what it did not cosign");
            return promises.doubted.contains(origin).then_some(()).ok_or_else(what);
        };
        if !node.doubts(origin) {
            promises.doubted.remove(origin);
        }
        match promises.stated_at {
            Some(before) if at < before => {
                Err(format!("witness {number} stated {at} after it had stated {before}"))
            }
            _ => {
                promises.stated_at = Some(at);
                Ok(())
            }
        }
    }

    /// A node that runs on damaged or old files: it may serve less, never other.
    pub(super) fn look_serving(&self, number: usize, node: &SimNode) -> Result<(), String> {
        let tree = &self.trees[number];
        if let Some(published) = node.published() {
            let size = published.head.size;
            // It may have signed what the true one has only stored.
            let known = tree.roots.get(size as usize);
            if known.is_some_and(|root| *root != published.head.root) {
                return Err(format!(
                    "a damaged node {number} serves a tree of {size} never signed"
                ));
            }
            let bundle = TilePath::Entries { index: 0, width: size.min(256) as u16 };
            if let Reply::Bytes(200, bytes) = node.serve(DAWN, &Request::Bundle(bundle)) {
                let entries = parse_bundle(&bytes)?;
                if entries.iter().zip(&tree.ids).any(|(entry, id)| entry.id != *id) {
                    return Err(format!("a damaged node {number} serves other entries"));
                }
            }
            for id in &tree.ids {
                if let Ok(Some(body)) = node.body(id)
                    && ContentId::of(&body) != *id
                {
                    return Err(format!("a damaged node {number} serves another body for {id}"));
                }
            }
        }
        if let Some(note) = node.unsigned() {
            let signed = note.checkpoint().map_err(|error| error.to_string())?;
            let known = tree.roots.get(signed.size as usize);
            if known.is_some_and(|root| *root != signed.root) {
                return Err(format!("a damaged node {number} signed a second tree"));
            }
        }
        Ok(())
    }

    /// After everything was healed: what is still missing of the end that must come.
    pub(super) fn unsettled(&self, nodes: &[&SimNode]) -> Option<String> {
        for (number, node) in nodes.iter().enumerate() {
            let published = node.published().map_or(Head::EMPTY, |one| one.head);
            if !matches!(node.signing(), Signing::Ready) {
                return Some(format!("node {number} does not sign: {:?}", node.signing()));
            }
            if node.head() != published || node.is_full() {
                return Some(format!("node {number} has not published its head"));
            }
            for id in &self.promises[number].stored {
                if !self.trees[number].places.contains_key(id) {
                    return Some(format!("{id}, acknowledged by node {number}, is in no tree"));
                }
            }
            for id in &self.promises[number].deferred {
                if !self.trees[number].places.contains_key(id) && !node.defers(id) {
                    return Some(format!("{id}, deferred by node {number}, is nowhere"));
                }
            }
            let is_witnessed = !self.network.network().policy.is_none();
            let honest = &STOCK.origins[..HONEST];
            if let Some(log) = honest.iter().position(|origin| is_witnessed && node.doubts(origin))
            {
                return Some(format!(
                    "witness {number} still doubts what it cosigned of log {log}"
                ));
            }
            for copy in node.copies() {
                let Some(whose) = (0..HONEST).find(|one| STOCK.origins[*one] == copy.origin) else {
                    continue;
                };
                let theirs = nodes[whose].published().map_or(Head::EMPTY, |one| one.head);
                let lacks = node.wanted(&copy.origin);
                if copy.head != theirs || 0 < lacks {
                    let (have, of) = (copy.head.size, theirs.size);
                    return Some(format!(
                        "node {number} has {have} of {of} entries of log {whose}, {lacks} bodies missing"
                    ));
                }
                if let Err(error) = node.copy_entries(&copy.origin, 0..theirs.size) {
                    return Some(format!("node {number}: its copy of log {whose}: {error}"));
                }
            }
        }
        None
    }

    /// The last word: all that was acknowledged is there, once, whole, where it was.
    pub(super) fn end(&self, nodes: &[&SimNode]) -> Result<(), String> {
        for (number, node) in nodes.iter().enumerate() {
            let (tree, promises) = (&self.trees[number], &self.promises[number]);
            let size = node.head().size;
            let entries = node.entries(0..size)?;
            if !entries.iter().map(|entry| entry.id).eq(tree.ids.iter().copied()) {
                return Err(format!("log {number} is not what it signed"));
            }
            if !entries.is_sorted_by_key(|entry| entry.admitted_at) {
                return Err(format!("log {number}: an instant of admission runs backwards"));
            }
            for id in &tree.ids {
                match node.body(id)? {
                    Some(body) if ContentId::of(&body) == *id => {}
                    _ => return Err(format!("log {number} has lost the body of {id}")),
                }
            }
            if let Some(id) = promises.stored.first()
                && 1 < size
            {
                let recorded = node.recorded(id)?.ok_or("an acknowledged body has no receipt")?;
                let receipt = Receipt::parse(&recorded.receipt).map_err(|e| e.to_string())?;
                let (key, policy) = (STOCK.logs[number].vkey(), &self.network.network().policy);
                let proved = receipt.verify(*id, key, policy).map_err(|e| e.to_string())?;
                if tree.places.get(id) != Some(&proved.index) {
                    return Err(format!("{id} moved in log {number}"));
                }
            }
        }
        self.end_of_copies(nodes)
    }

    fn end_of_copies(&self, nodes: &[&SimNode]) -> Result<(), String> {
        for (number, node) in nodes.iter().enumerate() {
            for whose in (0..HONEST).filter(|whose| *whose != number) {
                let size = self.trees[whose].ids.len() as u64;
                let entries = node.copy_entries(&STOCK.origins[whose], 0..size)?;
                if !entries.iter().map(|entry| &entry.id).eq(&self.trees[whose].ids) {
                    return Err(format!("node {number} has other entries of log {whose}"));
                }
                for id in &self.trees[whose].ids {
                    match node.copy_body(&STOCK.origins[whose], id)? {
                        Some(body) if ContentId::of(&body) == *id => {}
                        _ => return Err(format!("node {number} has no copy of {id}")),
                    }
                }
            }
        }
        Ok(())
    }
}
