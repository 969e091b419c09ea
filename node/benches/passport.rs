//! Passports from the index while the same node takes in events.
//!
//! `cargo bench -p hallmark-node --bench passport [-- SECONDS]` prints requests a second and the
//! 50th and 99th percentile of their time, gathered anew each time and as they are served. Ours:
//! looked up in the goods index, read, hash, inclusion and signature checked, folded, rendered as
//! a page. Meanwhile events are proved, made durable, indexed and sequenced on the same cores.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hallmark_node::config;
use hallmark_node::core::{Node, OpenOptions, create};
use hallmark_node::index::engine::Engine;
use hallmark_node::judge::Judged;
use hallmark_node::labels::Ledger;
use hallmark_node::page::Language;
use hallmark_node::page::passport::{Forms, Frame, page};
use hallmark_node::passport::cache::{Passports, Source};
use hallmark_node::passport::code::Code;
use hallmark_node::peers::address::AddressBook;
use hallmark_schemas::attestation::{Claims, Draft, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::id::{OrgId, Subject};
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::kind::{Body, KindName};
use hallmark_schemas::layout::Dir;
use hallmark_schemas::network::{Network, NetworkFile, Registrar};
use hallmark_schemas::policy::Policy;
use hallmark_schemas::time::Timestamp;

/// How long each way is measured unless the command line says otherwise.
const SECONDS: u64 = 10;
/// Items that are asked for.
const ITEMS: usize = 2_000;
/// Events of each.
const STEPS: [&str; 4] = ["commissioning", "packing", "shipping", "receiving"];
/// Events that stand ready to be taken in meanwhile.
const STREAM: usize = 200_000;
/// Events that one client has under way.
const CLIENT_BATCH: usize = 512;
/// The log's name.
const ORIGIN: &str = "bench/gln-9506000134352/1";
const CLASS: &str = "/01/09520123456788";

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn options(dir: Dir, network: NetworkFile) -> OpenOptions {
    OpenOptions {
        data: dir.data(),
        dir,
        origin: ORIGIN.to_owned(),
        log_signer: Arc::new(SecretKey::from_seed([3; 32])),
        network,
        regions: Vec::new(),
        engine: Engine::default(),
        batch_wait_max: Duration::from_secs(1),
        clock: Arc::new(now),
    }
}

fn main() -> Outcome<()> {
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(SECONDS);
    let (org, key) = ("urn:hallmark:org:gln:9506000134352".parse()?, SecretKey::from_seed([1; 32]));
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let dir = Dir::new(root.path());
    create(&dir, &dir.data(), ORIGIN)?;
    let (node, writer) = Node::open(options(dir, network(&org, &key)?))?;
    node.log().guard_satisfied();
    let runtime = tokio::runtime::Runtime::new()?;
    let known = known(&org, &key)?;
    runtime.block_on(async {
        for batch in known.chunks(CLIENT_BATCH) {
            node.admit_many(batch.to_vec()).await;
        }
        node.recorded(&hallmark_schemas::attestation::ContentId::of(&known[known.len() - 1])).await
    })?;
    let stream = stream(&org, &key)?;
    let (stop, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let ingest = {
        let (node, stop, taken) = (node.clone(), Arc::clone(&stop), Arc::clone(&taken));
        runtime.spawn(async move {
            for batch in stream.chunks(CLIENT_BATCH) {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                node.admit_many(batch.to_vec()).await;
                taken.fetch_add(batch.len(), Ordering::Relaxed);
            }
        })
    };
    println!("{ITEMS} items of {} events, {seconds} s each", STEPS.len());
    let labels = Ledger::new(&org, root.path());
    let (settings, judged) = (config::Passport::default(), Judged::default());
    let addresses = AddressBook::open(root.path().join("addresses.json"), &[]);
    let source = Source {
        node: &node,
        org: &org,
        settings: &settings,
        labels: &labels,
        judged: &judged,
        addresses: &addresses,
    };
    for (name, is_kept) in [("gathered anew", false), ("as served", true)] {
        let (began, before) = (Instant::now(), taken.load(Ordering::Relaxed));
        let mut times = ask(&source, is_kept, Duration::from_secs(seconds))?;
        let rate = times.len() as f64 / began.elapsed().as_secs_f64();
        let ingested = taken.load(Ordering::Relaxed) - before;
        let ingested = ingested as f64 / began.elapsed().as_secs_f64();
        times.sort_unstable();
        let [p50, p99] = [500_000, 990_000]
            .map(|ppm| times[(times.len() - 1) * ppm / 1_000_000].as_secs_f64() * 1e3);
        println!(
            "{name:14} {rate:>8.0} a second, p50 {p50:.2} ms, p99 {p99:.2} ms, beside \
             {ingested:.0} events a second",
        );
    }
    stop.store(true, Ordering::Relaxed);
    runtime.block_on(ingest)?;
    writer.stop();
    Ok(())
}

/// A described class and every step of its items.
fn known(org: &OrgId, key: &SecretKey) -> Outcome<Vec<Vec<u8>>> {
    let mut known = vec![masterdata(org, key)?];
    for item in 0..ITEMS {
        for step in 0..STEPS.len() {
            known.push(event(org, key, &format!("S{item}"), step)?);
        }
    }
    Ok(known)
}

/// The events to take in meanwhile.
fn stream(org: &OrgId, key: &SecretKey) -> Outcome<Vec<Vec<u8>>> {
    (0..STREAM).map(|number| event(org, key, &format!("T{number}"), 0)).collect()
}

/// Asks for items one after another, in no order, and notes how long each took.
fn ask(source: &Source<'_>, is_kept: bool, long: Duration) -> Outcome<Vec<Duration>> {
    let (mut passports, mut times, mut number) = (Passports::default(), Vec::new(), 1usize);
    let end = Instant::now() + long;
    let token = || Some("00".repeat(32));
    let forms = Forms { confirmation: token(), complaint: token() };
    while Instant::now() < end {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let path = format!("{CLASS}/21/S{}", (number >> 33) % ITEMS);
        let began = Instant::now();
        let code = Code::from_link(&path, "").ok_or("a code")?;
        let kept = if is_kept { passports.known(source, &code, now()) } else { None };
        let (passport, _) = match kept {
            Some(kept) => kept,
            None => passports.gather(source, &code, now())?,
        };
        let frame = Frame { language: Language::Zh, operator: "bench", path: &path, forms: &forms };
        let html = page(&passport, &frame).into_string();
        times.push(began.elapsed());
        assert!(passport.state.has_record() && html.contains("</html>"), "{path}");
        if !is_kept {
            passports = Passports::default();
        }
    }
    Ok(times)
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_unix_ms(since.map_or(0, |since| since.as_millis() as u64))
}

fn attest(org: &OrgId, key: &SecretKey, sub: Subject, body: Body) -> Outcome<Vec<u8>> {
    let iat = Timestamp::from_unix_ms(1_780_000_000_000);
    let claims = Claims { iss: org.clone(), sub, aud: Audience::Public, iat, regions: Vec::new() };
    Ok(sign(Draft { claims, body }, [7; 16], key)?.stored().to_vec())
}

fn masterdata(org: &OrgId, key: &SecretKey) -> Outcome<Vec<u8>> {
    let json = serde_json::json!({
        "from_at": "2026-01-01T00:00:00Z", "name": { "en": "Flask", "zh-Hans": "保温杯" },
        "about": { "item": {} },
    });
    let sub = Subject::parse(&format!("https://id.gs1.org{CLASS}"))?;
    attest(org, key, sub, Body::from_json(KindName::Masterdata, json)?)
}

fn event(org: &OrgId, key: &SecretKey, serial: &str, step: usize) -> Outcome<Vec<u8>> {
    let action = if step == 0 { "ADD" } else { "OBSERVE" };
    let epcis = serde_json::json!({
        "type": "ObjectEvent", "action": action, "bizStep": STEPS[step],
        "eventTime": format!("2026-03-0{}T08:00:00.000+08:00", step + 1),
        "eventTimeZoneOffset": "+08:00",
        "epcList": [format!("https://id.gs1.org{CLASS}/21/{serial}")],
        "readPoint": { "id": "https://id.gs1.org/414/9506000134369" },
    });
    let json = serde_json::json!({ "epcis": epcis.to_string() });
    attest(org, key, Subject::Org(org.clone()), Body::from_json(KindName::Event, json)?)
}

fn network(org: &OrgId, key: &SecretKey) -> Outcome<NetworkFile> {
    let registrar = Registrar {
        org: org.clone(),
        key: key.public().clone(),
        next_key_commitment: SecretKey::from_seed([4; 32]).public().id(),
    };
    let network = Network {
        v: 1,
        name: "bench".to_owned(),
        version: 1,
        expires_at: Timestamp::MAX,
        registrars: vec![registrar],
        threshold: 1,
        members: Vec::new(),
        policy: Policy::none(),
        packs: Vec::new(),
        sealed: Vec::new(),
        previous: None,
        former: Vec::new(),
    };
    Ok(NetworkFile::sign(network, &[key])?)
}
