//! Why an attestation is malformed, and why a well-formed one is refused.

use super::ContentId;
use crate::audience::Region;
use crate::cbor::CborError;
use crate::cose::CoseError;
use crate::id::{IdError, OrgId, SubjectError};
use crate::key::{BadSignature, KeyId};
use crate::kind::{BodyError, FieldError, KindName};
use crate::role::Role;

/// Why bytes are no attestation at all.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Larger than any attestation.
    #[error("{bytes} bytes are more than the limit of {limit}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Not the outer shape.
    #[error("not a signed message")]
    Cose(#[from] CoseError),
    /// The unprotected header is not empty (stored), or holds more than receipts (in transit).
    #[error("the unprotected header holds something other than receipts in transit")]
    Unprotected,
    /// A second encoding of the same content.
    #[error("not the one deterministic encoding of its content")]
    NotDeterministic,
    /// The protected header is no deterministic CBOR.
    #[error("the protected header is malformed")]
    Protected(#[source] CborError),
    /// The payload is no deterministic CBOR.
    #[error("the payload is malformed")]
    Payload(#[source] CborError),
    /// Not exactly the four headers.
    #[error("the protected header must hold exactly the labels 1, 3, 4 and 15")]
    HeaderSet,
    /// One header is missing or of the wrong type.
    #[error("the protected header {label} is missing or of the wrong type")]
    Header {
        /// Its label.
        label: i64,
    },
    /// Not Ed25519.
    #[error("algorithm {found} where -19 (Ed25519) is required")]
    Algorithm {
        /// The algorithm it names.
        found: i64,
    },
    /// A content type that is no kind of this release.
    #[error("content type `{content_type}` names no kind of attestation")]
    UnknownKind {
        /// The content type.
        content_type: String,
    },
    /// A claim outside its limits.
    #[error("the claim `{name}` is refused: {reason}")]
    Claim {
        /// Its name.
        name: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// An organisation that is none.
    #[error("an organisation in the claims is malformed: {fault}")]
    Issuer {
        /// What is wrong.
        fault: IdError,
    },
    /// A subject that is none.
    #[error("the subject is malformed: {fault}")]
    Subject {
        /// What is wrong.
        fault: SubjectError,
    },
    /// The payload is no body of its kind.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The claims do not suit the body.
    #[error(transparent)]
    Field(#[from] FieldError),
}

/// Why a node will not record a submission. The sender sees it; variants are never renamed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No attestation at all.
    #[error("the attestation is malformed")]
    Malformed(#[from] Malformed),
    /// Signed by someone else, or altered since.
    #[error(transparent)]
    BadSignature(#[from] BadSignature),
    /// Nobody has introduced the key yet: the submission waits, it is not thrown away.
    #[error("key {kid} is not known here yet")]
    KeyUnknown {
        /// The key.
        kid: KeyId,
    },
    /// The key was not in force at that time.
    #[error("key {kid} was not in force when the attestation was recorded")]
    KeyNotInForce {
        /// The key.
        kid: KeyId,
    },
    /// The key is another organisation's.
    #[error("the attestation is issued by {claimed}, but its key belongs to {holder}")]
    IssuerMismatch {
        /// Who it says it is from.
        claimed: OrgId,
        /// Whose key it is.
        holder: OrgId,
    },
    /// The kind needs the organisation's own key, or the subject's.
    #[error("key {kid} may not sign a {kind}")]
    SignerNotAllowed {
        /// The key.
        kid: KeyId,
        /// The kind.
        kind: KindName,
    },
    /// The issuer holds none of the roles that may issue the kind.
    #[error("{issuer} may not issue a {kind}: that needs one of the roles {}", roles(.needed))]
    RoleMissing {
        /// The issuer.
        issuer: OrgId,
        /// The kind.
        kind: KindName,
        /// Roles of which one would do.
        needed: &'static [Role],
    },
    /// The issuer has said something else under the same identity before.
    #[error("the same {kind} was recorded before with other content, as {earlier}")]
    Contradicted {
        /// The kind.
        kind: KindName,
        /// What was said first.
        earlier: ContentId,
    },
    /// Codes are said to be on goods that the issuer has scrapped.
    #[error("some of these codes were scrapped by {earlier}, so they cannot be activated")]
    CodesScrapped {
        /// What scrapped them.
        earlier: ContentId,
    },
    /// Something is said to have become of codes that were never made.
    #[error("some of these codes were never made in this order")]
    CodesNotMade,
    /// An erasure that this log does not carry out.
    #[error("{id} is not erased: {why}")]
    NotErased {
        /// What was to be erased.
        id: ContentId,
        /// Why not.
        why: &'static str,
    },
    /// A revocation by somebody, or of a key, that it is not for.
    #[error("key {kid} is not revoked: {why}")]
    NotRevoked {
        /// The key.
        kid: KeyId,
        /// Why not.
        why: &'static str,
    },
    /// Only nodes in other regions may hold it.
    #[error("it may be held in {} alone, and this node is in none of these regions", regions(.listed))]
    OutsideRegions {
        /// Where it may be held.
        listed: Vec<Region>,
    },
    /// The issuer is a member no more.
    #[error(
        "{org} has left the network: what it signed before stays, what it signs now is not taken"
    )]
    Departed {
        /// The issuer.
        org: OrgId,
    },
}

impl Refusal {
    /// A word for programs, the same in every release.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Malformed(_) => "malformed",
            Refusal::BadSignature(_) => "bad-signature",
            Refusal::KeyUnknown { .. } => "key-unknown",
            Refusal::KeyNotInForce { .. } => "key-not-in-force",
            Refusal::IssuerMismatch { .. } => "issuer-mismatch",
            Refusal::SignerNotAllowed { .. } => "signer-not-allowed",
            Refusal::RoleMissing { .. } => "role-missing",
            Refusal::Contradicted { .. } => "contradicted",
            Refusal::CodesScrapped { .. } => "codes-scrapped",
            Refusal::CodesNotMade => "codes-not-made",
            Refusal::NotErased { .. } => "not-erased",
            Refusal::NotRevoked { .. } => "not-revoked",
            Refusal::OutsideRegions { .. } => "outside-regions",
            Refusal::Departed { .. } => "departed",
        }
    }

    /// Whether it may be admitted later as it is: it is deferred then, not refused.
    pub fn is_deferral(&self) -> bool {
        matches!(self, Refusal::KeyUnknown { .. })
    }
}

fn regions(regions: &[Region]) -> String {
    regions.iter().map(Region::as_str).collect::<Vec<_>>().join(", ")
}

fn roles(roles: &[Role]) -> String {
    roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ")
}
