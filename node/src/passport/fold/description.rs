//! What the goods are, as those say who describe them, and who they are said to be made by.
//!
//! Invariants: nothing in a network tells whose number goods have, so whoever was first to describe
//! them or to order their labels is listened to, and called no maker; where others name another
//! maker all of them are told; pictures are named, never fetched.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use hallmark_schemas::day::Day;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::masterdata::{About, Masterdata};
use hallmark_schemas::time::Timestamp;

use super::super::gather::{self, Level, Proven};
use super::super::view::{Item, MakerClaim, Picture};
use super::{Given, day, texts};

/// Most descriptions that are told where they name different makers.
const CLAIMS_MAX: usize = 8;

/// Who answers for the goods: whoever was first to describe them or to order their labels, and
/// whom that description names. Later words of others make nobody their maker.
pub(in crate::passport) fn makers(records: &[Proven]) -> BTreeSet<OrgId> {
    let about = records.iter().filter(|record| record.level != Level::Beside);
    let named = about.filter_map(|record| {
        let maker = match record.verified.body() {
            Body::Masterdata(Masterdata { about: About::Item(item), .. }) => item.maker.clone(),
            Body::Label(_) => None,
            _ => return None,
        };
        Some((record, maker))
    });
    let first = named.min_by_key(|(record, _)| order(record));
    let of = |(record, maker): (&Proven, Option<OrgId>)| {
        maker.into_iter().chain([record.verified.claims().iss.clone()]).collect()
    };
    first.map(of).unwrap_or_default()
}

fn order(record: &Proven) -> impl Ord {
    (record.time.hi, record.time.lo, record.verified.id())
}

/// Who is said to make the goods, where several organisations do not say the same: by public
/// descriptions, and by whoever ordered their labels first and describes nothing. Else nobody.
fn maker_claims(
    records: &[&Proven],
    makers: &BTreeSet<OrgId>,
    given: &Given<'_>,
) -> Vec<MakerClaim> {
    let mut claims: Vec<(&OrgId, &OrgId, &Proven)> = Vec::new();
    let mut orderers: Vec<(&OrgId, &OrgId, &Proven)> = Vec::new();
    let about = records.iter().filter(|record| record.level != Level::Beside && record.is_public);
    for record in about {
        let issuer = &record.verified.claims().iss;
        match record.verified.body() {
            Body::Masterdata(Masterdata { about: About::Item(item), from_at, .. })
                if *from_at <= given.now =>
            {
                claims.push((issuer, item.maker.as_ref().unwrap_or(issuer), record));
            }
            Body::Label(_) if makers.contains(issuer) => orderers.push((issuer, issuer, record)),
            _ => {}
        }
    }
    orderers.retain(|(by, ..)| !claims.iter().any(|(other, ..)| by == other));
    claims.extend(orderers);
    let issuers: BTreeSet<&OrgId> = claims.iter().map(|(by, ..)| *by).collect();
    let named: BTreeSet<&OrgId> = claims.iter().map(|(_, maker, _)| *maker).collect();
    if issuers.len() < 2 || named.len() < 2 {
        return Vec::new();
    }
    let mut told = BTreeSet::new();
    claims.retain(|(by, maker, _)| told.insert((*by, *maker)));
    let view = |(by, maker, record): (&OrgId, &OrgId, &Proven)| MakerClaim {
        id: record.verified.id().to_string(),
        by: (given.party)(by),
        maker: (given.party)(maker),
    };
    claims.into_iter().take(CLAIMS_MAX).map(view).collect()
}

/// What it is: of descriptions the one of the nearest level, and there the newest, that holds.
pub(super) fn item(records: &[&Proven], makers: &BTreeSet<OrgId>, given: &Given<'_>) -> Item {
    let mut item = described(records, makers, given);
    item.maker_claims = maker_claims(records, makers, given);
    for record in records.iter().filter(|record| record.is_public && record.level == Level::Own) {
        match record.verified.body() {
            Body::Event(event) => {
                let lots = gather::lots_of(&record.verified, &given.code.goods);
                let Some(told) = lots.into_iter().find(|one| one.is_told) else { continue };
                item.lot.get_or_insert_with(|| told.lot.to_owned());
                if let Some(expiry) = &event.fields().expiry {
                    item.expiry.get_or_insert_with(|| expiry.clone());
                }
            }
            // The place of a facility.
            Body::Facility(body) if item.names.is_empty() => {
                item.names = vec![super::Text { lang: None, text: body.name.clone() }];
                item.described_by = Some((given.party)(&record.verified.claims().iss));
            }
            // A party of this network, under its own number.
            Body::Organisation(body) if item.names.is_empty() => {
                let text = body.legal_name.clone();
                item.names = vec![super::Text { lang: None, text }];
            }
            _ => {}
        }
    }
    // An order says it of every label that it is of.
    for record in records.iter().filter(|record| record.is_public) {
        if let Body::Label(label) = record.verified.body()
            && let Some(lot) = label.lot.as_ref().filter(|lot| given.labels.lots.contains(*lot))
            && given.labels.orders.as_ref().is_some_and(|of| of.contains(&record.verified.id()))
        {
            item.lot.get_or_insert_with(|| lot.clone());
        }
    }
    // Under which lot whoever answers for it saw it counts where nobody tells its lot.
    let is_own = |one: &&&Proven| {
        let is_makers = makers.contains(&one.verified.claims().iss);
        one.is_public && one.level == Level::Own && is_makers
    };
    for record in records.iter().filter(is_own) {
        if let Some(seen) = gather::lots_of(&record.verified, &given.code.goods).first() {
            item.lot.get_or_insert_with(|| seen.lot.to_owned());
        }
    }
    let today = day(given.now);
    let is_day = |expiry: &&String| expiry.parse::<Day>().is_ok();
    item.is_past_expiry = item.expiry.as_ref().filter(is_day).is_some_and(|day| *day < today);
    item
}

/// What descriptions say.
fn described(records: &[&Proven], makers: &BTreeSet<OrgId>, given: &Given<'_>) -> Item {
    let mut item = Item::default();
    let is_makers = |issuer: &OrgId| makers.is_empty() || makers.contains(issuer);
    let holds = |record: &&&Proven| match record.verified.body() {
        Body::Masterdata(body) => {
            let issuer = &record.verified.claims().iss;
            record.is_public && body.from_at <= given.now && is_makers(issuer)
        }
        _ => false,
    };
    let mut all: Vec<&Proven> = records.iter().filter(holds).copied().collect();
    all.sort_by_key(|record| {
        let from = match record.verified.body() {
            Body::Masterdata(body) => body.from_at,
            _ => Timestamp::EPOCH,
        };
        // Of several that hold from one instant, the first to be recorded wins.
        (Reverse(record.level), from, Reverse(order(record)))
    });
    // The last one wins, field by field: the item's own words over the lot's over the class's.
    for record in all.iter().filter(|record| record.level != Level::Beside) {
        let Body::Masterdata(body) = record.verified.body() else { continue };
        let issuer = (given.party)(&record.verified.claims().iss);
        match &body.about {
            About::Item(about) => {
                item.names = texts(&body.name);
                item.described_by = Some(issuer);
                item.maker = about.maker.as_ref().map(|maker| (given.party)(maker));
                item.brand = about.brand.as_ref().map(texts).unwrap_or_default();
                item.content.clone_from(&about.content);
                item.checks = about.look_for.as_ref().map(texts).unwrap_or_default();
                item.pictures = pictures(body);
            }
            About::Lot(lot) => {
                item.lot = Some(lot.lot.clone());
                item.produced = lot.produced_on.map(|day| day.to_string());
                item.expiry = lot.expiry.map(|day| day.to_string());
                item.markets = lot.markets.iter().map(|one| one.as_str().to_owned()).collect();
                item.described_by.get_or_insert(issuer);
            }
            About::Party(_) | About::Location(_) => {
                item.names = texts(&body.name);
                item.described_by = Some(issuer);
                item.pictures = pictures(body);
            }
        }
    }
    item
}

fn pictures(body: &Masterdata) -> Vec<Picture> {
    let view = |picture: &hallmark_schemas::kind::masterdata::Picture| Picture {
        alt: texts(&picture.alt),
        url: picture.url.clone(),
        digest: picture.digest.to_string(),
    };
    body.pictures.iter().map(view).collect()
}
