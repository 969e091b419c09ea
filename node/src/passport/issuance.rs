//! What label orders say of a serial: those of whoever answers for the goods, own and published.
//!
//! Invariants: a label order of anybody else makes no serial known, on no node, its own included;
//! a serial under a secret key is told by the node that has the key and by no other.

use std::collections::BTreeSet;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::gs1::digital_link::{CANONICAL, unescape};
use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::label::{Label, Scheme, State};
use hallmark_schemas::kind::{Body, KindName};
use hallmark_schemas::serial::SERIAL_CHARS;

use super::decide::Issuance;
use super::gather::{Evidence, Gatherer, Proven};
use super::view::Record;
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
    /// Under whose secret key the serial may be: only that node can tell.
    pub elsewhere: Option<OrgId>,
    /// Whether its label was put on goods.
    pub activation: Activation,
}

/// What label orders say of whether the label of a code is on goods.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Activation {
    /// It is, or there is no label that it could be said of.
    Said,
    /// Its label was made, and not put on goods, though others of the order were, or those of
    /// earlier orders before this one was made: whoever makes them says so of every one.
    Withheld,
    /// Its label was made; of no label of the kind it was said by then, so perhaps it never is.
    Unsaid,
}

impl Told {
    /// Nothing can be told.
    fn nothing() -> Told {
        Told {
            issuance: Issuance::Untold,
            orders: None,
            lots: BTreeSet::new(),
            elsewhere: None,
            activation: Activation::Said,
        }
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
    let makers = super::fold::makers(&evidence.records);
    let own_says = standing.as_ref().and_then(|standing| match standing.issued {
        Issued::Unlabelled => None,
        Issued::NeverIssued => Some(Issuance::Never),
        Issued::Scrapped => Some(Issuance::Scrapped),
        Issued::Made | Issued::NotActivated | Issued::Activated => Some(Issuance::Issued),
    });
    let mut published = Published::default();
    for (record, label) in in_force(evidence) {
        let issuer = &record.verified.claims().iss;
        if issuer != own && makers.contains(issuer) {
            published.add(issuer, label, &serial);
        }
    }
    let (issuance, elsewhere) = published.with(own_says);
    let mut orders = BTreeSet::new();
    let mut lots = BTreeSet::new();
    if let Some(standing) = standing {
        orders.extend(standing.grounds);
        lots.extend(standing.lot);
    }
    for record in &evidence.records {
        if let Body::Label(label) = record.verified.body()
            && label.scheme == Scheme::Sequence
            && label.sequence_number(&serial).is_some()
            && makers.contains(&record.verified.claims().iss)
        {
            orders.insert(record.verified.id());
            lots.extend(label.lot.clone());
        }
    }
    let activation = match issuance {
        Issuance::Issued => activation(&orders, gatherer)?,
        _ => Activation::Said,
    };
    Ok(Told { issuance, orders: Some(orders), lots, elsewhere, activation })
}

/// Whether a label of these orders was put on goods. Where not all was read nobody is suspected.
fn activation(
    orders: &BTreeSet<ContentId>,
    gatherer: &mut Gatherer<'_>,
) -> Result<Activation, StoreError> {
    let of_code = |state| {
        let evidence = gatherer.evidence();
        in_force(evidence)
            .find(|(record, label)| orders.contains(&record.verified.id()) && label.state == state)
    };
    let Some((made, label)) = of_code(State::Made) else {
        return Ok(Activation::Said);
    };
    if of_code(State::Activated).is_some() || gatherer.evidence().is_cut {
        return Ok(Activation::Said);
    }
    let (issuer, made_at) = (made.verified.claims().iss.clone(), made.time);
    let (class, order) = (label.class.clone(), label.order.clone());
    gatherer.activations(&class, &order)?;
    let shows_practice = |(record, label): (&Proven, &Label)| {
        let is_earlier = record.time.hi <= made_at.lo;
        label.state == State::Activated
            && record.verified.claims().iss == issuer
            && label.class == class
            && (label.order == order || is_earlier)
    };
    Ok(match in_force(gatherer.evidence()).any(shows_practice) {
        true => Activation::Withheld,
        false => Activation::Unsaid,
    })
}

/// What the own organisation's orders say; none where it does not answer for the goods.
fn standing(
    ledger: &Ledger,
    own: &OrgId,
    goods: &GoodsId,
    serial: &str,
    gatherer: &mut Gatherer<'_>,
) -> Result<Option<Standing>, LabelsError> {
    let evidence = gatherer.evidence();
    let is_derived = |logged: &Logged| logged.label.scheme == Scheme::Derived;
    let is_label = |record: &Record| record.kind.as_deref() == Some(KindName::Label.as_str());
    let number = if ranges(evidence, own).iter().any(is_derived) {
        ledger.number(serial)?
    } else if evidence.damaged.iter().any(is_label) {
        // Of a damaged order the scheme is not known; without a key it is not derived.
        ledger.number(serial).ok().flatten()
    } else {
        None
    };
    if let Some(number) = number {
        gatherer.orders_of(goods, Scheme::Derived, number)?;
    }
    let evidence = gatherer.evidence();
    if !super::fold::makers(&evidence.records).contains(own) {
        return Ok(None);
    }
    ledger.issued(&ranges(evidence, own), serial).map(Some)
}

/// Label orders that were gathered and that no correction of their issuer replaces.
fn in_force(evidence: &Evidence) -> impl Iterator<Item = (&Proven, &Label)> {
    let replaced: BTreeSet<(ContentId, &OrgId)> = evidence
        .records
        .iter()
        .filter_map(|one| Some((one.verified.body().replaces()?, &one.verified.claims().iss)))
        .collect();
    evidence.records.iter().filter_map(move |record| {
        let (id, issuer) = (record.verified.id(), &record.verified.claims().iss);
        match record.verified.body() {
            Body::Label(label) if !replaced.contains(&(id, issuer)) => Some((record, label)),
            _ => None,
        }
    })
}

/// Those of one organisation.
fn ranges(evidence: &Evidence, own: &OrgId) -> Vec<Logged> {
    let own = in_force(evidence).filter(|(record, _)| record.verified.claims().iss == *own);
    own.map(|(record, label)| Logged { id: record.verified.id(), label: label.clone() }).collect()
}

/// What the orders of makers other than the own organisation say.
#[derive(Default)]
struct Published {
    /// One of them was made.
    has_made: bool,
    /// What they say, where one holds the serial.
    says: Option<Issuance>,
    /// Who has the key that the serial may be derived under.
    keeper: Option<OrgId>,
}

impl Published {
    fn add(&mut self, issuer: &OrgId, label: &Label, serial: &str) {
        let is_sequence = label.scheme == Scheme::Sequence;
        let holds = is_sequence && label.sequence_number(serial).is_some();
        match (label.scheme, label.state) {
            (Scheme::Derived, _) if serial.len() == SERIAL_CHARS => {
                self.keeper.get_or_insert_with(|| issuer.clone());
            }
            (_, State::Made) => {
                self.has_made = true;
                if holds {
                    self.says.get_or_insert(Issuance::Issued);
                }
            }
            (_, State::Scrapped) if holds => self.says = Some(Issuance::Scrapped),
            _ => {}
        }
    }

    /// With what the own orders say: who knows the serial outweighs who does not.
    fn with(self, own: Option<Issuance>) -> (Issuance, Option<OrgId>) {
        let known = |says: &Issuance| matches!(says, Issuance::Issued | Issuance::Scrapped);
        let said = [own, self.says].into_iter().flatten().filter(known);
        match said.max_by_key(|says| *says == Issuance::Scrapped) {
            Some(says) => (says, None),
            None if self.keeper.is_some() => (Issuance::Untold, self.keeper),
            None if own.is_some() || self.has_made => (Issuance::Never, None),
            None => (Issuance::Untold, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_that_holds_the_serial_outweighs_orders_that_cannot_tell() {
        let maker: OrgId = "urn:hallmark:org:lei:529900T8BM49AURSDO55".parse().unwrap();
        let label = |scheme, state| Label {
            order: "A".to_owned(),
            class: "https://id.gs1.org/01/09521234000129".parse().unwrap(),
            lot: None,
            scheme,
            first: 1,
            last: 9,
            count: 9,
            digits: (scheme == Scheme::Sequence).then_some(20),
            state,
            replaces: None,
            reason: None,
        };
        let (five, ten) = ("00000000000000000005", "00000000000000000010");
        let (derived, made) = (label(Scheme::Derived, State::Made), Scheme::Sequence);
        let (made, scrapped) = (label(made, State::Made), label(made, State::Scrapped));
        let (untold, issued) = (Issuance::Untold, Issuance::Issued);
        let keeper = Some(maker.clone());
        for (labels, serial, own, expected) in [
            (vec![], five, None, (untold, None)),
            (vec![], five, Some(Issuance::Never), (Issuance::Never, None)),
            (vec![&made], five, None, (issued, None)),
            (vec![&made], ten, None, (Issuance::Never, None)),
            (vec![&derived, &made], five, None, (issued, None)),
            (vec![&derived, &made, &scrapped], five, None, (Issuance::Scrapped, None)),
            (vec![&derived, &made], ten, None, (untold, keeper.clone())),
            (vec![&derived], ten, Some(Issuance::Never), (untold, keeper)),
            (vec![&derived], ten, Some(issued), (issued, None)),
            (vec![&derived], "5", None, (Issuance::Never, None)),
        ] {
            let mut published = Published::default();
            labels.iter().for_each(|label| published.add(&maker, label, serial));
            assert_eq!(published.with(own), expected, "{labels:?} {serial} {own:?}");
        }
    }
}
