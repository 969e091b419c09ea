//! The one shape of everything: a COSE_Sign1 message with CWT claims and a deterministic body.
//!
//! Invariants: stored bytes have one encoding, so one content id; an [`Envelope`] is well-formed
//! and within every limit; only [`Envelope::verify`] makes a [`Verified`], from a key in force at
//! the entry's place in its log and an issuer whose role allows the kind.

mod claims;
mod content_id;
mod refusal;

pub use claims::Claims;
pub use content_id::{ContentId, ContentIdError};
pub use refusal::{Malformed, Refusal};

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use sha2::{Digest, Sha256};

use crate::cbor;
use crate::cose::{self, Sign1};
use crate::history::{Holder, KeyFault, KeyHistory};
use crate::id::{OrgId, Subject};
use crate::identity::NaturalIdentity;
use crate::key::{BadSignature, KeyId, PublicKey, SIGNATURE_BYTES, SignError, Signer};
use crate::kind::{Body, KindName, SignerRule};
use crate::time::EntryTime;

/// Longest stored attestation.
pub const ATTESTATION_BYTES_MAX: usize = 1 << 20;
/// Most receipts that ride on one attestation in transit.
pub const RECEIPTS_MAX: usize = 16;
/// Longest attestation in transit: receipts are a few kilobytes each.
pub const TRANSIT_BYTES_MAX: usize = 2 * ATTESTATION_BYTES_MAX;

const CONTENT_TYPE_HEAD: &str = "application/vnd.hallmark.";
const CONTENT_TYPE_TAIL: &str = "+cbor";

/// What an issuer wants to say, before it is signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Who says it, about what, to whom.
    pub claims: Claims,
    /// What is said.
    pub body: Body,
}

/// Signs a draft. `salt` must come from a secure random source, once for each attestation.
///
/// The stored bytes are what is hashed, kept and sent; whoever gets them parses and checks them:
///
/// ```
/// use hallmark_schemas::attestation::{Claims, Draft, Envelope, sign};
/// use hallmark_schemas::audience::Audience;
/// use hallmark_schemas::id::Subject;
/// use hallmark_schemas::key::{SecretKey, Signer};
/// use hallmark_schemas::kind::{Body, KindName};
/// use hallmark_schemas::time::Timestamp;
///
/// let key = SecretKey::from_seed([7; 32]); // in earnest from a secure random source, as the salt
/// let claims = Claims {
///     iss: "urn:hallmark:org:lei:529900T8BM49AURSDO55".parse()?,
///     sub: Subject::parse("urn:hallmark:facility:lei:529900T8BM49AURSDO55:works-1")?,
///     aud: Audience::Public,
///     iat: Timestamp::parse("2026-01-02T03:04:05Z")?,
///     regions: Vec::new(),
/// };
/// let payload = serde_json::json!({
///     "name": "Works 1", "lat_e7": 312300000, "lon_e7": 1214700000, "province": "CN-SH",
///     "utc_offset": "+08:00", "sector": "metal-goods",
/// });
/// let body = Body::from_json(KindName::Facility, payload)?;
/// let sent = sign(Draft { claims, body }, [9; 16], &key)?;
///
/// let received = Envelope::parse(sent.stored())?;
/// assert_eq!(received.id(), sent.id());
/// received.check_signature(key.public())?;
/// assert!(received.check_signature(SecretKey::from_seed([8; 32]).public()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// This says which key signed, not whose it is: [`Envelope::verify`] asks a [`KeyHistory`] for the
/// key in force at the entry's place in its log, and for the issuer's role.
pub fn sign(draft: Draft, salt: [u8; 16], signer: &dyn Signer) -> Result<Envelope, SignError> {
    let Draft { claims, body } = draft;
    let malformed = |reason: String| SignError::Malformed { reason };
    claims.check().map_err(|fault| malformed(fault.to_string()))?;
    body.check().map_err(|fault| malformed(fault.to_string()))?;
    body.check_claims(&claims).map_err(|fault| malformed(fault.to_string()))?;
    let kid = signer.public().id();
    let protected = encode_protected(body.kind(), &kid, &claims);
    let stored = cose::sign(&protected, &body.encode(&salt), signer)?;
    if ATTESTATION_BYTES_MAX < stored.len() {
        return Err(SignError::TooLong { bytes: stored.len(), limit: ATTESTATION_BYTES_MAX });
    }
    Ok(Envelope { id: ContentId::of(&stored), signer: kid, claims, body, stored: stored.into() })
}

/// A well-formed attestation whose signature nobody has checked yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    id: ContentId,
    signer: KeyId,
    claims: Claims,
    body: Body,
    stored: Box<[u8]>,
}

impl Envelope {
    /// Parses what is stored: the one deterministic encoding, its unprotected header empty.
    pub fn parse(stored: &[u8]) -> Result<Envelope, Malformed> {
        if ATTESTATION_BYTES_MAX < stored.len() {
            let bytes = stored.len();
            return Err(Malformed::TooLong { bytes, limit: ATTESTATION_BYTES_MAX });
        }
        let message = Sign1::parse(stored)?;
        if message.unprotected != cose::EMPTY_MAP {
            return Err(Malformed::Unprotected);
        }
        if !message.is_deterministic(stored) {
            return Err(Malformed::NotDeterministic);
        }
        Envelope::from_message(&message, stored.into())
    }

    /// Parses what is sent: like [`Envelope::parse`], but receipts may ride in the unprotected
    /// header. They are split off and returned as they came.
    pub fn parse_transit(bytes: &[u8]) -> Result<(Envelope, Vec<Vec<u8>>), Malformed> {
        if TRANSIT_BYTES_MAX < bytes.len() {
            return Err(Malformed::TooLong { bytes: bytes.len(), limit: TRANSIT_BYTES_MAX });
        }
        let message = Sign1::parse(bytes)?;
        if message.unprotected == cose::EMPTY_MAP {
            return Ok((Envelope::parse(bytes)?, Vec::new()));
        }
        if !message.is_deterministic(bytes) {
            return Err(Malformed::NotDeterministic);
        }
        cbor::scan(message.unprotected).map_err(|_| Malformed::Unprotected)?;
        let receipts = split_receipts(message.unprotected).ok_or(Malformed::Unprotected)?;
        let stored = Sign1 { unprotected: cose::EMPTY_MAP, ..message }.encode();
        Ok((Envelope::parse(&stored)?, receipts))
    }

    fn from_message(message: &Sign1<'_>, stored: Box<[u8]>) -> Result<Envelope, Malformed> {
        let length = message.signature.len();
        if length != SIGNATURE_BYTES {
            return Err(cose::CoseError::SignatureLength { length }.into());
        }
        cbor::scan(message.protected).map_err(Malformed::Protected)?;
        let (kind, signer, claims) = parse_protected(message.protected)?;
        if encode_protected(kind, &signer, &claims) != message.protected {
            return Err(Malformed::NotDeterministic);
        }
        let payload = message.payload.ok_or(cose::CoseError::Detached)?;
        cbor::scan(payload).map_err(Malformed::Payload)?;
        let body = Body::decode_scanned(kind, payload)?;
        body.check_claims(&claims)?;
        Ok(Envelope { id: ContentId::of(&stored), signer, claims, body, stored })
    }

    /// SHA-256 of the stored bytes.
    pub fn id(&self) -> ContentId {
        self.id
    }

    /// Who says it, about what, to whom, when.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// What is said.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Its kind.
    pub fn kind(&self) -> KindName {
        self.body.kind()
    }

    /// The key that it says it is signed with.
    pub fn signer(&self) -> KeyId {
        self.signer
    }

    /// The bytes that are stored, hashed and sent.
    pub fn stored(&self) -> &[u8] {
        &self.stored
    }

    /// The bytes that are stored, to keep nothing else.
    pub fn into_stored(self) -> Box<[u8]> {
        self.stored
    }

    /// What makes another attestation the same statement as this one.
    pub fn identity(&self) -> NaturalIdentity {
        self.body.identity(&self.claims)
    }

    /// Digest of all that is said, without salt, `iat` and an event's `recordTime`: equal for two
    /// attestations of one identity that do not contradict each other.
    pub fn content_digest(&self) -> [u8; 32] {
        let Claims { iss, sub, aud, regions, iat: _ } = &self.claims;
        let body = self.body.normalised();
        let said = (self.kind().as_str(), iss, sub, aud, regions, serde_bytes::Bytes::new(&body));
        let bytes = cbor::to_vec(&said).expect("claims are texts and lists of texts");
        Sha256::digest(bytes).into()
    }

    /// The bytes that the signature is over.
    pub fn signed_bytes(&self) -> Vec<u8> {
        self.message().signed_bytes().expect("parsed with a payload")
    }

    /// The signature, unchecked.
    pub fn signature(&self) -> [u8; SIGNATURE_BYTES] {
        self.message().signature.try_into().expect("parsed with a signature of 64 bytes")
    }

    /// Checks the signature and nothing else.
    pub fn check_signature(&self, key: &PublicKey) -> Result<(), BadSignature> {
        let message = self.message();
        let signed = message.signed_bytes().expect("parsed with a payload");
        let signature = message.signature.try_into().expect("parsed with a signature of 64 bytes");
        key.verify_strict(&signed, signature)
    }

    fn message(&self) -> Sign1<'_> {
        Sign1::parse(&self.stored).expect("parsed before")
    }

    /// Consumes the envelope, so unchecked bytes cannot be used after a failed check.
    ///
    /// `at` is the entry's time interval: what the signer claims about time proves nothing.
    pub fn verify(self, keys: &KeyHistory, at: EntryTime) -> Result<Verified, Refusal> {
        self.verify_unless(keys, at, false)
    }

    /// The same, but for the signature where the caller has seen it hold before. That is a property
    /// of the content id, which names the key by its digest, the signed bytes and the signature;
    /// whether that key counts here and now is checked again.
    pub fn verify_unless(
        self,
        keys: &KeyHistory,
        at: EntryTime,
        held_before: bool,
    ) -> Result<Verified, Refusal> {
        let in_force = keys.signer_of(&self, at).map_err(|fault| match fault {
            KeyFault::NotInForce => Refusal::KeyNotInForce { kid: self.signer },
            _ => Refusal::KeyUnknown { kid: self.signer },
        })?;
        let in_doubt = in_force.in_doubt;
        self.check_authority(in_force.org, in_force.holder, keys, at)?;
        if !held_before {
            self.check_signature(in_force.key)?;
        }
        Ok(Verified { envelope: self, in_doubt })
    }

    /// Checks everything of [`Envelope::verify`] but the signature: that the key's holder may say
    /// this. For callers that check the signature elsewhere.
    pub fn check_authority(
        &self,
        org: &OrgId,
        holder: &Holder,
        keys: &KeyHistory,
        at: EntryTime,
    ) -> Result<(), Refusal> {
        if *org != self.claims.iss {
            let (claimed, holder) = (self.claims.iss.clone(), org.clone());
            return Err(Refusal::IssuerMismatch { claimed, holder });
        }
        let kind = self.kind();
        let allowed = match (kind.signer(), holder) {
            (SignerRule::Organisation, Holder::Org)
            | (SignerRule::Member, Holder::Org | Holder::Device(_)) => true,
            (SignerRule::SubjectDevice, Holder::Device(device)) => {
                matches!(&self.claims.sub, Subject::Device(subject) if subject == device)
            }
            _ => false,
        };
        if !allowed {
            return Err(Refusal::SignerNotAllowed { kid: self.signer, kind });
        }
        let needed = kind.issuers();
        let held = |role| keys.has_role(org, role, at);
        if !needed.is_empty() && !needed.iter().any(held) {
            return Err(Refusal::RoleMissing { issuer: org.clone(), kind, needed });
        }
        let Body::Revocation(body) = &self.body else { return Ok(()) };
        let kid = body.key;
        match keys.may_revoke(kid, (org, &self.claims.sub), at) {
            None => Err(Refusal::KeyUnknown { kid }),
            Some(may) => may.map_err(|why| Refusal::NotRevoked { kid, why }),
        }
    }
}

/// An attestation signed by a key in force at its place in the log, by an issuer who may say it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    envelope: Envelope,
    in_doubt: bool,
}

impl Verified {
    /// SHA-256 of the stored bytes.
    pub fn id(&self) -> ContentId {
        self.envelope.id
    }

    /// Who says it, about what, to whom, when.
    pub fn claims(&self) -> &Claims {
        &self.envelope.claims
    }

    /// What is said.
    pub fn body(&self) -> &Body {
        &self.envelope.body
    }

    /// The bytes that are stored, hashed and sent.
    pub fn stored(&self) -> &[u8] {
        &self.envelope.stored
    }

    /// Whether the entry's time interval overlaps an end of the key's own: a note, not an error.
    pub fn in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// The envelope, to store or send it.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The envelope, to keep it.
    pub fn into_envelope(self) -> Envelope {
        self.envelope
    }
}

fn encode_protected(kind: KindName, kid: &KeyId, claims: &Claims) -> Vec<u8> {
    let mut out = Vec::with_capacity(320);
    let content_type = [CONTENT_TYPE_HEAD, kind.as_str(), CONTENT_TYPE_TAIL].concat();
    let mut encoder = Encoder::new(&mut out);
    let encoded = encoder.map(4).and_then(|e| {
        e.i64(cose::LABEL_ALG)?.i64(cose::ALG_ED25519)?;
        e.i64(cose::LABEL_CONTENT_TYPE)?.str(&content_type)?;
        e.i64(cose::LABEL_KID)?.bytes(kid.bytes())?;
        e.i64(cose::LABEL_CLAIMS)?;
        claims.encode(e)
    });
    encoded.expect("writing to memory does not fail");
    out
}

/// Reads the four headers, in their order; bytes that were not scanned before are safe too.
fn parse_protected(protected: &[u8]) -> Result<(KindName, KeyId, Claims), Malformed> {
    let mut decoder = Decoder::new(protected);
    let header = |label| Malformed::Header { label };
    let expect_label = |decoder: &mut Decoder<'_>, label| match decoder.i64() {
        Ok(found) if found == label => Ok(()),
        _ => Err(header(label)),
    };
    if !matches!(decoder.map(), Ok(Some(4))) {
        return Err(Malformed::HeaderSet);
    }
    expect_label(&mut decoder, cose::LABEL_ALG)?;
    match decoder.i64() {
        Ok(cose::ALG_ED25519) => {}
        Ok(found) => return Err(Malformed::Algorithm { found }),
        Err(_) => return Err(header(cose::LABEL_ALG)),
    }
    expect_label(&mut decoder, cose::LABEL_CONTENT_TYPE)?;
    let content_type = decoder.str().map_err(|_| header(cose::LABEL_CONTENT_TYPE))?;
    let kind = content_type
        .strip_prefix(CONTENT_TYPE_HEAD)
        .and_then(|rest| rest.strip_suffix(CONTENT_TYPE_TAIL))
        .and_then(|kind| kind.parse().ok())
        .ok_or_else(|| Malformed::UnknownKind { content_type: content_type.to_owned() })?;
    expect_label(&mut decoder, cose::LABEL_KID)?;
    let kid = decoder.bytes().ok().and_then(|kid| kid.try_into().ok());
    let kid = KeyId::from_bytes(kid.ok_or(header(cose::LABEL_KID))?);
    expect_label(&mut decoder, cose::LABEL_CLAIMS)?;
    let claims = Claims::decode(&mut decoder)?;
    if decoder.position() != protected.len() {
        return Err(Malformed::HeaderSet);
    }
    Ok((kind, kid, claims))
}

/// The receipts of an unprotected header that holds nothing else.
fn split_receipts(unprotected: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut decoder = Decoder::new(unprotected);
    let one = decoder.map().ok()? == Some(1) && decoder.i64().ok()? == cose::LABEL_RECEIPTS;
    if !one || decoder.datatype().ok()? != Type::Array {
        return None;
    }
    let count = decoder.array().ok()??;
    if count == 0 || count > RECEIPTS_MAX as u64 {
        return None;
    }
    (0..count).map(|_| decoder.bytes().ok().map(<[u8]>::to_vec)).collect()
}

#[cfg(test)]
mod tests;
