//! A registrar's node as a process, and members that are keys alone.

use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hallmark_node::keys::{self, Purpose};
use hallmark_schemas::id::OrgId;
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::kind::organisation::LogKeys;
use hallmark_schemas::layout::Dir;
use hallmark_schemas::network::{Member, NetworkFile};
use hallmark_schemas::note::NoteSigner;
use hallmark_schemas::role::Role;
use serde_json::Value;

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Longest wait for anything.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// A node that ends with its owner.
pub(crate) struct Running(Child);

impl Running {
    /// Resident memory, in bytes.
    pub(crate) fn memory(&self) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The organisation of this number.
pub(crate) fn org(number: usize) -> String {
    let digits = format!("9506000{number:05}");
    let weighted = digits.bytes().zip([1, 3].into_iter().cycle());
    let sum: u32 = weighted.map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    format!("urn:hallmark:org:gln:{digits}{}", (10 - sum % 10) % 10)
}

/// The key of this organisation for its log, witness, mirror or place among peers.
pub(crate) fn key(number: usize, purpose: u8) -> SecretKey {
    let mut seed = [purpose; 32];
    seed[..8].copy_from_slice(&(number as u64).to_le_bytes());
    SecretKey::from_seed(seed)
}

/// Among peers.
pub(crate) const PEER: u8 = 4;

/// The origin of its log.
pub(crate) fn origin(number: usize) -> Outcome<String> {
    Ok(format!("bench/{}/1", org(number).parse::<OrgId>()?.slug()))
}

/// What signs its log.
pub(crate) fn log_signer(number: usize) -> Outcome<NoteSigner> {
    Ok(NoteSigner::log(&origin(number)?, Arc::new(key(number, 1)))?)
}

fn member(number: usize) -> Outcome<Member> {
    let origin = origin(number)?;
    let witness = |purpose| {
        let name = format!("bench/{purpose}/{number}");
        Ok::<_, Box<dyn std::error::Error>>(
            NoteSigner::witness(&name, Arc::new(key(number, purpose)))?.vkey().clone(),
        )
    };
    let keys = LogKeys {
        log: log_signer(number)?.vkey().clone(),
        witness: witness(2)?,
        mirror: witness(3)?,
        peer: key(number, PEER).public().clone(),
        origin,
    };
    Ok(Member::new(org(number).parse()?, vec![Role::Auditor], keys))
}

/// Runs a command of the program to its end.
pub(crate) fn command(name: &str, dir: &Path, args: &[&str]) -> Outcome<Vec<u8>> {
    let program = env!("CARGO_BIN_EXE_hallmark-node");
    let ran = Command::new(program).arg(name).arg(dir).args(args).output()?;
    if !ran.status.success() {
        return Err(String::from_utf8_lossy(&ran.stderr).into());
    }
    Ok(ran.stdout)
}

/// Founds a network of organisation 0, to which these others belong, as keys alone.
pub(crate) fn found(dir: &Path, others: std::ops::Range<usize>) -> Outcome<()> {
    let own = ["--org", &org(0), "--name", "Bench", "--role", "producer", "verifier"];
    command("init", dir, &[&own[..], &["--new-network", "bench"]].concat())?;
    let folder = Dir::new(dir);
    let file = NetworkFile::parse(&std::fs::read(folder.network())?)?;
    let key = keys::open(&folder.keys(), Purpose::Organisation, None);
    let key = key.map_err(|failure| failure.lines())?;
    let members = others.map(member).collect::<Outcome<Vec<_>>>()?;
    let next = file.next(|network| network.members.extend(members));
    std::fs::write(folder.network(), NetworkFile::sign(next, &[&key])?.bytes())?;
    configure(dir, "# requests_per_second_max = 500", "requests_per_second_max = 100000")
}

/// Changes a line of a fresh configuration.
pub(crate) fn configure(dir: &Path, from: &str, to: &str) -> Outcome<()> {
    let path = dir.join("config.toml");
    let config = std::fs::read_to_string(&path)?;
    assert!(config.contains(from), "`{from}` stands in the fresh configuration");
    Ok(std::fs::write(&path, config.replace(from, to))?)
}

/// Runs the node of a folder, and waits until it listens.
pub(crate) fn run(dir: &Path) -> Outcome<Running> {
    let mut run = Command::new(env!("CARGO_BIN_EXE_hallmark-node"));
    let log = std::fs::File::create(dir.with_extension("log"))?;
    run.arg("run").arg(dir).args(["--http", "127.0.0.1:0"]).stderr(log);
    let running = Running(run.spawn()?);
    wait("the node to listen", || Ok(Dir::new(dir).addresses().exists().then_some(())))?;
    wait("the node to be ready", || Ok((status(dir)?["ready"] == true).then_some(())))?;
    Ok(running)
}

/// Polls until there is something.
pub(crate) fn wait<T>(what: &str, mut probe: impl FnMut() -> Outcome<Option<T>>) -> Outcome<T> {
    let end = Instant::now() + WAIT_MAX;
    while Instant::now() < end {
        if let Some(found) = probe()? {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(format!("waited in vain for {what}").into())
}

/// What the node says of itself; null while it does not answer.
pub(crate) fn status(dir: &Path) -> Outcome<Value> {
    let ran = command("status", dir, &["--format", "json"]);
    let text = String::from_utf8(ran.unwrap_or_default())?;
    Ok(text.lines().next().map_or(Ok(Value::Null), serde_json::from_str)?)
}

/// Where it answers by HTTP and to peers.
pub(crate) fn addresses(dir: &Path) -> Outcome<(String, String)> {
    let addresses: Value = serde_json::from_slice(&std::fs::read(Dir::new(dir).addresses())?)?;
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or("no address");
    Ok((text(&addresses["http"])?, text(&addresses["p2p"][0])?))
}
