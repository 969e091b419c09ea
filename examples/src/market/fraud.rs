//! Frauds among honest records, each with the findings that tell it.
//!
//! Invariants: each fraud leaves the records of others as they are; what it did is in the truth, also
//! where a missed read left no record of it.

use super::flow::{STANDARD, Sale, Story, press};
use super::place::{PRODUCERS, PRODUCTS, Party, SHOPS, class, inspector, item, pressed};
use super::record::{Records, Scan, instant, told_at};
use super::{DAY_MS, HOUR_MS, Incident, MINUTE_MS, START_MS};
use crate::random::Random;

/// A code on one copy that is sold within the hour, far away.
pub const CLONE_AT_ONCE: &str = "code copied once and sold within the hour";
/// A code on many copies that are sold on one day.
pub const CLONE_OF_A_DAY: &str = "code copied 12 times and sold within a day";
/// A code on one copy that is sold days later.
pub const CLONE_LATER: &str = "code copied once and sold days later";
/// Goods of lots for home, sold abroad.
pub const DIVERSION: &str = "diversion abroad";
/// Events that were signed and recorded long after.
pub const BACKDATED: &str = "backdated events";
/// Events that lie after their record.
pub const POSTDATED: &str = "events dated ahead";
/// More oil than olives give.
pub const MASS: &str = "mass balance";
/// Births that cite a certificate which had run out.
pub const EXPIRED: &str = "certificate run out";
/// Births that cite a certificate for another site.
pub const OTHER_SITE: &str = "certificate of another site";
/// Serials that nobody issued.
pub const INVENTED: &str = "invented serials sold";
/// Listings of serials and lots that nobody made.
pub const OFFERED: &str = "sold online and never made";
/// Claims that nobody certified.
pub const UNCERTIFIED: &str = "claimed and not certified";
/// Claims over the certified volume.
pub const OVERCLAIMED: &str = "claimed over certified volume";
/// Inspections by a body whose accreditation was suspended.
pub const UNACCREDITED: &str = "inspected without accreditation";

/// All frauds.
pub const ALL: [&str; 14] = [
    CLONE_AT_ONCE,
    CLONE_OF_A_DAY,
    CLONE_LATER,
    DIVERSION,
    BACKDATED,
    POSTDATED,
    MASS,
    EXPIRED,
    OTHER_SITE,
    INVENTED,
    OFFERED,
    UNCERTIFIED,
    OVERCLAIMED,
    UNACCREDITED,
];

const CLONE_CODES: &[&str] = &["TRC-001", "TRC-004", "TRC-005"];

struct Frauds<'a> {
    random: &'a mut Random,
    to: &'a mut Records,
    story: &'a Story,
    done: Vec<Incident>,
}

/// Commits them all.
pub fn commit(random: &mut Random, to: &mut Records, story: &Story) -> Vec<Incident> {
    let mut frauds = Frauds { random, to, story, done: Vec::new() };
    frauds.clones();
    frauds.diversion();
    frauds.times();
    frauds.mass();
    frauds.certificates();
    frauds.invented();
    frauds.words();
    frauds.done
}

impl Frauds<'_> {
    fn did(&mut self, fraud: &'static str, codes: &'static [&'static str], subject: String) {
        self.done.push(Incident { fraud, codes, subject, anchor: String::new() });
    }

    fn sold(&mut self, shop: Party, item: &str, at: u64) {
        let scan = Scan {
            by: shop,
            kind: "ObjectEvent",
            action: "OBSERVE",
            step: "retail_selling",
            disposition: "retail_sold",
            at,
        };
        let event = self.to.scan(self.random, scan);
        self.to.item((&event, shop), "epc", item, "");
    }

    /// A sale at home, and a shop at least so many kilometres from it.
    fn pick(&mut self, km: u64) -> (Sale, Party) {
        loop {
            let all = &self.story.sales;
            let sale = all[self.random.below(all.len() as u64) as usize].clone();
            let shop = Party::shop(self.random.below(SHOPS as u64 - 1) as usize);
            let is_taken = self.done.iter().any(|one| one.subject == sale.item);
            if km <= sale.shop.km_to(shop) && sale.shop != Party::abroad() && !is_taken {
                return (sale, shop);
            }
        }
    }

    fn clones(&mut self) {
        for _ in 0..60 {
            let (sale, shop) = self.pick(1_000);
            let at = sale.at + 5 * MINUTE_MS + self.random.below(25 * MINUTE_MS);
            self.sold(shop, &sale.item, at);
            self.did(CLONE_AT_ONCE, CLONE_CODES, sale.item);
        }
        for _ in 0..30 {
            let (sale, _) = self.pick(0);
            for _ in 0..12 {
                let shop = Party::shop(self.random.below(SHOPS as u64 - 1) as usize);
                let at = sale.at + self.random.below(10 * HOUR_MS);
                self.sold(shop, &sale.item, at);
            }
            self.did(CLONE_OF_A_DAY, CLONE_CODES, sale.item);
        }
        for _ in 0..60 {
            let (sale, shop) = self.pick(500);
            let at = sale.at + 3 * DAY_MS + self.random.below(10 * DAY_MS);
            self.sold(shop, &sale.item, at);
            self.did(CLONE_LATER, CLONE_CODES, sale.item);
        }
    }

    /// Items of lots for home that went to no shop turn up over the counter abroad; nobody records how
    /// they came.
    fn diversion(&mut self) {
        let aside = self.story.aside.iter().filter(|one| !self.story.lots[one.1].is_free);
        let aside: Vec<_> = aside.take(150).cloned().collect();
        for (item, _, at) in aside {
            let at = at + 5 * DAY_MS + self.random.below(10 * DAY_MS);
            if self.random.below(100) < 98 {
                self.sold(Party::abroad(), &item, at);
            }
            self.did(DIVERSION, &["TRC-014"], item);
        }
    }

    fn dated(&mut self, by: Party, told: u64, signed: u64, recorded: u64) {
        let (kind, action, step) = ("ObjectEvent", "OBSERVE", "storing");
        let scan = Scan { by, kind, action, step, disposition: "in_progress", at: told };
        let event = self.to.write(scan, told_at(by, told), signed, recorded);
        let lot = &self.story.lots[self.random.below(self.story.lots.len() as u64) as usize];
        // What is stored is a class: no item was anywhere else by this.
        let row = format!("{event},{},epc,{},,,10,0,", by.org(), lot.class);
        self.to.row("event_items", &row);
    }

    fn times(&mut self) {
        for number in 0..10 {
            let by = Party::shop(number);
            for _ in 0..5 {
                let told = START_MS + (30 + self.random.below(10)) * DAY_MS;
                let signed = told + (40 + self.random.below(10)) * DAY_MS;
                self.dated(by, told, signed, signed);
            }
            let (fraud, codes, subject) = (BACKDATED, &["TRC-018"][..], by.place());
            self.done.push(Incident { fraud, codes, subject, anchor: "late".to_owned() });
        }
        for number in 10..16 {
            let by = Party::shop(number);
            let recorded = START_MS + (40 + self.random.below(40)) * DAY_MS;
            self.dated(by, recorded + 3 * HOUR_MS, recorded, recorded);
            let (fraud, codes, subject) = (POSTDATED, &["TRC-018"][..], by.place());
            self.done.push(Incident { fraud, codes, subject, anchor: "future".to_owned() });
        }
    }

    fn mass(&mut self) {
        let by = Party::producer(PRODUCERS - 1);
        for number in 0..12_u64 {
            let name = format!("X{number:02}");
            let [oil, olives] = pressed();
            let row = format!("{oil},{name},2027-06-30,,200000,{}", by.org());
            self.to.row("lots", &row);
            let used = 1_000_000;
            let made = used * (225 + self.random.below(80)) / 1_000;
            let at = START_MS + (number * 7 + 1) * DAY_MS + 15 * HOUR_MS;
            let goods = (oil.as_str(), olives.as_str());
            let event = press(self.random, self.to, goods, &name, (used, made), at);
            let (fraud, codes, subject) = (MASS, &["TRC-009"][..], by.place());
            self.done.push(Incident { fraud, codes, subject, anchor: event });
        }
    }

    fn certificates(&mut self) {
        let (from, to) = ("2024-01-01T00:00:00Z", "2025-12-01T00:00:00Z");
        let by = super::place::certifier();
        for producer in 2..4 {
            let site = Party::producer(producer).place();
            let (one, two) = (class(producer, 0), class(producer, 1));
            let row = format!(
                "OLD-{producer},{by},{STANDARD},{site},10000000,items,{from},{to},{one},{},{two}",
                Party::producer(producer).org()
            );
            self.to.row("certificates", &row);
        }
        for (fraud, producers) in [(EXPIRED, 2..4), (OTHER_SITE, 0..2)] {
            let of_fraud = |lot: &&super::flow::Lot| {
                let is_elsewhere = lot.maker != Party::producer(lot.producer);
                producers.contains(&lot.producer) && (fraud == EXPIRED || is_elsewhere)
            };
            let lots: Vec<_> = self.story.lots.iter().filter(of_fraud).collect();
            for number in 0..4 {
                let Some(lot) = lots.get(lots.len() * (number + 1) / 5) else { continue };
                let name = if fraud == EXPIRED { "OLD" } else { "OC" };
                let cited = format!("{name}-{}", lot.producer);
                self.to.link(&lot.birth, lot.maker, "certificate", &cited);
                for serial in lot.serials.0..=lot.serials.1 {
                    self.did(fraud, &["TRC-015"], item(&lot.class, serial));
                }
            }
        }
    }

    fn invented(&mut self) {
        for number in 0..80 {
            let (producer, product) = (number % PRODUCERS, number / PRODUCERS % PRODUCTS);
            let serial = self.story.highest[producer * PRODUCTS + product]
                + 1_000
                + self.random.below(9_000);
            let item = item(&class(producer, product), serial);
            let shop = Party::shop(self.random.below(SHOPS as u64 - 1) as usize);
            let at = START_MS + (20 + self.random.below(60)) * DAY_MS;
            if self.random.below(100) < 98 {
                self.sold(shop, &item, at);
            }
            self.did(INVENTED, &["TRC-002"], item);
        }
    }

    /// Listings, claims and inspections.
    fn words(&mut self) {
        for number in 0..40_u64 {
            let (producer, product) = (number as usize % PRODUCERS, number as usize % PRODUCTS);
            let class = class(producer, product);
            let highest = self.story.highest[producer * PRODUCTS + product];
            let (item, lot) = match number < 30 {
                true => (item(&class, highest + 20_000 + number), String::new()),
                false => (class, format!("Z{number}")),
            };
            let at = instant(START_MS + (30 + self.random.below(50)) * DAY_MS);
            let row =
                format!("Z-{number},{},{item},{lot},market.example,{at}", Party::shop(19).org());
            self.to.row("offers", &row);
            let (fraud, codes, anchor) = (OFFERED, &["TRC-027"][..], format!("lot {lot}"));
            self.done.push(Incident { fraud, codes, subject: item, anchor });
        }
        for number in 0..6_u64 {
            let by = Party::shop(number as usize).org();
            let class = class(4, number as usize % PRODUCTS);
            let row = format!("green-{number},{by},{class},,organic,,,,,2026-01-05T00:00:00Z");
            self.to.row("claims", &row);
            let (fraud, codes, anchor) = (UNCERTIFIED, &["TRC-026"][..], format!("green-{number}"));
            self.done.push(Incident { fraud, codes, subject: by, anchor });
        }
        for number in 0..3_u64 {
            let by = Party::distributor(number as usize).org();
            let class = class(number as usize % 2, 0);
            let certificate = format!("OC-{}", number % 2);
            let row = format!(
                "stock-{number},{by},{class},,organic,{STANDARD},{certificate},11000000,items,2026-01-05T00:00:00Z"
            );
            self.to.row("claims", &row);
            let (fraud, codes) = (OVERCLAIMED, &["TRC-028"][..]);
            self.done.push(Incident { fraud, codes, subject: by, anchor: certificate });
        }
        let row = format!(
            "{},iso17020,I-1,GB/T 1534,2025-06-01T00:00:00Z,2027-06-01T00:00:00Z,suspended,2026-02-01T00:00:00Z",
            inspector(1)
        );
        self.to.row("accreditations", &row);
        for number in 0..8_u64 {
            let lot = &self.story.lots[self.random.below(self.story.lots.len() as u64) as usize];
            let at = instant(START_MS + (40 + number) * DAY_MS);
            let (class, name) = (&lot.class, &lot.name);
            let row = format!("J-{number},{},{class},{name},GB/T 1534,passed,{at}", inspector(1));
            self.to.row("inspections", &row);
        }
        let (fraud, codes) = (UNACCREDITED, &["TRC-025"][..]);
        let anchor = "inspection".to_owned();
        self.done.push(Incident { fraud, codes, subject: inspector(1), anchor });
    }
}
