//! Ed25519 signatures on which implementations disagree: ours are decided by `verify_strict`.

use std::collections::BTreeSet;

use hallmark_schemas::key::PublicKey;
use serde_json::Value;

use crate::{folder, items, json, text, unhex};

fn accepts(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (key.try_into(), signature.try_into()) else {
        return false;
    };
    PublicKey::parse(key).is_ok_and(|key| key.verify_strict(message, signature).is_ok())
}

#[test]
pub(crate) fn speccheck_as_dalek_strict() {
    let Some(folder) = folder("ed25519") else {
        return;
    };
    let vectors = json(&folder, "speccheck.json");
    let expected = &vectors["results_by_library"]["Dalek strict"];
    assert_eq!(items(&vectors["cases"]).len(), 8);
    for case in items(&vectors["cases"]) {
        let part = |name| unhex(text(case, name));
        let verdict = accepts(&part("pub_key"), &part("message"), &part("signature"));
        let index = case["index"].to_string();
        assert_eq!(verdict, text(expected, &index) == "V", "case {index}");
    }
}

#[test]
pub(crate) fn cctv_accepts_only_low_order_components() {
    let Some(folder) = folder("ed25519") else {
        return;
    };
    let vectors = json(&folder, "cctv-ed25519.json");
    let allowed = BTreeSet::from(["low_order_component_A", "low_order_component_R"]);
    let mut accepted = 0;
    for vector in items(&vectors) {
        let flags: BTreeSet<_> = items(&vector["flags"]).iter().filter_map(Value::as_str).collect();
        let (key, signature) = (unhex(text(vector, "key")), unhex(text(vector, "sig")));
        let verdict = accepts(&key, text(vector, "msg").as_bytes(), &signature);
        assert_eq!(verdict, flags.is_subset(&allowed), "number {}", vector["number"]);
        accepted += usize::from(verdict);
        let key: [u8; 32] = key.try_into().expect("32 bytes");
        let mixed = flags.contains("low_order_component_A") || flags.contains("low_order_A");
        assert!(!(mixed && PublicKey::enrol(key).is_ok()), "number {}", vector["number"]);
    }
    assert_eq!((items(&vectors).len(), accepted), (609, 31));
}

#[test]
pub(crate) fn wycheproof_results() {
    let Some(folder) = folder("ed25519") else {
        return;
    };
    let vectors = json(&folder, "wycheproof-ed25519.json");
    let mut count = 0;
    for group in items(&vectors["testGroups"]) {
        let key = unhex(text(&group["publicKey"], "pk"));
        for test in items(&group["tests"]) {
            let verdict = accepts(&key, &unhex(text(test, "msg")), &unhex(text(test, "sig")));
            assert_eq!(verdict, text(test, "result") == "valid", "tcId {}", test["tcId"]);
            count += 1;
        }
    }
    assert_eq!(count, 101);
}
