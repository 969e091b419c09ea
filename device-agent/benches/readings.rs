//! How many readings a second one device signs, makes durable and lets go on a proved receipt.
//!
//! Prints ours, the bound and the ratio from one run. The bound is the signatures alone: one made
//! for each batch, three checked for each receipt (the log's on the receipt and on the checkpoint,
//! one witness's). The receipts are made between the two timed parts, by a log of this program.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hallmark_device_agent::batch::{BatchOptions, Batcher, Sealed, Series};
use hallmark_device_agent::spool::{Limits, Spool, WhenFull};
use hallmark_device_agent::trust::Trust;
use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::audience::Audience;
use hallmark_schemas::enrolment::Enrolled;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::id::DeviceId;
use hallmark_schemas::key::{PublicKey, SecretKey, Signer};
use hallmark_schemas::kind::readings::{ClockQuality, Sample};
use hallmark_schemas::merkle::node_hash;
use hallmark_schemas::network::{Member, Network, NetworkFile, Registrar};
use hallmark_schemas::note::{Checkpoint, NoteSigner, SignedNote};
use hallmark_schemas::policy::{Policy, Witness};
use hallmark_schemas::receipt::{Receipt, ReceiptParts};
use hallmark_schemas::time::Timestamp;

const BATCHES: usize = 2_000;
/// One day of quarter hours.
const SAMPLES: usize = 96;
/// Batches that one sync makes durable: what a replay at full speed hands over at once.
const GROUP: usize = 32;
const ORIGIN: &str = "bench/lei-529900T8BM49AURSDO55/1";
const DEVICE: &str = "urn:hallmark:device:lei:529900T8BM49AURSDO55:m-7";

fn main() -> Result<()> {
    let device: DeviceId = DEVICE.parse()?;
    let log = NoteSigner::log(ORIGIN, key(1))?;
    let witness = NoteSigner::witness("w.example", key(2))?;
    let trust = Trust::parse(&enrolled(&device, &log, &witness)?)?;
    let dir = tempfile::tempdir()?;
    let limits = Limits { bytes_max: 1 << 30, when_full: WhenFull::Stop };
    let opened = Spool::open(&dir.path().join("spool"), limits)?;
    let mut spool = opened.spool;
    let options = BatchOptions {
        device,
        audience: Audience::Members,
        samples_max: SAMPLES,
        wait_max: Duration::from_secs(60),
    };
    let mut batcher = Batcher::new(options, key(9), opened.chain);

    let began = Instant::now();
    let sealed = sign_and_spool(&mut batcher, &mut spool)?;
    let taking = began.elapsed();
    let receipts = sealed.iter().map(|(id, _)| receipt(*id, &log, &witness));
    let receipts = receipts.collect::<Result<Vec<_>>>()?;
    let began = Instant::now();
    for ((id, stored), receipt) in sealed.iter().zip(&receipts) {
        trust.check_receipt(*id, stored, receipt)?;
        spool.release(id)?;
    }
    let releasing = began.elapsed();

    let bound = signatures_alone(&sealed)?;
    let readings = (BATCHES * SAMPLES) as f64;
    let ours = readings / (taking + releasing).as_secs_f64();
    let bound = readings / bound.as_secs_f64();
    println!("agent, {BATCHES} batches of {SAMPLES} readings, {GROUP} batches a sync, one core");
    println!("  signed and spooled     {:>10.0} readings/s", readings / taking.as_secs_f64());
    println!("  receipted and released {:>10.0} readings/s", readings / releasing.as_secs_f64());
    println!("  ours (both)            {ours:>10.0} readings/s");
    println!("  bound (signatures)     {bound:>10.0} readings/s");
    println!("  ratio                  {:>10.2}", ours / bound);
    Ok(())
}

type Taken = Vec<(ContentId, Vec<u8>)>;

fn sign_and_spool(batcher: &mut Batcher, spool: &mut Spool) -> Result<Taken> {
    let series = Arc::new(Series {
        quantity: "electricity".parse()?,
        scale_e10: None,
        statistic: None,
        interval_s: 900,
        clock_quality: ClockQuality::Synchronised,
        resolution: None,
    });
    let (mut taken, mut group): (Taken, Vec<Sealed>) = (Vec::new(), Vec::new());
    for number in 0..BATCHES * SAMPLES {
        let read_at = Timestamp::from_unix_ms(1_700_000_000_000 + number as u64 * 900_000);
        let amount = 40_000 + (number as i64 * 7_919) % 9_973;
        let sample = Sample {
            read_at,
            amount,
            register: None,
            quality: None,
            source_amount: None,
            source_unit: None,
        };
        let signed_at = Timestamp::from_unix_ms(read_at.unix_ms() / 1000 * 1000);
        group.extend(batcher.sample(&series, (sample, None), Instant::now(), signed_at)?);
        if group.len() == GROUP || number + 1 == BATCHES * SAMPLES {
            let entries: Vec<_> = group
                .iter()
                .map(|sealed| (sealed.envelope.id(), sealed.class, sealed.envelope.stored()))
                .collect();
            spool.take(&entries)?;
            taken.extend(entries.iter().map(|(id, _, stored)| (*id, stored.to_vec())));
            group.clear();
        }
    }
    Ok(taken)
}

/// The least that could be done: one signature made and three checked for each batch.
fn signatures_alone(taken: &[(ContentId, Vec<u8>)]) -> Result<Duration> {
    let signer = key(9);
    let began = Instant::now();
    for (_, stored) in taken {
        let signature = signer.sign(stored)?;
        for _ in 0..3 {
            black_box(signer.public().verify_strict(stored, &signature))?;
        }
    }
    Ok(began.elapsed())
}

fn key(seed: u8) -> Arc<SecretKey> {
    Arc::new(SecretKey::from_seed([seed; 32]))
}

fn public(seed: u8) -> PublicKey {
    key(seed).public().clone()
}

fn enrolled(device: &DeviceId, log: &NoteSigner, witness: &NoteSigner) -> Result<Vec<u8>> {
    let org = device.org();
    let other = |name: &str, seed| Ok::<_, anyhow::Error>(NoteSigner::witness(name, key(seed))?);
    let named = Witness { name: "w".to_owned(), key: witness.vkey().clone(), url: None };
    let registrar =
        Registrar { org: org.clone(), key: public(3), next_key_commitment: public(4).id() };
    let member = Member {
        org,
        roles: vec!["registrar".parse()?],
        origin: ORIGIN.to_owned(),
        log_key: log.vkey().clone(),
        witness_key: other("own.example", 5)?.vkey().clone(),
        mirror_key: other("mirror.example", 6)?.vkey().clone(),
        peer_key: public(7),
        urls: Vec::new(),
        multiaddrs: Vec::new(),
    };
    let network = Network {
        v: 1,
        name: "bench".to_owned(),
        version: 1,
        expires_at: Timestamp::MAX,
        registrars: vec![registrar],
        threshold: 1,
        members: vec![member],
        policy: Policy::threshold(1, vec![named]).context("one witness of one")?,
        packs: Vec::new(),
        sealed: Vec::new(),
        previous: None,
        former: Vec::new(),
    };
    let file = NetworkFile::sign(network, &[&*key(3)])?;
    let enrolled = Enrolled::new(&file, device.clone(), ORIGIN, "mqtt://127.0.0.1:1");
    Ok(enrolled.context("the network file names the log")?.encode())
}

fn receipt(id: ContentId, log: &NoteSigner, witness: &NoteSigner) -> Result<Vec<u8>> {
    let at = Timestamp::from_unix_ms(1_700_000_000_000);
    let entry = Entry { audience: Audience::Members.byte(), admitted_at: at, id };
    let sibling = [8; 32];
    let root = node_hash(&sibling, &entry.leaf_hash());
    let text = Checkpoint::new(ORIGIN, 2, root).to_string();
    let mut checkpoint = SignedNote::unsigned(text).context("a checkpoint is a note")?;
    checkpoint.add(log.sign(checkpoint.text(), at)?);
    checkpoint.add(witness.sign(checkpoint.text(), at)?);
    let parts = ReceiptParts { entry: &entry, index: 1, path: &[sibling], checkpoint: &checkpoint };
    Ok(Receipt::sign(parts, &*key(1))?)
}
