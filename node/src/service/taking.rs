//! What comes in goes through the service, which learns from it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hallmark_schemas::attestation::{Envelope, Refusal};
use hallmark_schemas::kind::KindName;

use super::Service;
use crate::admission::{AdmitError, Admitted};
use crate::core::Signing;

impl Service {
    /// Admission of what others send: a new log takes its genesis first.
    pub async fn admit(&self, stored: Vec<u8>) -> Result<Admitted, AdmitError> {
        self.admit_parsed(Envelope::parse(&stored).map_err(Refusal::from)?).await
    }

    /// The same for one that was parsed before.
    pub async fn admit_parsed(&self, envelope: Envelope) -> Result<Admitted, AdmitError> {
        match self.waits() {
            Some(error) => Err(error),
            None => self.admit_own(envelope).await,
        }
    }

    /// Admission of many events, which teach the service nothing; one answer each, in order.
    pub async fn admit_events(&self, events: Vec<Envelope>) -> Vec<Result<Admitted, AdmitError>> {
        if let Some(error) = self.waits() {
            return events.iter().map(|_| Err(error.clone())).collect();
        }
        let answers = self.node.admit_all(events).await;
        answers.iter().for_each(count_admission);
        for answer in &answers {
            if let Ok(Admitted::Deferred { id }) = answer {
                self.note_deferred(*id);
            }
        }
        answers
    }

    /// A new log takes its genesis before anything else.
    fn waits(&self) -> Option<AdmitError> {
        let is_read_only = matches!(self.node.log().signing(), Signing::ReadOnly { .. });
        let is_new = !self.founded.load(Ordering::Acquire) && !is_read_only;
        is_new.then_some(AdmitError::Busy {
            retry_after: Duration::from_secs(2),
            what: "this log waits for its genesis, its organisation for admission by the registrar, to \
                   whom join.cbor goes",
        })
    }

    /// Admission, and what the service itself learns from an admitted body.
    pub async fn admit_own(&self, envelope: Envelope) -> Result<Admitted, AdmitError> {
        let tells = matches!(envelope.kind(), KindName::Node | KindName::Device);
        let telling = tells.then(|| envelope.clone());
        let admitted = self.node.admit_parsed(envelope).await;
        count_admission(&admitted);
        match (&admitted, telling) {
            (Ok(Admitted::Stored { .. }), Some(envelope)) => self.learn(envelope),
            (Ok(Admitted::Deferred { id }), envelope) => {
                self.note_deferred(*id);
                envelope.map(|envelope| self.learn(envelope)).unwrap_or_default();
            }
            _ => {}
        }
        admitted
    }
}

/// Counts what became of a submission.
fn count_admission(admitted: &Result<Admitted, AdmitError>) {
    let result = match admitted {
        Ok(Admitted::Stored { .. }) => "stored",
        Ok(Admitted::Deferred { .. }) => "deferred",
        Err(AdmitError::Refused(_)) => "refused",
        Err(_) => "busy",
    };
    metrics::counter!("hallmark_admissions_total", "result" => result).increment(1);
}
