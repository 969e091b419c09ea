//! MQTT between agent and node: topics, and the acknowledgement that counts.
//!
//! Invariants: an MQTT acknowledgement proves nothing, an [`Ack`] does; `recorded` carries a
//! receipt that the agent verifies itself; `refused` carries a reason.

use crate::attestation::ContentId;
use crate::cbor::{self, CborError};
use crate::id::{DeviceId, OrgId};
use crate::receipt::RECEIPT_BYTES_MAX;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Largest acknowledgement: a receipt, an id and a reason.
pub const ACK_BYTES_MAX: usize = RECEIPT_BYTES_MAX + 4096;
/// Longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 2048;

const PREFIX: &str = "hallmark/1";

/// What became of a submission.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Durable on the node.
    Stored,
    /// In a published tree; the receipt proves it.
    Recorded,
    /// Waits on the node until its key is known there.
    Deferred,
    /// Will not be recorded; the reason says why.
    Refused,
}

impl Status {
    /// Its text in messages and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Stored => "stored",
            Status::Recorded => "recorded",
            Status::Deferred => "deferred",
            Status::Refused => "refused",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a node says about one submission, `[id, status, receipt?, reason?]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ack {
    /// The attestation; of unreadable bytes, their SHA-256.
    pub id: ContentId,
    /// What became of it.
    pub status: Status,
    /// With `recorded`: the COSE receipt.
    pub receipt: Option<Vec<u8>>,
    /// With `refused` and `deferred`: why.
    pub reason: Option<String>,
}

type Wire = (ContentId, Status, Option<serde_bytes::ByteBuf>, Option<String>);

/// Why bytes are no acknowledgement.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AckError {
    /// Over the limit.
    #[error("{bytes} bytes are more than the limit of {ACK_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not the array of four.
    #[error("not an acknowledgement")]
    Cbor(#[source] CborError),
    /// `recorded` without a receipt, or `refused` without a reason.
    #[error("`{status}` without its {missing}")]
    Incomplete {
        /// The status.
        status: Status,
        /// What is missing.
        missing: &'static str,
    },
}

impl Ack {
    /// The message's bytes. A reason over the limit is cut.
    pub fn encode(&self) -> Vec<u8> {
        let receipt = self.receipt.clone().map(serde_bytes::ByteBuf::from);
        let reason = self.reason.as_deref().map(|reason| {
            let end = reason.floor_char_boundary(REASON_BYTES_MAX);
            reason[..end].to_owned()
        });
        let wire: Wire = (self.id, self.status, receipt, reason);
        cbor::to_vec(&wire).expect("an id, texts and bytes encode")
    }

    /// Reads a message.
    pub fn parse(bytes: &[u8]) -> Result<Ack, AckError> {
        if ACK_BYTES_MAX < bytes.len() {
            return Err(AckError::TooLong { bytes: bytes.len() });
        }
        let (id, status, receipt, reason): Wire =
            cbor::from_slice(bytes).map_err(AckError::Cbor)?;
        let missing = match status {
            Status::Recorded if receipt.is_none() => Some("receipt"),
            Status::Refused if reason.is_none() => Some("reason"),
            _ => None,
        };
        if let Some(missing) = missing {
            return Err(AckError::Incomplete { status, missing });
        }
        Ok(Ack { id, status, receipt: receipt.map(serde_bytes::ByteBuf::into_vec), reason })
    }
}

fn topic(network: &str, device: &DeviceId, leaf: &str) -> String {
    format!("{PREFIX}/{network}/{}/{}/{leaf}", device.org().slug(), device.local())
}

/// Where a device publishes its attestations.
pub fn attest_topic(network: &str, device: &DeviceId) -> String {
    topic(network, device, "attest")
}

/// Where the node answers it.
pub fn ack_topic(network: &str, device: &DeviceId) -> String {
    topic(network, device, "ack")
}

/// Where the node leaves its configuration.
pub fn config_topic(network: &str, device: &DeviceId) -> String {
    topic(network, device, "config")
}

/// What a node subscribes to: all devices of an organisation, shared among its front ends.
pub fn attest_filter(group: &str, network: &str, org: &OrgId) -> String {
    format!("$share/{group}/{PREFIX}/{network}/{}/+/attest", org.slug())
}

/// The device that publishes to this topic of the network; `None` for any other topic.
pub fn device_of_topic(network: &str, topic: &str) -> Option<DeviceId> {
    let rest = topic.strip_prefix(PREFIX)?.strip_prefix('/')?;
    let rest = rest.strip_prefix(network)?.strip_prefix('/')?;
    let mut parts = rest.split('/');
    let (slug, local, leaf) = (parts.next()?, parts.next()?, parts.next()?);
    if leaf != "attest" || parts.next().is_some() {
        return None;
    }
    DeviceId::new(&OrgId::from_slug(slug).ok()?, local).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> DeviceId {
        "urn:hallmark:device:gln:6901234567892:m-7".parse().unwrap()
    }

    #[test]
    fn a_topic_names_its_device_and_nothing_else() {
        let topic = attest_topic("steel", &device());
        assert_eq!(topic, "hallmark/1/steel/gln-6901234567892/m-7/attest");
        assert_eq!(device_of_topic("steel", &topic), Some(device()));
        for other in [
            ack_topic("steel", &device()),
            attest_topic("other", &device()),
            format!("{topic}/x"),
            "hallmark/1/steel/gln-1/m-7/attest".to_owned(),
        ] {
            assert_eq!(device_of_topic("steel", &other), None, "{other}");
        }
    }

    #[test]
    fn an_ack_comes_back_as_it_was() {
        let id = ContentId::of(b"x");
        for ack in [
            Ack { id, status: Status::Stored, receipt: None, reason: None },
            Ack { id, status: Status::Recorded, receipt: Some(vec![1, 2]), reason: None },
            Ack { id, status: Status::Refused, receipt: None, reason: Some("no".to_owned()) },
        ] {
            assert_eq!(Ack::parse(&ack.encode()), Ok(ack));
        }
        let bare = Ack { id, status: Status::Recorded, receipt: None, reason: None };
        let missing = AckError::Incomplete { status: Status::Recorded, missing: "receipt" };
        assert_eq!(Ack::parse(&bare.encode()), Err(missing));
    }
}
