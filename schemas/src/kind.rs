//! The closed set of things an attestation can say, one file each.
//!
//! Invariants: a body that exists has passed its `check`, so every text, list and number in it is
//! within its limit; a payload is the deterministic CBOR map of the body's own fields plus `v` and
//! `salt`; JSON and CBOR come from the same types. To add a kind, write its file and add one line
//! to the list at [`kinds`].

use crate::attestation::{Claims, ContentId};
use crate::cbor::CborError;
use crate::goods::GoodsId;
use crate::id::Subject;
use crate::identity::NaturalIdentity;
use crate::role::Role;
use crate::table::{RowContext, Rows, Table};
use serde::de::DeserializeOwned;
use std::fmt;
use std::str::FromStr;

pub mod accreditation;
pub mod certificate;
pub mod check;
pub mod claim;
pub mod complaint;
pub mod confirmation;
pub mod demand;
pub mod device;
pub mod emissions;
pub mod erasure;
pub mod event;
pub mod facility;
pub mod finding;
pub mod footprint;
pub mod genesis;
pub mod inspection;
pub mod key;
pub mod label;
pub mod masterdata;
pub mod network;
pub mod node;
pub mod offer;
pub mod organisation;
pub mod payload;
pub mod readings;
pub mod recall;
pub mod response;
pub mod revocation;
pub mod value;
pub mod words;

/// Version of every payload in this release, the payload's `v`.
pub const PAYLOAD_VERSION: u64 = 1;

/// Whose key signs a kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignerRule {
    /// The organisation's own key.
    Organisation,
    /// The organisation's key, or the key of one of its devices.
    Member,
    /// The key of the device that is the subject.
    SubjectDevice,
}

/// What every kind declares. One type, one file, one name.
pub trait Kind: DeserializeOwned {
    /// Its name, also in the content type of its attestations.
    const NAME: KindName;
    /// Roles that may issue it; empty means any member.
    const ISSUERS: &'static [Role] = &[];
    /// Whose key signs it.
    const SIGNER: SignerRule = SignerRule::Member;
    /// The evidence tables that its rows go to.
    const TABLES: &'static [&'static Table];

    /// Reads the JSON form; an error carries the pointer of the field that failed.
    fn from_json(json: &serde_json::Value) -> Result<Self, FieldError> {
        check::from_json(json)
    }

    /// Refuses a body with a field outside its limits, or a subject of the wrong sort.
    fn check(&self) -> Result<(), FieldError>;

    /// Refuses claims that do not suit the kind, such as readings whose subject is no device.
    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError>;

    /// What makes two attestations of this kind the same statement.
    fn identity(&self, claims: &Claims) -> NaturalIdentity;

    /// The evidence it rests on.
    fn cites(&self) -> &[ContentId] {
        &[]
    }

    /// The attestation it corrects.
    fn replaces(&self) -> Option<ContentId> {
        None
    }

    /// The goods it says something about, each once: what is found when these goods are looked up.
    /// An item stands for itself, not for its lot or class. Bounded by the body.
    fn goods(&self, claims: &Claims) -> Vec<GoodsId> {
        match &claims.sub {
            Subject::Goods(goods) => vec![goods.clone()],
            _ => Vec::new(),
        }
    }

    /// Its rows in [`Kind::TABLES`].
    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows);
}

pub use check::{FieldError, FieldFault};

/// Why a payload is no body of its kind.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Not deterministic CBOR, or not the fields of the kind.
    #[error("the payload is not a {kind}")]
    Cbor {
        /// The kind that was expected.
        kind: KindName,
        /// What is wrong with the bytes.
        source: CborError,
    },
    /// No map with `v` and `salt`.
    #[error("the payload {0}")]
    Frame(payload::FrameError),
    /// A field outside its limits.
    #[error(transparent)]
    Field(#[from] FieldError),
}

/// An unknown kind name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not a kind of attestation in this release")]
pub struct UnknownKind(pub String);

macro_rules! kinds {
    ($($variant:ident, $module:ident, $text:literal, $doc:literal;)*) => {
        /// The name of a kind.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum KindName { $(#[doc = $doc] $variant,)* }

        /// The body of an attestation.
        #[expect(clippy::large_enum_variant, reason = "the large ones are rare and short-lived")]
        #[derive(Clone, Debug, PartialEq)]
        pub enum Body { $(#[doc = $doc] $variant($module::$variant),)* }

        impl KindName {
            /// All kinds of this release.
            pub const ALL: &'static [KindName] = &[$(KindName::$variant,)*];

            /// Its text in content types, JSON and commands.
            pub const fn as_str(self) -> &'static str {
                match self { $(KindName::$variant => $text,)* }
            }

            /// Roles that may issue the kind; empty means any member.
            pub const fn issuers(self) -> &'static [Role] {
                match self { $(KindName::$variant => $module::$variant::ISSUERS,)* }
            }

            /// Whose key signs the kind.
            pub const fn signer(self) -> SignerRule {
                match self { $(KindName::$variant => $module::$variant::SIGNER,)* }
            }

            /// The evidence tables the kind fills.
            pub const fn tables(self) -> &'static [&'static Table] {
                match self { $(KindName::$variant => $module::$variant::TABLES,)* }
            }
        }

        impl Body {
            /// The kind of this body.
            pub const fn kind(&self) -> KindName {
                match self { $(Body::$variant(_) => KindName::$variant,)* }
            }

            /// Reads a payload; nothing but its one deterministic encoding is accepted.
            pub fn decode(kind: KindName, bytes: &[u8]) -> Result<Body, BodyError> {
                crate::cbor::scan(bytes).map_err(|source| BodyError::Cbor { kind, source })?;
                Body::decode_scanned(kind, bytes)
            }

            /// Like [`Body::decode`], for bytes that [`crate::cbor::scan`] has passed.
            pub(crate) fn decode_scanned(kind: KindName, bytes: &[u8]) -> Result<Body, BodyError> {
                let (fields, _salt) = payload::split(bytes).map_err(BodyError::Frame)?;
                let body = match kind {
                    $(KindName::$variant => crate::cbor::from_scanned::<$module::$variant>(&fields)
                        .map(Body::$variant),)*
                }
                .map_err(|source| BodyError::Cbor { kind, source })?;
                body.check()?;
                Ok(body)
            }

            /// Its own fields, without `v` and `salt`, as deterministic CBOR.
            fn fields(&self) -> Vec<u8> {
                match self { $(Body::$variant(body) => crate::cbor::to_vec(body),)* }
                    .expect("bodies are texts, integers, byte strings, lists and maps of them")
            }

            /// The body's fields as JSON.
            pub fn to_json(&self) -> serde_json::Value {
                match self { $(Body::$variant(body) => serde_json::to_value(body),)* }
                    .expect("bodies are texts, integers, byte strings, lists and maps of them")
            }

            /// Reads the JSON form of a body; errors name the field by its JSON pointer.
            pub fn from_json(kind: KindName, json: serde_json::Value) -> Result<Body, FieldError> {
                let json = payload::json_fields(json)?;
                let body = match kind {
                    $(KindName::$variant => {
                        Body::$variant(<$module::$variant as Kind>::from_json(&json)?)
                    })*
                };
                body.check()?;
                Ok(body)
            }

            /// Refuses fields outside their limits. A decoded body has passed.
            pub fn check(&self) -> Result<(), FieldError> {
                match self { $(Body::$variant(body) => Kind::check(body),)* }
            }

            /// Refuses claims that do not suit the body.
            pub fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
                match self { $(Body::$variant(body) => body.check_claims(claims),)* }
            }

            /// What makes two attestations the same statement.
            pub fn identity(&self, claims: &Claims) -> NaturalIdentity {
                match self { $(Body::$variant(body) => body.identity(claims),)* }
            }

            /// The evidence it rests on.
            pub fn cites(&self) -> &[ContentId] {
                match self { $(Body::$variant(body) => body.cites(),)* }
            }

            /// The attestation it corrects.
            pub fn replaces(&self) -> Option<ContentId> {
                match self { $(Body::$variant(body) => body.replaces(),)* }
            }

            /// The goods it says something about, each once.
            pub fn goods(&self, claims: &Claims) -> Vec<GoodsId> {
                match self { $(Body::$variant(body) => body.goods(claims),)* }
            }

            /// Its rows in the evidence tables.
            pub fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
                match self { $(Body::$variant(body) => body.rows(context, rows),)* }
            }
        }

        $(impl From<$module::$variant> for Body {
            fn from(body: $module::$variant) -> Body { Body::$variant(body) }
        })*
    };
}

kinds! {
    Genesis, genesis, "genesis", "Entry 0 of a log: its network, origin and keys.";
    Network, network, "network", "A version of the network file.";
    Organisation, organisation, "organisation", "A member, admitted by a registrar.";
    Key, key, "key", "An organisation's next key.";
    Node, node, "node", "Where an organisation's node is reached.";
    Facility, facility, "facility", "A place of work with its boundary.";
    Device, device, "device", "An enrolled instrument, scanner or capture key.";
    Event, event, "event", "One EPCIS 2.0 event.";
    Readings, readings, "readings", "A batch of samples from one device.";
    Emissions, emissions, "emissions", "A facility's report of its emissions.";
    Finding, finding, "finding", "What a rule found in the evidence.";
    Response, response, "response", "An organisation's answer to a finding.";
    Accreditation, accreditation, "accreditation", "What a body is competent for.";
    Masterdata, masterdata, "masterdata", "What an item, lot, party or place is.";
    Certificate, certificate, "certificate", "A body vouches for goods, a site or a member.";
    Recall, recall, "recall", "Goods are called back.";
    Confirmation, confirmation, "confirmation", "A consumer's word that goods were bought.";
    Complaint, complaint, "complaint", "A consumer's report of a problem.";
    Footprint, footprint, "footprint", "The carbon footprint of a class of goods.";
    Label, label, "label", "A range of codes made, activated or scrapped.";
    Erasure, erasure, "erasure", "The operator of a log erased a body of it.";
    Demand, demand, "demand", "A body is asked for that a log names and nobody gives.";
    Revocation, revocation, "revocation", "A key is given up.";
    Inspection, inspection, "inspection", "Goods or a site were inspected, by which plan, with which result.";
    Offer, offer, "offer", "Goods are offered for sale.";
    Claim, claim, "claim", "What is said of goods to whoever buys them.";
}

impl Body {
    /// The payload: the body's fields with `v` and `salt`, as one deterministic CBOR map.
    pub fn encode(&self, salt: &[u8; 16]) -> Vec<u8> {
        payload::join(&self.fields(), salt)
    }

    /// What counts as the content when two attestations of one identity are compared: the fields
    /// without `salt`; for an event what its hash, eventID and error declaration say; for a
    /// consumer's word all but the day on which the node received it; for an erasure what it erases;
    /// for a demand how it stands; for a revocation which key and since when.
    pub fn normalised(&self) -> Vec<u8> {
        match self {
            Body::Event(event) => event.normalised(),
            Body::Confirmation(confirmation) => confirmation.normalised(),
            Body::Complaint(complaint) => complaint.normalised(),
            Body::Erasure(erasure) => erasure.normalised(),
            Body::Demand(demand) => demand.normalised(),
            Body::Revocation(revocation) => revocation.normalised(),
            _ => self.fields(),
        }
    }
}

impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for KindName {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<KindName, UnknownKind> {
        let found = KindName::ALL.iter().find(|kind| kind.as_str() == text);
        found.copied().ok_or_else(|| UnknownKind(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests;
