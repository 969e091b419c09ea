//! The three files by which organisations and devices enter a network.
//!
//! Invariants: a request is signed by the very key that it introduces, so nobody can enrol a key
//! that another holds; nothing in a request counts before a registrar (for `join.cbor`) or the
//! organisation (for `enrol.cbor`) has attested it; `enrolled.cbor` is believed only as far as the
//! network file in it proves its keys.

use crate::ack;
use crate::attestation::Claims;
use crate::audience::Audience;
use crate::cbor::{self, CborError};
use crate::cose::{self, ALG_ED25519, CoseError, LABEL_ALG, LABEL_CONTENT_TYPE, LABEL_KID, Sign1};
use crate::id::{DeviceId, OrgId, Subject};
use crate::key::{PublicKey, SignError, Signer};
use crate::kind::Kind;
use crate::kind::check::{self, FieldError};
use crate::kind::device::Device;
use crate::kind::genesis::Previous;
use crate::kind::node::check_addresses;
use crate::kind::organisation::Organisation;
use crate::kind::value::Blob;
use crate::network::{NETWORK_FILE_BYTES_MAX, NetworkError, NetworkFile};
use crate::note::VerifierKey;
use crate::time::Timestamp;
use minicbor::Encoder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Largest request, and largest answer beyond its network file.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;

const JOIN: &str = "application/vnd.hallmark.join+cbor";
const ENROL: &str = "application/vnd.hallmark.enrol+cbor";

/// `join.cbor`: a newcomer's organisation, as it asks a registrar to attest it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// Version of the format; 1.
    pub v: u64,
    /// The network that it wants to join, or founds.
    pub network: String,
    /// Who asks.
    pub org: OrgId,
    /// What the registrar should attest.
    pub organisation: Organisation,
    /// Base URLs of its node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// libp2p multiaddresses of its node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub multiaddrs: Vec<String>,
    /// The lost log that this one follows, with the last head known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
}

/// `enrol.cbor`: a device, as it asks its organisation to attest it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// Version of the format; 1.
    pub v: u64,
    /// The name that it asks for.
    pub device: DeviceId,
    /// What the organisation should attest.
    pub details: Device,
}

/// `enrolled.cbor`: what a device needs to publish and to verify receipts.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolled {
    /// Version of the format; 1.
    pub v: u64,
    /// The device's name.
    pub device: DeviceId,
    /// The network file.
    pub network: Blob,
    /// Origin of the log that its attestations go to.
    pub origin: String,
    /// The key of that log.
    pub log_key: VerifierKey,
    /// URL of the MQTT broker.
    pub broker: String,
    /// Where it publishes.
    pub attest_topic: String,
    /// Where it is answered.
    pub ack_topic: String,
    /// Where it is configured.
    pub config_topic: String,
}

/// Why bytes are none of the three files.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolmentError {
    /// Over the limit.
    #[error("{bytes} bytes are more than the limit of {limit}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Not a message of the right type, signed by the key within.
    #[error("not a request signed by the key that it introduces")]
    Signature(#[from] CoseError),
    /// Another message, or a second encoding.
    #[error("the request's header is not that of a {expected}")]
    Header {
        /// The content type expected.
        expected: &'static str,
    },
    /// Not the expected content.
    #[error("the content is malformed")]
    Content(#[from] CborError),
    /// A field outside its limits.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The network file within is none.
    #[error("the network file within is refused")]
    Network(#[from] NetworkError),
}

/// A request that is signed by the key it introduces.
trait Request: Serialize + DeserializeOwned {
    const CONTENT_TYPE: &'static str;
    fn key(&self) -> &PublicKey;
    fn check(&self) -> Result<(), FieldError>;
}

/// What a body is checked with before its attestation exists.
fn claims(iss: OrgId, sub: Subject) -> Claims {
    let iat = Timestamp::from_unix_ms(0);
    Claims { iss, sub, aud: Audience::Public, iat, regions: Vec::new() }
}

impl Request for Join {
    const CONTENT_TYPE: &'static str = JOIN;

    fn key(&self) -> &PublicKey {
        &self.organisation.key
    }

    fn check(&self) -> Result<(), FieldError> {
        check::range("/v", self.v, 1..=1)?;
        check::network_name("/network", &self.network)?;
        let under = |error: FieldError| error.under("/organisation");
        self.organisation.check().map_err(under)?;
        let claims = claims(self.org.clone(), Subject::Org(self.org.clone()));
        self.organisation.check_claims(&claims).map_err(under)?;
        if let Some(previous) = &self.previous {
            previous.check().map_err(|error| error.under("/previous"))?;
        }
        check_addresses(&self.urls, &self.multiaddrs)
    }
}

impl Request for Enrol {
    const CONTENT_TYPE: &'static str = ENROL;

    fn key(&self) -> &PublicKey {
        &self.details.key
    }

    fn check(&self) -> Result<(), FieldError> {
        check::range("/v", self.v, 1..=1)?;
        let under = |error: FieldError| error.under("/details");
        self.details.check().map_err(under)?;
        let claims = claims(self.device.org(), Subject::Device(self.device.clone()));
        self.details.check_claims(&claims).map_err(under)
    }
}

impl Join {
    /// Signs a request with the organisation's key.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
        sign(self, signer)
    }

    /// Reads a request and checks its signature.
    pub fn parse(bytes: &[u8]) -> Result<Join, EnrolmentError> {
        parse(bytes)
    }
}

impl Enrol {
    /// Signs a request with the device's key.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
        sign(self, signer)
    }

    /// Reads a request and checks its signature.
    pub fn parse(bytes: &[u8]) -> Result<Enrol, EnrolmentError> {
        parse(bytes)
    }
}

impl Enrolled {
    /// The answer to a device of this network, whose attestations go to the log of this origin, or
    /// to the one that has followed it.
    ///
    /// `None` if the network file names no such log.
    pub fn new(
        file: &NetworkFile,
        device: DeviceId,
        origin: &str,
        broker: &str,
    ) -> Option<Enrolled> {
        let network = file.network();
        let member = network.keeper_of(origin)?;
        Some(Enrolled {
            v: 1,
            network: Blob(file.bytes().to_vec()),
            origin: member.origin.clone(),
            log_key: member.log_key.clone(),
            broker: broker.to_owned(),
            attest_topic: ack::attest_topic(&network.name, &device),
            ack_topic: ack::ack_topic(&network.name, &device),
            config_topic: ack::config_topic(&network.name, &device),
            device,
        })
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        cbor::to_vec(self).expect("texts, keys and bytes encode")
    }

    /// Reads the file, and proves its log key from the network file within.
    pub fn parse(bytes: &[u8]) -> Result<(Enrolled, NetworkFile), EnrolmentError> {
        too_long(bytes, NETWORK_FILE_BYTES_MAX + REQUEST_BYTES_MAX)?;
        let enrolled: Enrolled = cbor::from_slice(bytes)?;
        check::range("/v", enrolled.v, 1..=1)?;
        check::text("/broker", &enrolled.broker, check::ADDRESS_BYTES_MAX)?;
        let file = NetworkFile::parse(&enrolled.network.0)?;
        let proved =
            Enrolled::new(&file, enrolled.device.clone(), &enrolled.origin, &enrolled.broker);
        let same = proved.as_ref() == Some(&enrolled);
        check::consistent("/log_key", same, "is not what the network file says of this log")?;
        Ok((enrolled, file))
    }
}

fn too_long(bytes: &[u8], limit: usize) -> Result<(), EnrolmentError> {
    if limit < bytes.len() {
        return Err(EnrolmentError::TooLong { bytes: bytes.len(), limit });
    }
    Ok(())
}

fn protected(content_type: &str, key: &PublicKey) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes);
    let done = encoder
        .map(3)
        .and_then(|e| {
            e.i64(LABEL_ALG)?.i64(ALG_ED25519)?.i64(LABEL_CONTENT_TYPE)?.str(content_type)
        })
        .and_then(|e| e.i64(LABEL_KID)?.bytes(key.id().bytes()));
    done.expect("writing to memory cannot fail");
    bytes
}

fn sign<T: Request>(request: &T, signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
    let malformed = |reason: String| SignError::Malformed { reason };
    request.check().map_err(|error| malformed(error.to_string()))?;
    if request.key() != signer.public() {
        return Err(malformed("the request introduces another key".to_owned()));
    }
    let payload = cbor::to_vec(request).map_err(|error| malformed(error.to_string()))?;
    cose::sign(&protected(T::CONTENT_TYPE, request.key()), &payload, signer)
}

fn parse<T: Request>(bytes: &[u8]) -> Result<T, EnrolmentError> {
    too_long(bytes, REQUEST_BYTES_MAX)?;
    let message = Sign1::parse(bytes)?;
    let payload = message.payload.ok_or(CoseError::Detached)?;
    let request: T = cbor::from_slice(payload)?;
    let plain = message.unprotected == cose::EMPTY_MAP && message.is_deterministic(bytes);
    if !plain || message.protected != protected(T::CONTENT_TYPE, request.key()) {
        return Err(EnrolmentError::Header { expected: T::CONTENT_TYPE });
    }
    request.check()?;
    message.check(request.key())?;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;
    use proptest::prelude::*;
    use serde_json::Value;

    fn vector(name: &str) -> (Value, Vec<u8>) {
        let file = include_str!("../vectors/exchange.json");
        let file: Value = serde_json::from_str(file).unwrap();
        let vector = file["enrolment"][name].clone();
        let bytes = crate::hex::decode(vector["bytes"].as_str().unwrap()).unwrap();
        (vector["content"].clone(), bytes)
    }

    #[test]
    fn the_three_files_are_read_as_they_were_written() {
        let (content, bytes) = vector("join");
        assert_eq!(serde_json::to_value(Join::parse(&bytes).unwrap()).unwrap(), content);
        let (content, bytes) = vector("enrol");
        assert_eq!(serde_json::to_value(Enrol::parse(&bytes).unwrap()).unwrap(), content);
        assert!(Join::parse(&bytes).is_err());
        let (content, bytes) = vector("enrolled");
        let (enrolled, file) = Enrolled::parse(&bytes).unwrap();
        assert_eq!(serde_json::to_value(&enrolled).unwrap(), content);
        assert_eq!(file.bytes(), enrolled.network.0);
    }

    #[test]
    fn nobody_requests_for_a_key_that_another_holds() {
        let enrol = Enrol::parse(&vector("enrol").1).unwrap();
        assert!(enrol.sign(&SecretKey::from_seed([99; 32])).is_err());
    }

    #[test]
    fn a_log_key_that_the_network_file_does_not_name_is_refused() {
        let (mut enrolled, _) = Enrolled::parse(&vector("enrolled").1).unwrap();
        enrolled.ack_topic.push('x');
        let fault = Enrolled::parse(&enrolled.encode()).unwrap_err();
        assert!(matches!(fault, EnrolmentError::Field(_)));
    }

    proptest! {
        #[test]
        fn damaged_requests_never_pass(at in 0_usize..10_000, to in any::<u8>()) {
            for name in ["join", "enrol"] {
                let good = vector(name).1;
                let mut bad = good.clone();
                let at = at % bad.len();
                bad[at] = to;
                let passes = Join::parse(&bad).is_ok() || Enrol::parse(&bad).is_ok();
                prop_assert_eq!(passes, bad == good);
            }
        }
    }
}
