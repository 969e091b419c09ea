//! Bodies: parsed on all cores, keys learnt in the order of the logs, signatures checked on all
//! cores.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_schemas::attestation::{ContentId, Envelope, Refusal, Verified};
use hallmark_schemas::entry::Entry;
use hallmark_schemas::history::KeyHistory;
use hallmark_schemas::key::KeyId;
use hallmark_schemas::kind::KindName;
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::VerifierKey;
use hallmark_schemas::time::{EntryTime, Timestamp};

use super::log::LogState;
use super::network::Policies;
use crate::evidence::{Bodies, Defect, DefectKind, Evidence, Held, ProvenAttestation, chain};
use crate::step::Step;
use crate::watch::{Counter, Stage, Watch};

/// A log whose key neither the network file nor an attestation tells.
const NO_LOG_KEY: &str = "give a newer network file, which any node of the network serves as \
                          /network.hallmark, or a bundle with the registrars' logs, `hallmark-node \
                          export DIR -o FILE.hallmark`: its organisation may have been admitted since";

/// One entry whose body came along.
#[derive(Debug)]
pub(super) struct Parsed {
    /// Number of the log.
    pub(super) log: usize,
    /// Index of the entry in it.
    pub(super) entry: u64,
    /// What the entry says of its time.
    pub(super) admitted_at: Timestamp,
    /// The body; absent if it is erased or damaged.
    pub(super) envelope: Option<Box<Envelope>>,
}

/// What came through.
pub(super) struct Stood {
    pub(super) attestations: Vec<ProvenAttestation>,
    /// (log, entry) whose body is at hand, proven or not.
    pub(super) held: BTreeSet<(usize, u64)>,
    /// Signatures with keys that nothing at hand introduces, counted by key.
    pub(super) keys_unknown: BTreeMap<KeyId, u64>,
    /// Keys that signed some of what is in doubt, and how each came to be so.
    pub(super) doubted: BTreeMap<KeyId, Doubted>,
}

/// Since when a key may have been another's.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Doubted {
    /// Since then, because it was revoked.
    pub(super) revoked: Option<Timestamp>,
    /// From its enrolment, which this key signed after it may have been another's, since then.
    pub(super) enrolled: Option<(KeyId, Timestamp)>,
}

/// Reads and parses the body of every entry.
pub(super) fn parse(
    logs: &[LogState],
    evidence: &Evidence,
    watch: &dyn Watch,
    defects: &mut Vec<Defect>,
) -> Vec<Parsed> {
    let places = logs
        .iter()
        .enumerate()
        .flat_map(|(number, log)| log.places().map(move |(index, entry)| (number, index, entry)))
        // Of a million entries only few may have a body here.
        .filter(|(_, _, entry)| evidence.bodies.knows(&entry.id));
    let places: Vec<_> = places.collect();
    let counter = Counter::new(watch, Stage::Bodies, places.len());
    let read = super::on_all_cores(places, |(log, index, entry)| {
        counter.one();
        (log, index, entry, read_one(evidence, &entry))
    });
    let mut parsed = Vec::new();
    for (number, index, entry, result) in read {
        let log = &logs[number];
        let envelope = match result {
            Ok(envelope) => envelope,
            Err(detail) => {
                defects.push(log.defect_at(index, DefectKind::BadBody, entry.id, detail));
                None
            }
        };
        if let Some(envelope) = &envelope {
            let signed = envelope.claims().aud.byte();
            if signed != entry.audience {
                let detail = format!(
                    "entry {index} says audience {}, its body was signed for {signed}",
                    entry.audience
                );
                defects.push(log.defect_at(index, DefectKind::BadAudience, entry.id, detail));
            }
        }
        parsed.push(Parsed { log: number, entry: index, admitted_at: entry.admitted_at, envelope });
    }
    parsed
}

fn read_one(evidence: &Evidence, entry: &Entry) -> Result<Option<Box<Envelope>>, String> {
    let body = match evidence.bodies.get(&entry.id) {
        Ok(Held::Bytes(body)) => body,
        Ok(Held::Erased | Held::Missing) => return Ok(None),
        Err(error) => return Err(format!("the body cannot be read: {error}")),
    };
    let envelope = Envelope::parse(&body).map_err(|error| chain(&error))?;
    if envelope.id() != entry.id {
        return Err(format!("the body stored as {} is that of {}", entry.id, envelope.id()));
    }
    Ok(Some(Box::new(envelope)))
}

/// Learns keys until nothing new comes, then checks every other signature.
pub(super) fn verify(
    known: Known<'_>,
    logs: &mut [LogState],
    parsed: Vec<Parsed>,
    defects: &mut Vec<Defect>,
) -> Stood {
    let mut history = KeyHistory::new(known.root);
    let held = parsed.iter().filter(|one| one.envelope.is_some());
    let held = held.map(|one| (one.log, one.entry)).collect();
    let (mut identity, mut others) = (Vec::new(), Vec::new());
    for one in parsed {
        if let Some(envelope) = one.envelope {
            let place = (one.log, one.entry);
            match brings_keys(envelope.kind()) {
                true => identity.push((place, envelope)),
                false => others.push((place, envelope)),
            }
        }
    }
    // Who was registrar when is asked of everything else that brings keys.
    identity.sort_by_key(|(_, envelope)| envelope.kind() != KindName::Network);
    let (mut verified, mut rejected) = learn(known, logs, identity, &mut history, defects);
    let logs = &*logs;
    for log in logs.iter().filter(|log| log.key.is_none()) {
        let detail = "nothing at hand says which key signs this log".to_owned();
        let (step, remedy) = (DefectKind::BadProof.step(), Some(NO_LOG_KEY));
        defects.push(Defect { step, remedy, ..log.defect(DefectKind::Withheld, detail) });
        log.leave_undated(defects);
    }
    others.retain(|((log, entry), envelope)| logs[*log].proves(*entry, envelope.id()));
    let watch = known.watch;
    let counter = Counter::new(watch, Stage::Signatures, others.len());
    let checked = super::on_all_cores(others, |(place, envelope)| {
        let time = time_of(logs, place);
        let id = envelope.id();
        let held_before = watch.has_held(&id);
        let verified = envelope.verify_unless(&history, time, held_before);
        if verified.is_ok() && !held_before {
            watch.holds(&id);
        }
        counter.one();
        (place, id, verified)
    });
    for (place, id, result) in checked {
        match result {
            Ok(attestation) => {
                verified.insert(place, attestation);
            }
            Err(refusal) => rejected.push(Rejected { place, id, refusal }),
        }
    }
    take_copies(logs, &mut verified, &mut rejected);
    let mut keys_unknown = BTreeMap::new();
    for Rejected { place: (log, entry), id, refusal } in rejected {
        if let Refusal::KeyUnknown { kid } = refusal {
            *keys_unknown.entry(kid).or_default() += 1;
        }
        let detail = chain(&refusal);
        defects.push(refused(&logs[log], entry, id, &refusal, detail));
    }
    let proven = |((log, entry), attestation): (Place, Verified)| ProvenAttestation {
        origin: logs[log].origin.clone(),
        entry,
        time: time_of(logs, (log, entry)),
        attestation,
    };
    let doubted = doubted(verified.values(), &history);
    let attestations = verified.into_iter().map(proven).collect();
    Stood { attestations, held, keys_unknown, doubted }
}

/// What a log records again after its key has ended stands as it does where it was recorded before:
/// a member that is behind takes it from another before it learns of the end.
fn take_copies(
    logs: &[LogState],
    verified: &mut BTreeMap<Place, Verified>,
    rejected: &mut Vec<Rejected>,
) {
    let sought = rejected.iter().filter(|one| one.key_has_ended()).map(|one| one.id);
    let sought: BTreeSet<_> = sought.collect();
    if sought.is_empty() {
        return;
    }
    let mut stands: BTreeMap<ContentId, (Timestamp, Verified)> = BTreeMap::new();
    for (place, attestation) in verified.iter() {
        let (id, hi) = (attestation.id(), time_of(logs, *place).hi);
        if sought.contains(&id) && stands.get(&id).is_none_or(|(earliest, _)| hi < *earliest) {
            stands.insert(id, (hi, attestation.clone()));
        }
    }
    rejected.retain(|one| {
        let stands = stands.get(&one.id).filter(|_| one.key_has_ended());
        let copied = stands.filter(|(hi, _)| *hi <= time_of(logs, one.place).hi);
        if let Some((_, attestation)) = copied {
            verified.insert(one.place, attestation.clone());
        }
        copied.is_none()
    });
}

/// How the keys came into doubt that signed what is in doubt.
fn doubted<'a>(
    verified: impl Iterator<Item = &'a Verified>,
    history: &KeyHistory,
) -> BTreeMap<KeyId, Doubted> {
    let kids = verified.filter(|one| one.in_doubt()).map(|one| one.envelope().signer());
    let kids: BTreeSet<_> = kids.collect();
    let doubted = |kid| {
        let (revoked, enrolled) = (history.revoked_since(&kid), history.enrolled_in_doubt(&kid));
        (kid, Doubted { revoked, enrolled })
    };
    kids.into_iter().map(doubted).collect()
}

/// What proving bodies and dating their logs rests on.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) root: &'a NetworkFile,
    pub(super) policies: &'a Policies,
    pub(super) bodies: &'a Bodies,
    pub(super) watch: &'a dyn Watch,
}

type Place = (usize, u64);

/// A body that does not count where it is recorded.
struct Rejected {
    place: Place,
    id: ContentId,
    refusal: Refusal,
}

impl Rejected {
    fn key_has_ended(&self) -> bool {
        matches!(self.refusal, Refusal::KeyNotInForce { .. })
    }
}

/// A body that does not count. One whose key nobody introduced lacks what would say whose it is.
fn refused(log: &LogState, index: u64, id: ContentId, refusal: &Refusal, detail: String) -> Defect {
    let defect = log.defect_at(index, kind_of(refusal), id, detail);
    let step = match refusal {
        Refusal::KeyUnknown { .. } => Some(Step::Key),
        _ => defect.step,
    };
    Defect { step, ..defect }
}

const fn brings_keys(kind: KindName) -> bool {
    use KindName::{Device, Genesis, Key, Network, Organisation, Revocation};
    matches!(kind, Genesis | Network | Organisation | Key | Device | Revocation)
}

fn time_of(logs: &[LogState], (log, index): Place) -> EntryTime {
    let entry = logs[log].entry(index).expect("only proven entries have a place");
    logs[log].time(index, entry)
}

/// Dates logs as their keys become known and learns from them, in their order, until neither
/// brings anything new: what counts, and what does not.
fn learn(
    known: Known<'_>,
    logs: &mut [LogState],
    mut waiting: Vec<(Place, Box<Envelope>)>,
    history: &mut KeyHistory,
    defects: &mut Vec<Defect>,
) -> (BTreeMap<Place, Verified>, Vec<Rejected>) {
    let mut verified = BTreeMap::new();
    loop {
        let mut progress = false;
        for log in logs.iter_mut().filter(|log| log.key.is_none()) {
            if let Some(key) = log_key(known.root, history, &log.origin) {
                log.date(&key, known.policies, known.bodies, defects);
                progress = true;
            }
        }
        let mut still = Vec::new();
        for (place, envelope) in waiting {
            if !logs[place.0].proves(place.1, envelope.id()) {
                still.push((place, envelope));
                continue;
            }
            let time = time_of(logs, place);
            match (*envelope).clone().verify(history, time) {
                Ok(attestation) => {
                    progress = true;
                    if let Err(fault) = history.learn(&attestation, time) {
                        let (log, detail) = (&logs[place.0], fault.to_string());
                        let kind = DefectKind::KeyNotInForce;
                        defects.push(log.defect_at(place.1, kind, attestation.id(), detail));
                    }
                    verified.insert(place, attestation);
                }
                Err(_) => still.push((place, envelope)),
            }
        }
        waiting = still;
        if !progress {
            break;
        }
    }
    // What was learnt after it may say more of the time of its key.
    for (place, attestation) in &mut verified {
        let again = attestation.envelope().clone();
        if let Ok(again) = again.verify_unless(history, time_of(logs, *place), true) {
            *attestation = again;
        }
    }
    let mut rejected = Vec::new();
    for (place, envelope) in waiting {
        let id = envelope.id();
        if logs[place.0].proves(place.1, id)
            && let Err(refusal) = envelope.verify(history, time_of(logs, place))
        {
            rejected.push(Rejected { place, id, refusal });
        }
    }
    (verified, rejected)
}

fn log_key(root: &NetworkFile, history: &KeyHistory, origin: &str) -> Option<VerifierKey> {
    if let Some(key) = root.network().log_key(origin) {
        return Some(key.clone());
    }
    let mut nodes = history.organisations().filter_map(|(_, record)| record.node.as_ref());
    nodes.find(|node| node.origin == origin).map(|node| node.log.clone())
}

fn kind_of(refusal: &Refusal) -> DefectKind {
    match refusal {
        Refusal::BadSignature(_) => DefectKind::BadSignature,
        Refusal::KeyUnknown { .. } => DefectKind::Withheld,
        Refusal::KeyNotInForce { .. }
        | Refusal::IssuerMismatch { .. }
        | Refusal::SignerNotAllowed { .. } => DefectKind::KeyNotInForce,
        Refusal::RoleMissing { .. } | Refusal::NotRevoked { .. } => DefectKind::RoleMissing,
        Refusal::Contradicted { .. } => DefectKind::Fork,
        _ => DefectKind::BadBody,
    }
}
