//! An honest client of a node, alone and beside two members that ask as fast as they can.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hallmark_examples::world::http;
use hallmark_node::keys::{self, Purpose};
use hallmark_node::net::wire::Question;
use hallmark_schemas::attestation::{Claims, Draft, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::id::{OrgId, Subject};
use hallmark_schemas::key::SecretKey;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::facility::Facility;
use hallmark_schemas::time::Timestamp;
use hallmark_tests::liar::{Liar, nothing};

use crate::support::{Network, percentiles};

/// How long either way is measured.
const TIME: Duration = Duration::from_secs(15);
/// Questions that a flooder has under way.
const UNDER_WAY: usize = 256;
/// Pause of an honest client between two attestations.
const PAUSE: Duration = Duration::from_millis(2);

/// Prints rate and percentiles of both, and what became of the flooders.
pub(crate) async fn measure() -> anyhow::Result<()> {
    let network = Network::found().await?;
    let client = Client::new(&network)?;
    client.send_for(Duration::from_secs(2), 0).await?;
    let alone = client.send_for(TIME, 1 << 32).await?;
    let mut liars = Vec::new();
    for number in 2..4 {
        let member = network.member(number).await?;
        liars.push((network.liar(&member, nothing()).await?, member));
    }
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut floods = Vec::new();
    let mut members = Vec::new();
    for (liar, member) in liars {
        members.push(member.org().to_owned());
        let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
        floods.push(tokio::task::spawn_blocking(move || flood(&liar, &stop, &answered)));
    }
    let beside = client.send_for(TIME, 2 << 32).await?;
    stop.store(true, Ordering::Relaxed);
    for flood in floods {
        flood.await?;
    }
    let times = [alone, beside].map(|times| (times.len(), percentiles(times)));
    for (what, (count, [p50, p99])) in ["alone", "beside two flooders"].iter().zip(times) {
        let rate = count as f64 / TIME.as_secs_f64();
        println!(
            "flood: {what}: {rate:.0} attestations a second, p50 {p50:.2} ms, p99 {p99:.2} ms"
        );
    }
    println!(
        "flood: p99 {:.2} times that of alone; {} questions of the flooders were sent",
        times[1].1[1] / times[0].1[1],
        answered.load(Ordering::Relaxed)
    );
    for org in members {
        let why = network.registrar.run("peer", &["why", &org]).await?.with_code(0)?.stdout;
        let told = why.lines().filter(|line| line.starts_with("faults"));
        told.for_each(|line| println!("flood: {org}: {line}"));
    }
    Ok(())
}

/// Asks until it is told to stop, also while it is kept out.
fn flood(liar: &Liar, stop: &AtomicBool, sent: &AtomicU64) {
    let question = hallmark_schemas::cbor::to_vec(&Question::Network).expect("a question");
    while !stop.load(Ordering::Relaxed) {
        if liar.is_connected() {
            liar.ask_at_once(&question, UNDER_WAY);
            sent.fetch_add(UNDER_WAY as u64, Ordering::Relaxed);
        } else {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Hands in attestations of the registrar itself, one after the other.
struct Client {
    url: String,
    org: OrgId,
    key: SecretKey,
}

impl Client {
    fn new(network: &Network) -> anyhow::Result<Client> {
        let node = &network.registrar;
        let key = keys::open(&node.dir().join("keys"), Purpose::Organisation, None);
        let key = key.map_err(|failure| anyhow::anyhow!("{:?}", failure.lines()))?;
        let url = format!("{}/entries", node.url().trim_end_matches('/'));
        Ok(Client { url, org: node.org().parse()?, key })
    }

    /// How long each took until it was durable.
    async fn send_for(&self, time: Duration, first: u64) -> anyhow::Result<Vec<Duration>> {
        let headers = [("content-type", "application/cose"), ("prefer", "respond-async")];
        let (mut times, mut number, began) = (Vec::new(), first, Instant::now());
        while began.elapsed() < time {
            let body = self.facility(number)?;
            let sent = Instant::now();
            let answer = http::send("POST", &self.url, &headers, &body).await?;
            times.push(sent.elapsed());
            anyhow::ensure!(answer.status == 303, "answered {}", answer.status);
            number += 1;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(times)
    }

    fn facility(&self, number: u64) -> anyhow::Result<Vec<u8>> {
        let facility = format!("{}:works-{number}", self.org).replacen(":org:", ":facility:", 1);
        let claims = Claims {
            iss: self.org.clone(),
            sub: Subject::Facility(facility.parse()?),
            aud: Audience::Members,
            iat: Timestamp::from_unix_ms(1_780_000_000_000),
            regions: Vec::new(),
        };
        let body = Body::Facility(Facility {
            name: format!("Works {number}"),
            lat_e7: 311_234_567,
            lon_e7: 1_214_567_890,
            altitude_m: None,
            boundary: Vec::new(),
            province: "CN-31".to_owned(),
            utc_offset: "+08:00".to_owned(),
            sector: "steel".to_owned(),
            locations: Vec::new(),
            replaces: None,
            reason: None,
        });
        let mut salt = [0; 16];
        salt[..8].copy_from_slice(&number.to_le_bytes());
        Ok(sign(Draft { claims, body }, salt, &self.key)?.stored().to_vec())
    }
}
