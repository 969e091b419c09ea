//! What honest members record: from label orders to the counter.
//!
//! Invariant: everything happens after what it needs; what is not recorded was missed by a reader.

use super::place::{
    DISTRIBUTORS, MAKERS, PRODUCERS, PRODUCTS, Party, SHOPS, certifier, class, inspector, item,
    pressed, unit,
};
use super::record::{Records, Scan, instant};
use super::{DAY_MS, DAYS, HOUR_MS, MINUTE_MS, START_MS};
use crate::random::Random;

/// Items in a case.
const CASE: usize = 20;
/// Reads that are missed, of a hundred.
const MISSED: u64 = 2;
/// Lots that may be sold at home alone, of ten.
const HOME_ONLY: u64 = 8;
/// The standard of the certificates.
pub const STANDARD: &str = "GB/T 19630";

/// A lot.
#[derive(Clone, Debug)]
pub struct Lot {
    /// Of which producer.
    pub producer: usize,
    /// Of which class.
    pub class: String,
    /// Its name.
    pub name: String,
    /// Who made it.
    pub maker: Party,
    /// The event of its making.
    pub birth: String,
    /// Serials, from and to.
    pub serials: (u64, u64),
    /// Whether it may be sold abroad.
    pub is_free: bool,
    /// When it was made.
    pub at: u64,
}

/// A sale over the counter.
#[derive(Clone, Debug)]
pub struct Sale {
    /// The item.
    pub item: String,
    /// Its lot, by number.
    pub lot: usize,
    /// The shop.
    pub shop: Party,
    /// When.
    pub at: u64,
    /// Whether the reader read it.
    pub is_read: bool,
}

/// What the frauds begin from.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// Items that were made.
    pub made: u64,
    /// All lots.
    pub lots: Vec<Lot>,
    /// All sales.
    pub sales: Vec<Sale>,
    /// Items that went to no counter, with their lot and when they came to the shop.
    pub aside: Vec<(String, usize, u64)>,
    /// The highest serial of each class, by producer and product.
    pub highest: Vec<u64>,
    /// The last case or pallet.
    pub units: u64,
}

struct Flow<'a> {
    random: &'a mut Random,
    to: &'a mut Records,
    story: Story,
}

/// Records 90 days of honest trade.
pub fn honest(random: &mut Random, to: &mut Records, items: u64) -> Story {
    let of_lot = items / (DAYS * (PRODUCERS * PRODUCTS) as u64);
    let story = Story { highest: vec![1_000; PRODUCERS * PRODUCTS], ..Story::default() };
    let mut flow = Flow { random, to, story };
    flow.papers();
    for day in 0..DAYS {
        for producer in 0..PRODUCERS {
            for product in 0..PRODUCTS {
                let more = flow.random.below(of_lot / 10 + 1);
                let count = (of_lot + more).saturating_sub(of_lot / 20).max(1);
                flow.lot(day, producer, product, count);
            }
        }
        flow.press(day);
    }
    flow.story
}

impl Flow<'_> {
    fn missed(&mut self) -> bool {
        self.random.below(100) < MISSED
    }

    /// Certificates, claims and accreditations that hold.
    fn papers(&mut self) {
        let (from, to) = ("2025-06-01T00:00:00Z", "2027-06-01T00:00:00Z");
        let row = format!("{},iso17065,C-1,{STANDARD},{from},{to},in_force,{from}", certifier());
        self.to.row("accreditations", &row);
        for number in 0..2 {
            let row = format!(
                "{},iso17020,I-{number},GB/T 1534,{from},{to},in_force,{from}",
                inspector(number)
            );
            self.to.row("accreditations", &row);
        }
        for producer in 0..2 {
            let (site, covers) = (Party::producer(producer), class(producer, 1));
            let row = format!(
                "OC-{producer},{},{STANDARD},{},10000000,items,{from},{to},{},{},{covers}",
                certifier(),
                site.place(),
                class(producer, 0),
                site.org(),
            );
            self.to.row("certificates", &row);
            for product in 0..PRODUCTS {
                let row = format!(
                    "organic-{producer}-{product},{},{},,organic,{STANDARD},OC-{producer},50000,items,\
                     2026-01-01T00:00:00Z",
                    site.org(),
                    class(producer, product),
                );
                self.to.row("claims", &row);
            }
        }
    }

    /// A lot from its label order to the shops.
    fn lot(&mut self, day: u64, producer: usize, product: usize, count: u64) {
        let owner = Party::producer(producer);
        let name = format!("L{day:02}{product}");
        let class = class(producer, product);
        let highest = &mut self.story.highest[producer * PRODUCTS + product];
        let first = *highest + 1;
        *highest += count + count / 20 + 1;
        let ordered = START_MS + day * DAY_MS - 16 * HOUR_MS;
        let row = format!(
            "PO-{name},{class},{first},{},{},made,{},sequence,{},{},{name}",
            *highest,
            *highest + 1 - first,
            instant(ordered),
            owner.log(),
            owner.org()
        );
        self.to.row("labels", &row);
        let is_free = HOME_ONLY <= self.random.below(10);
        // A list of a CSV cell.
        let markets = if is_free { "CN|KZ" } else { "CN" };
        let row = format!("{class},{name},2027-06-30,{markets},,{}", owner.org());
        self.to.row("lots", &row);
        let is_ordered_out = producer < MAKERS && self.random.below(3) == 0;
        let maker = if is_ordered_out { Party::maker(producer) } else { owner };
        let at = START_MS + day * DAY_MS + 8 * HOUR_MS;
        let birth = self.scan((maker, at), ("ObjectEvent", "ADD"), ("commissioning", "active"));
        if is_ordered_out {
            let order = format!("urn:epcglobal:cbv:bt:9521234000000:PO-{name}");
            self.to.link(&birth, maker, "prodorder", &order);
        } else if producer < 2 {
            self.to.link(&birth, maker, "certificate", &format!("OC-{producer}"));
        }
        let serials = (first, first + count - 1);
        let items: Vec<String> =
            (first..first + count).map(|serial| item(&class, serial)).collect();
        for one in &items {
            if !self.missed() {
                self.to.item((&birth, maker), "epc", one, &name);
            }
        }
        self.story.made += count;
        self.inspect(&class, &name, at);
        if self.random.below(20) == 0 {
            let row = format!(
                "S-{producer}{product}{day},{},{class},{name},shop.example,{}",
                owner.org(),
                instant(at + DAY_MS)
            );
            self.to.row("offers", &row);
        }
        let lot = Lot { producer, class, name, maker, birth, serials, is_free, at };
        self.story.lots.push(lot);
        self.pack(items, at + HOUR_MS);
    }

    fn inspect(&mut self, class: &str, lot: &str, at: u64) {
        if self.random.below(10) == 0 {
            let by = inspector(0);
            let row = format!(
                "I-{lot}-{at},{by},{class},{lot},GB/T 1534,passed,{}",
                instant(at + 2 * HOUR_MS)
            );
            self.to.row("inspections", &row);
        }
    }

    /// Who and when; the type and action; the step and the state after it.
    fn scan(
        &mut self,
        (by, at): (Party, u64),
        (kind, action): (&str, &str),
        (step, disposition): (&str, &str),
    ) -> String {
        self.to.scan(self.random, Scan { by, kind, action, step, disposition, at })
    }

    /// Into a container, or out of it.
    fn boxed(
        &mut self,
        (by, at): (Party, u64),
        (action, step): (&str, &str),
        parent: &str,
        children: &[String],
    ) {
        let how = ("AggregationEvent", action);
        let event = self.scan((by, at), how, (step, "in_progress"));
        self.to.item((&event, by), "parent", parent, "");
        for child in children {
            if !self.missed() {
                self.to.item((&event, by), "child", child, "");
            }
        }
    }

    /// Into cases, some of which are packed anew, and these onto a pallet.
    fn pack(&mut self, items: Vec<String>, at: u64) {
        let lot = self.story.lots.len() - 1;
        let maker = self.story.lots[lot].maker;
        let mut cases: Vec<(String, Vec<String>)> = Vec::new();
        for part in items.chunks(CASE) {
            self.story.units += 1;
            let case = unit(self.story.units);
            self.boxed((maker, at), ("ADD", "packing"), &case, part);
            cases.push((case, part.to_vec()));
        }
        for from in 0..cases.len() {
            if 1 < cases.len() && self.random.below(10) == 0 {
                let Some(moved) = cases[from].1.pop() else { continue };
                let to = (from + 1) % cases.len();
                let (out, into) = (cases[from].0.clone(), cases[to].0.clone());
                let moved = [moved];
                self.boxed((maker, at + HOUR_MS), ("DELETE", "unpacking"), &out, &moved);
                self.boxed(
                    (maker, at + HOUR_MS + 5 * MINUTE_MS),
                    ("ADD", "repackaging"),
                    &into,
                    &moved,
                );
                cases[to].1.extend(moved);
            }
        }
        self.story.units += 1;
        let pallet = unit(self.story.units);
        let names: Vec<String> = cases.iter().map(|(case, _)| case.clone()).collect();
        self.boxed((maker, at + 2 * HOUR_MS), ("ADD", "packing"), &pallet, &names);
        let store = Party::distributor(self.random.below(DISTRIBUTORS as u64) as usize);
        let came = self.sent(maker, store, &pallet, at + 4 * HOUR_MS);
        self.boxed((store, came + HOUR_MS), ("DELETE", "unpacking"), &pallet, &names);
        for (case, items) in cases {
            let shops = if self.story.lots[lot].is_free { SHOPS } else { SHOPS - 1 };
            let shop = Party::shop(self.random.below(shops as u64) as usize);
            let waits = (12 + self.random.below(72)) * HOUR_MS;
            let came = self.sent(store, shop, &case, came + waits);
            self.boxed((shop, came + 2 * HOUR_MS), ("DELETE", "unpacking"), &case, &items);
            self.sell(lot, shop, items, came + 3 * HOUR_MS);
        }
    }

    /// Ships a unit and receives it when a lorry has come; when that was.
    fn sent(&mut self, from: Party, to: Party, unit: &str, at: u64) -> u64 {
        let hours = 4 + from.km_to(to) / 50;
        let came = at + hours * HOUR_MS;
        if !self.missed() {
            let event =
                self.scan((from, at), ("ObjectEvent", "OBSERVE"), ("shipping", "in_transit"));
            self.to.item((&event, from), "epc", unit, "");
            self.to.way(&event, from, to);
        }
        if !self.missed() {
            let event =
                self.scan((to, came), ("ObjectEvent", "OBSERVE"), ("receiving", "in_progress"));
            self.to.item((&event, to), "epc", unit, "");
            self.to.way(&event, from, to);
        }
        came
    }

    /// Over the counter, as far as the 90 days go; some come back, some break.
    fn sell(&mut self, lot: usize, shop: Party, items: Vec<String>, at: u64) {
        for item in items {
            let at = at + self.random.below(30 * DAY_MS);
            if START_MS + DAYS * DAY_MS < at {
                continue;
            }
            if self.random.below(200) == 0 {
                self.story.aside.push((item, lot, at));
                continue;
            }
            if self.random.below(500) == 0 {
                let event =
                    self.scan((shop, at), ("ObjectEvent", "DELETE"), ("destroying", "destroyed"));
                self.to.item((&event, shop), "epc", &item, "");
                continue;
            }
            self.sale(lot, shop, &item, at);
            if self.random.below(100) == 0 {
                let back = at + DAY_MS + self.random.below(9 * DAY_MS);
                let event =
                    self.scan((shop, back), ("ObjectEvent", "OBSERVE"), ("receiving", "returned"));
                self.to.item((&event, shop), "epc", &item, "");
                if self.random.below(2) == 0 {
                    let again = back + DAY_MS + self.random.below(9 * DAY_MS);
                    self.sale(lot, shop, &item, again);
                }
            }
        }
    }

    fn sale(&mut self, lot: usize, shop: Party, item: &str, at: u64) {
        let is_read = !self.missed();
        if is_read {
            let event = self.scan(
                (shop, at),
                ("ObjectEvent", "OBSERVE"),
                ("retail_selling", "retail_sold"),
            );
            self.to.item((&event, shop), "epc", item, "");
        }
        let item = item.to_owned();
        self.story.sales.push(Sale { item, lot, shop, at, is_read });
    }

    /// A day's oil: 15 to 19.5 % of the olives, and two weighings.
    fn press(&mut self, day: u64) {
        let by = Party::producer(PRODUCERS - 1);
        let (oil, olives) = pressed().into();
        let name = format!("P{day:02}");
        let row = format!("{oil},{name},2027-06-30,,200000,{}", by.org());
        self.to.row("lots", &row);
        let used = 900_000 + self.random.below(200_000);
        let made = used * (150 + self.random.below(46)) / 1_000;
        let weighed = |grams: u64, random: &mut Random| {
            grams.saturating_add_signed(random.about_zero(grams as i64 / 500))
        };
        let (used, made) = (weighed(used, self.random), weighed(made, self.random));
        let at = START_MS + day * DAY_MS + 10 * HOUR_MS;
        press(self.random, self.to, (&oil, &olives), &name, (used, made), at);
    }
}

/// One pressing: so many grams of olives became so many of oil.
pub fn press(
    random: &mut Random,
    to: &mut Records,
    (oil, olives): (&str, &str),
    name: &str,
    (used, made): (u64, u64),
    at: u64,
) -> String {
    let by = Party::producer(PRODUCERS - 1);
    let scan = Scan { by, kind: "TransformationEvent", action: "", step: "", disposition: "", at };
    let event = to.scan(random, scan);
    to.amount((&event, by), "input", (olives, name), used);
    to.amount((&event, by), "output", (oil, name), made);
    event
}
