//! Gathering: from a code through the goods index to bodies that are read and proved.
//!
//! Invariants: nothing is believed because the index says so: a record counts once its entry is
//! under the published checkpoint by its own inclusion proof, its bytes have its id, and its
//! signature is of a key in force at the entry's time; who may not read a body never learns from
//! a passport that it exists; the work is bounded, and what was left out is told.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_schemas::attestation::{ContentId, Envelope, Verified};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::gs1::digital_link::unescape;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::label::Scheme;
use hallmark_schemas::kind::value::Digest;
use hallmark_schemas::kind::{Body, KindName};
use hallmark_schemas::merkle::{Hash, verify_inclusion};
use hallmark_schemas::time::{EntryTime, Timestamp};

use super::code::{Code, sort_of};
use super::view::{LogView, Party, Record, Sort};
use crate::core::Node;
use crate::index::LogKey;
use crate::index::goods::{About, GoodsPlace};
use crate::index::labels::By;
use crate::store::StoreError;
use hallmark_schemas::head::Head;

/// Most bodies that one passport reads.
pub const RECORDS_MAX: usize = 256;
/// Most events of one code among them.
const EVENTS_MAX: usize = 128;
/// Most confirmations that are read: whether there are more changes nothing.
const CONFIRMATIONS_MAX: usize = 32;
/// Most index entries that are looked at for statements: confirmations and complaints beyond what
/// is read cost one each, so that a flood of them hides nothing else.
const STATEMENTS_SCAN_MAX: usize = 20_000;
/// Most statements about one place or body, and answers to one finding.
const BESIDE_MAX: usize = 32;
/// Most label orders that hold one serial, or name one lot, that are read: more say no more.
const ORDERS_MAX: usize = 32;
/// Most first label orders of one log and scheme that are read.
const FIRST_ORDERS_MAX: usize = 2;
/// Most first label orders over all logs that are looked at.
const FIRST_SCAN_MAX: usize = 256;
/// Most index entries fetched at once.
const SCAN_CHUNK: usize = 1024;

/// What a record speaks of, seen from the code.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// The code itself.
    Own,
    /// Its lot.
    Lot,
    /// Its class.
    Class,
    /// Something that another record names: a place, a body that vouches, a finding.
    Beside,
}

/// A record that was proved.
#[derive(Clone, Debug)]
pub struct Proven {
    /// What it speaks of.
    pub level: Level,
    /// The log.
    pub origin: String,
    /// Its place there.
    pub entry: u64,
    /// When it became part of the log.
    pub time: EntryTime,
    /// The attestation.
    pub verified: Verified,
    /// Whether anyone may read it.
    pub is_public: bool,
}

/// Everything that was found about a code.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Proved records, the own log's first, each id once.
    pub records: Vec<Proven>,
    /// Records of this node that do not hold.
    pub damaged: Vec<Record>,
    /// Ids of what may tell of the code itself, whole or damaged: label orders that the index has
    /// under its number or lot, with their corrections, and damaged records of the code.
    pub telling: BTreeSet<String>,
    /// The logs that records lie in.
    pub logs: BTreeMap<String, LogSeen>,
    /// Whether there is more than was read.
    pub is_cut: bool,
}

/// A log as it was when a record of it was proved.
#[derive(Clone, Debug)]
pub struct LogSeen {
    /// The published tree.
    pub head: Head,
    /// When its witnesses last vouched for it; without witnesses the instant of its last entry.
    pub at: Option<Timestamp>,
    /// Path of its checkpoint on this node.
    pub checkpoint: String,
}

impl LogSeen {
    /// For the page.
    pub fn view(&self, origin: &str) -> LogView {
        LogView {
            origin: origin.to_owned(),
            size: self.head.size,
            checkpoint_at: self.at.map(|at| at.to_string()),
            checkpoint: self.checkpoint.clone(),
        }
    }
}

/// What came of looking at a place that the index names.
enum Placed {
    /// Nothing that concerns the goods.
    Absent,
    /// The own log does not prove it.
    Unproved { origin: String },
    /// It is there.
    At { origin: String, entry: Entry },
}

/// Reads and proves what is about one code.
pub struct Gatherer<'a> {
    node: &'a Node,
    own: &'a OrgId,
    origins: BTreeMap<LogKey, String>,
    seen: BTreeSet<ContentId>,
    evidence: Evidence,
}

impl<'a> Gatherer<'a> {
    /// For the node of an organisation.
    pub fn new(node: &'a Node, own: &'a OrgId) -> Gatherer<'a> {
        let origins = node.origins();
        Gatherer { node, own, origins, seen: BTreeSet::new(), evidence: Evidence::default() }
    }

    /// Everything about the code and its class: what tells its lots.
    pub fn own(&mut self, code: &Code) -> Result<(), StoreError> {
        self.statements(&code.goods, Level::Own)?;
        self.events(&code.goods, Level::Own)?;
        if let Some(class) = class_over(code) {
            self.statements(&class, Level::Class)?;
        }
        self.first_orders(code)
    }

    /// The first label orders of each log: they tell who made labels first, and under which scheme.
    fn first_orders(&mut self, code: &Code) -> Result<(), StoreError> {
        let class = class_over(code);
        let level = if class.is_some() { Level::Class } else { Level::Own };
        let class = class.unwrap_or_else(|| code.goods.clone());
        for scheme in [Scheme::Sequence, Scheme::Derived] {
            let mut of_log: BTreeMap<LogKey, usize> = BTreeMap::new();
            for place in self.node.label_orders(&class, By::Scheme(scheme), FIRST_SCAN_MAX)? {
                let count = of_log.entry(place.log).or_default();
                *count += 1;
                if *count <= FIRST_ORDERS_MAX {
                    self.order(place, &class, level, false)?;
                }
            }
        }
        match sort_of(&code.goods) {
            Sort::Lot => {
                let lot = code.goods.as_str().rsplit('/').next().unwrap_or_default();
                self.orders(&class, By::Lot(&unescape(lot, false)))
            }
            _ => Ok(()),
        }
    }

    /// The label orders that hold a number.
    pub fn orders_of(
        &mut self,
        goods: &GoodsId,
        scheme: Scheme,
        number: u64,
    ) -> Result<(), StoreError> {
        match goods.class().filter(|class| class != goods) {
            Some(class) => self.orders(&class, By::Number(scheme, number)),
            None => Ok(()),
        }
    }

    fn orders(&mut self, class: &GoodsId, by: By<'_>) -> Result<(), StoreError> {
        let places = self.node.label_orders(class, by, ORDERS_MAX)?;
        places.into_iter().try_for_each(|place| self.order(place, class, Level::Class, true))
    }

    /// One label order, and what corrects it; whether it may tell of the code itself.
    fn order(
        &mut self,
        place: GoodsPlace,
        class: &GoodsId,
        level: Level,
        tells: bool,
    ) -> Result<(), StoreError> {
        let mut open = vec![place];
        while let Some(place) = open.pop() {
            let is_news = tells && self.evidence.telling.insert(place.id.to_string());
            if is_news || !self.seen.contains(&place.id) {
                open.extend(self.node.label_corrections(&place.id, BESIDE_MAX)?);
                self.take(place, level, |envelope| names(envelope, class))?;
            }
        }
        Ok(())
    }

    /// Everything about its lots, of which label orders tell some, and what all this rests on.
    pub fn rest(&mut self, code: &Code, ordered: &BTreeSet<String>) -> Result<(), StoreError> {
        for lot in self.lots(code, ordered) {
            self.statements(&lot, Level::Lot)?;
        }
        self.beside()?;
        if self.evidence.records.is_empty() && self.evidence.damaged.is_empty() {
            // Whether the network knows the class by its events alone.
            if let Some(class) = class_over(code) {
                self.events(&class, Level::Class)?;
            }
        }
        Ok(())
    }

    /// What was found so far.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// What was found.
    pub fn finish(self) -> Evidence {
        self.evidence
    }

    /// The lots that records and label orders name; without any, the one that the print names.
    fn lots(&self, code: &Code, ordered: &BTreeSet<String>) -> Vec<GoodsId> {
        let mut lots: BTreeSet<GoodsId> =
            ordered.iter().filter_map(|lot| code.goods.in_lot(lot)).collect();
        for record in self.evidence.records.iter().filter(|record| record.level == Level::Own) {
            if let Some(lot) = lot_of(&record.verified, &code.goods) {
                lots.extend(code.goods.in_lot(lot));
            }
        }
        if lots.is_empty() {
            lots.extend(code.lot.as_deref().and_then(|lot| code.goods.in_lot(lot)));
        }
        lots.remove(&code.goods);
        lots.into_iter().collect()
    }

    /// Places of events, and the accreditation of those who vouch.
    fn beside(&mut self) -> Result<(), StoreError> {
        let mut places = BTreeSet::new();
        let mut bodies = BTreeSet::new();
        for record in &self.evidence.records {
            match record.verified.body() {
                Body::Event(event) => {
                    let fields = event.fields();
                    places.extend(fields.read_point.iter().chain(&fields.biz_location).cloned());
                }
                Body::Certificate(_) => {
                    bodies.insert(record.verified.claims().iss.to_string());
                }
                _ => {}
            }
        }
        for subject in places.into_iter().chain(bodies) {
            for place in self.node.beside(&subject, BESIDE_MAX)? {
                self.take(place, Level::Beside, |_| true)?;
            }
        }
        Ok(())
    }

    /// Answers to a finding.
    pub fn answers(&mut self, finding: &Digest) -> Result<(), StoreError> {
        let places = self.node.answers(finding, BESIDE_MAX)?;
        places.into_iter().try_for_each(|place| self.take(place, Level::Beside, |_| true))
    }

    fn statements(&mut self, goods: &GoodsId, level: Level) -> Result<(), StoreError> {
        let mut after: Option<GoodsPlace> = None;
        let (mut scanned, mut confirmations) = (0, 0);
        loop {
            let about = About::Statements;
            let places = self.node.goods(goods, about, after.as_ref(), SCAN_CHUNK)?;
            scanned += places.len();
            after = places.last().copied();
            let is_last = places.len() < SCAN_CHUNK;
            for place in places {
                match place.kind {
                    KindName::Complaint => continue,
                    KindName::Confirmation if level != Level::Own => continue,
                    KindName::Confirmation if CONFIRMATIONS_MAX <= confirmations => continue,
                    KindName::Confirmation => confirmations += 1,
                    _ => {}
                }
                self.take(place, level, |envelope| names(envelope, goods))?;
            }
            if is_last {
                return Ok(());
            }
            if STATEMENTS_SCAN_MAX <= scanned {
                self.evidence.is_cut = true;
                return Ok(());
            }
        }
    }

    fn events(&mut self, goods: &GoodsId, level: Level) -> Result<(), StoreError> {
        let places = self.node.goods(goods, About::Events, None, EVENTS_MAX + 1)?;
        self.evidence.is_cut |= EVENTS_MAX < places.len();
        for place in places.into_iter().take(EVENTS_MAX) {
            self.take(place, level, |envelope| names(envelope, goods))?;
        }
        Ok(())
    }

    fn is_own(&self, place: &GoodsPlace) -> bool {
        self.origins.get(&place.log).is_some_and(|origin| origin == self.node.log().origin())
    }

    /// Reads and proves one record.
    fn take(
        &mut self,
        place: GoodsPlace,
        level: Level,
        is_about: impl Fn(&Envelope) -> bool,
    ) -> Result<(), StoreError> {
        if self.seen.contains(&place.id) {
            return Ok(());
        }
        if RECORDS_MAX <= self.evidence.records.len() + self.evidence.damaged.len() {
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
                Ok(envelope) => self.prove(envelope, &origin, &place, level, is_own)?,
            },
        };
        self.seen.insert(place.id);
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
        place: &GoodsPlace,
        level: Level,
        is_own_log: bool,
    ) -> Result<Option<&'static str>, StoreError> {
        let Some(time) = self.node.entry_time(origin, place.entry)? else {
            return Ok(None);
        };
        let is_public = envelope.claims().aud == Audience::Public;
        if !is_public && envelope.claims().iss != *self.own {
            return Ok(None);
        }
        match self.node.keys().read(|keys| envelope.verify(keys, time)) {
            Ok(verified) => {
                let origin = origin.to_owned();
                let entry = place.entry;
                let record = Proven { level, origin, entry, time, verified, is_public };
                self.evidence.records.push(record);
                Ok(None)
            }
            Err(_) => Ok(is_own_log.then_some("signature")),
        }
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
        let Head { size, root } = seen.head;
        if size <= place.entry {
            return Ok(Placed::Absent);
        }
        let is_own = origin == self.node.log().origin();
        match self.entry(&origin, place.entry, size) {
            Ok(Some((entry, _))) if entry.id != place.id => Ok(Placed::Absent),
            Ok(Some((entry, path)))
                if verify_inclusion(&entry.leaf_hash(), place.entry, size, &path, &root)
                    .is_ok() =>
            {
                Ok(Placed::At { origin, entry })
            }
            // A damaged copy of another's log is fetched again, and says nothing about goods.
            _ if !is_own => Ok(Placed::Absent),
            _ => Ok(Placed::Unproved { origin }),
        }
    }

    fn entry(
        &self,
        origin: &str,
        index: u64,
        size: u64,
    ) -> Result<Option<(Entry, Vec<Hash>)>, StoreError> {
        let range = index..index + 1;
        let (entries, path) = if origin == self.node.log().origin() {
            let log = self.node.log();
            (log.entries(range)?, log.inclusion_proof(index, size)?)
        } else {
            let Some(log) = self.node.mirror().log(origin) else {
                return Ok(None);
            };
            (log.entries(range)?, log.inclusion_proof(index, size)?)
        };
        Ok(entries.first().map(|entry| (*entry, path)))
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

/// The class of a code that is not a class itself.
fn class_over(code: &Code) -> Option<GoodsId> {
    code.goods.class().filter(|class| *class != code.goods)
}

/// Whether a body names the goods: the index holds only a part of a hash.
fn names(envelope: &Envelope, goods: &GoodsId) -> bool {
    envelope.body().goods(envelope.claims()).contains(goods)
}

/// The lot that a record gives the goods.
pub(super) fn lot_of<'a>(record: &'a Verified, goods: &GoodsId) -> Option<&'a str> {
    match record.body() {
        Body::Event(event) => {
            let fields = event.fields();
            let is_born = |item: &&hallmark_schemas::kind::event::fields::Item| {
                item.item.as_str() == goods.as_str() && fields.born(item.role)
            };
            fields.items.iter().find(is_born).and(fields.lot.as_deref())
        }
        Body::Masterdata(body) => match &body.about {
            hallmark_schemas::kind::masterdata::About::Lot(lot) => Some(&lot.lot),
            _ => None,
        },
        _ => None,
    }
}

/// An organisation by its name in law.
pub fn party(node: &Node, org: &OrgId) -> Party {
    let name = node.keys().read(|keys| keys.organisation(org).map(|o| o.legal_name.clone()));
    Party { id: org.to_string(), name: name.unwrap_or_default() }
}
