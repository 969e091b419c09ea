//! The small bundle that a phone checks: public bodies, each with its own proof.
//!
//! Invariants: only public bodies go in; each has the receipt of its log, or, where another node
//! keeps that log, a proof from our copy of it; every attestation that a key or role rests on goes
//! with it, so that all follows from the network file; of a body that is damaged here, if it is public
//! or the passport names it as damaged, the proof goes with the digest of what is kept instead, never
//! with those bytes, which may be anything. It holds no
//! ranges of entries: from what is not in it nothing can be concluded.

use std::collections::BTreeSet;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::bundle::{Header, Item};
use hallmark_schemas::key::KeyId;
use hallmark_schemas::kind::{Body, KindName};
use hallmark_schemas::time::Timestamp;

use super::{Held, damaged_item, held, is_identity};
use crate::service::Service;
use crate::store::StoreError;

/// Most bodies of one bundle, those they rest on not counted.
pub const PUBLIC_BODIES_MAX: usize = 256;
/// Most records that are looked at for one bundle, identities among them.
pub const PUBLIC_RECORDS_MAX: usize = 4 * PUBLIC_BODIES_MAX;
/// Most organisations whose names go along.
const PUBLIC_NAMES_MAX: usize = 128;
/// Most statements of registrars about one of them.
const ADMISSIONS_MAX: usize = 32;
/// Most bytes of bodies: what a phone loads and checks in a second or two.
pub const PUBLIC_BYTES_MAX: usize = 4 << 20;

/// The public bundle of these attestations, the first the most important: beyond
/// [`PUBLIC_BODIES_MAX`] and [`PUBLIC_BYTES_MAX`] the rest is left out. Those of `damaged`, which
/// whoever asks was told of, go in as proof and digest even if they are not public. `named` are
/// organisations by their identifiers, of which what registrars say goes along. `None` if there is
/// none of the first two that is recorded here.
pub fn of(
    service: &Service,
    ids: &[ContentId],
    damaged: &[ContentId],
    named: &BTreeSet<String>,
) -> Result<Option<Vec<u8>>, StoreError> {
    let mut chosen = Chosen::default();
    for id in damaged {
        if matches!(held(service, id)?, Held::Damaged) && chosen.seen.insert(*id) {
            chosen.take_damaged(service, *id)?;
        }
    }
    for id in ids {
        if chosen.bodies == PUBLIC_BODIES_MAX || PUBLIC_BYTES_MAX < chosen.bytes {
            break;
        }
        chosen.take(service, *id)?;
    }
    if chosen.items.is_empty() {
        return Ok(None);
    }
    for org in named.iter().take(PUBLIC_NAMES_MAX) {
        for place in service.node.beside(org, ADMISSIONS_MAX)? {
            if place.kind == KindName::Organisation {
                chosen.take(service, place.id)?;
            }
        }
    }
    let as_of = service.node.log().published().map_or(Timestamp::EPOCH, |published| published.at);
    let network = service.network().bytes().to_vec();
    let mut bundle = Header { as_of, network }.encode();
    chosen.items.sort_by_key(Item::item_type);
    let items = chosen.items.len() as u64;
    chosen.items.push(Item::End { items });
    chosen.items.iter().for_each(|item| bundle.extend(item.encode()));
    Ok(Some(bundle))
}

/// What goes in.
#[derive(Default)]
struct Chosen {
    seen: BTreeSet<ContentId>,
    items: Vec<Item>,
    bodies: usize,
    bytes: usize,
}

impl Chosen {
    /// Takes an attestation with its proof, and all that its key rests on.
    fn take(&mut self, service: &Service, id: ContentId) -> Result<(), StoreError> {
        let mut wanted = vec![id];
        while let Some(id) = wanted.pop() {
            if !self.seen.insert(id) {
                continue;
            }
            let (stored, envelope) = match held(service, &id)? {
                Held::Whole(stored, envelope) => (stored, envelope),
                Held::Damaged => {
                    let places = service.node.places(&id)?;
                    if places.iter().any(|place| place.entry.audience == 0) {
                        self.take_damaged(service, id)?;
                    }
                    continue;
                }
                Held::Nothing => continue,
            };
            let Some(proof) = proof(service, id)? else { continue };
            if envelope.claims().aud != Audience::Public {
                continue;
            }
            self.bytes += stored.len();
            self.items.push(proof);
            self.items.push(match is_identity(envelope.kind()) {
                true => Item::Identity(stored),
                false => Item::Body(stored),
            });
            wanted.extend(rests_on(service, &envelope));
        }
        self.bodies = self.items.iter().filter(|item| matches!(item, Item::Body(_))).count();
        Ok(())
    }

    /// Of a body that no longer has its id, the proof that it was recorded and the id that its bytes
    /// have now: whoever checks the bundle is told which record is broken.
    fn take_damaged(&mut self, service: &Service, id: ContentId) -> Result<(), StoreError> {
        if let Some(proof) = proof(service, id)? {
            self.items.push(proof);
            self.items.extend(damaged_item(service, id)?);
        }
        Ok(())
    }
}

/// The attestations that introduced the key of this one.
fn rests_on(service: &Service, envelope: &Envelope) -> Vec<ContentId> {
    let introduced = |kid: &KeyId| service.node.keys().introduced_by(kid);
    let mut ids = introduced(&envelope.signer());
    if let Body::Key(key) = envelope.body() {
        ids.extend(introduced(&key.replaces_key));
    }
    ids
}

/// The receipt of the own log, else a proof from the copy of another.
fn proof(service: &Service, id: ContentId) -> Result<Option<Item>, StoreError> {
    if let Some(receipt) = service.node.log().receipt(&id)? {
        return Ok(Some(Item::Receipt { id, receipt }));
    }
    for log in service.node.mirror().logs() {
        if let Some(proof) = log.proof(&id)? {
            return Ok(Some(Item::Proof { id, proof: proof.to_bytes() }));
        }
    }
    Ok(None)
}
