//! A log that was signed twice: which of the two trees goes on.
//!
//! Invariants: what was published, here or elsewhere, is never given up: where both were, nothing
//! mends that; a tree is given up only if its log never published it and no quorum can have cosigned
//! it; what is given up is written down before anything of it is touched, its bodies stay in the
//! packs and are logged again.

use hallmark_schemas::head::Head;
use hallmark_schemas::tile::{TILE_WIDTH, TilePath, tiles_of_growth};

use super::{Recovery, RestoreError, Source, head_of};
use crate::store::disk::OnPath;
use crate::store::tiles::parse_bundle;

impl Recovery {
    /// Whether what this machine wrote last is lost, or older than this tree that the log signed.
    pub(crate) fn is_older_than(&self, signed: Head) -> bool {
        self.known.is_none_or(|known| known.size < signed.size)
    }

    /// Notes which witness of the policy has its key in this folder.
    pub(crate) fn own_witness(&mut self, name: &str) {
        self.own_witness = Some(name.to_owned());
    }

    /// Notes what another process that signs this log says that it has published.
    pub(crate) fn other(&mut self, published: Head) {
        self.other = Some(published);
    }

    /// Whether this tree is here, or the beginning of what is.
    pub(super) fn is_here(&self, head: Head) -> Result<bool, RestoreError> {
        let is_within = head.size <= self.floor.size;
        Ok(is_within && self.tiles.root_within(head.size, self.floor.size)? == head.root)
    }

    /// Trees that this log signed and that contradict the one here, and were not given up before.
    pub(super) fn rivals(&self) -> Result<Vec<Head>, RestoreError> {
        let mut rivals = Vec::new();
        for head in self.notes.keys().map(head_of) {
            if head.size <= self.floor.size && !self.is_here(head)? {
                rivals.push(head);
            }
        }
        Ok(rivals)
    }

    /// If there are rivals, the newest tree that is not here and was published; none if every rival
    /// may be given up.
    pub(super) fn published_rival(&self, rivals: &[Head]) -> Result<Option<Head>, RestoreError> {
        if rivals.is_empty() {
            return Ok(None);
        }
        for ((size, root), note) in self.notes.iter().rev() {
            let head = Head { size: *size, root: *root };
            if !self.is_here(head)? && self.policy.quorum_met(note)?.is_some() {
                return Ok(Some(head));
            }
        }
        for rival in rivals {
            self.may_give_up(*rival, self.floor)?;
        }
        Ok(None)
    }

    /// An error if this tree, which contradicts `kept`, may have been published elsewhere.
    pub(super) fn may_give_up(&self, rival: Head, kept: Head) -> Result<(), RestoreError> {
        let tree = (rival.size, rival.root);
        let is_published = match self.notes.get(&tree) {
            Some(note) => self.policy.quorum_met(note)?.is_some(),
            None => false,
        };
        if is_published || self.own.contains(&tree) {
            let (ours, theirs) = (self.published, rival.size);
            return Err(RestoreError::BothPublished { from: None, ours, theirs });
        }
        let other_has_not = match self.other {
            Some(other) => other.size < rival.size,
            None => false,
        };
        let may_have = |name: &String| match self.heard.get(name) {
            // The key in this folder was copied with it.
            _ if self.own_witness.as_ref() == Some(name) => Ok(true),
            None => Ok(true),
            Some(None) => Ok(false),
            Some(Some(newest)) => {
                let is_other = kept.size < newest.size
                    || self.tiles.root_within(newest.size, kept.size)? != newest.root;
                Ok::<bool, RestoreError>(is_other && rival.size <= newest.size)
            }
        };
        let mut possible = std::collections::BTreeSet::new();
        for witness in self.policy.witnesses() {
            if may_have(&witness.name)? {
                possible.insert(witness.name.clone());
            }
        }
        let is_impossible = self.policy.guard_met(|witness| !possible.contains(&witness.name));
        if other_has_not || is_impossible {
            return Ok(());
        }
        Err(RestoreError::MayBePublished { size: rival.size })
    }

    /// The first entry in which what somebody gives of `target` differs from what is here.
    pub(super) fn differs_from(
        &self,
        target: Head,
        source: &mut dyn Source,
    ) -> Result<Option<u64>, RestoreError> {
        let shared = target.size.min(self.floor.size);
        for giver in 0..source.givers() {
            let mut first = None;
            let mut to = shared;
            while 0 < to {
                let index = (to - 1) / u64::from(TILE_WIDTH);
                let from = index * u64::from(TILE_WIDTH);
                let width = (to - from) as u16;
                let given = source.tile(giver, &TilePath::Entries { index, width });
                let given = given.and_then(|bytes| parse_bundle(&bytes).ok());
                let Some(theirs) = given.filter(|theirs| theirs.len() == usize::from(width)) else {
                    break;
                };
                let ours = self.tiles.entries(from..to, self.floor.size)?;
                match theirs.iter().zip(&ours).position(|(theirs, ours)| theirs != ours) {
                    Some(at) => first = Some(from + at as u64),
                    None => break,
                }
                to = from;
            }
            if first.is_some() {
                return Ok(first);
            }
        }
        Ok(None)
    }

    /// Gives the tree that is here up from the newest published one before entry `first` on.
    pub(super) fn give_up(&mut self, first: u64, target: Head) -> Result<(), RestoreError> {
        let published = self.own.iter().rev().map(head_of);
        let before = published.into_iter().find(|head| head.size <= first && self.is_whole(*head));
        let base = before.unwrap_or(Head::EMPTY);
        if base.size < self.published {
            let (ours, theirs) = (self.published, target.size);
            return Err(RestoreError::BothPublished { from: Some(first), ours, theirs });
        }
        let mut gone = vec![self.floor];
        for head in self.notes.keys().map(head_of).filter(|head| base.size < head.size) {
            if self.is_here(head)? && head != self.floor {
                gone.push(head);
            }
        }
        for head in gone {
            self.elsewhere.give_up(head)?;
        }
        for path in tiles_of_growth(base.size, self.floor.size) {
            let path = self.tiles.path(&path);
            self.disk.remove(&path).on("remove", &path)?;
        }
        self.given_up = Some((self.floor, first));
        self.floor = base;
        Ok(())
    }
}
