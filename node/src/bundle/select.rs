//! Which bodies a selection asks for.
//!
//! Invariant: goods and ids are looked up in the index; only facilities and periods read bodies, one
//! after the other, because what stands where is said by other attestations.

use std::collections::BTreeSet;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::entry::Entry;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::id::Subject;
use hallmark_schemas::kind::Body;
use hallmark_schemas::time::Timestamp;

use super::logs::{HeldLog, each_first};
use super::public::PUBLIC_RECORDS_MAX;
use super::{Held, Selection, body, held};
use crate::index::goods::About;
use crate::service::Service;
use crate::store::StoreError;

/// Places of the index read at once.
const PAGE: usize = 1024;

/// The ids that a selection names.
pub(super) enum Chosen {
    /// All.
    Everything,
    /// These.
    Ids(BTreeSet<ContentId>),
}

impl Chosen {
    /// Whether an attestation is among them.
    pub(super) fn has(&self, id: &ContentId) -> bool {
        match self {
            Chosen::Everything => true,
            Chosen::Ids(ids) => ids.contains(id),
        }
    }
}

/// What the selection names, with all that it rests on.
pub(super) fn chosen(
    service: &Service,
    selection: &Selection,
    logs: &[HeldLog],
) -> Result<Chosen, StoreError> {
    if selection.is_everything() {
        return Ok(Chosen::Everything);
    }
    let mut ids = named(service, selection, logs)?;
    let mut cited = Vec::new();
    for id in &ids {
        if let Some((_, envelope)) = body(service, id)? {
            cited.extend(envelope.body().cites().iter().copied());
        }
    }
    while let Some(id) = cited.pop() {
        if ids.insert(id)
            && let Some((_, envelope)) = body(service, &id)?
        {
            cited.extend(envelope.body().cites());
        }
    }
    Ok(Chosen::Ids(ids))
}

/// The public bodies that are selected, the newest first: so many that a public bundle is full.
pub(super) fn public(
    service: &Service,
    selection: &Selection,
    logs: &[HeldLog],
) -> Result<Vec<ContentId>, StoreError> {
    let named = match selection.is_everything() {
        true => Chosen::Everything,
        false => Chosen::Ids(named(service, selection, logs)?),
    };
    let mut newest: BTreeSet<(Timestamp, ContentId)> = BTreeSet::new();
    each_first(service, logs, |entry| {
        let Entry { audience, admitted_at, id } = *entry;
        // Of what is damaged here the proof goes in.
        if audience == 0 && named.has(&id) && !matches!(held(service, &id)?, Held::Nothing) {
            newest.insert((admitted_at, id));
            // Identities do not count against the limit of bodies.
            if PUBLIC_RECORDS_MAX < newest.len() {
                newest.pop_first();
            }
        }
        Ok(true)
    })?;
    Ok(newest.into_iter().rev().map(|(_, id)| id).collect())
}

fn named(
    service: &Service,
    selection: &Selection,
    logs: &[HeldLog],
) -> Result<BTreeSet<ContentId>, StoreError> {
    let mut ids: BTreeSet<ContentId> = selection.ids.iter().copied().collect();
    for goods in &selection.goods {
        by_goods(service, selection, goods, &mut ids)?;
    }
    if !selection.facilities.is_empty() {
        by_facility(service, selection, logs, &mut ids)?;
    }
    if selection.goods.is_empty() && selection.facilities.is_empty() && selection.ids.is_empty() {
        each_first(service, logs, |entry| {
            if is_in_period(selection, entry.admitted_at) {
                ids.insert(entry.id);
            }
            Ok(true)
        })?;
    }
    Ok(ids)
}

fn is_in_period(selection: &Selection, at: Timestamp) -> bool {
    selection.period.as_ref().is_none_or(|period| period.contains(at))
}

fn by_goods(
    service: &Service,
    selection: &Selection,
    goods: &str,
    ids: &mut BTreeSet<ContentId>,
) -> Result<(), StoreError> {
    // What the command line sends has been parsed; what is no goods names nothing.
    let Ok(goods) = GoodsId::parse(goods) else { return Ok(()) };
    for about in [About::Statements, About::Events, About::Labels] {
        let mut after = None;
        loop {
            let page = service.node.goods(&goods, about, after.as_ref(), PAGE)?;
            for place in page.iter().filter(|place| is_in_period(selection, place.at)) {
                // A key of the index holds a hash: the body says whether it names the goods. One that
                // is damaged says nothing, and may.
                let is_named = match held(service, &place.id)? {
                    Held::Whole(_, envelope) => {
                        envelope.body().goods(envelope.claims()).contains(&goods)
                    }
                    Held::Damaged => true,
                    Held::Nothing => false,
                };
                if is_named {
                    ids.insert(place.id);
                }
            }
            after = page.last().copied();
            if page.len() < PAGE {
                break;
            }
        }
    }
    Ok(())
}

/// Bodies about the facilities or that name them, and those of devices that stand there.
fn by_facility(
    service: &Service,
    selection: &Selection,
    logs: &[HeldLog],
    ids: &mut BTreeSet<ContentId>,
) -> Result<(), StoreError> {
    let devices = devices_of(service, selection, logs)?;
    each_first(service, logs, |entry| {
        if !is_in_period(selection, entry.admitted_at) {
            return Ok(true);
        }
        let is_about = match held(service, &entry.id)? {
            Held::Whole(_, envelope) => {
                let sub = envelope.claims().sub.to_string();
                let about = selection.facilities.contains(&sub) || devices.contains(&sub);
                about || mentions(selection, &envelope)
            }
            // What it said nobody can read here: it may have been about them.
            Held::Damaged => true,
            Held::Nothing => false,
        };
        if is_about {
            ids.insert(entry.id);
        }
        Ok(true)
    })
}

/// Devices that stand in the selected facilities.
fn devices_of(
    service: &Service,
    selection: &Selection,
    logs: &[HeldLog],
) -> Result<BTreeSet<String>, StoreError> {
    let mut devices = BTreeSet::new();
    each_first(service, logs, |entry| {
        if let Some((_, envelope)) = body(service, &entry.id)?
            && let (Body::Device(device), Subject::Device(sub)) =
                (envelope.body(), &envelope.claims().sub)
            && let Some(facility) = &device.facility
            && selection.facilities.contains(&facility.to_string())
        {
            devices.insert(sub.to_string());
        }
        Ok(true)
    })?;
    Ok(devices)
}

/// Whether the body's text names one of the facilities.
fn mentions(selection: &Selection, envelope: &Envelope) -> bool {
    let text = envelope.body().to_json().to_string();
    selection.facilities.iter().any(|name| text.contains(name.as_str()))
}
