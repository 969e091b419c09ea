//! `label`: a range of codes of one label order, made, activated or scrapped.
//!
//! Invariants: the goods are a GTIN, whose serials the range counts; `count` is what the range
//! holds; the range is attested before a code of it is printed, so that a code outside every
//! range was never issued. How a number becomes a serial: [`crate::serial`].

use super::check::{self, FieldError};
use super::{Kind, KindName};
use crate::attestation::{Claims, ContentId};
use crate::goods::GoodsId;
use crate::gs1::Reading;
use crate::gs1::element::Element;
use crate::id::Subject;
use crate::identity::NaturalIdentity;
use crate::serial;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use serde::{Deserialize, Serialize};

/// Most digits of a serial of a sequence: AI 21 holds 20 characters.
pub const DIGITS_MAX: u8 = 20;
/// Largest number of a sequence: 18 digits, which an integer of every database holds.
pub const SEQUENCE_MAX: u64 = 999_999_999_999_999_999;
/// What a class of goods with a GTIN begins with.
const CLASS: &str = "https://id.gs1.org/01/";

/// How the serials of a range come about.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// From the number under the issuer's secret label key: nobody else can guess one.
    Derived,
    /// The number in decimal digits.
    Sequence,
}

/// What became of the codes of a range.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Assigned to labels that are printed from now on.
    Made,
    /// On goods.
    Activated,
    /// Spoiled or destroyed: whatever shows such a code later is wrong.
    Scrapped,
}

impl Scheme {
    /// Its text in bodies, tables and options.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scheme::Derived => "derived",
            Scheme::Sequence => "sequence",
        }
    }

    /// The largest number that a range may reach.
    pub const fn number_max(self) -> u64 {
        match self {
            Scheme::Derived => serial::NUMBER_MAX,
            Scheme::Sequence => SEQUENCE_MAX,
        }
    }
}

impl State {
    /// Its text in bodies, tables and options.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Made => "made",
            State::Activated => "activated",
            State::Scrapped => "scrapped",
        }
    }
}

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The label order, the issuer's own number for it: `A-Z a-z 0-9 . _ / -`, a letter or digit
    /// first.
    pub order: String,
    /// The goods: the canonical Digital Link of a GTIN.
    pub class: GoodsId,
    /// The lot that the labels name (AI 10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
    /// How numbers become serials.
    pub scheme: Scheme,
    /// First number of the range.
    pub first: u64,
    /// Last number of the range.
    pub last: u64,
    /// How many codes that is.
    pub count: u64,
    /// Fewest digits of the serials of a sequence, filled with zeros in front. Absent: no zeros.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digits: Option<u8>,
    /// What became of them.
    pub state: State,
    /// The attestation that this one corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ContentId>,
    /// Why it corrects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Table `labels`.
pub static LABELS: Table = Table {
    name: "labels",
    columns: &[
        Column::text("order", "The label order").required(),
        Column::text("class", "Class of the items").required(),
        Column::text("first", "Number of the first code"),
        Column::text("last", "Number of the last code"),
        Column::integer("count", "How many"),
        Column::text("state", "`made`, `activated` or `scrapped`"),
        Column::instant("at", "When"),
        Column::text("lot", "The lot that the labels name"),
        Column::text("scheme", "`derived` under a secret key, or `sequence`: number is serial"),
    ],
    bucket: Bucket::Whole,
    meaning: "A range of codes made, activated or scrapped",
};

/// Whether a text may name a label order.
fn is_order(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._/-".contains(&b);
    text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) && text.bytes().all(plain)
}

/// The class of goods of a GTIN of 14 digits; `None` where that is none.
pub fn class_of(gtin: &str) -> Option<GoodsId> {
    let class = GoodsId::parse(&format!("{CLASS}{gtin}")).ok()?;
    gtin_of(&class).is_some_and(|found| found == gtin).then_some(class)
}

/// The GTIN of a class of goods; `None` for anything else.
pub fn gtin_of(class: &GoodsId) -> Option<&str> {
    let gtin = class.as_str().strip_prefix(CLASS)?;
    (gtin.len() == 14 && gtin.bytes().all(|digit| digit.is_ascii_digit())).then_some(gtin)
}

impl Label {
    /// The 14 digits of the GTIN.
    pub fn gtin(&self) -> &str {
        gtin_of(&self.class).expect("a checked label is about a GTIN")
    }

    /// Whether a number is one of the range.
    pub fn holds(&self, number: u64) -> bool {
        (self.first..=self.last).contains(&number)
    }

    /// The serial of a number of a sequence.
    pub fn sequence_serial(&self, number: u64) -> String {
        let width = usize::from(self.digits.unwrap_or(1));
        format!("{number:0width$}")
    }

    /// The number of a serial, where that is one of this sequence, written as the range writes it.
    pub fn sequence_number(&self, serial: &str) -> Option<u64> {
        let number: u64 = serial.parse().ok()?;
        (self.holds(number) && self.sequence_serial(number) == serial).then_some(number)
    }
}

impl Kind for Label {
    const NAME: KindName = KindName::Label;
    const TABLES: &'static [&'static Table] = &[&LABELS];

    fn check(&self) -> Result<(), FieldError> {
        check::text("/order", &self.order, check::CODE_BYTES_MAX)?;
        let expected = "made of A-Z, a-z, 0-9, `.`, `_`, `/` and `-`, a letter or digit first";
        check::form("/order", is_order(&self.order), expected)?;
        check::form("/class", gtin_of(&self.class).is_some(), "the Digital Link of a GTIN")?;
        if let Some(lot) = &self.lot {
            let is_lot = Element::new("10", lot, &Reading::STRICT).is_ok();
            check::form("/lot", is_lot, "a lot of 1 to 20 characters that AI 10 may hold")?;
        }
        // Both limits are below 2^60, so no conversion here can fail or wrap.
        let most = self.scheme.number_max() as i64;
        check::range("/first", self.first, 0..=most)?;
        check::range("/last", self.last, 0..=most)?;
        check::consistent("/last", self.first <= self.last, "comes before `first`")?;
        let is_whole = self.count == self.last - self.first + 1;
        check::consistent("/count", is_whole, "is not what the range holds")?;
        if let Some(digits) = self.digits {
            let is_sequence = self.scheme == Scheme::Sequence;
            check::consistent("/digits", is_sequence, "stands with a sequence only")?;
            check::range("/digits", digits, 1..=i64::from(DIGITS_MAX))?;
        }
        check::correction(self.replaces.is_some(), self.reason.as_deref())
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        let is_class = matches!(&claims.sub, Subject::Goods(goods) if *goods == self.class);
        check::form("/sub", is_class, "the class of goods that the labels are for")
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        let range = (&self.class, self.scheme, self.first, self.last);
        let parts = (&self.order, range, self.state, self.replaces);
        NaturalIdentity::of(Self::NAME, &claims.iss, &parts)
    }

    fn replaces(&self) -> Option<ContentId> {
        self.replaces
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        let cells = vec![
            Cell::text(&self.order),
            Cell::text(&self.class),
            Cell::text(self.first),
            Cell::text(self.last),
            Cell::integer(self.count),
            Cell::text(self.state.as_str()),
            Cell::Instant(context.claims.iat),
            Cell::optional(self.lot.as_ref(), Cell::text),
            Cell::text(self.scheme.as_str()),
        ];
        rows.push(&LABELS, context, cells);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Body;
    use super::*;
    use serde_json::{Value, json};

    fn body(scheme: &str) -> Value {
        json!({"order": "PO-7/1", "class": "https://id.gs1.org/01/09521234000129", "lot": "L7",
            "scheme": scheme, "first": 1, "last": 20, "count": 20, "state": "made"})
    }

    #[test]
    fn a_body_outside_its_limits_is_refused_with_its_field() {
        assert!(Body::from_json(KindName::Label, body("derived")).is_ok());
        let cases = [
            ("/order", "/order", json!("=1+1")),
            ("/order", "/order", json!("")),
            ("/class", "/class", json!("https://id.gs1.org/01/09521234000129/21/7")),
            ("/class", "/class", json!("https://id.gs1.org/414/6901234567892")),
            ("/lot", "/lot", json!("a lot")),
            ("/scheme", "/scheme", json!("random")),
            ("/state", "/state", json!("lost")),
            ("/first", "/last", json!(21)),
            ("/last", "/last", json!(NUMBER_BEYOND)),
            ("/count", "/count", json!(19)),
        ];
        for (changed, told, value) in cases {
            let mut wrong = body("derived");
            *wrong.pointer_mut(changed).unwrap() = value;
            let refused = Body::from_json(KindName::Label, wrong.clone()).unwrap_err();
            assert_eq!(refused.pointer, told, "{wrong}");
        }
        for (scheme, digits, is_good) in
            [("sequence", 4, true), ("sequence", 0, false), ("sequence", 21, false)]
                .into_iter()
                .chain([("derived", 4, false)])
        {
            let mut changed = body(scheme);
            changed["digits"] = json!(digits);
            assert_eq!(Body::from_json(KindName::Label, changed).is_ok(), is_good, "{digits}");
        }
    }

    const NUMBER_BEYOND: u64 = serial::NUMBER_MAX + 1;
}
