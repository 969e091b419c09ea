use hallmark_schemas::defect::DefectProof;
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::layout::peer_name;
use hallmark_schemas::merkle::{Frontier, leaf_hash};
use hallmark_schemas::network::{Member, Network, Registrar};
use hallmark_schemas::note::Checkpoint;
use hallmark_schemas::policy::Policy;

use super::*;
use crate::store::disk::OsDisk;

const ORG: &str = "urn:hallmark:org:lei:529900T8BM49AURSDO55";
const ORIGIN: &str = "demo/lei-529900T8BM49AURSDO55/1";

fn key(seed: u8) -> Arc<SecretKey> {
    Arc::new(SecretKey::from_seed([seed; 32]))
}

fn log_signer() -> NoteSigner {
    NoteSigner::log(ORIGIN, key(2)).unwrap()
}

fn witness(dir: &Path) -> Witness {
    if !dir.join("known").exists() {
        memory::create(&OsDisk, dir).unwrap();
    }
    reopened(dir)
}

/// As it is found, whole or not.
fn reopened(dir: &Path) -> Witness {
    Witness::open(Arc::new(OsDisk), dir, NoteSigner::witness("demo/w", key(3)).unwrap()).unwrap()
}

fn network() -> NetworkFile {
    let registrar = key(1);
    let member = Member {
        org: ORG.parse().unwrap(),
        roles: Vec::new(),
        origin: ORIGIN.to_owned(),
        log_key: log_signer().vkey().clone(),
        witness_key: NoteSigner::witness("demo/other", key(4)).unwrap().vkey().clone(),
        mirror_key: NoteSigner::witness("demo/mirror", key(5)).unwrap().vkey().clone(),
        peer_key: key(6).public().clone(),
        urls: Vec::new(),
        multiaddrs: Vec::new(),
    };
    let network = Network {
        v: 1,
        name: "demo".to_owned(),
        version: 1,
        expires_at: Timestamp::MAX,
        registrars: vec![Registrar {
            org: ORG.parse().unwrap(),
            key: registrar.public().clone(),
            next_key_commitment: key(7).public().id(),
        }],
        threshold: 1,
        members: vec![member],
        policy: Policy::none(),
        packs: Vec::new(),
        sealed: Vec::new(),
        previous: None,
        former: Vec::new(),
    };
    NetworkFile::sign(network, &[registrar.as_ref()]).unwrap()
}

/// The tree of `size` leaves, each its own number, signed by the log.
fn signed(size: u64, twist: u8) -> (SignedNote, Vec<Hash>) {
    let leaves: Vec<Hash> = (0..size).map(|leaf| leaf_hash(&[leaf as u8, twist])).collect();
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    let checkpoint = Checkpoint::new(ORIGIN, size, frontier.root());
    let mut note = SignedNote::unsigned(checkpoint.to_string()).unwrap();
    let signature = log_signer().sign(note.text(), Timestamp::EPOCH).unwrap();
    note.add(signature);
    (note, leaves)
}

fn proof(old: u64, leaves: &[Hash]) -> Vec<Hash> {
    let read = |level: u32, index: u64| -> Result<Hash, ()> {
        let width = 1usize << level;
        let first = index as usize * width;
        let mut frontier = Frontier::new();
        leaves[first..first + width].iter().for_each(|leaf| frontier.push(*leaf));
        Ok(frontier.root())
    };
    hallmark_schemas::merkle::consistency_proof(old, leaves.len() as u64, read).unwrap()
}

fn ask(witness: &Witness, old: u64, proof: &[Hash], note: &SignedNote) -> Result<Answer, Fault> {
    witness.add_checkpoint(
        &network(),
        &encode_request(old, proof, note),
        |_| None,
        Timestamp::EPOCH,
    )
}

#[test]
fn a_grown_log_is_cosigned_and_remembered_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let first = witness(dir.path());
    let (three, _) = signed(3, 0);
    let Ok(Answer::Cosigned { lines }) = ask(&first, 0, &[], &three) else { panic!("refused") };
    let mut cosigned = three.clone();
    for line in hallmark_schemas::note::parse_signatures(&lines).unwrap() {
        cosigned.add(line);
    }
    assert!(cosigned.signed_by(first.vkey()).unwrap().is_some());
    let again = witness(dir.path());
    assert_eq!(again.seen(&peer_name(ORIGIN)).unwrap().size, 3);
    let (seven, leaves) = signed(7, 0);
    assert!(matches!(ask(&again, 3, &proof(3, &leaves), &seven), Ok(Answer::Cosigned { .. })));
}

#[test]
fn every_fault_has_the_status_of_the_specification() {
    let dir = tempfile::tempdir().unwrap();
    let witness = witness(dir.path());
    let (three, _) = signed(3, 0);
    let (seven, leaves) = signed(7, 0);
    assert!(matches!(ask(&witness, 0, &[], &three), Ok(Answer::Cosigned { .. })));
    // 409: another old size than the one held.
    assert_eq!(ask(&witness, 0, &[], &seven).unwrap(), Answer::Conflict { size: 3 });
    // 422: no proof, a wrong proof, the same size with another root.
    assert!(matches!(ask(&witness, 3, &[], &seven), Err(Fault::Unproved { .. })));
    let mut wrong = proof(3, &leaves);
    wrong[0][0] ^= 1;
    assert!(matches!(ask(&witness, 3, &wrong, &seven), Err(Fault::Unproved { .. })));
    assert!(matches!(ask(&witness, 3, &[], &signed(3, 1).0), Err(Fault::Unproved { .. })));
    // 400: a smaller tree.
    assert!(matches!(ask(&witness, 3, &[], &signed(2, 0).0), Err(Fault::Malformed { .. })));
    // 403: nobody signed it, or badly.
    let unsigned = SignedNote::unsigned(seven.text().to_owned()).unwrap();
    let mut other = unsigned.clone();
    other.add(
        NoteSigner::log("demo/other", key(9))
            .unwrap()
            .sign(other.text(), Timestamp::EPOCH)
            .unwrap(),
    );
    assert!(matches!(ask(&witness, 3, &proof(3, &leaves), &other), Err(Fault::Untrusted { .. })));
    // 404: no log of this network.
    let text = seven.text().replace(ORIGIN, "demo/unknown/1");
    let mut stranger = SignedNote::unsigned(text).unwrap();
    stranger.add(log_signer().sign(stranger.text(), Timestamp::EPOCH).unwrap());
    assert!(matches!(ask(&witness, 3, &[], &stranger), Err(Fault::UnknownLog { .. })));
    // 422, and after 404 and 403: an empty tree with another root than the empty tree.
    let empty = |name: &str, signer: &NoteSigner| {
        let text = Checkpoint::new(name, 0, [7; 32]).to_string();
        let mut note = SignedNote::unsigned(text).unwrap();
        note.add(signer.sign(note.text(), Timestamp::EPOCH).unwrap());
        note
    };
    let fresh = self::witness(tempfile::tempdir().unwrap().path());
    let stranger = empty("demo/unknown/1", &log_signer());
    assert!(matches!(ask(&fresh, 0, &[], &stranger), Err(Fault::UnknownLog { .. })));
    let badly = NoteSigner::log("demo/other", key(9)).unwrap();
    assert!(matches!(ask(&fresh, 0, &[], &empty(ORIGIN, &badly)), Err(Fault::Untrusted { .. })));
    let rootless = empty(ORIGIN, &log_signer());
    assert!(matches!(ask(&fresh, 0, &[], &rootless), Err(Fault::Unproved { .. })));
    // None of it moved the state.
    assert_eq!(witness.seen(&peer_name(ORIGIN)).unwrap().size, 3);
}

#[test]
fn a_request_of_another_history_proves_it_and_a_wrong_proof_accuses_nobody() {
    let claim = |size: u64, old: u64, proof: &[Hash], note: &SignedNote| {
        let dir = tempfile::tempdir().unwrap();
        let witness = witness(dir.path());
        assert!(matches!(ask(&witness, 0, &[], &signed(size, 0).0), Ok(Answer::Cosigned { .. })));
        match ask(&witness, old, proof, note) {
            Err(Fault::Unproved { claim, .. }) => claim,
            other => panic!("{other:?}"),
        }
    };
    let (other, leaves) = signed(7, 1);
    for (size, note, path) in
        [(3, &other, proof(3, &leaves)), (5, &other, proof(5, &leaves)), (7, &other, Vec::new())]
    {
        let claim = claim(size, size, &path, note).expect("it proves two histories");
        let proof = DefectProof::new(&network(), *claim).unwrap();
        assert_eq!(proof.verify().unwrap().subject, ORIGIN);
    }
    // A proof for a power of two begins at the root that is asked about and tells no other.
    assert!(claim(4, 4, &proof(4, &leaves), &other).is_none());
    // The same history with a wrong proof, or none.
    let (same, leaves) = signed(7, 0);
    let mut wrong = proof(3, &leaves);
    wrong[1][0] ^= 1;
    assert!(claim(3, 3, &wrong, &same).is_none());
    assert!(claim(3, 3, &[], &same).is_none());
}

#[test]
fn a_request_that_cannot_be_read_is_malformed() {
    let dir = tempfile::tempdir().unwrap();
    let witness = witness(dir.path());
    let note = signed(3, 0).0.to_string();
    for head in ["", "old", "old 01", "old +1", "old -1", "new 1", "old 1\n!!", "old 1\nAAAA"] {
        let body = format!("{head}\n\n{note}");
        let refused =
            witness.add_checkpoint(&network(), body.as_bytes(), |_| None, Timestamp::EPOCH);
        assert!(matches!(refused, Err(Fault::Malformed { .. })), "{head}");
    }
    let long =
        format!("old 1\n{}\n{note}", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n".repeat(64));
    let refused = witness.add_checkpoint(&network(), long.as_bytes(), |_| None, Timestamp::EPOCH);
    assert!(matches!(refused, Err(Fault::Malformed { .. })));
}

#[test]
fn the_own_witness_lets_a_log_sign_only_where_there_is_no_other() {
    use super::guard::{Guard, Refused, Verdict};
    use crate::core::GuardView;
    let named = |name: &str, seed: u8| hallmark_schemas::policy::Witness {
        name: name.to_owned(),
        key: NoteSigner::witness(&format!("demo/{name}"), key(seed)).unwrap().vkey().clone(),
        url: None,
    };
    let own = named("a", 3);
    let log = log_signer();
    let hear = |guard: &mut Guard, name: &str| {
        guard.heard(name, None, log.vkey(), |_| Ok(GuardView::Within)).unwrap();
        guard.verdict()
    };
    let all = vec![own.clone(), named("b", 4), named("c", 5)];
    let mut guard = Guard::new(Policy::threshold(2, all).unwrap(), own.key.clone());
    // What was put back with the log has forgotten what the log has: {a, c} may have cosigned it.
    assert_eq!(hear(&mut guard, "a"), Verdict::Waiting);
    assert_eq!(hear(&mut guard, "b"), Verdict::Waiting);
    assert_eq!(hear(&mut guard, "c"), Verdict::Satisfied);
    let mut alone = Guard::new(Policy::threshold(1, vec![own.clone()]).unwrap(), own.key.clone());
    assert_eq!(hear(&mut alone, "a"), Verdict::Satisfied);
    // A note that the log did not sign says nothing; one that is ahead forbids signing for good.
    let (note, _) = signed(3, 0);
    let other = NoteSigner::log("demo/other", key(9)).unwrap();
    let view = |_: &Checkpoint| Ok(GuardView::Ahead);
    guard.heard("c", Some(&note), other.vkey(), view).unwrap_err();
    assert_eq!(guard.verdict(), Verdict::Satisfied);
    guard.heard("c", Some(&note), log.vkey(), view).unwrap();
    assert!(matches!(
        guard.verdict(),
        Verdict::Refused(Refused { view: GuardView::Ahead, note: Some(_), .. })
    ));
}

#[test]
fn after_a_failed_write_nothing_is_cosigned_and_a_full_or_read_only_disk_is_only_told() {
    use crate::store::sim::SimDisk;
    let disk = SimDisk::default();
    memory::create(&disk, Path::new("/w")).unwrap();
    let signer = NoteSigner::witness("demo/w", key(3)).unwrap();
    let witness = Witness::open(Arc::new(disk.clone()), Path::new("/w"), signer).unwrap();
    let ask = |size| {
        let (note, _) = signed(size, 0);
        witness.add_checkpoint(
            &network(),
            &encode_request(0, &[], &note),
            |_| None,
            Timestamp::EPOCH,
        )
    };
    disk.set_capacity(Some(0));
    let full = ask(2).unwrap_err();
    assert!(matches!(full, Fault::Disk { .. }) && !full.is_final());
    disk.set_capacity(None);
    disk.set_read_only(true);
    let read_only = ask(2).unwrap_err();
    assert!(matches!(read_only, Fault::Disk { .. }) && !read_only.is_final());
    disk.set_read_only(false);
    disk.fail_next_sync();
    assert!(ask(2).unwrap_err().is_final());
    assert!(matches!(ask(2), Err(Fault::Failed)), "nobody knows what a start would find");
}

#[test]
fn the_same_tree_is_cosigned_again_with_a_newer_time() {
    let dir = tempfile::tempdir().unwrap();
    let witness = witness(dir.path());
    let (three, _) = signed(3, 0);
    let at = |seconds: u64| Timestamp::from_unix_ms(seconds * 1000);
    let body = |old| encode_request(old, &[], &three);
    let first = witness.add_checkpoint(&network(), &body(0), |_| None, at(100)).unwrap();
    let again = witness.add_checkpoint(&network(), &body(3), |_| None, at(200)).unwrap();
    assert_ne!(first, again);
    let seen = SignedNote::parse(witness.seen(&peer_name(ORIGIN)).unwrap().note.as_bytes());
    assert_eq!(seen.unwrap().signed_by(witness.vkey()), Ok(Some(at(200))));
}

#[test]
fn no_earlier_time_is_stated_than_before_by_any_clock_of_any_log_after_any_start() {
    let dir = tempfile::tempdir().unwrap();
    let at = |seconds: u64| Timestamp::from_unix_ms(seconds * 1000);
    let elsewhere = NoteSigner::log("elsewhere.example", key(8)).unwrap();
    let open = || witness(dir.path()).knowing([("elsewhere".to_owned(), elsewhere.vkey().clone())]);
    let stated = |witness: &Witness, origin: &str, note: &SignedNote, old: u64, now: Timestamp| {
        let answer =
            witness.add_checkpoint(&network(), &encode_request(old, &[], note), |_| None, now);
        assert!(matches!(answer, Ok(Answer::Cosigned { .. })), "{answer:?}");
        let seen = witness.seen(&peer_name(origin)).unwrap();
        SignedNote::parse(seen.note.as_bytes()).unwrap().signed_by(witness.vkey()).unwrap().unwrap()
    };
    let (three, _) = signed(3, 0);
    let mut other = SignedNote::unsigned(three.text().replace(ORIGIN, "elsewhere")).unwrap();
    other.add(elsewhere.sign(other.text(), Timestamp::EPOCH).unwrap());
    let first = open();
    assert_eq!(stated(&first, ORIGIN, &three, 0, at(500)), at(500));
    assert_eq!(stated(&first, ORIGIN, &three, 3, at(100)), at(500), "the clock went back");
    let again = open();
    assert_eq!(stated(&again, "elsewhere", &other, 0, at(200)), at(500), "another log");
    assert_eq!(stated(&again, ORIGIN, &three, 3, at(499)), at(500));
    assert_eq!(stated(&again, ORIGIN, &three, 3, at(501)), at(501));
    assert_eq!(stated(&open(), "elsewhere", &other, 3, at(0)), at(501));
}

#[test]
fn a_log_of_another_network_is_cosigned_once_it_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (three, _) = signed(3, 0);
    let elsewhere = three.text().replace(ORIGIN, "elsewhere");
    let key = NoteSigner::log("elsewhere.example", key(8)).unwrap();
    let mut note = SignedNote::unsigned(elsewhere).unwrap();
    note.add(key.sign(note.text(), Timestamp::EPOCH).unwrap());
    let plain = witness(dir.path());
    assert!(matches!(ask(&plain, 0, &[], &note), Err(Fault::UnknownLog { .. })));
    // The key is named otherwise than the origin, as in older logs.
    let named = plain.knowing([("elsewhere".to_owned(), key.vkey().clone())]);
    assert!(matches!(ask(&named, 0, &[], &note), Ok(Answer::Cosigned { .. })));
    assert_eq!(named.seen(&peer_name("elsewhere")).unwrap().size, 3);
    // A log of the network keeps the key of the network file, whatever else is named for it.
    let named = named.knowing([(ORIGIN.to_owned(), key.vkey().clone())]);
    let mut forged = SignedNote::unsigned(three.text().to_owned()).unwrap();
    forged.add(key.sign(forged.text(), Timestamp::EPOCH).unwrap());
    assert!(matches!(ask(&named, 0, &[], &forged), Err(Fault::Untrusted { .. })));
}

#[test]
fn the_exchanges_of_litewitness_are_answered_alike() {
    let root = std::env::var_os("HALLMARK_REAL_DATA").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = root.unwrap_or(beside).join("transparency/tlog/add-checkpoint-litewitness.json");
    let Ok(text) = std::fs::read(&path) else {
        return eprintln!("skipped: no vectors in {}", path.display());
    };
    let vectors: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let log: VerifierKey = vectors["log_vkey"].as_str().unwrap().parse().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let witness = witness(dir.path()).knowing([(log.name().to_owned(), log.clone())]);
    let exchanges = vectors["exchanges"].as_array().unwrap();
    assert_eq!(exchanges.len(), 9);
    for exchange in exchanges {
        let body = exchange["request_body"].as_str().unwrap().as_bytes();
        let answer = witness.add_checkpoint(&network(), body, |_| None, Timestamp::EPOCH);
        let status = match &answer {
            Ok(Answer::Cosigned { .. }) => 200,
            Ok(Answer::Conflict { size }) => {
                assert_eq!(exchange["expect"], format!("body == \"{size}\\n\""));
                409
            }
            // 404 in the specification, 403 in that program.
            Err(Fault::UnknownLog { .. } | Fault::Untrusted { .. }) => 403,
            Err(Fault::Malformed { .. }) => 400,
            Err(Fault::Unproved { .. }) => 422,
            Err(Fault::Forgotten { .. }) => 503,
            Err(Fault::Disk { .. } | Fault::Failed | Fault::Sign { .. }) => 500,
        };
        assert_eq!(Some(status), exchange["expect_status"].as_u64(), "{answer:?}");
    }
}

/// A network in which `demo/other` of the log's own organisation and `demo/third` may know more.
fn of_three() -> NetworkFile {
    let named = |name: &str, seed: u8| hallmark_schemas::policy::Witness {
        name: name.to_owned(),
        key: NoteSigner::witness(name, key(seed)).unwrap().vkey().clone(),
        url: None,
    };
    let own = witness(tempfile::tempdir().unwrap().path()).vkey().clone();
    let own = hallmark_schemas::policy::Witness { name: "demo/w".to_owned(), key: own, url: None };
    let all = vec![own, named("demo/other", 4), named("demo/third", 8)];
    let policy = Policy::threshold(2, all).unwrap();
    let network = Network { policy, ..network().network().clone() };
    NetworkFile::sign(network, &[key(1).as_ref()]).unwrap()
}

/// Cosigns seven entries, with `dir` as memory.
fn has_cosigned_seven(dir: &Path) {
    let Ok(Answer::Cosigned { .. }) = ask(&witness(dir), 0, &[], &signed(7, 0).0) else {
        panic!("refused")
    };
}

#[test]
fn a_witness_that_lost_its_memory_cosigns_nothing_until_enough_others_told_what_they_hold() {
    let ((three, _), (seven, _), (nine, leaves)) = (signed(3, 0), signed(7, 0), signed(9, 0));
    type Loss = (&'static str, fn(&Path));
    let lose: [Loss; 2] = [
        ("all of it", |dir| {
            std::fs::remove_dir_all(dir).unwrap();
        }),
        ("one log", |dir| {
            std::fs::remove_file(dir.join(peer_name(ORIGIN))).unwrap();
        }),
    ];
    for (what, lose) in lose {
        let dir = tempfile::tempdir().unwrap();
        has_cosigned_seven(dir.path());
        lose(dir.path());
        let lost = reopened(dir.path());
        lost.begin(&[peer_name(ORIGIN)].into()).unwrap();
        let forgotten = |answer: Result<Answer, Fault>| {
            assert!(matches!(answer, Err(Fault::Forgotten { .. })), "{what}: {answer:?}");
        };
        forgotten(ask(&lost, 0, &[], &three));
        forgotten(ask(&lost, 3, &proof(3, &leaves), &nine));
        let held = lost.cosign_held(log_signer().vkey(), &three, Timestamp::EPOCH, |_, _| None);
        assert_eq!(held.unwrap(), None, "{what}: a copy is as old as it is");
        let network = of_three();
        // The log's own word alone, a word that proves nothing, and the same one twice.
        lost.told(&network, ORIGIN, "demo/other", &[Some(three.clone()), None]);
        let unsigned = SignedNote::unsigned(seven.text().to_owned()).unwrap();
        lost.told(&network, ORIGIN, "demo/third", &[Some(unsigned.clone()), None]);
        lost.told(&network, ORIGIN, "demo/other", &[None, None]);
        assert!(!lost.settle(&network, ORIGIN, None).unwrap(), "{what}");
        assert_eq!(ask(&lost, 0, &[], &three).unwrap(), Answer::Conflict { size: 3 });
        forgotten(ask(&lost, 3, &proof(3, &leaves), &nine));
        lost.told(&network, ORIGIN, "demo/third", &[Some(seven.clone()), None]);
        assert!(!lost.settle(&network, ORIGIN, None).unwrap(), "{what}: is it of one tree?");
        lost.told(&network, ORIGIN, "demo/other", &[Some(seven.clone()), None]);
        assert!(lost.settle(&network, ORIGIN, None).unwrap(), "{what}");
        // Over a restart too, nothing older is cosigned, and the log goes on.
        let again = reopened(dir.path());
        assert_eq!(ask(&again, 0, &[], &three).unwrap(), Answer::Conflict { size: 7 });
        let other = signed(9, 1);
        assert!(matches!(
            ask(&again, 7, &proof(7, &other.1), &other.0),
            Err(Fault::Unproved { .. })
        ));
        let grown = ask(&again, 7, &proof(7, &leaves), &nine);
        assert!(matches!(grown, Ok(Answer::Cosigned { .. })), "{what}: {grown:?}");
    }
}

#[test]
fn a_witness_that_forgot_goes_on_only_with_what_is_shown_to_be_one_tree() {
    let network = of_three();
    let (five, five_leaves) = signed(5, 0);
    let (seven, leaves) = signed(7, 0);
    let (nine, more) = signed(9, 0);
    let copy = || {
        let leaves = five_leaves.clone();
        let root_at = move |size: u64| {
            let mut frontier = Frontier::new();
            leaves.get(..size as usize)?.iter().for_each(|leaf| frontier.push(*leaf));
            Some(frontier.root())
        };
        Held { note: Arc::new(five.clone()), root_at: Box::new(root_at) }
    };
    // Here is a copy of five, others tell of seven: of the same tree, or of the other that the log has.
    for twist in [0, 1] {
        let dir = tempfile::tempdir().unwrap();
        has_cosigned_seven(dir.path());
        std::fs::remove_dir_all(dir.path()).unwrap();
        let lost = reopened(dir.path());
        lost.begin(&[peer_name(ORIGIN)].into()).unwrap();
        for name in ["demo/other", "demo/third"] {
            lost.told(&network, ORIGIN, name, &[Some(signed(7, twist).0.clone()), None]);
        }
        assert!(!lost.settle(&network, ORIGIN, Some(&copy())).unwrap(), "{twist}");
        assert_eq!(ask(&lost, 7, &proof(7, &more), &nine).unwrap(), Answer::Conflict { size: 5 });
        let answer = ask(&lost, 5, &proof(5, &more), &nine);
        assert!(
            matches!(answer, Err(Fault::Forgotten { .. })),
            "{twist}: it says nothing of seven"
        );
        let (other, other_leaves) = signed(7, twist);
        let answer = ask(&lost, 5, &proof(5, &other_leaves), &other);
        if twist == 0 {
            assert!(matches!(answer, Ok(Answer::Cosigned { .. })), "{answer:?}");
            assert!(lost.in_doubt([ORIGIN]).is_empty());
            let again = reopened(dir.path());
            let grown = ask(&again, 7, &proof(7, &more), &nine);
            assert!(matches!(grown, Ok(Answer::Cosigned { .. })), "{grown:?}");
        } else {
            assert!(matches!(answer, Err(Fault::Unproved { .. })), "{answer:?}");
            let answer = ask(&lost, 5, &proof(5, &leaves), &seven);
            assert!(matches!(answer, Err(Fault::Forgotten { .. })), "{answer:?}");
            assert_eq!(lost.in_doubt([ORIGIN]), [ORIGIN]);
        }
    }
}

#[test]
fn an_old_memory_is_a_lower_bound_and_two_trees_of_one_size_settle_nothing() {
    let dir = tempfile::tempdir().unwrap();
    has_cosigned_seven(dir.path());
    let old = reopened(dir.path());
    old.doubt(&[].into()).unwrap();
    let network = of_three();
    let (nine, leaves) = signed(9, 0);
    let request = |witness: &Witness| ask(witness, 7, &proof(7, &leaves), &nine);
    assert!(matches!(request(&old), Err(Fault::Forgotten { .. })));
    assert_eq!(ask(&old, 0, &[], &nine).unwrap(), Answer::Conflict { size: 7 });
    let again = reopened(dir.path());
    assert!(matches!(request(&again), Err(Fault::Forgotten { .. })), "a start forgets no doubt");
    again.told(&network, ORIGIN, "demo/other", &[Some(signed(8, 0).0.clone()), None]);
    again.told(&network, ORIGIN, "demo/third", &[Some(signed(8, 1).0.clone()), None]);
    assert!(!again.settle(&network, ORIGIN, None).unwrap(), "one of them is a lie");
    // Both witnesses say the same, and one has a copy of the other history.
    let torn = reopened(dir.path());
    let eight = || Some(signed(8, 0).0);
    torn.told(&network, ORIGIN, "demo/other", &[eight(), Some(signed(8, 1).0)]);
    torn.told(&network, ORIGIN, "demo/third", &[eight(), None]);
    assert!(!torn.settle(&network, ORIGIN, None).unwrap(), "which one was cosigned?");
    let third = reopened(dir.path());
    for name in ["demo/other", "demo/third"] {
        third.told(&network, ORIGIN, name, &[None, None]);
    }
    assert!(third.settle(&network, ORIGIN, None).unwrap(), "what is here is the newest");
    assert!(matches!(request(&third), Ok(Answer::Cosigned { .. })));
}

#[test]
fn a_copy_of_the_log_raises_what_a_request_must_go_on_from_if_it_contains_what_was_cosigned() {
    let held = |size: u64, twist: u8| {
        let (note, leaves) = signed(size, twist);
        let root_at = move |size: u64| {
            let mut frontier = Frontier::new();
            leaves.get(..size as usize)?.iter().for_each(|leaf| frontier.push(*leaf));
            Some(frontier.root())
        };
        Held { note: Arc::new(note), root_at: Box::new(root_at) }
    };
    let dir = tempfile::tempdir().unwrap();
    has_cosigned_seven(dir.path());
    let witness = witness(dir.path());
    let ask = |old, size, copy: (u64, u8)| {
        let (note, leaves) = signed(size, 0);
        let proof = if old == 0 { Vec::new() } else { proof(old, &leaves) };
        let body = encode_request(old, &proof, &note);
        let held = |_: &str| Some(held(copy.0, copy.1));
        witness.add_checkpoint(&network(), &body, held, Timestamp::EPOCH).unwrap()
    };
    assert_eq!(ask(7, 9, (8, 0)), Answer::Conflict { size: 8 });
    // Smaller than what was cosigned, or of another tree: what was cosigned counts.
    assert_eq!(ask(0, 9, (5, 0)), Answer::Conflict { size: 7 });
    assert_eq!(ask(8, 9, (8, 1)), Answer::Conflict { size: 7 });
    assert!(matches!(ask(8, 9, (8, 0)), Answer::Cosigned { .. }));
    assert_eq!(witness.seen(&peer_name(ORIGIN)).unwrap().size, 9);
}

#[test]
fn what_is_cosigned_is_there_after_a_stop_at_any_step() {
    use crate::store::sim::{SimDisk, Survives};
    let dir = Path::new("/w");
    let open = |disk: &SimDisk| {
        let signer = NoteSigner::witness("demo/w", key(3)).unwrap();
        Witness::open(Arc::new(disk.clone()), dir, signer).unwrap()
    };
    for survives in [Survives::Everything, Survives::Synced, Survives::HalfOfUnsynced] {
        for step in 0.. {
            let disk = SimDisk::default();
            memory::create(&disk, dir).unwrap();
            let witness = open(&disk);
            disk.stop_at(step);
            let is_cosigned =
                matches!(ask(&witness, 0, &[], &signed(7, 0).0), Ok(Answer::Cosigned { .. }));
            let again = open(&disk.after(survives));
            let size = again.seen(&peer_name(ORIGIN)).map(|seen| seen.size);
            assert!(size == Some(7) || !is_cosigned && size.is_none(), "step {step}: {size:?}");
            // One that was noted and never cosigned is in doubt, which costs a question.
            let in_doubt = again.in_doubt([ORIGIN]).len();
            assert!(in_doubt == 0 || !is_cosigned, "step {step}");
            if !disk.stopped() {
                break;
            }
        }
    }
}

#[test]
fn a_damaged_file_is_never_believed_and_its_log_is_in_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(peer_name(ORIGIN));
    ask(&witness(dir.path()), 0, &[], &signed(3, 0).0).unwrap();
    let whole = std::fs::read_to_string(&file).unwrap();
    let root = whole.lines().nth(2).unwrap();
    let changes = [("\n3\n", "\n2\n"), (root, &STANDARD.encode([7; 32])), (ORIGIN, "demo/else/1")];
    let changed = changes.map(|(from, to)| whole.replacen(from, to, 1));
    for damaged in changed.iter().map(String::as_str).chain(["", &whole[..40]]) {
        std::fs::write(&file, damaged).unwrap();
        let again = reopened(dir.path());
        assert_eq!(again.in_doubt([ORIGIN]), [ORIGIN], "{damaged}");
        assert!(again.seen(&peer_name(ORIGIN)).is_none());
    }
}
