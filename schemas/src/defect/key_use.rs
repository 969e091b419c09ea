//! An attestation under a key whose time was over.
//!
//! Only a use *after the end* can be proved: that a key was given up is said by a recorded
//! attestation, and nothing that is left out of the proof makes it valid again. That a key was not
//! in force yet rests on the absence of an earlier admission, which no file can show.

use serde::{Deserialize, Serialize};

use super::{DefectError, Shown, log_key, note};
use crate::attestation::Envelope;
use crate::history::KeyHistory;
use crate::kind::KindName;
use crate::kind::value::Blob;
use crate::network::NetworkFile;
use crate::policy::QuorumTime;
use crate::proof::LogProof;
use crate::receipt::Recorded;
use crate::time::{EntryTime, Timestamp};

/// Most attestations that lead to a key and its end.
pub const HISTORY_MAX: usize = 64;

/// A stored attestation with the proof of its place.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedBody {
    /// The stored bytes.
    pub body: Blob,
    /// `tlog-proof` text over a checkpoint with its quorum.
    pub proof: String,
}

/// An act, and the attestations that introduced its key and ended it, in their order.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyUse {
    /// What was signed with the key.
    pub act: RecordedBody,
    /// A checkpoint of the act's log without the act, with its quorum: the act is later. A log
    /// without witnesses has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What led to the key and its end.
    pub history: Vec<RecordedBody>,
}

/// A recorded attestation, proved.
struct Placed {
    envelope: Envelope,
    origin: String,
    recorded: Recorded,
}

impl RecordedBody {
    /// A stored attestation and its proof.
    pub fn new(body: &[u8], proof: &LogProof) -> RecordedBody {
        let proof = String::from_utf8_lossy(&proof.to_bytes()).into_owned();
        RecordedBody { body: Blob(body.to_vec()), proof }
    }

    fn placed(&self, network: &NetworkFile) -> Result<Placed, DefectError> {
        let envelope = Envelope::parse(&self.body.0)?;
        let proof = LogProof::parse(self.proof.as_bytes())?;
        let stated = proof.checkpoint().checkpoint();
        let which = "checkpoint";
        let stated = stated.map_err(|source| DefectError::NoCheckpoint { which, source })?;
        let key = log_key(network, &stated.origin)?;
        let recorded = proof.verify(envelope.id(), key, &network.network().policy)?;
        Ok(Placed { envelope, origin: stated.origin, recorded })
    }
}

impl Placed {
    /// From the time that the log states to the quorum's.
    fn time(&self) -> EntryTime {
        let admitted_at = self.recorded.entry.admitted_at;
        match self.recorded.quorum {
            QuorumTime::At(hi) => EntryTime::under(admitted_at, hi),
            QuorumTime::Unwitnessed => EntryTime::at(admitted_at),
        }
    }

    /// Earliest time of the act: witnesses' where there are any, else the log's own.
    fn earliest(
        &self,
        before: Option<&str>,
        network: &NetworkFile,
    ) -> Result<Timestamp, DefectError> {
        if self.recorded.quorum == QuorumTime::Unwitnessed {
            return Ok(self.recorded.entry.admitted_at);
        }
        let Some(before) = before else {
            return Err(DefectError::Nothing { why: "no checkpoint without the act is given" });
        };
        let key = log_key(network, &self.origin)?;
        let cosigned = network.network().policy.check(&note("earlier", before)?, key)?;
        match cosigned.quorum {
            QuorumTime::At(at) if cosigned.checkpoint.size <= self.recorded.index => Ok(at),
            _ => Err(DefectError::Nothing { why: "the earlier checkpoint has the act already" }),
        }
    }
}

impl KeyUse {
    pub(super) fn verify(&self, network: &NetworkFile) -> Result<Shown, DefectError> {
        if HISTORY_MAX < self.history.len() {
            return Err(DefectError::Nothing { why: "more attestations than a key needs" });
        }
        let mut history = KeyHistory::new(network);
        let (mut ended_in, mut latest) = (None, Timestamp::EPOCH);
        let act = self.act.placed(network)?;
        let kid = act.envelope.signer();
        for recorded in &self.history {
            let placed = recorded.placed(network)?;
            let time = placed.time();
            if time.hi < latest {
                return Err(DefectError::Nothing { why: "the history of the key is out of order" });
            }
            latest = time.hi;
            let verified = placed.envelope.verify(&history, time)?;
            // What changes nothing ends nothing.
            let _changed = history.learn(&verified, time);
            if ended_in.is_none() && history.ended(&kid).is_some() {
                ended_in = Some(placed.origin);
            }
        }
        let nothing = |why| DefectError::Nothing { why };
        let (org, key, end) = history.ended(&kid).ok_or(nothing("the key has no end"))?;
        act.envelope.check_signature(key)?;
        if matches!(act.envelope.kind(), KindName::Key | KindName::Genesis) {
            return Err(nothing("this kind is not bound to the time of its key"));
        }
        let earliest = act.earliest(self.before.as_deref(), network)?;
        if act.recorded.quorum == QuorumTime::Unwitnessed && ended_in.as_ref() != Some(&act.origin)
        {
            return Err(nothing("the clocks of two logs without witnesses prove no order"));
        }
        if earliest <= end.hi {
            return Err(nothing("the act may be older than the end of the key"));
        }
        let sentence = format!(
            "entry {} of {}, recorded after {earliest}, is signed with key {kid} of {org}, which ended by {}",
            act.recorded.index, act.origin, end.hi
        );
        Ok(Shown {
            subject: org.to_string(),
            origin: act.origin,
            cites: vec![act.envelope.id()],
            at: Some(earliest),
            sentence,
            signed_by_accused: true,
        })
    }
}
