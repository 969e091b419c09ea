//! What the print of a code says against the records.
//!
//! Invariants: only what public records tell is compared, so that nobody learns the rest by
//! trying; what no record tells is contradicted by nothing.

use std::collections::BTreeSet;

use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::masterdata::About;

use super::super::gather::{self, Level, Proven};
use super::super::printed::meaning;
use super::super::view::Item;
use super::super::view::print::{Attribute, Contradiction, PassedDate};
use super::{Given, day};

const LOT: &str = "10";
const PRODUCED: &str = "11";
const BEST_BEFORE: &str = "15";
const EXPIRY: &str = "17";
/// The same to the minute.
const EXPIRY_TIME: &str = "7003";

/// The print with what its values mean.
pub(super) fn read(given: &Given<'_>) -> Vec<Attribute> {
    let today = day(given.now);
    let read = |said: &Attribute| {
        let of = meaning(&said.ai, &said.value, &today);
        Attribute { date: of.date, amount: of.amount, unit: of.unit, ..said.clone() }
    };
    given.code.link.attributes.iter().map(read).collect()
}

/// Every part of the print that the records contradict.
pub(super) fn contradictions(
    records: &[&Proven],
    makers: &BTreeSet<OrgId>,
    item: &Item,
    given: &Given<'_>,
) -> Vec<Contradiction> {
    let lots = recorded_lots(records, makers, given);
    let mut found = Vec::new();
    for said in &given.code.link.attributes {
        let recorded: Vec<&str> = match said.ai.as_str() {
            LOT => lots.iter().map(String::as_str).collect(),
            PRODUCED => item.produced.as_deref().filter(|day| is_day(day)).into_iter().collect(),
            EXPIRY | EXPIRY_TIME => {
                item.expiry.as_deref().filter(|day| is_day(day)).into_iter().collect()
            }
            _ => continue,
        };
        let printed = match said.ai.as_str() {
            LOT => Some(said.value.clone()),
            EXPIRY_TIME => said.value.get(..6).and_then(|digits| date(digits, &day(given.now))),
            _ => date(&said.value, &day(given.now)),
        };
        let Some(printed) = printed else { continue };
        if !recorded.is_empty() && !recorded.contains(&printed.as_str()) {
            let recorded = recorded.into_iter().map(str::to_owned).collect();
            let (ai, title) = (said.ai.clone(), said.title);
            found.push(Contradiction { ai, title, printed, recorded });
        }
    }
    found
}

/// Printed dates that have passed and that no record tells: it would be told from there, or the
/// print contradict it.
pub(super) fn passed(item: &Item, given: &Given<'_>) -> Vec<PassedDate> {
    let today = day(given.now);
    let mut found = Vec::new();
    for said in &given.code.link.attributes {
        let is_untold = match said.ai.as_str() {
            EXPIRY | EXPIRY_TIME => item.expiry.is_none(),
            BEST_BEFORE => true,
            _ => false,
        };
        let printed = said.value.get(..6).filter(|_| is_untold);
        if let Some(day) = printed.and_then(|digits| date(digits, &today))
            && day < today
        {
            found.push(PassedDate { ai: said.ai.clone(), title: said.title, day });
        }
    }
    found
}

/// Every lot that public records give the goods: the item's birth, its label order, or words of
/// its maker about it.
fn recorded_lots(
    records: &[&Proven],
    makers: &BTreeSet<OrgId>,
    given: &Given<'_>,
) -> BTreeSet<String> {
    let mut lots = BTreeSet::new();
    for record in records.iter().filter(|record| record.is_public) {
        let is_makers = makers.is_empty() || makers.contains(&record.verified.claims().iss);
        match record.verified.body() {
            Body::Event(_) if record.level == Level::Own => {
                // What somebody else saw the goods under may be a copy's print.
                let own = !makers.is_empty() && is_makers;
                let given = gather::lots_of(&record.verified, &given.code.goods).into_iter();
                lots.extend(given.filter(|one| one.is_told || own).map(|one| one.lot.to_owned()));
            }
            Body::Masterdata(body) if record.level == Level::Own && is_makers => {
                if let About::Lot(lot) = &body.about {
                    lots.insert(lot.lot.clone());
                }
            }
            Body::Label(label) => {
                let is_of = |lot: &&String| given.labels.lots.contains(*lot);
                let orders = given.labels.orders.as_ref();
                if orders.is_some_and(|of| of.contains(&record.verified.id())) {
                    lots.extend(label.lot.as_ref().filter(is_of).cloned());
                }
            }
            _ => {}
        }
    }
    lots
}

/// Whether it is a day of the calendar, `2026-11-26`.
fn is_day(text: &str) -> bool {
    text.parse::<hallmark_schemas::day::Day>().is_ok()
}

/// The day of a date of six digits, in the century that GS1 means as of `today`. Day 00 is the
/// last of its month.
pub(in crate::passport) fn date(digits: &str, today: &str) -> Option<String> {
    let number = |at: std::ops::Range<usize>| digits.get(at)?.parse::<i32>().ok();
    if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let this_year: i32 = today.get(..4)?.parse().ok()?;
    let (year, month, day) = (number(0..2)?, number(2..4)?, number(4..6)?);
    let century = match year - this_year % 100 {
        51.. => this_year / 100 - 1,
        ..=-50 => this_year / 100 + 1,
        _ => this_year / 100,
    };
    let of = |day: i32| format!("{:04}-{month:02}-{day:02}", century * 100 + year);
    let days = if day == 0 { 28..=31 } else { day..=day };
    days.rev().map(of).find(|text| is_day(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_six_digits_is_of_the_nearest_century_and_day_00_is_the_last() {
        for (digits, expected) in [
            ("271231", Some("2027-12-31")),
            ("200101", Some("2020-01-01")),
            ("270200", Some("2027-02-28")),
            ("280200", Some("2028-02-29")),
            ("280400", Some("2028-04-30")),
            ("770101", Some("1977-01-01")),
            ("760101", Some("2076-01-01")),
            ("271301", None),
            ("270230", None),
            ("2712", None),
            ("27123x", None),
        ] {
            assert_eq!(date(digits, "2026-11-26").as_deref(), expected, "{digits}");
        }
    }
}
