use super::*;
use crate::key::SecretKey;
use proptest::prelude::*;

fn log() -> NoteSigner {
    NoteSigner::log("test.example/gln-1/0", Arc::new(SecretKey::from_seed([1; 32]))).unwrap()
}

fn witness(n: u8) -> NoteSigner {
    let key = Arc::new(SecretKey::from_seed([100 + n; 32]));
    NoteSigner::witness(&format!("w{n}.example"), key).unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_ms(seconds * 1000)
}

fn note() -> SignedNote {
    let text = Checkpoint::new("test.example/gln-1/0", 3, [7; 32]).to_string();
    let mut note = SignedNote::unsigned(text).unwrap();
    note.add(log().sign(note.text(), Timestamp::EPOCH).unwrap());
    note.add(witness(1).sign(note.text(), at(1_700_000_000)).unwrap());
    note
}

#[test]
fn a_note_returns_from_its_bytes_and_its_signatures_hold() {
    let note = note();
    let parsed = SignedNote::parse(&note.to_bytes()).unwrap();
    assert_eq!(parsed, note);
    let checkpoint = parsed.checkpoint_of(log().vkey()).unwrap();
    assert_eq!(checkpoint, Checkpoint::new("test.example/gln-1/0", 3, [7; 32]));
    assert_eq!(parsed.signed_by(witness(1).vkey()), Ok(Some(at(1_700_000_000))));
    assert_eq!(parsed.signed_by(witness(2).vkey()), Ok(None));
}

#[test]
fn of_two_cosignatures_the_earlier_counts() {
    let mut note = note();
    note.add(witness(1).sign(note.text(), at(1_600_000_000)).unwrap());
    assert_eq!(note.signed_by(witness(1).vkey()), Ok(Some(at(1_600_000_000))));
    let count = note.signatures().len();
    note.add(note.signatures()[0].clone());
    assert_eq!(note.signatures().len(), count);
}

#[test]
fn unknown_signatures_are_skipped_and_known_bad_ones_refuse() {
    let mut note = note();
    let name = "quantum.example".to_owned();
    note.add(NoteSignature { name, key_id: [6; 4], signature: vec![1; 2420] });
    let mut note = SignedNote::parse(&note.to_bytes()).unwrap();
    assert!(note.checkpoint_of(log().vkey()).is_ok());
    // The same name and id with other bytes: a forgery under a known key.
    let mut forged = note.signatures()[0].clone();
    forged.signature[0] ^= 1;
    note.add(forged);
    let bad = NoteError::BadSignature { name: log().vkey().name().to_owned() };
    assert_eq!(note.checkpoint_of(log().vkey()), Err(bad));
    assert_eq!(note.signed_by(witness(1).vkey()), Ok(Some(at(1_700_000_000))));
}

#[test]
fn a_cosignature_binds_its_time_and_is_no_log_signature() {
    let note = note();
    let line = &note.signatures()[1];
    let mut later = line.clone();
    later.signature[7] ^= 1;
    let mut other = SignedNote::unsigned(note.text().to_owned()).unwrap();
    other.add(later);
    assert!(matches!(other.signed_by(witness(1).vkey()), Err(NoteError::BadSignature { .. })));
    let key = witness(1).vkey().key().clone();
    let as_log = VerifierKey::new("w1.example", NoteKeyKind::Ed25519, key).unwrap();
    assert_eq!(note.signed_by(&as_log), Ok(None)); // another type gives another id
}

#[test]
fn a_checkpoint_of_another_origin_under_the_same_key_is_refused() {
    let text = Checkpoint::new("test.example/gln-2/0", 3, [7; 32]).to_string();
    let mut note = SignedNote::unsigned(text).unwrap();
    assert!(matches!(note.checkpoint_of(log().vkey()), Err(NoteError::NotSignedBy { .. })));
    note.add(log().sign(note.text(), Timestamp::EPOCH).unwrap());
    assert!(matches!(note.checkpoint_of(log().vkey()), Err(NoteError::OtherOrigin { .. })));
}

#[test]
fn notes_of_another_form_are_refused() {
    let good = note().to_string();
    for (bad, why) in [
        (good.replace("\n\n", "\n"), "no blank line"),
        (good.trim_end().to_owned(), "no final newline"),
        (format!("{good}\n"), "no signature after the last blank line"),
        (good.replace('\u{2014}', "-"), "another dash"),
        (good.replacen("gln", "g\tn", 1), "a tab"),
        (good.replace("w1.example ", "w1.example  "), "two spaces"),
        ("\n\n\u{2014} a AAAAAAAA\n".to_owned(), "an empty text has an empty line"),
        (String::new(), "nothing"),
    ] {
        let parsed = SignedNote::parse(bad.as_bytes());
        let refused = parsed.is_err() || parsed.is_ok_and(|note| note.checkpoint().is_err());
        assert!(refused, "{why}");
    }
    assert_eq!(SignedNote::parse(b"a\n\n\xff"), Err(NoteError::Text { at: 3 }));
    let many = "\u{2014} a AAAAAAA=\n".repeat(SIGNATURES_MAX + 1);
    let fault = SignedNote::parse(format!("a\n\n{many}").as_bytes());
    assert_eq!(fault, Err(NoteError::TooManySignatures { count: SIGNATURES_MAX + 1 }));
    assert_eq!(SignedNote::unsigned("no end".to_owned()), None);
}

#[test]
fn checkpoints_of_another_form_are_refused() {
    let root = STANDARD.encode([7; 32]);
    for bad in [
        format!("\n3\n{root}\n"),
        format!("o\n03\n{root}\n"),
        format!("o\n+3\n{root}\n"),
        format!("o\n\n{root}\n"),
        format!("o\n3\n{}\n", &root[1..]),
        format!("o\n3\n{root}"),
        format!("o\n3\n{root}\n\n"),
        format!("o\n0\n{root}\n"),
        format!("o\n18446744073709551616\n{root}\n"),
        "o\n3\n".to_owned(),
    ] {
        assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
    }
    let extended = Checkpoint::parse(&format!("o\n3\n{root}\nmore\n")).unwrap();
    assert_eq!(extended.extensions, ["more"]);
    assert_eq!(extended.to_string(), format!("o\n3\n{root}\nmore\n"));
}

#[test]
fn verifier_keys_return_from_their_text() {
    let text = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
    let key: VerifierKey = text.parse().unwrap();
    assert_eq!((key.name(), key.kind()), ("example.com/log/testdata", NoteKeyKind::Ed25519));
    assert_eq!(key.to_string(), text);
    for (bad, why) in [
        (text.replace("33d7b496", "33d7b497"), "id"),
        (text.replace("example", "exemple"), "name"),
        (text.replace("+Ae", "+Be"), "type"),
        (text.replace("33d7b496", "33D7B496"), "case"),
        (text.replace("kSx", "kS"), "length"),
        ("a+b".to_owned(), "parts"),
        (String::new(), "nothing"),
    ] {
        assert!(bad.parse::<VerifierKey>().is_err(), "{why}");
    }
    let key = key.key().clone();
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb"] {
        let vkey = VerifierKey::new(name, NoteKeyKind::Ed25519, key.clone());
        assert!(matches!(vkey, Err(VerifierKeyError::Name { .. })), "{name:?}");
    }
}

proptest! {
    #[test]
    fn parsers_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text: String) {
        let _ = SignedNote::parse(&bytes);
        let _ = Checkpoint::parse(&text);
        let _ = text.parse::<VerifierKey>();
        let _ = parse_signatures(&text);
        let _ = SignedNote::parse(format!("{text}\n\n\u{2014} {text}\n").as_bytes());
    }

    #[test]
    fn a_flipped_bit_never_passes(at: prop::sample::Index, bit in 0..8u8) {
        let mut bytes = note().to_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(changed) = SignedNote::parse(&bytes) {
            let both = changed.checkpoint_of(log().vkey()).is_ok()
                && changed.signed_by(witness(1).vkey()).is_ok_and(|at| at.is_some());
            // Unused bits of a signature's last digit change nothing that is signed.
            prop_assert!(!both || changed == note());
        }
    }
}
