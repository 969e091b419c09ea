//! `erasure`: the operator of a log has erased the body of one of its entries.
//!
//! Invariants: only the organisation's own key signs it, so no client of its node can have it
//! erased; it is public, because whoever holds a copy must see it; the entry stays, and with it the
//! proof that the record existed, when, and its digest; of a public record it says in digests which
//! goods that was about, so that nobody's passport calls the rest complete. It counts in the log that holds the record,
//! and only from the organisation whose log that is.

use super::check::{self, FieldError};
use super::value::Digest;
use super::{Kind, KindName, SignerRule};
use crate::attestation::{Claims, ContentId, Envelope};
use crate::audience::Audience;
use crate::goods::GoodsId;
use crate::id::Subject;
use crate::identity::NaturalIdentity;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// The record whose body is erased.
    pub erased: ContentId,
    /// Why: a law, a trade secret. It stays for ever, so it says nothing of what is erased.
    pub reason: String,
    /// SHA-256 of the canonical text of each of the goods that a public record was about, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goods: Vec<Digest>,
}

/// Most goods that an erasure names.
pub const GOODS_MAX: usize = 4096;

/// Table `erasures`.
pub static ERASURES: Table = Table {
    name: "erasures",
    columns: &[
        Column::text("erased", "Content id of the record whose body is erased").required(),
        Column::text("reason", "Why, in its operator's words").required(),
        Column::instant("at", "When, as its author says"),
    ],
    bucket: Bucket::Whole,
    meaning: "The operator of a log erased the body of one of its entries",
};

impl Erasure {
    /// How an erasure names goods: who knows them finds it, and it tells nobody else.
    pub fn digest_of(goods: &GoodsId) -> Digest {
        Digest(Sha256::digest(goods.as_str().as_bytes()).into())
    }

    /// The goods that an erasure of this record names: those of a public one; of more than it may name
    /// their classes, so that none is passed over.
    pub fn goods_of(record: &Envelope) -> Vec<Digest> {
        if record.claims().aud != Audience::Public {
            return Vec::new();
        }
        let goods = record.body().goods(record.claims());
        let digests =
            |all: &[GoodsId]| -> BTreeSet<Digest> { all.iter().map(Erasure::digest_of).collect() };
        let mut found = digests(&goods);
        if GOODS_MAX < found.len() {
            let class = |one: &GoodsId| one.class().unwrap_or_else(|| one.clone());
            found = digests(&goods.iter().map(class).collect::<Vec<_>>());
        }
        found.into_iter().take(GOODS_MAX).collect()
    }

    /// Whether its issuer keeps the log: no other organisation erases in it. The second part of an
    /// origin names whose log it is.
    pub fn is_of(claims: &Claims, origin: &str) -> bool {
        origin.split('/').nth(1).is_some_and(|owner| owner == claims.iss.slug())
    }

    /// Whether a record of this kind may be erased: not what keys, versions of the network file and
    /// erasures themselves are proved from.
    pub const fn may_erase(kind: KindName) -> bool {
        !matches!(
            kind,
            KindName::Genesis
                | KindName::Network
                | KindName::Organisation
                | KindName::Key
                | KindName::Node
                | KindName::Device
                | KindName::Erasure
                | KindName::Revocation
        )
    }

    /// What counts as its content: asked a second time with other words, it is the same erasure.
    pub(super) fn normalised(&self) -> Vec<u8> {
        self.erased.bytes().to_vec()
    }
}

impl Kind for Erasure {
    const NAME: KindName = KindName::Erasure;
    const SIGNER: SignerRule = SignerRule::Organisation;
    const TABLES: &'static [&'static Table] = &[&ERASURES];

    fn check(&self) -> Result<(), FieldError> {
        check::text("/reason", &self.reason, check::SENTENCE_BYTES_MAX)?;
        let is_sorted = self.goods.windows(2).all(|pair| pair[0] < pair[1]);
        let is_bounded = self.goods.len() <= GOODS_MAX;
        check::form("/goods", is_sorted && is_bounded, "digests, sorted, each once, at most 4,096")
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        let own = matches!(&claims.sub, Subject::Org(org) if *org == claims.iss);
        check::form("/sub", own, "the organisation whose log it is")?;
        check::form("/aud", claims.aud == Audience::Public, "public")
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(self.erased,))
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        let cells = vec![
            Cell::text(self.erased),
            Cell::text(&self.reason),
            Cell::Instant(context.claims.iat),
        ];
        rows.push(&ERASURES, context, cells);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Body;
    use crate::time::Timestamp;

    fn claims() -> Claims {
        let iss: crate::id::OrgId = "urn:hallmark:org:gln:6901234567892".parse().unwrap();
        Claims {
            sub: Subject::Org(iss.clone()),
            iss,
            aud: Audience::Public,
            iat: Timestamp::from_unix_ms(1_790_000_000_000),
            regions: Vec::new(),
        }
    }

    fn erasure(reason: &str) -> Body {
        Erasure { erased: ContentId::of(b"one"), reason: reason.to_owned(), goods: Vec::new() }
            .into()
    }

    #[test]
    fn the_goods_of_what_is_erased_are_sorted_each_once_and_bounded() {
        let of = |goods: Vec<Digest>| Erasure {
            erased: ContentId::of(b"one"),
            reason: "a trade secret".to_owned(),
            goods,
        };
        let digest = |byte| Digest([byte; 32]);
        assert!(of(vec![digest(1), digest(2)]).check().is_ok());
        let many = (0..=GOODS_MAX as u64).map(|number| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            Digest(bytes)
        });
        for wrong in [vec![digest(2), digest(1)], vec![digest(1), digest(1)], many.collect()] {
            assert_eq!(of(wrong).check().unwrap_err().pointer, "/goods");
        }
        // One that names none has the form that it always had.
        let json = Body::from(of(Vec::new())).to_json();
        assert!(json.get("goods").is_none(), "{json}");
    }

    #[test]
    fn only_the_organisation_of_the_log_erases_in_it_and_for_all_to_see() {
        let body = erasure("a trade secret");
        body.check_claims(&claims()).unwrap();
        let members = Claims { aud: Audience::Members, ..claims() };
        assert_eq!(body.check_claims(&members).unwrap_err().pointer, "/aud");
        let named = Audience::Named(BTreeSet::from([claims().iss]));
        assert!(body.check_claims(&Claims { aud: named, ..claims() }).is_err());
        assert!(Erasure::is_of(&claims(), "net/gln-6901234567892/1"));
        for other in ["net/gln-6901234567893/1", "net", "", "gln-6901234567892/net/1"] {
            assert!(!Erasure::is_of(&claims(), other), "{other}");
        }
    }

    #[test]
    fn a_second_word_about_the_same_record_is_the_same_erasure() {
        let (one, other) = (erasure("a trade secret"), erasure("the court of Shanghai, 2026-77"));
        assert_eq!(one.identity(&claims()).key, other.identity(&claims()).key);
        assert_eq!(one.normalised(), other.normalised());
        assert_eq!(erasure("").check().unwrap_err().pointer, "/reason");
    }

    #[test]
    fn what_keys_rest_on_is_never_erased() {
        let kept: Vec<_> =
            KindName::ALL.iter().filter(|kind| !Erasure::may_erase(**kind)).collect();
        assert_eq!(kept.len(), 8);
        assert!(Erasure::may_erase(KindName::Event) && Erasure::may_erase(KindName::Facility));
    }
}
