//! Attestations that clients sign themselves, one in a request, into a running node.

use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hallmark_node::keys::{self, Purpose};
use hallmark_schemas::layout::Dir;
use reqwest::{Client, StatusCode};

use crate::percentiles;
use crate::support::{Meters, ORG, Outcome, signed, verify_only};

/// Clients at a time.
const CLIENTS: [usize; 2] = [1, 64];
/// Longest that one way of asking is measured.
const TIME_MAX: Duration = Duration::from_secs(8);
/// Longest wait for the node to answer at all.
const START_WAIT_MAX: Duration = Duration::from_secs(30);

/// How far an attestation has to come before a client sends its next one.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Stored,
    Recorded,
}

/// A node that ends with its owner.
pub(crate) struct Running(Child);

impl Running {
    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Prints rate and percentiles for both ways of waiting and both numbers of clients.
pub(crate) fn measure(count: u64) -> Outcome<()> {
    let cores = std::thread::available_parallelism()?.get();
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let dir = root.path().join("node");
    let _node = start(&dir)?;
    let url = address(&dir)?;
    let key = keys::open(&Dir::new(&dir).keys(), Purpose::Organisation, None);
    let meters = Meters::new(key.map_err(|failure| failure.lines())?)?;
    let bodies = meters.readings(0..count)?;
    println!("http: {count} attestations of {} bytes on {cores} cores", bodies[0].len());
    let bound = verify_only(&signed(&bodies)?, &meters, cores);
    println!("bound: verify_strict alone    {bound}");
    hallmark_node::client::install_tls_provider();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        // 303 is the answer that is waited for, not a way to somewhere.
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        introduce(&client, &url, &meters).await?;
        let mut rest = bodies.into_iter();
        for clients in CLIENTS {
            for until in [Until::Stored, Until::Recorded] {
                let share = count as usize / (CLIENTS.len() * 2);
                let share: Vec<_> = rest.by_ref().take(share).collect();
                let name = match until {
                    Until::Stored => "stored",
                    Until::Recorded => "recorded",
                };
                let (rate, times) = post(&client, &url, share, clients, until).await?;
                let [p50, p99] = percentiles(times).map(|time| time.as_secs_f64() * 1e3);
                println!(
                    "{clients:>3} clients, until {name:8} {rate:>9.0} a second, p50 {p50:.1} ms, \
                     p99 {p99:.1} ms, ratio {:.2}",
                    rate / bound.rate
                );
            }
        }
        Ok(())
    })
}

/// Founds a network of one and runs its node.
pub(crate) fn start(dir: &Path) -> Outcome<Running> {
    found(dir)?;
    run(dir)
}

/// Founds a network of one.
pub(crate) fn found(dir: &Path) -> Outcome<()> {
    let program = env!("CARGO_BIN_EXE_hallmark-node");
    let init = Command::new(program)
        .arg("init")
        .arg(dir)
        .args(["--org", ORG, "--name", "Bench", "--role", "producer", "--new-network", "bench"])
        .output()?;
    if !init.status.success() {
        return Err(String::from_utf8_lossy(&init.stderr).into());
    }
    // The limit of one address is far below what is measured.
    let path = dir.join("config.toml");
    let config = std::fs::read_to_string(&path)?;
    let limited = "# requests_per_second_max = 500";
    assert!(config.contains(limited), "the limit is in the fresh configuration");
    std::fs::write(&path, config.replace(limited, "requests_per_second_max = 100000"))?;
    Ok(())
}

/// Runs the node of a folder.
pub(crate) fn run(dir: &Path) -> Outcome<Running> {
    let mut run = Command::new(env!("CARGO_BIN_EXE_hallmark-node"));
    let log = std::fs::File::create(dir.with_extension("log"))?;
    run.arg("run").arg(dir).args(["--http", "127.0.0.1:0"]).stderr(log);
    Ok(Running(run.spawn()?))
}

/// Where the node answers, once it is ready.
pub(crate) fn address(dir: &Path) -> Outcome<String> {
    let path = Dir::new(dir).addresses();
    let end = Instant::now() + START_WAIT_MAX;
    while Instant::now() < end {
        if let Ok(text) = std::fs::read(&path) {
            let addresses: serde_json::Value = serde_json::from_slice(&text)?;
            return Ok(addresses["http"].as_str().ok_or("no address")?.to_owned());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err("the node did not start".into())
}

/// Makes the meter known.
pub(crate) async fn introduce(client: &Client, url: &str, meters: &Meters) -> Outcome<()> {
    let body = meters.introduce()?;
    let end = Instant::now() + START_WAIT_MAX;
    while Instant::now() < end {
        if send(client, url, body.clone(), Until::Recorded).await? == StatusCode::CREATED {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("the meter was not recorded".into())
}

pub(crate) async fn send(
    client: &Client,
    url: &str,
    body: Vec<u8>,
    until: Until,
) -> Outcome<StatusCode> {
    let mut request = client.post(format!("{url}/entries"));
    if matches!(until, Until::Stored) {
        request = request.header("prefer", "respond-async");
    }
    let request = request.header("content-type", "application/cose").body(body);
    let answer = request.send().await?;
    let status = answer.status();
    answer.bytes().await?;
    Ok(status)
}

/// All clients until the share is used up or the time is over: a second's rate, and each time.
async fn post(
    client: &Client,
    url: &str,
    share: Vec<Vec<u8>>,
    clients: usize,
    until: Until,
) -> Outcome<(f64, Vec<Duration>)> {
    let share = Arc::new(std::sync::Mutex::new(share.into_iter()));
    let wanted = match until {
        Until::Stored => StatusCode::SEE_OTHER,
        Until::Recorded => StatusCode::CREATED,
    };
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..clients {
        let (client, url, share) = (client.clone(), url.to_owned(), Arc::clone(&share));
        tasks.spawn(async move {
            let mut times = Vec::new();
            while began.elapsed() < TIME_MAX {
                let next = share.lock().ok().and_then(|mut share| share.next());
                let Some(body) = next else { break };
                let sent = Instant::now();
                let status = send(&client, &url, body, until).await.map_err(|e| e.to_string())?;
                times.push(sent.elapsed());
                if status != wanted {
                    return Err(format!("answered {status}"));
                }
            }
            Ok::<_, String>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(done) = tasks.join_next().await {
        times.extend(done??);
    }
    Ok((times.len() as f64 / began.elapsed().as_secs_f64(), times))
}
