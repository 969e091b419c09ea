//! Statements that are found by something else than goods: what a passport shows beside them, and
//! events.
//!
//! An accreditation is found by the body that it is about, an organisation by its identifier, a
//! description by its party or place, a facility by its places, an answer by its finding, a recall
//! of lots by their class and every recall in the list of all, an erasure by digests of goods, a later
//! version by the one that it replaces, an event by its identity and
//! in the list of all. Same prefix and form as in [`super::goods`], with 2 where statements
//! about goods have 0. Label orders are in [`super::labels`]. Invariant: under no name but its own
//! and that of all are events found, so the lists of the others stay short.

use std::collections::BTreeSet;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::id::Subject;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::event::vocabulary::place;
use hallmark_schemas::kind::value::Digest;

use super::goods::{About, GoodsKey, GoodsPlace};
use super::{Catalogue, IndexError};

/// What an attestation is found by, beside goods.
pub(super) fn keys(envelope: &Envelope) -> Vec<GoodsKey> {
    let mut keys = keys_of(envelope);
    if has_versions(envelope.body()) {
        let before = envelope.body().replaces();
        keys.extend(before.map(|before| GoodsKey::of_text(&versions_after(&before))));
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Whether later versions are found by the one before: what they are about may have changed, and
/// the one before is no longer said.
pub fn has_versions(body: &Body) -> bool {
    matches!(
        body,
        Body::Recall(_)
            | Body::Certificate(_)
            | Body::Footprint(_)
            | Body::Masterdata(_)
            | Body::Accreditation(_)
            | Body::Facility(_)
            | Body::Inspection(_)
            | Body::Offer(_)
            | Body::Claim(_)
    )
}

/// What the versions that replace an attestation are found by, among [`Catalogue::beside`].
pub fn versions_after(before: &ContentId) -> String {
    format!("replaces {before}")
}

fn keys_of(envelope: &Envelope) -> Vec<GoodsKey> {
    let sub = &envelope.claims().sub;
    let own = || vec![GoodsKey::of_text(&sub.to_string())];
    match envelope.body() {
        Body::Accreditation(_) | Body::Organisation(_) => own(),
        Body::Masterdata(_) if !matches!(sub, Subject::Goods(_)) => own(),
        // A place that is goods by its form, such as a GLN, is asked for in the same way.
        Body::Masterdata(body) if is_place(body) => own(),
        Body::Facility(facility) => {
            let places = facility.locations.iter().map(|name| GoodsKey::of_text(&place(name)));
            own().into_iter().chain(places).collect()
        }
        Body::Recall(_) => {
            let goods = envelope.body().goods(envelope.claims());
            let lots = goods.iter().filter(|goods| goods.lot().is_some());
            let classes: BTreeSet<GoodsId> = lots.filter_map(GoodsId::class).collect();
            let lots = classes.iter().map(|class| GoodsKey::of_text(&recalled_lots(class)));
            lots.chain([GoodsKey::of_text(ALL_RECALLS)]).collect()
        }
        Body::Response(response) => vec![finding_key(&response.finding)],
        Body::Event(event) => {
            let own = event_named(event.fields().identity());
            vec![GoodsKey::of_text(ALL_EVENTS), GoodsKey::of_text(&own)]
        }
        Body::Label(label) => super::labels::keys(label),
        Body::Erasure(body) => body.goods.iter().map(erased_key).collect(),
        _ => Vec::new(),
    }
}

/// What every event is found by, in the order of admission.
const ALL_EVENTS: &str = "events";

/// What every recall is found by, in the order of admission.
const ALL_RECALLS: &str = "recalls";

/// What an event is found by that says this eventID, or has this hash and no eventID.
fn event_named(identity: &str) -> String {
    format!("event {identity}")
}

fn is_place(body: &hallmark_schemas::kind::masterdata::Masterdata) -> bool {
    use hallmark_schemas::kind::masterdata::About as Described;
    matches!(body.about, Described::Location(_) | Described::Party(_))
}

/// What recalls of lots of a class are found by, among [`Catalogue::beside`].
pub fn recalled_lots(class: &GoodsId) -> String {
    format!("recalled lots {class}")
}

/// What erasures of records about goods are found by.
fn erased_key(goods: &Digest) -> GoodsKey {
    GoodsKey::of_text(&format!("erased {goods}"))
}

fn finding_key(finding: &Digest) -> GoodsKey {
    GoodsKey::of_text(&format!("finding {finding}"))
}

impl Catalogue {
    /// Statements about a body that vouches, a party or a place, by its text, in the order of
    /// admission.
    pub fn beside(&self, subject: &str, limit: usize) -> Result<Vec<GoodsPlace>, IndexError> {
        self.places(GoodsKey::of_text(subject), About::Beside, None, limit)
    }

    /// Every event, in the order of admission, the first `limit` after `after`.
    pub fn events(
        &self,
        after: Option<&GoodsPlace>,
        limit: usize,
    ) -> Result<Vec<GoodsPlace>, IndexError> {
        self.places(GoodsKey::of_text(ALL_EVENTS), About::Beside, after, limit)
    }

    /// Every recall, in the order of admission, the first `limit` after `after`.
    pub fn recalls(
        &self,
        after: Option<&GoodsPlace>,
        limit: usize,
    ) -> Result<Vec<GoodsPlace>, IndexError> {
        self.places(GoodsKey::of_text(ALL_RECALLS), About::Beside, after, limit)
    }

    /// Events of this identity, which is an eventID or the hash of an event without one.
    pub fn events_named(
        &self,
        identity: &str,
        limit: usize,
    ) -> Result<Vec<GoodsPlace>, IndexError> {
        let key = GoodsKey::of_text(&event_named(identity));
        self.places(key, About::Beside, None, limit)
    }

    /// Erasures of records about these goods, by their digest, in the order of admission.
    pub fn erasures(&self, goods: &Digest, limit: usize) -> Result<Vec<GoodsPlace>, IndexError> {
        self.places(erased_key(goods), About::Beside, None, limit)
    }

    /// Answers to a finding, in the order of admission.
    pub fn answers(&self, finding: &Digest, limit: usize) -> Result<Vec<GoodsPlace>, IndexError> {
        self.places(finding_key(finding), About::Beside, None, limit)
    }
}
