//! A network of real processes for the benchmarks, with members that lie where one is wanted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use hallmark_examples::world::node::{Member, Node};
use hallmark_examples::world::program::Programs;
use hallmark_examples::world::until;
use hallmark_tests::liar::{Answers, Liar};

/// The network's name.
pub(crate) const NETWORK: &str = "bench";
/// Longest wait for anything.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(120);

/// A network whose registrar runs.
pub(crate) struct Network {
    pub(crate) root: tempfile::TempDir,
    programs: Programs,
    pub(crate) registrar: Node,
}

impl Network {
    /// Founds it.
    pub(crate) async fn found() -> anyhow::Result<Network> {
        let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let programs = Programs::beside_this()?;
        let missing = "build the programs first: cargo build --release --workspace --bins";
        anyhow::ensure!(programs.path("hallmark-node").exists(), "{missing}");
        let (org, dir) = (org(1), root.path().join("registrar"));
        let member = Member { org: &org, name: "registrar", roles: &["registrar", "producer"] };
        let mut registrar = Node::found(&programs, member, &dir, NETWORK).await?;
        // The limit of one address is far below what is measured.
        let limit = ("# requests_per_second_max = 500", "requests_per_second_max = 100000");
        configure(&dir, &[limit])?;
        registrar.start(&[]).await?;
        registrar.ready(WAIT_MAX).await?;
        Ok(Network { root, programs, registrar })
    }

    /// A member that was admitted and does not run.
    pub(crate) async fn member(&self, number: u64) -> anyhow::Result<Node> {
        let name = format!("member-{number}");
        let (org, dir) = (org(number), self.root.path().join(&name));
        let member = Member { org: &org, name: &name, roles: &["producer"] };
        let file = self.registrar.dir().join("network.hallmark");
        let node = Node::join(&self.programs, member, &dir, &file).await?;
        configure(&dir, &[])?;
        self.registrar.run("admit", &[dir.join("join.cbor")]).await?.with_code(0)?;
        Ok(node)
    }

    /// The same, running and connected.
    pub(crate) async fn running(&self, number: u64) -> anyhow::Result<Node> {
        let mut node = self.member(number).await?;
        node.start(&[]).await?;
        node.ready(WAIT_MAX).await?;
        self.connected(node.org()).await?;
        Ok(node)
    }

    /// A liar in the place of a member, once the registrar has let it in.
    pub(crate) async fn liar(&self, member: &Node, answers: Answers) -> anyhow::Result<Liar> {
        let place = self.place().await?;
        let liar = Liar::new(&member.dir().join("keys"), NETWORK, &place, answers);
        self.connected(member.org()).await?;
        Ok(liar)
    }

    /// Where the registrar listens for peers, with its peer id.
    async fn place(&self) -> anyhow::Result<String> {
        let listed = self.registrar.run("peer", &["list"]).await?.with_code(0)?.stdout;
        let own = listed.lines().find_map(|line| line.strip_prefix("own ")).context("no own id")?;
        let path = self.registrar.dir().join("run/addresses.json");
        let addresses: serde_json::Value = serde_json::from_slice(&std::fs::read(path)?)?;
        let listens = addresses["p2p"][0].as_str().context("it listens nowhere")?;
        Ok(format!("{listens}/p2p/{}", own.trim()))
    }

    /// Waits until the registrar is connected with this organisation.
    async fn connected(&self, org: &str) -> anyhow::Result<()> {
        until(&format!("a connection with {org}"), WAIT_MAX, || async {
            let listed = self.registrar.run("peer", &["list"]).await?.with_code(0)?.stdout;
            let is_here =
                |line: &str| line.contains(org) && line.trim_start().starts_with("connected");
            Ok(listed.lines().any(is_here).then_some(()))
        })
        .await
    }
}

/// Gives a node the waits that every node has, which tests shorten, and these options.
fn configure(dir: &Path, options: &[(&str, &str)]) -> anyhow::Result<()> {
    let path = dir.join("config.toml");
    let mut text = std::fs::read_to_string(&path)?;
    for line in ["batch_wait_max =", "poll_every =", "wait ="] {
        text = text.replace(&format!("\n{line}"), &format!("\n# {line}"));
    }
    for (line, option) in options {
        anyhow::ensure!(text.contains(line), "{line} is in the fresh configuration");
        text = text.replace(line, option);
    }
    Ok(std::fs::write(&path, text)?)
}

/// Records a statement at a node; its id.
pub(crate) async fn record(node: &Node, file: &Path) -> anyhow::Result<String> {
    let args = [file.to_owned(), PathBuf::from("--receipt")];
    let said = node.run("submit", &args).await?.with_code(0)?.stdout;
    let id = said.split_whitespace().find(|word| word.starts_with("sha256:"));
    Ok(id.context("no id was printed")?.to_owned())
}

/// An organisation's URN with the right check digit.
fn org(number: u64) -> String {
    let body = format!("{:012}", 950_600_000_000 + number);
    let weighed = |(at, digit): (usize, u8)| u32::from(digit - b'0') * [1, 3][at % 2];
    let sum: u32 = body.bytes().enumerate().map(weighed).sum();
    format!("urn:hallmark:org:gln:{body}{}", (10 - sum % 10) % 10)
}

/// The 50th and 99th percentile, in milliseconds.
pub(crate) fn percentiles(mut times: Vec<Duration>) -> [f64; 2] {
    times.sort_unstable();
    [50, 99].map(|percent| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3)
}

/// The middle one.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
