use std::path::Path;
use std::sync::Arc;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::audience::Audience;
use hallmark_schemas::enrolment::Enrolled;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::id::{DeviceId, OrgId};
use hallmark_schemas::key::{PublicKey, SecretKey, Signer};
use hallmark_schemas::kind::readings::{ClockQuality, Sample};
use hallmark_schemas::kind::value::Digest;
use hallmark_schemas::merkle::node_hash;
use hallmark_schemas::network::{Member, Network, NetworkFile, Registrar};
use hallmark_schemas::note::{Checkpoint, NoteSigner, SignedNote};
use hallmark_schemas::policy::{Policy, Witness};
use hallmark_schemas::receipt::{Receipt, ReceiptParts};

use super::*;
use crate::batch::{BatchOptions, Series};
use crate::spool::{Limits, WhenFull};

const ORG: &str = "urn:hallmark:org:lei:529900T8BM49AURSDO55";
const ORIGIN: &str = "test/lei-529900T8BM49AURSDO55/0";

fn key(n: u8) -> Arc<SecretKey> {
    Arc::new(SecretKey::from_seed([n; 32]))
}

fn public(n: u8) -> PublicKey {
    key(n).public().clone()
}

fn device() -> DeviceId {
    "urn:hallmark:device:lei:529900T8BM49AURSDO55:m-7".parse().unwrap()
}

/// A node that receipts what it is given, each in a tree of two leaves.
struct Node {
    log: NoteSigner,
    witness: NoteSigner,
}

impl Node {
    fn new() -> Node {
        let log = NoteSigner::log(ORIGIN, key(1)).unwrap();
        let witness = NoteSigner::witness("w.example", key(2)).unwrap();
        Node { log, witness }
    }

    fn enrolled(&self) -> Vec<u8> {
        let witness = Witness { name: "w".to_owned(), key: self.witness.vkey().clone(), url: None };
        let policy = Policy::threshold(1, vec![witness]).unwrap();
        let file = self.network(1, policy, 3);
        Enrolled::new(&file, device(), ORIGIN, "mqtt://127.0.0.1:1").unwrap().encode()
    }

    /// The network file of this version, whose one registrar has key `registrar`.
    fn network(&self, version: u64, policy: Policy, registrar: u8) -> NetworkFile {
        let org: OrgId = ORG.parse().unwrap();
        let vkey = |name: &str, n| NoteSigner::witness(name, key(n)).unwrap().vkey().clone();
        let network = Network {
            v: 1,
            name: "test".to_owned(),
            version,
            expires_at: Timestamp::MAX,
            registrars: vec![Registrar {
                org: org.clone(),
                key: public(registrar),
                next_key_commitment: public(4).id(),
            }],
            threshold: 1,
            members: vec![Member {
                org,
                roles: vec!["registrar".parse().unwrap()],
                origin: ORIGIN.to_owned(),
                log_key: self.log.vkey().clone(),
                witness_key: vkey("own.example", 5),
                mirror_key: vkey("mirror.example", 6),
                peer_key: public(7),
                urls: vec!["http://127.0.0.1:1".to_owned()],
                multiaddrs: Vec::new(),
            }],
            policy,
            packs: Vec::new(),
            sealed: Vec::new(),
            previous: (1 < version).then_some(Digest([1; 32])),
            former: Vec::new(),
        };
        NetworkFile::sign(network, &[&*key(registrar)]).unwrap()
    }

    fn receipt(&self, id: ContentId, audience: u8, witnessed: bool) -> Vec<u8> {
        let entry = Entry { audience, admitted_at: Timestamp::from_unix_ms(9), id };
        let other = [8; 32];
        let root = node_hash(&other, &entry.leaf_hash());
        let text = Checkpoint::new(ORIGIN, 2, root).to_string();
        let mut checkpoint = SignedNote::unsigned(text).unwrap();
        let at = Timestamp::from_unix_ms(1000);
        checkpoint.add(self.log.sign(checkpoint.text(), at).unwrap());
        if witnessed {
            checkpoint.add(self.witness.sign(checkpoint.text(), at).unwrap());
        }
        let parts =
            ReceiptParts { entry: &entry, index: 1, path: &[other], checkpoint: &checkpoint };
        Receipt::sign(parts, &*key(1)).unwrap()
    }
}

fn courier(dir: &Path, release: Release, bytes_max: u64, samples_max: usize) -> Courier {
    let limits = Limits { bytes_max, when_full: WhenFull::Stop };
    let opened = Spool::open(&dir.join("spool"), limits).unwrap();
    let batching = BatchOptions {
        device: device(),
        audience: Audience::Members,
        samples_max,
        wait_max: Duration::from_secs(60),
    };
    let batcher = Batcher::new(batching, key(9), opened.chain);
    let link = LinkOptions {
        url: "mqtt://127.0.0.1:1".to_owned(),
        client_id: "agent".to_owned(),
        credentials: None,
        ca_file: None,
        client_certificate: None,
        keep_alive: Duration::from_secs(30),
        retry_wait_max: Duration::from_millis(300),
    };
    let options = CourierOptions {
        release,
        ack_wait_max: Duration::from_secs(10),
        window_max: 16,
        link,
        patience: Patience::Always(Duration::from_millis(200)),
        enrolled: dir.join("enrolled.cbor"),
    };
    let trust = Trust::parse(&Node::new().enrolled()).unwrap();
    Courier::new(options, opened.spool, batcher, trust)
}

fn taken(n: u64) -> Taken {
    let series = Series {
        quantity: "electricity".parse().unwrap(),
        scale_e10: None,
        statistic: None,
        interval_s: 900,
        clock_quality: ClockQuality::Synchronised,
        resolution: None,
    };
    let sample = Sample {
        read_at: Timestamp::from_unix_ms(n * 900_000),
        amount: 7,
        register: None,
        quality: None,
        source_amount: None,
        source_unit: None,
    };
    Taken::Sample { series: Arc::new(series), sample, mark: None }
}

fn event(serial: &str, answer: Option<oneshot::Sender<Kept>>) -> Taken {
    let epcis = format!(
        r#"{{"type":"ObjectEvent","action":"ADD","eventTime":"2026-01-02T03:04:05Z",
        "eventTimeZoneOffset":"+08:00","bizStep":"commissioning",
        "epcList":["https://id.gs1.org/01/09506000134352/21/{serial}"]}}"#
    );
    Taken::Event { epcis, answer }
}

fn nothing() -> mpsc::Receiver<Taken> {
    mpsc::channel(1).1
}

fn pending(courier: &Courier) -> Vec<ContentId> {
    courier.spool.pending_after(None).map(|(_, id)| id).collect()
}

fn ack(id: ContentId, status: Status, receipt: Option<Vec<u8>>) -> Ack {
    let reason = (status == Status::Refused).then(|| "no such role".to_owned());
    Ack { id, status, receipt, reason }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_receipt_that_proves_lets_an_entry_go() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::new();
    let mut courier = courier(dir.path(), Release::Recorded, 1 << 24, 1);
    courier.take(taken(1), &mut nothing()).unwrap();
    courier.take(taken(2), &mut nothing()).unwrap();
    let [first, second] = pending(&courier)[..] else { unreachable!() };
    for (answer, bad) in [
        (ack(first, Status::Stored, None), 0),
        (ack(first, Status::Deferred, None), 0),
        (ack(first, Status::Recorded, Some(node.receipt(second, 1, true))), 1),
        (ack(first, Status::Recorded, Some(node.receipt(first, 1, false))), 2),
        (ack(first, Status::Recorded, Some(node.receipt(first, 0, true))), 3),
        (ack(first, Status::Recorded, Some(vec![1, 2, 3])), 4),
        (ack(ContentId::of(b"unknown"), Status::Refused, None), 4),
    ] {
        courier.on_ack(answer).unwrap();
        assert_eq!((pending(&courier).len(), courier.tally.receipts_bad), (2, bad));
    }
    let good = ack(first, Status::Recorded, Some(node.receipt(first, 1, true)));
    courier.on_ack(good.clone()).unwrap();
    courier.on_ack(good).unwrap(); // a second time changes nothing
    assert_eq!((pending(&courier), courier.tally.acknowledged), (vec![second], 1));
    courier.on_ack(ack(second, Status::Refused, None)).unwrap();
    assert_eq!((pending(&courier), courier.tally.refused), (vec![], 1));
    let aside = std::fs::read_dir(dir.path().join("spool/refused")).unwrap().count();
    assert_eq!(aside, 2); // the attestation, and the reason
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_network_file_is_kept_and_its_policy_counts_if_it_succeeds_the_known_one() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::new();
    let mut courier = courier(dir.path(), Release::Recorded, 1 << 24, 1);
    courier.take(taken(1), &mut nothing()).unwrap();
    let id = pending(&courier)[0];
    let unwitnessed = ack(id, Status::Recorded, Some(node.receipt(id, 1, false)));
    let path = dir.path().join("enrolled.cbor");
    let strange = node.network(2, Policy::none(), 8);
    let mut damaged = node.network(2, Policy::none(), 3).bytes().to_vec();
    damaged[200] ^= 1;
    let repeated = node.network(1, Policy::none(), 3);
    for refused in [strange.bytes(), &damaged, repeated.bytes(), b"", b"nonsense"] {
        courier.on_config(refused);
        courier.on_ack(unwitnessed.clone()).unwrap();
        assert_eq!((pending(&courier), courier.trust.network_version()), (vec![id], 1));
        assert!(!path.exists());
    }
    courier.on_config(node.network(5, Policy::none(), 3).bytes());
    let kept = Trust::read(&path).unwrap();
    assert_eq!((kept.network_version(), courier.trust.network_version()), (5, 5));
    assert_eq!(kept.enrolled().broker, courier.trust.enrolled().broker);
    courier.on_config(node.network(4, Policy::none(), 3).bytes());
    assert_eq!(courier.trust.network_version(), 5, "an older one is left alone");
    courier.on_ack(unwitnessed).unwrap();
    assert_eq!(pending(&courier), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nodes_word_is_enough_where_that_was_chosen() {
    let dir = tempfile::tempdir().unwrap();
    let mut courier = courier(dir.path(), Release::Stored, 1 << 24, 1);
    courier.take(taken(1), &mut nothing()).unwrap();
    let id = pending(&courier)[0];
    courier.on_ack(ack(id, Status::Deferred, None)).unwrap();
    assert_eq!(pending(&courier), [id]);
    courier.on_ack(ack(id, Status::Stored, None)).unwrap();
    assert_eq!(pending(&courier), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_is_told_here_before_or_why_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut courier = courier(dir.path(), Release::Recorded, 4096, 1);
    let mut tell = |thing: &dyn Fn(oneshot::Sender<Kept>) -> Taken| {
        let (sender, mut told) = oneshot::channel();
        courier.take(thing(sender), &mut nothing()).unwrap();
        told.try_recv().unwrap()
    };
    let first = tell(&|answer| event("A1", Some(answer)));
    assert!(matches!(first, Kept::Here(_)));
    assert_eq!(tell(&|answer| event("A1", Some(answer))), Kept::Before);
    let empty = |answer| Taken::Event { epcis: "{}".to_owned(), answer: Some(answer) };
    assert!(matches!(tell(&empty), Kept::Refused(_)));
    let full = (2..20).map(|n| tell(&|answer| event(&format!("A{n}"), Some(answer))));
    let full = full.filter(|told| matches!(told, Kept::Refused(_))).count();
    assert!(0 < full && full < 18, "{full}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_keeps_batches_waiting_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut courier = courier(dir.path(), Release::Stored, 3000, 1);
    let (sender, mut inbox) = mpsc::channel(32);
    for n in 1..=20 {
        sender.send(taken(n)).await.unwrap();
    }
    let first = inbox.recv().await.unwrap();
    courier.take(first, &mut inbox).unwrap();
    let spooled = pending(&courier).len();
    assert!(0 < spooled && spooled < 20);
    assert_eq!(courier.untaken.len(), 20 - spooled);
    let sequences = courier.untaken.iter().map(|one| match one.sealed.class {
        crate::spool::Class::Batch { sequence } => sequence,
        crate::spool::Class::Scan => 0,
    });
    let expected: Vec<u64> = (spooled as u64 + 1..=20).collect();
    assert_eq!(sequences.collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_costs_nothing_but_time() {
    let dir = tempfile::tempdir().unwrap();
    let (sender, inbox) = mpsc::channel(8);
    for n in 1..=3 {
        sender.send(taken(n)).await.unwrap();
    }
    drop(sender);
    let away = courier(dir.path(), Release::Recorded, 1 << 24, 2);
    let ended = away.run(inbox, std::future::pending(), |_| {}).await;
    let CourierError::Unreachable { tally, .. } = ended.unwrap_err() else {
        panic!("another error");
    };
    assert_eq!((tally.taken, tally.pending), (2, 2));
    let again = courier(dir.path(), Release::Recorded, 1 << 24, 2);
    assert_eq!(pending(&again).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_open_input_it_waits_for_ever_and_after_its_end_only_so_long() {
    let dir = tempfile::tempdir().unwrap();
    let mut courier = courier(dir.path(), Release::Recorded, 1 << 24, 2);
    let max = Duration::from_millis(200);
    courier.options.patience = Patience::AfterInput(max);
    assert_eq!(courier.silence_max(), None);
    let (sender, inbox) = mpsc::channel(8);
    sender.send(taken(1)).await.unwrap();
    drop(sender);
    let began = Instant::now();
    let ended = courier.run(inbox, std::future::pending(), |_| {}).await;
    assert!(matches!(ended, Err(CourierError::Unreachable { tally, .. }) if tally.pending == 1));
    assert!(max <= began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_spools_what_was_open() {
    let dir = tempfile::tempdir().unwrap();
    let (sender, inbox) = mpsc::channel(8);
    sender.send(taken(1)).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let mut stop = Some(stop);
    let courier = courier(dir.path(), Release::Recorded, 1 << 24, 96);
    let mut rounds = 0;
    let ended = courier.run(
        inbox,
        async move {
            let _ = stopped.await;
        },
        |_| {
            rounds += 1;
            if rounds == 2 {
                stop.take();
            }
        },
    );
    let (ended, tally) = ended.await.unwrap();
    assert_eq!((ended, tally.taken.max(1)), (Ended::Stopped, 1));
    drop(sender);
}
