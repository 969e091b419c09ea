//! Gathering: from a code through the goods index to bodies that are read and proved.
//!
//! Invariants: nothing is believed because the index says so: a record counts once its entry is
//! under the published checkpoint by its own inclusion proof, its bytes have its id, and its
//! signature is of a key in force at the entry's time; what its log refused, because it contradicts
//! an earlier record, is evidence of that and tells nothing of goods; who may not read a body never learns from
//! a passport that it exists; the work is bounded, and what was left out is told.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_schemas::attestation::{ContentId, Envelope, Verified};
use hallmark_schemas::entry::Entry;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::gs1::digital_link::unescape;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::erasure::Erasure;
use hallmark_schemas::kind::label::Scheme;
use hallmark_schemas::kind::value::Digest;
use hallmark_schemas::kind::{Body, KindName};
use hallmark_schemas::time::{EntryTime, Timestamp};

use super::code::{Code, sort_of};
use super::view::{LogView, Party, Record, Sort};
use crate::core::Node;
use crate::index::goods::{About, GoodsPlace};
use crate::index::labels::By;
use crate::index::{LogKey, beside};
use crate::store::StoreError;
use hallmark_schemas::head::Head;

mod carried;
mod proving;

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
/// Most label orders of one log that hold one serial, or name one lot, that are read.
const ORDERS_MAX: usize = 32;
/// Most of them over all logs that are looked at.
const ORDERS_SCAN_MAX: usize = 1024;
/// Most findings of others about one thing that are read.
const FINDINGS_MAX: usize = 16;
/// Most recalls of lots of a class that are read where no record tells the lot.
const LOT_RECALLS_MAX: usize = 32;
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
    /// Since when it is in doubt whether its issuer signed it, as the key was revoked: no later than
    /// it was recorded.
    pub doubt: Option<Timestamp>,
    /// Whether anyone may read it.
    pub is_public: bool,
}

/// Everything that was found about a code.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Proved records, the own log's first, each id once.
    pub records: Vec<Proven>,
    /// What its log refused: evidence of a contradiction, and of nothing else.
    pub refused: Vec<Proven>,
    /// Events of what the goods were inside of, while they were: the container of each.
    pub carried: BTreeMap<ContentId, GoodsId>,
    /// Records of this node that do not hold.
    pub damaged: Vec<Record>,
    /// Ids of what may tell of the code itself, whole or damaged: label orders that the index has
    /// under its number or lot, with their corrections, and damaged records of the code.
    pub telling: BTreeSet<String>,
    /// The logs that records lie in.
    pub logs: BTreeMap<String, LogSeen>,
    /// Its class, and its lots where any record or label order names them.
    pub family: BTreeSet<GoodsId>,
    /// Whether a description, the goods' birth or a label order tells the lot; what the print says of it
    /// does not count.
    pub is_lot_told: bool,
    /// Whether there is more than was read.
    pub is_cut: bool,
}

/// A log as it was when a record of it was proved.
#[derive(Clone, Debug)]
pub struct LogSeen {
    /// The published tree.
    pub head: Head,
    /// When its witnesses last vouched for it, where its policy names none its own node alone; or
    /// the instant of its last entry, if that is later.
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
    /// Places whose records were refused there: elsewhere they may stand.
    refused: BTreeSet<(LogKey, u64)>,
    evidence: Evidence,
}

impl<'a> Gatherer<'a> {
    /// For the node of an organisation.
    pub fn new(node: &'a Node, own: &'a OrgId) -> Gatherer<'a> {
        let origins = node.origins();
        let (seen, refused) = (BTreeSet::new(), BTreeSet::new());
        Gatherer { node, own, origins, seen, refused, evidence: Evidence::default() }
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
            self.first_of_each_log(&class, By::Scheme(scheme), level)?;
        }
        match sort_of(&code.goods) {
            Sort::Lot => {
                let lot = code.goods.as_str().rsplit('/').next().unwrap_or_default();
                self.orders(&class, By::Lot(&unescape(lot, false)))
            }
            _ => Ok(()),
        }
    }

    fn first_of_each_log(
        &mut self,
        class: &GoodsId,
        by: By<'_>,
        level: Level,
    ) -> Result<(), StoreError> {
        let mut of_log: BTreeMap<LogKey, usize> = BTreeMap::new();
        for place in self.node.label_orders(class, by, FIRST_SCAN_MAX)? {
            let count = of_log.entry(place.log).or_default();
            *count += 1;
            if *count <= FIRST_ORDERS_MAX {
                self.order(place, class, level, false)?;
            }
        }
        Ok(())
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

    /// Of each log only so many: a flood of orders in one hides none of another's, and is told.
    fn orders(&mut self, class: &GoodsId, by: By<'_>) -> Result<(), StoreError> {
        let mut of_log: BTreeMap<LogKey, usize> = BTreeMap::new();
        let places = self.node.label_orders(class, by, ORDERS_SCAN_MAX + 1)?;
        self.evidence.is_cut |= ORDERS_SCAN_MAX < places.len();
        for place in places.into_iter().take(ORDERS_SCAN_MAX) {
            let count = of_log.entry(place.log).or_default();
            *count += 1;
            match *count <= ORDERS_MAX {
                true => self.order(place, class, Level::Class, true)?,
                false => self.evidence.is_cut = true,
            }
        }
        Ok(())
    }

    /// The first orders that say that labels of the class are on goods: of this order, and of any.
    pub fn activations(&mut self, class: &GoodsId, order: &str) -> Result<(), StoreError> {
        for by in [By::Activation(order), By::Activated] {
            self.first_of_each_log(class, by, Level::Class)?;
        }
        Ok(())
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
                let corrections = self.node.label_corrections(&place.id, BESIDE_MAX + 1)?;
                open.extend(self.all_but(corrections, BESIDE_MAX));
                self.take(place, level, |envelope| names(envelope, class))?;
            }
        }
        Ok(())
    }

    /// So many of what was found; that there are more is told.
    fn all_but(&mut self, mut places: Vec<GoodsPlace>, max: usize) -> Vec<GoodsPlace> {
        self.evidence.is_cut |= max < places.len();
        places.truncate(max);
        places
    }

    /// Everything about its lots, of which label orders tell some, and what all this rests on.
    pub fn rest(&mut self, code: &Code, ordered: &BTreeSet<String>) -> Result<(), StoreError> {
        let (told, mut lots) = self.lots(code, ordered);
        self.evidence.is_lot_told = !told.is_empty();
        lots.extend(told);
        self.evidence.family = lots.iter().cloned().chain(class_over(code)).collect();
        if !self.evidence.is_lot_told {
            lots.extend(code.lot.as_deref().and_then(|lot| code.goods.in_lot(lot)));
        }
        lots.remove(&code.goods);
        for lot in lots {
            self.statements(&lot, Level::Lot)?;
        }
        self.lot_recalls(code)?;
        self.erasures(code)?;
        self.party(code)?;
        self.place(code)?;
        self.carried(code)?;
        self.beside()?;
        self.versions()?;
        let is_about = |record: &Proven| record.level != Level::Beside;
        if !self.evidence.records.iter().any(is_about) && self.evidence.damaged.is_empty() {
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

    /// Recalls of other lots of the class: of one of these the goods may be, if nothing tells theirs.
    fn lot_recalls(&mut self, code: &Code) -> Result<(), StoreError> {
        let may_be = match sort_of(&code.goods) {
            Sort::Item => !self.evidence.is_lot_told,
            sort => sort == Sort::Class,
        };
        let Some(class) = code.goods.class().filter(|_| may_be) else {
            return Ok(());
        };
        let found = self.node.beside(&beside::recalled_lots(&class), LOT_RECALLS_MAX + 1)?;
        for place in self.all_but(found, LOT_RECALLS_MAX) {
            self.take(place, Level::Beside, |_| true)?;
        }
        Ok(())
    }

    /// Erasures of records about the code, its lots or its class.
    fn erasures(&mut self, code: &Code) -> Result<(), StoreError> {
        let family = self.evidence.family.iter().cloned();
        let all: BTreeSet<GoodsId> = family.chain([code.goods.clone()]).collect();
        for digest in all.iter().map(Erasure::digest_of) {
            let found = self.node.erasures(&digest, BESIDE_MAX + 1)?;
            for place in self.all_but(found, BESIDE_MAX) {
                let names = |envelope: &Envelope| match envelope.body() {
                    Body::Erasure(body) => body.goods.contains(&digest),
                    _ => false,
                };
                self.take(place, Level::Beside, names)?;
            }
        }
        Ok(())
    }

    /// What the registrar says of the organisation whose own party number the code is.
    fn party(&mut self, code: &Code) -> Result<(), StoreError> {
        let Some(org) = super::code::org_of(&code.goods) else {
            return Ok(());
        };
        let found = self.node.beside(&org.to_string(), BESIDE_MAX + 1)?;
        for place in self.all_but(found, BESIDE_MAX) {
            let is_own = matches!(place.kind, KindName::Organisation | KindName::Masterdata);
            let level = if is_own { Level::Own } else { Level::Beside };
            self.take(place, level, |_| true)?;
        }
        Ok(())
    }

    /// The facilities that the place belongs to which the code names.
    fn place(&mut self, code: &Code) -> Result<(), StoreError> {
        if sort_of(&code.goods) != Sort::Place {
            return Ok(());
        }
        let found = self.node.beside(code.goods.as_str(), BESIDE_MAX + 1)?;
        for place in self.all_but(found, BESIDE_MAX) {
            if place.kind == KindName::Facility {
                self.take(place, Level::Own, |_| true)?;
            }
        }
        Ok(())
    }

    /// What replaces a record that was found, and may no longer name these goods.
    fn versions(&mut self) -> Result<(), StoreError> {
        let (mut refused, mut next) = (0, 0);
        loop {
            let Evidence { records, refused: all_refused, .. } = &self.evidence;
            // What was refused may be corrected as well.
            let record = match (all_refused.get(refused), records.get(next)) {
                (Some(record), _) => {
                    refused += 1;
                    record
                }
                (None, Some(record)) => {
                    next += 1;
                    record
                }
                (None, None) => return Ok(()),
            };
            if !beside::has_versions(record.verified.body()) {
                continue;
            }
            let before = record.verified.id();
            let found = self.node.beside(&beside::versions_after(&before), BESIDE_MAX + 1)?;
            for place in self.all_but(found, BESIDE_MAX) {
                let is_after = |envelope: &Envelope| envelope.body().replaces() == Some(before);
                self.take(place, Level::Beside, is_after)?;
            }
        }
    }

    /// The lots that label orders and records tell, and those under which whoever answers for the
    /// goods has seen them: what is said of either is looked up, but a sight alone tells no lot. Under
    /// which lot others see them is their word.
    fn lots(
        &self,
        code: &Code,
        ordered: &BTreeSet<String>,
    ) -> (BTreeSet<GoodsId>, BTreeSet<GoodsId>) {
        let mut told: BTreeSet<GoodsId> =
            ordered.iter().filter_map(|lot| code.goods.in_lot(lot)).collect();
        let mut seen = BTreeSet::new();
        let makers = super::fold::makers(&self.evidence.records);
        for record in self.evidence.records.iter().filter(|record| record.level == Level::Own) {
            let is_makers = makers.contains(&record.verified.claims().iss);
            for GivenLot { lot, is_told } in lots_of(&record.verified, &code.goods) {
                let lots = if is_told { &mut told } else { &mut seen };
                if is_told || is_makers {
                    lots.extend(code.goods.in_lot(lot));
                }
            }
        }
        (told, seen)
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
            let found = self.node.beside(&subject, BESIDE_MAX + 1)?;
            for place in self.all_but(found, BESIDE_MAX) {
                self.take(place, Level::Beside, |_| true)?;
            }
        }
        Ok(())
    }

    /// Answers to a finding.
    pub fn answers(&mut self, finding: &Digest) -> Result<(), StoreError> {
        let places = self.node.answers(finding, BESIDE_MAX + 1)?;
        for place in self.all_but(places, BESIDE_MAX) {
            self.take(place, Level::Beside, |_| true)?;
        }
        Ok(())
    }

    fn statements(&mut self, goods: &GoodsId, level: Level) -> Result<(), StoreError> {
        let mut after: Option<GoodsPlace> = None;
        let (mut scanned, mut confirmations, mut findings) = (0, 0, 0);
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
                    KindName::Finding if FINDINGS_MAX <= findings => {
                        self.evidence.is_cut = true;
                        continue;
                    }
                    KindName::Finding => findings += 1,
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
}

/// The class of a code that is not a class itself.
fn class_over(code: &Code) -> Option<GoodsId> {
    code.goods.class().filter(|class| *class != code.goods)
}

/// Whether a body names the goods: the index holds only a part of a hash.
fn names(envelope: &Envelope, goods: &GoodsId) -> bool {
    envelope.body().goods(envelope.claims()).contains(goods)
}

/// A lot that a record gives the goods.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct GivenLot<'a> {
    /// Its number.
    pub(super) lot: &'a str,
    /// By a description, or by the event that the goods begin with: others saw them under it.
    pub(super) is_told: bool,
}

/// The lots that a record gives the goods: of an event whose identifier and `ilmd` differ both.
pub(super) fn lots_of<'a>(record: &'a Verified, goods: &GoodsId) -> Vec<GivenLot<'a>> {
    use hallmark_schemas::kind::masterdata::About as Described;
    match record.body() {
        Body::Event(event) => {
            let fields = event.fields();
            let own = fields.items.iter().filter(|item| item.item.as_str() == goods.as_str());
            let lots = own.flat_map(|item| {
                let is_told = fields.born(item.role);
                fields.lots_of(item).map(move |lot| GivenLot { lot, is_told })
            });
            lots.collect()
        }
        Body::Masterdata(body) => match &body.about {
            Described::Lot(lot) => vec![GivenLot { lot: &lot.lot, is_told: true }],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// An organisation by its name in law.
pub fn party(node: &Node, org: &OrgId) -> Party {
    let name = node.keys().read(|keys| keys.organisation(org).map(|o| o.legal_name.clone()));
    Party { id: org.to_string(), name: name.unwrap_or_default() }
}
