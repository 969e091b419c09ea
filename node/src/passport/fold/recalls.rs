//! Recalls of the goods, and of lots that they may be of.

use std::collections::BTreeSet;

use hallmark_schemas::kind::{Body, recall};

use super::super::gather::{Level, Proven};
use super::super::view::{IdleRecall, LotRecall, Recall};
use super::{Given, day, on_clock, texts, zone};

/// Those that are in force, of the goods themselves, their lot or their class; the newest first.
pub(super) fn of(records: &[&Proven], given: &Given<'_>) -> Vec<Recall> {
    let about = records.iter().filter(|one| one.level != Level::Beside);
    let mut found: Vec<Recall> = about.filter_map(|one| in_force(one, given)).collect();
    found.sort_by(|a, b| (&b.since, &b.id).cmp(&(&a.since, &a.id)));
    found
}

/// Those of lots of the class: these are gathered where no record tells the lot of the goods.
pub(super) fn of_lots(records: &[&Proven], given: &Given<'_>) -> Vec<LotRecall> {
    let Some(class) = given.code.goods.class() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for record in records.iter().filter(|one| one.level == Level::Beside) {
        let Some(recall) = in_force(record, given) else { continue };
        let goods = record.verified.body().goods(record.verified.claims());
        let of_class = goods.iter().filter(|one| one.class().as_ref() == Some(&class));
        let lots: BTreeSet<String> = of_class.filter_map(|one| one.lot()).collect();
        if !lots.is_empty() {
            found.push(LotRecall { lots: lots.into_iter().collect(), recall });
        }
    }
    found.sort_by(|a, b| (&b.recall.since, &b.recall.id).cmp(&(&a.recall.since, &a.recall.id)));
    found
}

/// Those of the goods, their lot or their class that were lifted or begin later, the newest first.
pub(super) fn idle(records: &[&Proven], given: &Given<'_>) -> Vec<IdleRecall> {
    let mut found = Vec::new();
    for record in records.iter().filter(|one| one.level != Level::Beside && one.is_public) {
        let Body::Recall(body) = record.verified.body() else { continue };
        let lifted = body.lifted_at.filter(|at| *at <= given.now);
        if let Some(recall) = read(record, given).filter(|_| !is_in_force(body, given)) {
            let day = |at| day(on_clock(at, body.utc_offset.as_deref()));
            found.push(IdleRecall { lifted: lifted.map(day), recall });
        }
    }
    found.sort_by(|a, b| (&b.recall.since, &b.recall.id).cmp(&(&a.recall.since, &a.recall.id)));
    found
}

fn is_in_force(recall: &recall::Recall, given: &Given<'_>) -> bool {
    recall.since <= given.now && recall.lifted_at.is_none_or(|at| given.now < at)
}

fn in_force(record: &Proven, given: &Given<'_>) -> Option<Recall> {
    let Body::Recall(recall) = record.verified.body() else { return None };
    read(record, given).filter(|_| record.is_public && is_in_force(recall, given))
}

fn read(record: &Proven, given: &Given<'_>) -> Option<Recall> {
    let Body::Recall(recall) = record.verified.body() else { return None };
    let (claims, offset) = (record.verified.claims(), recall.utc_offset.as_deref());
    let contact: Vec<&str> = [&recall.contact.phone, &recall.contact.url]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    Some(Recall {
        id: record.verified.id().to_string(),
        by: (given.party)(&claims.iss),
        goods: claims.sub.to_string(),
        since: day(on_clock(recall.since, offset)),
        zone: zone(offset),
        reason: texts(&recall.why),
        action: texts(&recall.what_to_do),
        contact: (!contact.is_empty()).then(|| contact.join(" · ")),
    })
}
