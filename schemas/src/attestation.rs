//! The one shape of everything: a COSE_Sign1 message with CWT claims and a deterministic body.

mod content_id;

pub use content_id::{ContentId, ContentIdError};

/// Longest stored attestation.
pub const ATTESTATION_BYTES_MAX: usize = 1 << 20;
