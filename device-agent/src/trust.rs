//! What the agent believes: its `enrolled.cbor`, proved from the network file within.
//!
//! Invariants: a newer network file is believed only as the successor of that one; only [`Trust::check_receipt`] turns a receipt into permission to forget an entry: the
//! log's key, the entry's bytes, and the witness policy over the checkpoint that the receipt carries.

use std::path::{Path, PathBuf};

use hallmark_schemas::attestation::{ContentId, Envelope, Malformed};
use hallmark_schemas::enrolment::{Enrolled, EnrolmentError};
use hallmark_schemas::key::PublicKey;
use hallmark_schemas::network::{NetworkError, NetworkFile};
use hallmark_schemas::receipt::{Receipt, ReceiptError, Recorded};

/// The proved answer to the enrolment.
#[derive(Clone, Debug)]
pub struct Trust {
    enrolled: Enrolled,
    file: NetworkFile,
}

/// Why the agent cannot trust a node yet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// `enrol` has not been run.
    #[error("this agent is not enrolled: {} is missing", path.display())]
    NotEnrolled {
        /// Where the answer is expected.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is no answer to an enrolment, or does not prove its keys.
    #[error("{} is refused", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<EnrolmentError>,
    },
}

/// Why a receipt is no reason to forget an entry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptRefused {
    /// It does not prove the entry.
    #[error("the receipt proves nothing")]
    Receipt(#[from] ReceiptError),
    /// It proves an entry with another audience than was signed.
    #[error("the log recorded audience {recorded}, the attestation says {signed}")]
    Audience {
        /// The byte in the log.
        recorded: u8,
        /// The byte of the attestation.
        signed: u8,
    },
    /// The spooled attestation does not parse.
    #[error("the spooled attestation is malformed")]
    Spooled(#[from] Malformed),
}

/// Why a network file does not follow the known one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SuccessionRefused {
    /// It is none, or the registrars known before have not signed it.
    #[error("it is no successor of the known network file")]
    Network(#[from] NetworkError),
    /// The log that this device's attestations go to is no longer named.
    #[error("it does not name the log {origin} any more")]
    LogGone {
        /// Origin of that log.
        origin: String,
    },
}

impl Trust {
    /// Reads and proves `enrolled.cbor`.
    pub fn read(path: &Path) -> Result<Trust, TrustError> {
        let path = path.to_path_buf();
        match std::fs::read(&path) {
            Ok(bytes) => Trust::parse(&bytes)
                .map_err(|source| TrustError::Refused { path, source: Box::new(source) }),
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => {
                Err(TrustError::NotEnrolled { path })
            }
            Err(source) => Err(TrustError::Read { path, source }),
        }
    }

    /// Proves the bytes of an `enrolled.cbor`.
    pub fn parse(bytes: &[u8]) -> Result<Trust, EnrolmentError> {
        let (enrolled, file): (Enrolled, NetworkFile) = Enrolled::parse(bytes)?;
        Ok(Trust { enrolled, file })
    }

    /// What is to be believed from a newer network file on; `None` if this one is no newer.
    ///
    /// Whoever brings it need not be trusted: it counts only as the successor of the known one.
    pub fn succeeded_by(&self, bytes: &[u8]) -> Result<Option<Trust>, SuccessionRefused> {
        let file = NetworkFile::parse(bytes)?;
        match NetworkFile::successor_valid(&self.file, &file) {
            Ok(()) => {}
            Err(NetworkError::NotNewer { .. }) => return Ok(None),
            Err(fault) => return Err(fault.into()),
        }
        let Enrolled { device, origin, broker, .. } = &self.enrolled;
        let enrolled = Enrolled::new(&file, device.clone(), origin, broker)
            .ok_or_else(|| SuccessionRefused::LogGone { origin: origin.clone() })?;
        Ok(Some(Trust { enrolled, file }))
    }

    /// Version of the network file.
    pub fn network_version(&self) -> u64 {
        self.file.network().version
    }

    /// Broker, topics and keys.
    pub fn enrolled(&self) -> &Enrolled {
        &self.enrolled
    }

    /// The log's key.
    pub fn log_key(&self) -> &PublicKey {
        self.enrolled.log_key.key()
    }

    /// Checks a receipt for a spooled attestation.
    pub fn check_receipt(
        &self,
        id: ContentId,
        attestation: &[u8],
        receipt: &[u8],
    ) -> Result<Recorded, ReceiptRefused> {
        let receipt = Receipt::parse(receipt)?;
        let policy = &self.file.network().policy;
        let recorded = receipt.verify(id, &self.enrolled.log_key, policy)?;
        let signed = Envelope::parse(attestation)?.claims().aud.byte();
        if recorded.entry.audience != signed {
            return Err(ReceiptRefused::Audience { recorded: recorded.entry.audience, signed });
        }
        Ok(recorded)
    }
}
