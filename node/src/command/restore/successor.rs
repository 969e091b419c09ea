//! `restore --successor`: a log that is lost for good ends, and the next one begins.
//!
//! Invariants: the old log's key signs nothing any more and is kept beside; what of the old log is
//! here goes where copies of followed logs lie, so that it stays readable; the configuration is
//! written last, so that a command that was interrupted is given again and does the same.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use hallmark_schemas::attestation::{Draft, Envelope, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::enrolment::Join;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::head::Head;
use hallmark_schemas::id::Subject;
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::genesis::{Genesis, Previous};
use hallmark_schemas::kind::organisation::{LogKeys, Organisation};
use hallmark_schemas::kind::value::Digest;
use hallmark_schemas::layout::{Data, Dir};
use hallmark_schemas::network::{Member, NetworkFile};
use hallmark_schemas::note::{NoteSigner, VerifierKey};

use super::super::backup::failure;
use super::super::init::{capture_file, read_network};
use super::{DERIVED, asked, told_failure};
use crate::cli::Output;
use crate::cli::keep::RestoreArgs;
use crate::config::Config;
use crate::failure::Failure;
use crate::files::{now, write_durably};
use crate::keys::{self, Purpose, random};
use crate::outbox;
use crate::peers::address::AddressBook;
use crate::restore::peers::Peers;
use crate::sign::claims;
use crate::store::disk::OsDisk;
use crate::store::head::HeadSlots;

/// Asks everyone for the last head, then turns the folder into that of the next log.
pub(super) fn run(
    args: &RestoreArgs,
    config: &Config,
    slots: HeadSlots,
    data: &Data,
    key: &VerifierKey,
    output: Output,
) -> Result<Exit, Failure> {
    let dir = Dir::new(&args.dir);
    let next = next_origin(&config.origin)?;
    if HeadSlots::new(Arc::new(OsDisk), dir.head_slots(), &next).load().is_ok() {
        // A run was interrupted just before its end.
        write_origin(&dir, &config.origin, &next)?;
        output.verdict("made", asks(&args.dir));
        return Ok(Exit::Done);
    }
    let network = read_network(&dir.network())?;
    let peer_key = keys::open(&dir.keys(), Purpose::Peer, None)?;
    let organisation =
        keys::open(&dir.keys(), Purpose::Organisation, args.passphrase_file.as_deref())?;
    let member = network.network().member_of_origin(&config.origin).cloned();
    let member = member.ok_or_else(|| {
        Failure::usage(format!("{} is no log of this network", config.origin))
            .help("a log that was never admitted has nothing to follow: `init` makes a new one")
    })?;
    let book = AddressBook::open(data.path().join("addresses.json"), &config.peer);
    let mut peers = Peers::new(&args.peers, &book, &network, config, &peer_key)?;
    // A run that was interrupted has made the next key already: the old one is in the network file.
    let known = if key == &member.log_key { key.clone() } else { member.log_key.clone() };
    let recovery = asked(&dir, config, (slots, data, known), &network, &mut peers, output)?;
    let (last, is_whole) =
        recovery.last_known().map_err(|error| told_failure(&error, &args.dir))?;
    if is_whole {
        return Err(Failure::usage("this log is whole: nothing is lost that anyone knows of")
            .help(format!("start it: hallmark-node run {}", args.dir.display())));
    }
    let number = config.origin.rsplit('/').next().unwrap_or_default();
    let log = next_key(&dir, number, &member)?;
    let vkey = NoteSigner::log(&next, Arc::new(log)).map(|signer| signer.vkey().clone());
    let vkey = vkey.map_err(|e| Failure::fault("the next log cannot be named").because(&e))?;
    let log_keys = LogKeys { origin: next.clone(), log: vkey, ..member.log_keys() };
    let previous =
        Previous { origin: config.origin.clone(), size: last.size, root: Digest(last.root) };
    let begin = Begin { config, member: &member, network: &network, organisation: &organisation };
    begin.write(&dir, &log_keys, &previous, args.passphrase_file.as_deref())?;
    set_aside(&dir, data, &config.origin, number).map_err(|e| failure(&e))?;
    crate::core::create_if_new(&dir, data, &next)
        .map_err(|e| Failure::fault("cannot make the next log").because(&e))?;
    write_origin(&dir, &config.origin, &next)?;
    tell(&args.dir, &previous, last, &next, output);
    Ok(Exit::Done)
}

fn tell(path: &Path, previous: &Previous, last: Head, next: &str, output: Output) {
    let dir = path.display();
    let json = serde_json::json!({
        "origin": next, "previous": previous.origin, "previous_size": last.size,
        "previous_root": hallmark_schemas::hex::encode(&last.root),
        "join": format!("{dir}/join.cbor"),
    });
    output.item(format!("{next} follows {} of {} entries", previous.origin, last.size), &json);
    output.verdict("made", asks(path));
}

/// What is to be done next.
fn asks(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "give {dir}/join.cbor to the registrar (hallmark-node admit <registrar's folder> \
         {dir}/join.cbor) and start the node: hallmark-node run {dir}"
    )
}

/// `<network>/<scheme>-<value>/<n+1>`.
pub(crate) fn next_origin(origin: &str) -> Result<String, Failure> {
    let parts = origin.rsplit_once('/');
    let next = parts.and_then(|(before, number)| {
        let number: u32 = number.parse().ok()?;
        Some(format!("{before}/{}", number.checked_add(1)?))
    });
    next.ok_or_else(|| {
        Failure::usage(format!("the origin {origin} ends with no number"))
            .help("put back the `origin` that `init` wrote into config.toml")
    })
}

/// The next log's key, made once; the old one is kept beside it.
fn next_key(dir: &Dir, number: &str, member: &Member) -> Result<SecretKey, Failure> {
    let present = keys::open(&dir.keys(), Purpose::Log, None)?;
    if present.public() != member.log_key.key() {
        return Ok(present);
    }
    let cannot = |e: std::io::Error| {
        Failure::usage("cannot put the old log key aside")
            .because(&e)
            .help("the folder `keys` must be writable by whoever runs the node")
    };
    let old = dir.keys().join(format!("log-{number}.key"));
    match std::fs::hard_link(dir.key("log"), &old) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(cannot(e)),
        _ => {}
    }
    let fresh = dir.keys().join("next");
    crate::files::remove(&fresh).and_then(|()| std::fs::create_dir(&fresh)).map_err(cannot)?;
    let made = keys::create(&fresh, Purpose::Log, &keys::Passphrase::none())?;
    std::fs::rename(fresh.join("log.key"), dir.key("log")).map_err(cannot)?;
    crate::files::remove(&fresh).map_err(cannot)?;
    Ok(made)
}

/// What the next log begins with.
struct Begin<'a> {
    config: &'a Config,
    member: &'a Member,
    network: &'a NetworkFile,
    organisation: &'a SecretKey,
}

impl Begin<'_> {
    /// The request to the registrar, and the genesis and capture device for the outbox.
    fn write(
        &self,
        dir: &Dir,
        log_keys: &LogKeys,
        previous: &Previous,
        passphrase_file: Option<&Path>,
    ) -> Result<(), Failure> {
        let join = Join {
            v: 1,
            network: self.network.network().name.clone(),
            org: self.config.org.clone(),
            organisation: self.organisation(dir, log_keys, passphrase_file)?,
            urls: Vec::new(),
            multiaddrs: Vec::new(),
            previous: Some(previous.clone()),
        };
        let join = join.sign(self.organisation).map_err(|e| {
            Failure::usage("cannot make the request")
                .because(&e)
                .help("put back the config.toml that `init` wrote")
        })?;
        let genesis = Genesis {
            network: self.network.network().name.clone(),
            keys: log_keys.clone(),
            previous: Some(previous.clone()),
        };
        let sub = Subject::Log(log_keys.origin.clone());
        let mut first = vec![self.sign(sub, Body::Genesis(genesis))?];
        let device = std::fs::read(capture_file(dir)).ok();
        first.extend(device.and_then(|stored| Envelope::parse(&stored).ok()));
        write_durably(&dir.join(), &join).map_err(|e| failure(&e))?;
        outbox::put_first(dir.path(), &first)
    }

    fn sign(&self, sub: Subject, body: Body) -> Result<Envelope, Failure> {
        let claims = claims(&self.config.org, sub, Audience::Public, Vec::new(), now());
        sign(Draft { claims, body }, random(), self.organisation)
            .map_err(|e| Failure::fault("cannot sign the genesis of the next log").because(&e))
    }

    /// As it stands in the request of `init`, else from the configuration and the keys.
    fn organisation(
        &self,
        dir: &Dir,
        log_keys: &LogKeys,
        passphrase_file: Option<&Path>,
    ) -> Result<Organisation, Failure> {
        let asked = std::fs::read(dir.join()).ok().and_then(|bytes| Join::parse(&bytes).ok());
        if let Some(join) = asked.filter(|join| join.org == self.config.org) {
            return Ok(Organisation { node: Some(log_keys.clone()), ..join.organisation });
        }
        let next = keys::open(&dir.keys(), Purpose::OrganisationNext, passphrase_file)?;
        let regions: BTreeSet<_> = self.config.regions.iter().copied().collect();
        Ok(Organisation {
            legal_name: self.config.name.clone(),
            roles: self.member.roles.clone(),
            regions: regions.into_iter().collect(),
            key: self.organisation.public().clone(),
            next_key_commitment: next.public().id(),
            node: Some(log_keys.clone()),
            replaces: None,
            reason: None,
        })
    }
}

/// Moves what of the old log is here to the copies of followed logs, and its head beside.
fn set_aside(dir: &Dir, data: &Data, origin: &str, number: &str) -> std::io::Result<()> {
    let copy = data.peer(origin);
    std::fs::create_dir_all(copy.path())?;
    let moves = [
        (data.log(), copy.log()),
        (data.packs(), copy.packs()),
        (data.checkpoints(), copy.checkpoints()),
    ];
    for (from, to) in moves {
        if from.exists() && !to.exists() {
            std::fs::rename(from, to)?;
        }
    }
    for name in DERIVED.iter().chain(&["intent"]) {
        crate::files::remove(&data.path().join(name))?;
    }
    for slot in dir.head_slots().iter().filter(|slot| slot.exists()) {
        let mut aside = slot.clone().into_os_string();
        aside.push(format!(".{number}"));
        std::fs::rename(slot, aside)?;
    }
    Ok(())
}

fn write_origin(dir: &Dir, old: &str, next: &str) -> Result<(), Failure> {
    let path = dir.config();
    let cannot = |e: std::io::Error| {
        Failure::usage(format!("cannot write {}", path.display()))
            .because(&e)
            .help(format!("put `origin = \"{next}\"` there in place of the old one"))
    };
    let text = std::fs::read_to_string(&path).map_err(cannot)?;
    let is_origin = |line: &str| line.starts_with("origin") && line.contains(old);
    let lines = text.lines().map(|line| match is_origin(line) {
        true => format!("origin = \"{next}\"\n"),
        false => format!("{line}\n"),
    });
    write_durably(&path, lines.collect::<String>().as_bytes()).map_err(cannot)
}
