//! What is handed in goes to admission.

use hallmark_schemas::attestation::{Envelope, Refusal};

use super::Node;
use crate::admission::{AdmitError, Admitted};

impl Node {
    /// Admits one attestation: its stored bytes, without receipts.
    pub async fn admit(&self, stored: Vec<u8>) -> Result<Admitted, AdmitError> {
        let envelope = Envelope::parse(&stored).map_err(Refusal::from)?;
        self.admit_parsed(envelope).await
    }

    /// Admits one that was parsed before.
    pub async fn admit_parsed(&self, envelope: Envelope) -> Result<Admitted, AdmitError> {
        self.inner.admission.admit_one(envelope).await
    }

    /// Admits many; one answer each, in order. Twice as fast as one by one.
    pub async fn admit_many(&self, stored: Vec<Vec<u8>>) -> Vec<Result<Admitted, AdmitError>> {
        self.inner.admission.admit_many(stored).await
    }

    /// The same for those that were parsed before.
    pub async fn admit_all(&self, envelopes: Vec<Envelope>) -> Vec<Result<Admitted, AdmitError>> {
        self.inner.admission.admit_all(envelopes).await
    }

    /// Whether anything waits to be stored right now: then whatever can wait does.
    pub fn is_taking_in(&self) -> bool {
        self.inner.admission.is_taking_in()
    }
}
