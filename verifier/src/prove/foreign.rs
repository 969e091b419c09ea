//! Signed statements of other systems (RFC 9943) and their receipts (RFC 9942), under keys that the
//! caller names.
//!
//! Invariants: every signature is checked over the bytes that were received; a statement without a
//! key that was given is not believed and not accused; nothing here becomes a row of a table: what
//! others state in their own words no rule of ours reads.

use hallmark_schemas::cose::{EMPTY_MAP, Sign1};
use hallmark_schemas::foreign::{Foreign, ForeignError, ForeignKey};
use hallmark_schemas::hex;
use hallmark_schemas::merkle::Hash;
use sha2::{Digest as _, Sha256};

use crate::evidence::{Defect, DefectKind, Evidence, ForeignStatement, chain};

/// Most bytes of a name that are repeated to the reader; others may be thousands long.
const NAME_CHARS_SHOWN: usize = 200;

/// Checks all statements; what holds, as remarks for the reader.
pub(super) fn check(evidence: &Evidence, defects: &mut Vec<Defect>) -> Vec<String> {
    let Evidence { foreign, foreign_keys: keys, foreign_receipts: loose, .. } = evidence;
    let mut used = vec![false; loose.len()];
    let mut remarks = Vec::new();
    for ForeignStatement { statement, receipts } in foreign {
        let parsed = match Foreign::parse(statement) {
            Ok(parsed) => parsed,
            Err(error) => {
                let subject = name_of(None, statement);
                defects.push(defect(DefectKind::BadBody, &subject, chain(&error)));
                continue;
            }
        };
        let subject = name_of(Some(&parsed), statement);
        let signed = keys.iter().any(|key| parsed.verify(key).is_ok());
        match (signed, keys.is_empty()) {
            (true, _) => {}
            (false, true) => {
                let detail = "its signature is not checked: whose key signed it is not known, no public key is given".to_owned();
                defects.push(defect(DefectKind::Unchecked, &subject, detail));
            }
            (false, false) => {
                let detail = "no key that is given verifies its signature".to_owned();
                defects.push(defect(DefectKind::BadSignature, &subject, detail));
            }
        }
        let mut roots = Vec::new();
        for receipt in receipts {
            roots.extend(take(check_receipt(&leaf(statement), receipt, keys), &subject, defects));
        }
        for receipt in parsed.receipts().unwrap_or_default() {
            let entry = leaf(&emptied(statement));
            roots.extend(take(check_receipt(&entry, receipt, keys), &subject, defects));
        }
        for (receipt, used) in loose.iter().zip(&mut used) {
            if let Ok(root) = check_receipt(&leaf(statement), receipt, keys) {
                *used = true;
                roots.push(root);
            }
        }
        if signed {
            let count = roots.len();
            let roots: Vec<_> = roots.iter().map(|root| hex::encode(root)).collect();
            let roots = if count == 0 { String::new() } else { format!(": {}", roots.join(", ")) };
            let receipts =
                if count == 1 { "1 receipt holds" } else { &format!("{count} receipts hold") };
            remarks.push(format!("{subject}: signature holds, {receipts}{roots}"));
        }
    }
    let left = loose.iter().zip(used).filter(|(_, used)| !used);
    for (receipt, _) in left {
        let of = foreign.iter().map(|one| check_receipt(&leaf(&one.statement), receipt, keys));
        let error = of.filter_map(Result::err).next_back();
        let subject = "receipt of another system";
        match error {
            Some(error) => drop(take(Err(error), subject, defects)),
            None => {
                let detail = "the statement that it is about is not given".to_owned();
                defects.push(defect(DefectKind::Unchecked, subject, detail));
            }
        }
    }
    remarks
}

/// What a log of the other profile holds of a statement: its SHA-256.
fn leaf(statement: &[u8]) -> Hash {
    Sha256::digest(statement).into()
}

/// A statement before receipts were put into its unprotected header.
fn emptied(statement: &[u8]) -> Vec<u8> {
    let message = Sign1::parse(statement).or_else(|_| Sign1::parse_untagged(statement));
    message.map(|one| Sign1 { unprotected: EMPTY_MAP, ..one }.encode()).unwrap_or_default()
}

fn check_receipt(entry: &Hash, receipt: &[u8], keys: &[ForeignKey]) -> Result<Hash, Unproved> {
    let receipt = Foreign::parse(receipt).map_err(Unproved::Unread)?;
    let mut unproved = Unproved::NoKey;
    for key in keys {
        match receipt.verify_receipt(entry, key) {
            Ok(root) => return Ok(root),
            // A key of another algorithm says nothing about the receipt.
            Err(ForeignError::Algorithm { .. }) if matches!(unproved, Unproved::Wrong(_)) => {}
            Err(other) => unproved = Unproved::Wrong(other),
        }
    }
    Err(unproved)
}

/// Why a receipt proves nothing.
enum Unproved {
    /// No key is given.
    NoKey,
    /// It is no message of the form that is known here.
    Unread(ForeignError),
    /// It does not hold under any key that is given.
    Wrong(ForeignError),
}

/// The root, or the defect; without any key nothing is wrong, only unknown.
fn take(checked: Result<Hash, Unproved>, subject: &str, defects: &mut Vec<Defect>) -> Option<Hash> {
    let (kind, detail) = match checked {
        Ok(root) => return Some(root),
        Err(Unproved::NoKey) => {
            (DefectKind::Unchecked, "its receipt is not checked: no public key is given".to_owned())
        }
        Err(Unproved::Wrong(error @ ForeignError::Vds { .. })) => {
            (DefectKind::Unchecked, format!("its receipt cannot be checked here: {error}"))
        }
        // It rides in a header that nobody signed, in a form of before RFC 9942 or of something else.
        Err(Unproved::Unread(error)) => {
            let detail = format!("what it carries as its receipt is none: {}", chain(&error));
            (DefectKind::Unchecked, detail)
        }
        Err(Unproved::Wrong(error)) => {
            (DefectKind::BadProof, format!("its receipt: {}", chain(&error)))
        }
    };
    defects.push(defect(kind, subject, detail));
    None
}

fn name_of(parsed: Option<&Foreign<'_>>, statement: &[u8]) -> String {
    let headers = parsed.map(Foreign::headers);
    let shown = |text: Option<&String>| {
        let text = text.map_or("nobody", String::as_str);
        text.chars().filter(|c| !c.is_control()).take(NAME_CHARS_SHOWN).collect::<String>()
    };
    match headers {
        Some(headers) if headers.issuer.is_some() => format!(
            "statement of {} about {}",
            shown(headers.issuer.as_ref()),
            shown(headers.subject.as_ref())
        ),
        _ => format!("statement with SHA-256 {}", hex::encode(&leaf(statement))),
    }
}

fn defect(kind: DefectKind, subject: &str, detail: String) -> Defect {
    let subject = subject.to_owned();
    let (log, entry, at, remedy, proof, cites) = (None, None, None, None, None, Vec::new());
    Defect { log, entry, kind, subject, cites, detail, at, remedy, proof, step: kind.step() }
}
