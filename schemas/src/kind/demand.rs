//! `demand`: an organisation asks, for all members to see, for a body that a log names and that
//! nobody gives it.
//!
//! Invariants: it asks whoever keeps the log, never itself; every member can read it, so that those
//! who are entitled too can join; it proves no lie, because nobody can prove that a body was not
//! given; whoever asked closes it when the body has come, or withdraws it.

use super::check::{self, FieldError, FieldFault};
use super::{Kind, KindName};
use crate::attestation::{Claims, ContentId};
use crate::audience::Audience;
use crate::id::Subject;
use crate::identity::NaturalIdentity;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use serde::{Deserialize, Serialize};

/// Longest term, in days.
pub const TERM_DAYS_MAX: u16 = 365;

crate::text::closed_set! {
    /// How a demand stands.
    State {
        /// The body is asked for.
        Open => "open",
        /// The body has come.
        Met => "met",
        /// It is asked for no more.
        Withdrawn => "withdrawn",
    }
}

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Demand {
    /// Origin of the log that names the body.
    pub log: String,
    /// Its entry there.
    pub entry: u64,
    /// Its content id.
    pub body: ContentId,
    /// How the demand stands.
    pub state: State,
    /// Within how many days of this demand's own entry the body is asked for; only with `open`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_days: Option<u16>,
    /// The demand that this one ends or opens again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ContentId>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Table `demands`.
pub static DEMANDS: Table = Table {
    name: "demands",
    columns: &[
        Column::text("wanted", "Content id of the body that is asked for").required(),
        Column::text("wanted_log", "The log that names it").required(),
        Column::integer("wanted_entry", "Its entry there").required(),
        Column::text("holder", "Whose log that is").required(),
        Column::text("state", "`open`, `met` or `withdrawn`").required(),
        Column::integer("term_days", "Within how many days it is asked for").unit("d"),
        Column::instant("at", "When, as its author says"),
    ],
    bucket: Bucket::Whole,
    meaning: "A body is asked for that a log names and that nobody gives",
};

impl Demand {
    /// The same demand as it stood at first, which all later ones follow.
    pub fn opening(log: &str, entry: u64, body: ContentId, term_days: u16) -> Demand {
        let (log, term_days) = (log.to_owned(), Some(term_days));
        Demand { log, entry, body, state: State::Open, term_days, replaces: None, reason: None }
    }

    /// What counts as its content: asked for a second time, it is the first demand, with its term.
    pub(super) fn normalised(&self) -> Vec<u8> {
        crate::cbor::to_vec(&(self.state, self.replaces)).expect("texts and byte strings encode")
    }
}

impl Kind for Demand {
    const NAME: KindName = KindName::Demand;
    const TABLES: &'static [&'static Table] = &[&DEMANDS];

    fn check(&self) -> Result<(), FieldError> {
        check::text("/log", &self.log, check::NAME_BYTES_MAX)?;
        check::range("/entry", self.entry, 0..=i64::MAX)?;
        match (self.state, self.term_days) {
            (State::Open, Some(days)) => {
                check::range("/term_days", days, 1..=i64::from(TERM_DAYS_MAX))?;
            }
            (State::Open, None) => return Err(FieldError::new("/term_days", FieldFault::Missing)),
            (_, days) => {
                check::consistent("/term_days", days.is_none(), "stands with `open` alone")?;
                let ends = self.replaces.is_some();
                check::consistent("/replaces", ends, "names the demand that ends")?;
            }
        }
        check::correction(self.replaces.is_some(), self.reason.as_deref())
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        let Subject::Org(holder) = &claims.sub else {
            let expected = "the organisation whose log it is";
            return Err(FieldError::new("/sub", FieldFault::Malformed { expected }));
        };
        let is_its = self.log.split('/').nth(1) == Some(holder.slug().as_str());
        check::consistent("/log", is_its, "is no log of the subject")?;
        check::consistent("/sub", *holder != claims.iss, "is the issuer itself")?;
        let all = !matches!(claims.aud, Audience::Named(_));
        check::form("/aud", all && claims.regions.is_empty(), "members or public, in all regions")
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        let parts = (&self.log, self.entry, self.body, self.replaces);
        NaturalIdentity::of(Self::NAME, &claims.iss, &parts)
    }

    fn replaces(&self) -> Option<ContentId> {
        self.replaces
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        let cells = vec![
            Cell::text(self.body),
            Cell::text(&self.log),
            Cell::integer(self.entry),
            Cell::text(&context.claims.sub),
            Cell::text(self.state),
            Cell::optional(self.term_days, Cell::integer),
            Cell::Instant(context.claims.iat),
        ];
        rows.push(&DEMANDS, context, cells);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Body;
    use crate::time::Timestamp;
    use std::collections::BTreeSet;

    const LOG: &str = "net/gln-6901234567892/1";

    fn claims() -> Claims {
        Claims {
            iss: "urn:hallmark:org:gln:9521234000013".parse().unwrap(),
            sub: Subject::Org("urn:hallmark:org:gln:6901234567892".parse().unwrap()),
            aud: Audience::Members,
            iat: Timestamp::from_unix_ms(1_790_000_000_000),
            regions: Vec::new(),
        }
    }

    fn open(days: u16) -> Demand {
        Demand::opening(LOG, 7, ContentId::of(b"one"), days)
    }

    fn closed() -> Demand {
        let (replaces, reason) = (Some(ContentId::of(b"open")), Some("it came".to_owned()));
        Demand { state: State::Met, term_days: None, replaces, reason, ..open(1) }
    }

    #[test]
    fn every_member_can_read_a_demand_and_it_asks_whoever_keeps_the_log() {
        let body = Body::from(open(14));
        body.check_claims(&claims()).unwrap();
        body.check_claims(&Claims { aud: Audience::Public, ..claims() }).unwrap();
        let named = Audience::Named(BTreeSet::from([claims().iss]));
        let region = "CN".parse().unwrap();
        let own = Claims { iss: "urn:hallmark:org:gln:6901234567892".parse().unwrap(), ..claims() };
        for (claims, pointer) in [
            (Claims { aud: named, ..claims() }, "/aud"),
            (Claims { regions: vec![region], ..claims() }, "/aud"),
            (own, "/sub"),
            (Claims { sub: Subject::Org(claims().iss), ..claims() }, "/log"),
        ] {
            assert_eq!(body.check_claims(&claims).unwrap_err().pointer, pointer);
        }
    }

    #[test]
    fn a_term_stands_with_an_open_demand_and_an_end_names_what_it_ends() {
        open(1).check().unwrap();
        open(TERM_DAYS_MAX).check().unwrap();
        closed().check().unwrap();
        Demand { replaces: closed().replaces, reason: closed().reason, ..open(9) }.check().unwrap();
        for (demand, pointer) in [
            (open(0), "/term_days"),
            (open(TERM_DAYS_MAX + 1), "/term_days"),
            (Demand { term_days: None, ..open(1) }, "/term_days"),
            (Demand { term_days: Some(1), ..closed() }, "/term_days"),
            (Demand { replaces: None, ..closed() }, "/replaces"),
            (Demand { reason: None, ..closed() }, "/reason"),
            (Demand { log: String::new(), ..open(1) }, "/log"),
        ] {
            assert_eq!(demand.check().unwrap_err().pointer, pointer, "{demand:?}");
        }
    }

    #[test]
    fn the_same_body_asked_for_twice_is_one_demand_and_its_end_another_statement() {
        let (one, other) = (Body::from(open(7)), Body::from(open(30)));
        assert_eq!(one.identity(&claims()), other.identity(&claims()));
        assert_eq!(one.normalised(), other.normalised());
        assert_ne!(Body::from(closed()).identity(&claims()), one.identity(&claims()));
        let elsewhere = Body::from(Demand { entry: 8, ..open(7) });
        assert_ne!(elsewhere.identity(&claims()), one.identity(&claims()));
    }
}
