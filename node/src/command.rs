//! The subcommands: what each does, and what several of them share.

use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::exit::Exit;

use crate::cli::{Cli, Command, Output};
use crate::client::Ask;
use crate::config::Config;
use crate::failure::Failure;
use crate::outbox::{self, Fate, Parcel};
use crate::socket::Local;
use crate::store::disk::read_only::is_mounted_read_only;

pub mod admit;
mod attest;
pub mod backup;
pub mod check;
pub mod enrol;
pub mod erase;
pub mod export;
pub mod get;
pub mod init;
pub mod key;
pub mod label;
pub mod network;
pub mod peer;
pub mod progress;
pub mod recall;
pub mod reindex;
pub mod restore;
pub mod run;
pub mod status;
pub mod submit;
pub mod token;
pub mod trace;

/// How long a deferred attestation is sent again: a node that has just started knows its own
/// capture device after the next batch.
const DEFERRED_WAIT_MAX: Duration = Duration::from_secs(10);
const SEND_RETRY_WAIT: Duration = Duration::from_millis(200);
/// Attestations of one file that are on their way at once.
const SENT_AT_ONCE: usize = 64;

/// Runs the command and answers its exit code.
pub fn run(cli: Cli) -> Result<Exit, Failure> {
    let output = Output { format: cli.format };
    // A trace says itself which forms it has.
    let has_own_forms = matches!(cli.command, Command::Label(_) | Command::Trace(_));
    if cli.format.is_label() && !has_own_forms {
        return Err(Failure::usage("only `label` writes this format")
            .help("--format text, json or, where a command has bytes, cbor"));
    }
    match cli.command {
        Command::Init(args) => init::run(&args, output),
        Command::Admit(args) => admit::run(&args, output),
        Command::Enrol(args) => enrol::run(&args, output),
        Command::Network(args) => network::run(&args, output),
        Command::Key(args) => key::run(&args, output),
        Command::Run(args) => run::run(&args, output),
        Command::Submit(args) => submit::run(&args, output),
        Command::Label(args) => label::run(&args, output),
        Command::Get(args) => get::attestation(&args, output),
        Command::Receipt(args) => get::receipt(&args, output),
        Command::Export(args) => export::run(&args, output),
        Command::Trace(args) => trace::run(&args, output),
        Command::Recall(args) => recall::run(&args, output),
        Command::Token(args) => token::run(&args, output),
        Command::Status(args) => status::run(&args, output),
        Command::Peer(args) => peer::run(&args, output),
        Command::Check(args) => check::run(&args, output),
        Command::Backup(args) => backup::run(&args, output),
        Command::Restore(args) => restore::run(&args, output),
        Command::Erase(args) => erase::run(&args, output),
        Command::Reindex(args) => reindex::run(&args, output),
    }
}

/// Runs a future of a short command on one thread.
pub(crate) fn wait_for<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::fault("cannot start the runtime").because(&e))?
        .block_on(work)
}

/// The running node of `dir`, or how to start it.
pub(crate) async fn running(dir: &Path) -> Result<Local, Failure> {
    // A folder that is none is the caller's mistake, not a node that rests.
    Config::load(dir)?;
    Local::connect(dir).await?.ok_or_else(|| not_running(dir))
}

pub(crate) fn not_running(dir: &Path) -> Failure {
    if is_mounted_read_only(dir) {
        let what =
            format!("{} is on a read-only disk: no command reaches a node there", dir.display());
        return Failure::busy(what)
            .help("GET /readyz of a node that serves it says how it is; mount the disk writable");
    }
    Failure::busy(format!("no node runs on {}", dir.display()))
        .help(format!("start it: hallmark-node run {}", dir.display()))
}

/// Sends everything in the outbox, oldest file first, and settles it.
///
/// Stops at the first file of which something cannot be taken even after this patience.
pub(crate) async fn send_outbox(
    dir: &Path,
    local: &Local,
    patience: Duration,
    mut told: impl FnMut(&ContentId, &Fate),
) -> Result<bool, Failure> {
    let taken_until = Instant::now() + patience;
    for parcel in outbox::waiting(dir)? {
        let at_once = if parcel.is_ordered() { 1 } else { SENT_AT_ONCE };
        let fates = send(&parcel, local, at_once, taken_until, &mut told).await?;
        parcel.settle(dir, &fates)?;
        if fates.iter().any(|(_, fate)| matches!(fate, Fate::Later { .. })) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn send(
    parcel: &Parcel,
    local: &Local,
    at_once: usize,
    taken_until: Instant,
    told: &mut impl FnMut(&ContentId, &Fate),
) -> Result<Vec<(ContentId, Fate)>, Failure> {
    let until = Until { known: Instant::now() + DEFERRED_WAIT_MAX, taken: taken_until };
    let sent = parcel.items.iter().map(|(id, stored)| post(local, id, stored, until));
    let mut answers = futures_util::stream::iter(sent).buffered(at_once);
    let mut fates = Vec::new();
    while let Some(answer) = answers.next().await {
        let (id, fate) = answer?;
        told(&id, &fate);
        fates.push((id, fate));
    }
    Ok(fates)
}

/// How long one attestation is sent again: while its signer's key is not known, and while the node
/// takes nothing.
#[derive(Clone, Copy)]
struct Until {
    known: Instant,
    taken: Instant,
}

/// Sends one attestation; while its signer's key is only being recorded or the node is busy, again.
async fn post(
    local: &Local,
    id: &ContentId,
    stored: &[u8],
    until: Until,
) -> Result<(ContentId, Fate), Failure> {
    let ask = Ask {
        body: Some(("application/cose", stored)),
        accept: Some("application/problem+json"),
        prefer: Some("respond-async"),
        ..Ask::default()
    };
    loop {
        let fate = fate_of(id, &local.ask("/entries", ask).await?);
        let again_until = match fate {
            Fate::Deferred => until.known,
            Fate::Later { .. } => until.taken,
            Fate::Stored { .. } | Fate::Refused { .. } => return Ok((*id, fate)),
        };
        if again_until <= Instant::now() {
            return Ok((*id, fate));
        }
        tokio::time::sleep(SEND_RETRY_WAIT).await;
    }
}

fn fate_of(id: &ContentId, answer: &crate::client::Answer) -> Fate {
    let located = answer.location.as_deref().and_then(|path| path.rsplit('/').next()?.parse().ok());
    let stored = located.unwrap_or(*id);
    match (answer.status, answer.standing.as_deref()) {
        (303, Some("deferred")) => Fate::Deferred,
        (201 | 303, standing) => {
            Fate::Stored { id: stored, recorded: standing == Some("recorded") }
        }
        (408 | 429 | 503, _) => Fate::Later { reason: answer.text() },
        _ => Fate::Refused { reason: answer.text() },
    }
}

/// Puts attestations into the outbox and, where the node runs, sends them.
///
/// Answers whether they were sent.
pub(crate) async fn log(
    dir: &Path,
    envelopes: &[hallmark_schemas::attestation::Envelope],
    output: Output,
) -> Result<bool, Failure> {
    outbox::put(dir, envelopes)?;
    let Some(local) = Local::connect(dir).await? else {
        output.say("no node runs here: what was signed waits in the outbox for the next run");
        return Ok(false);
    };
    let mut refused = None;
    send_outbox(dir, &local, Duration::ZERO, |id, fate| {
        if let Fate::Refused { reason } = fate {
            refused = Some(format!("{id}: {reason}"));
        }
    })
    .await?;
    match refused {
        Some(reason) => Err(Failure::new(Exit::Found, format!("refused {reason}"))
            .help("what was refused lies in outbox/refused")),
        None => Ok(true),
    }
}

/// Sends what waits in the outbox, and answers the ids under which the node keeps these of it: other
/// ones where the same was said before. Fails unless it has taken all of them.
pub(crate) async fn sent(
    dir: &Path,
    local: &Local,
    envelopes: &[hallmark_schemas::attestation::Envelope],
) -> Result<Vec<ContentId>, Failure> {
    let (mut taken, mut refused) = (Vec::new(), None);
    send_outbox(dir, local, Duration::ZERO, |sent, fate| match fate {
        _ if envelopes.iter().all(|envelope| envelope.id() != *sent) => {}
        Fate::Stored { id, .. } => taken.push(*id),
        Fate::Refused { reason } => refused = Some(reason.clone()),
        Fate::Deferred | Fate::Later { .. } => {}
    })
    .await?;
    match refused {
        Some(reason) => Err(Failure::new(Exit::Found, format!("refused: {reason}"))
            .help("what was refused lies in outbox/refused")),
        None if taken.len() < envelopes.len() => {
            Err(Failure::busy("the node has not taken what was signed")
                .note("it waits in the outbox, or for a key that this node does not know yet")
                .help("give the command again when `hallmark-node status` says that it is ready"))
        }
        None => Ok(taken),
    }
}
