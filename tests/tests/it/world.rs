//! The world of `hallmark-examples`, for tests that block: what fails there panics here.
//!
//! Nothing here sleeps for luck: every wait polls a condition until a stated deadline, and says
//! what it waited for when that passes.

use std::ffi::OsStr;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use hallmark_examples::world::node::Member;
use hallmark_examples::world::program::{Ended, Programs, Running};
use hallmark_examples::world::{agent, node};
use tokio::runtime::Runtime;

use http::Answer;

pub(crate) mod http;

/// Longest wait for anything that should happen at once on an idle machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Drives the processes of all tests.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

static PROGRAMS: LazyLock<Programs> = LazyLock::new(|| {
    Programs::beside_this().expect("target/<profile>; cargo build --workspace --bins fills it")
});

/// Waits for one thing that the world does.
fn block<T, E: std::fmt::Debug>(done: impl Future<Output = Result<T, E>>) -> T {
    RUNTIME.block_on(done).unwrap_or_else(|error| panic!("{error:?}"))
}

/// What a finished command left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) stderr: String,
}

impl From<Ended> for Ran {
    fn from(ended: Ended) -> Ran {
        let Ended { code, stdout, bytes, stderr, .. } = ended;
        Ran { code, stdout, bytes, stderr }
    }
}

impl Ran {
    /// The command did what it should and found nothing.
    pub(crate) fn ok(self) -> Ran {
        self.fails(0)
    }

    /// The command ended with this code.
    pub(crate) fn fails(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

/// The path of a program, for what starts it in a way of its own.
pub(crate) fn program(name: &str) -> PathBuf {
    PROGRAMS.path(name)
}

/// Runs a program with nothing on stdin and its output into this; its exit code and its talk.
pub(crate) fn run_into<S: AsRef<OsStr>>(name: &str, args: &[S], to: Stdio) -> (i32, String) {
    let mut command = Command::new(program(name));
    command.args(args).stdin(Stdio::null()).stdout(to).stderr(Stdio::piped());
    let ended = command.spawn().expect("starts").wait_with_output().expect("ends");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    (ended.status.code().expect("no signal"), said)
}

/// A full disk on stdout is told and ends with 6; a closed pipe ends with 0, without an error.
pub(crate) fn assert_knows_its_stdout<S: AsRef<OsStr> + std::fmt::Debug>(name: &str, args: &[S]) {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let (exit, said) = run_into(name, args, full.into());
    assert_eq!(exit, 6, "{args:?}: {said}");
    for part in ["error: ", "cause: No space left on device", "help: "] {
        assert!(said.contains(part), "{args:?}: {said}");
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let (exit, said) = run_into(name, args, writer.into());
    assert_eq!(exit, 0, "{args:?}: {said}");
    assert!(!said.contains("error:") && !said.contains("printed:"), "{args:?}: {said}");
}

/// Runs a program to its end.
pub(crate) fn run<S: AsRef<OsStr>>(name: &str, args: &[S]) -> Ran {
    run_with(name, args, b"")
}

/// Runs a program to its end with this stdin.
pub(crate) fn run_with<S: AsRef<OsStr>>(name: &str, args: &[S], stdin: &[u8]) -> Ran {
    block(PROGRAMS.run(name, args, stdin)).into()
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
        let (org, roles) = (org(1), [&["registrar"], roles].concat());
        let member = Member { org: &org, name, roles: &roles };
        let made = block(node::Node::found(&PROGRAMS, member, &self.path(name), "world"));
        let mut node = Node::of(made, args);
        node.start();
        node
    }

    /// The same whose organisation keys are encrypted under the passphrase in this file.
    pub(crate) fn founder_sealed(&self, name: &str, passphrase_file: &Path) -> Node {
        let (dir, org) = (self.path(name), org(1));
        let member = Member { org: &org, name, roles: &["registrar"] };
        let made = block(node::Node::found(&PROGRAMS, member, &dir, "world"));
        let config = std::fs::read(dir.join("config.toml")).expect("init wrote it");
        // Made again in its place, under the same short beats.
        std::fs::remove_dir_all(&dir).expect("it does not run");
        let passphrase = ["--passphrase-file", path_text(passphrase_file)];
        let mut init = vec!["init", path_text(&dir), "--org", &org, "--name", name];
        init.extend(["--new-network", "world", "--role", "registrar"]);
        init.extend(passphrase);
        run("hallmark-node", &init).ok();
        std::fs::write(dir.join("config.toml"), config).expect("writable");
        let mut node = Node::of(made, &passphrase);
        node.start();
        node
    }

    /// The node of a copied folder, not running.
    pub(crate) fn adopted(&self, of: &Node, dir: &Path) -> Node {
        Node::of(of.node.copied_to(dir), &["--http", "127.0.0.1:0"])
    }

    /// The founder of another network, not yet running.
    pub(crate) fn elsewhere(&self, name: &str, number: u64, network: &str) -> Node {
        let member = Member { org: &org(number), name, roles: &["registrar"] };
        Node::of(block(node::Node::found(&PROGRAMS, member, &self.path(name), network)), &[])
    }

    /// A newcomer with its own folder, not yet admitted nor running.
    pub(crate) fn newcomer(&self, name: &str, number: u64, role: &str, founder: &Node) -> Node {
        self.newcomer_from("CN", name, number, role, founder)
    }

    /// The same from this region.
    pub(crate) fn newcomer_from(
        &self,
        region: &str,
        name: &str,
        number: u64,
        role: &str,
        founder: &Node,
    ) -> Node {
        let member = Member { org: &org(number), name, roles: &[role] };
        let (dir, network) = (self.path(name), founder.dir.join("network.hallmark"));
        Node::of(block(node::Node::join_from(&PROGRAMS, member, &dir, &network, region)), &[])
    }
}

/// UTF-8 text of a path in the temporary folder.
pub(crate) fn path_text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// One node's folder and, while it runs, its process.
pub(crate) struct Node {
    node: node::Node,
    args: Vec<String>,
    pub(crate) dir: PathBuf,
    pub(crate) org: String,
    pub(crate) url: String,
    pub(crate) mqtt: Option<String>,
}

impl Node {
    fn of(node: node::Node, args: &[&str]) -> Node {
        Node {
            args: args.iter().map(ToString::to_string).collect(),
            dir: node.dir().to_owned(),
            org: node.org().to_owned(),
            url: String::new(),
            mqtt: None,
            node,
        }
    }

    pub(crate) fn dir_text(&self) -> &str {
        path_text(&self.dir)
    }

    /// Changes `config.toml`; what is replaced must be there.
    pub(crate) fn configure(&self, from: &str, to: &str) {
        let path = self.dir.join("config.toml");
        let text = std::fs::read_to_string(&path).expect("init wrote it");
        assert!(text.contains(from), "{from} in {text}");
        std::fs::write(&path, text.replacen(from, to, 1)).expect("writable");
    }

    /// Starts the process and waits until it says that it is ready.
    pub(crate) fn start(&mut self) {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        block(self.node.start(&args));
        self.url = self.node.url().trim_end_matches('/').to_owned();
        self.mqtt = self.node.mqtt().map(ToOwned::to_owned);
    }

    /// What it wrote to stderr.
    pub(crate) fn log(&self) -> String {
        self.node.log()
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        block(self.node.kill());
    }

    /// SIGTERM, and the end it leads to.
    pub(crate) fn stop(&mut self) -> i32 {
        block(self.node.stop())
    }

    /// `hallmark-node COMMAND DIR ARGS`.
    pub(crate) fn run(&self, command: &str, args: &[&str]) -> Ran {
        block(self.node.run(command, args)).into()
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
        block(self.node.ready(SOON));
    }

    /// A bearer token of this node's own organisation.
    pub(crate) fn token(&self, scope: &str) -> String {
        let ran = self.run("token", &["--scope", scope, "--purpose", "test"]).ok();
        ran.stdout.lines().last().expect("a token").trim().to_owned()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.dir.display(), self.log());
        }
        // It writes into the world's folder, which goes next.
        if self.node.process().is_some() {
            drop(RUNTIME.block_on(self.node.kill()));
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
    agent: agent::Agent,
}

impl Agent {
    /// A meter that replays CSV files, with the options of its `[[source]]`.
    pub(crate) fn meter(world: &World, node: &Node, name: &str, source: &str) -> Agent {
        let args = ["--device", name, "--source", "replay", "--quantity", "electricity"];
        let source = format!("[[source]]\nprotocol = \"replay\"\n{source}");
        Agent::enrolled(world, node, name, &args, &source)
    }

    /// A bench that reads scans from standard input.
    pub(crate) fn bench(world: &World, node: &Node, name: &str) -> Agent {
        let source = "[[source]]\nprotocol = \"stdin\"\nmode = \"commission\"\n\
                      read_point = \"https://id.gs1.org/414/9506000134352\"\n\
                      time_zone = \"+08:00\"\n";
        Agent::enrolled(world, node, name, &["--device", name, "--source", "stdin"], source)
    }

    fn enrolled(world: &World, node: &Node, name: &str, args: &[&str], source: &str) -> Agent {
        let dir = world.path(name);
        let made = agent::Agent::enrolled(&PROGRAMS, &node.node, &dir, args, source);
        Agent { agent: block(made) }
    }

    /// `hallmark-agent COMMAND DIR ARGS`.
    pub(crate) fn run(&self, command: &str, args: &[&str]) -> Ran {
        self.run_with(command, args, b"")
    }

    /// The same with this stdin.
    pub(crate) fn run_with(&self, command: &str, args: &[&str], stdin: &[u8]) -> Ran {
        block(self.agent.run(command, args, stdin)).into()
    }

    /// Starts a command without waiting for its end.
    pub(crate) fn spawn(&mut self, command: &str, args: &[&str]) -> Process {
        block(async { self.agent.start(command, args).map(drop) });
        Process(self.agent.take_process().expect("just started"))
    }
}

/// A command of an agent that is at work.
pub(crate) struct Process(Running);

impl Process {
    /// kill -9; nothing if it has ended.
    pub(crate) fn kill(self) {
        block(self.0.kill());
    }

    /// Its exit code, once it has ended by itself.
    pub(crate) fn ended(self) -> i32 {
        block(self.0.ended(SOON))
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
