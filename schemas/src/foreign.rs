//! Signed statements and receipts of other systems: SCITT (RFC 9943) with any header order.
//!
//! Invariants: a signature is checked over the received bytes; the algorithm must fit the key that
//! the caller trusts; a critical header that is not understood refuses the message. Nothing here
//! enters a log of ours as it is.

use minicbor::Decoder;
use minicbor::data::Type;
use p256::ecdsa::signature::Verifier as _;
use p256::pkcs8::DecodePublicKey as _;

use crate::attestation::ATTESTATION_BYTES_MAX;
use crate::cose::{self, CoseError, Sign1};
use crate::key::{KeyError, PublicKey};
use crate::merkle::{self, Hash, ProofError};
use crate::receipt::{VDP_INCLUSION, VDS_RFC9162, parse_proof};

const ALG_EDDSA: i64 = -8;
const ALG_ES256: i64 = -7;
const ALG_ESP256: i64 = -9;
const LABEL_CRIT: i64 = 2;
/// Most headers of one message.
const HEADERS_MAX: u64 = 64;
/// DER of an Ed25519 SubjectPublicKeyInfo up to the key.
const ED25519_SPKI_HEAD: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A key of another system, trusted by the caller.
#[derive(Clone, Debug)]
pub enum ForeignKey {
    /// For the algorithms -8 and -19.
    Ed25519(PublicKey),
    /// For the algorithms -7 and -9.
    P256(p256::ecdsa::VerifyingKey),
}

impl ForeignKey {
    /// Reads a PEM `PUBLIC KEY`.
    pub fn from_pem(pem: &str) -> Result<ForeignKey, ForeignError> {
        use base64::Engine as _;
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = base64::engine::general_purpose::STANDARD.decode(body.trim());
        ForeignKey::from_der(&der.map_err(|_| ForeignError::Key)?)
    }

    /// Reads a DER SubjectPublicKeyInfo.
    pub fn from_der(der: &[u8]) -> Result<ForeignKey, ForeignError> {
        if let Some(key) = der.strip_prefix(&ED25519_SPKI_HEAD) {
            let key = key.try_into().map_err(|_| ForeignError::Key)?;
            return Ok(ForeignKey::Ed25519(PublicKey::parse(key)?));
        }
        let key = p256::ecdsa::VerifyingKey::from_public_key_der(der);
        key.map(ForeignKey::P256).map_err(|_| ForeignError::Key)
    }

    fn verify(&self, algorithm: i64, signed: &[u8], signature: &[u8]) -> Result<(), ForeignError> {
        match (self, algorithm) {
            (ForeignKey::Ed25519(key), ALG_EDDSA | cose::ALG_ED25519) => {
                let length = signature.len();
                let signature =
                    signature.try_into().map_err(|_| CoseError::SignatureLength { length })?;
                key.verify_strict(signed, signature).map_err(CoseError::from)?;
                Ok(())
            }
            (ForeignKey::P256(key), ALG_ES256 | ALG_ESP256) => {
                let signature = p256::ecdsa::Signature::from_slice(signature);
                let signature = signature.map_err(|_| ForeignError::BadSignature)?;
                key.verify(signed, &signature).map_err(|_| ForeignError::BadSignature)
            }
            _ => Err(ForeignError::Algorithm { found: algorithm }),
        }
    }
}

/// The headers of a foreign message that have a meaning here.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Headers {
    /// Label 1.
    pub algorithm: Option<i64>,
    /// Label 3, when it is text.
    pub content_type: Option<String>,
    /// Label 4.
    pub kid: Option<Vec<u8>>,
    /// Claim 1 under label 15.
    pub issuer: Option<String>,
    /// Claim 2 under label 15.
    pub subject: Option<String>,
    /// Label 395.
    pub vds: Option<i64>,
}

/// A foreign message; its signature is unchecked.
#[derive(Clone, Debug)]
pub struct Foreign<'a> {
    message: Sign1<'a>,
    headers: Headers,
}

impl<'a> Foreign<'a> {
    /// Parses a message with or without tag 18, in whatever encoding it came.
    pub fn parse(bytes: &'a [u8]) -> Result<Foreign<'a>, ForeignError> {
        if ATTESTATION_BYTES_MAX < bytes.len() {
            return Err(ForeignError::TooLong { bytes: bytes.len() });
        }
        let tagged = bytes.first() == Some(&0xd2);
        let message = if tagged { Sign1::parse(bytes) } else { Sign1::parse_untagged(bytes) }?;
        Ok(Foreign { message, headers: parse_headers(message.protected)? })
    }

    /// The protected headers.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The payload, unless it came apart.
    pub fn payload(&self) -> Option<&'a [u8]> {
        self.message.payload
    }

    /// Receipts (394) that ride in the unprotected header, as they came.
    pub fn receipts(&self) -> Result<Vec<&'a [u8]>, ForeignError> {
        let Some(mut d) = find_label(self.message.unprotected, cose::LABEL_RECEIPTS)? else {
            return Ok(Vec::new());
        };
        let fault = |d: &Decoder<'_>| ForeignError::Header { at: d.position() };
        let count = d.array().ok().flatten().filter(|count| *count <= HEADERS_MAX);
        let count = count.ok_or_else(|| fault(&d))?;
        (0..count).map(|_| d.bytes().map_err(|_| ForeignError::Header { at: 0 })).collect()
    }

    /// Checks the signature over the attached payload with a key that the caller trusts.
    pub fn verify(&self, key: &ForeignKey) -> Result<&'a [u8], ForeignError> {
        let payload = self.message.payload.ok_or(CoseError::Detached)?;
        self.verify_detached(key, payload)?;
        Ok(payload)
    }

    /// Checks the signature over a payload that came apart.
    pub fn verify_detached(&self, key: &ForeignKey, payload: &[u8]) -> Result<(), ForeignError> {
        let algorithm = self.headers.algorithm.ok_or(ForeignError::Missing { label: 1 })?;
        let signed = cose::sig_structure(self.message.protected, payload);
        key.verify(algorithm, &signed, self.message.signature)
    }

    /// Takes the message as a receipt of RFC 9942 (vds 1) and checks that a leaf holding `entry` is
    /// in the tree whose root the key signed. Returns the root; every proof must lead to it.
    pub fn verify_receipt(&self, entry: &[u8], key: &ForeignKey) -> Result<Hash, ForeignError> {
        match self.headers.vds {
            Some(VDS_RFC9162) => {}
            found => return Err(ForeignError::Vds { found }),
        }
        let proofs = self.inclusion_proofs()?;
        let (proof, rest) = proofs.split_first().ok_or(ForeignError::NoProof)?;
        let leaf = merkle::leaf_hash(entry);
        let root = inclusion_root(&leaf, proof)?;
        for other in rest {
            if inclusion_root(&leaf, other)? != root {
                return Err(ProofError::OtherRoot.into());
            }
        }
        if self.message.payload.is_some_and(|payload| payload != root) {
            return Err(ProofError::OtherRoot.into());
        }
        self.verify_detached(key, &root)?;
        Ok(root)
    }

    fn inclusion_proofs(&self) -> Result<Vec<&'a [u8]>, ForeignError> {
        let proofs = find_label(self.message.unprotected, cose::LABEL_VDP)?;
        let mut proofs = proofs.ok_or(ForeignError::NoProof)?;
        let start = proofs.position();
        if proofs.skip().is_err() {
            return Err(ForeignError::NoProof);
        }
        let map = &proofs.input()[start..proofs.position()];
        let mut d = find_label(map, VDP_INCLUSION)?.ok_or(ForeignError::NoProof)?;
        let count = d.array().ok().flatten().filter(|count| *count <= HEADERS_MAX);
        let count = count.ok_or(ForeignError::NoProof)?;
        (0..count).map(|_| d.bytes().map_err(|_| ForeignError::NoProof)).collect()
    }
}

fn inclusion_root(leaf: &Hash, proof: &[u8]) -> Result<Hash, ForeignError> {
    let (size, index, path) = parse_proof(proof).ok_or(ForeignError::NoProof)?;
    Ok(merkle::root_from_inclusion(leaf, index, size, &path)?)
}

/// The decoder at the value of an integer label of a map; a label twice refuses the map.
fn find_label(map: &[u8], label: i64) -> Result<Option<Decoder<'_>>, ForeignError> {
    let mut d = Decoder::new(map);
    let fault = |at| ForeignError::Header { at };
    let count = d.map().map_err(|_| fault(0))?;
    let mut found = None;
    for _ in 0..count.filter(|count| *count <= HEADERS_MAX).ok_or(fault(0))? {
        let at = d.position();
        let matches = match d.datatype().map_err(|_| fault(at))? {
            Type::String | Type::StringIndef => d.skip().map(|()| false),
            _ => d.int().map(|found| i128::from(found) == i128::from(label)),
        };
        if matches.map_err(|_| fault(at))? && found.replace(d.clone()).is_some() {
            return Err(fault(at));
        }
        d.skip().map_err(|_| fault(at))?;
    }
    Ok(found)
}

fn parse_headers(protected: &[u8]) -> Result<Headers, ForeignError> {
    let mut headers = Headers::default();
    if protected.is_empty() {
        return Ok(headers);
    }
    if find_label(protected, LABEL_CRIT)?.is_some() {
        return Err(ForeignError::Critical);
    }
    let value = |label| find_label(protected, label);
    headers.algorithm = value(cose::LABEL_ALG)?.and_then(|mut d| d.i64().ok());
    headers.content_type =
        value(cose::LABEL_CONTENT_TYPE)?.and_then(|mut d| d.str().ok().map(str::to_owned));
    headers.kid = value(cose::LABEL_KID)?.and_then(|mut d| d.bytes().ok().map(<[u8]>::to_vec));
    headers.vds = value(cose::LABEL_VDS)?.and_then(|mut d| d.i64().ok());
    if let Some(mut d) = value(cose::LABEL_CLAIMS)? {
        let start = d.position();
        d.skip().map_err(|_| ForeignError::Header { at: start })?;
        let claims = &protected[start..d.position()];
        let text = |mut d: Decoder<'_>| d.str().ok().map(str::to_owned);
        headers.issuer = find_label(claims, 1)?.and_then(text);
        headers.subject = find_label(claims, 2)?.and_then(text);
    }
    Ok(headers)
}

/// Why a foreign message does not verify.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message says what its variant means")]
pub enum ForeignError {
    #[error("a message of {bytes} bytes is longer than the limit of {ATTESTATION_BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error(transparent)]
    Cose(#[from] CoseError),
    #[error("a header is malformed at byte {at}")]
    Header { at: usize },
    #[error("the message has critical headers (label 2), which are not understood")]
    Critical,
    #[error("the protected header {label} is missing")]
    Missing { label: i64 },
    #[error("algorithm {found} is not supported, or does not fit the key")]
    Algorithm { found: i64 },
    #[error("not a public key for Ed25519 or P-256")]
    Key,
    #[error("the public key is refused")]
    KeyRefused(#[from] KeyError),
    #[error("the signature is wrong")]
    BadSignature,
    #[error(
        "the receipt is of {}, and only verifiable data structure 1 (RFC 9162) is known",
        found.map_or("none".to_owned(), |found| format!("verifiable data structure {found}"))
    )]
    Vds { found: Option<i64> },
    #[error("the receipt holds no well-formed inclusion proof")]
    NoProof,
    #[error("the inclusion proof does not fit")]
    Proof(#[from] ProofError),
}
