//! `restore`: DATA from a backup, and what was signed since from the peers that hold it.

pub(super) mod successor;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallmark_schemas::exit::Exit;
use hallmark_schemas::head::Head;
use hallmark_schemas::layout::{Data, Dir, peer_name};
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::{NoteSigner, SignedNote, VerifierKey};

use super::backup::{failure, refusal};
use super::init::read_network;
use super::progress::{Bars, bytes, count};
use super::run::cannot_open;
use crate::cli::Output;
use crate::cli::keep::RestoreArgs;
use crate::config::Config;
use crate::failure::Failure;
use crate::files::write_durably;
use crate::keys::{self, Purpose};
use crate::peers::address::AddressBook;
use crate::restore::from_backup::{FromBackupError, restore};
use crate::restore::peers::Peers;
use crate::restore::{Recovery, RestoreError, Restored};
use crate::store::disk::OsDisk;
use crate::store::elsewhere::Elsewhere;
use crate::store::head::HeadSlots;
use crate::store::lock::DirLock;
use crate::witness::memory;

/// What is derived from a log and is made again from it.
const DERIVED: [&str; 4] = ["index", "lake", "lake.json", "findings.json"];

/// Under the lock of the folder: backup first, then peers.
pub(super) fn run(args: &RestoreArgs, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(&args.dir)?;
    let dir = Dir::new(&args.dir);
    let _lock = DirLock::take(&dir.lock()).map_err(|error| cannot_open(error.into()))?;
    let data = config.data_dir(&args.dir);
    let key = log_key(&dir, &config)?;
    let slots = HeadSlots::new(Arc::new(OsDisk), dir.head_slots(), &config.origin);
    if args.successor {
        return successor::run(args, &config, slots, &data, &key, output);
    }
    let mut exit = Exit::Done;
    if let Some(backup) = &args.backup {
        let head = from_backup(backup, &data, &key, output)?;
        if !args.from_peers {
            exit = told_head(head, &slots, &args.dir, output);
        }
    }
    if args.from_peers {
        exit = from_peers(args, &config, slots, &data, key, output)?;
    }
    Ok(exit)
}

/// The key that checks the log's checkpoints.
pub(super) fn log_key(dir: &Dir, config: &Config) -> Result<VerifierKey, Failure> {
    Ok(log_signer(dir, config)?.vkey().clone())
}

fn log_signer(dir: &Dir, config: &Config) -> Result<NoteSigner, Failure> {
    let signer = Arc::new(keys::open(&dir.keys(), Purpose::Log, None)?);
    NoteSigner::log(&config.origin, signer).map_err(|e| {
        Failure::usage("the configured origin is no name for a log")
            .because(&e)
            .help("put back the `origin` that `init` wrote into config.toml")
    })
}

fn from_backup(
    backup: &Path,
    data: &Data,
    key: &VerifierKey,
    output: Output,
) -> Result<Head, Failure> {
    let mut bars = Bars::new();
    let restored = restore(backup, data, key, &mut |phase, done, of| bars.tell(phase, done, of));
    bars.end();
    let (copied, head) = restored.map_err(|error| match &error {
        FromBackupError::Copy(error) => refusal(error),
        FromBackupError::NotEmpty { data, .. } => Failure::usage(&error).help(format!(
            "move {} away first: nothing is copied over what is there. What a run since the loss made \
             there can stay for `hallmark-node restore DIR --from-peers`, without the backup",
            data.display()
        )),
        FromBackupError::Interrupted { data } => Failure::usage(&error).help(format!(
            "give the backup that was begun again, or move {} away first",
            data.display()
        )),
        FromBackupError::Foreign { .. } => Failure::input("this backup is not used")
            .because(&error)
            .help(
                "give the folder that `hallmark-node backup` of this node wrote to its verdict; one \
                 that was interrupted is finished by the same `backup` again",
            ),
    })?;
    let json = serde_json::json!({
        "from": backup.display().to_string(), "entries": head.size, "bytes": copied.bytes,
        "damaged_bytes": copied.damaged,
    });
    let all = bytes(copied.bytes);
    let held = match copied.damaged {
        0 => "proved".to_owned(),
        damaged => format!(
            "{damaged} bytes of bodies damaged in the backup: `hallmark-node check --repair` \
             fetches them from peers"
        ),
    };
    output.item(format!("copied {} entries, {all}, {held}", head.size), &json);
    Ok(head)
}

/// Whether the node can go on from the backup alone.
fn told_head(backup: Head, slots: &HeadSlots, dir: &Path, output: Output) -> Exit {
    let (exit, text) = match slots.load() {
        Ok(head) if head == backup => (Exit::Done, "the log goes on from it".to_owned()),
        Ok(head) => (Exit::Incomplete, format!("this log's head has {} entries", head.size)),
        Err(error) => (Exit::Incomplete, error.to_string()),
    };
    if exit != Exit::Done {
        output.say(format!("help: hallmark-node restore {} --from-peers", dir.display()));
    }
    let word = if exit == Exit::Done { "restored" } else { "read-only" };
    output.verdict(word, format!("{} entries from the backup; {text}", backup.size));
    exit
}

fn from_peers(
    args: &RestoreArgs,
    config: &Config,
    slots: HeadSlots,
    data: &Data,
    key: VerifierKey,
    output: Output,
) -> Result<Exit, Failure> {
    let dir = Dir::new(&args.dir);
    let network = read_network(&dir.network())?;
    let peer_key = keys::open(&dir.keys(), Purpose::Peer, None)?;
    let book = AddressBook::open(data.path().join("addresses.json"), &config.peer);
    let mut peers = Peers::new(&args.peers, &book, &network, config, &peer_key)?;
    let recovery = asked(&dir, config, (slots, data, key), &network, &mut peers, output)?;
    let target = recovery.target().map_err(|error| told_failure(&error, &args.dir))?;
    if recovery.is_older_than(target) {
        // The memory of the witness lies beside the head.
        let logs = network.network().members.iter().map(|member| peer_name(&member.origin));
        memory::doubt(&OsDisk, &dir.witness_memory(), &logs.collect())
            .map_err(|error| failure(&error))?;
    }
    for name in DERIVED {
        let path = data.path().join(name);
        crate::files::remove(&path).map_err(|e| failure(&e))?;
    }
    let mut bars = Bars::new();
    let restored = recovery.run(&mut peers, &mut |phase, done, of| bars.tell(phase, done, of));
    bars.end();
    let restored = restored.map_err(|error| told_failure(&error, &args.dir))?;
    own_witness_follows((&dir, data), config, &network, &restored)?;
    // What came back may name the address of another copy: this one attests its own anew.
    book.forget(&config.org);
    Ok(tell(&restored, &args.dir, output))
}

/// What is here, and what everyone else says of it.
fn asked(
    dir: &Dir,
    config: &Config,
    (slots, data, key): (HeadSlots, &Data, VerifierKey),
    network: &NetworkFile,
    peers: &mut Peers<'_>,
    output: Output,
) -> Result<Recovery, Failure> {
    let policy = network.network().policy.clone();
    let opened = Recovery::open(Arc::new(OsDisk), slots, data.clone(), key, policy);
    let mut recovery = opened.map_err(|error| told_failure(&error, dir.path()))?;
    own_witness(dir, config, network, &mut recovery, output);
    peers.introduce(&mut recovery, network).iter().for_each(|line| output.say(line));
    let signer = log_signer(dir, config)?;
    let strangers = peers.introduce_strangers(&mut recovery, network, &signer);
    strangers.iter().for_each(|line| output.say(line));
    Ok(recovery)
}

/// What this node's own witness remembers, if its memory is as whole as the head beside it.
fn own_witness(
    dir: &Dir,
    config: &Config,
    network: &NetworkFile,
    recovery: &mut Recovery,
    output: Output,
) {
    let note = std::fs::read(witness_memory(dir, config)).ok();
    let note = note.and_then(|bytes| SignedNote::parse(&bytes).ok());
    let newest = note.as_ref().and_then(|note| note.checkpoint().ok());
    let newest = newest.map(|newest| Head { size: newest.size, root: newest.root });
    // A damaged memory proves nothing, and the others are asked.
    note.map_or(Ok(()), |note| recovery.offer(note)).unwrap_or_else(|error| {
        output.say(format!("the own witness's memory: {error}: passed over"));
    });
    let own = network.network().member_of_origin(&config.origin).map(|member| &member.witness_key);
    for witness in network.network().policy.witnesses() {
        if own == Some(&witness.key) {
            recovery.own_witness(&witness.name);
            if recovery.knows_head() {
                recovery.heard(&witness.name, newest);
            }
        }
    }
}

/// Where this node's own witness remembers what it cosigned last of the own log.
fn witness_memory(dir: &Dir, config: &Config) -> PathBuf {
    dir.witness_memory().join(peer_name(&config.origin))
}

/// The own witness goes on from the tree that is here, if its key has cosigned that: the process on
/// the other copy of this folder had the same key.
fn own_witness_follows(
    (dir, data): (&Dir, &Data),
    config: &Config,
    network: &NetworkFile,
    restored: &Restored,
) -> Result<(), Failure> {
    let path = witness_memory(dir, config);
    let known = std::fs::read(&path).ok().and_then(|bytes| SignedNote::parse(&bytes).ok());
    let known = known.and_then(|note| note.checkpoint().ok());
    let known = known.map(|known| Head { size: known.size, root: known.root });
    let elsewhere = Elsewhere::new(Arc::new(OsDisk), data);
    let given_up = elsewhere.given_up().map_err(|e| failure(&e))?;
    let own = network.network().member_of_origin(&config.origin);
    let is_given_up = known.is_some_and(|known| given_up.contains(&known));
    let (Some(member), Some(note), true) = (own, &restored.note, is_given_up) else {
        return Ok(());
    };
    if !matches!(note.signed_by(&member.witness_key), Ok(Some(_))) {
        return Ok(());
    }
    let mut note = note.clone();
    note.retain(|line| line.is_of(&member.witness_key) || line.is_of(&member.log_key));
    write_durably(&path, &note.to_bytes()).map_err(|e| failure(&e))
}

fn tell(restored: &Restored, dir: &Path, output: Output) -> Exit {
    let Restored { head, reached, before, mended, fetched, missing, unlogged, .. } = restored;
    if let Some((given_up, from)) = restored.given_up {
        tell_given_up(given_up, from, restored, output);
    }
    for (index, entry) in missing {
        let audience = ["public", "members", "named"];
        let audience = audience.get(usize::from(entry.audience)).copied().unwrap_or("?");
        let json = serde_json::json!({
            "missing": entry.id.to_string(), "entry": index, "audience": audience,
        });
        output.item(format!("missing {} entry {index}, audience {audience}", entry.id), &json);
    }
    for path in mended {
        let json = serde_json::json!({ "mended": path.display().to_string() });
        output.item(format!("mended {}", path.display()), &json);
    }
    let json = serde_json::json!({
        "head": head.size, "entries": reached.size, "entries_before": before,
        "bodies_fetched": fetched, "bodies_missing": missing.len(), "unlogged": unlogged,
        "goes_on": restored.goes_on(),
    });
    let bodies = count(*fetched as usize, "body", "bodies");
    output.item(format!("{} entries, before {before}; {bodies} fetched", reached.size), &json);
    if !restored.goes_on() {
        output.say(
            "help: ask further peers with --peer URL; if nobody holds these entries the log has \
             ended: `hallmark-node restore DIR --successor` begins the next one",
        );
        let lacking = format!("nobody gave entries {} to {}", reached.size, head.size - 1);
        output
            .verdict("read-only", format!("{lacking}: they were signed and are not signed again"));
        return Exit::Incomplete;
    }
    let next = format!("start it: hallmark-node run {}", dir.display());
    if missing.is_empty() {
        output.verdict("restored", format!("{} entries and their bodies; {next}", head.size));
        return Exit::Done;
    }
    output.say(
        "help: ask further peers with --peer URL, or put the bodies' packs back; the log itself \
         is whole",
    );
    let lacking = count(missing.len(), "body is", "bodies are");
    output
        .verdict("incomplete", format!("{} entries; {lacking} held by nobody; {next}", head.size));
    Exit::Incomplete
}

/// Of a log that was signed on two copies of its folder.
fn tell_given_up(given_up: Head, from: u64, restored: &Restored, output: Output) {
    let size = given_up.size;
    let json = serde_json::json!({
        "given_up": {
            "entries": size, "root": hallmark_schemas::hex::encode(&given_up.root), "from": from,
            "queued": restored.unlogged,
        },
    });
    output.item(
        format!(
            "given up: entries from {from} on differ, this log signed two trees; the witnesses \
             cosigned the one of {} entries, that of {size} was never published",
            restored.reached.size
        ),
        &json,
    );
    let queued = count(restored.unlogged as usize, "record is", "records are");
    output.say(format!("{queued} queued again: what was only stored is logged by the next start"));
}

pub(super) fn told_failure(error: &RestoreError, dir: &Path) -> Failure {
    let again = format!("hallmark-node restore {} --from-peers", dir.display());
    match error {
        RestoreError::Store(_) | RestoreError::Head(_) => failure(error),
        RestoreError::TooFewHeard { .. } | RestoreError::NothingKnown => Failure::busy(error).help(
            format!("start the witnesses' nodes, or give their addresses: {again} --peer URL"),
        ),
        RestoreError::HeadAhead { silent, .. } if !silent.is_empty() => {
            Failure::busy(error).note(format!("not heard: {}", silent.join(", "))).help(format!(
                "start the nodes of the others, or give their addresses: {again} --peer URL"
            ))
        }
        RestoreError::HeadAhead { .. } | RestoreError::Alone => {
            Failure::new(Exit::Incomplete, error).help(
                "put DATA and the folder `head` back as this machine last wrote them; else the log \
                 has ended: `hallmark-node restore DIR --successor` begins the next one",
            )
        }
        RestoreError::BothPublished { .. } => Failure::new(Exit::Broken, error).help(
            "keep both folders: receipts rest on both trees, which nothing mends; the log has ended: \
             `hallmark-node restore DIR --successor` begins the next one",
        ),
        RestoreError::MayBePublished { .. } => Failure::new(Exit::Incomplete, error).help(format!(
            "start the node on the other copy, which signs nothing once a witness refuses it, and \
             give its address, so that it says what it has published: {again} --peer URL; or restore \
             in that folder instead"
        )),
        RestoreError::OtherTree { .. } | RestoreError::Note(_) => {
            Failure::new(Exit::Broken, error)
                .help("keep everything as it is: two histories were signed, which nothing mends")
        }
    }
}
