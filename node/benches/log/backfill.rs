//! A member that joins copies a long log with its bodies over loopback, beside what it can verify and
//! write of the same log where nothing has to be asked for.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hallmark_node::core::{Node, OpenOptions, create};
use hallmark_node::index::engine::Engine;
use hallmark_node::keys::{self, Purpose};
use hallmark_node::peers::follower::{Ask, Follower, Heard};
use hallmark_schemas::key::SecretKey;
use hallmark_schemas::layout::Dir;
use hallmark_schemas::network::NetworkFile;
use reqwest::{Client, StatusCode};

use crate::http::{Until, address, introduce, run, send, start};
use crate::support::{Meters, Outcome, now};

/// Clients that fill the log.
const CLIENTS: u64 = 64;
/// Longest wait for the copy, and for the log to be recorded.
const WAIT_MAX: Duration = Duration::from_secs(1800);
/// Who joins.
const MEMBER: &str = "urn:hallmark:org:gln:9506000134369";

/// Prints the rate of the copy, the bound, and their ratio.
pub(crate) fn measure(count: u64) -> Outcome<()> {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (source, member) = (root.path().join("node"), root.path().join("member"));
    let running = start(&source)?;
    hallmark_node::client::install_tls_provider();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(fill(&source, count))?;
    let network = NetworkFile::parse(&std::fs::read(Dir::new(&source).network())?)?;
    command("init", &member, &["--org", MEMBER, "--name", "Member", "--role", "auditor"], &source)?;
    let join = member.join("join.cbor");
    done(program().arg("admit").arg(&source).arg(&join))?;

    let began = Instant::now();
    let copying = run(&member)?;
    let size = wait_for_copy(&member, count)?;
    let took = began.elapsed();
    drop((copying, running));
    let ours = size as f64 / took.as_secs_f64();
    println!(
        "backfill: {size} entries with bodies in {:.1} s: {ours:.0} a second",
        took.as_secs_f64()
    );
    let bound = bound(&source, &network, &root.path().join("bound"))?;
    println!(
        "bound: verified and written without asking: {bound:.0} a second, ratio {:.2}",
        ours / bound
    );
    Ok(())
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_hallmark-node"))
}

fn done(command: &mut Command) -> Outcome<Vec<u8>> {
    let ran = command.output()?;
    if !ran.status.success() {
        return Err(String::from_utf8_lossy(&ran.stderr).into());
    }
    Ok(ran.stdout)
}

fn command(name: &str, dir: &Path, args: &[&str], founder: &Path) -> Outcome<()> {
    let network = Dir::new(founder).network();
    done(program().arg(name).arg(dir).args(args).arg("--network").arg(network))?;
    Ok(())
}

/// So many attestations, all of them recorded.
async fn fill(dir: &Path, count: u64) -> Outcome<()> {
    let url = address(dir)?;
    let key = keys::open(&Dir::new(dir).keys(), Purpose::Organisation, None);
    let meters = Arc::new(Meters::new(key.map_err(|failure| failure.lines())?)?);
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    introduce(&client, &url, &meters).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let (client, url, meters) = (client.clone(), url.clone(), Arc::clone(&meters));
        tasks.spawn(async move {
            let share = count.div_ceil(CLIENTS);
            let range = (number * share).min(count)..((number + 1) * share).min(count);
            for sequence in range {
                let bodies = meters.readings(sequence..sequence + 1).map_err(|e| e.to_string())?;
                for body in bodies {
                    until_stored(&client, &url, body).await?;
                }
            }
            Ok::<_, String>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let status = || told(dir);
    wait(|| Ok(status()?["stored_unlogged"] == 0))
}

/// A log that cannot keep up says so, and takes it a little later.
async fn until_stored(client: &Client, url: &str, body: Vec<u8>) -> Result<(), String> {
    loop {
        let sent = send(client, url, body.clone(), Until::Stored).await;
        match sent.map_err(|e| e.to_string())? {
            StatusCode::SEE_OTHER | StatusCode::CREATED => return Ok(()),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            other => return Err(format!("answered {other}")),
        }
    }
}

/// What the node says of itself; `Null` while it does not answer.
fn told(dir: &Path) -> Outcome<serde_json::Value> {
    let ran = program().arg("status").arg(dir).args(["--format", "json"]).output()?;
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    Ok(text.lines().next().map_or(Ok(serde_json::Value::Null), serde_json::from_str)?)
}

fn wait(mut is_done: impl FnMut() -> Outcome<bool>) -> Outcome<()> {
    let end = Instant::now() + WAIT_MAX;
    while Instant::now() < end {
        if is_done()? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err("it took too long".into())
}

/// Waits until the member holds a whole copy with all its bodies; how many entries that are.
fn wait_for_copy(dir: &Path, count: u64) -> Outcome<u64> {
    let mut size = 0;
    wait(|| {
        let told = told(dir)?;
        let peer = &told["peers"][0];
        size = peer["size"].as_u64().unwrap_or(0);
        Ok(count <= size && peer["wanted"] == 0)
    })?;
    Ok(size)
}

/// Entries a second that a follower verifies and writes, everything it asks for read from the files
/// of the source before.
fn bound(source: &Path, network: &NetworkFile, fresh: &Path) -> Outcome<f64> {
    let member = network.network().members.first().ok_or("a network without members")?;
    let (dir, own) = (Dir::new(fresh), "bench/gln-9506000134376/1".to_owned());
    create(&dir, &dir.data(), &own)?;
    let key = |purpose| {
        let key = keys::open(&Dir::new(source).keys(), purpose, None);
        key.map_err(|failure| failure.lines())
    };
    let (from, from_writer) =
        open(&Dir::new(source), member.origin.clone(), key(Purpose::Log)?, network)?;
    let (to, to_writer) = open(&dir, own, SecretKey::from_seed([9; 32]), network)?;
    let log = to.mirror().follow(member.log_key.clone())?;
    let mut follower = Follower::new(log);
    let (mut ask, mut spent) = (Some(follower.begin()), Duration::ZERO);
    while let Some(asked) = ask {
        let heard = answer(&from, asked)?;
        let began = Instant::now();
        ask = follower.heard(heard)?.ask;
        spent += began.elapsed();
    }
    let size = follower.log().head().size;
    assert_eq!(follower.log().wanted_count(1)?, 0, "every body is there");
    drop((follower, from, to));
    from_writer.stop();
    to_writer.stop();
    Ok(size as f64 / spent.as_secs_f64())
}

fn open(
    dir: &Dir,
    origin: String,
    log_signer: SecretKey,
    network: &NetworkFile,
) -> Outcome<(Node, hallmark_node::core::WriterThread)> {
    Ok(Node::open(OpenOptions {
        dir: dir.clone(),
        data: dir.data(),
        origin,
        log_signer: Arc::new(log_signer),
        network: network.clone(),
        regions: Vec::new(),
        engine: Engine::default(),
        batch_wait_max: Duration::from_secs(1),
        clock: Arc::new(now),
    })?)
}

/// What the source's node would answer.
fn answer(from: &Node, asked: Ask) -> Outcome<Heard> {
    Ok(match asked {
        Ask::Checkpoint => {
            let published = from.log().published().ok_or("nothing is published")?;
            Heard::Checkpoint(published.note.to_string().into_bytes())
        }
        Ask::Bundle(path) => Heard::Bundle(from.log().tile(&path)?.ok_or("a tile is missing")?),
        Ask::Bodies(ids) => {
            let mut bodies = Vec::with_capacity(ids.len());
            for id in ids {
                bodies.push((id, from.log().body(&id)?));
            }
            Heard::Bodies(bodies)
        }
    })
}
