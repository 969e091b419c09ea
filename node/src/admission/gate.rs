//! What is decided about a submission before the one writer sees it, and about its answer.
//!
//! Invariants: no clock and no thread of its own; what is answered as deferred is durable.

use std::sync::Arc;
use std::time::Duration;

use hallmark_schemas::attestation::{ContentId, Envelope, Refusal, Verified};
use hallmark_schemas::audience::Region;
use hallmark_schemas::history::KeyFault;
use hallmark_schemas::key::KeyId;
use hallmark_schemas::kind::erasure::Erasure;
use hallmark_schemas::kind::{Body, KindName};
use hallmark_schemas::time::{EntryTime, Timestamp};

use super::keys::Keys;
use super::{AdmitError, Admitted, Answer};
use crate::core::shared::{Proving, Shared, Signing};
use crate::deferred::{Deferred, Kept};
use crate::index::beside::versions_after;
use crate::index::goods::GoodsPlace;
use crate::sequencer::writing;
use crate::sequencer::{Candidate, Outcome};
use crate::store::StoreError;

/// How far an entry's instant may lie after its admission here: batches, quorum, unequal clocks.
const RECORDED_AFTER_MAX_MS: i64 = 10 * 60 * 1000;
/// When a sender should come again: the queue drains, the index catches up.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// When a sender whose attestation found no room in the quarantine should come again.
const RETRY_DEFERRED_AFTER: Duration = Duration::from_secs(60);
/// Most durable attestations that wait for the tree: a week without quorum at 6 a second; their
/// queue takes 104 bytes each, 416 MiB.
const UNLOGGED_MAX: u64 = 4 << 20;
/// When a sender should come again while the witnesses are away.
const RETRY_UNLOGGED_AFTER: Duration = Duration::from_secs(60);
/// Most later versions of a record that are looked at.
const LATER_MAX: usize = 32;
/// When a sender should come again while the disk is full.
const RETRY_FULL_AFTER: Duration = Duration::from_secs(30);

/// An attestation after the part that needs no order.
pub(crate) enum Proved {
    Candidate(Candidate),
    Unknown(Box<Envelope>),
    Refused(Refusal),
}

fn full() -> AdmitError {
    AdmitError::Full { retry_after: RETRY_FULL_AFTER }
}

/// When an attestation that is admitted now will be in the log.
fn interval(now: Timestamp) -> EntryTime {
    let hi = now.checked_add_ms(RECORDED_AFTER_MAX_MS).unwrap_or(now);
    EntryTime { lo: now, hi }
}

/// The entrance of the own log, without its queue. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
    shared: Arc<Shared>,
    deferred: Arc<Deferred>,
}

impl Gate {
    pub(crate) fn new(shared: Arc<Shared>, deferred: Arc<Deferred>) -> Gate {
        Gate { shared, deferred }
    }

    /// Lets the writer know that a submission is on its way.
    pub(crate) fn begin(&self) -> Proving {
        self.shared.begin_proving()
    }

    /// The keys that submissions are proved with.
    pub(crate) fn keys(&self) -> &Arc<Keys> {
        &self.shared.keys
    }

    /// Those of the quarantine whose key is known by now, at most `limit` looked at: what goes on,
    /// and the ids of all that have left the quarantine once that is stored.
    pub(crate) fn ready(&self, now: Timestamp, limit: usize) -> (Vec<Candidate>, Vec<ContentId>) {
        // The successor in a rotation is unknown until its own attestation is recorded: that one
        // names a key that is known, so it is never deferred for long.
        let at = interval(now);
        let known =
            |key: &KeyId| self.shared.keys.read(|keys| keys.knows(key) && !keys.is_early(*key, at));
        let (mut candidates, mut done) = (Vec::new(), Vec::new());
        for stored in self.deferred.ready(known, limit) {
            let id = ContentId::of(&stored);
            match self.prove(&stored, now) {
                Proved::Candidate(candidate) => candidates.push(candidate),
                Proved::Unknown(_) => continue,
                Proved::Refused(refusal) => {
                    tracing::warn!(%id, code = refusal.code(), "refused a deferred attestation");
                }
            }
            done.push(id);
        }
        (candidates, done)
    }

    /// Forgets what has left the quarantine.
    pub(crate) fn done(&self, ids: &[ContentId]) -> Result<(), StoreError> {
        self.deferred.remove(ids)
    }

    /// Why nothing is taken now, if so.
    pub(crate) fn closed(&self) -> Option<AdmitError> {
        match self.shared.signing() {
            Signing::ReadOnly { cause, help } => Some(AdmitError::ReadOnly { cause, help }),
            Signing::Stopped { cause } => Some(AdmitError::Stopped { cause }),
            _ if !self.shared.index_ready() => Some(AdmitError::Busy {
                retry_after: RETRY_AFTER,
                what: "the index is being brought up to date",
            }),
            _ if self.shared.full() => Some(full()),
            _ if UNLOGGED_MAX <= self.shared.unlogged() => Some(AdmitError::Busy {
                retry_after: RETRY_UNLOGGED_AFTER,
                what: "too many attestations wait for the witnesses",
            }),
            _ => None,
        }
    }

    /// Parses and checks one.
    pub(crate) fn prove(&self, stored: &[u8], now: Timestamp) -> Proved {
        match Envelope::parse(stored) {
            Ok(envelope) => self.prove_parsed(envelope, now),
            Err(malformed) => Proved::Refused(malformed.into()),
        }
    }

    /// Checks one: key in force, authority, signature.
    pub(crate) fn prove_parsed(&self, envelope: Envelope, now: Timestamp) -> Proved {
        let at = interval(now);
        self.shared.keys.read(|keys| {
            // A clock that is behind, here or at the witnesses, is no reason to refuse for ever.
            let is_early = keys.is_early(envelope.signer(), at);
            if is_early || matches!(keys.signer_of(&envelope, at), Err(KeyFault::Unknown)) {
                return Proved::Unknown(Box::new(envelope));
            }
            match envelope.verify(keys, at) {
                Ok(verified) => match self.refuses(&verified) {
                    Some(refusal) => Proved::Refused(refusal),
                    None => Proved::Candidate(Candidate::new(verified)),
                },
                Err(refusal) => Proved::Refused(refusal),
            }
        })
    }

    /// Why this node does not take what is well signed.
    fn refuses(&self, verified: &Verified) -> Option<Refusal> {
        let claims = verified.claims();
        // Its own node may go on by itself: that log has ended for everybody else.
        if self.shared.has_left(&claims.iss) && !Erasure::is_of(claims, &self.shared.origin) {
            return Some(Refusal::Departed { org: claims.iss.clone() });
        }
        let listed = &claims.regions;
        if !Region::admit(listed, self.shared.regions()) {
            return Some(Refusal::OutsideRegions { listed: listed.clone() });
        }
        self.refuses_erasure(verified)
    }

    /// Why an erasure is none that this log carries out: its own, of a record in its tree that
    /// nothing else is proved from.
    fn refuses_erasure(&self, verified: &Verified) -> Option<Refusal> {
        let Body::Erasure(body) = verified.body() else {
            return None;
        };
        let id = body.erased;
        let refused = |why| Some(Refusal::NotErased { id, why });
        if !Erasure::is_of(verified.claims(), &self.shared.origin) {
            return refused("only the organisation that keeps this log erases in it");
        }
        let entry = self.shared.catalogue.entry(self.shared.log, &id).ok().flatten();
        if entry.is_none_or(|entry| self.shared.published_size() <= entry) {
            return refused("this log has no such record");
        }
        let body = self.shared.own_body(&id).ok().flatten();
        match body.and_then(|body| Envelope::parse(&body).ok()) {
            Some(envelope) if !Erasure::may_erase(envelope.kind()) => {
                refused("keys, addresses and erasures are proved from it")
            }
            Some(envelope) if self.is_recall_in_force(&envelope, verified.claims().iat) => refused(
                "it is a recall in force: lift it first, by a version with `lifted_at` that \
                     replaces it",
            ),
            _ => None,
        }
    }

    /// Whether a record of this log is a recall that is not lifted, and that no later version replaces.
    fn is_recall_in_force(&self, record: &Envelope, now: Timestamp) -> bool {
        let Body::Recall(recall) = record.body() else { return false };
        let follows = |place: &GoodsPlace| {
            let body = self.shared.own_body(&place.id).ok().flatten();
            body.and_then(|body| Envelope::parse(&body).ok()).is_some_and(|later| {
                later.claims().iss == record.claims().iss
                    && later.body().replaces() == Some(record.id())
            })
        };
        let later = versions_after(&record.id());
        let later = self.shared.catalogue.beside(&later, LATER_MAX).unwrap_or_default();
        recall.lifted_at.is_none_or(|at| now < at) && !later.iter().any(follows)
    }

    pub(crate) fn defer(&self, envelopes: &[&Envelope]) -> Result<Vec<Answer>, AdmitError> {
        if envelopes.is_empty() {
            return Ok(Vec::new());
        }
        let kept = self.deferred.keep(envelopes).map_err(|error| {
            if error.is_full() {
                return full();
            }
            AdmitError::Stopped { cause: self.shared.give_up(&error) }
        })?;
        let answer = |(envelope, kept): (&&Envelope, Kept)| match kept {
            Kept::Kept => Ok(Admitted::Deferred { id: envelope.id() }),
            Kept::Full => Err(AdmitError::Busy {
                retry_after: RETRY_DEFERRED_AFTER,
                what: "the key is unknown and the quarantine is full",
            }),
        };
        Ok(envelopes.iter().zip(kept).map(answer).collect())
    }

    /// The answers to candidates, from what the writer made of them.
    pub(crate) fn answers(
        &self,
        kinds: &[KindName],
        outcome: Option<writing::Answer>,
    ) -> Vec<Result<Admitted, AdmitError>> {
        let Some(Ok(outcomes)) = outcome else {
            if matches!(outcome, Some(Err(writing::Closed::Full))) {
                return kinds.iter().map(|_| Err(full())).collect();
            }
            let stopped = || AdmitError::Stopped { cause: "the writer has ended".to_owned() };
            let error = self.closed().unwrap_or_else(stopped);
            return kinds.iter().map(|_| Err(error.clone())).collect();
        };
        let answer = |(kind, outcome): (&KindName, Outcome)| match outcome {
            Outcome::Stored { id, known } => Ok(Admitted::Stored { id, known }),
            Outcome::Contradicted { earlier } => {
                Err(Refusal::Contradicted { kind: *kind, earlier }.into())
            }
            Outcome::CodesScrapped { earlier } => Err(Refusal::CodesScrapped { earlier }.into()),
            Outcome::CodesNotMade => Err(Refusal::CodesNotMade.into()),
        };
        kinds.iter().zip(outcomes).map(answer).collect()
    }
}
