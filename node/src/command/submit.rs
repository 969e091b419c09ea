//! `submit`: signs what files say into the outbox and sends it to the running node.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::kind::KindName;
use hallmark_schemas::layout::Dir;

use super::{running, send_outbox, wait_for};
use crate::cli::{Output, SubmitArgs};
use crate::config::Config;
use crate::failure::Failure;
use crate::files::now;
use crate::keys::{self, Purpose};
use crate::outbox::{self, Fate};
use crate::sign::{Defaults, Statement, StatementError};
use crate::socket::Local;

mod csv;

/// Longest wait for *recorded* where none is stated, in seconds.
const RECORDED_WAIT_S: u64 = 60;
/// How often a node that does not run yet is looked for.
const CONNECT_RETRY_WAIT: Duration = Duration::from_millis(100);

/// What was printed, for the verdict.
#[derive(Default)]
struct Tally {
    stored: Vec<ContentId>,
    deferred: usize,
    refused: usize,
    later: Option<String>,
}

/// Reads all files before anything is signed; signs all before anything is sent.
pub(super) fn run(args: &SubmitArgs, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(&args.dir)?;
    let defaults = defaults(args)?;
    let mut statements = Vec::new();
    for file in &args.files {
        statements.extend(read(file, &defaults, &args.dir)?);
    }
    let envelopes = sign(args, &config, statements)?;
    if !envelopes.is_empty() {
        outbox::put(&args.dir, &envelopes)?;
    }
    let wait = Duration::from_secs(args.wait.unwrap_or(0));
    wait_for(async {
        let until = Instant::now() + wait;
        let Some(local) = connect(&args.dir, wait).await? else {
            let count = envelopes.len();
            return Err(super::not_running(&args.dir)
                .note(format!("{count} signed attestations wait in the outbox")));
        };
        let mut tally = Tally::default();
        let patience = until.saturating_duration_since(Instant::now());
        let told = |id: &_, fate: &_| tell(&mut tally, id, fate, args, output);
        send_outbox(&args.dir, &local, patience, told).await?;
        if args.receipt {
            wait_recorded(&args.dir, &tally, args.wait.unwrap_or(RECORDED_WAIT_S), output).await?;
        }
        verdict(&tally, args.receipt, output)
    })
}

/// The running node, waited for as long as was asked; says so where a person looks on.
async fn connect(dir: &Path, wait: Duration) -> Result<Option<Local>, Failure> {
    let started = Instant::now();
    let is_shown = std::io::stderr().is_terminal();
    let mut is_told = false;
    loop {
        let found = Local::connect(dir).await?;
        if found.is_some() || wait <= started.elapsed() {
            if is_told {
                eprintln!();
            }
            return Ok(found);
        }
        if is_shown {
            is_told = true;
            let (waited_s, wait_s) = (started.elapsed().as_secs(), wait.as_secs());
            eprint!("\rwaiting for the node: {waited_s} of {wait_s} s");
        }
        tokio::time::sleep(CONNECT_RETRY_WAIT).await;
    }
}

fn defaults(args: &SubmitArgs) -> Result<Defaults, Failure> {
    let kind = args.kind.as_deref().map(str::parse::<KindName>).transpose().map_err(|e| {
        let known: Vec<_> = KindName::ALL.iter().map(|kind| kind.as_str()).collect();
        Failure::usage(e).help(format!("kinds: {}", known.join(", ")))
    })?;
    let aud = args.aud.as_deref().map(audience).transpose()?;
    Ok(Defaults { kind, aud })
}

fn audience(text: &str) -> Result<Audience, Failure> {
    let wrong = |e: &dyn std::fmt::Display| {
        Failure::usage(format!("--aud {text}: {e}"))
            .help("public, members, or organisation URNs separated by commas")
    };
    match text {
        "public" => Ok(Audience::Public),
        "members" => Ok(Audience::Members),
        list => {
            let names: Result<BTreeSet<_>, _> = list.split(',').map(str::parse).collect();
            Ok(Audience::Named(names.map_err(|e| wrong(&e))?))
        }
    }
}

fn read(file: &Path, defaults: &Defaults, dir: &Path) -> Result<Vec<Statement>, Failure> {
    let name = file.display().to_string();
    let mut bytes = Vec::new();
    let read = if name == "-" {
        std::io::stdin().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(file).map(|content| bytes = content)
    };
    read.map_err(|e| {
        Failure::input(format!("cannot read {name}"))
            .because(&e)
            .help("give a readable file, or - for stdin")
    })?;
    let is_csv = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let wrong = |e: StatementError| match e {
        StatementError::OtherKind { .. } => Failure::usage(format!("{name}: {e}"))
            .help("nothing of this call was stored; leave --kind out, or correct the file"),
        e => Failure::input(format!("{name}: {e}"))
            .help("nothing of this call was stored; correct the place and submit again"),
    };
    if is_csv || (defaults.kind == Some(KindName::Readings) && begins_like_csv(&bytes)) {
        if defaults.kind != Some(KindName::Readings) {
            return Err(Failure::usage(format!("{name}: CSV needs --kind readings"))
                .help("name the kind, or give the file an ending that says what it is"));
        }
        let config = Config::load(dir)?;
        return csv::readings(&bytes, &config, defaults, dir).map_err(wrong);
    }
    Statement::from_file(&bytes, defaults).map_err(wrong)
}

/// A header of column names, where JSON begins with a bracket and CBOR with no letter.
fn begins_like_csv(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    text.first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'"')
}

fn sign(
    args: &SubmitArgs,
    config: &Config,
    statements: Vec<Statement>,
) -> Result<Vec<Envelope>, Failure> {
    let keys = Dir::new(&args.dir).keys();
    let capture = keys::open(&keys, Purpose::Capture, None)?;
    let passphrase = args.passphrase_file.as_deref();
    let organisation = statements
        .iter()
        .any(Statement::needs_organisation_key)
        .then(|| keys::open(&keys, Purpose::Organisation, passphrase))
        .transpose()?;
    let now = now();
    let mut envelopes = Vec::with_capacity(statements.len());
    for (index, statement) in statements.into_iter().enumerate() {
        let key = match &organisation {
            Some(key) if statement.needs_organisation_key() => key,
            _ => &capture,
        };
        let kind = statement.kind();
        let signed = statement.sign(config, now, key).map_err(|e| {
            Failure::input(format!("statement {} ({kind}) cannot be signed", index + 1))
                .because(&e)
                .help("nothing of this call was stored; correct it and submit again")
        })?;
        envelopes.push(signed);
    }
    Ok(envelopes)
}

fn tell(tally: &mut Tally, sent: &ContentId, fate: &Fate, args: &SubmitArgs, output: Output) {
    let json = |id: &ContentId, status: &str| serde_json::json!({ "id": id.to_string(), "status": status });
    match fate {
        Fate::Stored { id, .. } => {
            tally.stored.push(*id);
            if !args.receipt {
                output.item(id, &json(id, "stored"));
            }
        }
        Fate::Deferred => {
            tally.deferred += 1;
            output.say(format!("{sent} is deferred: its signer's key is not known yet"));
            output.item(sent, &json(sent, "deferred"));
        }
        Fate::Refused { reason } => {
            tally.refused += 1;
            output.say(format!("refused {sent}: {reason}"));
            if output.format == crate::cli::Format::Json {
                let mut view = json(sent, "refused");
                view["reason"] = reason.clone().into();
                output.item("", &view);
            }
        }
        Fate::Later { reason } => tally.later = Some(reason.clone()),
    }
}

async fn wait_recorded(
    dir: &Path,
    tally: &Tally,
    wait: u64,
    output: Output,
) -> Result<(), Failure> {
    let local = running(dir).await?;
    let until = Instant::now() + Duration::from_secs(wait);
    for id in &tally.stored {
        loop {
            let answer = local.get(&format!("/entries/{id}")).await?;
            if answer.status == 200 {
                break;
            }
            if until < Instant::now() {
                return Err(Failure::busy(format!(
                    "{id} is stored, but not recorded after {wait} s"
                ))
                .help("see `hallmark-node status`: the quorum may be away"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let answer = local.get(&format!("/local/receipt/{id}")).await?;
        let place: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let index = &place["index"];
        let json =
            serde_json::json!({ "id": id.to_string(), "status": "recorded", "index": index });
        output.item(format!("{id} {index}"), &json);
    }
    Ok(())
}

/// With `is_recorded` all that was stored was waited for.
fn verdict(tally: &Tally, is_recorded: bool, output: Output) -> Result<Exit, Failure> {
    let became = if is_recorded { "recorded" } else { "stored" };
    let mut parts = vec![format!("{} {became}", tally.stored.len())];
    if tally.deferred != 0 {
        parts.push(format!("{} deferred", tally.deferred));
    }
    if tally.refused != 0 {
        parts.push(format!("{} refused, kept in outbox/refused", tally.refused));
    }
    let text = parts.join(", ");
    if let Some(reason) = &tally.later {
        return Err(Failure::busy(format!("the node takes no more now: {reason}"))
            .note(format!("{text}; the rest waits in the outbox"))
            .help("submit again without files sends the rest"));
    }
    if tally.refused != 0 {
        output.say(format!("refused: {text}"));
        return Ok(Exit::Found);
    }
    output.say(format!("done: {text}"));
    Ok(Exit::Done)
}
