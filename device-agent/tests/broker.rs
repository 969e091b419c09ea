//! The agent as a process, with a broker and a node that receipts what it gets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hallmark_schemas::ack::{Ack, Status};
use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::enrolment::{Enrol, Enrolled};
use hallmark_schemas::entry::Entry;
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::kind::Body;
use hallmark_schemas::merkle::{Frontier, Hash, inclusion_proof};
use hallmark_schemas::network::{Member, Network, NetworkFile, Registrar};
use hallmark_schemas::note::{Checkpoint, NoteSigner, SignedNote};
use hallmark_schemas::policy::Policy;
use hallmark_schemas::receipt::{Receipt, ReceiptParts};
use hallmark_schemas::time::Timestamp;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{Client, Event, MqttOptions};
use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};

const ORG: &str = "urn:hallmark:org:lei:529900T8BM49AURSDO55";
const ORIGIN: &str = "test/lei-529900T8BM49AURSDO55/0";
const WAIT_MAX: Duration = Duration::from_secs(60);

fn key(n: u8) -> Arc<SecretKey> {
    Arc::new(SecretKey::from_seed([n; 32]))
}

/// Starts a broker on a free port; it ends with the test process.
fn start_broker() -> SocketAddr {
    let probe = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = probe.local_addr().unwrap();
    drop(probe);
    let connections = ConnectionSettings {
        connection_timeout_ms: 5_000,
        max_payload_size: 1 << 20,
        max_inflight_count: 200,
        auth: None,
        external_auth: None,
        dynamic_filters: true,
    };
    let server = ServerSettings {
        name: "test".to_owned(),
        listen,
        tls: None,
        next_connection_delay_ms: 0,
        connections,
    };
    let router = RouterConfig {
        max_connections: 16,
        max_outgoing_packet_count: 200,
        max_segment_size: 1 << 20,
        max_segment_count: 8,
        ..RouterConfig::default()
    };
    let servers = [("test".to_owned(), server)].into_iter().collect();
    let config = Config { router, v5: Some(servers), ..Config::default() };
    thread::spawn(move || drop(Broker::new(config).start()));
    let started = Instant::now();
    while TcpStream::connect(listen).is_err() {
        assert!(started.elapsed() < WAIT_MAX, "the broker does not listen");
        thread::yield_now();
    }
    listen
}

/// What the node has recorded: each attestation once, in the order it came.
#[derive(Default)]
struct Recorded {
    leaves: Vec<Hash>,
    index: BTreeMap<ContentId, usize>,
    envelopes: Vec<Envelope>,
}

fn network() -> NetworkFile {
    let log = NoteSigner::log(ORIGIN, key(1)).unwrap();
    let vkey = |name: &str, n| NoteSigner::witness(name, key(n)).unwrap().vkey().clone();
    let org: hallmark_schemas::id::OrgId = ORG.parse().unwrap();
    let member = Member {
        org: org.clone(),
        roles: vec!["registrar".parse().unwrap()],
        origin: ORIGIN.to_owned(),
        log_key: log.vkey().clone(),
        witness_key: vkey("w.example", 2),
        mirror_key: vkey("m.example", 3),
        peer_key: key(4).public().clone(),
        urls: vec!["http://127.0.0.1:1".to_owned()],
        multiaddrs: Vec::new(),
    };
    let registrar =
        Registrar { org, key: key(5).public().clone(), next_key_commitment: key(6).public().id() };
    let network = Network {
        v: 1,
        name: "test".to_owned(),
        version: 1,
        expires_at: Timestamp::MAX,
        registrars: vec![registrar],
        threshold: 1,
        members: vec![member],
        policy: Policy::none(),
        packs: Vec::new(),
        sealed: Vec::new(),
        previous: None,
        former: Vec::new(),
    };
    NetworkFile::sign(network, &[&*key(5)]).unwrap()
}

impl Recorded {
    /// Records an attestation and gives its receipt.
    fn record(&mut self, envelope: Envelope) -> Vec<u8> {
        if self.leaves.is_empty() {
            self.leaves.push([7; 32]); // as a genesis: no receipt for a tree of one leaf
        }
        let admitted_at = Timestamp::from_unix_ms(1_700_000_000_000);
        let (id, audience) = (envelope.id(), envelope.claims().aud.byte());
        let entry = Entry { audience, admitted_at, id };
        let next = self.leaves.len();
        let index = *self.index.entry(id).or_insert(next);
        if index == next {
            self.leaves.push(entry.leaf_hash());
            self.envelopes.push(envelope);
        }
        let read = |level: u32, index: u64| {
            let start = (index << level) as usize;
            let mut frontier = Frontier::new();
            self.leaves[start..start + (1 << level)].iter().for_each(|leaf| frontier.push(*leaf));
            Ok::<_, std::convert::Infallible>(frontier.root())
        };
        let size = self.leaves.len() as u64;
        let path = inclusion_proof(index as u64, size, read).unwrap();
        let mut frontier = Frontier::new();
        self.leaves.iter().for_each(|leaf| frontier.push(*leaf));
        let log = NoteSigner::log(ORIGIN, key(1)).unwrap();
        let text = Checkpoint::new(ORIGIN, size, frontier.root()).to_string();
        let mut checkpoint = SignedNote::unsigned(text).unwrap();
        checkpoint.add(log.sign(checkpoint.text(), Timestamp::EPOCH).unwrap());
        let index = index as u64;
        let parts = ReceiptParts { entry: &entry, index, path: &path, checkpoint: &checkpoint };
        Receipt::sign(parts, &*key(1)).unwrap()
    }
}

/// A node that answers every second attestation only when it comes again.
fn start_node(broker: SocketAddr) -> Arc<Mutex<Recorded>> {
    let recorded = Arc::new(Mutex::new(Recorded::default()));
    let state = Arc::clone(&recorded);
    let mut options = MqttOptions::new("node", broker.ip().to_string(), broker.port());
    options.set_max_packet_size(Some(2 << 20));
    let (client, mut connection) = Client::new(options, 4096);
    client.subscribe("hallmark/1/test/+/+/attest", QoS::AtLeastOnce).unwrap();
    thread::spawn(move || {
        let mut deaf = 0_u32;
        for event in connection.iter() {
            let Ok(Event::Incoming(Packet::Publish(message))) = event else {
                continue;
            };
            let envelope = Envelope::parse(&message.payload).unwrap();
            let mut state = state.lock().unwrap();
            let known = state.index.contains_key(&envelope.id());
            let id = envelope.id();
            let receipt = state.record(envelope);
            deaf += 1;
            if !known && deaf.is_multiple_of(2) {
                continue; // recorded, but the answer is lost
            }
            let ack = Ack { id, status: Status::Recorded, receipt: Some(receipt), reason: None };
            let topic = String::from_utf8(message.topic.to_vec()).unwrap();
            let topic = topic.replace("/attest", "/ack");
            client.try_publish(topic, QoS::AtLeastOnce, false, ack.encode()).unwrap();
        }
    });
    recorded
}

fn agent(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hallmark-agent"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn done(command: &mut Command, code: i32) -> Output {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{command:?}: {stderr}");
    output
}

/// Makes and enrols a meter whose configuration gets `more` in front.
fn enrolled_meter(dir: &Path, broker: &str, more: &str) -> PathBuf {
    let source = ["--device", "m-7", "--source", "replay", "--quantity", "electricity"];
    enrolled(dir, &source, broker, more)
}

fn enrolled(dir: &Path, source: &[&str], broker: &str, more: &str) -> PathBuf {
    let meter = dir.join("agent");
    let path = meter.to_str().unwrap();
    done(agent(&["init", path, "--org", ORG]).args(source), 0);
    let enrol = Enrol::parse(&std::fs::read(meter.join("enrol.cbor")).unwrap()).unwrap();
    let enrolled = Enrolled::new(&network(), enrol.device, ORIGIN, broker).unwrap();
    let answer = dir.join("enrolled.cbor");
    std::fs::write(&answer, enrolled.encode()).unwrap();
    done(&mut agent(&["enrol", path, answer.to_str().unwrap()]), 0);
    let config = meter.join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{more}{text}")).unwrap();
    meter
}

/// A CSV of quarter hours in the columns that `init` writes into config.toml.
fn csv(dir: &Path, rows: u64) -> PathBuf {
    let path = dir.join("readings.csv");
    let mut text = "read_at,amount\n".to_owned();
    for row in 0..rows {
        let at = Timestamp::from_unix_ms(1_767_225_600_000 + row * 900_000);
        text += &format!("{at},{}\n", 1000 + row);
    }
    std::fs::write(&path, text).unwrap();
    path
}

/// Sequences rise by one, each names the batch before, and each sequence was used once.
fn assert_chained(recorded: &Recorded, batches: usize) {
    let mut by_sequence = BTreeMap::new();
    for envelope in &recorded.envelopes {
        let Body::Readings(readings) = envelope.body() else { unreachable!() };
        let earlier = by_sequence.insert(readings.sequence, (envelope.id(), readings.previous));
        assert_eq!(earlier, None, "sequence {} was used twice", readings.sequence);
    }
    let mut previous = None;
    for (expected, (sequence, (id, named))) in (1..).zip(&by_sequence) {
        assert_eq!((*sequence, *named), (expected, previous));
        previous = Some(*id);
    }
    assert!(batches <= by_sequence.len(), "{} of {batches}", by_sequence.len());
}

#[test]
fn a_replay_ends_once_all_is_recorded_and_lost_answers_are_asked_for_again() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start_broker();
    let recorded = start_node(broker);
    let more = "samples_max = 4\nack_wait_max = \"1s\"\n";
    let meter = enrolled_meter(dir.path(), &format!("mqtt://{broker}"), more);
    let file = csv(dir.path(), 202);
    let replay = ["replay", meter.to_str().unwrap(), file.to_str().unwrap()];
    let output = done(&mut agent(&replay), 0);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(stdout.contains("202 rows") && stdout.contains("51 recorded"), "{stdout}");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stderr.contains("WARN"), "an orderly end is no accident: {stderr}");
    let recorded = recorded.lock().unwrap();
    assert_eq!(recorded.envelopes.len(), 51);
    assert_chained(&recorded, 51);
}

#[test]
fn killed_at_any_moment_it_loses_nothing_and_uses_no_sequence_twice() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start_broker();
    let recorded = start_node(broker);
    let more = "samples_max = 1\nack_wait_max = \"1s\"\n";
    let meter = enrolled_meter(dir.path(), &format!("mqtt://{broker}"), more);
    let meter = meter.to_str().unwrap();
    let file = csv(dir.path(), 1000);
    let replay = ["replay", meter, file.to_str().unwrap(), "--speed", "400"];
    for round in 0..8_usize {
        let mut child: Child = agent(&replay).stdout(Stdio::null()).spawn().unwrap();
        let wanted = recorded.lock().unwrap().envelopes.len() + 5 + round * 7;
        let started = Instant::now();
        while recorded.lock().unwrap().envelopes.len() < wanted {
            assert!(started.elapsed() < WAIT_MAX, "nothing is recorded");
            thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    done(&mut agent(&["replay", meter, file.to_str().unwrap()]), 0);
    // The whole file is there: once more takes nothing.
    done(&mut agent(&["replay", meter, file.to_str().unwrap()]), 0);
    let recorded = recorded.lock().unwrap();
    assert_chained(&recorded, 1000);
    let samples = recorded.envelopes.iter().flat_map(|envelope| match envelope.body() {
        Body::Readings(readings) => readings.samples.clone(),
        _ => Vec::new(),
    });
    let mut read_at: Vec<_> = samples.map(|sample| sample.read_at).collect();
    read_at.sort();
    let rows = read_at.len();
    read_at.dedup();
    assert_eq!((rows, read_at.len()), (1000, 1000));
}

#[test]
fn a_second_process_is_refused_and_an_absent_broker_is_told_with_nothing_lost() {
    let dir = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let meter = enrolled_meter(dir.path(), &format!("mqtt://{nobody}"), "");
    let meter = meter.to_str().unwrap();
    let file = csv(dir.path(), 5);
    let replay = ["replay", meter, file.to_str().unwrap(), "--wait", "1s"];
    let output = done(&mut agent(&replay), 6);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("stay in the spool") && stderr.contains("help: "), "{stderr}");
    let lock = std::fs::File::open(Path::new(meter).join("lock")).unwrap();
    lock.lock().unwrap();
    let output = done(&mut agent(&replay), 6);
    assert!(String::from_utf8_lossy(&output.stderr).contains("in use by another process"));
    lock.unlock().unwrap();
    let broker = start_broker();
    let recorded = start_node(broker);
    let config = Path::new(meter).join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("[mqtt]\n", &format!("[mqtt]\nurl = \"mqtt://{broker}\"\n"));
    std::fs::write(&config, format!("ack_wait_max = \"1s\"\n{text}")).unwrap();
    done(&mut agent(&["replay", meter, file.to_str().unwrap()]), 0);
    assert_chained(&recorded.lock().unwrap(), 1);
}

/// Runs a bench over these lines to its end.
fn scan(bench: &Path, lines: &str, wait: &str, code: i32) -> (String, String) {
    let input = bench.join("lines.txt");
    std::fs::write(&input, lines).unwrap();
    let mut run = agent(&["run", bench.to_str().unwrap(), "--wait", wait]);
    let output = done(run.stdin(std::fs::File::open(&input).unwrap()), code);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_run_whose_input_ends_says_so_waits_for_receipts_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start_broker();
    let recorded = start_node(broker);
    let more = "ack_wait_max = \"1s\"\n";
    let source = ["--device", "b-1", "--source", "stdin"];
    let bench = enrolled(dir.path(), &source, &format!("mqtt://{broker}"), more);
    let good = "mode:commission\n(01)09506000134352(21)A\n(01)09506000134352(21)B\n";
    let (stdout, stderr) = scan(&bench, good, "60s", 0);
    assert_eq!(recorded.lock().unwrap().envelopes.len(), 2);
    assert!(stderr.contains("the input ended: 2 scans kept here"), "{stderr}");
    assert!(!stderr.contains("WARN"), "{stderr}");
    let verdict = stdout.lines().last().unwrap();
    assert_eq!(verdict, "done: 2 taken, 2 recorded, 0 refused, 0 in the spool");
    // A refused scan is told by the exit code too; the repeated one makes no second event.
    let (_, stderr) = scan(&bench, &format!("{good}(01)09506000134353(21)C\n"), "60s", 1);
    assert!(stderr.contains("0 scans kept here, 2 kept before, 1 refused"), "{stderr}");
    assert_eq!(recorded.lock().unwrap().envelopes.len(), 2);
}

#[test]
fn a_run_whose_input_ends_while_nobody_answers_keeps_the_scans_for_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let source = ["--device", "b-1", "--source", "stdin"];
    let bench = enrolled(dir.path(), &source, &format!("mqtt://{nobody}"), "");
    let (stdout, _) = scan(&bench, "mode:commission\n(01)09506000134352(21)A\n", "1s", 0);
    let verdict = stdout.lines().last().unwrap();
    let kept = "kept: 1 taken, 0 recorded, 0 refused, 1 in the spool; what is in the spool goes";
    assert!(verdict.starts_with(kept), "{verdict}");
    let broker = start_broker();
    let recorded = start_node(broker);
    let config = bench.join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("[mqtt]\n", &format!("[mqtt]\nurl = \"mqtt://{broker}\"\n"));
    std::fs::write(&config, format!("ack_wait_max = \"1s\"\n{text}")).unwrap();
    let (stdout, _) = scan(&bench, "", "60s", 0);
    let verdict = stdout.lines().last().unwrap();
    assert_eq!(verdict, "done: 0 taken, 1 recorded, 0 refused, 0 in the spool");
    assert_eq!(recorded.lock().unwrap().envelopes.len(), 1);
}
