//! One device's agent: its folder, its enrolment, its process.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

use super::node::Node;
use super::program::{Ended, Programs, Running};

/// An agent in a folder of its own.
#[derive(Debug)]
pub struct Agent {
    programs: Programs,
    dir: PathBuf,
    process: Option<Running>,
}

impl Agent {
    /// Makes the device, puts `sources` (TOML) in place of those that `init` wrote, and has `node`
    /// enrol it.
    pub async fn enrolled(
        programs: &Programs,
        node: &Node,
        dir: &Path,
        args: &[&str],
        sources: &str,
    ) -> anyhow::Result<Agent> {
        let folder = dir.to_string_lossy();
        let mut init = vec!["init", &folder, "--org", node.org()];
        init.extend(args);
        programs.run("hallmark-agent", &init, b"").await?.with_code(0)?;
        let path = dir.join("config.toml");
        let text = std::fs::read_to_string(&path)?;
        let options = text.split("[[source]]").next().unwrap_or_default();
        std::fs::write(&path, format!("{options}\n{sources}"))?;
        let request = dir.join("enrol.cbor");
        node.run("enrol", &[&request]).await?.with_code(0)?;
        let answer = dir.join("enrolled.cbor").to_string_lossy().into_owned();
        programs.run("hallmark-agent", &["enrol", &folder, &answer], b"").await?.with_code(0)?;
        Ok(Agent { programs: programs.clone(), dir: dir.to_owned(), process: None })
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Starts `hallmark-agent COMMAND DIR ARGS...`.
    pub fn start(&mut self, command: &str, args: &[&str]) -> anyhow::Result<&mut Running> {
        let folder = self.dir.to_string_lossy();
        let mut all = vec![command, &folder];
        all.extend(args);
        let log = self.dir.with_extension("log");
        Ok(self.process.insert(self.programs.start("hallmark-agent", &all, &log)?))
    }

    /// Its process, while it runs.
    pub fn process(&mut self) -> Option<&mut Running> {
        self.process.as_mut()
    }

    /// Gives its process away: to be killed, stopped or waited for.
    pub fn take_process(&mut self) -> anyhow::Result<Running> {
        self.process.take().context("it does not run")
    }

    /// Runs `hallmark-agent COMMAND DIR ARGS...` to its end, whatever its exit code.
    pub async fn run(&self, command: &str, args: &[&str], stdin: &[u8]) -> anyhow::Result<Ended> {
        let folder = self.dir.to_string_lossy();
        let mut all = vec![command, &folder];
        all.extend(args);
        self.programs.run("hallmark-agent", &all, stdin).await
    }

    /// `hallmark-agent status`, as JSON.
    pub async fn status(&self) -> anyhow::Result<Value> {
        let ended = self.run("status", &["--format", "json"], b"").await?.with_code(0)?;
        let line = ended.stdout.lines().next().unwrap_or_default();
        serde_json::from_str(line).with_context(|| format!("status said {line}"))
    }
}
