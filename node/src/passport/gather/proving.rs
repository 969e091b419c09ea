//! Proving what the index names: the entry under the published checkpoint, the bytes, the
//! signature.
//!
//! Invariants: nothing becomes a record before all three hold; what does not hold of the own log is
//! told, what does not hold of another's is passed over.

use hallmark_schemas::attestation::{ContentId, Envelope, Refusal};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::entry::Entry;

use super::{Evidence, Gatherer, Level, LogSeen, Placed, Proven, RECORDS_MAX};
use crate::index::goods::GoodsPlace;
use crate::passport::view::Record;
use crate::store::StoreError;

impl Gatherer<'_> {
    fn is_own(&self, place: &GoodsPlace) -> bool {
        self.origins.get(&place.log).is_some_and(|origin| origin == self.node.log().origin())
    }

    /// Reads and proves one record.
    pub(super) fn take(
        &mut self,
        place: GoodsPlace,
        level: Level,
        is_about: impl Fn(&Envelope) -> bool,
    ) -> Result<(), StoreError> {
        let is_known = self.refused.contains(&(place.log, place.entry));
        if is_known || self.seen.contains(&place.id) {
            return Ok(());
        }
        let Evidence { records, damaged, refused, .. } = &self.evidence;
        if RECORDS_MAX <= records.len() + damaged.len() + refused.len() {
            self.evidence.is_cut = true;
            return Ok(());
        }
        let is_own = self.is_own(&place);
        let (origin, entry) = match self.prove_place(&place)? {
            Placed::Absent => return Ok(()),
            Placed::Unproved { origin } => {
                self.damaged(&place, level, origin, "inclusion", false);
                return Ok(());
            }
            Placed::At { origin, entry } => (origin, entry),
        };
        let is_public = entry.audience == 0;
        if !is_public && !is_own {
            return Ok(());
        }
        let fault = match self.read(&origin, &place.id) {
            Err(_) => Some("digest"),
            Ok(None) => return Ok(()),
            Ok(Some(stored)) => match Envelope::parse(&stored) {
                Err(_) => Some("form"),
                Ok(envelope) if !is_about(&envelope) => return Ok(()),
                Ok(envelope)
                    if self.node.is_contradiction(place.log, place.entry, &envelope)? =>
                {
                    self.refused.insert((place.log, place.entry));
                    self.refuse(envelope, &origin, (&place, &entry), level);
                    return Ok(());
                }
                Ok(envelope) => self.prove(envelope, &origin, (&place, &entry), level, is_own),
            },
        };
        self.seen.insert(place.id);
        self.evidence.refused.retain(|one| one.verified.id() != place.id);
        if let Some(fault) = fault {
            self.damaged(&place, level, origin, fault, is_public);
        }
        Ok(())
    }

    fn damaged(
        &mut self,
        place: &GoodsPlace,
        level: Level,
        origin: String,
        fault: &'static str,
        is_public: bool,
    ) {
        self.seen.insert(place.id);
        if level == Level::Own {
            self.evidence.telling.insert(place.id.to_string());
        }
        self.evidence.damaged.push(Record {
            id: place.id.to_string(),
            kind: Some(place.kind.as_str().to_owned()),
            log: origin,
            entry: place.entry,
            issuer: None,
            recorded: None,
            fault: Some(fault),
            is_public,
            is_silent: false,
        });
    }

    /// What does not hold of a body that has its id; none where all does, or where it concerns
    /// nobody: what another's log admitted without a good signature says nothing about the goods.
    fn prove(
        &mut self,
        envelope: Envelope,
        origin: &str,
        (place, entry): (&GoodsPlace, &Entry),
        level: Level,
        is_own_log: bool,
    ) -> Option<&'static str> {
        match self.proven(envelope, origin, (place, entry), level)? {
            Ok(record) => {
                self.evidence.records.push(record);
                None
            }
            Err(_) => is_own_log.then_some("signature"),
        }
    }

    /// Keeps a record that its log took as evidence of a contradiction, unless it was found before.
    fn refuse(
        &mut self,
        envelope: Envelope,
        origin: &str,
        at: (&GoodsPlace, &Entry),
        level: Level,
    ) {
        let is_known = |one: &Proven| one.verified.id() == at.0.id;
        if !self.evidence.refused.iter().any(is_known)
            && let Some(Ok(record)) = self.proven(envelope, origin, at, level)
        {
            self.evidence.refused.push(record);
        }
    }

    /// The record, if its signature holds; none where it concerns nobody.
    fn proven(
        &self,
        envelope: Envelope,
        origin: &str,
        (place, entry): (&GoodsPlace, &Entry),
        level: Level,
    ) -> Option<Result<Proven, Refusal>> {
        let time = self.node.time_of(origin, place.entry, entry)?;
        let is_public = envelope.claims().aud == Audience::Public;
        if !is_public && envelope.claims().iss != *self.own {
            return None;
        }
        let (origin, entry) = (origin.to_owned(), place.entry);
        let proven = self.node.keys().read(|keys| {
            let verified = envelope.verify(keys, time)?;
            let signer = verified.envelope().signer();
            let doubt = verified.in_doubt().then(|| keys.doubted_since(&signer, time)).flatten();
            Ok(Proven { level, origin, entry, time, verified, doubt, is_public })
        });
        Some(proven)
    }

    fn read(&self, origin: &str, id: &ContentId) -> Result<Option<Vec<u8>>, StoreError> {
        if origin == self.node.log().origin() {
            return self.node.log().body(id);
        }
        self.node.mirror().log(origin).map_or(Ok(None), |log| log.body(id))
    }

    /// The entry, if it is under the published checkpoint and its inclusion proof holds.
    fn prove_place(&mut self, place: &GoodsPlace) -> Result<Placed, StoreError> {
        let Some(origin) = self.origins.get(&place.log).cloned() else {
            return Ok(Placed::Absent);
        };
        let Some(seen) = self.log(&origin)? else {
            return Ok(Placed::Absent);
        };
        if seen.head.size <= place.entry {
            return Ok(Placed::Absent);
        }
        let is_own = origin == self.node.log().origin();
        let found = if is_own {
            self.node.log().entry_under(place.entry, seen.head).map(Some)
        } else {
            let log = self.node.mirror().log(&origin);
            log.map(|log| log.entry_under(place.entry, seen.head)).transpose()
        };
        match found {
            Ok(Some((entry, _))) if entry.id != place.id => Ok(Placed::Absent),
            Ok(Some((entry, true))) => Ok(Placed::At { origin, entry }),
            // A damaged copy of another's log is fetched again, and says nothing about goods.
            _ if !is_own => Ok(Placed::Absent),
            _ => Ok(Placed::Unproved { origin }),
        }
    }

    /// The published tree of a log, read once for a passport.
    fn log(&mut self, origin: &str) -> Result<Option<LogSeen>, StoreError> {
        if let Some(seen) = self.evidence.logs.get(origin) {
            return Ok(Some(seen.clone()));
        }
        let seen = if origin == self.node.log().origin() {
            self.node.log().published().map(|published| LogSeen {
                head: published.head,
                at: published.cosigned_at.max(Some(published.at)),
                checkpoint: "/log/checkpoint".to_owned(),
            })
        } else {
            match self.node.mirror().log(origin) {
                Some(log) if 0 < log.head().size => {
                    let head = log.head();
                    let last = log.entries(head.size - 1..head.size)?;
                    let name = hallmark_schemas::layout::peer_name(origin);
                    Some(LogSeen {
                        head,
                        at: log.cosigned_at().max(last.first().map(|entry| entry.admitted_at)),
                        checkpoint: format!("/peers/{name}/checkpoint"),
                    })
                }
                _ => None,
            }
        };
        if let Some(seen) = &seen {
            self.evidence.logs.insert(origin.to_owned(), seen.clone());
        }
        Ok(seen)
    }
}
