//! What makes two attestations the same statement.
//!
//! Same identity and same content: the stored receipt is given again. Same identity and other
//! content: a contradiction. The issuer is part of every identity, so that nobody can occupy the
//! identity of another's statement.

use crate::id::OrgId;
use crate::kind::KindName;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// The identity of a statement, equal for two attestations that say "the same thing".
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NaturalIdentity {
    /// The kind, part of `key` too.
    pub kind: KindName,
    /// SHA-256 of the deterministic CBOR of `[kind, issuer, parts]`.
    pub key: [u8; 32],
}

impl NaturalIdentity {
    /// The identity of a statement of this kind and issuer with these parts.
    pub fn of(kind: KindName, issuer: &OrgId, parts: &impl Serialize) -> NaturalIdentity {
        let bytes = crate::cbor::to_vec(&(kind.as_str(), issuer, parts))
            .expect("parts of an identity are texts, integers and byte strings");
        NaturalIdentity { kind, key: Sha256::digest(bytes).into() }
    }
}
