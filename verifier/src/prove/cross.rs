//! What attestations say about one another: forks, chains, citations.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::id::{DeviceId, OrgId, Subject};
use hallmark_schemas::identity::NaturalIdentity;
use hallmark_schemas::key::KeyId;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::readings::Readings;

use hallmark_schemas::time::Timestamp;

use super::bodies::Doubted;
use super::erased::Erased;
use super::log::LogState;
use crate::evidence::{Defect, DefectKind, Evidence, ProvenAttestation, Refused};
use crate::step::Step;

/// A defect of one proven attestation.
fn defect(of: &ProvenAttestation, kind: DefectKind, detail: String) -> Defect {
    let attestation = &of.attestation;
    Defect {
        log: Some(of.origin.clone()),
        entry: Some(of.entry),
        kind,
        subject: attestation.claims().sub.to_string(),
        cites: vec![attestation.id()],
        detail,
        at: Some(of.time.hi),
        remedy: None,
        proof: None,
        step: kind.step(),
    }
}

/// Keeps each content id once, where the lowest (log, entry) has it.
pub(super) fn once_each(mut attestations: Vec<ProvenAttestation>) -> Vec<ProvenAttestation> {
    attestations.sort_by(|one, other| (&one.origin, one.entry).cmp(&(&other.origin, other.entry)));
    let mut seen = BTreeSet::new();
    attestations.retain(|proven| seen.insert(proven.attestation.id()));
    attestations
}

/// Two contents under one natural identity. An event that declares its own error is none; where the
/// issuer has since corrected one of them, or declared that event to be in error, that is said.
pub(super) fn forks(attestations: &[ProvenAttestation], defects: &mut Vec<Defect>) {
    let corrections = corrections(attestations);
    let mut first: BTreeMap<NaturalIdentity, (&ProvenAttestation, [u8; 32])> = BTreeMap::new();
    for proven in attestations {
        if declares_error(proven) {
            continue;
        }
        let envelope = proven.attestation.envelope();
        let digest = envelope.content_digest();
        let (earlier, known) = first.entry(envelope.identity()).or_insert((proven, digest));
        if *known != digest {
            let detail = format!(
                "{} says something else under the identity of {}",
                proven.attestation.id(),
                earlier.attestation.id()
            );
            let mut fork = defect(proven, DefectKind::Fork, detail);
            fork.cites.push(earlier.attestation.id());
            let issuer = &proven.attestation.claims().iss;
            let of_either = fork.cites.iter().filter_map(|id| corrections.get(&(*id, issuer)));
            // What was corrected before it was contradicted was not corrected for that.
            let since = proven.time.hi.max(earlier.time.hi);
            if let Some((_, id)) = of_either.flatten().find(|(at, _)| since <= *at) {
                fork.kind = DefectKind::ForkCorrected;
                fork.cites.push(*id);
            }
            fork.cites.sort();
            defects.push(fork);
        }
    }
}

/// Events that contradict an earlier one of the same log, which the log took as evidence of that and of
/// nothing else, each with the one that stands; one that declares its own error is none. Batches under
/// one sequence are no such case: rules compare what they say.
pub(super) fn refused(attestations: &[ProvenAttestation]) -> Vec<Refused> {
    let mut standing: BTreeMap<(&str, NaturalIdentity), (ContentId, [u8; 32])> = BTreeMap::new();
    let mut refused = Vec::new();
    for proven in attestations.iter().filter(|proven| !declares_error(proven)) {
        let envelope = proven.attestation.envelope();
        if !matches!(envelope.body(), Body::Event(_)) {
            continue;
        }
        let own = (proven.attestation.id(), envelope.content_digest());
        let first = standing.entry((&proven.origin, envelope.identity())).or_insert(own);
        if first.1 != own.1 {
            refused.push(Refused {
                id: own.0,
                issuer: proven.attestation.claims().iss.clone(),
                log: proven.origin.clone(),
                entry: proven.entry,
                standing: first.0,
            });
        }
    }
    refused
}

fn declares_error(proven: &ProvenAttestation) -> bool {
    let envelope = proven.attestation.envelope();
    matches!(envelope.body(), Body::Event(event) if event.fields().error.is_some())
}

/// By what was corrected and who may correct it: when that became part of a log, and the correction.
type Corrections<'a> = BTreeMap<(ContentId, &'a OrgId), Vec<(Timestamp, ContentId)>>;

fn corrections(attestations: &[ProvenAttestation]) -> Corrections<'_> {
    let mut corrections = Corrections::new();
    let mut declared: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for proven in attestations {
        let attestation = &proven.attestation;
        let (iss, this) = (&attestation.claims().iss, (proven.time.hi, attestation.id()));
        if let Some(replaced) = attestation.body().replaces() {
            corrections.entry((replaced, iss)).or_default().push(this);
        }
        match attestation.body() {
            Body::Event(event) if event.fields().error.is_some() => {
                declared.entry((event.fields().identity(), iss)).or_default().push(this);
            }
            _ => {}
        }
    }
    for proven in attestations {
        let attestation = &proven.attestation;
        let iss = &attestation.claims().iss;
        if let Body::Event(event) = attestation.body()
            && let Some(errors) = declared.get(&(event.fields().identity(), iss))
        {
            corrections.entry((attestation.id(), iss)).or_default().extend(errors);
        }
    }
    corrections
}

/// A batch names the content id of the batch with the sequence number before its own.
pub(super) fn chains(attestations: &[ProvenAttestation], defects: &mut Vec<Defect>) {
    type Batch<'a> = (&'a ProvenAttestation, &'a Readings);
    let mut devices: BTreeMap<&DeviceId, BTreeMap<u64, Vec<Batch<'_>>>> = BTreeMap::new();
    for proven in attestations {
        if let (Body::Readings(readings), Subject::Device(device)) =
            (proven.attestation.body(), &proven.attestation.claims().sub)
        {
            let batches = devices.entry(device).or_default();
            batches.entry(readings.sequence).or_default().push((proven, readings));
        }
    }
    for batches in devices.values() {
        for (sequence, batch) in batches {
            let before = sequence.checked_sub(1).and_then(|before| batches.get(&before));
            let before = before.map(|all| {
                all.iter().map(|(proven, _)| proven.attestation.id()).collect::<BTreeSet<_>>()
            });
            for (proven, readings) in batch {
                let holds = match (&before, readings.previous) {
                    (Some(before), Some(previous)) => before.contains(&previous),
                    (Some(_), None) => false,
                    // Batches arrive in any order; a gap is for the rules.
                    (None, _) => true,
                };
                if !holds {
                    let detail = format!("batch {sequence} does not name batch {}", sequence - 1);
                    let mut broken = defect(proven, DefectKind::BadChain, detail);
                    broken.cites.extend(before.iter().flatten());
                    broken.cites.sort();
                    defects.push(broken);
                }
            }
        }
    }
}

/// Bodies that a whole log must hold, those that proofs are of, and those that proven attestations
/// rest on.
pub(super) fn citations(
    attestations: &[ProvenAttestation],
    logs: &[LogState],
    (evidence, erased): (&Evidence, &Erased<'_>),
    defects: &mut Vec<Defect>,
) {
    let known: BTreeSet<&ContentId> = evidence.bodies.ids().collect();
    for log in logs.iter().filter(|log| log.whole) {
        let is_lost = |id: &ContentId| !known.contains(id) && !erased.has(&log.origin, id);
        for (index, entry) in log.entries.iter().filter(|(_, entry)| is_lost(&entry.id)) {
            let (kind, detail) = match evidence.torn.is_empty() {
                true => (DefectKind::Withheld, format!("the body of entry {index} is missing")),
                false => (
                    DefectKind::BadBody,
                    format!(
                        "the body of entry {index} is lost; damaged are {}",
                        evidence.torn.join(", ")
                    ),
                ),
            };
            defects.push(log.defect_at(*index, kind, entry.id, detail));
        }
    }
    for log in logs {
        let is_lost = |id: &ContentId| !known.contains(id) && !erased.has(&log.origin, id);
        // A log that must hold every body was looked at above.
        let claimed = log.claimed(&evidence.damaged).filter(|_| !log.whole);
        let lone = log.single().chain(claimed).filter(|(_, entry)| is_lost(&entry.id));
        for (index, entry) in lone {
            defects.push(lone_loss(log, index, entry.id, evidence));
        }
    }
    for proven in attestations {
        for cited in proven.attestation.body().cites() {
            if !known.contains(cited) && !erased.has_anywhere(cited) {
                let detail = format!("rests on {cited}, which is not at hand");
                let mut withheld = defect(proven, DefectKind::Withheld, detail);
                withheld.cites.push(*cited);
                withheld.step = Some(Step::Cited);
                defects.push(withheld);
            }
        }
    }
}

/// A body that a proof of its entry speaks of and that is not here.
fn lone_loss(log: &LogState, index: u64, id: ContentId, evidence: &Evidence) -> Defect {
    let (kind, detail) = match evidence.damaged.get(&id) {
        Some(held) => (
            DefectKind::BadBody,
            format!("entry {index} is proved here; what is kept as its body is that of {held}"),
        ),
        None => {
            (DefectKind::Withheld, format!("entry {index} is proved here, and its body is missing"))
        }
    };
    log.defect_at(index, kind, id, detail)
}

/// A bundle's bodies must stand in a log or have a receipt. One whose receipt cannot be checked, as
/// the log's key is not at hand, or whose signature cannot, may stand in it; so may any where of a
/// log parts are missing.
pub(super) fn unlogged(
    evidence: &Evidence,
    logs: &[LogState],
    attestations: &[ProvenAttestation],
    defects: &mut Vec<Defect>,
) {
    let mut unlogged = evidence.carried.clone();
    let entries = logs.iter().flat_map(|log| log.entries.iter().map(|(_, entry)| entry.id));
    let single = logs.iter().flat_map(LogState::single).map(|(_, entry)| entry.id);
    let unchecked = logs.iter().flat_map(|log| log.inclusions.iter().map(|one| one.entry.id));
    let said = single.chain(unchecked);
    for id in attestations.iter().map(|proven| proven.attestation.id()).chain(entries).chain(said) {
        unlogged.remove(&id);
    }
    // Of a body whose proof does not hold, that was said already.
    let told = defects.iter().filter(|defect| defect.kind == DefectKind::BadProof);
    for id in told.flat_map(|defect| &defect.cites) {
        unlogged.remove(id);
    }
    let Some(first) = unlogged.first() else { return };
    let defect = |kind: DefectKind, id: &ContentId, detail| Defect {
        log: None,
        entry: None,
        kind,
        subject: id.to_string(),
        cites: vec![*id],
        detail,
        at: None,
        remedy: None,
        proof: None,
        step: DefectKind::Unlogged.step(),
    };
    if logs.iter().any(LogState::is_partial) {
        let detail = format!(
            "checkpoints or entries are missing in which these records could stand: {}, the first \
             {first}",
            unlogged.len()
        );
        defects.push(defect(DefectKind::Withheld, first, detail));
        return;
    }
    for id in &unlogged {
        let detail = format!("{id} stands in none of the logs at hand");
        defects.push(defect(DefectKind::Unlogged, id, detail));
    }
}

/// Remarks for the reader.
pub(super) fn notes(
    attestations: &[ProvenAttestation],
    doubted: &BTreeMap<KeyId, Doubted>,
) -> Vec<String> {
    let mut counts = super::Counts::new();
    for proven in attestations.iter().filter(|proven| proven.attestation.in_doubt()) {
        let kid = proven.attestation.envelope().signer();
        let doubt = doubted.get(&kid).copied().unwrap_or_default();
        let revoked = doubt.revoked.filter(|since| *since <= proven.time.hi);
        let origin = &proven.origin;
        let why = match (revoked, doubt.enrolled) {
            (Some(since), _) => format!(
                "{origin}: attestations in doubt, as the key {kid} was revoked and may have been \
                 another's since {since}"
            ),
            (None, Some((by, since))) => format!(
                "{origin}: attestations in doubt, as the key {kid} was enrolled under the key {by}, \
                 which was revoked and may have been another's since {since}"
            ),
            (None, None) => format!(
                "{origin}: attestations of which it is in doubt whether the key was in force, as no \
                 checkpoint at hand lies between the two"
            ),
        };
        *counts.entry(why).or_default() += 1;
    }
    counts.into_iter().map(|(why, count)| format!("{why}: {count}")).collect()
}
