//! COSE and SCITT: messages of other implementations, and our own bytes read by another one.

use std::path::Path;

use base64::Engine as _;
use coset::TaggedCborSerializable as _;
use hallmark_schemas::cose::{self, CoseError, Sign1};
use hallmark_schemas::foreign::{Foreign, ForeignError, ForeignKey};
use hallmark_schemas::key::{PublicKey, SecretKey, Signer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{folder, json, read, text, unhex};

fn pem(folder: &Path, name: &str) -> ForeignKey {
    let file = String::from_utf8(read(folder, name)).expect("PEM is text");
    ForeignKey::from_pem(&file).expect("a public key")
}

#[test]
pub(crate) fn scitt_cose_statements_and_receipts() {
    let Some(folder) = folder("cose/scitt-cose-v1") else {
        return;
    };
    for name in ["valid-eddsa", "valid-es256", "fail-tampered-path", "fail-unsupported-vds"] {
        let folder = folder.join(name);
        let expected = json(&folder, "expected.json");
        let bytes = read(&folder, "statement.cose");
        let statement = Foreign::parse(&bytes).expect("a statement");
        let verified = statement.verify(&pem(&folder, "issuer-key.pub"));
        assert_eq!(verified.is_ok(), expected["statement_signature_valid"] == true, "{name}");
        let payload = read(&folder, "payload.bin");
        assert!(verified.is_ok_and(|verified| verified == payload), "{name}");
        let header = &expected["protected_header"]["statement"];
        let headers = statement.headers();
        assert_eq!(headers.algorithm, header["alg_code"].as_i64());
        assert_eq!(headers.issuer.as_deref(), header["issuer"].as_str());
        assert_eq!(headers.subject.as_deref(), header["subject"].as_str());
        let entry = Sha256::digest(&bytes);
        assert_eq!(entry[..], unhex(text(&expected, "leaf_entry")));
        let receipt = read(&folder, "receipt.cose");
        let receipt = Foreign::parse(&receipt).expect("a receipt");
        let verified = receipt.verify_receipt(&entry, &pem(&folder, "log-key.pub"));
        assert_eq!(verified.is_ok(), expected["receipt_valid"] == true, "{name}: {verified:?}");
        match expected["failure_code"].as_str() {
            Some("UNSUPPORTED_VDS") => {
                assert_eq!(verified, Err(ForeignError::Vds { found: Some(2) }));
            }
            Some(_) => assert!(verified.is_err()),
            None => {
                let root = unhex(text(&expected, "reconstructed_root"));
                assert_eq!(verified.expect("valid")[..], root);
            }
        }
    }
}

#[test]
pub(crate) fn rfc_9942_example_receipt() {
    let Some(folder) = folder("cose/rfc9942") else {
        return;
    };
    let bytes = read(&folder, "inclusion-receipt.cbor");
    let receipt = Foreign::parse(&bytes).expect("a receipt");
    let headers = receipt.headers();
    assert_eq!((headers.algorithm, headers.vds), (Some(-7), Some(1)));
    assert_eq!(headers.issuer.as_deref(), Some("https://transparency-service.example.com"));
    assert_eq!(headers.kid.as_deref(), Some(b"test-key-1".as_slice()));
    let report = String::from_utf8(read(&folder, "inclusion-receipt.diag")).expect("text");
    let hex = report.split("## Hex").nth(1).and_then(|rest| rest.split("```").nth(1));
    assert_eq!(unhex(hex.expect("the report ends with the bytes")), bytes);
    // Its key and leaf are not published: the proof is read, the signature is another's.
    let key = SecretKey::from_seed([1; 32]).public().clone();
    let fault = receipt.verify_receipt(b"entry", &ForeignKey::Ed25519(key));
    assert_eq!(fault, Err(ForeignError::Algorithm { found: -7 }));
}

#[test]
pub(crate) fn ccf_messages_are_read_and_their_receipts_named_unsupported() {
    let Some(folder) = folder("cose/scitt-ccf") else {
        return;
    };
    let bytes = read(&folder, "cts-hashv-cwtclaims-b64url.cose");
    let statement = Foreign::parse(&bytes).expect("a statement");
    assert_eq!(statement.headers().algorithm, Some(-37));
    assert!(statement.headers().issuer.as_deref().is_some_and(|iss| iss.starts_with("did:x509:")));
    let bytes = read(&folder, "uvm_0.2.10.transparent.cose");
    let statement = Foreign::parse(&bytes).expect("a statement");
    let receipts = statement.receipts().expect("receipts");
    assert!(!receipts.is_empty());
    let key = ForeignKey::Ed25519(SecretKey::from_seed([1; 32]).public().clone());
    for receipt in receipts {
        let receipt = Foreign::parse(receipt).expect("a receipt");
        let fault = receipt.verify_receipt(b"entry", &key);
        assert_eq!(fault, Err(ForeignError::Vds { found: Some(2) }));
    }
}

fn p256_key(key: &Value) -> ForeignKey {
    let coordinate = |name| {
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        engine.decode(text(key, name)).expect("base64url")
    };
    let point = [&[4], coordinate("x").as_slice(), &coordinate("y")].concat();
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).expect("a point");
    ForeignKey::P256(key)
}

#[test]
pub(crate) fn working_group_examples() {
    let Some(folder) = folder("cose/cose-wg") else {
        return;
    };
    let message = |name: &str| {
        let example = json(&folder, name);
        let bytes = unhex(text(&example["output"], "cbor"));
        (example, bytes)
    };
    let (example, bytes) = message("eddsa-examples/eddsa-sig-01.json");
    let key = &example["input"]["sign0"]["key"];
    let key: [u8; 32] = unhex(text(key, "x_hex")).try_into().expect("32 bytes");
    let key = ForeignKey::Ed25519(PublicKey::enrol(key).expect("a sound key"));
    let parsed = Foreign::parse(&bytes).expect("a message");
    assert_eq!(parsed.verify(&key), Ok(b"This is the content.".as_slice()));
    let signed = Sign1::parse(&bytes).and_then(|message| message.signed_bytes());
    assert_eq!(signed, Ok(unhex(text(&example["intermediates"], "ToBeSign_hex"))));
    // Ed448, which no key here can check; COSE_Sign with several signers, another message.
    let (_, bytes) = message("eddsa-examples/eddsa-sig-02.json");
    assert!(Foreign::parse(&bytes).is_ok_and(|parsed| parsed.verify(&key).is_err()));
    let (_, bytes) = message("eddsa-examples/eddsa-01.json");
    assert_eq!(Sign1::parse(&bytes), Err(CoseError::NotSign1 { at: 0 }));

    for (name, passes) in [
        ("pass-01", None), // its algorithm is unprotected: read, not verified
        ("pass-02", None), // signed with external data, which no profile here has
        ("fail-01", Some(false)),
        ("fail-02", Some(false)),
        ("fail-04", Some(false)),
        ("fail-07", Some(false)),
    ] {
        let (example, bytes) = message(&format!("sign1-tests/sign-{name}.json"));
        let key = p256_key(&example["input"]["sign0"]["key"]);
        let verified = Foreign::parse(&bytes).and_then(|parsed| parsed.verify(&key).map(drop));
        match passes {
            Some(passes) => assert_eq!(verified.is_ok(), passes, "{name}: {verified:?}"),
            None => assert!(Foreign::parse(&bytes).is_ok(), "{name}"),
        }
    }
}

#[test]
pub(crate) fn es256_signatures_bind_the_message() {
    use p256::ecdsa::signature::Signer as _;
    let secret = p256::ecdsa::SigningKey::from_slice(&[7; 32]).expect("a scalar");
    let protected = [0xa1, 0x01, 0x26]; // {1: -7}
    let signed = cose::sig_structure(&protected, b"payload");
    let signature: p256::ecdsa::Signature = secret.sign(&signed);
    let signature = signature.to_bytes();
    let message = Sign1 {
        protected: &protected,
        unprotected: cose::EMPTY_MAP,
        payload: Some(b"payload"),
        signature: &signature,
    };
    let key = ForeignKey::P256(*secret.verifying_key());
    let bytes = message.encode();
    assert!(Foreign::parse(&bytes).is_ok_and(|parsed| parsed.verify(&key).is_ok()));
    let other = Sign1 { payload: Some(b"paylood"), ..message }.encode();
    let fault = Foreign::parse(&other).and_then(|parsed| parsed.verify(&key).map(drop));
    assert_eq!(fault, Err(ForeignError::BadSignature));
    let critical = [0xa2, 0x01, 0x26, 0x02, 0x81, 0x01];
    let other = Sign1 { protected: &critical, ..message }.encode();
    assert_eq!(Foreign::parse(&other).map(drop), Err(ForeignError::Critical));
}

#[test]
pub(crate) fn another_implementation_reads_and_writes_the_same_bytes() {
    let key = SecretKey::from_seed([5; 32]);
    let header = coset::HeaderBuilder::new()
        .content_type("application/vnd.hallmark.readings+cbor".to_owned())
        .key_id(key.public().id().bytes().to_vec())
        .build();
    let theirs = coset::CoseSign1Builder::new()
        .protected(coset::Header {
            alg: Some(coset::RegisteredLabelWithPrivate::Assigned(coset::iana::Algorithm::EdDSA)),
            ..header
        })
        .payload(b"a payload".to_vec())
        .create_signature(b"", |signed| key.sign(signed).expect("a key in memory signs").to_vec())
        .build()
        .to_tagged_vec()
        .expect("it encodes");
    let parsed = Sign1::parse(&theirs).expect("a message");
    assert!(parsed.is_deterministic(&theirs));
    assert_eq!(parsed.check(key.public()), Ok(()));
    let ours = cose::sign(parsed.protected, b"a payload", &key).expect("signed");
    assert_eq!(ours, theirs);
    let read = coset::CoseSign1::from_tagged_slice(&ours).expect("they read ours");
    read.verify_signature(b"", |signature, signed| {
        let signature = signature.try_into().expect("64 bytes");
        key.public().verify_strict(signed, signature)
    })
    .expect("they verify ours");
}
