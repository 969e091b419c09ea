//! A version of the network file while its registrars sign it.
//!
//! Invariants: what it says is within all limits, and every signature that counts is over exactly
//! that; only with the threshold of its own registrars it becomes a [`NetworkFile`].

use super::{
    NETWORK_FILE_BYTES_MAX, Network, NetworkError, NetworkFile, Signatures, encode, read,
    signed_bytes,
};
use crate::cbor;
use crate::key::{SignError, Signer};

/// See the module's words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetworkDraft(NetworkFile);

impl NetworkDraft {
    /// What is to be signed. Fails if it is outside of its limits.
    pub fn new(network: Network) -> Result<NetworkDraft, SignError> {
        let malformed = |reason: String| SignError::Malformed { reason };
        let payload = cbor::to_vec(&network).map_err(|error| malformed(error.to_string()))?;
        NetworkDraft::parse(&encode(&payload, &Signatures::new()))
            .map_err(|error| malformed(error.to_string()))
    }

    /// Reads a file that may lack signatures.
    pub fn parse(bytes: &[u8]) -> Result<NetworkDraft, NetworkError> {
        if NETWORK_FILE_BYTES_MAX < bytes.len() {
            return Err(NetworkError::TooLong { bytes: bytes.len() });
        }
        let (payload, signatures) = read(bytes)?;
        let network: Network = cbor::from_slice(payload).map_err(NetworkError::Content)?;
        network.check()?;
        if encode(payload, &signatures) != bytes {
            return Err(NetworkError::NotDeterministic);
        }
        Ok(NetworkDraft(NetworkFile { network, signatures, bytes: bytes.to_vec() }))
    }

    /// Adds a signature. One beyond the registrars', such as that of a registrar's key before its
    /// rotation, is allowed.
    pub fn sign(&mut self, signer: &dyn Signer) -> Result<(), SignError> {
        let kid = signer.public().id();
        let payload = read(&self.0.bytes).expect("parsed before").0.to_vec();
        let signature = signer.sign(&signed_bytes(&kid, &payload))?;
        self.0.signatures.insert(kid, signature);
        self.0.bytes = encode(&payload, &self.0.signatures);
        Ok(())
    }

    /// What it says.
    pub fn network(&self) -> &Network {
        &self.0.network
    }

    /// Its bytes, with the signatures that there are.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// Whether this is a draft of the same version with the same content, whoever signed either.
    pub fn says_as(&self, other: &NetworkDraft) -> bool {
        self.0.network == other.0.network
    }

    /// Refuses a draft that may not follow `old` even once everybody has signed.
    pub fn may_follow(&self, old: &NetworkFile) -> Result<(), NetworkError> {
        match NetworkFile::successor_valid(old, &self.0) {
            Err(NetworkError::NotSucceeding { .. }) => old.leads_to(&self.0),
            other => other,
        }
    }

    /// How many registrars of `old` and of its own have signed, each with how many it takes.
    pub fn signed(&self, old: &NetworkFile) -> [(usize, u32); 2] {
        let known = old.network.registrars.iter().filter(|one| self.0.continues(one));
        let own = self.0.network.registrars.iter().filter(|one| self.0.signed_by(&one.key));
        [(known.count(), old.network.threshold), (own.count(), self.0.network.threshold)]
    }

    /// The file, if the threshold of its own registrars has signed.
    pub fn complete(self) -> Result<NetworkFile, NetworkError> {
        let file = self.0;
        let signed = file.network.registrars.iter().filter(|one| file.signed_by(&one.key));
        let (found, needed) = (signed.count(), file.network.threshold);
        if found < needed as usize {
            return Err(NetworkError::Threshold { found, needed });
        }
        Ok(file)
    }
}
