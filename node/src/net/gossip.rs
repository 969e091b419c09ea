//! What is gossiped: new checkpoints and defect proofs, on two fixed topics.
//!
//! Invariants: nothing is passed on that its own signatures do not prove under the network file
//! here, nor what brings nothing, nor more of a log than its share (`passed.rs`); a message holds no
//! body that is not for every member; the cheap checks come first.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallmark_schemas::defect::{DefectProof, Shown};
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::{SignedNote, VerifierKey};
use libp2p::gossipsub::{IdentTopic, MessageAcceptance, TopicHash};

use super::passed::{Passed, Worth};
use super::roster::Fault;
use crate::peers::{log_key, witness_key};
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
pub(crate) struct Verdict {
    /// Whether it is passed on.
    pub(super) acceptance: MessageAcceptance,
    /// What whoever sent it did wrong, and how.
    pub(crate) fault: Option<(Fault, String)>,
}

impl Verdict {
    const ACCEPT: Verdict = Verdict { acceptance: MessageAcceptance::Accept, fault: None };
    /// Right perhaps, but nothing for us: a newcomer's log that our network file does not name yet,
    /// or what was passed on before.
    const IGNORE: Verdict = Verdict { acceptance: MessageAcceptance::Ignore, fault: None };

    fn reject(fault: Fault, what: impl Into<String>) -> Verdict {
        Verdict { acceptance: MessageAcceptance::Reject, fault: Some((fault, what.into())) }
    }
}

/// Checks a message and takes in what it tells. Reads and writes files: it blocks.
pub(super) fn hear(
    service: &Arc<Service>,
    passed: &Passed,
    topic: Topic,
    bytes: &[u8],
    now: Instant,
) -> Verdict {
    match topic {
        Topic::Checkpoints => hear_checkpoint(service, passed, bytes, now),
        Topic::Defects => hear_defect(service, passed, bytes, now),
    }
}

fn hear_checkpoint(service: &Arc<Service>, passed: &Passed, bytes: &[u8], now: Instant) -> Verdict {
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
    // A log signs once: more lines of it would only cost time.
    if 1 < note.signatures().iter().filter(|line| line.is_of(&key)).count() {
        return Verdict::IGNORE;
    }
    if let Err(error) = note.checkpoint_of(&key) {
        return Verdict::reject(Fault::Forged, format!("a checkpoint: {error}"));
    }
    // What is true of the own log this node has told itself.
    if checkpoint.origin == service.config.origin && !elsewhere::shown(service, &note) {
        return Verdict::IGNORE;
    }
    let own = witness_key(&network, &checkpoint.origin);
    let witnesses = witnesses(&network, own.as_ref());
    let worth = passed.checkpoint(&witnesses, &note, &checkpoint, bytes.len(), now);
    if worth != Worth::Nothing && checkpoint.origin != service.config.origin {
        service.heard.note(&checkpoint.origin, bytes);
    }
    if worth == Worth::News { Verdict::ACCEPT } else { Verdict::IGNORE }
}

/// The witnesses that count for a log: those of the policy, and its own.
fn witnesses<'a>(network: &'a NetworkFile, own: Option<&'a VerifierKey>) -> Vec<&'a VerifierKey> {
    let policy = network.network().policy.witnesses();
    policy.iter().map(|witness| &witness.key).chain(own).collect()
}

/// The proof that these bytes are, and what it shows under the network file that is trusted here.
pub(crate) fn proved(service: &Service, bytes: &[u8]) -> Result<(Shown, DefectProof), Verdict> {
    let proof = DefectProof::parse(bytes)
        .map_err(|error| Verdict::reject(Fault::Malformed, format!("a proof: {error}")))?;
    if !crate::defect::may_be_gossiped(proof.claim()) {
        return Err(Verdict::IGNORE);
    }
    let trusted = DefectProof::new(&service.network(), proof.claim().clone());
    let shown = trusted.and_then(|trusted| Ok((trusted.verify()?, trusted)));
    shown.map_err(|error| {
        if proof.network().bytes() == service.network().bytes() {
            Verdict::reject(Fault::Forged, format!("a proof: {error}"))
        } else {
            Verdict::IGNORE
        }
    })
}

fn hear_defect(service: &Arc<Service>, passed: &Passed, bytes: &[u8], now: Instant) -> Verdict {
    let (shown, proof) = match proved(service, bytes) {
        Ok(proved) => proved,
        Err(verdict) => return verdict,
    };
    if !passed.proof(&shown.origin, proof.claim().word(), bytes.len(), now) {
        return Verdict::IGNORE;
    }
    match crate::defect::take_in(service, proof) {
        Ok(()) => Verdict::ACCEPT,
        Err(error) => {
            tracing::warn!(%error, "a defect proof of a peer is not kept");
            Verdict::IGNORE
        }
    }
}
