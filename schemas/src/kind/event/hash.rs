//! The hash of an event's content.

use super::json::{self, Json};
use crate::kind::value::Digest;
use sha2::Digest as _;

/// Members that do not belong to an event's content.
const EXCLUDED: [&str; 4] = ["@context", "errorDeclaration", "eventID", "recordTime"];

/// SHA-256 over the canonical JSON of the event without [`EXCLUDED`].
pub fn event_hash(json: &Json) -> String {
    let digest = sha2::Sha256::digest(json::canonical(json, &EXCLUDED));
    format!("ni:///sha-256;{}?ver=hallmark1", Digest(digest.into()))
}
