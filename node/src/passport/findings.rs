//! Open findings about a code: from the newest judgement, and as others have signed them.
//!
//! Invariants: what others signed is their word and decides nothing; a finding is shown with the answers to it; its sentence is shown only where all
//! that it rests on is public, because it tells places and times of it; an expired one is gone.

use std::collections::BTreeSet;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::value::Digest;
use hallmark_schemas::time::Timestamp;
use serde_json::Value;

use super::fold::{day, month, texts};
use super::gather::{Evidence, Level, Proven};
use super::view::{Answer, OpenFinding, Party, StatedFinding};
use crate::core::Node;
use crate::judge::Judged;
use crate::store::StoreError;

/// Most findings of one passport.
const FINDINGS_MAX: usize = 32;
/// Most evidence of one finding that is looked at.
const EVIDENCE_MAX: usize = 64;

/// Rules whose findings say that a code was copied: born twice, alive after its end, at two places
/// at once.
const COPY_CODES: [&str; 3] = ["TRC-001", "TRC-004", TWO_PLACES];

/// The one of them that speaks of places.
pub(super) const TWO_PLACES: &str = "TRC-005";

/// Rules that find an event told in two ways, whose subjects are the event or its issuer.
const EVENT_CODES: [&str; 2] = ["LOG-001", "TRC-019"];

/// A finding that is open.
pub(super) struct Open<'a> {
    /// Its id.
    pub(super) digest: Digest,
    finding: &'a Value,
}

/// The open findings about the code, and those contradictions about its lot or class, of which it shows
/// the descriptions, or between its events; in the order of the judgement.
pub(super) fn open<'a>(
    judged: &'a Judged,
    goods: &GoodsId,
    evidence: &Evidence,
    now: Timestamp,
) -> Vec<Open<'a>> {
    // A record that was refused names the goods where others do.
    let is_own = |one: &&Proven| one.level == Level::Own;
    let refused = evidence.records.iter().find(is_own).map(|_| &evidence.refused);
    let own = evidence.records.iter().chain(refused.into_iter().flatten()).filter(is_own);
    let events = own.filter(|one| matches!(one.verified.body(), Body::Event(_)));
    let events: BTreeSet<String> = events.map(|one| one.verified.id().to_string()).collect();
    let is_about = |finding: &Value| {
        let subject = finding["subject"].as_str().unwrap_or_default();
        if subject == goods.as_str() || finding["severity"] != "error" {
            return subject == goods.as_str();
        }
        let mut cited = finding["evidence"].as_array().into_iter().flatten();
        let mut is_cited = || cited.any(|id| id.as_str().is_some_and(|id| events.contains(id)));
        evidence.family.iter().any(|one| one.as_str() == subject)
            || finding["code"].as_str().is_some_and(|code| EVENT_CODES.contains(&code))
                && subject.parse::<GoodsId>().is_err()
                && is_cited()
    };
    let mut found = Vec::new();
    for finding in &judged.findings {
        let expires = finding["expires_at"].as_str().and_then(|at| Timestamp::parse(at).ok());
        let is_over = expires.is_some_and(|expires| expires <= now);
        if !is_about(finding) || is_over || FINDINGS_MAX <= found.len() {
            continue;
        }
        let digest = serde_json::from_value(finding["id"].clone());
        found.extend(digest.ok().map(|digest| Open { digest, finding }));
    }
    found
}

/// Whether a finding says that the code was copied. As a note it may be one birth, posted twice.
fn is_copy(code: &str, severity: &str) -> bool {
    COPY_CODES.contains(&code) && severity != "note"
}

/// What is shown of them.
pub(super) fn view(
    node: &Node,
    open: &[Open<'_>],
    evidence: &Evidence,
    party: &dyn Fn(&OrgId) -> Party,
) -> Result<Vec<OpenFinding>, StoreError> {
    let mut views = Vec::new();
    for Open { digest, finding } in open {
        let text = |key: &str| finding[key].as_str().unwrap_or("").to_owned();
        let is_public = rests_on_public(node, finding)?;
        let message = |key: &str| Some(text(key)).filter(|text| is_public && !text.is_empty());
        let instant = |key: &str| finding[key].as_str().and_then(|at| Timestamp::parse(at).ok());
        let months: BTreeSet<String> = [instant("period_start"), instant("period_end")]
            .into_iter()
            .flatten()
            .map(month)
            .collect();
        views.push(OpenFinding {
            id: text("id"),
            code: text("code"),
            severity: text("severity"),
            subject: text("subject"),
            is_copy: is_copy(&text("code"), &text("severity")),
            title: text("title"),
            message_en: message("message_en"),
            message_zh: message("message_zh"),
            months: months.into_iter().collect(),
            evidence_count: finding["evidence_count"].as_u64().unwrap_or(0),
            answers: answers(digest, evidence, party),
        });
    }
    Ok(views)
}

/// Public findings of others about the code, its lot or class that have not expired and that the
/// own judgement does not have: the last version of each, in the order of their logs.
pub(super) fn stated(
    evidence: &Evidence,
    open: &[Open<'_>],
    now: Timestamp,
) -> Vec<(Digest, Proven)> {
    let replaced = replaced(evidence);
    let mut found = Vec::new();
    for record in evidence.records.iter().filter(|one| one.is_public && one.level != Level::Beside)
    {
        let Body::Finding(finding) = record.verified.body() else { continue };
        let is_over = finding.expires_at.is_some_and(|at| at <= now);
        let is_replaced = replaced.contains(&(record.verified.id(), &record.verified.claims().iss));
        let is_own = open.iter().any(|one| one.digest == finding.id());
        if !is_over && !is_replaced && !is_own {
            found.push((finding.id(), record.clone()));
        }
    }
    found.sort_by_key(|(_, record)| (record.time.hi, record.verified.id()));
    found.truncate(FINDINGS_MAX);
    found
}

/// What is shown of those.
pub(super) fn view_stated(
    stated: &[(Digest, Proven)],
    evidence: &Evidence,
    party: &dyn Fn(&OrgId) -> Party,
) -> Vec<StatedFinding> {
    let mut views = Vec::new();
    for (digest, record) in stated {
        let Body::Finding(finding) = record.verified.body() else { continue };
        views.push(StatedFinding {
            id: record.verified.id().to_string(),
            finding: digest.to_string(),
            by: party(&record.verified.claims().iss),
            subject: finding.subject.clone(),
            code: finding.code.clone(),
            severity: finding.severity.as_str(),
            message_en: finding.message_en.clone(),
            message_zh: finding.message_zh.clone(),
            day: day(finding.as_of),
            answers: answers(digest, evidence, party),
        });
    }
    views
}

/// What a later version of the same issuer replaces.
fn replaced(evidence: &Evidence) -> BTreeSet<(ContentId, &OrgId)> {
    let of = |one: &'_ Proven| one.verified.body().replaces();
    let records = evidence.records.iter();
    records.filter_map(|one| Some((of(one)?, &one.verified.claims().iss))).collect()
}

/// Whether anyone may read everything that the finding cites.
fn rests_on_public(node: &Node, finding: &Value) -> Result<bool, StoreError> {
    let evidence = finding["evidence"].as_array().map(Vec::as_slice).unwrap_or_default();
    if evidence.is_empty() || EVIDENCE_MAX < evidence.len() {
        return Ok(false);
    }
    for id in evidence {
        let id = id.as_str().and_then(|id| id.parse::<ContentId>().ok());
        let places = id.map(|id| node.places(&id)).transpose()?.unwrap_or_default();
        if !places.iter().any(|place| place.entry.audience == 0) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The last version of each answer, oldest first; of one that is not public only that it is there.
fn answers(finding: &Digest, evidence: &Evidence, party: &dyn Fn(&OrgId) -> Party) -> Vec<Answer> {
    let replaced = replaced(evidence);
    let mut found = Vec::new();
    for record in &evidence.records {
        let claims = record.verified.claims();
        let Body::Response(response) = record.verified.body() else { continue };
        let is_meant = response.finding == *finding;
        if !is_meant || replaced.contains(&(record.verified.id(), &claims.iss)) {
            continue;
        }
        let answer = Answer {
            id: record.verified.id().to_string(),
            by: party(&claims.iss),
            day: day(record.time.hi),
            text: if record.is_public { texts(&response.text) } else { Vec::new() },
        };
        found.push(((record.time.hi, record.verified.id()), answer));
    }
    found.sort_by_key(|(order, _)| *order);
    found.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use super::is_copy;

    #[test]
    fn a_note_calls_no_code_copied_and_other_rules_call_none() {
        assert!(is_copy("TRC-001", "warning") && is_copy("TRC-005", "error"));
        assert!(!is_copy("TRC-001", "note") && !is_copy("TRC-017", "warning"));
    }
}
