//! `status`: how the device is, without touching anything.

use std::fs::{File, TryLockError};

use hallmark_schemas::exit::Exit;
use hallmark_schemas::key::Signer;
use serde_json::json;

use crate::cli::{DirArgs, Output};
use crate::config::Config;
use crate::failure::Failure;
use crate::key;
use crate::layout::Layout;
use crate::spool::peek;
use crate::tally::Totals;
use crate::trust::Trust;

pub(super) fn run(args: &DirArgs, out: &Output) -> Result<Exit, Failure> {
    let layout = Layout::new(&args.dir);
    require_folder(&layout)?;
    let config = Config::load(&layout)?;
    let key = key::load(&layout.key())?;
    let seen = peek::peek(&layout.spool())
        .map_err(|error| Failure::fault("cannot read the spool").because(&error))?;
    let trust = match layout.enrolled().exists() {
        true => Some(Trust::read(&layout.enrolled()).map_err(|error| {
            Failure::usage("the enrolment is not to be trusted")
                .because(&error)
                .help("ask the node for a new enrolled.cbor")
        })?),
        false => None,
    };
    let enrolled = trust.as_ref().map(Trust::enrolled);
    let totals = Totals::read(&layout);
    let is_running = is_running(&layout);
    let oldest_at = seen.waiting.first().and_then(|entry| {
        let envelope = hallmark_schemas::attestation::Envelope::parse(&entry.body).ok()?;
        Some(envelope.claims().iat)
    });
    let sources: Vec<&str> = config.sources.iter().map(|source| source.name()).collect();
    let json = json!({
        "device": config.device,
        "key": key.public().id().to_string(),
        "running": is_running,
        "enrolled": enrolled.is_some(),
        "log": enrolled.map(|enrolled| enrolled.origin.clone()),
        "broker": enrolled.map(|enrolled| enrolled.broker.clone()),
        "sources": sources,
        "pending": seen.waiting.len(),
        "taken": totals.taken,
        "recorded": totals.recorded,
        "oldest_at": oldest_at,
        "refused": seen.refused.len(),
        "damaged": seen.damaged,
        "spool_bytes": seen.bytes,
        "spool_bytes_max": config.spool.bytes_max,
    });
    let log = enrolled.map_or("not enrolled", |enrolled| enrolled.origin.as_str());
    let broker = enrolled.map_or("none", |enrolled| enrolled.broker.as_str());
    let oldest = oldest_at.map_or(String::new(), |at| format!(", the oldest signed {at}"));
    let text = format!(
        "device   {}\nkey      {}\nlog      {log}\nbroker   {broker}\nsources  {}\n\
         recorded {} of {} taken\nspool    {} pending{oldest}, {} refused, {} of {} bytes",
        config.device,
        key.public().id(),
        sources.join(", "),
        totals.recorded,
        totals.taken,
        seen.waiting.len(),
        seen.refused.len(),
        seen.bytes,
        config.spool.bytes_max,
    );
    out.item(text, &json);
    let (word, said) = match (enrolled.is_some(), is_running) {
        (false, _) => ("not enrolled", "give enrol.cbor to `hallmark-node enrol`"),
        (true, true) => ("running", "another process works on this folder"),
        (true, false) => ("stopped", "start it with `hallmark-agent run`"),
    };
    out.verdict(word, said);
    Ok(if seen.refused.is_empty() { Exit::Done } else { Exit::Found })
}

/// A folder that `init` made.
pub(super) fn require_folder(layout: &Layout) -> Result<(), Failure> {
    if layout.config().exists() {
        return Ok(());
    }
    let message = format!("{} is no agent's folder", layout.dir().display());
    Err(Failure::usage(message).help("make one with `hallmark-agent init`"))
}

/// Whether another process holds the folder's lock.
fn is_running(layout: &Layout) -> bool {
    let Ok(lock) = File::open(layout.lock()) else {
        return false;
    };
    matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
}
