//! Records of which it is in doubt who signed them.
//!
//! Invariants: what a revoked key signed since it may have been another's is told with the key's day,
//! and what the goods are known by is then no calm answer; whoever signs it again with the key that
//! followed, in place of the one before, ends the doubt. The script of the check works the same out
//! of public descriptions and births (state.mjs).

use std::collections::BTreeSet;

use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::Body;

use super::super::gather::{Level, Proven};
use super::super::view::Doubted;
use super::{Given, day, journey};

/// Most that are told.
const DOUBTED_MAX: usize = 32;

/// All that are public and about the goods, those that these are known by first.
pub(super) fn of(records: &[&Proven], makers: &BTreeSet<OrgId>, given: &Given<'_>) -> Vec<Doubted> {
    let declared = journey::declared_errors(records);
    let mut found = Vec::new();
    for record in records.iter().filter(|one| one.level != Level::Beside && one.is_public) {
        let Some(since) = record.doubt else { continue };
        let iss = &record.verified.claims().iss;
        if let Body::Event(event) = record.verified.body()
            && declared.contains(&(iss, event.fields().identity()))
        {
            continue;
        }
        found.push(Doubted {
            id: record.verified.id().to_string(),
            kind: record.verified.body().kind().as_str().to_owned(),
            by: (given.party)(iss),
            since: day(since),
            is_origin: is_origin(record, makers, given),
        });
    }
    found.sort_by_key(|one| !one.is_origin);
    found.truncate(DOUBTED_MAX);
    found
}

/// Whether the goods are known by this record.
fn is_origin(record: &Proven, makers: &BTreeSet<OrgId>, given: &Given<'_>) -> bool {
    let is_makers = makers.contains(&record.verified.claims().iss);
    match record.verified.body() {
        Body::Masterdata(body) => is_makers && body.from_at <= given.now,
        Body::Label(_) => {
            let orders = given.labels.orders.as_ref();
            is_makers && orders.is_some_and(|all| all.contains(&record.verified.id()))
        }
        Body::Event(event) => {
            let fields = event.fields();
            let goods = given.code.goods.as_str();
            fields.items.iter().any(|one| one.item.as_str() == goods && fields.born(one.role))
        }
        _ => false,
    }
}
