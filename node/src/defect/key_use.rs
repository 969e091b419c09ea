//! A recorded attestation whose key had ended before: with what introduced the key and ended it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::defect::{Claim, HISTORY_MAX, KeyUse, RecordedBody};
use hallmark_schemas::entry::Entry;
use hallmark_schemas::kind::Body;
use hallmark_schemas::layout::Data;
use hallmark_schemas::merkle::Hash;
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::SignedNote;
use hallmark_schemas::policy::{Policy, QuorumTime};
use hallmark_schemas::proof::LogProof;
use hallmark_schemas::time::Timestamp;

use crate::bundle::history;
use crate::core::{LogHandle, Node};
use crate::mirror::MirroredLog;
use crate::store::StoreError;

/// Keeps the proof that the entry was signed after its key's end, if it can be proved.
pub(crate) fn prove(
    node: &Node,
    network: &NetworkFile,
    data: &Data,
    log: &Arc<MirroredLog>,
    index: u64,
) -> Result<Option<PathBuf>, StoreError> {
    let entry = log.entries(index..index + 1)?[0];
    let Some(body) = log.body(&entry.id)? else { return Ok(None) };
    let Ok(envelope) = Envelope::parse(&body) else { return Ok(None) };
    let Some(end) = node.keys().ended_by(&envelope.signer()) else { return Ok(None) };
    let policy = &network.network().policy;
    let ids = leads_to(node, &envelope, end)?;
    let Some(history) = recorded(node, policy, data, ids)? else { return Ok(None) };
    let place = InLog::Peer(log.clone(), data.peer(log.origin()));
    let Some(proof) = place.proof(index, &entry, policy)? else { return Ok(None) };
    let before = place.newest_without(index, policy)?;
    let act = RecordedBody::new(&body, &proof);
    log.keep_defect(Claim::KeyOutsideTime(Box::new(KeyUse { act, before, history })))
}

/// The attestations that introduced the key, those that they rest on, and the one that ended it.
fn leads_to(
    node: &Node,
    act: &Envelope,
    end: ContentId,
) -> Result<BTreeSet<ContentId>, StoreError> {
    let keys = node.keys();
    let mut wanted = keys.introduced_by(&act.signer());
    wanted.push(end);
    let mut ids = BTreeSet::new();
    while let Some(id) = wanted.pop() {
        if HISTORY_MAX < ids.len() || !ids.insert(id) {
            continue;
        }
        let body = node.body(&id)?;
        if let Some(envelope) = body.and_then(|body| Envelope::parse(&body).ok()) {
            wanted.extend(keys.introduced_by(&envelope.signer()));
            if let Body::Key(key) = envelope.body() {
                wanted.extend(keys.introduced_by(&key.replaces_key));
            }
        }
    }
    Ok(ids)
}

/// Each with the proof over the oldest checkpoint that has it, in the order of their times; `None`
/// if one is not held here.
fn recorded(
    node: &Node,
    policy: &Policy,
    data: &Data,
    ids: BTreeSet<ContentId>,
) -> Result<Option<Vec<RecordedBody>>, StoreError> {
    let mut found: Vec<(Timestamp, u64, RecordedBody)> = Vec::new();
    for id in ids {
        let Some(body) = node.body(&id)? else { return Ok(None) };
        let mut best: Option<(Timestamp, u64, RecordedBody)> = None;
        for place in node.places(&id)? {
            let Some(log) = InLog::of(node, data, &place.origin) else { continue };
            let Some(proof) = log.proof(place.index, &place.entry, policy)? else { continue };
            let at = match policy.quorum_met(proof.checkpoint()) {
                Ok(Some(QuorumTime::At(at))) => at,
                _ => place.entry.admitted_at,
            };
            if best.as_ref().is_none_or(|(earlier, ..)| at < *earlier) {
                best = Some((at, place.index, RecordedBody::new(&body, &proof)));
            }
        }
        let Some(best) = best else { return Ok(None) };
        found.push(best);
    }
    found.sort_by_key(|(at, index, _)| (*at, *index));
    Ok(Some(found.into_iter().map(|(.., body)| body).collect()))
}

/// A log that is held here.
enum InLog<'a> {
    Own(&'a LogHandle, &'a Data),
    Peer(Arc<MirroredLog>, Data),
}

impl InLog<'_> {
    fn of<'a>(node: &'a Node, data: &'a Data, origin: &str) -> Option<InLog<'a>> {
        if node.log().origin() == origin {
            return Some(InLog::Own(node.log(), data));
        }
        Some(InLog::Peer(node.mirror().log(origin)?, data.peer(origin)))
    }

    fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        match self {
            InLog::Own(log, _) => log.inclusion_proof(index, size),
            InLog::Peer(log, _) => log.inclusion_proof(index, size),
        }
    }

    /// Calls `look` with each checkpoint that a quorum had seen, oldest first, until it says stop.
    fn each(
        &self,
        policy: &Policy,
        mut look: impl FnMut(u64, SignedNote) -> bool,
    ) -> Result<(), StoreError> {
        let data = match self {
            InLog::Own(_, data) => data,
            InLog::Peer(_, data) => data,
        };
        history::each(data, &mut |bytes| {
            let Ok(note) = SignedNote::parse(bytes) else { return true };
            let Ok(state) = note.checkpoint() else { return true };
            match policy.quorum_met(&note) {
                Ok(Some(_)) => look(state.size, note),
                _ => true,
            }
        })
    }

    /// Over the oldest checkpoint that has the entry.
    fn proof(
        &self,
        index: u64,
        entry: &Entry,
        policy: &Policy,
    ) -> Result<Option<LogProof>, StoreError> {
        let mut found = None;
        self.each(policy, |size, note| {
            if index < size {
                found = Some((size, note));
            }
            found.is_none()
        })?;
        let Some((size, note)) = found else { return Ok(None) };
        let path = self.inclusion(index, size)?;
        Ok(Some(LogProof::new(entry, index, path, note)))
    }

    /// The newest checkpoint without the entry.
    fn newest_without(&self, index: u64, policy: &Policy) -> Result<Option<String>, StoreError> {
        let mut found = None;
        self.each(policy, |size, note| {
            let is_before = size <= index;
            if is_before && 0 < size {
                found = Some(note.to_string());
            }
            is_before
        })?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::core::OpenOptions;
    use crate::core::testing::{
        NOW, device_with, facility, joined, key, log_signer, origin, readings, witnessed,
    };
    use crate::index::engine::Engine;
    use crate::mirror::tests::Source;
    use hallmark_schemas::attestation::{Claims, Draft, sign};
    use hallmark_schemas::audience::Audience;
    use hallmark_schemas::defect::DefectProof;
    use hallmark_schemas::layout::Dir;

    /// A follower of the log of these bodies, each under a checkpoint of its own, some seconds apart;
    /// with the proofs that it keeps, and whether it tells them to every member.
    fn follows(bodies: Vec<Envelope>) -> Vec<(String, bool)> {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::new(folder.path());
        let own = "test/gln-9506000134352/2".to_owned();
        crate::core::create(&dir, &dir.data(), &own).unwrap();
        let network = joined(witnessed());
        let options = OpenOptions {
            dir: dir.clone(),
            data: dir.data(),
            origin: own,
            log_signer: log_signer(),
            network: network.clone(),
            regions: vec!["CN".parse().unwrap()],
            engine: Engine::default(),
            batch_wait_max: Duration::from_millis(5),
            clock: Arc::new(|| NOW),
        };
        let (node, writer) = Node::open(options).unwrap();
        let key = network.network().member_of_origin(&origin()).unwrap().log_key.clone();
        let log = node.mirror().follow(key).unwrap();
        let source = Source::with_times(bodies, 10_000);
        for size in 1..=source.bodies.len() as u64 {
            source.feed(&log, size).unwrap();
        }
        log.put_bodies(&source.bodies).unwrap();
        for index in log.take_late_keys() {
            prove(&node, &network, &dir.data(), &log, index).unwrap();
        }
        let open = log.defects().unwrap().into_iter().map(|path| {
            let proof = DefectProof::parse(&std::fs::read(path).unwrap()).unwrap();
            crate::defect::may_be_gossiped(proof.claim())
        });
        let shown = log.shown_defects().into_iter().zip(open).collect();
        drop((log, node));
        writer.stop();
        shown
    }

    #[test]
    fn a_reading_under_the_meters_old_key_is_proved_with_all_that_leads_to_it() {
        let first = [device_with(4), readings(1, 5), device_with(60)];
        let after = first.into_iter().chain([facility(1, "plant", 0), readings(2, 7)]);
        let shown = follows(after.collect());
        assert_eq!(shown.len(), 1, "{shown:?}");
        let (told, is_open) = &shown[0];
        assert!(told.starts_with("key_outside_time: entry 4 of "), "{told}");
        assert!(is_open, "all of it is public");
    }

    /// A late batch of the meter's old key for these readers.
    fn late_for(change: impl Fn(&mut Claims)) -> Envelope {
        let made = readings(2, 7);
        let mut claims = made.claims().clone();
        change(&mut claims);
        sign(Draft { claims, body: made.body().clone() }, [0; 16], &key(4)).unwrap()
    }

    #[test]
    fn a_proof_with_a_body_for_some_members_or_regions_is_kept_and_told_to_nobody() {
        let named = Audience::named(["urn:hallmark:org:gln:9521234000013".parse().unwrap()]);
        let late = [
            (late_for(|claims| claims.aud = Audience::Members), true),
            (late_for(|claims| claims.aud = named.clone().unwrap()), false),
            (late_for(|claims| claims.regions = vec!["CN".parse().unwrap()]), false),
        ];
        for (late, is_told) in late {
            let claims = late.claims().clone();
            let first = [device_with(4), readings(1, 5), device_with(60), facility(1, "plant", 0)];
            let shown = follows(first.into_iter().chain([late]).collect());
            assert_eq!(shown.len(), 1, "{claims:?}: {shown:?}");
            assert_eq!(shown[0].1, is_told, "{claims:?}");
        }
    }

    #[test]
    fn readings_before_the_next_key_or_right_after_it_are_no_defect() {
        let close = [device_with(4), readings(1, 5), device_with(60), readings(2, 7)];
        assert!(follows(close.to_vec()).is_empty());
    }
}
