//! Bearer tokens: a CWT (RFC 8392) signed by the caller, for one node, for minutes.
//!
//! A token is a COSE_Sign1 message with content type `application/vnd.hallmark.token+cbor`, which
//! admission refuses, so that no token can be logged and no attestation can be a token. Invariants:
//! deterministic, at most [`LIFE_S_MAX`] seconds long, for exactly one audience. Checking needs the
//! caller's key and the present: both come in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::{Decoder, Encoder};

use crate::cbor;
use crate::cose::{self, Sign1};
use crate::id::OrgId;
use crate::key::{KeyId, PublicKey, SignError, Signer};
use crate::time::Timestamp;

/// Longest life of a token.
pub const LIFE_S_MAX: u64 = 600;
/// How far a caller's clock may be off.
pub const SKEW_S_MAX: u64 = 60;
/// Longest purpose.
pub const PURPOSE_BYTES_MAX: usize = 200;
/// Longest token, before base64url.
pub const TOKEN_BYTES_MAX: usize = 1024;

const CONTENT_TYPE: &str = "application/vnd.hallmark.token+cbor";
const ISS: i64 = 1;
const AUD: i64 = 3;
const EXP: i64 = 4;
const IAT: i64 = 6;

/// What a token allows.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Scope {
    /// Capture: routes that make the node sign for the caller.
    Capture,
    /// Restricted bodies, queries, findings.
    Read,
    /// Administration.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 3] = [Scope::Capture, Scope::Read, Scope::Admin];

    /// Its text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::Capture => "capture",
            Scope::Read => "read",
            Scope::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Scope, TokenError> {
        Scope::ALL
            .into_iter()
            .find(|s| s.as_str() == text)
            .ok_or(TokenError::Field { name: "scope" })
    }
}

/// What a caller claims.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grant {
    /// The calling organisation.
    pub iss: OrgId,
    /// The origin of the node's log.
    pub aud: String,
    /// What the token allows.
    pub scope: Scope,
    /// Why, for the record of access.
    pub purpose: String,
    /// From when, in whole seconds.
    pub iat: Timestamp,
    /// Until when, in whole seconds.
    pub exp: Timestamp,
}

/// A well-formed token whose signature nobody has checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token {
    grant: Grant,
    signer: KeyId,
    bytes: Vec<u8>,
}

/// Why a token is of no use. Callers see it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message says what its variant means")]
pub enum TokenError {
    #[error("the token is not base64url, or longer than {TOKEN_BYTES_MAX} bytes")]
    Text,
    #[error("the token is no deterministic COSE_Sign1 message of type {CONTENT_TYPE}")]
    Shape,
    #[error("the token's {name} is missing or wrong")]
    Field { name: &'static str },
    #[error("the token is not signed by the key that it names")]
    Signature,
    #[error("the token is for {aud}, this node is {node}")]
    Audience { aud: String, node: String },
    #[error("the token was valid from {iat} until {exp}, it is now {now}")]
    Expired { iat: Timestamp, exp: Timestamp, now: Timestamp },
    #[error("a token lives at most {LIFE_S_MAX} seconds")]
    TooLong,
}

impl Grant {
    /// Signs the grant; the text is what goes after `Bearer `.
    pub fn sign(&self, signer: &dyn Signer) -> Result<String, SignError> {
        self.check().map_err(|fault| SignError::Malformed { reason: fault.to_string() })?;
        let mut protected = Encoder::new(Vec::new());
        self.write_protected(&mut protected, &signer.public().id())
            .expect("writing to memory does not fail");
        let bytes = cose::sign(&protected.into_writer(), &self.payload(), signer)?;
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    fn check(&self) -> Result<(), TokenError> {
        let whole = |at: Timestamp| at.unix_ms().is_multiple_of(1000);
        if !whole(self.iat) || !whole(self.exp) || self.exp < self.iat {
            return Err(TokenError::Field { name: "life" });
        }
        if LIFE_S_MAX * 1000 < self.exp.unix_ms() - self.iat.unix_ms() {
            return Err(TokenError::TooLong);
        }
        if self.purpose.is_empty() || PURPOSE_BYTES_MAX < self.purpose.len() {
            return Err(TokenError::Field { name: "purpose" });
        }
        Ok(())
    }

    fn write_protected(
        &self,
        e: &mut Encoder<Vec<u8>>,
        kid: &KeyId,
    ) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        e.map(4)?.i64(cose::LABEL_ALG)?.i64(cose::ALG_ED25519)?;
        e.i64(cose::LABEL_CONTENT_TYPE)?.str(CONTENT_TYPE)?;
        e.i64(cose::LABEL_KID)?.bytes(kid.bytes())?;
        e.i64(cose::LABEL_CLAIMS)?.map(4)?;
        e.i64(ISS)?.str(self.iss.as_str())?.i64(AUD)?.str(&self.aud)?;
        e.i64(EXP)?.u64(self.exp.unix_ms() / 1000)?.i64(IAT)?.u64(self.iat.unix_ms() / 1000)?;
        Ok(())
    }

    fn payload(&self) -> Vec<u8> {
        let mut e = Encoder::new(Vec::new());
        let written = e
            .map(2)
            .and_then(|e| e.str("scope")?.str(self.scope.as_str()))
            .and_then(|e| e.str("purpose")?.str(&self.purpose));
        written.expect("writing to memory does not fail");
        e.into_writer()
    }
}

impl Token {
    /// Parses the text after `Bearer `.
    pub fn parse(text: &str) -> Result<Token, TokenError> {
        if TOKEN_BYTES_MAX * 4 / 3 + 4 < text.len() {
            return Err(TokenError::Text);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Text)?;
        let message = Sign1::parse(&bytes).map_err(|_| TokenError::Shape)?;
        let payload = message.payload.ok_or(TokenError::Shape)?;
        cbor::scan(message.protected).map_err(|_| TokenError::Shape)?;
        cbor::scan(payload).map_err(|_| TokenError::Shape)?;
        let (signer, iss, aud, exp, iat) = parse_protected(message.protected)?;
        let (scope, purpose) = parse_payload(payload)?;
        let grant = Grant { iss, aud, scope, purpose, iat, exp };
        grant.check()?;
        let mut again = Encoder::new(Vec::new());
        grant.write_protected(&mut again, &signer).expect("writing to memory does not fail");
        let same = again.into_writer() == message.protected && grant.payload() == payload;
        if !same || message.unprotected != cose::EMPTY_MAP || !message.is_deterministic(&bytes) {
            return Err(TokenError::Shape);
        }
        Ok(Token { grant, signer, bytes })
    }

    /// The key that has to be known, in force, and `iss`'s.
    pub fn signer(&self) -> KeyId {
        self.signer
    }

    /// Who claims to call. Proves nothing before [`Token::verify`].
    pub fn iss(&self) -> &OrgId {
        &self.grant.iss
    }

    /// Checks signature, audience and life.
    pub fn verify(self, key: &PublicKey, node: &str, now: Timestamp) -> Result<Grant, TokenError> {
        let message = Sign1::parse(&self.bytes).map_err(|_| TokenError::Shape)?;
        if key.id() != self.signer || message.check(key).is_err() {
            return Err(TokenError::Signature);
        }
        let Grant { aud, iat, exp, .. } = &self.grant;
        if aud != node {
            return Err(TokenError::Audience { aud: aud.clone(), node: node.to_owned() });
        }
        let skew = SKEW_S_MAX * 1000;
        if now.unix_ms() + skew < iat.unix_ms() || exp.unix_ms() + skew < now.unix_ms() {
            return Err(TokenError::Expired { iat: *iat, exp: *exp, now });
        }
        Ok(self.grant)
    }
}

type Protected = (KeyId, OrgId, String, Timestamp, Timestamp);

fn parse_protected(bytes: &[u8]) -> Result<Protected, TokenError> {
    let field = |name| TokenError::Field { name };
    let d = &mut Decoder::new(bytes);
    let label = |d: &mut Decoder<'_>, wanted: i64| d.i64().ok().filter(|label| *label == wanted);
    d.map().ok().flatten().filter(|count| *count == 4).ok_or(TokenError::Shape)?;
    label(d, cose::LABEL_ALG).and_then(|_| label(d, cose::ALG_ED25519)).ok_or(field("alg"))?;
    label(d, cose::LABEL_CONTENT_TYPE)
        .and_then(|_| d.str().ok().filter(|text| *text == CONTENT_TYPE))
        .ok_or(TokenError::Shape)?;
    let kid = label(d, cose::LABEL_KID).and_then(|_| d.bytes().ok()?.try_into().ok());
    let kid = KeyId::from_bytes(kid.ok_or(field("kid"))?);
    label(d, cose::LABEL_CLAIMS).and_then(|_| d.map().ok().flatten()).ok_or(field("claims"))?;
    let iss = label(d, ISS).and_then(|_| d.str().ok()?.parse().ok()).ok_or(field("iss"))?;
    let aud = label(d, AUD).and_then(|_| d.str().ok()).ok_or(field("aud"))?.to_owned();
    let mut second = |wanted, name| {
        let seconds = label(d, wanted).and_then(|_| d.u64().ok()?.checked_mul(1000));
        seconds.and_then(Timestamp::try_from_unix_ms).ok_or(field(name))
    };
    let (exp, iat) = (second(EXP, "exp")?, second(IAT, "iat")?);
    Ok((kid, iss, aud, exp, iat))
}

fn parse_payload(bytes: &[u8]) -> Result<(Scope, String), TokenError> {
    let field = |name| TokenError::Field { name };
    let d = &mut Decoder::new(bytes);
    d.map().ok().flatten().filter(|count| *count == 2).ok_or(TokenError::Shape)?;
    let text = |d: &mut Decoder<'_>, key: &'static str| {
        d.str().ok().filter(|name| *name == key)?;
        Some(d.str().ok()?.to_owned())
    };
    let scope = text(d, "scope").ok_or(field("scope"))?.parse()?;
    let purpose = text(d, "purpose").ok_or(field("purpose"))?;
    Ok((scope, purpose))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;
    use proptest::prelude::*;

    fn grant() -> Grant {
        Grant {
            iss: "urn:hallmark:org:gln:9506000000008".parse().unwrap(),
            aud: "demo/gln-9506000000008/1".to_owned(),
            scope: Scope::Read,
            purpose: "audit 2026".to_owned(),
            iat: Timestamp::from_unix_ms(1_700_000_000_000),
            exp: Timestamp::from_unix_ms(1_700_000_600_000),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_ms((1_700_000_000_000 + second * 1000).try_into().unwrap())
    }

    #[test]
    fn a_token_opens_one_node_for_its_minutes_and_nothing_else() {
        let key = SecretKey::from_seed([7; 32]);
        let node = grant().aud;
        let text = grant().sign(&key).unwrap();
        let token = Token::parse(&text).unwrap();
        assert_eq!(token.clone().verify(key.public(), &node, at(30)), Ok(grant()));
        assert_eq!(token.clone().verify(key.public(), &node, at(-60)), Ok(grant()));
        for (now, other) in [(at(661), node.as_str()), (at(-61), &node), (at(30), "demo/x/1")] {
            assert!(token.clone().verify(key.public(), other, now).is_err());
        }
        let stranger = SecretKey::from_seed([8; 32]);
        let refused = token.verify(stranger.public(), &node, at(30));
        assert_eq!(refused, Err(TokenError::Signature));
    }

    #[test]
    fn a_long_life_and_an_empty_purpose_are_refused_before_signing() {
        let key = SecretKey::from_seed([7; 32]);
        let long = Grant { exp: at(601), ..grant() };
        let aimless = Grant { purpose: String::new(), ..grant() };
        assert!(long.sign(&key).is_err() && aimless.sign(&key).is_err());
    }

    proptest! {
        #[test]
        fn any_changed_byte_is_noticed(at in 0usize..400, bit in 0u8..8) {
            let key = SecretKey::from_seed([7; 32]);
            let mut bytes = URL_SAFE_NO_PAD.decode(grant().sign(&key).unwrap()).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let now = Timestamp::from_unix_ms(1_700_000_001_000);
            let verdict = Token::parse(&URL_SAFE_NO_PAD.encode(bytes))
                .and_then(|token| token.verify(key.public(), &grant().aud, now));
            prop_assert!(verdict.is_err());
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,300}") {
            let _ = Token::parse(&text);
        }
    }
}
