use super::*;
use crate::key::SecretKey;
use crate::note::NoteSigner;
use proptest::prelude::*;
use std::sync::Arc;

fn witness(n: u8) -> NoteSigner {
    let key = Arc::new(SecretKey::from_seed([100 + n; 32]));
    NoteSigner::witness(&format!("w{n}.example"), key).unwrap()
}

fn log() -> NoteSigner {
    NoteSigner::log("o.example/gln-1/0", Arc::new(SecretKey::from_seed([1; 32]))).unwrap()
}

fn members(count: u8) -> Vec<Witness> {
    let member = |n| Witness { name: format!("w{n}"), key: witness(n).vkey().clone(), url: None };
    (1..=count).map(member).collect()
}

/// A checkpoint cosigned by each witness n at 1000 + its time.
fn cosigned(times: &[(u8, u64)]) -> SignedNote {
    let text = Checkpoint::new(log().vkey().name(), 3, [7; 32]).to_string();
    let mut note = SignedNote::unsigned(text).unwrap();
    note.add(log().sign(note.text(), Timestamp::EPOCH).unwrap());
    for (n, time) in times {
        let at = Timestamp::from_unix_ms((1000 + time) * 1000);
        note.add(witness(*n).sign(note.text(), at).unwrap());
    }
    note
}

fn quorum_at(seconds: u64) -> Option<QuorumTime> {
    Some(QuorumTime::At(Timestamp::from_unix_ms((1000 + seconds) * 1000)))
}

/// Two of X1 X2 X3 and any of Y1 Y2 Y3: the specification's example.
fn nested() -> Policy {
    let mut text = format!("# comment\n\nlog {} https://o.example\n", log().vkey());
    for (n, name) in ["X1", "X2", "X3", "Y1", "Y2", "Y3"].iter().enumerate() {
        text += &format!("witness {name} {}\n", witness(n as u8 + 1).vkey());
    }
    text += "group X-witnesses 2 X1 X2 X3\ngroup Y-witnesses any Y1 Y2 Y3\n";
    text += "group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n";
    text.parse().unwrap()
}

#[test]
fn a_quorum_is_complete_at_its_last_needed_cosignature() {
    let policy = Policy::threshold(2, members(3)).unwrap();
    assert_eq!(policy.quorum_met(&cosigned(&[(1, 5)])), Ok(None));
    assert_eq!(policy.quorum_met(&cosigned(&[(1, 5), (9, 1)])), Ok(None)); // 9 is unknown
    assert_eq!(policy.quorum_met(&cosigned(&[(1, 5), (2, 9)])), Ok(quorum_at(9)));
    assert_eq!(policy.quorum_met(&cosigned(&[(1, 5), (2, 9), (3, 7)])), Ok(quorum_at(7)));
    let one = Policy::threshold(1, members(3)).unwrap();
    assert_eq!(one.quorum_met(&cosigned(&[(1, 5), (2, 3)])), Ok(quorum_at(3)));
    let none = Policy::none();
    assert_eq!(none.quorum_met(&cosigned(&[])), Ok(Some(QuorumTime::Unwitnessed)));
}

#[test]
fn nested_groups_are_counted_from_within() {
    let policy = nested();
    assert_eq!(policy.logs().len(), 1);
    assert_eq!(policy.quorum_met(&cosigned(&[(1, 1), (2, 2), (3, 3)])), Ok(None));
    assert_eq!(policy.quorum_met(&cosigned(&[(1, 1), (5, 9)])), Ok(None));
    assert_eq!(policy.quorum_met(&cosigned(&[(1, 1), (2, 2), (5, 9)])), Ok(quorum_at(9)));
    let all = cosigned(&[(1, 1), (2, 5), (3, 3), (4, 9), (5, 2)]);
    assert_eq!(policy.quorum_met(&all), Ok(quorum_at(3)));
}

#[test]
fn a_checkpoint_needs_its_log_and_its_quorum() {
    let policy = Policy::threshold(1, members(2)).unwrap();
    let good = policy.check(&cosigned(&[(2, 5)]), log().vkey()).unwrap();
    assert_eq!((good.checkpoint.size, Some(good.quorum)), (3, quorum_at(5)));
    let alone = policy.check(&cosigned(&[]), log().vkey());
    assert_eq!(alone, Err(CosignError::NoQuorum));
    let text = cosigned(&[]).text().to_owned();
    let mut unsigned = SignedNote::unsigned(text).unwrap();
    unsigned.add(witness(2).sign(unsigned.text(), Timestamp::EPOCH).unwrap());
    let fault = policy.check(&unsigned, log().vkey());
    assert!(matches!(fault, Err(CosignError::Note(NoteError::NotSignedBy { .. }))));
}

#[test]
fn policies_return_from_their_text() {
    for policy in [Policy::none(), nested(), Policy::threshold(3, members(3)).unwrap()] {
        assert_eq!(policy.to_string().parse(), Ok(policy));
    }
    assert_eq!(Policy::none().to_string(), "quorum none\n");
    assert_eq!(Policy::threshold(0, members(1)), None);
    assert_eq!(Policy::threshold(2, members(1)), None);
    let mut twice = members(1);
    twice.extend(members(1));
    assert_eq!(Policy::threshold(1, twice), None);
}

#[test]
fn faults_are_told_by_line() {
    let (w1, w2) = (witness(1).vkey().to_string(), witness(2).vkey().to_string());
    let witnesses = format!("witness a {w1}\nwitness b {w2}\n");
    let bare = "6b".repeat(32);
    let name = |name: &str| name.to_owned();
    let twice = |member: &str| PolicyFault::MemberTwice { name: name(member) };
    let need = |members| PolicyFault::Need { members };
    for (text, line, fault) in [
        (name(""), 0, PolicyFault::NoQuorumLine),
        (name("quorum x"), 1, PolicyFault::UnknownName { name: name("x") }),
        (name("group g any g"), 1, PolicyFault::UnknownName { name: name("g") }),
        (name("peer x"), 1, PolicyFault::Line { line: name("peer x") }),
        (name("quorum none\nquorum none"), 2, PolicyFault::QuorumTwice),
        (format!("witness a {bare}"), 1, PolicyFault::BareKey),
        (format!("witness none {w1}"), 1, PolicyFault::NameTwice { name: name("none") }),
        (format!("log {w1}"), 1, PolicyFault::KeyKind { name: name("w1.example") }),
        (format!("{witnesses}group a any b"), 3, PolicyFault::NameTwice { name: name("a") }),
        (format!("{witnesses}group g 3 a b"), 3, need(2)),
        (format!("{witnesses}group g 0 a b"), 3, need(2)),
        (format!("{witnesses}group g any"), 3, need(0)),
        (format!("{witnesses}group g any a a"), 3, twice("a")),
        (format!("{witnesses}group g any a\ngroup h any a"), 4, twice("a")),
    ] {
        let expected = Err(PolicyError { line, fault });
        assert_eq!(text.parse::<Policy>(), expected, "{text}");
    }
    let again = format!("witness a {w1}\nwitness b {w1}\n").parse::<Policy>();
    let fault = PolicyFault::KeyTwice { name: name("w1.example") };
    assert_eq!(again, Err(PolicyError { line: 2, fault }));
}

/// Whether two sets of witnesses that have only the own one in common both make a quorum: by trying
/// all.
fn is_split_somewhere(policy: &Policy, own: &VerifierKey) -> bool {
    let count = policy.witnesses().len();
    let has_quorum = |side: u32| {
        // A quorum among these is what blocks every quorum among the rest.
        let is_on = |witness: &Witness| {
            let place = policy.witnesses().iter().position(|one| one.key == witness.key);
            witness.key == *own || place.is_some_and(|place| side >> place & 1 == 1)
        };
        !policy.guard_met(|witness| !is_on(witness))
    };
    (0..1 << count).any(|side: u32| has_quorum(side) && has_quorum(!side))
}

#[test]
fn two_quorums_have_the_own_witness_alone_in_common_where_a_search_finds_them() {
    let mut policies = vec![nested()];
    for count in 1..=7 {
        for need in 1..=usize::from(count) {
            policies.push(Policy::threshold(need, members(count)).unwrap());
        }
    }
    let stranger = witness(99).vkey().clone();
    for policy in &policies {
        let own = policy.witnesses().iter().map(|witness| &witness.key);
        for key in own.chain([&stranger]) {
            assert_eq!(policy.is_split_by(key), is_split_somewhere(policy, key), "{policy}");
        }
    }
    let of = |need, count| {
        let own = witness(1).vkey().clone();
        Policy::threshold(need, members(count)).unwrap().is_split_by(&own)
    };
    assert!(of(1, 1) && of(1, 2) && of(2, 3) && of(3, 5));
    assert!(!of(2, 2) && !of(3, 3) && !of(3, 4) && !of(4, 5));
    assert!(!Policy::threshold(2, members(3)).unwrap().is_split_by(&stranger), "not among them");
    assert!(!Policy::none().is_split_by(&stranger));
}

#[test]
fn the_guard_counts_what_every_quorum_needs() {
    let threshold = |k, n| Policy::threshold(k, members(n)).unwrap().guard_count();
    assert_eq!(threshold(2, 3), 2);
    assert_eq!(threshold(3, 3), 1);
    assert_eq!(threshold(1, 3), 3);
    assert_eq!(Policy::none().guard_count(), 0);
    // Two of X suffice to stop every quorum, and so do all three of Y.
    let nested = nested();
    assert_eq!(nested.guard_count(), 2);
    let met = |names: &[&str]| nested.guard_met(|one| names.contains(&one.name.as_str()));
    assert!(met(&["X1", "X3"]) && met(&["Y1", "Y2", "Y3"]));
    assert!(!met(&["X1", "Y1", "Y2"]) && !met(&[]));
    assert!(Policy::none().guard_met(|_| false));
}

proptest! {
    /// By brute force over all sets of cosigners.
    #[test]
    fn guard_met_means_no_quorum_avoids_the_answers(answered in 0..64u32) {
        let policy = nested();
        let bit = |set: u32, n: usize| set >> n & 1 == 1;
        let quorum = |set| {
            let times: Vec<_> = (0..6).map(|n| bit(set, n).then_some(Timestamp::EPOCH)).collect();
            policy.met_at(policy.quorum.unwrap(), &times).is_some()
        };
        let avoidable = (0..64).any(|set: u32| set & answered == 0 && quorum(set));
        let index = |one: &Witness| policy.witnesses.iter().position(|w| w == one).unwrap();
        let met = policy.guard_met(|one| bit(answered, index(one)));
        prop_assert_eq!(met, !avoidable);
        prop_assert!(!met || policy.guard_count() <= answered.count_ones() as usize);
    }

    #[test]
    fn parsing_never_panics(text: String) {
        let _ = text.parse::<Policy>();
        let _ = format!("group {text}\nquorum {text}").parse::<Policy>();
    }
}
