//! Group commit: many submissions, one sync, then all are answered.
//!
//! Invariant: whatever is answered as stored or contradicted is durable, or was before.

use std::collections::{HashMap, HashSet};

use hallmark_schemas::attestation::{ContentId, Envelope, Verified};
use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::label::{Label, State};
use hallmark_schemas::kind::{Body, KindName};

use super::{BATCH_ENTRIES_MAX, Pending, SequenceError, Sequencer};
use crate::admission::keys::changes_keys;
use crate::index::Batch;
use crate::index::erased::Erased;
use crate::index::goods::Naming;
use crate::labels::{self, Logged};
use crate::mutants::mutant;
use crate::store::StoreError;

/// Most bodies whose places are in memory alone until they are in the tree: 64 bytes each, 4 MiB.
/// Where more wait, as without a quorum, the index tells the places of the others twice.
const WAITING_MAX: usize = 2 * BATCH_ENTRIES_MAX;

/// An attestation that admission has verified, on its way into the log.
///
/// The body itself stays behind: the one writer has nothing to free but the stored bytes.
#[derive(Clone)]
pub(crate) struct Candidate {
    id: ContentId,
    kind: KindName,
    audience: u8,
    identity: [u8; 32],
    naming: Naming,
    pub(super) stored: Box<[u8]>,
}

impl Candidate {
    /// Only a verified attestation becomes a candidate.
    pub(crate) fn new(verified: Verified) -> Candidate {
        let envelope = verified.into_envelope();
        Candidate {
            id: envelope.id(),
            kind: envelope.kind(),
            audience: envelope.claims().aud.byte(),
            identity: envelope.identity().key,
            naming: Naming::of(&envelope),
            stored: envelope.into_stored(),
        }
    }

    pub(crate) fn id(&self) -> ContentId {
        self.id
    }

    pub(crate) fn kind(&self) -> KindName {
        self.kind
    }

    /// Who says what of codes, if it is a `label`. These are few: the body is parsed once more.
    fn label(&self) -> Option<(OrgId, Label)> {
        if self.kind != KindName::Label {
            return None;
        }
        let envelope = Envelope::parse(&self.stored).expect("parsed before");
        match envelope.body() {
            Body::Label(label) => Some((envelope.claims().iss.clone(), label.clone())),
            _ => None,
        }
    }

    /// What it erases, if it is an `erasure`: admission has seen that this log carries it out.
    fn erases(&self) -> Option<Erased> {
        if self.kind != KindName::Erasure {
            return None;
        }
        let envelope = Envelope::parse(&self.stored).expect("parsed before");
        match envelope.body() {
            Body::Erasure(body) => {
                Some(Erased { target: body.erased, erasure: self.id, done: false })
            }
            _ => None,
        }
    }

    /// What it says, to compare another of its identity with.
    fn content_digest(&self) -> [u8; 32] {
        Envelope::parse(&self.stored).expect("parsed before").content_digest()
    }
}

/// What became of a candidate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// It is durable under this id, which is an earlier one's if that says the same.
    Stored { id: ContentId, known: bool },
    /// It says other than `earlier` under the same natural identity.
    Contradicted { earlier: ContentId },
    /// It activates codes that `earlier` scrapped.
    CodesScrapped { earlier: ContentId },
    /// It is about codes that were never made.
    CodesNotMade,
}

/// What the candidates of one group find of each other, before the index knows.
#[derive(Default)]
struct Group<'a> {
    ids: HashSet<ContentId>,
    identities: HashMap<[u8; 32], &'a Candidate>,
    forks: HashSet<[u8; 32]>,
    labels: Vec<(ContentId, OrgId, Label)>,
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
        let begun = self.packs.end();
        let mut placed = Ok(());
        for candidate in candidates {
            match self.place(candidate, &mut group) {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => {
                    placed = Err(error);
                    break;
                }
            }
        }
        if let Err(error) = placed.and_then(|()| Ok(self.packs.commit()?)) {
            group.pending.iter().for_each(|pending| self.names_waiting.gone(pending));
            if error.is_full() && self.packs.end() != begun {
                // A part of the group is durable and was told to nobody: a start finds it.
                let end = StoreError::damaged(&self.packs.path(), "no room for the whole group");
                return Err(end.into());
            }
            return Err(error);
        }
        let room = WAITING_MAX.saturating_sub(self.pending.len());
        let waiting = group.pending.iter().take(room).map(|one| (one.id, one.place));
        self.shared.add_waiting(waiting);
        if let Some(last) = group.pending.last() {
            group.changes.put_last_record(self.shared.log, &last.id, last.place);
        }
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
        let in_group = group.identities.get(&new.identity).copied();
        let earlier = match in_group {
            Some(first) => Some(first.id()),
            None if mutant("duplicates-forgotten") => None,
            None => catalogue.identity(&new.identity)?,
        };
        // What has a new identity is new itself, unless the identity of something is not known.
        let maybe_held = earlier.is_some() || self.nameless;
        if maybe_held && (group.ids.contains(&id) || self.shared.place(&id)?.is_some()) {
            return Ok(Outcome::Stored { id, known: true });
        }
        let Some(earlier) = earlier else {
            let label = new.label();
            if let Some((issuer, label)) = &label
                && let Some(outcome) = self.against_earlier_labels(issuer, label, group)?
            {
                return Ok(outcome);
            }
            self.append(new, group)?;
            group.changes.put_identity(&new.identity, &id);
            if let Some((issuer, label)) = label {
                group.changes.put_label(&id, &issuer, &label);
                group.labels.push((id, issuer, label));
            }
            if let Some(erased) = new.erases() {
                group.changes.put_erased(self.shared.log, &erased);
                self.erasing.due = true;
            }
            group.identities.insert(new.identity, new);
            return Ok(Outcome::Stored { id, known: false });
        };
        let digest = match in_group {
            Some(first) => Some(first.content_digest()),
            None => self.content_digest(&earlier)?,
        };
        // An erased body cannot be compared, and nobody is accused on a guess.
        if digest.is_none_or(|digest| digest == new.content_digest()) {
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

    /// What keeps a statement about codes out: it contradicts what the same organisation said of
    /// them. Of another organisation this log may not hold all: perhaps its codes were made
    /// elsewhere.
    fn against_earlier_labels(
        &self,
        issuer: &OrgId,
        label: &Label,
        group: &Group<'_>,
    ) -> Result<Option<Outcome>, SequenceError> {
        if label.state == State::Made {
            return Ok(None);
        }
        let known = self.shared.catalogue.labels(&label.class)?;
        let in_group = group.labels.iter().filter(|(_, _, other)| other.class == label.class);
        let ranges = known.into_iter().chain(in_group.cloned());
        let ranges = ranges.filter(|(_, of, _)| of == issuer);
        let ranges = labels::in_force(ranges.map(|(id, _, label)| Logged { id, label }).collect());
        if label.state == State::Activated
            && let Some(earlier) = labels::scrapped(&ranges, label)
        {
            return Ok(Some(Outcome::CodesScrapped { earlier: earlier.id }));
        }
        let is_own = self.shared.origin.split('/').nth(1) == Some(&issuer.slug());
        Ok((is_own && !labels::are_made(&ranges, label)).then_some(Outcome::CodesNotMade))
    }

    fn append(&mut self, new: &Candidate, group: &mut Group<'_>) -> Result<(), SequenceError> {
        let id = new.id();
        let place = self.packs.append(&id, &new.stored)?;
        if WAITING_MAX <= self.pending.len() + group.pending.len() {
            group.changes.put_body(self.shared.log, &id, place);
        }
        group.ids.insert(id);
        group.pending.push(Pending {
            id,
            audience: new.audience,
            place,
            identity: changes_keys(new.kind()),
            naming: self.names_waiting.keep(new.naming.clone()),
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
