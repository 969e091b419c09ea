//! One organisation's node: its folder, its process, its commands.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use super::program::{Ended, Programs, Running};
use super::{http, until};

/// Longest wait for a start.
const START_WAIT_MAX: Duration = Duration::from_secs(60);

/// An organisation with a node.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its URN.
    pub org: &'a str,
    /// Its legal name.
    pub name: &'a str,
    /// Its roles; a founder is registrar too.
    pub roles: &'a [&'a str],
}

/// Options of `config.toml` that a short life needs: (the line's begin, what replaces the line).
const QUICK: [(&str, &str); 3] = [
    ("# batch_wait_max", "batch_wait_max = \"100ms\""),
    ("# poll_every", "poll_every = \"200ms\""),
    ("# wait = ", "wait = \"300ms\""),
];

/// A node in a folder of its own.
#[derive(Debug)]
pub struct Node {
    programs: Programs,
    org: String,
    name: String,
    dir: PathBuf,
    process: Option<Running>,
    url: String,
    mqtt: Option<String>,
}

impl Node {
    /// Makes the folder of a node that founds `network`.
    pub async fn found(
        programs: &Programs,
        member: Member<'_>,
        dir: &Path,
        network: &str,
    ) -> anyhow::Result<Node> {
        Node::init(programs, member, dir, &["--new-network", network]).await
    }

    /// Makes the folder of a node that asks to join the network of `file`.
    pub async fn join(
        programs: &Programs,
        member: Member<'_>,
        dir: &Path,
        file: &Path,
    ) -> anyhow::Result<Node> {
        Node::join_from(programs, member, dir, file, "CN").await
    }

    /// The same for an organisation that is established in this region.
    pub async fn join_from(
        programs: &Programs,
        member: Member<'_>,
        dir: &Path,
        file: &Path,
        region: &str,
    ) -> anyhow::Result<Node> {
        let file = file.to_string_lossy();
        Node::init(programs, member, dir, &["--network", &file, "--region", region]).await
    }

    async fn init(
        programs: &Programs,
        member: Member<'_>,
        dir: &Path,
        network: &[&str],
    ) -> anyhow::Result<Node> {
        let folder = dir.to_string_lossy();
        let mut args = vec!["init", &folder, "--org", member.org, "--name", member.name];
        args.extend(member.roles.iter().flat_map(|role| ["--role", role]));
        args.extend(network);
        programs.run("hallmark-node", &args, b"").await?.with_code(0)?;
        let path = dir.join("config.toml");
        let text = std::fs::read_to_string(&path)?;
        std::fs::write(&path, quick(&text))?;
        Ok(Node {
            programs: programs.clone(),
            org: member.org.to_owned(),
            name: member.name.to_owned(),
            dir: dir.to_owned(),
            process: None,
            url: String::new(),
            mqtt: None,
        })
    }

    /// The node of a copy of its folder, which does not run.
    pub fn copied_to(&self, dir: &Path) -> Node {
        Node {
            programs: self.programs.clone(),
            org: self.org.clone(),
            name: self.name.clone(),
            dir: dir.to_owned(),
            process: None,
            url: String::new(),
            mqtt: None,
        }
    }

    /// Lets it judge after some seconds instead of at once, from its next start on.
    pub fn judges_rarely(&self) -> anyhow::Result<()> {
        let path = self.dir.join("config.toml");
        let text = std::fs::read_to_string(&path)?;
        let (begin, short) = QUICK[2];
        anyhow::ensure!(text.contains(short), "{} has no line {begin}", path.display());
        std::fs::write(&path, text.replacen(short, "wait = \"5s\"", 1))?;
        Ok(())
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whose node it is.
    pub fn org(&self) -> &str {
        &self.org
    }

    /// The legal name of that organisation.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The broker by which devices reach it.
    pub fn mqtt(&self) -> Option<&str> {
        self.mqtt.as_deref()
    }

    /// All that it has said since its first start.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.with_extension("log")
    }

    /// Its process, while it runs.
    pub fn process(&mut self) -> Option<&mut Running> {
        self.process.as_mut()
    }

    /// Starts it with further arguments of `run` and waits until it has written its addresses.
    pub async fn start(&mut self, args: &[&str]) -> anyhow::Result<()> {
        let folder = self.dir.to_string_lossy().into_owned();
        let mut all = vec!["run", folder.as_str()];
        all.extend(args);
        let running = self.programs.start("hallmark-node", &all, &self.log_path())?;
        let pid = running.pid();
        let process = self.process.insert(running);
        let path = self.dir.join("run").join("addresses.json");
        let began = std::time::Instant::now();
        loop {
            process.check_alive()?;
            let text = std::fs::read(&path).unwrap_or_default();
            let addresses: Value = serde_json::from_slice(&text).unwrap_or_default();
            if addresses["pid"].as_u64() == pid.map(u64::from) {
                self.url = addresses["http"].as_str().unwrap_or_default().to_owned();
                self.mqtt = addresses["mqtt"].as_str().map(ToOwned::to_owned);
                return Ok(());
            }
            anyhow::ensure!(
                began.elapsed() < START_WAIT_MAX,
                "{} did not start\n{}",
                self.name,
                process.log_tail()
            );
            tokio::time::sleep(super::POLL_EVERY).await;
        }
    }

    /// Waits until `/readyz` says so.
    pub async fn ready(&self, wait_max: Duration) -> anyhow::Result<()> {
        let url = format!("{}/readyz", self.url);
        let what = format!("{} to be ready", self.name);
        let waited = until(&what, wait_max, || async {
            Ok(http::get(&url).await.ok().filter(|answer| answer.status == 200))
        });
        if let Err(error) = waited.await {
            let answer = http::get(&url).await.map(|answer| answer.body).unwrap_or_default();
            return Err(error.context(String::from_utf8_lossy(&answer).into_owned()));
        }
        Ok(())
    }

    /// Runs `hallmark-node COMMAND DIR ARGS...`, whatever its exit code.
    pub async fn run<A: AsRef<OsStr>>(&self, command: &str, args: &[A]) -> anyhow::Result<Ended> {
        let mut all = vec![OsStr::new(command), self.dir.as_os_str()];
        all.extend(args.iter().map(AsRef::as_ref));
        self.programs.run("hallmark-node", &all, b"").await
    }

    /// A JSON document that the node serves.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = http::get(&format!("{}{path}", self.url)).await?;
        anyhow::ensure!(answer.status == 200, "{path}: status {}", answer.status);
        let json = answer.json();
        anyhow::ensure!(!json.is_null(), "{path} is no JSON");
        Ok(json)
    }

    /// Kills it as a power cut would.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().context("it does not run")?.kill().await
    }

    /// Stops it; its exit code.
    pub async fn stop(&mut self) -> anyhow::Result<i32> {
        self.process.take().context("it does not run")?.stop().await
    }
}

/// The configuration with short waits.
fn quick(text: &str) -> String {
    let line = |line: &str| {
        let short = QUICK.iter().find(|(begin, _)| line.starts_with(begin));
        format!("{}\n", short.map_or(line, |(_, short)| short))
    };
    text.lines().map(line).collect()
}
