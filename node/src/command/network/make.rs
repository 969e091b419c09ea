//! The next version of the network file: made by one registrar, signed by as many as must.
//!
//! Invariants: a registrar signs one version of each number, so that no two of them come to be in
//! force unless so many registrars want it as could have signed both; what a version rests on is
//! recorded before it is in force.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::layout::Dir;
use hallmark_schemas::network::{Network, NetworkDraft, NetworkFile, Registrar};
use serde_json::json;

use super::super::init::{NETWORK_LIFE_MS, network_version};
use super::super::{log, not_running, sent, wait_for};
use crate::cli::Output;
use crate::config::Config;
use crate::failure::Failure;
use crate::files::{now, write_durably};
use crate::keys::{self, Purpose};
use crate::outbox;
use crate::socket::Local;

/// Longest wait for what a version rests on.
const RECORDED_WAIT_MAX: Duration = Duration::from_secs(60);
/// How often the node is asked.
const POLL_EVERY: Duration = Duration::from_millis(50);

/// A registrar that makes or signs a version.
#[derive(Clone, Copy)]
pub(crate) struct Maker<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) config: &'a Config,
    /// The version in force.
    pub(crate) old: &'a NetworkFile,
    pub(crate) passphrase_file: Option<&'a Path>,
    /// Signs another version of a number that was signed before.
    pub(crate) instead: bool,
    pub(crate) output: Output,
}

/// What became of a version.
pub(crate) enum Made {
    /// It is in force.
    InForce(u64),
    /// It lies in a file, and others have to sign it.
    Draft {
        version: u64,
        path: PathBuf,
        /// Signatures of the registrars in force and of its own, each with how many it takes.
        signed: [(usize, u32); 2],
    },
}

impl Made {
    /// Its number.
    pub(crate) fn version(&self) -> u64 {
        match self {
            Made::InForce(version) | Made::Draft { version, .. } => *version,
        }
    }

    /// The last line of a command.
    pub(crate) fn tell(&self, word: &str, text: &str, output: Output) {
        match self {
            Made::InForce(version) => {
                output.verdict(word, format!("{text}, network file version {version}"));
            }
            Made::Draft { version, path, signed: [(old, needed), (new, own)] } => {
                let path = path.display();
                let json = json!({ "draft": path.to_string(), "version": version, "signed": old,
                    "needed": needed, "signed_new": new, "needed_new": own });
                output.item(&path, &json);
                output.say(format!(
                    "give the file to the other registrars: hallmark-node network DIR --sign {path}"
                ));
                let own = format!(", {new} of {own} of those to come");
                output.verdict(
                    "waits",
                    format!(
                        "version {version} is signed by {old} of {needed} registrars{own}: {text}"
                    ),
                );
            }
        }
    }
}

impl Maker<'_> {
    /// The organisation key, if this organisation is a registrar.
    pub(crate) fn key(&self) -> Result<SecretKey, Failure> {
        let registrars = &self.old.network().registrars;
        if !is_among(registrars, self.config) {
            let names: Vec<_> = registrars.iter().map(|one| one.org.to_string()).collect();
            return Err(Failure::usage(format!("{} is no registrar", self.config.org))
                .help(format!("the registrar does this: {}", names.join(", "))));
        }
        self.open_key()
    }

    fn open_key(&self) -> Result<SecretKey, Failure> {
        keys::open(&Dir::new(self.dir).keys(), Purpose::Organisation, self.passphrase_file)
    }

    /// Makes the next version with this content and signs it.
    pub(crate) fn make(&self, network: Network) -> Result<Made, Failure> {
        let key = self.key()?;
        let next = next_version(self.old, network, &[&key])?;
        self.conclude(next, Vec::new(), &key)
    }

    /// A draft that another registrar made, with the own signature.
    pub(crate) fn draft(&self, path: &Path) -> Result<(NetworkDraft, SecretKey), Failure> {
        let bytes = std::fs::read(path).map_err(|e| {
            Failure::input(format!("cannot read {}", path.display()))
                .because(&e)
                .help("give the file that another registrar's command wrote")
        })?;
        let mut draft = NetworkDraft::parse(&bytes).map_err(|e| {
            Failure::input(format!("{} is no version of a network file", path.display()))
                .because(&e)
                .help("give the file that another registrar's command wrote")
        })?;
        draft.may_follow(self.old).map_err(|e| {
            Failure::input(format!(
                "version {} cannot follow version {}, which is in force here",
                draft.network().version,
                self.old.network().version
            ))
            .because(&e)
            .help("whoever made it makes it again, from the version that is in force")
        })?;
        if !is_among(&draft.network().registrars, self.config) {
            self.key()?;
        }
        let key = self.open_key()?;
        let kid = key.public().id();
        let named = [self.old.network(), draft.network()];
        let counts = named
            .iter()
            .flat_map(|network| &network.registrars)
            .any(|registrar| registrar.org == self.config.org && registrar.key.id() == kid);
        if !counts {
            return Err(Failure::usage(format!(
                "the key {kid} is no registrar's in either version"
            ))
            .help("give `hallmark-node key DIR rotate` again if a rotation was interrupted"));
        }
        for line in super::registrars::changes(self.old.network(), draft.network()) {
            self.output.say(line);
        }
        draft.sign(&key).map_err(|e| Failure::fault("the key does not sign").because(&e))?;
        Ok((draft, key))
    }

    /// Puts a version into force that enough have signed, after what it rests on; else writes it to
    /// a file for the others.
    pub(crate) fn conclude(
        &self,
        next: NetworkDraft,
        first: Vec<Envelope>,
        key: &dyn Signer,
    ) -> Result<Made, Failure> {
        self.sign_once(&next)?;
        let version = next.network().version;
        let is_registrar = is_among(&self.old.network().registrars, self.config);
        let complete =
            next.clone().complete().ok().filter(|file| {
                is_registrar && NetworkFile::successor_valid(self.old, file).is_ok()
            });
        if let Some(file) = complete {
            wait_for(self.publish(&file, first, key))?;
            return Ok(Made::InForce(version));
        }
        if !first.is_empty() {
            wait_for(log(self.dir, &first, self.output))?;
        }
        let path = self.dir.join(format!("network-{version}.draft"));
        write_durably(&path, next.bytes())
            .map_err(|e| Failure::fault(format!("cannot write {}", path.display())).because(&e))?;
        Ok(Made::Draft { version, path, signed: next.signed(self.old) })
    }

    /// Remembers what was signed under this number; refuses another one.
    fn sign_once(&self, next: &NetworkDraft) -> Result<(), Failure> {
        let version = next.network().version;
        let path = Dir::new(self.dir).former_networks().join(format!("{version}.signed"));
        let before = std::fs::read(&path).ok();
        let before = before.and_then(|bytes| NetworkDraft::parse(&bytes).ok());
        // One registrar alone makes a version again whose command was interrupted.
        let is_alone = self.old.network().threshold == 1 && next.network().threshold == 1;
        if is_alone && before.is_none() {
            return Ok(());
        }
        if before.is_some_and(|before| !before.says_as(next)) && !self.instead {
            return Err(Failure::usage(format!(
                "another version {version} was signed here before"
            ))
            .note(format!("it is kept in {}", path.display()))
            .help(
                "if the others gave that one up, give --instead: two versions of one number \
                     that enough registrars signed split the network",
            ));
        }
        let write = || {
            std::fs::create_dir_all(Dir::new(self.dir).former_networks())?;
            write_durably(&path, next.bytes())
        };
        write().map_err(|e| Failure::fault(format!("cannot write {}", path.display())).because(&e))
    }

    /// Logs `first` and the version, then puts the version into force.
    ///
    /// At a running node all of it is recorded under the old policy first: a new witness may be one
    /// whose admission is only being published. A folder at rest takes it at once, unless the policy
    /// changes.
    async fn publish(
        &self,
        file: &NetworkFile,
        mut first: Vec<Envelope>,
        key: &dyn Signer,
    ) -> Result<(), Failure> {
        first.push(network_version(&self.config.org, file, now(), key)?);
        let Some(local) = Local::connect(self.dir).await? else {
            if self.old.network().policy != file.network().policy {
                return Err(not_running(self.dir)
                    .note("another witness policy is put into force by the running node"));
            }
            log(self.dir, &first, self.output).await?;
            return write_durably(&Dir::new(self.dir).network(), file.bytes())
                .map_err(|e| Failure::fault("cannot write network.hallmark").because(&e));
        };
        outbox::put(self.dir, &first)?;
        for id in sent(self.dir, &local, &first).await? {
            wait_recorded(&local, &id, "the network file is unchanged").await?;
        }
        let kind = "application/vnd.hallmark.network+cbor";
        let answer = local.post("/local/network", kind, file.bytes()).await?;
        match answer.status {
            204 => Ok(()),
            status => Err(Failure::fault(format!(
                "the node does not take the network file ({status}): {}",
                answer.text()
            ))
            .help(
                "look at `hallmark-node network DIR show`: another version may be in force by now",
            )),
        }
    }
}

fn is_among(registrars: &[Registrar], config: &Config) -> bool {
    registrars.iter().any(|registrar| registrar.org == config.org)
}

/// The next version with this content, signed with these keys: what it says of the versions before
/// it follows from `old`.
pub(crate) fn next_version(
    old: &NetworkFile,
    mut network: Network,
    keys: &[&dyn Signer],
) -> Result<NetworkDraft, Failure> {
    let cannot = |e: &hallmark_schemas::key::SignError| {
        Failure::usage("cannot sign the network file")
            .because(e)
            .help("change what the cause names and give the command again")
    };
    network.expires_at = now().checked_add_ms(NETWORK_LIFE_MS).unwrap_or(network.expires_at);
    let mut draft = NetworkDraft::new(old.next(|next| *next = network)).map_err(|e| cannot(&e))?;
    for key in keys {
        draft.sign(*key).map_err(|e| cannot(&e))?;
    }
    Ok(draft)
}

/// Waits until the attestation is recorded.
pub(crate) async fn wait_recorded(
    local: &Local,
    id: &ContentId,
    unchanged: &str,
) -> Result<(), Failure> {
    let until = Instant::now() + RECORDED_WAIT_MAX;
    while local.get(&format!("/entries/{id}")).await?.status != 200 {
        if until < Instant::now() {
            return Err(Failure::busy(format!("{id} is stored, but not recorded yet"))
                .note(unchanged)
                .help("give the command again when `hallmark-node status` says ready"));
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
    Ok(())
}
