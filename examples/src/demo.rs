//! The story that `cargo demo` tells: a network of five, two devices, four frauds, and who finds them.
//!
//! Read [`run`] from the top: each step of the story is one function below it, in order.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use hallmark_schemas::time::Timestamp;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::generate::{self, goods};
use crate::world::agent::Agent;
use crate::world::node::{Member, Node};
use crate::world::program::Programs;
use crate::world::{http, until};

pub mod build;
pub mod cli;
pub mod input;
pub mod verdict;

mod away;
mod fork;
mod passport;
mod product;
mod tell;

use cli::Options;
use input::Input;
use product::Labels;
use tell::Teller;
use verdict::{Expected, Read};

/// Who keeps the members' list.
pub const REGISTRAR: Member<'_> = Member {
    org: "urn:hallmark:org:lei:9999DEM0REGISTRY0146",
    name: "Lingnan Registry",
    roles: &["registrar", "accreditor"],
};
/// Whose goods and emissions it is about.
pub const PRODUCER: Member<'_> =
    Member { org: generate::PRODUCER, name: "Qinghe Flasks Ltd", roles: &["producer"] };
/// Who judges emissions and certifies goods.
pub const VERIFIER: Member<'_> = Member {
    org: generate::VERIFIER,
    name: "Beichen Verification",
    roles: &["verifier", "certifier"],
};

/// Who inspects goods; its node is cut off for a while.
pub const INSPECTOR: Member<'_> = Member {
    org: "urn:hallmark:org:gln:9521234090014",
    name: "Taihang Inspection",
    roles: &["inspector"],
};
/// Who keeps accounts of carbon units; its log shows two histories.
pub const REGISTRY: Member<'_> = Member {
    org: "urn:hallmark:org:gln:9521234090021",
    name: "Donghu Carbon Registry",
    roles: &["registry"],
};

/// Longest wait for anything that the network does by itself.
const NETWORK_WAIT_MAX: Duration = Duration::from_secs(60);

/// Longest wait for the findings: a node rests four times as long as it judged, which takes a while
/// on a machine that has more to do.
const FINDINGS_WAIT_MAX: Duration = Duration::from_secs(300);

/// Tells the story; 0 if exactly what was expected was found.
pub async fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if let Some(folder) = &options.data {
        generate::all(options.seed).write(folder)?;
        println!("written: {}", folder.display());
        return Ok(ExitCode::SUCCESS);
    }
    Input::check(options)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // Whichever comes first; dropping the story kills every process it started.
    tokio::select! {
        told = story(options) => told,
        _ = terminate.recv() => Ok(ExitCode::from(143)),
        _ = interrupt.recv() => Ok(ExitCode::from(130)),
    }
}

/// What to do about an error, and the exit code that it ends with.
pub fn remedy(error: &anyhow::Error) -> (&'static str, u8) {
    if let Some(unusable) = error.downcast_ref::<input::Unusable>() {
        return (unusable.help(), 3);
    }
    if let Some(missing) = error.downcast_ref::<build::Missing>() {
        return (missing.help(), 2);
    }
    ("run it again with --keep DIR and read the logs there", 70)
}

/// Everything that runs, and what it runs on.
struct Stage {
    programs: Programs,
    folder: PathBuf,
    input: Input,
    registrar: Node,
    producer: Node,
    verifier: Node,
    inspector: Node,
    registry: Node,
}

impl Stage {
    /// Every organisation's node.
    fn nodes(&self) -> [&Node; 5] {
        [&self.registrar, &self.producer, &self.inspector, &self.verifier, &self.registry]
    }

    /// Stops the nodes as an operator does; each must end well.
    async fn stop(mut self) -> anyhow::Result<()> {
        let members = [&mut self.registry, &mut self.inspector, &mut self.verifier];
        for node in members.into_iter().chain([&mut self.producer, &mut self.registrar]) {
            let code = node.stop().await?;
            anyhow::ensure!(code == 0, "{} ended with {code}", node.name());
        }
        Ok(())
    }
}

async fn story(options: &Options) -> anyhow::Result<ExitCode> {
    let mut teller = Teller::default();
    let programs = build::programs(&mut teller).await?;
    let temporary = tempfile::Builder::new().prefix("hallmark-demo-").tempdir()?;
    let folder = options.keep.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&folder)?;
    let input = Input::new(options, &folder.join("data"))?;

    teller.step("Found a network: registrar, producer, inspector, emission verifier, registry");
    let mut stage = found(programs, folder, input, &teller).await?;
    teller.step("The producer describes a flask, others vouch for it, labels are printed");
    product::describe(&stage, &teller).await?;
    let labels = Labels::print(&mut stage, &teller).await?;
    let _scanner = work(&mut stage, &mut teller).await?;
    let expected = Expected::of(&stage.input);
    teller.step("The emission verifier judges what it mirrors");
    let findings = judge(&mut stage, &expected, &teller).await?;
    teller.step("An evidence bundle, checked in a fresh process without network");
    let offline = check(&stage, &teller).await?;
    teller.step("What a phone reads: passports from the producer's node");
    let read = passport::read(&stage, &labels, &teller).await?;

    let mut faults = expected.compare(&findings, &offline);
    faults.extend(read.iter().filter_map(Read::fault));
    teller.step("Result");
    for fault in &faults {
        teller.say(&format!("WRONG: {fault}"));
    }
    if faults.is_empty() {
        let count = expected.count();
        teller.say(&format!("{count} frauds committed, {count} found, nothing else accused"));
        teller.say(&format!("{} passports read, each says what it must", read.len()));
    }
    let code = ExitCode::from(u8::from(!faults.is_empty()));
    if options.once {
        stage.stop().await?;
        return Ok(code);
    }
    teller.say(&format!("findings page: {}/", stage.verifier.url()));
    teller.say(&format!("passport: {}", labels.link(stage.input.honest())?));
    teller.say(&format!("folders: {}", stage.folder.display()));
    teller.say("Ctrl-C ends the demo");
    std::future::pending::<()>().await;
    Ok(code)
}

/// What the producer's devices and people record, while the inspector is away and after that; then
/// what the registry does.
async fn work(stage: &mut Stage, teller: &mut Teller) -> anyhow::Result<Agent> {
    teller.step("A scanner commissions, packs and ships flasks in Shanghai");
    away::cut_off(stage, teller).await?;
    let scanner = scan(stage, teller).await?;
    teller.step("A meter replays quarter hours of the works' electricity");
    measure(stage, teller).await?;
    teller.step("The producer states its places, a journey, its emissions");
    state(stage, teller).await?;
    teller.step("The inspector comes back and catches up");
    away::catch_up(stage, teller).await?;
    teller.step("The registry forks its log, and is caught");
    fork::fork(stage, teller).await?;
    Ok(scanner)
}

/// Five nodes that witness one another: three of five must cosign.
async fn found(
    programs: Programs,
    folder: PathBuf,
    input: Input,
    teller: &Teller,
) -> anyhow::Result<Stage> {
    let mut registrar =
        Node::found(&programs, REGISTRAR, &folder.join("registrar"), "demo").await?;
    registrar.start(&[]).await?;
    registrar.ready(NETWORK_WAIT_MAX).await?;
    // Newcomers start from the network file, which by now must say where the registrar answers.
    shown(&registrar, "its own address", |file| file.contains(registrar.url())).await?;
    let file = registrar.dir().join("network.hallmark");
    let join = async |member, name| Node::join(&programs, member, &folder.join(name), &file).await;
    let mut producer = join(PRODUCER, "producer").await?;
    let mut inspector = join(INSPECTOR, "inspector").await?;
    let mut verifier = join(VERIFIER, "verifier").await?;
    let mut registry = join(REGISTRY, "registry").await?;
    // Nobody looks at their findings.
    for node in [&inspector, &registry] {
        node.judges_rarely()?;
    }
    for newcomer in [&producer, &inspector, &verifier, &registry] {
        let request = newcomer.dir().join("join.cbor");
        registrar.run("admit", &[&request]).await?.with_code(0)?;
    }
    tokio::try_join!(
        producer.start(&["--mqtt", "embedded"]),
        inspector.start(&[]),
        verifier.start(&[]),
        registry.start(&[]),
    )?;
    let stage =
        Stage { programs, folder, input, registrar, producer, verifier, inspector, registry };
    for node in stage.nodes() {
        node.ready(NETWORK_WAIT_MAX).await?;
    }
    stage.registrar.run("network", &["--quorum", "3"]).await?.with_code(0)?;
    let members = [REGISTRAR, PRODUCER, INSPECTOR, VERIFIER, REGISTRY];
    for (node, member) in stage.nodes().into_iter().zip(members) {
        shown(node, "the quorum", |file| !file.contains("quorum none")).await?;
        node.ready(NETWORK_WAIT_MAX).await?;
        let roles = member.roles.join(", ");
        teller.say(&format!("{} ({roles}) at {}", node.name(), node.url()));
    }
    for node in stage.nodes() {
        connected(node, members.len() - 1).await?;
    }
    teller.say("each is connected with the four others over libp2p");
    teller.say("each checkpoint needs the signatures of 3 of the 5 as witnesses");
    Ok(stage)
}

/// Waits until a node is connected with so many others.
async fn connected(node: &Node, others: usize) -> anyhow::Result<()> {
    let what = format!("{} to be connected with {others} others", node.name());
    until(&what, NETWORK_WAIT_MAX, || async {
        let listed = node.run("peer", &["list"]).await?.with_code(0)?;
        let count = listed.stdout.lines().filter(|line| line.starts_with("connected")).count();
        Ok((count == others).then_some(()))
    })
    .await
}

/// Entries under the newest checkpoint that a node has published.
async fn entries(node: &Node) -> anyhow::Result<u64> {
    let answer = http::get(&format!("{}/log/checkpoint", node.url().trim_end_matches('/'))).await?;
    let note = String::from_utf8_lossy(&answer.body).into_owned();
    let size = note.lines().nth(1).context("a checkpoint without a size")?;
    Ok(size.parse()?)
}

/// Waits until a node's network file (JSON) is as `wanted`.
async fn shown(node: &Node, what: &str, wanted: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    let what = format!("{} to know {what}", node.name());
    until(&what, NETWORK_WAIT_MAX, || async {
        let shown = node.run("network", &["show", "--format", "json"]).await?;
        Ok((shown.code == 0 && wanted(&shown.stdout)).then_some(()))
    })
    .await
}

/// The packing bench: an agent that reads scan lines.
async fn scan(stage: &Stage, teller: &Teller) -> anyhow::Result<Agent> {
    let place = goods::SHANGHAI.link();
    let source = format!(
        "[[source]]\nprotocol = \"stdin\"\nread_point = \"{place}\"\n\
         biz_location = \"{place}\"\ntime_zone = \"+08:00\"\n"
    );
    let args = ["--device", "bench-1", "--source", "stdin"];
    let dir = stage.folder.join("bench-1");
    let mut agent = Agent::enrolled(&stage.programs, &stage.producer, &dir, &args, &source).await?;
    let bench = &stage.input.data.bench;
    agent.start("run", &[])?.type_lines(&bench.lines()).await?;
    let wanted = bench.events();
    let what = format!("receipts of {wanted} scans");
    until(&what, NETWORK_WAIT_MAX, || async {
        let status = agent.status().await?;
        let is = |key: &str, count: usize| status[key].as_u64() == Some(count as u64);
        let is_done = is("recorded", wanted) && is("pending", 0) && is("refused", 0);
        Ok(is_done.then_some(()))
    })
    .await
    .with_context(|| agent.process().map(|process| process.log_tail()).unwrap_or_default())?;
    teller.say(&format!("{wanted} scans signed by the device, each with a verified receipt"));
    Ok(agent)
}

/// The meter: an agent that replays a CSV file and ends once all is recorded.
async fn measure(stage: &Stage, teller: &Teller) -> anyhow::Result<()> {
    for fraud in stage.input.data.frauds.iter().filter(|fraud| fraud.code == "MTR-005") {
        teller.say(&format!("FRAUD: {}", fraud.told));
    }
    let facility = stage.input.data.facility.as_str();
    let mut args = vec!["--device", "meter-1", "--source", "replay"];
    args.extend(["--quantity", "electricity", "--accuracy-ppm", "5000", "--facility", facility]);
    let dir = stage.folder.join("meter-1");
    let source = &stage.input.source;
    let mut agent = Agent::enrolled(&stage.programs, &stage.producer, &dir, &args, source).await?;
    agent.start("replay", &[&stage.input.meter.to_string_lossy()])?;
    let process = agent.take_process()?;
    let code = process.ended(NETWORK_WAIT_MAX).await?;
    let log = log_of(&dir);
    let verdict = log.lines().last().unwrap_or_default();
    anyhow::ensure!(code == 0, "the meter's replay ended with {code}: {verdict}");
    teller.say(verdict);
    Ok(())
}

/// What the producer submits itself, and the shop that sells a copy.
async fn state(stage: &Stage, teller: &Teller) -> anyhow::Result<()> {
    let data = &stage.input.data;
    let copy = stage.input.folder.join("copy.json");
    std::fs::write(&copy, goods::copy_sold(&data.bench.cloned(), &now()?.to_string()))?;
    for fraud in data.frauds.iter().filter(|fraud| fraud.code != "MTR-005") {
        teller.say(&format!("FRAUD: {}", fraud.told));
    }
    let file = |name: &str| stage.input.folder.join(name);
    let files =
        [file("facilities.json"), stage.input.events.clone(), copy.clone(), file("report.json")];
    let mut args: Vec<_> = files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
    args.push("--receipt".to_owned());
    let ended = stage.producer.run("submit", &args).await?.with_code(0)?;
    teller.say(&format!("{} statements recorded", ended.stdout.lines().count()));
    Ok(())
}

/// The time of day.
fn now() -> anyhow::Result<Timestamp> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(Timestamp::from_unix_ms(u64::try_from(now.as_millis())?))
}

/// Waits until the verifier's node has found what was expected, then prints all it found.
async fn judge(
    stage: &mut Stage,
    expected: &Expected,
    teller: &Teller,
) -> anyhow::Result<Vec<Value>> {
    let verifier = &stage.verifier;
    let found = until("the findings", FINDINGS_WAIT_MAX, || async {
        let findings = findings(verifier).await?;
        Ok(expected.are_in(&findings).then_some(findings))
    });
    let findings = match found.await {
        Ok(findings) => findings,
        // What is missing is told at the end, with everything that was found.
        Err(_) => findings(verifier).await?,
    };
    for finding in &findings {
        teller.finding(finding);
    }
    Ok(findings)
}

async fn findings(node: &Node) -> anyhow::Result<Vec<Value>> {
    let answer = node.get("/v1/findings").await?;
    answer["findings"].as_array().cloned().context("no list of findings")
}

/// Exports everything from the verifier's node and has `hallmark-verify` judge it again.
async fn check(stage: &Stage, teller: &Teller) -> anyhow::Result<Vec<Value>> {
    let bundle = stage.folder.join("demo.hallmark");
    let path = bundle.to_string_lossy();
    stage.verifier.run("export", &["-o", &path]).await?.with_code(0)?;
    let args = ["check", &path, "--report", "json"];
    let ended = stage.programs.run("hallmark-verify", &args, b"").await?;
    let size = size_of(&bundle)?;
    teller.say(&format!("{path}, {} KiB: exit code {}", size / 1024, ended.code));
    let report: Value = serde_json::from_str(&ended.stdout)
        .with_context(|| format!("the report is no JSON\n{}", ended.stderr))?;
    anyhow::ensure!(ended.code == 1, "exit code {} instead of 1\n{}", ended.code, ended.stderr);
    let findings = report["findings"].as_array().cloned().context("no list of findings")?;
    teller.say(&format!("{} findings, proved and judged offline", findings.len()));
    Ok(findings)
}

/// What the program of a folder has said so far.
fn log_of(dir: &Path) -> String {
    std::fs::read_to_string(dir.with_extension("log")).unwrap_or_default()
}

fn size_of(path: &Path) -> anyhow::Result<u64> {
    Ok(std::fs::metadata(path)?.len())
}
