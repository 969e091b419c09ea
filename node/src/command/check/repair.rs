//! `check --repair`: what is lost or damaged, put right before it is checked.
//!
//! Invariant: nothing is touched that a running node writes: see [`crate::repair`].

use std::path::Path;
use std::sync::Arc;

use hallmark_schemas::head::Head;
use hallmark_schemas::layout::{Data, Dir};
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::{SignedNote, VerifierKey};
use hallmark_schemas::tile::TilePath;

use super::super::backup::failure;
use super::super::init::read_network;
use super::super::progress::{Bars, count};
use super::super::restore::log_key;
use super::super::wait_for;
use crate::cli::Output;
use crate::cli::keep::CheckArgs;
use crate::config::Config;
use crate::failure::Failure;
use crate::keys::{self, Purpose};
use crate::peers;
use crate::peers::address::AddressBook;
use crate::repair::packs::{Patched, Whose};
use crate::repair::{self, Mended, packs};
use crate::restore::Source;
use crate::restore::peers::Peers;
use crate::socket::Local;
use crate::store::StoreError;
use crate::store::checkpoints::Checkpoints;
use crate::store::disk::{Disk, OsDisk};
use crate::store::lock::DirLock;
use crate::store::tiles::Tiles;

/// Most missing bodies of a log that are named; `check` lists the others.
const MISSING_TOLD_MAX: usize = 16;

/// The own log first, then the copies of the others.
pub(super) fn run(args: &CheckArgs, config: &Config, output: Output) -> Result<(), Failure> {
    let dir = Dir::new(&args.dir);
    let data = config.data_dir(&args.dir);
    let network = read_network(&dir.network())?;
    let peer_key = keys::open(&dir.keys(), Purpose::Peer, None)?;
    let book = AddressBook::open(data.path().join("addresses.json"), &config.peer);
    let mut peers = Peers::new(&args.peers, &book, &network, config, &peer_key)?;
    // While it is held no node starts, so that the end of the packs is nobody's.
    let lock = DirLock::take(&dir.lock()).ok();
    let mut logs = vec![(data.clone(), log_key(&dir, config)?)];
    logs.extend(followed(&network, config, &data));
    for (data, key) in logs {
        peers.about(key.name());
        let whose = match key.name() == config.origin {
            true => Whose::Own { rests: lock.is_some() },
            false => Whose::Copy,
        };
        one((&data, &key), whose, &mut peers, output).map_err(|error| failure(&error))?;
    }
    drop(lock);
    tell_read_only(&args.dir, output);
    Ok(())
}

/// A node that began on damage serves read-only until its next start: whoever repaired must know.
fn tell_read_only(dir: &Path, output: Output) {
    let asked = wait_for(async {
        match Local::connect(dir).await? {
            Some(local) => local.get("/local/status").await.map(Some),
            None => Ok(None),
        }
    });
    // One that rests, or does not answer, has nothing to be told.
    let Ok(Some(answer)) = asked else {
        return;
    };
    let view: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let signing = &view["signing"];
    if let (Some("read_only"), Some(cause)) = (signing["state"].as_str(), signing["cause"].as_str())
    {
        output.say(format!("note: the running node takes and signs nothing: {cause}"));
        output.say("help: stop it and start it again: only a start looks whether it can go on");
    }
}

/// The logs of other members of which there is a copy.
fn followed(network: &NetworkFile, config: &Config, data: &Data) -> Vec<(Data, VerifierKey)> {
    let others = network.network().members.iter().map(|member| member.origin.as_str());
    let others = others.filter(|origin| *origin != config.origin);
    let copies =
        others.filter_map(|origin| Some((data.peer(origin), peers::log_key(network, origin)?)));
    copies.filter(|(copy, _)| copy.path().is_dir()).collect()
}

/// One log: the files of its tree, then its packs.
fn one(
    (data, key): (&Data, &VerifierKey),
    whose: Whose,
    peers: &mut Peers<'_>,
    output: Output,
) -> Result<(), StoreError> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let Some(head) = published(&disk, data, key, output)? else {
        output.say(format!(
            "note: {} has no checkpoint of {}: there is nothing to hold its files against",
            data.path().display(),
            key.name()
        ));
        return Ok(());
    };
    let tiles = Tiles::new(disk.clone(), &data.log());
    let mut bars = Bars::new();
    let mut told = |phase, done, of| bars.tell(phase, done, of);
    let mut fetch = |path: &TilePath| {
        (0..peers.givers()).filter_map(|giver| peers.tile(giver, path)).collect::<Vec<_>>()
    };
    let tree = repair::tiles(&*disk, &tiles, &data.damaged(), head, &mut fetch, &mut told)?;
    let mut fetch = |ids: &[hallmark_schemas::attestation::ContentId]| {
        let mut bodies = vec![None; ids.len()];
        for giver in 0..peers.givers() {
            let given = peers.bodies(giver, ids);
            bodies.iter_mut().zip(given).for_each(|(body, given)| *body = body.take().or(given));
        }
        bodies
    };
    let mut patched = match tree.lost.is_empty() {
        true => packs::patch(&disk, data, (head, whose), &mut fetch, &mut told)?,
        // Without its entries nothing says which bodies a log has.
        false => Patched::default(),
    };
    bars.end();
    // Of another's log this node never held what is not meant for it: that is no damage.
    if patched.left.is_empty() && whose == Whose::Copy {
        patched.missing.clear();
    }
    tell(key.name(), &tree, &patched, peers.givers(), output);
    Ok(())
}

/// What was done, file by file and body by body, and what was not.
fn tell(log: &str, tree: &Mended, patched: &Patched, asked: usize, output: Output) {
    let say = |what: &str, file: String| {
        let json = serde_json::json!({ what: file, "log": log });
        output.item(format!("{what} {log}: {file}"), &json);
    };
    let whom = match asked {
        0 => "no peer is known that could be asked".to_owned(),
        asked => format!("{} asked", count(asked, "peer was", "peers were")),
    };
    let lost = |file: String, why: &str| {
        let reason = format!("{why}; {whom}");
        let json = serde_json::json!({ "not_repaired": file, "log": log, "reason": reason });
        output.item(format!("not repaired {log}: {file}: {reason}"), &json);
    };
    tree.mended.iter().for_each(|path| say("mended", path.display().to_string()));
    for path in &tree.lost {
        lost(path.display().to_string(), "what is here does not give it, and nobody else did");
    }
    patched.put_back.iter().for_each(|id| say("put_back", id.to_string()));
    for (path, bodies) in &patched.refilled.bodies {
        let bodies = count(*bodies as usize, "body", "bodies");
        say("put_back", format!("{bodies} at the end of {}", path.display()));
    }
    if patched.refilled.moved {
        output.say(
            "help: bodies that nobody gave lay before these: give `hallmark-node reindex DIR`, so \
             that each is found where it is now",
        );
    }
    for packs::Hole { path, at, end } in &patched.left {
        let place = format!("{} bytes {at} to {end}", path.display());
        lost(place, "nobody gave bodies that fit in there");
    }
    for (index, entry) in patched.missing.iter().take(MISSING_TOLD_MAX) {
        lost(
            format!("{} of entry {index}", entry.id),
            "its body is here no more and nobody gave it",
        );
    }
    let more = patched.missing.len().saturating_sub(MISSING_TOLD_MAX);
    if 0 < more {
        output.say(format!("and {more} or more bodies besides"));
    }
    if 0 < patched.erased {
        say("erased", count(patched.erased as usize, "record", "records"));
    }
    if !tree.lost.is_empty() {
        output.say("note: the bodies were not looked at: without its entries nothing says which");
    }
    if !tree.lost.is_empty() || !patched.left.is_empty() || !patched.missing.is_empty() {
        output.say(
            "help: let the nodes that mirror this log run and repair again, name one with `--peer \
             URL`, or stop this node and give `hallmark-node restore DIR --from-peers`",
        );
    }
}

/// The newest checkpoint of the log that is published here. Where its file is lost or damaged it is
/// put back from the history.
fn published(
    disk: &Arc<dyn Disk>,
    data: &Data,
    key: &VerifierKey,
    output: Output,
) -> Result<Option<Head>, StoreError> {
    let checkpoints = Checkpoints::new(disk.clone(), &data.checkpoint(), &data.checkpoints());
    let newest = checkpoints.newest()?;
    let notes = newest.clone().into_iter().chain(checkpoints.history()?.into_iter().rev());
    let mut signed = notes.filter_map(|bytes| {
        let checkpoint = SignedNote::parse(&bytes).ok()?.checkpoint_of(key).ok()?;
        Some((checkpoint, bytes))
    });
    let Some((signed, bytes)) = signed.find(|(signed, _)| 0 < signed.size) else {
        return Ok(None);
    };
    let is_whole = newest.as_ref() == Some(&bytes);
    if let Some(damaged) = newest.filter(|_| !is_whole) {
        checkpoints.set_aside(&damaged, &data.damaged().join("checkpoint"))?;
    }
    if !is_whole && checkpoints.put_back(&bytes)? {
        let (file, log) = (data.checkpoint().display().to_string(), key.name());
        let json = serde_json::json!({ "mended": file, "log": log });
        output.item(format!("mended {log}: {file}"), &json);
    }
    Ok(Some(Head { size: signed.size, root: signed.root }))
}
