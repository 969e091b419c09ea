//! What is gossiped: new checkpoints and defect proofs, on two fixed topics.
//!
//! Invariants: nothing is passed on that its own signatures do not prove under the network file
//! here; a message holds no body that is not for every member; the cheap checks come first.

use std::sync::Arc;
use std::time::Duration;

use hallmark_schemas::defect::DefectProof;
use hallmark_schemas::note::SignedNote;
use libp2p::gossipsub::{IdentTopic, MessageAcceptance, TopicHash};

use super::roster::Fault;
use crate::peers::log_key;
use crate::service::Service;
use crate::witness::elsewhere;

/// How long a message is known, so that it is passed on once.
pub(crate) const GOSSIP_KNOWN: Duration = Duration::from_secs(120);

/// Most bytes of a checkpoint: its lines and a cosignature of each of hundreds of witnesses.
pub(super) const NOTE_BYTES_MAX: usize = 64 << 10;

/// A fixed topic.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Topic {
    /// Published checkpoints, as signed notes.
    Checkpoints,
    /// Defect proofs.
    Defects,
}

impl Topic {
    /// Both.
    pub const ALL: [Topic; 2] = [Topic::Checkpoints, Topic::Defects];

    /// Its name in a network.
    pub fn of(self, network: &str) -> IdentTopic {
        let word = match self {
            Topic::Checkpoints => "checkpoints",
            Topic::Defects => "defects",
        };
        IdentTopic::new(format!("hallmark/1/{network}/{word}"))
    }

    /// The topic with this name.
    pub fn named(network: &str, hash: &TopicHash) -> Option<Topic> {
        Topic::ALL.into_iter().find(|topic| topic.of(network).hash() == *hash)
    }
}

/// What becomes of a message.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Whether it is passed on.
    pub(super) acceptance: MessageAcceptance,
    /// What whoever sent it did wrong, and how.
    pub(super) fault: Option<(Fault, String)>,
}

impl Verdict {
    const ACCEPT: Verdict = Verdict { acceptance: MessageAcceptance::Accept, fault: None };
    /// Right perhaps, but nothing for us: a newcomer's log that our network file does not name yet.
    const IGNORE: Verdict = Verdict { acceptance: MessageAcceptance::Ignore, fault: None };

    fn reject(fault: Fault, what: impl Into<String>) -> Verdict {
        Verdict { acceptance: MessageAcceptance::Reject, fault: Some((fault, what.into())) }
    }
}

/// Checks a message and takes in what it tells. Reads and writes files: it blocks.
pub(super) fn hear(service: &Arc<Service>, topic: Topic, bytes: &[u8]) -> Verdict {
    match topic {
        Topic::Checkpoints => hear_checkpoint(service, bytes),
        Topic::Defects => hear_defect(service, bytes),
    }
}

fn hear_checkpoint(service: &Arc<Service>, bytes: &[u8]) -> Verdict {
    let Ok(note) = SignedNote::parse(bytes) else {
        return Verdict::reject(Fault::Malformed, "a checkpoint is no signed note");
    };
    let Ok(checkpoint) = note.checkpoint() else {
        return Verdict::reject(Fault::Malformed, "a note is no checkpoint");
    };
    let network = service.network();
    let Some(key) = log_key(&network, &checkpoint.origin) else {
        return Verdict::IGNORE;
    };
    if let Err(error) = note.checkpoint_of(&key) {
        return Verdict::reject(Fault::Forged, format!("a checkpoint: {error}"));
    }
    if checkpoint.origin == service.config.origin {
        elsewhere::shown(service, &note);
    } else {
        service.heard.note(&checkpoint.origin, bytes);
    }
    Verdict::ACCEPT
}

fn hear_defect(service: &Arc<Service>, bytes: &[u8]) -> Verdict {
    let proof = match DefectProof::parse(bytes) {
        Ok(proof) => proof,
        Err(error) => return Verdict::reject(Fault::Malformed, format!("a proof: {error}")),
    };
    if !crate::defect::may_be_gossiped(proof.claim()) {
        return Verdict::IGNORE;
    }
    // What it shows, it has to show under the network file that is trusted here.
    let proof = match DefectProof::new(&service.network(), proof.claim().clone()) {
        Ok(proof) => proof,
        Err(error) if proof.network().bytes() == service.network().bytes() => {
            return Verdict::reject(Fault::Forged, format!("a proof: {error}"));
        }
        Err(_) => return Verdict::IGNORE,
    };
    match crate::defect::take_in(service, proof) {
        Ok(()) => Verdict::ACCEPT,
        Err(error) => {
            tracing::warn!(%error, "a defect proof of a peer is not kept");
            Verdict::IGNORE
        }
    }
}
