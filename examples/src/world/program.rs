//! The three programs: where they are, one run to its end, one that stays up.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};

/// Longest run of a command that ends by itself.
const RUN_WAIT_MAX: Duration = Duration::from_secs(180);
/// Longest wait for a program that was asked to stop.
const STOP_WAIT_MAX: Duration = Duration::from_secs(30);
/// Lines of a log that a failure quotes.
const TAIL_LINES: usize = 12;

/// The folder that holds the built programs.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
}

/// What a command left behind.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The command line, for messages.
    pub line: String,
    /// Exit code; -1 after a signal.
    pub code: i32,
    /// Its data, as text.
    pub stdout: String,
    /// Its data, byte for byte.
    pub bytes: Vec<u8>,
    /// Its talk.
    pub stderr: String,
}

/// A program that stays up. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    name: String,
    log: PathBuf,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Programs {
    /// The programs in `folder`, such as `target/debug`.
    pub fn in_folder(folder: &Path) -> Programs {
        Programs { folder: folder.to_owned() }
    }

    /// The folder that the running executable was built into.
    pub fn beside_this() -> anyhow::Result<Programs> {
        let exe = std::env::current_exe().context("cannot tell where this program is")?;
        let mut folder = exe.parent().unwrap_or(Path::new("."));
        if folder.ends_with("deps") {
            folder = folder.parent().unwrap_or(folder);
        }
        Ok(Programs::in_folder(folder))
    }

    /// The path of `hallmark-node`, `hallmark-agent` or `hallmark-verify`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn command<A: AsRef<OsStr>>(&self, name: &str, args: &[A]) -> Command {
        let mut command = Command::new(self.path(name));
        command.args(args).env("NO_COLOR", "1").env_remove("COLUMNS").kill_on_drop(true);
        for (key, _) in std::env::vars_os() {
            // Options of whoever runs this must not change what happens here.
            if key.to_string_lossy().starts_with("HALLMARK_") {
                command.env_remove(key);
            }
        }
        command
    }

    /// Runs a program to its end, whatever its exit code.
    pub async fn run<A: AsRef<OsStr>>(
        &self,
        name: &str,
        args: &[A],
        stdin: &[u8],
    ) -> anyhow::Result<Ended> {
        let words: Vec<_> = args.iter().map(|arg| arg.as_ref().to_string_lossy()).collect();
        let line = format!("{name} {}", words.join(" "));
        let mut child = self
            .command(name, args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {line}"))?;
        let mut pipe = child.stdin.take().context("the child has no stdin")?;
        let input = stdin.to_vec();
        let feed = tokio::spawn(async move {
            // A program that ends before it has read everything is judged by its exit code.
            let _ = pipe.write_all(&input).await;
        });
        let output = tokio::time::timeout(RUN_WAIT_MAX, child.wait_with_output())
            .await
            .with_context(|| format!("{line} did not end in {} s", RUN_WAIT_MAX.as_secs()))??;
        feed.abort();
        Ok(Ended {
            line,
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            bytes: output.stdout,
        })
    }

    /// Starts a program that stays up; what it says goes to `log`.
    pub fn start<A: AsRef<OsStr>>(
        &self,
        name: &str,
        args: &[A],
        log: &Path,
    ) -> anyhow::Result<Running> {
        let file = File::options().create(true).append(true).open(log)?;
        let mut child = self
            .command(name, args)
            .stdin(Stdio::piped())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let stdin = child.stdin.take();
        Ok(Running { name: name.to_owned(), log: log.to_owned(), child, stdin })
    }
}

impl Ended {
    /// The same, if it ended with `code`.
    pub fn with_code(self, code: i32) -> anyhow::Result<Ended> {
        if self.code == code {
            return Ok(self);
        }
        bail!(
            "{} ended with {} instead of {code}\n{}{}",
            self.line,
            self.code,
            tail(&self.stdout),
            tail(&self.stderr)
        )
    }

    /// The last line on stdout: the verdict.
    pub fn last_line(&self) -> &str {
        self.stdout.lines().last().unwrap_or_default()
    }
}

impl Running {
    /// Process number, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Types lines into its standard input.
    pub async fn type_lines(&mut self, lines: &[String]) -> anyhow::Result<()> {
        let stdin = self.stdin.as_mut().context("its standard input is closed")?;
        for line in lines {
            stdin.write_all(format!("{line}\n").as_bytes()).await?;
        }
        Ok(stdin.flush().await?)
    }

    /// An error with the end of the log, if it has ended.
    pub fn check_alive(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended: {status}\n{}", self.name, self.log_tail()),
        }
    }

    /// The last lines it said.
    pub fn log_tail(&self) -> String {
        tail(&std::fs::read_to_string(&self.log).unwrap_or_default())
    }

    /// Kills it as a power cut would.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks it to end (SIGTERM) and waits; its exit code.
    pub async fn stop(mut self) -> anyhow::Result<i32> {
        drop(self.stdin.take());
        if let Some(pid) = self.child.id() {
            Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        }
        let status = tokio::time::timeout(STOP_WAIT_MAX, self.child.wait())
            .await
            .with_context(|| format!("{} did not stop\n{}", self.name, self.log_tail()))??;
        Ok(status.code().unwrap_or(-1))
    }

    /// Waits until it ends by itself, after its standard input is closed.
    pub async fn ended(mut self, wait_max: Duration) -> anyhow::Result<i32> {
        drop(self.stdin.take());
        let status = tokio::time::timeout(wait_max, self.child.wait())
            .await
            .with_context(|| format!("{} did not end\n{}", self.name, self.log_tail()))??;
        Ok(status.code().unwrap_or(-1))
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    lines[from..].iter().map(|line| format!("    {line}\n")).collect()
}
