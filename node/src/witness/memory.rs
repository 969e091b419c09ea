//! What a witness knows of its own memory: which logs it ever cosigned, and of which it has forgotten
//! the newest checkpoint.
//!
//! Invariants: a log is noted before the first cosignature of it leaves, so a file that is gone is
//! missed; only `init` says that nothing was cosigned before, so a folder that is gone is missed; of
//! a log that is *in doubt* nothing is cosigned until enough others told what they hold and all of it
//! is of one tree, and what anyone tells only raises what a request must go on from; nobody's silence
//! does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallmark_schemas::cosigned;
use hallmark_schemas::hex;
use hallmark_schemas::layout::peer_name;
use hallmark_schemas::merkle::Hash;
use hallmark_schemas::network::{Network, NetworkFile};
use hallmark_schemas::note::{SignedNote, VerifierKey};
use hallmark_schemas::time::Timestamp;
use tracing::{error, info, warn};

use super::guard::Holds;
use super::{Fault, Seen, States, Witness, seen_in};
use crate::core::LogHandle;
use crate::mirror::Mirror;
use crate::mutants::mutant;
use crate::store::StoreError;
use crate::store::disk::{Disk, DiskError, OnPath};

/// Which logs were ever cosigned. Kept in one file, replaced whole.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Known {
    /// By hex of the origin: whether what is here of it may be old, or nothing.
    logs: BTreeMap<String, bool>,
    /// A log of another network of which nothing is here may have been cosigned.
    doubts_strangers: bool,
    /// There is no file that says so: any log may have been cosigned.
    is_lost: bool,
}

impl Known {
    /// Nothing was ever cosigned.
    pub(super) fn nothing() -> Known {
        Known::default()
    }

    /// Reads the file; lost, damaged or none: any log may have been cosigned.
    pub(super) fn read(disk: &dyn Disk, dir: &Path) -> Result<Known, StoreError> {
        let path = path(dir);
        let bytes = disk.read(&path).on("read", &path)?;
        let known = bytes.as_deref().and_then(Known::parse);
        Ok(known.unwrap_or(Known { is_lost: true, ..Known::default() }))
    }

    fn parse(bytes: &[u8]) -> Option<Known> {
        let mut known = Known::default();
        for (name, is_doubted) in cosigned::parse(bytes)? {
            match name.as_str() {
                cosigned::STRANGERS => known.doubts_strangers = true,
                _ => _ = known.logs.insert(name, is_doubted),
            }
        }
        Some(known)
    }

    /// Durable when it returns.
    pub(super) fn write(&self, disk: &dyn Disk, dir: &Path) -> Result<(), DiskError> {
        let logs = self.logs.iter().map(|(name, is_doubted)| (name.as_str(), *is_doubted));
        let strangers = self.doubts_strangers.then_some((cosigned::STRANGERS, true));
        let text = cosigned::encode(logs.chain(strangers));
        disk.replace(&path(dir), text.as_bytes()).on("write", &path(dir))
    }

    /// Whether what was last cosigned of this log may be other than what is here.
    pub(super) fn doubts(&self, hex: &str, is_stranger: bool, is_here: bool) -> bool {
        if mutant("witness-cosigns-in-doubt") {
            return false;
        }
        match self.logs.get(hex) {
            Some(is_doubted) => *is_doubted || !is_here,
            None => !is_here && (self.is_lost || is_stranger && self.doubts_strangers),
        }
    }

    /// Whether this log is noted as one that was cosigned; where nothing is noted, none needs to be.
    pub(super) fn notes(&self, hex: &str) -> bool {
        self.is_lost || self.logs.contains_key(hex)
    }

    /// Notes a log before its first cosignature.
    pub(super) fn note(&mut self, hex: &str) {
        self.logs.insert(hex.to_owned(), false);
    }

    /// What was cosigned of this log is here again; or nothing was, as far as anyone knows.
    pub(super) fn settle(&mut self, hex: &str, is_here: bool) {
        self.logs.remove(hex);
        if is_here {
            self.note(hex);
        }
    }

    /// No file says what was cosigned: from now on one does, in which every log that there is and
    /// that is not here is in doubt. False if there is such a file.
    pub(super) fn begin_again(&mut self, logs: &BTreeSet<String>, here: &BTreeSet<String>) -> bool {
        if !self.is_lost {
            return false;
        }
        let all = logs.union(here).map(|hex| (hex.clone(), !here.contains(hex)));
        *self = Known { logs: all.collect(), doubts_strangers: true, is_lost: false };
        true
    }

    /// Everything here may be old.
    pub(super) fn doubt(&mut self, logs: &BTreeSet<String>, here: &BTreeSet<String>) {
        let noted: BTreeSet<String> = self.logs.keys().cloned().collect();
        let all = noted.iter().chain(logs).chain(here);
        let logs = all.map(|hex| (hex.clone(), true)).collect();
        *self = Known { logs, doubts_strangers: true, is_lost: false };
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join(cosigned::NAME)
}

/// Says that this witness has cosigned nothing yet. Only `init` does, once in the life of a key.
pub fn create(disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
    disk.create_dir_all(dir).on("make", dir)?;
    Ok(Known::nothing().write(disk, dir)?)
}

/// Says that what a stopped node's witness remembers in `dir` may be old, of these logs, by hex of
/// their origins, and of all that it has noted.
pub fn doubt(disk: &dyn Disk, dir: &Path, logs: &BTreeSet<String>) -> Result<(), StoreError> {
    disk.create_dir_all(dir).on("make", dir)?;
    let mut known = Known::read(disk, dir)?;
    let names = disk.list(dir).on("list", dir)?;
    let here = names.into_iter().filter(|name| hex::decode_array::<32>(name).is_some()).collect();
    known.doubt(logs, &here);
    Ok(known.write(disk, dir)?)
}

/// What others told of one log while it was in doubt.
#[derive(Default)]
pub(super) struct Told {
    /// By name of who did, the newest that it holds, as witness and as mirror.
    by: BTreeMap<String, [Option<Seen>; 2]>,
    /// One told two trees of one size: nothing here can say which one was cosigned.
    is_torn: bool,
    /// All that is known is of one tree if the second is shown to grow from the first.
    pub(super) lacks: Option<(Seen, Seen)>,
}

impl Told {
    /// Takes what one of them holds. That each of its two words has only grown is its promise.
    fn take(&mut self, name: &str, told: [Option<Seen>; 2]) {
        self.lacks = None;
        let known = self.by.entry(name.to_owned()).or_default();
        for (known, told) in known.iter_mut().zip(told) {
            match (&*known, told) {
                (Some(known), Some(told)) if told.size < known.size => {}
                (Some(known), Some(told)) if told.size == known.size => {
                    self.is_torn |= told.root != known.root;
                }
                (_, Some(told)) => *known = Some(told),
                (_, None) => {}
            }
        }
    }

    fn heads(&self) -> impl Iterator<Item = &Seen> {
        self.by.values().flatten().flatten()
    }

    /// The newest that anyone holds.
    pub(super) fn newest(&self) -> Option<&Seen> {
        self.heads().max_by_key(|seen| seen.size)
    }
}

/// Whether all that is known of a log is of one tree.
enum Lineage {
    /// It is.
    One,
    /// It is if the second is shown to grow from the first.
    Lacks(Seen, Seen),
    /// Nobody can tell yet: the copy here has to grow first.
    Open,
    /// It is not.
    Torn,
}

/// Holds what is known of a log against the copy here, of which the newest checkpoint is `copy`.
fn lineage<'a>(
    known: impl Iterator<Item = &'a Seen>,
    held: Option<&Held<'_>>,
    copy: Option<&Seen>,
) -> Lineage {
    if mutant("witness-goes-on-with-any-tree") {
        return Lineage::One;
    }
    let copied = copy.map_or(0, |copy| copy.size);
    let mut beyond: BTreeMap<u64, &Seen> = BTreeMap::new();
    for seen in known {
        let is_other = |root| root != seen.root;
        if seen.size <= copied {
            let root = held.and_then(|held| (held.root_at)(seen.size));
            match root {
                Some(root) if is_other(root) => return Lineage::Torn,
                Some(_) => {}
                None => return Lineage::Open,
            }
        } else if beyond.insert(seen.size, seen).is_some_and(|other| is_other(other.root)) {
            return Lineage::Torn;
        }
    }
    let mut steps = copy.filter(|_| !beyond.is_empty()).into_iter().chain(beyond.into_values());
    match (steps.next(), steps.next(), steps.next()) {
        (_, None, _) => Lineage::One,
        (Some(old), Some(new), None) => Lineage::Lacks(old.clone(), new.clone()),
        _ => Lineage::Open,
    }
}

/// What this node itself holds of a log: as a copy, or as its writer.
pub struct Held<'a> {
    /// The newest checkpoint.
    pub note: Arc<SignedNote>,
    /// The root of its first so many entries, where they are here.
    pub root_at: Box<dyn Fn(u64) -> Option<Hash> + 'a>,
}

impl Held<'static> {
    /// Of the log with this hex of its origin.
    pub fn of(log: &LogHandle, mirror: &Mirror, hex: &str) -> Option<Held<'static>> {
        if peer_name(log.origin()) == hex {
            let log = log.clone();
            let note = log.published()?.note;
            return Some(Held { note, root_at: Box::new(move |size| log.root_at(size).ok()) });
        }
        let copy = mirror.by_digest(hex)?;
        let note = copy.checkpoint()?;
        Some(Held { note, root_at: Box::new(move |size| copy.root_at(size).ok()) })
    }
}

/// Who may know what a witness has forgotten of a log: their names in the policy; where it names
/// nobody, the members' witnesses.
pub(crate) fn others(network: &Network, own: &VerifierKey) -> Vec<(String, VerifierKey)> {
    let named = network.policy.witnesses().iter().map(|one| (one.name.clone(), one.key.clone()));
    let members = network
        .members
        .iter()
        .map(|one| (one.witness_key.name().to_owned(), one.witness_key.clone()));
    let all: Vec<_> = if network.policy.is_none() { members.collect() } else { named.collect() };
    all.into_iter().filter(|(_, key)| key != own).collect()
}

/// Whether so much was heard of the log `origin` that no quorum can have seen more of it together
/// with this witness: of every quorum another member told, or all others did; and somebody beside
/// that log itself, or the copy here, is among those who told.
pub(super) fn is_enough(
    network: &Network,
    own: &VerifierKey,
    origin: &str,
    heard: &BTreeSet<String>,
    is_copied: bool,
) -> bool {
    let others = others(network, own);
    let all = others.iter().all(|(name, _)| heard.contains(name));
    let counts = |name: &str, key: &VerifierKey| key != own && heard.contains(name);
    let policy = &network.policy;
    let met = !policy.is_none() && policy.guard_met(|one| counts(&one.name, &one.key));
    let its = network.members.iter().find(|member| member.origin == origin);
    let is_its = |key: &VerifierKey| its.is_some_and(|member| member.witness_key == *key);
    let told = |(name, key): &(String, VerifierKey)| heard.contains(name) && !is_its(key);
    (met || all) && (is_copied || others.iter().any(told))
}

impl Witness {
    /// Those of these logs that may have been cosigned further than is known here.
    pub fn in_doubt<'a>(&self, origins: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let states = self.states();
        let mut origins: Vec<_> = origins.into_iter().map(str::to_owned).collect();
        origins.retain(|origin| self.is_in_doubt(&states, &peer_name(origin)));
        origins
    }

    /// Where nothing says which logs were ever cosigned: all that there are, by hex of their origins,
    /// of which nothing is here, are in doubt from now on, and those of other networks.
    pub fn begin(&self, logs: &BTreeSet<String>) -> Result<(), StoreError> {
        let mut states = self.states();
        let here = states.seen.keys().cloned().collect();
        let mut known = states.known.clone();
        if known.begin_again(logs, &here) {
            warn!("nothing says what this witness has cosigned: what others hold is asked for");
            known.write(&*self.disk, &self.dir)?;
            states.known = known;
        }
        Ok(())
    }

    /// What is remembered here may be old, of these and all logs: they are in doubt from now on.
    pub fn doubt(&self, logs: &BTreeSet<String>) -> Result<(), StoreError> {
        let mut states = self.states();
        let here = states.seen.keys().cloned().collect();
        states.known.doubt(logs, &here);
        states.told.clear();
        warn!("what this witness remembers may be old: what others hold is asked for");
        // In doubt whether or not it can be written down.
        let written = states.known.write(&*self.disk, &self.dir);
        drop(states);
        self.doubted.notify_one();
        Ok(written?)
    }

    /// Returns when some log came into doubt.
    pub(crate) async fn doubted(&self) {
        self.doubted.notified().await;
    }

    /// Takes what a witness of this name holds of a log in doubt. What is not signed by the log says
    /// nothing, and counts as no answer.
    pub fn told(&self, network: &NetworkFile, origin: &str, name: &str, holds: &Holds) {
        let keys = self.keys_of(network, origin);
        let mut states = self.states();
        let mut told = [None, None];
        for (told, note) in told.iter_mut().zip(holds) {
            let Some(note) = note else { continue };
            let stated = note.signed_by(self.signer.vkey()).ok().flatten();
            states.stated_at = states.stated_at.max(stated.unwrap_or(Timestamp::EPOCH));
            *told = seen_in(note, &keys);
            if told.is_none() {
                warn!(origin, name, "a witness's word about a log proves nothing");
                return;
            }
        }
        states.told.entry(peer_name(origin)).or_default().take(name, told);
    }

    /// Ends the doubt about a log if enough others have told what they hold of it, and all that is
    /// known of it is of one tree; true if there is none any more. What is newest of all that is known
    /// is what its next checkpoint goes on from.
    ///
    /// A log that lies may have been cosigned in one of its histories and be told of in the other: so
    /// where the copy here does not reach what was told, the log's next request has to show that it
    /// does ([`Told::lacks`]), or the copy to grow.
    pub fn settle(
        &self,
        network: &NetworkFile,
        origin: &str,
        held: Option<&Held<'_>>,
    ) -> Result<bool, Fault> {
        let (hex, keys) = (peer_name(origin), self.keys_of(network, origin));
        let copy = held.and_then(|held| seen_in(&held.note, &keys));
        let mut states = self.states();
        if !self.is_in_doubt(&states, &hex) {
            return Ok(true);
        }
        let stated = held.and_then(|held| held.note.signed_by(self.signer.vkey()).ok().flatten());
        states.stated_at = states.stated_at.max(stated.unwrap_or(Timestamp::EPOCH));
        let Some(told) = states.told.get(&hex) else { return Ok(false) };
        let (own, network) = (self.signer.vkey(), network.network());
        let heard = told.by.keys().cloned().collect();
        if told.is_torn || !is_enough(network, own, origin, &heard, held.is_some()) {
            return Ok(false);
        }
        let known = || told.heads().chain(states.seen.get(&hex));
        let lacks = match lineage(known(), held, copy.as_ref()) {
            Lineage::One => None,
            Lineage::Lacks(old, new) => Some((old, new)),
            Lineage::Open => return Ok(false),
            Lineage::Torn => {
                error!(origin, "others hold other histories of a log: it is not cosigned");
                return Ok(false);
            }
        };
        let newest = known().chain(&copy).max_by_key(|seen| seen.size).cloned();
        if lacks.is_some() {
            if let Some(told) = states.told.get_mut(&hex) {
                told.lacks = lacks;
            }
            return Ok(false);
        }
        if let Some(base) = &newest {
            self.store(&mut states, hex.clone(), base.clone())?;
        }
        self.end_doubt(&mut states, &hex, newest.is_some())?;
        info!(origin, "enough others told what they hold of a log: it is cosigned again");
        Ok(true)
    }

    /// What was cosigned of a log is known again, or nothing was. Durable when it returns.
    pub(super) fn end_doubt(
        &self,
        states: &mut States,
        hex: &str,
        is_here: bool,
    ) -> Result<(), Fault> {
        let mut known = states.known.clone();
        known.settle(hex, is_here);
        known.write(&*self.disk, &self.dir).map_err(|source| {
            states.failed = source.is_final();
            Fault::Disk { source }
        })?;
        states.known = known;
        states.told.remove(hex);
        Ok(())
    }

    /// The own log's fork guard has heard what others hold of it, and has found all of it here.
    pub fn settle_own(&self, origin: &str) -> Result<(), Fault> {
        let (hex, mut states) = (peer_name(origin), self.states());
        if !self.is_in_doubt(&states, &hex) {
            return Ok(());
        }
        let (is_here, mut known) = (states.seen.contains_key(&hex), states.known.clone());
        known.settle(&hex, is_here);
        known.write(&*self.disk, &self.dir).map_err(|source| Fault::Disk { source })?;
        states.known = known;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sim::SimDisk;

    fn hexes(bytes: &[u8]) -> BTreeSet<String> {
        bytes.iter().map(|byte| hex::encode(&[*byte; 32])).collect()
    }

    #[test]
    fn the_file_says_what_was_cosigned_and_a_damaged_one_says_nothing() {
        let (disk, dir) = (SimDisk::default(), Path::new("/w"));
        create(&disk, dir).unwrap();
        let (one, two) = (hex::encode(&[1; 32]), hex::encode(&[2; 32]));
        let mut known = Known::read(&disk, dir).unwrap();
        assert_eq!(known, Known::nothing());
        assert!(!known.doubts(&one, false, false) && !known.doubts(&one, true, false));
        known.note(&one);
        known.write(&disk, dir).unwrap();
        let read = Known::read(&disk, dir).unwrap();
        assert_eq!(read, known);
        assert!(read.doubts(&one, false, false), "its file is gone");
        assert!(!read.doubts(&one, false, true) && !read.doubts(&two, false, false));
        // Everything may be old: also what was never noted, of other networks.
        doubt(&disk, dir, &hexes(&[2])).unwrap();
        let read = Known::read(&disk, dir).unwrap();
        assert!(read.doubts(&one, false, true) && read.doubts(&two, false, true));
        let three = hex::encode(&[3; 32]);
        assert!(!read.doubts(&three, false, false), "a member that came later");
        assert!(read.doubts(&three, true, false) && !read.doubts(&three, true, true));
        let whole = disk.read(&dir.join(cosigned::NAME)).unwrap().unwrap();
        for damaged in [&b""[..], b"\n", b"hallmark witness memory 2\n", &whole[..whole.len() - 2]]
        {
            disk.replace(&dir.join(cosigned::NAME), damaged).unwrap();
            let read = Known::read(&disk, dir).unwrap();
            assert!(read.is_lost && read.doubts(&three, false, false), "{damaged:?}");
            assert!(!read.doubts(&three, false, true));
        }
    }

    #[test]
    fn a_lost_file_begins_again_with_all_logs_that_there_are_in_doubt() {
        let mut known = Known { is_lost: true, ..Known::default() };
        assert!(known.begin_again(&hexes(&[1, 2]), &hexes(&[2])));
        let name = |byte: u8| hex::encode(&[byte; 32]);
        assert!(known.doubts(&name(1), false, false) && !known.doubts(&name(2), false, true));
        assert!(!known.doubts(&name(3), false, false) && known.doubts(&name(3), true, false));
        assert!(!known.begin_again(&hexes(&[4]), &BTreeSet::new()), "it is there");
        known.settle(&name(1), false);
        assert!(!known.doubts(&name(1), false, false), "nobody knows anything of it");
        known.settle(&name(2), true);
        assert!(known.doubts(&name(2), false, false), "and now it is lost again");
    }
}
