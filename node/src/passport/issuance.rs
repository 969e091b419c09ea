//! What label orders say of a serial: the own organisation's, else those that others published.

use std::collections::BTreeSet;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::gs1::digital_link::{CANONICAL, unescape};
use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::label::{Label, Scheme, State};

use super::decide::Issuance;
use super::gather::{Evidence, Gatherer};
use crate::labels::{Issued, LabelsError, Ledger, Logged, Standing};
use crate::store::StoreError;

/// The serial of an item of a GTIN.
fn serial_of(goods: &GoodsId) -> Option<String> {
    let path = goods.as_str().strip_prefix(CANONICAL)?;
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match parts.as_slice() {
        ["01", _, "21", serial] => Some(unescape(serial, false)),
        _ => None,
    }
}

/// What label orders say of a code, and which of them say it.
pub struct Told {
    /// What they say.
    pub issuance: Issuance,
    /// Those that the code is of, as far as can be told; none where nothing can be told.
    pub orders: Option<BTreeSet<ContentId>>,
    /// The lots that these name, as far as whoever answers for the goods has ordered them.
    pub lots: BTreeSet<String>,
}

impl Told {
    /// Nothing can be told.
    fn nothing() -> Told {
        Told { issuance: Issuance::Untold, orders: None, lots: BTreeSet::new() }
    }
}

/// What is known of the goods, after the orders that hold their serial were gathered. A label key
/// that cannot be used accuses nobody.
pub(super) fn issuance(
    ledger: &Ledger,
    own: &OrgId,
    goods: &GoodsId,
    gatherer: &mut Gatherer<'_>,
) -> Result<Told, StoreError> {
    let Some(serial) = serial_of(goods) else {
        return Ok(Told::nothing());
    };
    if let Ok(number) = serial.parse() {
        gatherer.orders_of(goods, Scheme::Sequence, number)?;
    }
    let standing = match standing(ledger, own, goods, &serial, gatherer) {
        Ok(standing) => standing,
        Err(LabelsError::Store(error)) => return Err(error),
        Err(error) => {
            let cause = crate::api::problem::with_causes(&error);
            tracing::warn!(cause, "a passport was made without the label orders");
            return Ok(Told::nothing());
        }
    };
    let evidence = gatherer.evidence();
    let issuance = match standing.issued {
        Issued::Unlabelled => of_sequences(evidence, &serial),
        Issued::NeverIssued => Issuance::Never,
        Issued::Scrapped => Issuance::Scrapped,
        Issued::Made | Issued::NotActivated | Issued::Activated => Issuance::Issued,
    };
    let mut orders: BTreeSet<ContentId> = standing.grounds.into_iter().collect();
    let mut lots: BTreeSet<String> = standing.lot.into_iter().collect();
    let makers = super::fold::makers(&evidence.records);
    for record in &evidence.records {
        if let Body::Label(label) = record.verified.body()
            && label.scheme == Scheme::Sequence
            && label.sequence_number(&serial).is_some()
        {
            orders.insert(record.verified.id());
            if makers.contains(&record.verified.claims().iss) {
                lots.extend(label.lot.clone());
            }
        }
    }
    Ok(Told { issuance, orders: Some(orders), lots })
}

/// What the own organisation's orders say.
fn standing(
    ledger: &Ledger,
    own: &OrgId,
    goods: &GoodsId,
    serial: &str,
    gatherer: &mut Gatherer<'_>,
) -> Result<Standing, LabelsError> {
    let is_derived = |logged: &Logged| logged.label.scheme == Scheme::Derived;
    if ranges(gatherer.evidence(), own).iter().any(is_derived)
        && let Some(number) = ledger.number(serial)?
    {
        gatherer.orders_of(goods, Scheme::Derived, number)?;
    }
    ledger.issued(&ranges(gatherer.evidence(), own), serial)
}

/// Label orders that were gathered and that no correction of their issuer replaces.
fn in_force(evidence: &Evidence) -> impl Iterator<Item = (ContentId, &OrgId, &Label)> {
    let replaced: BTreeSet<(ContentId, &OrgId)> = evidence
        .records
        .iter()
        .filter_map(|one| Some((one.verified.body().replaces()?, &one.verified.claims().iss)))
        .collect();
    evidence.records.iter().filter_map(move |record| {
        let (id, issuer) = (record.verified.id(), &record.verified.claims().iss);
        match record.verified.body() {
            Body::Label(label) if !replaced.contains(&(id, issuer)) => Some((id, issuer, label)),
            _ => None,
        }
    })
}

/// Those of one organisation.
fn ranges(evidence: &Evidence, own: &OrgId) -> Vec<Logged> {
    let own = in_force(evidence).filter(|(_, issuer, _)| *issuer == own);
    own.map(|(id, _, label)| Logged { id, label: label.clone() }).collect()
}

/// What published sequences say: serials under a secret key only their maker can tell.
fn of_sequences(evidence: &Evidence, serial: &str) -> Issuance {
    let (mut made, mut issuance) = (0, Issuance::Never);
    for (_, _, label) in in_force(evidence) {
        let holds = label.sequence_number(serial).is_some();
        match (label.scheme, label.state) {
            (Scheme::Derived, _) => return Issuance::Untold,
            (Scheme::Sequence, State::Scrapped) if holds => return Issuance::Scrapped,
            (Scheme::Sequence, State::Made) => {
                made += 1;
                if holds {
                    issuance = Issuance::Issued;
                }
            }
            (Scheme::Sequence, _) => {}
        }
    }
    if made == 0 { Issuance::Untold } else { issuance }
}
