//! A world of real processes in one temporary folder, on loopback, gone when it is dropped.
//!
//! Nothing here sleeps for luck: every wait polls a condition until a stated deadline, and says
//! what it waited for when that passes.

use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use http::Answer;

pub(crate) mod http;

/// Longest wait for anything that should happen at once on an idle machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// What a finished command left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    /// The command did what it should and found nothing.
    pub(crate) fn ok(self) -> Ran {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// The command ended with this code and `error:` and `help:` lines where it is an error.
    pub(crate) fn fails(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

/// One of the three programs.
pub(crate) fn program(name: &str) -> PathBuf {
    let exe = std::env::current_exe().expect("a test has a path");
    let dir = exe.parent().and_then(Path::parent).expect("target/<profile>/deps/it");
    let path = dir.join(name);
    assert!(path.exists(), "{} is missing: cargo build --workspace --bins", path.display());
    path
}

/// Runs a program to its end.
pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(name: &str, args: &[S]) -> Ran {
    run_with(name, args, b"")
}

/// Runs a program to its end with this stdin.
pub(crate) fn run_with<S: AsRef<std::ffi::OsStr>>(name: &str, args: &[S], stdin: &[u8]) -> Ran {
    let mut child = command(name)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut pipe = child.stdin.take().expect("piped");
    let stdin = stdin.to_vec();
    // The child may end before it has read all of it.
    let writer = std::thread::spawn(move || drop(pipe.write_all(&stdin)));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("the writer ends");
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        bytes: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn command(name: &str) -> Command {
    let mut command = Command::new(program(name));
    command.env("NO_COLOR", "1").env_remove("COLUMNS");
    for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("HALLMARK_")) {
        command.env_remove(key);
    }
    command
}

/// Polls until `probe` gives something; panics with `what` after `limit`.
pub(crate) fn wait<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// An organisation's text form with the right check digit.
pub(crate) fn org(number: u64) -> String {
    let body = format!("{:012}", 950_600_000_000 + number);
    let sum: u32 = body
        .bytes()
        .enumerate()
        .map(|(at, digit)| u32::from(digit - b'0') * if at % 2 == 0 { 1 } else { 3 })
        .sum();
    format!("urn:hallmark:org:gln:{body}{}", (10 - sum % 10) % 10)
}

/// The folder of a world.
pub(crate) struct World {
    dir: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> World {
        World { dir: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file and gives its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("the temporary folder is writable");
        path
    }

    /// A network of one node, its founder, running.
    pub(crate) fn founder(&self, name: &str) -> Node {
        self.founder_with(name, &["producer"], &[])
    }

    /// The same with more roles and arguments of `run`.
    pub(crate) fn founder_with(&self, name: &str, roles: &[&str], args: &[&str]) -> Node {
        let dir = self.path(name);
        let org = org(1);
        let mut init = vec!["init", path_text(&dir), "--org", &org, "--name", name];
        init.extend(["--new-network", "world", "--role", "registrar"]);
        init.extend(roles.iter().flat_map(|role| ["--role", role]));
        run("hallmark-node", &init).ok();
        quicken(&dir);
        let mut node = Node::at(&dir, &org, args);
        node.start();
        node
    }

    /// A newcomer with its own folder, not yet admitted nor running.
    pub(crate) fn newcomer(&self, name: &str, number: u64, role: &str, founder: &Node) -> Node {
        let dir = self.path(name);
        let org = org(number);
        let network = founder.dir.join("network.hallmark");
        let init = ["init", path_text(&dir), "--org", &org, "--name", name, "--role", role];
        let init = init.into_iter().chain(["--network", path_text(&network)]).collect::<Vec<_>>();
        run("hallmark-node", &init).ok();
        quicken(&dir);
        Node::at(&dir, &org, &[])
    }
}

/// Short beats, so that tests wait little.
fn quicken(dir: &Path) {
    let path = dir.join("config.toml");
    let config = std::fs::read_to_string(&path).expect("init wrote it");
    let mut kept: String = config
        .lines()
        .filter(|line| line.split('=').next().is_none_or(|key| !QUICK_KEYS.contains(&key.trim())))
        .fold(String::new(), |text, line| text + line + "\n");
    for (section, key, value) in QUICK {
        let header = format!("[{section}]");
        let line = format!("{key} = \"{value}\"");
        match kept.lines().any(|line| line.trim() == header) {
            true => kept = kept.replacen(&header, &format!("{header}\n{line}"), 1),
            false => kept += &format!("\n{header}\n{line}\n"),
        }
    }
    std::fs::write(&path, kept).expect("it is writable");
}

const QUICK: [(&str, &str, &str); 3] = [
    ("log", "batch_wait_max", "100ms"),
    ("peers", "poll_every", "200ms"),
    ("judge", "wait", "300ms"),
];
const QUICK_KEYS: [&str; 3] = ["batch_wait_max", "poll_every", "wait"];

/// UTF-8 text of a path in the temporary folder.
pub(crate) fn path_text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// One node's folder and, while it runs, its process.
pub(crate) struct Node {
    pub(crate) dir: PathBuf,
    pub(crate) org: String,
    args: Vec<String>,
    child: Option<Child>,
    pub(crate) url: String,
    pub(crate) mqtt: Option<String>,
}

impl Node {
    fn at(dir: &Path, org: &str, args: &[&str]) -> Node {
        Node {
            dir: dir.to_path_buf(),
            org: org.to_owned(),
            args: args.iter().map(ToString::to_string).collect(),
            child: None,
            url: String::new(),
            mqtt: None,
        }
    }

    pub(crate) fn dir_text(&self) -> &str {
        path_text(&self.dir)
    }

    /// Starts the process and waits until it says that it is ready.
    pub(crate) fn start(&mut self) {
        let addresses = self.dir.join("run").join("addresses.json");
        drop(std::fs::remove_file(&addresses));
        let log = std::fs::File::options()
            .append(true)
            .create(true)
            .open(self.dir.with_extension("log"))
            .expect("the folder is writable");
        let child = command("hallmark-node")
            .args(["run", self.dir_text(), "--http", "127.0.0.1:0"])
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let pid = child.id();
        self.child = Some(child);
        let found = wait("addresses.json", SOON, || {
            self.assert_runs();
            let bytes = std::fs::read(&addresses).ok()?;
            let json: Value = serde_json::from_slice(&bytes).ok()?;
            (json["pid"].as_u64() == Some(u64::from(pid))).then_some(json)
        });
        self.url = found["http"].as_str().expect("an address").trim_end_matches('/').to_owned();
        self.mqtt = found["mqtt"].as_str().map(ToOwned::to_owned);
    }

    fn assert_runs(&mut self) {
        let ended = self.child.as_mut().and_then(|child| child.try_wait().expect("a child"));
        if let Some(status) = ended {
            panic!("{} ended with {status}: {}", self.dir.display(), self.log());
        }
    }

    /// What it wrote to stderr.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.with_extension("log")).unwrap_or_default()
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it runs");
            child.wait().expect("a child");
        }
    }

    /// SIGTERM, and the end it leads to.
    pub(crate) fn stop(&mut self) -> i32 {
        let mut child = self.child.take().expect("it runs");
        let pid = child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill exists");
        wait("the end after SIGTERM", SOON, || child.try_wait().expect("a child"))
            .code()
            .unwrap_or(-1)
    }

    /// `hallmark-node COMMAND DIR ARGS`.
    pub(crate) fn run(&self, command: &str, args: &[&str]) -> Ran {
        let line: Vec<&str> =
            [command, self.dir_text()].into_iter().chain(args.iter().copied()).collect();
        run("hallmark-node", &line)
    }

    /// Submits a file and waits until it is recorded; the ids in the order given.
    pub(crate) fn record(&self, file: &Path, args: &[&str]) -> Vec<String> {
        let mut line = vec![path_text(file), "--receipt"];
        line.extend(args);
        let ran = self.run("submit", &line).ok();
        let mut ids = Vec::new();
        for id in ran.stdout.split_whitespace().filter(|word| word.starts_with("sha256:")) {
            if !ids.iter().any(|known| known == id) {
                ids.push(id.to_owned());
            }
        }
        ids
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        http::send("GET", &self.url, path, &[], b"")
    }

    /// Waits until `/readyz` says 200.
    pub(crate) fn ready(&self) {
        wait("readiness", SOON, || (self.get("/readyz").status == 200).then_some(()));
    }

    /// A bearer token of this node's own organisation.
    pub(crate) fn token(&self, scope: &str) -> String {
        let ran = self.run("token", &["--scope", scope, "--purpose", "test"]).ok();
        ran.stdout.lines().last().expect("a token").trim().to_owned()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.dir.display(), self.log());
        }
    }
}

/// Where the real data lies; `None` prints one line about what is skipped.
pub(crate) fn real_data(what: &str) -> Option<PathBuf> {
    let root = std::env::var_os("HALLMARK_REAL_DATA").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = root.unwrap_or(beside).join(what);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {what} is not there (set HALLMARK_REAL_DATA)");
    None
}

/// An agent's folder, enrolled at a node.
pub(crate) struct Agent {
    pub(crate) dir: PathBuf,
}

impl Agent {
    /// A meter that replays CSV files.
    pub(crate) fn meter(world: &World, node: &Node, name: &str, source: &str) -> Agent {
        let dir = world.path(name);
        let line =
            ["init", path_text(&dir), "--org", &node.org, "--device", name, "--source", "replay"];
        let line = line.into_iter().chain(["--quantity", "electricity"]).collect::<Vec<_>>();
        run("hallmark-agent", &line).ok();
        let path = dir.join("config.toml");
        let config = std::fs::read_to_string(&path).expect("init wrote it");
        let head = config.split("[[source]]").next().expect("a first part").to_owned();
        std::fs::write(&path, format!("{head}[[source]]\nprotocol = \"replay\"\n{source}"))
            .expect("writable");
        let agent = Agent { dir };
        agent.enrol(node);
        agent
    }

    fn enrol(&self, node: &Node) {
        let enrolled = self.dir.join("enrolled-by-node.cbor");
        let line = [
            path_text(&self.dir.join("enrol.cbor")).to_owned(),
            "-o".to_owned(),
            path_text(&enrolled).to_owned(),
        ];
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        node.run("enrol", &line).ok();
        run("hallmark-agent", &["enrol", path_text(&self.dir), path_text(&enrolled)]).ok();
    }

    /// `hallmark-agent COMMAND DIR ARGS`.
    pub(crate) fn run(&self, command: &str, args: &[&str]) -> Ran {
        let line: Vec<&str> =
            [command, path_text(&self.dir)].into_iter().chain(args.iter().copied()).collect();
        run("hallmark-agent", &line)
    }

    /// Starts a command without waiting for its end.
    pub(crate) fn spawn(&self, line: &[&str]) -> Child {
        let args: Vec<&str> = line[..1]
            .iter()
            .copied()
            .chain([path_text(&self.dir)])
            .chain(line[1..].iter().copied())
            .collect();
        command("hallmark-agent")
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts")
    }
}

/// A broker of its own process; ends with the value.
pub(crate) struct Broker {
    child: Child,
    pub(crate) url: String,
}

impl Broker {
    /// `None`, with one line printed, where mosquitto is not installed.
    pub(crate) fn mosquitto(world: &World) -> Option<Broker> {
        let path = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"]
            .into_iter()
            .find(|path| Path::new(path).exists());
        let Some(path) = path else {
            println!("skipped: mosquitto is not installed, the embedded broker serves");
            return None;
        };
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a port")
            .port();
        let config = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 0\nmax_queued_messages 0\n"
        );
        let config = world.file("mosquitto.conf", config);
        let child = Command::new(path)
            .args(["-c", path_text(&config)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto starts");
        wait("the broker", SOON, || TcpStream::connect(("127.0.0.1", port)).ok());
        Some(Broker { child, url: format!("mqtt://127.0.0.1:{port}") })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
