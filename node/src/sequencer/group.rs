//! Group commit: many submissions, one sync, then all are answered.
//!
//! Invariant: whatever is answered as stored or contradicted is durable, or was before.

use std::collections::{HashMap, HashSet};

use hallmark_schemas::attestation::{ContentId, Envelope, Verified};
use hallmark_schemas::kind::{Body, KindName};

use super::{Pending, SequenceError, Sequencer};
use crate::admission::keys::changes_keys;
use crate::index::Batch;
use crate::index::goods::Naming;

/// An attestation that admission has verified, on its way into the log.
pub(crate) struct Candidate {
    envelope: Envelope,
    identity: [u8; 32],
}

impl Candidate {
    /// Only a verified attestation becomes a candidate.
    pub(crate) fn new(verified: Verified) -> Candidate {
        let envelope = verified.into_envelope();
        let identity = envelope.identity().key;
        Candidate { envelope, identity }
    }

    pub(crate) fn id(&self) -> ContentId {
        self.envelope.id()
    }

    pub(crate) fn kind(&self) -> KindName {
        self.envelope.kind()
    }
}

/// What became of a candidate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// It is durable under this id, which is an earlier one's if that says the same.
    Stored { id: ContentId, known: bool },
    /// It says other than `earlier` under the same natural identity.
    Contradicted { earlier: ContentId },
}

/// What the candidates of one group find of each other, before the index knows.
#[derive(Default)]
struct Group<'a> {
    ids: HashSet<ContentId>,
    identities: HashMap<[u8; 32], &'a Candidate>,
    forks: HashSet<[u8; 32]>,
    changes: Batch,
    pending: Vec<Pending>,
}

impl Sequencer {
    /// Makes a group of candidates durable and says, one by one, what became of them.
    pub(crate) fn store<'a>(
        &mut self,
        candidates: impl IntoIterator<Item = &'a Candidate>,
    ) -> Result<Vec<Outcome>, SequenceError> {
        let mut group = Group::default();
        let mut outcomes = Vec::new();
        for candidate in candidates {
            outcomes.push(self.place(candidate, &mut group)?);
        }
        self.packs.commit()?;
        self.shared.catalogue.write(group.changes)?;
        self.pending.extend(group.pending);
        self.shared.stored(self.pending.len());
        Ok(outcomes)
    }

    fn place<'a>(
        &mut self,
        new: &'a Candidate,
        group: &mut Group<'a>,
    ) -> Result<Outcome, SequenceError> {
        let id = new.id();
        let catalogue = &self.shared.catalogue;
        if group.ids.contains(&id) || catalogue.body(self.shared.log, &id)?.is_some() {
            return Ok(Outcome::Stored { id, known: true });
        }
        let earlier = match group.identities.get(&new.identity) {
            Some(first) => Some((first.id(), Some(first.envelope.content_digest()))),
            None => match catalogue.identity(&new.identity)? {
                Some(first) => Some((first, self.content_digest(&first)?)),
                None => None,
            },
        };
        let Some((earlier, digest)) = earlier else {
            self.append(new, group)?;
            group.changes.put_identity(&new.identity, &id);
            if let Body::Label(label) = new.envelope.body() {
                group.changes.put_label(&id, &new.envelope.claims().iss, label);
            }
            group.identities.insert(new.identity, new);
            return Ok(Outcome::Stored { id, known: false });
        };
        // An erased body cannot be compared, and nobody is accused on a guess.
        if digest.is_none_or(|digest| digest == new.envelope.content_digest()) {
            return Ok(Outcome::Stored { id: earlier, known: true });
        }
        let catalogue = &self.shared.catalogue;
        if !group.forks.contains(&new.identity) && catalogue.fork(&new.identity)?.is_none() {
            self.append(new, group)?;
            group.changes.put_fork(&new.identity, &id);
            group.forks.insert(new.identity);
        }
        Ok(Outcome::Contradicted { earlier })
    }

    fn append(&mut self, new: &Candidate, group: &mut Group<'_>) -> Result<(), SequenceError> {
        let id = new.id();
        let place = self.packs.append(&id, new.envelope.stored())?;
        group.changes.put_body(self.shared.log, &id, place);
        group.ids.insert(id);
        group.pending.push(Pending {
            id,
            audience: new.envelope.claims().aud.byte(),
            end: place.end(),
            identity: changes_keys(new.kind()),
            naming: self.names_waiting.keep(Naming::of(&new.envelope)),
        });
        Ok(())
    }

    /// What a stored body says, to compare another of its identity with; `None` if erased.
    fn content_digest(&self, id: &ContentId) -> Result<Option<[u8; 32]>, SequenceError> {
        let Some(body) = self.shared.own_body(id)? else {
            return Ok(None);
        };
        let parsed = Envelope::parse(&body);
        Ok(parsed.ok().map(|envelope| envelope.content_digest()))
    }
}
