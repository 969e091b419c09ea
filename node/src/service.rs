//! What the tasks of a running node share.
//!
//! Invariants: the network file only moves forward, signed under the one before; every verified
//! `node` attestation is known to the address book; what is shown of health is what the tasks last
//! said of themselves.

mod taking;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::history::Holder;
use hallmark_schemas::id::{OrgId, Subject};
use hallmark_schemas::key::{KeyId, PublicKey, SecretKey, Signer};
use hallmark_schemas::kind::{Body, KindName};
use hallmark_schemas::layout::Data;
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::VerifierKey;
use hallmark_schemas::time::{EntryTime, Timestamp};
use hallmark_schemas::token::{Grant, Scope, Token};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;

use crate::api::limit::Limiter;
use crate::api::problem::with_causes;
use crate::client::Client;
use crate::config::Config;
use crate::core::{Clock, Node, Signing};
use crate::judge::Judged;
use crate::labels::Ledger;
use crate::net::Net;
use crate::passport::cache::{Passports, Source};
use crate::peers::address::AddressBook;
use crate::peers::catch_up::CatchUp;
use crate::peers::heard::HeardNotes;
use crate::store::StoreError;
use crate::store::checkpoints::Checkpoints;
use crate::store::disk::OsDisk;
use crate::witness::twin::{Beside, Process, Published, Standing};
use crate::witness::words::Words;
use crate::witness::{Fault, Witness, elsewhere};

/// Purpose of a token by which one node reads another's bodies.
const REPLICATION: &str = "replication";
/// Most deferred ids that are noted; each takes 32 bytes.
const DEFERRED_NOTED_MAX: usize = 65_536;
/// Most devices and addresses that are kept until they are proved.
const TOLD_MAX: usize = 4096;
/// Life of a replication token; it is made anew for each round.
const TOKEN_MS: i64 = 5 * 60 * 1000;

/// A token by which the peer with this origin lets `org` read what is meant for it.
pub(crate) fn replication_token(
    org: &OrgId,
    origin: &str,
    peer_key: &SecretKey,
    now: Timestamp,
) -> Option<String> {
    let iat = Timestamp::from_unix_ms(now.unix_ms() / 1000 * 1000);
    let grant = Grant {
        iss: org.clone(),
        aud: origin.to_owned(),
        scope: Scope::Read,
        purpose: REPLICATION.to_owned(),
        iat,
        exp: iat.checked_add_ms(TOKEN_MS)?,
    };
    grant.sign(peer_key).ok()
}

/// A running node.
pub struct Service {
    /// DIR.
    pub dir: PathBuf,
    /// DATA.
    pub data: Data,
    /// `config.toml` with the flags of this run.
    pub config: Config,
    /// The log and everything held.
    pub node: Node,
    /// Where members answer.
    pub addresses: AddressBook,
    /// Cosigns others' logs, and our own where the policy says so.
    pub witness: Witness,
    /// Asks other nodes by HTTP.
    pub client: Client,
    /// Asks other nodes over libp2p; set once it listens.
    pub net: OnceLock<Net>,
    /// How fast others' logs are fetched.
    pub catch_up: CatchUp,
    /// Checkpoints that peers gossiped.
    pub heard: HeardNotes,
    /// The time of day.
    pub clock: Clock,
    /// Signs network files; only a registrar's node has it, unless it is kept offline.
    pub organisation: Option<Arc<SecretKey>>,
    /// Signs what clients hand in.
    pub capture: Arc<SecretKey>,
    /// Speaks to peers.
    pub peer: Arc<SecretKey>,
    /// Signs checkpoints and receipts.
    pub log_key: Arc<SecretKey>,
    /// The same as a verifier key, named as the origin.
    pub log_vkey: VerifierKey,
    /// What is known of codes.
    pub labels: Ledger,
    /// Requests left for each address.
    pub limiter: Limiter,
    /// Forms left for each address.
    pub form_limiter: Limiter,
    /// Consumers' forms are taken one after another.
    pub form_turn: tokio::sync::Mutex<()>,
    /// Passports that still hold.
    pub passports: Passports,
    /// Where others reach this node; set once it listens.
    pub url: OnceLock<String>,
    /// What the tasks said of themselves.
    pub health: Health,
    /// Whether the log has its genesis. Whoever stores it sets it.
    pub founded: AtomicBool,
    /// A newer network file was adopted.
    pub network_changed: Notify,
    /// Bodies or entries of a peer arrived.
    pub evidence_changed: Notify,
    /// The newest version. `adopt_network` alone replaces it.
    pub(crate) network: RwLock<Arc<NetworkFile>>,
    /// The newest judgement. The judge replaces it whole.
    pub(crate) findings: RwLock<Arc<Judged>>,
    /// Sizes of our log that witnesses have cosigned, by verifier key: a guess that a 409 corrects.
    pub(crate) witnessed: Mutex<BTreeMap<String, u64>>,
    /// Which process this is.
    pub process: Process,
    /// Where this log is or was published.
    pub published: Published,
    /// Where another process of this log answered at the start.
    pub twin_at_start: tokio::sync::OnceCell<Option<String>>,
    /// What is known of other processes of this log.
    pub beside: Beside,
    /// Somebody else had the port of this node when it started.
    pub is_moved: AtomicBool,
    /// What each witness last answered about our log.
    pub words: Words,
    /// Submissions that wait for their key, of this process: bounded, the oldest id goes first.
    pub(crate) deferred: Mutex<BTreeSet<ContentId>>,
    /// Devices whose enrolment was seen, perhaps before it was recorded: only for addresses.
    pub(crate) devices: Mutex<BTreeMap<KeyId, (PublicKey, OrgId)>>,
    /// `node` attestations whose key is not known yet.
    pub(crate) told: Mutex<Vec<Envelope>>,
    /// Renders `/metrics`.
    pub(crate) metrics: metrics_exporter_prometheus::PrometheusHandle,
}

impl Service {
    /// The newest network file.
    pub fn network(&self) -> Arc<NetworkFile> {
        Arc::clone(&self.network.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Learns the addresses of a `node` attestation, now or when its key is known.
    ///
    /// A newcomer's device is known here before it is recorded anywhere: without addresses its log
    /// could not be followed, nor be asked to witness.
    pub fn learn(&self, envelope: Envelope) {
        if let (Body::Device(device), Subject::Device(sub)) =
            (envelope.body(), &envelope.claims().sub)
        {
            let now = EntryTime::at((self.clock)());
            if self.node.keys().read(|keys| envelope.clone().verify(keys, now)).is_ok() {
                let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
                if devices.len() < TOLD_MAX {
                    devices.insert(device.key.id(), (device.key.clone(), sub.org()));
                }
            }
        } else if envelope.kind() == KindName::Node {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.len() < TOLD_MAX {
                told.push(envelope);
            }
        }
        self.resolve_addresses();
    }

    /// Tries again what [`Service::learn`] could not prove yet.
    pub fn resolve_addresses(&self) {
        let now = EntryTime::at((self.clock)());
        let devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|envelope| {
            let Body::Node(node) = envelope.body() else {
                return false;
            };
            let iss = &envelope.claims().iss;
            let is_device = devices
                .get(&envelope.signer())
                .is_some_and(|(key, org)| org == iss && envelope.check_signature(key).is_ok());
            let is_proved = is_device
                || self.node.keys().read(|keys| envelope.clone().verify(keys, now)).is_ok();
            if is_proved {
                self.addresses.learn(iss, node);
            }
            !is_proved
        });
    }

    fn note_deferred(&self, id: ContentId) {
        let mut deferred = self.deferred.lock().unwrap_or_else(PoisonError::into_inner);
        if DEFERRED_NOTED_MAX <= deferred.len() {
            deferred.pop_first();
        }
        deferred.insert(id);
    }

    /// Whether this attestation waits for its key, as far as this process has seen.
    pub fn is_deferred(&self, id: &ContentId) -> bool {
        self.deferred.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// Whether a registrar's log, as held here, has admitted the own organisation.
    pub fn is_admitted(&self) -> bool {
        self.node.keys().read(|keys| keys.organisation(&self.config.org).is_some())
    }

    /// Whether the own organisation signs network files.
    pub fn is_registrar(&self) -> bool {
        let network = self.network();
        network.network().registrars.iter().any(|one| one.org == self.config.org)
    }

    /// Whether the capture device is known, so that others can check what it signs.
    pub fn may_announce(&self) -> bool {
        let capture = self.capture.public().id();
        let now = EntryTime::at((self.clock)());
        self.founded.load(Ordering::Acquire)
            && self.node.keys().read(|keys| keys.in_force(capture, now).is_ok())
    }

    /// False while a start reads the keys that its logs introduce: a token of one of them does not
    /// count yet, and is not refused.
    pub fn knows_keys(&self) -> bool {
        self.node.log().index_ready()
    }

    /// Who signed this token, and what it allows. Err says why it does not count.
    pub fn check_token(&self, token: Token) -> Result<(OrgId, Scope), String> {
        let now = (self.clock)();
        let signer = token.signer();
        let known = self.node.keys().read(|keys| {
            let force = keys.in_force(signer, EntryTime::at(now)).ok()?;
            Some((force.key.clone(), force.org.clone(), force.holder.clone()))
        });
        let network = self.network();
        let (key, org, is_peer) = match known {
            Some((key, org, Holder::Org)) => (key, org, false),
            Some((key, org, Holder::Peer)) => (key, org, true),
            Some(_) => return Err("only an organisation key signs tokens".to_owned()),
            None => {
                let members = &network.network().members;
                let member = members.iter().find(|member| member.peer_key.id() == signer);
                let member = member.ok_or("the token's key is of no member")?;
                (member.peer_key.clone(), member.org.clone(), true)
            }
        };
        let grant = token.verify(&key, &self.config.origin, now).map_err(|e| with_causes(&e))?;
        if grant.iss != org {
            return Err(format!("the token says {}, its key is of {org}", grant.iss));
        }
        let (members, registrars) = (&network.network().members, &network.network().registrars);
        let is_member = org == self.config.org
            || members.iter().any(|member| member.org == org)
            || registrars.iter().any(|registrar| registrar.org == org);
        if !is_member {
            return Err(format!("{org} is no member any more"));
        }
        if is_peer && (grant.purpose != REPLICATION || grant.scope != Scope::Read) {
            return Err("a peer key signs tokens for replication only".to_owned());
        }
        Ok((org, grant.scope))
    }

    /// A token by which the peer with this origin lets us read what is meant for us.
    pub fn replication_token(&self, origin: &str) -> Option<String> {
        replication_token(&self.config.org, origin, self.peer.as_ref(), (self.clock)())
    }

    /// The address of the node whose witness key this is.
    pub fn witness_url(&self, key: &VerifierKey) -> Option<String> {
        let network = self.network();
        let mut members = network.network().members.iter();
        let member = members.find(|member| member.witness_key == *key);
        let known = member
            .and_then(|member| self.addresses.urls(&network, &member.origin).into_iter().next());
        let named = network.network().policy.witnesses().iter().find(|witness| witness.key == *key);
        known.or_else(|| {
            let url = named?.url.as_deref()?;
            Some(url.strip_suffix("/log").unwrap_or(url).to_owned())
        })
    }

    /// Where a witness of another network takes checkpoints; `None` for a member's.
    pub fn stranger_url(&self, key: &VerifierKey) -> Option<String> {
        let network = self.network();
        let network = network.network();
        if network.members.iter().any(|member| member.witness_key == *key) {
            return None;
        }
        let named = network.policy.witnesses().iter().find(|witness| witness.key == *key);
        named?.url.as_ref().map(|url| url.trim_end_matches('/').to_owned())
    }

    /// A word of the own witness; a write that failed under it ends the process.
    pub(crate) fn heeded<T>(&self, word: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(fault) = &word
            && fault.is_final()
        {
            self.node.log().fail(with_causes(fault));
        }
        word
    }

    pub(crate) fn witnessed_size(&self, key: &VerifierKey) -> u64 {
        let witnessed = self.witnessed.lock().unwrap_or_else(PoisonError::into_inner);
        witnessed.get(&key.to_string()).copied().unwrap_or(0)
    }

    pub(crate) fn set_witnessed_size(&self, key: &VerifierKey, size: u64) {
        let mut witnessed = self.witnessed.lock().unwrap_or_else(PoisonError::into_inner);
        witnessed.insert(key.to_string(), size);
    }

    /// The newest judgement.
    pub fn findings(&self) -> Arc<Judged> {
        Arc::clone(&self.findings.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_findings(&self, judged: Judged) {
        let mut newest = self.findings.write().unwrap_or_else(PoisonError::into_inner);
        *newest = Arc::new(Judged { round: newest.round + 1, ..judged });
    }

    /// What passports are made from.
    pub fn passport_source<'a>(&'a self, judged: &'a Judged) -> Source<'a> {
        Source {
            node: &self.node,
            org: &self.config.org,
            settings: &self.config.passport,
            labels: &self.labels,
            judged,
            addresses: &self.addresses,
        }
    }

    /// The URL of this node without a slash at its end; empty, which makes links relative, until
    /// it listens.
    pub fn root(&self) -> &str {
        self.url.get().map_or("", String::as_str)
    }

    /// What this node's log has published.
    pub(crate) fn checkpoints(&self) -> Checkpoints {
        let (newest, history) = (self.data.checkpoint(), self.data.checkpoints());
        Checkpoints::new(Arc::new(OsDisk), &newest, &history)
    }

    /// Ready, or why not.
    pub fn readiness(&self) -> Readiness {
        let log = self.node.log();
        let ready = || "ready".to_owned();
        let (mut store, mut word, mut quorum) = (ready(), ready(), ready());
        let is_full = || log.is_full() || crate::store::reserve::no_room(&self.data);
        match log.signing() {
            Signing::Ready if is_full() => store = "full: nothing is taken".into(),
            Signing::Ready => {}
            Signing::Stopped { cause } => store = cause,
            Signing::ReadOnly { cause, help } => {
                word = format!("{READ_ONLY}{cause}; what to do: {help}");
            }
            Signing::WaitingForGuard => {
                let silent = self.words.silent(&self.network().network().policy);
                quorum =
                    format!("too few witnesses have told what they hold of this log: {silent}");
            }
            Signing::WaitingForQuorum => {
                let size = log.head().size;
                let lacking = self.words.lacking(&self.network().network().policy, size);
                quorum = format!("a checkpoint waits for its witnesses: {lacking}");
            }
        }
        if word == "ready" && !self.founded.load(Ordering::Acquire) {
            word = "waits for the registrar to admit this organisation".to_owned();
        }
        let index = if log.index_ready() { ready() } else { "catching up".to_owned() };
        let (broker, peers) = (self.health.broker_word(), self.health.peer_words());
        let data = self.data.path();
        let name = |path: PathBuf| path.strip_prefix(data).unwrap_or(&path).display().to_string();
        let damaged = self.node.damaged_files();
        let damaged = damaged.into_iter().take(READINESS_DAMAGED_MAX).map(name).collect();
        let process = Standing { process: self.process.clone(), beside: self.beside.met() };
        Readiness { store, index, log: word, quorum, broker, peers, damaged, process }
    }

    /// Everything that `status` prints.
    pub fn status_view(&self) -> Result<Value, StoreError> {
        let mut view = serde_json::to_value(self.node.status()?).unwrap_or_default();
        let network = self.network();
        let findings = self.findings();
        view["org"] = self.config.org.to_string().into();
        view["network"] = network.network().name.clone().into();
        view["network_version"] = network.network().version.into();
        let policy = &network.network().policy;
        view["witnesses"] = serde_json::to_value(self.words.of(policy)).unwrap_or_default();
        let is_split = policy.is_none() || policy.is_split_by(self.witness.vkey());
        view["copies_could_fork"] = is_split.into();
        view["defect_proofs"] = elsewhere::kept(&self.data).into();
        view["members"] = network.network().members.len().into();
        view["findings"] = findings.findings.len().into();
        view["judged_as_of"] = serde_json::to_value(findings.as_of).unwrap_or_default();
        let readiness = self.readiness();
        view["ready"] = readiness.is_ready().into();
        let connected = self.net.get().map(|net| net.roster().all_connected().len());
        view["peers_connected"] = connected.into();
        view["readiness"] = serde_json::to_value(&readiness).unwrap_or_default();
        Ok(view)
    }

    /// The text of `/metrics`.
    pub fn metrics_text(&self) -> Result<String, StoreError> {
        let status = self.node.status()?;
        for (name, value) in [
            ("hallmark_log_size", status.head_size),
            ("hallmark_log_published_size", status.published_size),
            ("hallmark_stored_unlogged", status.stored_unlogged),
            ("hallmark_deferred", status.deferred),
            ("hallmark_damaged_records", status.damaged_records),
            ("hallmark_damaged_tiles", status.damaged_tiles),
        ] {
            metrics::gauge!(name).set(value as f64);
        }
        for peer in &status.peers {
            let label = peer.origin.clone();
            metrics::gauge!("hallmark_peer_size", "origin" => label.clone()).set(peer.size as f64);
            metrics::gauge!("hallmark_peer_wanted", "origin" => label).set(peer.wanted as f64);
        }
        Ok(self.metrics.render())
    }
}

/// Ready, or why not, part by part. `ready` in every part means ready.
#[derive(Clone, Debug, Serialize)]
pub struct Readiness {
    /// Whether bodies can be made durable.
    pub store: String,
    /// Whether the index covers the log.
    pub index: String,
    /// Whether the log may be signed.
    pub log: String,
    /// Whether enough witnesses answer.
    pub quorum: String,
    /// Whether the broker answers; `none` where there is none.
    pub broker: String,
    /// Followed logs that cannot be followed now, and why. They do not make the node unready.
    pub peers: BTreeMap<String, String>,
    /// Files of DATA, at most 16, that were found lost or damaged when they were read: hashes are
    /// served as computed from the entries, entries and bodies not at all. They do not make the
    /// node unready.
    pub damaged: Vec<String>,
    /// Which process answers: another one of the same log is to sign nothing.
    pub process: Standing,
}

/// How the word about a log begins that signs nothing more.
pub(crate) const READ_ONLY: &str = "read-only: ";

/// Most damaged files that `/readyz` names.
const READINESS_DAMAGED_MAX: usize = 16;

impl Readiness {
    /// Whether all parts are ready.
    pub fn is_ready(&self) -> bool {
        let parts = [&self.store, &self.index, &self.log, &self.quorum];
        parts.iter().all(|part| *part == "ready") && self.broker != "away"
    }
}

/// What tasks last said of themselves.
#[derive(Debug, Default)]
pub struct Health {
    /// None: no broker configured.
    broker: Mutex<Option<bool>>,
    peers: Mutex<BTreeMap<String, String>>,
}

impl Health {
    /// The broker answers, or not.
    pub fn broker(&self, connected: bool) {
        *self.broker.lock().unwrap_or_else(PoisonError::into_inner) = Some(connected);
    }

    /// This log is followed (None), or why not.
    pub fn peer(&self, origin: &str, reason: Option<&str>) {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        match reason {
            None => peers.remove(origin),
            Some(reason) => peers.insert(origin.to_owned(), reason.to_owned()),
        };
    }

    fn broker_word(&self) -> String {
        let broker = *self.broker.lock().unwrap_or_else(PoisonError::into_inner);
        broker.map_or("none", |up| if up { "ready" } else { "away" }).to_owned()
    }

    pub(crate) fn peer_words(&self) -> BTreeMap<String, String> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
