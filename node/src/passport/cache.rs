//! Passports kept for as long as nothing that they rest on has changed.
//!
//! Invariants: what is kept is dropped with the next checkpoint of any log held here and with the
//! next judgement, and is never older than [`AGE_MS_MAX`], because dates pass and files rot; the
//! memory is bounded; whether what is held is stale is decided anew for each answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hallmark_schemas::hex;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::time::Timestamp;
use sha2::{Digest, Sha256};

use super::State;
use super::code::{Code, bundle_path};
use super::decide::{Facts, decide};
use super::findings;
use super::fold::{Given, fold, places};
use super::gather::{Gatherer, party};
use super::issuance::issuance;
use super::named;
use super::view::Passport;
use crate::config;
use crate::core::Node;
use crate::judge::Judged;
use crate::labels::Ledger;
use crate::peers::address::AddressBook;
use crate::store::StoreError;

/// Most passports that are kept: about 10 kB each.
const KEPT_MAX: usize = 4096;
/// Longest age of one that is kept.
const AGE_MS_MAX: i64 = 60_000;

/// What passports are made from.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The logs.
    pub node: &'a Node,
    /// Whose node it is.
    pub org: &'a OrgId,
    /// `[passport]`
    pub settings: &'a config::Passport,
    /// What is known of codes.
    pub labels: &'a Ledger,
    /// The newest judgement.
    pub judged: &'a Judged,
    /// Where the nodes of others are.
    pub addresses: &'a AddressBook,
}

/// What a passport is kept under: the goods, and what their print says beside.
type Key = String;

struct Kept {
    passport: Passport,
    facts: Facts,
    /// The oldest checkpoint that it rests on.
    checked: Option<Timestamp>,
    gathered_at: Timestamp,
}

/// The passports of a node.
#[derive(Default)]
pub struct Passports {
    /// What is kept, and the evidence that it holds for.
    kept: Mutex<(String, HashMap<Key, Arc<Kept>>)>,
}

impl Passports {
    /// A passport that is kept, and the name of the evidence it rests on.
    pub fn known(
        &self,
        source: &Source<'_>,
        code: &Code,
        now: Timestamp,
    ) -> Option<(Passport, String)> {
        let stamp = stamp_of(source);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = (kept.0 == stamp).then(|| kept.1.get(&key_of(code)).cloned()).flatten();
        drop(kept);
        let found = found.filter(|kept| now.ms_since(kept.gathered_at) < AGE_MS_MAX)?;
        Some((found.passport_at(source.settings, now), stamp))
    }

    /// Gathers a passport anew. Blocks.
    pub fn gather(
        &self,
        source: &Source<'_>,
        code: &Code,
        now: Timestamp,
    ) -> Result<(Passport, String), StoreError> {
        // Named before anything is read: what changes meanwhile makes it dropped, not wrong.
        let stamp = stamp_of(source);
        let made = Arc::new(make(source, code, now)?);
        let passport = made.passport_at(source.settings, now);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.0 != stamp || KEPT_MAX <= kept.1.len() {
            *kept = (stamp.clone(), HashMap::new());
        }
        kept.1.insert(key_of(code), made);
        Ok((passport, stamp))
    }
}

impl Kept {
    fn passport_at(&self, settings: &config::Passport, now: Timestamp) -> Passport {
        let stale_ms = i64::try_from(settings.stale_after.as_millis());
        let stale_ms = stale_ms.unwrap_or(i64::MAX);
        let is_stale = self.checked.is_none_or(|checked| stale_ms < now.ms_since(checked));
        let facts = Facts { is_stale, ..self.facts.clone() };
        let mut passport = Passport { state: decide(&facts), ..self.passport.clone() };
        if facts.is_vouched_for() {
            passport.elsewhere = None;
        }
        if passport.state != State::Broken {
            return passport;
        }
        // Where a record does not hold, nothing is shown as if the others could be relied on.
        let (certificates, journey, footprints, idle_recalls) = Default::default();
        Passport { certificates, journey, footprints, idle_recalls, ended: None, ..passport }
    }
}

fn key_of(code: &Code) -> Key {
    format!("{} {:?} {:?}", code.goods, code.lot, code.link)
}

/// Names everything that a passport can rest on: checkpoints and judgement.
fn stamp_of(source: &Source<'_>) -> String {
    let mut hash = Sha256::new();
    if let Some(published) = source.node.log().published() {
        hash.update(published.head.size.to_be_bytes());
        hash.update(published.head.root);
        hash.update(published.cosigned_at.map_or(0, Timestamp::unix_ms).to_be_bytes());
    }
    for log in source.node.mirror().logs() {
        hash.update(log.head().root);
        for signature in log.checkpoint().iter().flat_map(|note| note.signatures()) {
            hash.update(&signature.signature);
        }
        let held = log.held();
        hash.update(held.segment.to_be_bytes());
        hash.update(held.offset.to_be_bytes());
    }
    hash.update(source.judged.as_of.map_or(0, Timestamp::unix_ms).to_be_bytes());
    hash.update(source.judged.findings.len().to_be_bytes());
    hash.update(source.judged.round.to_be_bytes());
    hex::encode(&hash.finalize()[..16])
}

fn make(source: &Source<'_>, code: &Code, now: Timestamp) -> Result<Kept, StoreError> {
    let mut made = gathered(source, code, now)?;
    if decide(&made.facts) == State::Unknown {
        for other in code.in_other_letters() {
            let known = decide(&gathered(source, &Code::bare(&other), now)?.facts).has_record();
            if known {
                made.passport.did_you_mean = Some(other.to_string());
                break;
            }
        }
    }
    Ok(made)
}

fn gathered(source: &Source<'_>, code: &Code, now: Timestamp) -> Result<Kept, StoreError> {
    let Source { node, org, settings, labels, judged, addresses } = *source;
    let mut gatherer = Gatherer::new(node, org);
    gatherer.own(code)?;
    let told = issuance(labels, org, &code.goods, &mut gatherer)?;
    gatherer.rest(code, &told.lots)?;
    let open = findings::open(judged, &code.goods, gatherer.evidence(), now);
    let stated = findings::stated(gatherer.evidence(), &open, now);
    for digest in open.iter().map(|one| &one.digest).chain(stated.iter().map(|(id, _)| id)) {
        gatherer.answers(digest)?;
    }
    let evidence = gatherer.finish();
    let name = |org: &OrgId| party(node, org);
    let url = |org: &OrgId| addresses.attested(org)?.0.into_iter().next();
    let given = Given {
        code,
        now,
        labels: told,
        reveal: &settings.reveal,
        confirmations_max: settings.confirmations_max,
        party: &name,
        url: &url,
    };
    let (mut passport, mut facts) = fold(&evidence, &given);
    passport.findings = findings::view(node, &open, &evidence, &name)?;
    passport.stated_findings = findings::view_stated(&stated, &evidence, &name);
    let known = places(&evidence);
    passport.names = named::of(&passport, &|id| known.get(id).cloned(), &name);
    facts.copy_findings = passport.findings.iter().filter(|one| one.is_copy).count();
    let is_question = |one: &&super::view::OpenFinding| !one.is_copy && one.severity != "note";
    facts.other_findings = passport.findings.iter().filter(is_question).count();
    passport.proof.checked_at = Some(whole_seconds(now).to_string());
    passport.proof.judged_as_of = judged.as_of.map(|as_of| as_of.to_string());
    let tells = |record: &super::view::Record| record.is_public || record.fault.is_some();
    passport.proof.bundle = passport.proof.records.iter().any(tells).then(|| bundle_path(code));
    let checked = evidence.logs.values().map(|log| log.at).min().flatten();
    Ok(Kept { passport, facts, checked, gathered_at: now })
}

fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_unix_ms(at.unix_ms() / 1000 * 1000)
}
