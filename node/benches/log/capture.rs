//! EPCIS documents of 500 events into a running node, until all are durable.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallmark_node::keys::{self, Purpose};
use hallmark_schemas::layout::Dir;
use hallmark_schemas::token::{Grant, Scope};
use reqwest::{Client, StatusCode};

use crate::percentiles;
use crate::support::{Meters, ORG, Outcome, now, signed, verify_only};

/// Events of one document, as GS1's own example of a limit has it.
const EVENTS: usize = 500;
/// Documents under way at a time.
const CLIENTS: [usize; 2] = [1, 4];
/// Longest that one number of clients is measured.
const TIME_MAX: Duration = Duration::from_secs(10);
/// What one retailer's supply chain was said to need, in events a second.
const NEED: f64 = 10_593.0;

/// Prints the rate of events and the time of a document.
pub(crate) fn measure(count: u64) -> Outcome<()> {
    let cores = std::thread::available_parallelism()?.get();
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let dir = root.path().join("node");
    let node = crate::http::start(&dir)?;
    let url = crate::http::address(&dir)?;
    let key = keys::open(&Dir::new(&dir).keys(), Purpose::Organisation, None);
    let meters = Meters::new(key.map_err(|failure| failure.lines())?)?;
    let documents: Vec<String> =
        (0..count.div_ceil(EVENTS as u64)).map(|number| document(number as usize)).collect();
    let bytes = documents[0].len() / EVENTS;
    println!("capture: documents of {EVENTS} events of {bytes} bytes on {cores} cores");
    let bound = verify_only(&signed(&meters.readings(0..20_000)?)?, &meters, cores);
    println!("bound: verify_strict alone    {bound}");
    hallmark_node::client::install_tls_provider();
    let iat = hallmark_schemas::time::Timestamp::from_unix_ms(now().unix_ms() / 1000 * 1000);
    let grant = Grant {
        iss: ORG.parse()?,
        aud: "bench/gln-9506000134352/1".to_owned(),
        scope: Scope::Capture,
        purpose: "bench".to_owned(),
        iat,
        exp: iat.checked_add_ms(9 * 60_000).ok_or("a time")?,
    };
    let token = grant.sign(&meters.org_key)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let client = Client::builder().build()?;
        crate::http::introduce(&client, &url, &meters).await?;
        let share = documents.len() / CLIENTS.len();
        let mut rest = documents.into_iter();
        for clients in CLIENTS {
            let share: Vec<String> = rest.by_ref().take(share).collect();
            let cpu = cpu_seconds_of(node.id());
            let (rate, times) = post(&client, (&url, &token), share, clients).await?;
            let taken = times.len() * EVENTS;
            let cpu = cpu_seconds_of(node.id()).zip(cpu).map(|(after, before)| after - before);
            let cpu_us = cpu.map_or(f64::NAN, |cpu| cpu * 1e6 / taken as f64);
            let [p50, p99] = percentiles(times).map(|time| time.as_secs_f64() * 1e3);
            println!(
                "{clients:>3} documents at a time {rate:>9.0} events a second, {cpu_us:.0} µs of \
                 the node's processor time each, a document p50 {p50:.0} ms, p99 {p99:.0} ms; \
                 {:.2} of the bound, {:.2} of {NEED:.0}",
                rate / bound.rate,
                rate / NEED
            );
        }
        Ok(())
    })
}

fn cpu_seconds_of(process: u32) -> Option<f64> {
    crate::support::cpu_seconds_in(&format!("/proc/{process}/stat"))
}

fn document(number: usize) -> String {
    let event = |event: usize| {
        let serial = number * EVENTS + event;
        format!(
            "{{\"type\":\"ObjectEvent\",\"eventID\":\"urn:uuid:00000000-0000-4000-8000-\
             {serial:012}\",\"eventTime\":\"2026-03-01T08:00:00.000+08:00\",\
             \"eventTimeZoneOffset\":\"+08:00\",\"epcList\":[\
             \"https://id.gs1.org/01/09520123456788/21/{serial}\"],\"action\":\"OBSERVE\",\
             \"bizStep\":\"shipping\",\"disposition\":\"in_transit\",\"readPoint\":{{\"id\":\
             \"https://id.gs1.org/414/9520123000001\"}}}}"
        )
    };
    let events: Vec<String> = (0..EVENTS).map(event).collect();
    format!(
        "{{\"@context\":[\"https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld\"],\
         \"type\":\"EPCISDocument\",\"schemaVersion\":\"2.0\",\
         \"creationDate\":\"2026-03-01T08:00:00Z\",\"epcisBody\":{{\"eventList\":[{}]}}}}",
        events.join(",")
    )
}

/// All clients until the share is used up or the time is over: events a second, and the time of
/// each document.
async fn post(
    client: &Client,
    (url, token): (&str, &str),
    share: Vec<String>,
    clients: usize,
) -> Outcome<(f64, Vec<Duration>)> {
    let share = Arc::new(std::sync::Mutex::new(share.into_iter()));
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..clients {
        let (client, share) = (client.clone(), Arc::clone(&share));
        let (url, token) = (format!("{url}/epcis/capture"), format!("Bearer {token}"));
        tasks.spawn(async move {
            let mut times = Vec::new();
            while began.elapsed() < TIME_MAX {
                let next = share.lock().ok().and_then(|mut share| share.next());
                let Some(body) = next else { break };
                let sent = Instant::now();
                let request = client.post(&url).header("content-type", "application/json");
                let request = request.header("authorization", &token).body(body);
                let answer = request.send().await.map_err(|e| e.to_string())?;
                times.push(sent.elapsed());
                if answer.status() != StatusCode::ACCEPTED {
                    return Err(answer.text().await.map_err(|e| e.to_string())?);
                }
            }
            Ok::<_, String>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(done) = tasks.join_next().await {
        times.extend(done??);
    }
    Ok(((times.len() * EVENTS) as f64 / began.elapsed().as_secs_f64(), times))
}
