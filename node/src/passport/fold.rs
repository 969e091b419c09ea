//! From proved records to what the passport shows: pure, without store or clock.
//!
//! Invariants: of versions that replace one another the last of one issuer counts; events declared
//! to be in error are no step; of bodies that are not public nothing is shown but what the owner
//! lists; everything is in one order, whatever order the records came in.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::day::Day;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::identity::NaturalIdentity;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::event;
use hallmark_schemas::kind::masterdata::About;
use hallmark_schemas::kind::words::Words;
use hallmark_schemas::time::Timestamp;

use super::State;
use super::code::{Code, sort_of};
use super::decide::{Facts, Issuance};
use super::gather::{Evidence, Level, Proven};
use super::issuance::{Activation, Told};
use super::view::print::Link;
use super::view::{
    Confirmations, Elsewhere, Footprint, Inactive, Item, Misread, Party, Passport, Proof, Record,
    Sort, Text,
};

mod certificates;
mod confirmed;
mod description;
mod doubt;
mod erased;
pub mod journey;
mod late;
mod print;
mod recalls;

pub(super) use description::makers;
pub(super) use print::date as printed_day;

use journey::Reveal;

/// What folding needs beside the records.
pub struct Given<'a> {
    /// The code.
    pub code: &'a Code,
    /// The time of day: what is in force depends on it.
    pub now: Timestamp,
    /// What label orders say.
    pub labels: Told,
    /// What is shown of own bodies that are not public.
    pub reveal: &'a [Reveal],
    /// So many confirmations are innocent.
    pub confirmations_max: usize,
    /// An organisation's name.
    pub party: &'a dyn Fn(&OrgId) -> Party,
    /// The base URL that an organisation attests for its node.
    pub url: &'a dyn Fn(&OrgId) -> Option<String>,
}

/// The passport, its findings still to be added, and the facts for its state.
pub fn fold(evidence: &Evidence, given: &Given<'_>) -> (Passport, Facts) {
    let records = last_versions(evidence);
    let makers = makers(&evidence.records);
    let recalls = recalls::of(&records, given);
    let certificates = certificates::of(&records, given);
    let confirmations = confirmed::of(&records, &makers, &evidence.carried, given);
    let impossible = confirmed::impossible(&records, &makers, &evidence.carried, given);
    let item = description::item(&records, &makers, given);
    let contradictions = print::contradictions(&records, &makers, &item, given);
    let passed = print::passed(&item, given);
    let vouching = of_maker(&records, &makers, given);
    let inactive = (vouching == 0).then(|| inactive(&records, given)).flatten();
    let passport = Passport {
        state: State::Consistent,
        goods: Some(given.code.goods.to_string()),
        sort: Some(sort_of(&given.code.goods)),
        misread: None,
        did_you_mean: None,
        link: Link {
            attributes: print::read(given),
            contradictions,
            passed,
            ..given.code.link.clone()
        },
        item,
        recalls,
        idle_recalls: recalls::idle(&records, given),
        lot_recalls: recalls::of_lots(&records, given),
        certificates,
        journey: journey::of(&records, &evidence.carried, given),
        ended: confirmed::ended(&records, &makers, &evidence.carried, given),
        doubted: doubt::of(&records, &makers, given),
        erased: erased::of(&records, given),
        footprints: footprints(&records, given),
        findings: Vec::new(),
        stated_findings: Vec::new(),
        names: Vec::new(),
        confirmations,
        is_scrapped: given.labels.issuance == Issuance::Scrapped,
        inactive,
        late_label: late::label(evidence, &records, given),
        elsewhere: given.labels.elsewhere.as_ref().map(|issuer| elsewhere(issuer, given)),
        proof: proof(evidence, given),
    };
    let facts = Facts {
        is_known: is_known(&records, &passport, evidence),
        records: untold(evidence, given) + vouching,
        issuance: given.labels.issuance,
        damaged: evidence.damaged.len(),
        confirmations_max: given.confirmations_max,
        impossible: passport.confirmations.impossible.len().max(impossible.len()),
        is_told_elsewhere: given.labels.elsewhere.is_some(),
        ..facts(&passport)
    };
    (passport, facts)
}

/// What a passport shows that its state follows from.
fn facts(passport: &Passport) -> Facts {
    let Passport { certificates, confirmations, inactive, .. } = passport;
    let faulty = |standing| {
        let of = certificates.iter().filter(|one| one.standing == standing && !one.is_superseded);
        of.count()
    };
    Facts {
        is_readable: true,
        recalls: passport.recalls.len(),
        certificates_withdrawn: faulty(super::view::Standing::Withdrawn),
        certificates_expired: faulty(super::view::Standing::Expired),
        confirmations: confirmations.count,
        contradictions: passport.link.contradictions.len(),
        is_inactive_seen: inactive.is_some_and(|inactive| {
            inactive.others_are_active && (inactive.is_seen || 0 < confirmations.count)
        }),
        maker_claims: passport.item.maker_claims.len(),
        doubted: passport.doubted.iter().filter(|one| one.is_origin).count(),
        ..Facts::default()
    }
}

/// Whether anything of this network speaks of the code or of its class, be it not to be relied on.
fn is_known(records: &[&Proven], passport: &Passport, evidence: &Evidence) -> bool {
    let is_about = |one: &Proven| one.level != Level::Beside;
    records.iter().any(|one| is_about(one))
        || evidence.refused.iter().any(is_about)
        || !passport.lot_recalls.is_empty()
        || !passport.erased.is_empty()
        || !evidence.damaged.is_empty()
}

impl Passport {
    /// Of a path that is no code, perhaps meant for one.
    pub fn unreadable(misread: Misread, did_you_mean: Option<String>) -> Passport {
        Passport {
            state: State::Unreadable,
            goods: None,
            sort: None,
            misread: Some(misread),
            did_you_mean,
            link: Link::default(),
            item: Item::default(),
            recalls: Vec::new(),
            idle_recalls: Vec::new(),
            lot_recalls: Vec::new(),
            certificates: Vec::new(),
            journey: Vec::new(),
            ended: None,
            doubted: Vec::new(),
            erased: Vec::new(),
            footprints: Vec::new(),
            findings: Vec::new(),
            stated_findings: Vec::new(),
            names: Vec::new(),
            confirmations: Confirmations::default(),
            is_scrapped: false,
            inactive: None,
            late_label: None,
            elsewhere: None,
            proof: Proof::default(),
        }
    }
}

/// What public records call the places that they describe, by the text that events give these.
pub(super) fn places(evidence: &Evidence) -> BTreeMap<String, journey::Place> {
    journey::places(&last_versions(evidence))
}

/// Without what a later version of the same issuer replaces; whoever replaces what was refused, because
/// it contradicts a record, corrects that one.
fn last_versions(evidence: &Evidence) -> Vec<&Proven> {
    let Evidence { records, refused, .. } = evidence;
    let named: BTreeSet<(ContentId, &OrgId)> = records
        .iter()
        .filter_map(|one| Some((one.verified.body().replaces()?, &one.verified.claims().iss)))
        .collect();
    let is_named = |one: &&Proven| named.contains(&(one.verified.id(), &one.verified.claims().iss));
    let identity = |one: &Proven| one.verified.envelope().identity();
    let replaced: BTreeSet<NaturalIdentity> =
        records.iter().chain(refused).filter(is_named).map(identity).collect();
    let is_last = |one: &&Proven| replaced.is_empty() || !replaced.contains(&identity(one));
    let mut records: Vec<&Proven> = records.iter().filter(is_last).collect();
    records.sort_by_key(|one| (one.time.hi, one.time.lo, one.verified.id()));
    records
}

/// Records of the code itself by its maker. Where no maker is known, a GTIN needs a record of the
/// item's birth: whoever merely saw it does not vouch for it. Other goods have no maker to ask.
fn of_maker(records: &[&Proven], makers: &BTreeSet<OrgId>, given: &Given<'_>) -> usize {
    let goods = &given.code.goods;
    let is_lot = sort_of(goods) == Sort::Lot;
    let counts = |record: &&&Proven| {
        let is_makers = makers.contains(&record.verified.claims().iss);
        let vouches = match record.verified.body() {
            // Of a lot, the maker's recall and label orders say that there is one.
            Body::Recall(_) => is_makers && is_lot,
            Body::Label(label) if is_lot && record.level == Level::Class => {
                return is_makers && label.lot == given.code.lot;
            }
            // What someone found or experienced says that the code was seen, not that it was issued.
            body if merely_sees(body) => false,
            Body::Event(event) => {
                let fields = event.fields();
                let is_birth = |item: &event::fields::Item| {
                    item.item.as_str() == goods.as_str() && fields.born(item.role)
                };
                let by_birth = makers.is_empty() && fields.items.iter().any(is_birth);
                fields.error.is_none() && (is_makers || by_birth || goods.class().is_none())
            }
            _ => is_makers || goods.class().is_none(),
        };
        vouches && record.level == Level::Own
    };
    records.iter().filter(counts).count()
}

/// Whether a record is of goods that somebody met, by whatever code: whoever lists, praises or
/// inspects a copy makes its code no code that was issued.
fn merely_sees(body: &Body) -> bool {
    matches!(
        body,
        Body::Confirmation(_)
            | Body::Complaint(_)
            | Body::Finding(_)
            | Body::Inspection(_)
            | Body::Offer(_)
            | Body::Claim(_)
    )
}

/// Damaged records of which one may be what makes the code known: then nobody can tell.
fn untold(evidence: &Evidence, given: &Given<'_>) -> usize {
    let is_lot = sort_of(&given.code.goods) == Sort::Lot;
    let is_description = |record: &Proven| match record.verified.body() {
        Body::Masterdata(body) => matches!(body.about, About::Item(_)),
        _ => false,
    };
    let records = || evidence.records.iter().filter(|record| record.level != Level::Beside);
    let is_told = |record: &Proven| match record.verified.body() {
        Body::Recall(_) => false,
        body if merely_sees(body) => false,
        _ => {
            record.level == Level::Own
                || evidence.telling.contains(&record.verified.id().to_string())
        }
    };
    // Without any description nobody can tell whether those who speak of the code are its maker.
    let asks_maker = records().any(is_told) && !records().any(is_description);
    let tells = |record: &&Record| match record.kind.as_deref() {
        Some("confirmation" | "complaint" | "finding" | "inspection" | "offer" | "claim") => false,
        Some("recall") if !is_lot => false,
        Some("masterdata") if asks_maker => true,
        _ => evidence.telling.contains(&record.id),
    };
    evidence.damaged.iter().filter(tells).count()
}

/// What is missing of a label of which nobody who answers for the goods says anything else.
fn inactive(records: &[&Proven], given: &Given<'_>) -> Option<Inactive> {
    let others_are_active = match given.labels.activation {
        Activation::Said => return None,
        Activation::Withheld => true,
        Activation::Unsaid => false,
    };
    let declared = journey::declared_errors(records);
    let is_sight = |record: &&&Proven| match record.verified.body() {
        Body::Event(event) => {
            let iss = &record.verified.claims().iss;
            record.level == Level::Own && !declared.contains(&(iss, event.fields().identity()))
        }
        _ => false,
    };
    Some(Inactive { others_are_active, is_seen: records.iter().any(|record| is_sight(&record)) })
}

/// Where the node tells of the code that has the key of its serial.
fn elsewhere(issuer: &OrgId, given: &Given<'_>) -> Elsewhere {
    let url = (given.url)(issuer).map(|url| format!("{url}{}", given.code.printed()));
    Elsewhere { issuer: (given.party)(issuer), url }
}

pub(super) fn texts(words: &Words) -> Vec<Text> {
    let text = |lang: &str, text: &Option<String>| {
        text.clone().map(|text| Text { lang: Some(lang.to_owned()), text })
    };
    text("zh-Hans", &words.zh_hans).into_iter().chain(text("en", &words.en)).collect()
}

/// Where no clock is told days are of this one, and the page says so.
pub const UTC: &str = "UTC";

/// The day of UTC.
pub(super) fn day(at: Timestamp) -> String {
    Day::of(at).to_string()
}

/// The last day of a period whose end is exclusive.
pub(super) fn last_day(end: Timestamp) -> String {
    last_of(end).to_string()
}

pub(super) fn last_of(end: Timestamp) -> Day {
    Day::of(end.checked_add_ms(-1).unwrap_or(end))
}

/// The month of UTC, as `2026-11`.
pub(super) fn month(at: Timestamp) -> String {
    at.to_string()[..7].to_owned()
}

/// An instant on the clock by which its author means it, of UTC where they tell none.
pub(super) fn on_clock(at: Timestamp, offset: Option<&str>) -> Timestamp {
    offset.map_or(at, |offset| at.on_clock(offset))
}

/// The name of that clock.
pub(super) fn zone(offset: Option<&str>) -> String {
    offset.unwrap_or(UTC).to_owned()
}

fn footprints(records: &[&Proven], given: &Given<'_>) -> Vec<Footprint> {
    let mut found = BTreeMap::new();
    for record in records.iter().filter(|one| one.level != Level::Beside && one.is_public) {
        let Body::Footprint(body) = record.verified.body() else { continue };
        let claims = record.verified.claims();
        let verification = body.verification.as_ref();
        let footprint = Footprint {
            id: record.verified.id().to_string(),
            by: (given.party)(&claims.iss),
            kg_co2e: decimal(body.amount_g, i32::from(body.scale_e10.unwrap_or(0)) - 3),
            per: body.declared_unit.as_str().to_owned(),
            boundary: body.boundary.as_str().to_owned(),
            period: Some([day(body.period_start), last_day(body.period_end)]),
            verifier: verification.map(|one| (given.party)(&one.body)),
            // No kind of attestation lets the body itself say so.
            verifier_claimed_by: verification.map(|_| (given.party)(&claims.iss)),
            assurance: verification.map(|one| one.assurance.as_str().to_owned()),
            primary_ppm: body.primary_share_ppm.map(u64::from),
        };
        found.insert((std::cmp::Reverse(body.period_end), footprint.id.clone()), footprint);
    }
    found.into_values().collect()
}

/// `amount` times ten to the power of `scale`, exactly.
fn decimal(amount: i64, scale: i32) -> String {
    let digits = amount.unsigned_abs().to_string();
    let sign = if amount < 0 { "-" } else { "" };
    let zeros = |count: i32| "0".repeat(usize::try_from(count.clamp(0, 256)).unwrap_or(0));
    if 0 <= scale {
        let tail = if amount == 0 { String::new() } else { zeros(scale) };
        return format!("{sign}{digits}{tail}");
    }
    let after = scale.unsigned_abs() as usize;
    let padded = format!("{}{digits}", zeros(after as i32 + 1 - digits.len() as i32));
    let (whole, part) = padded.split_at(padded.len() - after.min(padded.len() - 1));
    let part = part.trim_end_matches('0');
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

/// Whether it is a label order of the class that tells nothing of this code.
fn is_silent(record: &Proven, given: &Given<'_>) -> bool {
    let Body::Label(label) = record.verified.body() else {
        return false;
    };
    match (sort_of(&given.code.goods), &given.labels.orders) {
        (Sort::Item, Some(orders)) => !orders.contains(&record.verified.id()),
        (Sort::Lot, _) => label.lot != given.code.lot,
        _ => false,
    }
}

/// What public records about the goods name: places, who vouches, what they are about.
fn named(evidence: &Evidence) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for record in evidence.records.iter().filter(|one| one.is_public) {
        let is_carried = evidence.carried.contains_key(&record.verified.id());
        if record.level == Level::Beside && !is_carried {
            continue;
        }
        let claims = record.verified.claims();
        named.extend([claims.sub.to_string(), claims.iss.to_string()]);
        if let Body::Event(event) = record.verified.body() {
            let fields = event.fields();
            named.extend(fields.read_point.iter().chain(&fields.biz_location).cloned());
        }
    }
    named
}

/// Whether a record is told, so that it can be checked: public ones of the goods; of what others say
/// beside that, whatever only a record that is not public led to stays untold, as it would tell
/// what that names.
fn is_told(one: &Proven, evidence: &Evidence, named: &BTreeSet<String>) -> bool {
    let is_of_goods =
        one.level != Level::Beside || evidence.carried.contains_key(&one.verified.id());
    let is_named = |text: &str| named.contains(text);
    let follows = |before: ContentId| {
        let mut earlier = evidence.records.iter().filter(|other| other.verified.id() == before);
        earlier.any(|other| other.is_public && other.level != Level::Beside)
    };
    let is_beside = || match one.verified.body() {
        Body::Recall(_) | Body::Response(_) => true,
        Body::Erasure(_) => erased::counts(one),
        Body::Facility(facility) => {
            let mut places = facility.locations.iter().map(|name| event::vocabulary::place(name));
            is_named(&one.verified.claims().sub.to_string()) || places.any(|name| is_named(&name))
        }
        body => {
            let claims = one.verified.claims();
            is_named(&claims.sub.to_string()) || body.replaces().is_some_and(follows)
        }
    };
    one.is_public && (is_of_goods || is_beside())
}

fn proof(evidence: &Evidence, given: &Given<'_>) -> Proof {
    let named = named(evidence);
    // What was refused is no record of the goods, but what corrects it names it.
    let is_corrected = |one: &&Proven| {
        let mut others = evidence.records.iter().filter(|other| other.is_public);
        others.any(|other| other.verified.body().replaces() == Some(one.verified.id()))
    };
    let refused = evidence.refused.iter().filter(|one| one.is_public).filter(is_corrected);
    let mut records: Vec<Record> = evidence
        .records
        .iter()
        .filter(|one| is_told(one, evidence, &named))
        .chain(refused)
        .map(|one| Record {
            id: one.verified.id().to_string(),
            kind: Some(one.verified.body().kind().as_str().to_owned()),
            log: one.origin.clone(),
            entry: one.entry,
            issuer: Some((given.party)(&one.verified.claims().iss)),
            recorded: Some([one.time.lo, one.time.hi].map(|at| at.to_string())),
            fault: None,
            is_public: one.is_public,
            is_silent: is_silent(one, given),
        })
        .collect();
    records.extend(evidence.damaged.iter().cloned());
    // What does not hold first, what tells nothing last.
    records.sort_by(|a, b| {
        let order = (b.fault, a.is_silent, &a.log, a.entry);
        order.cmp(&(a.fault, b.is_silent, &b.log, b.entry))
    });
    let logs = evidence.logs.iter().map(|(origin, seen)| seen.view(origin)).collect();
    Proof { records, is_cut: evidence.is_cut, logs, ..Proof::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_shown_with_its_last_day() {
        for (end, expected) in [
            ("2026-01-01T00:00:00Z", "2025-12-31"),
            ("2026-01-01T00:00:00.001Z", "2026-01-01"),
            ("1970-01-01T00:00:00Z", "1970-01-01"),
        ] {
            assert_eq!(last_day(Timestamp::parse(end).unwrap()), expected);
        }
    }

    #[test]
    fn amounts_are_written_exactly() {
        for (amount, scale, expected) in [
            (1234, -3, "1.234"),
            (1200, -3, "1.2"),
            (5, -3, "0.005"),
            (-5, -1, "-0.5"),
            (0, 3, "0"),
            (0, -3, "0"),
            (12, 2, "1200"),
            (i64::MIN, 0, "-9223372036854775808"),
            (7, -10, "0.0000000007"),
        ] {
            assert_eq!(decimal(amount, scale), expected, "{amount}e{scale}");
        }
    }
}
