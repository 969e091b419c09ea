//! Evidence tables as they are written, row by row.
//!
//! Invariants: a row has the columns of its table's head, in that order; nothing written holds a comma.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hallmark_schemas::time::Timestamp;

use super::place::Party;
use super::{DAY_MS, DAYS, MINUTE_MS, START_MS};
use crate::random::Random;

const HEADS: [(&str, &str); 13] = [
    (
        "events",
        "event_id,issuer,log,type,action,biz_step,disposition,event_at,read_point,\
         transformation_id,asserted_at,from_lo,from_hi",
    ),
    ("event_items", "event_id,issuer,role,item,lot,expiry,quantity,scale_e10,uom"),
    ("event_parties", "event_id,issuer,side,type,party"),
    ("event_links", "event_id,issuer,kind,ref"),
    ("labels", "order,class,first,last,count,state,at,scheme,log,issuer,lot"),
    ("lots", "item,lot,expiry,markets,yield_max_ppm,issuer"),
    ("locations", "location,lat_e7,lon_e7,party,region,precision_m"),
    ("coverage", "covered_log,from_entry,to_entry,from_at,to_at,bodies_held,bodies_missing"),
    (
        "certificates",
        "id,issuer,standard,site,volume,unit,valid_from,valid_to,subject,holder,covers",
    ),
    ("accreditations", "organisation,scheme,number,sectors,valid_from,valid_to,status,from_at"),
    ("claims", "claim,issuer,item,lot,kind,standard,certificate,volume,unit,valid_from"),
    ("offers", "offer,issuer,item,lot,platform,at"),
    ("inspections", "inspection,issuer,item,lot,standard,result,at"),
];

/// How long the longest spool keeps an event.
const SPOOL_DAYS: u64 = 9;

/// An event to be written.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a> {
    /// Who, and where.
    pub by: Party,
    /// `ObjectEvent` …
    pub kind: &'a str,
    /// `ADD`, `OBSERVE`, `DELETE`, or nothing.
    pub action: &'a str,
    /// CBV word.
    pub step: &'a str,
    /// CBV word, or nothing.
    pub disposition: &'a str,
    /// When it really happened.
    pub at: u64,
}

/// All tables.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Records {
    tables: BTreeMap<&'static str, String>,
    events: u64,
}

impl Records {
    /// With the head of each, the places and what is held of each log.
    pub fn new() -> Records {
        let tables = HEADS.iter().map(|(name, head)| (*name, format!("{head}\n")));
        let mut records = Records { tables: tables.collect(), events: 0 };
        let (from, to) = (instant(START_MS - 2 * DAY_MS), instant(START_MS + (DAYS + 30) * DAY_MS));
        for party in Party::all() {
            records.row("locations", &party.location());
            let row = format!("{},0,1000000,{from},{to},1000000,0", party.log());
            records.row("coverage", &row);
        }
        records
    }

    /// Each table by name.
    pub fn tables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.tables.iter().map(|(name, text)| (*name, text.as_str()))
    }

    /// Adds a row.
    pub fn row(&mut self, table: &'static str, row: &str) {
        let text = self.tables.entry(table).or_default();
        writeln!(text, "{row}").expect("writing to memory cannot fail");
    }

    /// Adds an event as an honest clock and spool record it; its id.
    pub fn scan(&mut self, random: &mut Random, scan: Scan<'_>) -> String {
        let is_spooled = random.below(20) == 0;
        let lag = match is_spooled {
            true => random.below(SPOOL_DAYS * DAY_MS),
            false => random.below(2 * MINUTE_MS),
        };
        let told = told_at(scan.by, scan.at);
        // A clock that is ahead signs what is recorded at once; the witnesses' clocks are right.
        let signed = told + random.below(5_000);
        self.write(scan, told, signed, scan.at + lag)
    }

    /// Adds an event with the times that its author wants.
    pub fn write(&mut self, scan: Scan<'_>, told: u64, signed: u64, recorded: u64) -> String {
        let Scan { by, kind, action, step, disposition, .. } = scan;
        self.events += 1;
        let id = format!("urn:uuid:00000000-0000-4000-8000-{:012}", self.events);
        let row = format!(
            "{id},{},{},{kind},{action},{step},{disposition},{},{},,{},{},{}",
            by.org(),
            by.log(),
            instant(told),
            by.place(),
            instant(signed),
            instant(recorded),
            instant(recorded + MINUTE_MS),
        );
        self.row("events", &row);
        id
    }

    /// Adds an item of an event; `lot` where the event tells it.
    pub fn item(&mut self, (event, by): (&str, Party), role: &str, item: &str, lot: &str) {
        let row = format!("{event},{},{role},{item},{lot},,,,", by.org());
        self.row("event_items", &row);
    }

    /// Adds an amount of a lot, in grams.
    pub fn amount(&mut self, (event, by): (&str, Party), role: &str, lot: (&str, &str), g: u64) {
        let (class, lot) = lot;
        let row = format!("{event},{},{role},{class}/10/{lot},{lot},,{g},0,GRM", by.org());
        self.row("event_items", &row);
    }

    /// Adds who sends to whom.
    pub fn way(&mut self, event: &str, by: Party, to: Party) {
        let org = by.org();
        for (side, party) in [("source", by), ("destination", to)] {
            let row = format!("{event},{org},{side},possessing_party,{}", party.org());
            self.row("event_parties", &row);
        }
    }

    /// Adds what an event refers to.
    pub fn link(&mut self, event: &str, by: Party, kind: &str, to: &str) {
        let row = format!("{event},{},{kind},{to}", by.org());
        self.row("event_links", &row);
    }
}

/// What the clock of a place shows: up to two minutes off.
pub fn told_at(by: Party, at: u64) -> u64 {
    let off = (by.0 as u64 * 7_919) % (4 * MINUTE_MS);
    at + off - 2 * MINUTE_MS
}

/// An instant as the tables have it.
pub fn instant(ms: u64) -> String {
    Timestamp::from_unix_ms(ms).to_string()
}
