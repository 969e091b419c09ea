//! Whether exactly what was expected has been found.

use std::collections::BTreeSet;

use serde_json::Value;

use super::input::Input;
use crate::generate::fraud::Fraud;

/// The findings that the committed frauds must lead to.
#[derive(Clone, Debug)]
pub struct Expected {
    frauds: Vec<Fraud>,
    open_families: Vec<&'static str>,
}

impl Expected {
    /// Of this input.
    pub fn of(input: &Input) -> Expected {
        Expected { frauds: input.data.frauds.clone(), open_families: input.open_families.clone() }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.frauds.len()
    }

    /// True once each fraud has its finding.
    pub fn are_in(&self, findings: &[Value]) -> bool {
        self.frauds.iter().all(|fraud| findings.iter().any(|finding| is_of(finding, fraud)))
    }

    /// What is missing, what is too much, and what differs between the node and the bundle.
    pub fn compare(&self, online: &[Value], offline: &[Value]) -> Vec<String> {
        let mut faults = Vec::new();
        for fraud in &self.frauds {
            let count = online.iter().filter(|finding| is_of(finding, fraud)).count();
            if count != 1 {
                faults.push(format!("{} for \"{}\": found {count} times", fraud.code, fraud.told));
            }
        }
        for finding in online.iter().filter(|finding| !self.explains(finding)) {
            faults.push(format!("unexpected: {} {}", finding["code"], finding["message_en"]));
        }
        let ids = |findings: &[Value]| -> BTreeSet<String> {
            findings.iter().map(|finding| finding["id"].to_string()).collect()
        };
        if ids(online) != ids(offline) {
            faults.push("the node and the bundle lead to different findings".to_owned());
        }
        faults
    }

    /// Caused by a fraud, or by a file of the caller's.
    fn explains(&self, finding: &Value) -> bool {
        let code = finding["code"].as_str().unwrap_or_default();
        self.frauds.iter().any(|fraud| is_of(finding, fraud))
            || self.open_families.iter().any(|family| code.starts_with(family))
    }
}

/// A passport that was read, and what it must say.
#[derive(Clone, Debug)]
pub struct Read {
    /// Whose, in a few words.
    pub whose: &'static str,
    /// The state that it must have.
    pub expected: &'static str,
    /// The HTTP status of the answer.
    pub status: u16,
    /// Its JSON form.
    pub passport: Value,
}

impl Read {
    /// What it says, in one line.
    pub fn line(&self) -> String {
        format!("{:<26} {}", self.whose, self.state())
    }

    /// What is wrong with it.
    pub fn fault(&self) -> Option<String> {
        let Read { whose, expected, status, .. } = self;
        let state = self.state();
        if state != *expected {
            return Some(format!("passport of {whose}: {state} instead of {expected}"));
        }
        let is_found = *status == if state == "unknown" { 404 } else { 200 };
        if !is_found {
            return Some(format!("passport of {whose}: status {status}"));
        }
        // An item that exists is of the class that was certified.
        let is_vouched = self.passport["certificates"].as_array().is_some_and(|all| {
            all.iter().any(|one| {
                one["standing"] == "in_force" && one["accreditation"]["standing"] == "in_force"
            })
        });
        match state {
            "unknown" => None,
            // What vouched for the item is not shown beside a record that does not hold.
            "broken" => is_vouched.then(|| format!("passport of {whose}: still vouched for")),
            _ => (!is_vouched)
                .then(|| format!("passport of {whose}: no certificate by an accredited body")),
        }
    }

    fn state(&self) -> &str {
        self.passport["state"].as_str().unwrap_or("nothing")
    }
}

fn is_of(finding: &Value, fraud: &Fraud) -> bool {
    finding["code"] == fraud.code
        && finding["subject"].as_str().is_some_and(|subject| subject.contains(&fraud.subject))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expected() -> Expected {
        let fraud =
            Fraud { code: "MTR-005", told: "copied".to_owned(), subject: "meter-1".to_owned() };
        Expected { frauds: vec![fraud], open_families: vec!["TRC"] }
    }

    #[test]
    fn a_passport_of_another_state_status_or_without_certificate_is_a_fault() {
        let read = |expected, status, passport: &Value| {
            let passport = passport.clone();
            Read { whose: "a flask", expected, status, passport }.fault()
        };
        let with = |state: &str, standing: &str, accredited: &str| {
            json!({ "state": state, "certificates": [
                { "standing": standing, "accreditation": { "standing": accredited } }] })
        };
        let fine = with("consistent", "in_force", "in_force");
        assert_eq!(read("consistent", 200, &fine), None);
        let broken = json!({ "state": "broken", "certificates": [] });
        assert_eq!(read("broken", 200, &broken), None);
        let unknown = json!({ "state": "unknown", "certificates": [] });
        assert_eq!(read("unknown", 404, &unknown), None);
        for (expected, status, passport) in [
            ("broken", 200, fine.clone()),
            ("broken", 200, with("broken", "in_force", "in_force")),
            ("consistent", 404, fine),
            ("consistent", 200, with("consistent", "expired", "in_force")),
            ("consistent", 200, with("consistent", "in_force", "withdrawn")),
            ("consistent", 200, json!({ "state": "consistent", "certificates": [] })),
            ("unknown", 200, unknown),
            ("unknown", 404, Value::Null),
        ] {
            assert!(read(expected, status, &passport).is_some(), "{expected} {passport}");
        }
    }

    #[test]
    fn a_missing_a_doubled_and_an_unexpected_finding_are_faults() {
        let copied = json!({ "id": "1", "code": "MTR-005", "subject": "urn:x:meter-1" });
        let other = json!({ "id": "2", "code": "MTR-001", "subject": "urn:x:meter-1" });
        let open = json!({ "id": "3", "code": "TRC-005", "subject": "x" });
        for (online, faults) in [
            (vec![copied.clone()], 0),
            (vec![copied.clone(), open], 0),
            (vec![], 1),
            (vec![copied.clone(), copied.clone()], 1),
            (vec![copied.clone(), other], 1),
        ] {
            assert_eq!(expected().compare(&online, &online).len(), faults, "{online:?}");
        }
        assert_eq!(expected().compare(&[copied], &[]).len(), 1);
    }
}
