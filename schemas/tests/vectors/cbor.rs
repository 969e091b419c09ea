//! CBOR: what is accepted is deterministic (RFC 8949 section 4.2.1), without floats and tags.
//!
//! Many vectors state another profile's verdict; the expected verdict is derived here by rule, with
//! another CBOR implementation: decode, refuse what the profile lacks, encode by the rule, compare.

use ciborium::Value;
use hallmark_schemas::cbor::{CborError, scan, to_json};

use crate::{folder, items, json, read, text, unhex};

/// The deterministic encoding, or `None` for what the profile lacks.
fn encode(value: &Value, out: &mut Vec<u8>) -> Option<()> {
    match value {
        Value::Integer(number) => {
            let number = i128::from(*number);
            let (major, argument) = if number < 0 { (1, -1 - number) } else { (0, number) };
            head(out, major, u64::try_from(argument).ok()?);
        }
        Value::Bytes(bytes) => {
            head(out, 2, bytes.len() as u64);
            out.extend(bytes);
        }
        Value::Text(text) => {
            head(out, 3, text.len() as u64);
            out.extend(text.as_bytes());
        }
        Value::Bool(value) => out.push(if *value { 0xf5 } else { 0xf4 }),
        Value::Null => out.push(0xf6),
        Value::Array(items) => {
            head(out, 4, items.len() as u64);
            items.iter().try_for_each(|item| encode(item, out))?;
        }
        Value::Map(pairs) => {
            let mut encoded = Vec::new();
            for (key, value) in pairs {
                if !matches!(key, Value::Integer(_) | Value::Bytes(_) | Value::Text(_)) {
                    return None;
                }
                let mut pair = (Vec::new(), Vec::new());
                encode(key, &mut pair.0)?;
                encode(value, &mut pair.1)?;
                encoded.push(pair);
            }
            encoded.sort();
            if encoded.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                return None;
            }
            head(out, 5, pairs.len() as u64);
            encoded.iter().for_each(|(key, value)| out.extend([&key[..], &value[..]].concat()));
        }
        _ => return None,
    }
    Some(())
}

fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let bytes = argument.to_be_bytes();
    let (info, width) = match argument {
        0..24 => return out.push(major << 5 | argument as u8),
        24..0x100 => (24, 1),
        0x100..0x1_0000 => (25, 2),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 8),
    };
    out.push(major << 5 | info);
    out.extend(&bytes[8 - width..]);
}

/// The verdict by rule.
fn expected(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let Ok(value) = ciborium::from_reader::<Value, _>(&mut rest) else {
        return false;
    };
    let mut again = Vec::new();
    encode(&value, &mut again).is_some() && again == bytes
}

fn check(bytes: &[u8], name: &str) -> bool {
    let verdict = scan(bytes);
    assert_eq!(verdict.is_ok(), expected(bytes), "{name}: {verdict:?}");
    assert_eq!(to_json(bytes).is_ok(), verdict.is_ok(), "{name}");
    verdict.is_ok()
}

/// The byte strings after `"encoded": ` in a file of CBOR diagnostic notation.
fn encoded_in_edn(file: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(file).into_owned();
    let parts = text.split("\"encoded\": h'").skip(1);
    parts.map(|part| unhex(part.split('\'').next().unwrap_or_default())).collect()
}

#[test]
pub(crate) fn rfc_8949_appendix_a() {
    let Some(folder) = folder("cbor") else { return };
    let vectors = json(&folder, "appendix_a.json");
    assert_eq!(items(&vectors).len(), 63);
    for vector in items(&vectors) {
        let bytes = unhex(text(vector, "hex"));
        let accepted = check(&bytes, text(vector, "hex"));
        assert!(!accepted || vector["roundtrip"] == true, "{vector}");
    }
}

#[test]
pub(crate) fn the_working_groups_files() {
    let Some(folder) = folder("cbor/cbor-wg") else {
        return;
    };
    let bad = encoded_in_edn(&read(&folder, "rfc8949/bad.edn"));
    assert_eq!(bad.len(), 32);
    for bytes in &bad {
        assert!(!check(bytes, "bad.edn"), "{bytes:02x?}");
    }
    let good = encoded_in_edn(&read(&folder, "rfc8949/good.edn"));
    assert_eq!(good.len(), 58);
    let accepted = good.iter().filter(|bytes| check(bytes, "good.edn")).count();
    assert!(0 < accepted);
    for name in ["mt0", "mt1", "mt2", "mt3", "mt4", "mt7-float", "streaming"] {
        let from_edn = encoded_in_edn(&read(&folder, &format!("rfc8949-appendixA/{name}.edn")));
        assert!(!from_edn.is_empty());
        for bytes in &from_edn {
            let accepted = check(bytes, name);
            assert!(!accepted || !matches!(name, "mt7-float" | "streaming"), "{bytes:02x?}");
        }
        // The same in CBOR, whose own envelope is read by the other implementation.
        let file = read(&folder, &format!("rfc8949-appendixA/{name}.cbor"));
        let from_cbor = encoded_in_cbor(&file);
        assert_eq!(from_cbor, from_edn, "{name}");
    }
}

fn encoded_in_cbor(file: &[u8]) -> Vec<Vec<u8>> {
    let value: Value = ciborium::from_reader(file).expect("a CBOR file");
    let member = |value: &Value, name: &str| {
        let map = value.as_map().cloned().unwrap_or_default();
        map.into_iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
    };
    let tests = member(&value, "tests").and_then(|tests| tests.into_array().ok());
    let tests = tests.unwrap_or_default().into_iter();
    tests.filter_map(|test| member(&test, "encoded")?.into_bytes().ok()).collect()
}

#[test]
pub(crate) fn dcbor_agrees_on_lengths_and_integers() {
    let Some(folder) = folder("cbor") else { return };
    for vector in items(&json(&folder, "dcbor-valid.json")) {
        let bytes = unhex(text(vector, "hex"));
        let float = matches!(scan(&bytes), Err(CborError::Float { at: 0 }));
        assert!(check(&bytes, text(vector, "hex")) || float, "{vector}");
    }
    for vector in items(&json(&folder, "dcbor-invalid.json")) {
        let bytes = unhex(text(vector, "hex"));
        // Core deterministic encoding has 65-bit integers and leaves Unicode as it is; dCBOR not.
        let wide = bytes.len() == 9 && bytes[0] == 0x3b && bytes[1] & 0x80 != 0;
        let denormal = vector["notes"].as_str().is_some_and(|notes| notes.contains("NFC"));
        assert_eq!(check(&bytes, text(vector, "hex")), wide || denormal, "{vector}");
    }
}

#[test]
pub(crate) fn spike_sample_by_its_deterministic_flag() {
    let Some(folder) = folder("cbor") else { return };
    let vectors = json(&folder, "spike-sample.json");
    assert_eq!(items(&vectors).len(), 620);
    let mut accepted = 0;
    for vector in items(&vectors) {
        let bytes = unhex(text(vector, "encoded_hex"));
        let flagged = items(&vector["flags"]).iter().any(|flag| flag == "CDE");
        let verdict = check(&bytes, &vector["index"].to_string());
        assert!(!verdict || flagged, "accepted without the flag: {vector}");
        // With the flag only what the profile lacks is refused.
        let lacking = matches!(
            scan(&bytes),
            Err(CborError::Float { .. }
                | CborError::Tag { .. }
                | CborError::Simple { .. }
                | CborError::KeyType { .. })
        );
        assert!(verdict || !flagged || lacking, "refused with the flag: {vector}");
        accepted += usize::from(verdict);
    }
    assert!(0 < accepted);
}
