//! What label orders say of a serial: the own organisation's, else those that others published.

use std::collections::BTreeSet;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::gs1::digital_link::{CANONICAL, unescape};
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::label::{Scheme, State};

use super::decide::Issuance;
use super::gather::Evidence;
use crate::core::LogHandle;
use crate::labels::{Issued, Ledger};

/// GTIN and serial of an item.
fn item_of(goods: &GoodsId) -> Option<(String, String)> {
    let path = goods.as_str().strip_prefix(CANONICAL)?;
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match parts.as_slice() {
        ["01", gtin, "21", serial] => Some(((*gtin).to_owned(), unescape(serial, false))),
        _ => None,
    }
}

/// What label orders say of a code, and which of them say it.
pub struct Told {
    /// What they say.
    pub issuance: Issuance,
    /// Those that the code is of, as far as can be told; none where nothing can be told.
    pub orders: Option<BTreeSet<ContentId>>,
}

/// What is known of the item. A label key that cannot be used accuses nobody.
pub(super) fn issuance(
    ledger: &Ledger,
    log: &LogHandle,
    goods: &GoodsId,
    evidence: &Evidence,
) -> Told {
    let Some((gtin, serial)) = item_of(goods) else {
        return Told { issuance: Issuance::Untold, orders: None };
    };
    let standing = match ledger.issued(log, &gtin, &serial) {
        Ok(standing) => standing,
        Err(error) => {
            let cause = crate::api::problem::with_causes(&error);
            tracing::warn!(cause, "a passport was made without the label orders");
            return Told { issuance: Issuance::Untold, orders: None };
        }
    };
    let issuance = match standing.issued {
        Issued::Unlabelled => of_sequences(evidence, &serial),
        Issued::NeverIssued => Issuance::Never,
        Issued::Scrapped => Issuance::Scrapped,
        Issued::Made | Issued::NotActivated | Issued::Activated => Issuance::Issued,
    };
    let mut orders: BTreeSet<ContentId> = standing.grounds.into_iter().collect();
    orders.extend(evidence.records.iter().filter_map(|record| match record.verified.body() {
        Body::Label(label) if label.scheme == Scheme::Sequence => {
            label.sequence_number(&serial).map(|_| record.verified.id())
        }
        _ => None,
    }));
    Told { issuance, orders: Some(orders) }
}

/// What published sequences say: serials under a secret key only their maker can tell.
fn of_sequences(evidence: &Evidence, serial: &str) -> Issuance {
    let replaced: Vec<ContentId> =
        evidence.records.iter().filter_map(|one| one.verified.body().replaces()).collect();
    let labels = evidence.records.iter().filter_map(|record| match record.verified.body() {
        Body::Label(label) if !replaced.contains(&record.verified.id()) => Some(label),
        _ => None,
    });
    let (mut made, mut issuance) = (0, Issuance::Never);
    for label in labels {
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
