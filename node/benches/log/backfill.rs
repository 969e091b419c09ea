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

use crate::http::{address, found, run};
use crate::support::{Meters, Outcome, now};

/// Longest wait for the copy.
const WAIT_MAX: Duration = Duration::from_secs(1800);
/// Who joins.
const MEMBER: &str = "urn:hallmark:org:gln:9506000134369";

/// Prints the rate of the copy, the bound, and their ratio.
pub(crate) fn measure(count: u64) -> Outcome<()> {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (source, member) = (root.path().join("node"), root.path().join("member"));
    found(&source)?;
    let network = fill(&Dir::new(&source), count)?;
    let running = run(&source)?;
    address(&source)?;
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

/// So many attestations in the log of a node that was founded and does not run yet.
fn fill(dir: &Dir, count: u64) -> Outcome<NetworkFile> {
    let network = NetworkFile::parse(&std::fs::read(dir.network())?)?;
    let member = network.network().members.first().ok_or("a network without members")?;
    let meters = Meters::new(key(dir, Purpose::Organisation)?)?;
    let (node, writer) = open(dir, member.origin.clone(), key(dir, Purpose::Log)?, &network)?;
    node.log().guard_satisfied();
    wait(|| Ok(node.log().index_ready()))?;
    tokio::runtime::Runtime::new()?.block_on(crate::restart::fill(&node, &meters, count))?;
    writer.stop();
    Ok(network)
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
    let source = Dir::new(source);
    let log_key = key(&source, Purpose::Log)?;
    let (from, from_writer) = open(&source, member.origin.clone(), log_key, network)?;
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

fn key(dir: &Dir, purpose: Purpose) -> Outcome<SecretKey> {
    keys::open(&dir.keys(), purpose, None).map_err(|failure| failure.lines().into())
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
