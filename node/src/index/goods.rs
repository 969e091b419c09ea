//! Which attestations say something about which goods: prefix `g` of the index.
//!
//! Invariants: what is found is what a scan of the bodies held here gives, in the order of
//! admission; a key holds 16 bytes of a hash, so whoever reads a body found here looks whether it
//! names the goods; events and label orders are kept apart from statements, so that the statements
//! about a class are found at once, however many events name it and orders were made.
//!
//! The time in a key is the entry's `admitted_at`, not what an event claims: it exists for every
//! kind, it cannot be chosen by who signs, and what is admitted later comes later in the list, so
//! that a reader goes on where it stopped.
//!
//! Key: `g` ‖ first 16 bytes of the SHA-256 of the canonical text ‖ 0 for statements, 1 for events, 3 for
//! label orders
//! ‖ admitted_at (ms) ‖ log ‖ entry. Value: content id ‖ name of the kind.

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::kind::KindName;
use hallmark_schemas::time::Timestamp;
use sha2::{Digest, Sha256};

use super::{Batch, Catalogue, IndexError, LogKey, key, unreadable};

/// Goods in keys.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct GoodsKey([u8; 16]);

impl GoodsKey {
    /// The short name of these goods.
    pub fn of(goods: &GoodsId) -> GoodsKey {
        GoodsKey::of_text(goods.as_str())
    }

    /// The short name of something else that is looked up by its text.
    pub fn of_text(text: &str) -> GoodsKey {
        let hash = Sha256::digest(text.as_bytes());
        GoodsKey(hash[..16].try_into().expect("32 bytes begin with 16"))
    }
}

/// Which attestations about goods are asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum About {
    /// All that are neither events nor label orders: few, also for a class.
    Statements,
    /// Events that name the goods.
    Events,
    /// Statements about something else: see [`super::beside`].
    Beside,
    /// Label orders of the goods; [`super::labels`] finds those of one code.
    Labels,
}

impl About {
    fn of(kind: KindName) -> About {
        match kind {
            KindName::Event => About::Events,
            KindName::Label => About::Labels,
            _ => About::Statements,
        }
    }

    fn byte(self) -> u8 {
        match self {
            About::Statements => 0,
            About::Events => 1,
            About::Beside => 2,
            About::Labels => 3,
        }
    }
}

/// An attestation that says something about goods, and where it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct GoodsPlace {
    /// When its log admitted it.
    pub at: Timestamp,
    /// The log.
    pub log: LogKey,
    /// Its place there.
    pub entry: u64,
    /// Its id.
    pub id: ContentId,
    /// Its kind.
    pub kind: KindName,
}

impl GoodsPlace {
    /// What tells where in a list it stands: time, log and entry.
    pub fn position(&self) -> [u8; 24] {
        self.suffix()
    }

    /// A place that only says where in a list to go on.
    pub fn at_position(position: &[u8; 24]) -> Option<GoodsPlace> {
        let value = [[0; 32].as_slice(), KindName::Event.as_str().as_bytes()].concat();
        GoodsPlace::decode(position, &value)
    }

    /// The last place before this instant, in any list.
    pub fn before(at: Timestamp) -> Option<GoodsPlace> {
        let mut position = [0xff; 24];
        let before = at.unix_ms().checked_sub(1)?;
        position[..8].copy_from_slice(&before.to_be_bytes());
        GoodsPlace::at_position(&position)
    }

    fn suffix(&self) -> [u8; 24] {
        let mut suffix = [0; 24];
        suffix[..8].copy_from_slice(&self.at.unix_ms().to_be_bytes());
        suffix[8..16].copy_from_slice(&self.log.0);
        suffix[16..].copy_from_slice(&self.entry.to_be_bytes());
        suffix
    }

    fn decode(suffix: &[u8], value: &[u8]) -> Option<GoodsPlace> {
        let (at, rest) = suffix.split_at_checked(8)?;
        let (log, entry) = rest.split_at_checked(8)?;
        let (id, kind) = value.split_at_checked(32)?;
        Some(GoodsPlace {
            at: Timestamp::try_from_unix_ms(u64::from_be_bytes(at.try_into().ok()?))?,
            log: LogKey(log.try_into().ok()?),
            entry: u64::from_be_bytes(entry.try_into().ok()?),
            id: ContentId::from_bytes(id.try_into().ok()?),
            kind: std::str::from_utf8(kind).ok()?.parse().ok()?,
        })
    }
}

/// The goods that one body names, ready for the index.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Naming {
    kind: KindName,
    goods: Box<[GoodsKey]>,
    beside: Box<[GoodsKey]>,
}

impl Naming {
    /// What an attestation names; kinds that name no goods cost nothing.
    pub fn of(envelope: &Envelope) -> Naming {
        let goods = envelope.body().goods(envelope.claims());
        Naming {
            kind: envelope.kind(),
            goods: goods.iter().map(GoodsKey::of).collect(),
            beside: super::beside::keys(envelope).into(),
        }
    }

    /// How many keys that takes.
    pub fn len(&self) -> usize {
        self.goods.len() + self.beside.len()
    }

    /// Whether nothing is named.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Batch {
    /// The attestation at that entry names goods.
    pub fn put_goods(
        &mut self,
        log: LogKey,
        (entry, at): (u64, Timestamp),
        id: &ContentId,
        naming: &Naming,
    ) {
        let Naming { kind, goods, beside } = naming;
        let place = GoodsPlace { at, log, entry, id: *id, kind: *kind };
        let value = [id.bytes().as_slice(), kind.as_str().as_bytes()].concat();
        for goods in goods {
            self.put(place_key(*goods, About::of(*kind), &place.suffix()), value.clone());
        }
        for subject in beside {
            self.put_beside(*subject, &place);
        }
    }

    /// The attestation at that place is found by this too.
    pub(super) fn put_beside(&mut self, subject: GoodsKey, place: &GoodsPlace) {
        let value = [place.id.bytes().as_slice(), place.kind.as_str().as_bytes()].concat();
        self.put(place_key(subject, About::Beside, &place.suffix()), value);
    }
}

impl Catalogue {
    /// Attestations about goods, in the order of admission, the first `limit` after `after`.
    ///
    /// Logs that are no longer followed may be among the places. One attestation in two logs has
    /// two places.
    pub fn goods(
        &self,
        goods: &GoodsId,
        about: About,
        after: Option<&GoodsPlace>,
        limit: usize,
    ) -> Result<Vec<GoodsPlace>, IndexError> {
        self.places(GoodsKey::of(goods), about, after, limit)
    }

    pub(super) fn places(
        &self,
        goods: GoodsKey,
        about: About,
        after: Option<&GoodsPlace>,
        limit: usize,
    ) -> Result<Vec<GoodsPlace>, IndexError> {
        let prefix = place_key(goods, about, &[]);
        // The next key after one is the same with a zero byte more.
        let from = after.map(|place| [place.suffix().as_slice(), &[0]].concat());
        let pairs = self.index.scan(&prefix, &from.unwrap_or_default(), limit)?;
        let decoded = pairs.iter().map(|(key, value)| {
            GoodsPlace::decode(&key[prefix.len()..], value).ok_or_else(|| unreadable(key))
        });
        decoded.collect()
    }
}

fn place_key(goods: GoodsKey, about: About, suffix: &[u8]) -> Vec<u8> {
    key(b'g', &[&goods.0, &[about.byte()], suffix])
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use hallmark_schemas::entry::Entry;

    use super::*;
    use crate::core::testing::{GOODS, NOW, event, facility, readings};
    use crate::index::engine::Engine;
    use crate::index::{Index, memory};

    pub(crate) fn goods(text: &str) -> GoodsId {
        GoodsId::parse(text).unwrap()
    }

    /// Everything that the index finds, page by page.
    pub(crate) fn found(catalogue: &Catalogue, goods: &GoodsId, page: usize) -> Vec<GoodsPlace> {
        let mut all: Vec<GoodsPlace> = Vec::new();
        for about in [About::Statements, About::Events, About::Labels] {
            let mut after = None;
            loop {
                let more = catalogue.goods(goods, about, after.as_ref(), page).unwrap();
                let Some(last) = more.last() else {
                    break;
                };
                assert!(more.len() <= page);
                after = Some(*last);
                all.extend(more);
            }
        }
        all
    }

    /// The same from the entries and bodies of a log, without the index.
    pub(crate) fn scanned(
        log: LogKey,
        entries: &[Entry],
        body: impl Fn(&ContentId) -> Option<Vec<u8>>,
        goods: &GoodsId,
    ) -> Vec<GoodsPlace> {
        let mut places = Vec::new();
        for (entry, Entry { admitted_at, id, .. }) in (0..).zip(entries) {
            let Some(envelope) = body(id).map(|body| Envelope::parse(&body).unwrap()) else {
                continue;
            };
            if envelope.body().goods(envelope.claims()).contains(goods) {
                let (at, id, kind) = (*admitted_at, *id, envelope.kind());
                places.push(GoodsPlace { at, log, entry, id, kind });
            }
        }
        places.sort_by_key(|place| (About::of(place.kind).byte(), place.suffix()));
        places
    }

    fn engines() -> (tempfile::TempDir, Vec<Arc<dyn Index>>) {
        let dir = tempfile::tempdir().unwrap();
        let open = |engine: &Engine| engine.open(&dir.path().join(engine.as_str())).unwrap();
        let mut engines: Vec<_> = Engine::ALL.iter().map(open).collect();
        engines.push(Arc::new(memory::MemoryIndex::default()));
        (dir, engines)
    }

    #[test]
    fn goods_are_found_in_the_order_of_admission_in_pages_on_every_engine() {
        let (_dir, engines) = engines();
        for index in engines {
            let catalogue = Catalogue::new(index);
            let (log, other) = (LogKey::of("net/a/1"), LogKey::of("net/b/1"));
            let naming = Naming::of(&event(1, &GOODS[..2]));
            // Two goods, its own identity, and the list of all events.
            assert_eq!(naming.len(), 4);
            let at = |ms| NOW.checked_add_ms(ms).unwrap();
            let id = |byte| ContentId::from_bytes([byte; 32]);
            let mut changes = Batch::default();
            let statement = Naming { kind: KindName::Emissions, ..naming.clone() };
            for (log, entry, ms, byte, naming) in [
                (log, 300, 5, 3, &naming),
                (other, 1, 5, 4, &naming),
                (log, 7, 0, 1, &naming),
                (log, 8, 0, 2, &naming),
                (log, 9, 9, 5, &statement),
            ] {
                changes.put_goods(log, (entry, at(ms)), &id(byte), naming);
            }
            catalogue.write(changes).unwrap();
            let item = goods(GOODS[0]);
            let ids = |found: Vec<GoodsPlace>| -> Vec<ContentId> {
                found.into_iter().map(|place| place.id).collect()
            };
            let mut same_time = [(log.0, 3), (other.0, 4)];
            same_time.sort_unstable();
            let [third, fourth] = same_time.map(|(_, byte)| id(byte));
            let all = [id(5), id(1), id(2), third, fourth];
            for page in [1, 2, 3, 9] {
                assert_eq!(ids(found(&catalogue, &item, page)), all, "pages of {page}");
            }
            let first = catalogue.goods(&item, About::Statements, None, 9).unwrap();
            let kind = KindName::Emissions;
            assert_eq!(first, [GoodsPlace { at: at(9), log, entry: 9, id: id(5), kind }]);
            assert!(found(&catalogue, &goods(GOODS[4]), 9).is_empty());
        }
    }

    #[test]
    fn kinds_that_name_no_goods_cost_nothing() {
        let (log, id) = (LogKey::of("net/a/1"), ContentId::from_bytes([1; 32]));
        for envelope in [readings(1, 5), readings(2, 7)] {
            let naming = Naming::of(&envelope);
            assert!(naming.is_empty());
            let mut changes = Batch::default();
            changes.put_goods(log, (1, NOW), &id, &naming);
            assert!(changes.is_empty());
        }
    }

    #[test]
    fn a_facility_is_found_by_its_own_name_and_is_not_about_goods() {
        let (log, id) = (LogKey::of("net/a/1"), ContentId::from_bytes([1; 32]));
        let catalogue = Catalogue::new(Arc::new(memory::MemoryIndex::default()));
        let envelope = facility(1, "plant", 0);
        let mut changes = Batch::default();
        changes.put_goods(log, (1, NOW), &id, &Naming::of(&envelope));
        assert_eq!(changes.len(), 1);
        catalogue.write(changes).unwrap();
        let own = envelope.claims().sub.to_string();
        let found = catalogue.beside(&own, 9).unwrap();
        assert_eq!(found.iter().map(|place| place.id).collect::<Vec<_>>(), [id]);
        assert!(catalogue.beside("urn:hallmark:facility:other", 9).unwrap().is_empty());
    }

    #[test]
    fn a_value_of_an_unknown_kind_is_told_not_passed_over() {
        let (_dir, engines) = engines();
        for index in engines {
            let catalogue = Catalogue::new(index);
            let item = goods(GOODS[0]);
            let mut changes = Batch::default();
            let key = place_key(GoodsKey::of(&item), About::Events, &[0; 24]);
            changes.put(key, [&[1; 32], b"hologram".as_slice()].concat());
            catalogue.write(changes).unwrap();
            let answer = catalogue.goods(&item, About::Events, None, 9);
            assert!(matches!(answer, Err(IndexError::Value { .. })));
        }
    }
}
