//! The node behind a URL: its network file, its log and those that it copies, and every body that
//! anyone may read.
//!
//! Invariants: this file alone opens connections, and it is built with feature `url` only; without
//! TLS only loopback is asked; each answer, all of them together and the whole time have a limit; no
//! redirect is followed; nothing that comes is believed, and what the node lists and does not give
//! becomes a defect.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hallmark_schemas::attestation::{ATTESTATION_BYTES_MAX, ContentId, Envelope};
use hallmark_schemas::entry::ENTRY_BYTES;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::kind::Body;
use hallmark_schemas::layout::peer_name;
use hallmark_schemas::network::{MEMBERS_MAX, NETWORK_FILE_BYTES_MAX, NetworkFile};
use hallmark_schemas::note::{NOTE_BYTES_MAX, SignedNote};
use hallmark_schemas::tile::{self, TILE_WIDTH, TilePath};
use reqwest::header::{ACCEPT, RETRY_AFTER};
use reqwest::{Client, Url};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::{bundle, dir};
use crate::evidence::{Defect, DefectKind, Evidence, FoundNote, LogEvidence, Place, chain};

/// Most bytes that are taken of one node: they stay in memory.
pub const NODE_BYTES_MAX: u64 = bundle::PIPE_BYTES_MAX;
/// Longest that one node is read.
pub const NODE_WAIT_MAX: Duration = Duration::from_secs(3600);
/// Most entries of a log that fit; a larger size is not even asked for.
pub const LOG_ENTRIES_MAX: u64 = NODE_BYTES_MAX / (2 + ENTRY_BYTES as u64);
/// Most logs that are asked for: those of a network file, and as many that have ended.
pub const LOGS_MAX: usize = 2 * MEMBERS_MAX;
/// Longest wait for a connection, and for one answer.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(5);
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);
/// Longest that a busy node may ask to wait before it is asked again.
const BUSY_WAIT_MAX_S: u64 = 60;
/// Questions that are under way at once.
const ASKED_AT_ONCE: usize = 8;
/// Most bytes of an answer that is no success: a problem in JSON.
const PROBLEM_BYTES_MAX: usize = 64 * 1024;
/// Most bytes of a part of a log's history: 256 checkpoints of a few KiB.
const HISTORY_BYTES_MAX: usize = 8 << 20;
/// Most bytes of a tile or a bundle of entries.
const TILE_BYTES_MAX: usize = TILE_WIDTH as usize * (2 + ENTRY_BYTES);

const ORGANISATION: &[u8] = b"application/vnd.hallmark.organisation+cbor";

/// The node lists what it does not give.
const NOT_GIVEN: &str = "ask again later, or ask another node that keeps or follows this log; its \
                         keeper gives `hallmark-node export DIR -o FILE.hallmark`";

/// Why a node cannot be read at its URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeUrlError {
    /// Not a URL at all.
    #[error("it is no URL: {reason}")]
    NotUrl {
        /// What is wrong.
        reason: String,
    },
    /// A URL of more than an address and a path.
    #[error("it has a name, a password, a query or a fragment")]
    NotBare,
    /// Anybody on the way could answer instead.
    #[error("it is plain http, and {host} is not this machine")]
    NotEncrypted {
        /// The host.
        host: String,
    },
    /// No client or thread can be had.
    #[error("no connection can be made here: {reason}")]
    Client {
        /// Why.
        reason: String,
    },
    /// Nobody answers, or not in time, or not to the end.
    #[error("no answer to {path}")]
    Unreachable {
        /// What was asked for.
        path: String,
        /// Why.
        source: reqwest::Error,
    },
    /// An answer that is no success.
    #[error("{path} is answered with status {status}")]
    Refused {
        /// What was asked for.
        path: String,
        /// The status.
        status: u16,
    },
    /// An answer that is not what the path is for.
    #[error("the answer to {path} is wrong: {reason}")]
    Answer {
        /// What was asked for.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// One answer is too long.
    #[error("the answer to {path} is longer than {limit} bytes")]
    TooLong {
        /// What was asked for.
        path: String,
        /// The limit.
        limit: usize,
    },
    /// All answers together are too long.
    #[error("the node has more than {NODE_BYTES_MAX} bytes to give")]
    TooMuch,
    /// A log of too many entries.
    #[error("{origin} has {size} entries, more than {LOG_ENTRIES_MAX}")]
    TooManyEntries {
        /// The log.
        origin: String,
        /// What its checkpoint says.
        size: u64,
    },
    /// Too many logs.
    #[error("the node names more than {LOGS_MAX} logs")]
    TooManyLogs,
    /// It takes too long.
    #[error("it took longer than {} minutes", NODE_WAIT_MAX.as_secs() / 60)]
    TooSlow,
}

impl NodeUrlError {
    /// The exit code of a command that ends with it.
    pub const fn exit(&self) -> Exit {
        match self {
            NodeUrlError::NotUrl { .. }
            | NodeUrlError::NotBare
            | NodeUrlError::NotEncrypted { .. } => Exit::Usage,
            NodeUrlError::Client { .. } => Exit::Fault,
            NodeUrlError::Unreachable { .. } | NodeUrlError::TooSlow => Exit::Busy,
            NodeUrlError::Refused { status, .. } if 500 <= *status => Exit::Busy,
            _ => Exit::Input,
        }
    }

    /// What to do about it.
    pub const fn help(&self) -> &'static str {
        match self {
            NodeUrlError::NotUrl { .. } | NodeUrlError::NotBare => {
                "give the address of a node, such as https://node.example.org"
            }
            NodeUrlError::NotEncrypted { .. } => {
                "give its https:// address; plain http:// is for 127.0.0.1, [::1] and localhost"
            }
            NodeUrlError::Client { .. } => "report this with the command line",
            NodeUrlError::Unreachable { .. } | NodeUrlError::TooSlow => {
                "check the address, and that the node runs (`hallmark-node status DIR` there); or \
                 have its keeper give `hallmark-node export DIR -o FILE.hallmark`"
            }
            NodeUrlError::Refused { .. } | NodeUrlError::Answer { .. } => {
                "check that this is the address of a node of this release, without a path of its own"
            }
            NodeUrlError::TooLong { .. }
            | NodeUrlError::TooMuch
            | NodeUrlError::TooManyEntries { .. }
            | NodeUrlError::TooManyLogs => {
                "have the node's keeper give a bundle of what is in question: `hallmark-node export \
                 DIR -o FILE.hallmark`, or read its folder or a backup of it"
            }
        }
    }
}

/// Reads what the node at this URL gives to anyone.
pub(super) fn read(url: &str, evidence: &mut Evidence) -> Result<(), NodeUrlError> {
    let base = base_of(url)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| NodeUrlError::Client { reason: error.to_string() })?;
    let node = Arc::new(Node::new(base)?);
    runtime.block_on(node.read(evidence))
}

/// The URL without a slash at its end, if it may be asked.
fn base_of(url: &str) -> Result<String, NodeUrlError> {
    let parsed = Url::parse(url);
    let parsed = parsed.map_err(|error| NodeUrlError::NotUrl { reason: error.to_string() })?;
    let is_named = !parsed.username().is_empty() || parsed.password().is_some();
    if is_named || parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(NodeUrlError::NotBare);
    }
    let host = parsed.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_here = bare == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    if parsed.scheme() != "https" && !is_here {
        return Err(NodeUrlError::NotEncrypted { host: host.to_owned() });
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

/// A node that is being read.
struct Node {
    client: Client,
    base: String,
    /// Bytes that it may still give.
    left: AtomicU64,
    until: Instant,
}

/// What came back: success, or a status that its asker can do something with.
struct Answer {
    status: u16,
    body: Vec<u8>,
}

/// What became of a body that an entry names.
enum Given {
    Body(Vec<u8>),
    Erased,
    Withheld,
}

impl Node {
    fn new(base: String) -> Result<Node, NodeUrlError> {
        // Whoever installed one before has chosen.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(CONNECT_WAIT_MAX)
            .timeout(ANSWER_WAIT_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("hallmark-verify/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| NodeUrlError::Client { reason: chain(&error) })?;
        let (left, until) = (AtomicU64::new(NODE_BYTES_MAX), Instant::now() + NODE_WAIT_MAX);
        Ok(Node { client, base, left, until })
    }

    async fn read(self: &Arc<Self>, evidence: &mut Evidence) -> Result<(), NodeUrlError> {
        let path = "/network.hallmark";
        let network = self.get(path, NETWORK_FILE_BYTES_MAX).await?.success(path)?;
        let file = NetworkFile::parse(&network).map_err(|error| NodeUrlError::Answer {
            path: path.to_owned(),
            reason: chain(&error),
        })?;
        let named = file.network().members.iter().map(|member| &member.origin);
        let ended = file.network().sealed.iter().map(|sealed| &sealed.origin);
        let mut origins: BTreeSet<String> = named.chain(ended).cloned().collect();
        // Whoever asks a stranger has no reason to trust what it says of its network.
        evidence.networks_carried.push(network);
        let mut done = BTreeSet::new();
        done.extend(self.read_log("/log", None, &mut origins, evidence).await?);
        while let Some(origin) = origins.difference(&done).next().cloned() {
            if LOGS_MAX < origins.len() {
                return Err(NodeUrlError::TooManyLogs);
            }
            let root = format!("/peers/{}", peer_name(&origin));
            self.read_log(&root, Some(&origin), &mut origins, evidence).await?;
            done.insert(origin);
        }
        Ok(())
    }

    /// Reads the log that is served there: checkpoints, tiles and public bodies. Its origin; none if
    /// the node does not hold it, or nothing of it yet.
    async fn read_log(
        self: &Arc<Self>,
        root: &str,
        wanted: Option<&str>,
        origins: &mut BTreeSet<String>,
        evidence: &mut Evidence,
    ) -> Result<Option<String>, NodeUrlError> {
        let path = format!("{root}/checkpoint");
        let answer = self.get(&path, NOTE_BYTES_MAX).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let newest = answer.success(&path)?;
        let origin = bundle::origin_of(&newest)
            .map_err(|reason| NodeUrlError::Answer { path: path.clone(), reason })?;
        if wanted.is_some_and(|wanted| wanted != origin) {
            let reason = format!("it is a checkpoint of {origin}");
            return Err(NodeUrlError::Answer { path, reason });
        }
        let mut notes = self.history(root).await?;
        notes.push(newest);
        let size = self.keep_notes(&path, &origin, notes, evidence)?;
        if LOG_ENTRIES_MAX < size {
            return Err(NodeUrlError::TooManyEntries { origin, size });
        }
        let mut log = evidence.logs.remove(&origin).unwrap_or_default();
        let read = self.read_tiles(root, size, &mut log, &mut evidence.defects).await;
        let public = public_of(&log);
        evidence.logs.insert(origin.clone(), log);
        read?;
        self.read_bodies(&origin, public, origins, evidence).await?;
        Ok(Some(origin))
    }

    /// Every checkpoint that was published, for they date the entries; oldest first.
    async fn history(&self, root: &str) -> Result<Vec<Vec<u8>>, NodeUrlError> {
        let (mut notes, mut after) = (Vec::new(), 0);
        loop {
            let path = format!("{root}/checkpoints?after={after}");
            let part = self.get(&path, HISTORY_BYTES_MAX).await?.success(&path)?;
            let wrong = |reason: String| NodeUrlError::Answer { path: path.clone(), reason };
            let part = split_notes(&part);
            let Some(last) = part.last() else {
                return Ok(notes);
            };
            let last = SignedNote::parse(last).map_err(|error| wrong(error.to_string()))?;
            let size = last.checkpoint().map_err(|error| wrong(error.to_string()))?.size;
            if size <= after {
                return Err(wrong(format!("it ends with size {size}")));
            }
            notes.extend(part);
            after = size;
        }
    }

    /// Keeps the checkpoints of a log; the largest size that they state.
    fn keep_notes(
        &self,
        path: &str,
        origin: &str,
        notes: Vec<Vec<u8>>,
        evidence: &mut Evidence,
    ) -> Result<u64, NodeUrlError> {
        let wrong = |reason| NodeUrlError::Answer { path: path.to_owned(), reason };
        let log = evidence.logs.entry(origin.to_owned()).or_default();
        let mut newest = 0;
        for bytes in notes {
            let note = SignedNote::parse(&bytes).map_err(|error| wrong(error.to_string()))?;
            let size = note.checkpoint().map_err(|error| wrong(error.to_string()))?.size;
            newest = newest.max(size);
            let found_in = format!("{}{path}", self.base);
            log.checkpoints.push(FoundNote { bytes, found_in });
        }
        Ok(newest)
    }

    /// Reads tiles and bundles of entries. What the node does not have leaves a hole, which only the
    /// proof can tell from what is not signed.
    async fn read_tiles(
        self: &Arc<Self>,
        root: &str,
        size: u64,
        log: &mut LogEvidence,
        defects: &mut Vec<Defect>,
    ) -> Result<(), NodeUrlError> {
        let ask = |path: TilePath| {
            let (node, root) = (Arc::clone(self), root.to_owned());
            async move { Ok((path, node.tile(&root, path).await?)) }
        };
        let mut wrong = BTreeMap::new();
        let keep = |(path, file): (TilePath, Option<Vec<u8>>)| {
            let Some(mut file) = file else { return };
            match path {
                TilePath::Hashes { width, .. } => {
                    file.truncate(usize::from(width) * 32);
                    log.tiles.insert(path.to_string(), file);
                }
                TilePath::Entries { index, width } => match dir::entries(&file, width) {
                    Ok(entries) => {
                        log.entries.insert(index * u64::from(TILE_WIDTH), entries);
                    }
                    Err(detail) => {
                        wrong.insert(path, detail);
                    }
                },
            }
        };
        let read = all(tile::tiles_of_growth(0, size), ask, keep).await;
        for (path, detail) in wrong {
            let detail = format!("{}{root}/{path}: {detail}", self.base);
            defects.push(self.flaw(DefectKind::BadProof, detail));
        }
        read
    }

    /// A tile of at least this width. A partial one may be gone once the full one exists.
    async fn tile(&self, root: &str, path: TilePath) -> Result<Option<Vec<u8>>, NodeUrlError> {
        let mut paths = vec![path, path.full()];
        paths.dedup();
        for path in paths {
            let path = format!("{root}/{path}");
            let answer = self.get(&path, TILE_BYTES_MAX).await?;
            if answer.status != 404 {
                return answer.success(&path).map(Some);
            }
        }
        Ok(None)
    }

    /// Reads the bodies of these entries that are not at hand, and learns of further logs.
    async fn read_bodies(
        self: &Arc<Self>,
        origin: &str,
        mut public: BTreeMap<ContentId, u64>,
        origins: &mut BTreeSet<String>,
        evidence: &mut Evidence,
    ) -> Result<(), NodeUrlError> {
        public.retain(|id, _| !evidence.bodies.knows(id));
        let ask = |(id, index): (ContentId, u64)| {
            let node = Arc::clone(self);
            async move { Ok((id, index, node.body(&id).await?)) }
        };
        let (mut withheld, mut erased) = (BTreeMap::new(), Vec::new());
        let keep = |(id, index, given): (ContentId, u64, Given)| match given {
            Given::Body(body) => {
                evidence.erasing.extend(dir::erased_by(&body));
                origins.extend(log_named_by(&body));
                evidence.bodies.add(id, Place::Memory(body.into()));
            }
            Given::Erased => erased.push((index, id)),
            Given::Withheld => {
                withheld.insert(index, id);
            }
        };
        all(public.into_iter().collect(), ask, keep).await?;
        // An erasure is itself a public record: what none of them names is withheld, whatever is said.
        for (index, id) in erased {
            match evidence.erasing.contains(&id) {
                true => evidence.bodies.add_erased(id),
                false => drop(withheld.insert(index, id)),
            }
        }
        if let Some((index, id)) = withheld.first_key_value() {
            let detail = format!(
                "{} lists public records of {origin} and does not give them: {}, the first that of \
                 entry {index}, {id}",
                self.base,
                withheld.len()
            );
            let mut defect = self.flaw(DefectKind::Withheld, detail);
            (defect.log, defect.entry) = (Some(origin.to_owned()), Some(*index));
            defect.cites.push(*id);
            evidence.defects.push(Defect { remedy: Some(NOT_GIVEN), ..defect });
        }
        Ok(())
    }

    async fn body(&self, id: &ContentId) -> Result<Given, NodeUrlError> {
        let path = format!("/v1/attestations/{id}");
        let answer = self.get(&path, ATTESTATION_BYTES_MAX).await?;
        Ok(match answer.status {
            404 => Given::Withheld,
            410 => Given::Erased,
            _ => Given::Body(answer.success(&path)?),
        })
    }

    /// Asks, and again as often as the node is busy.
    async fn get(&self, path: &str, limit: usize) -> Result<Answer, NodeUrlError> {
        loop {
            let asked = timeout_at(self.until, self.ask(path, limit)).await;
            match asked.map_err(|_| NodeUrlError::TooSlow)?? {
                Ok(answer) => return Ok(answer),
                Err(wait) if self.until < Instant::now() + wait => {
                    return Err(NodeUrlError::TooSlow);
                }
                Err(wait) => sleep(wait).await,
            }
        }
    }

    /// Asks once; `Err` within says how long the node wants to be left alone.
    async fn ask(
        &self,
        path: &str,
        limit: usize,
    ) -> Result<Result<Answer, Duration>, NodeUrlError> {
        let unreachable = |source: reqwest::Error| NodeUrlError::Unreachable {
            path: path.to_owned(),
            source: source.without_url(),
        };
        let request = self.client.get(format!("{}{path}", self.base));
        let request = request.header(ACCEPT, "application/cose, */*;q=0.1");
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        if matches!(status, 429 | 503) {
            let asked = response.headers().get(RETRY_AFTER);
            let seconds = asked.and_then(|value| value.to_str().ok()?.parse().ok());
            return Ok(Err(Duration::from_secs(seconds.unwrap_or(1).clamp(1, BUSY_WAIT_MAX_S))));
        }
        let limit = if status == 200 { limit } else { PROBLEM_BYTES_MAX };
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if limit < body.len() + chunk.len() {
                return Err(NodeUrlError::TooLong { path: path.to_owned(), limit });
            }
            let taken = chunk.len() as u64;
            let take = |left: u64| left.checked_sub(taken);
            let order = Ordering::Relaxed;
            self.left.fetch_update(order, order, take).map_err(|_| NodeUrlError::TooMuch)?;
            body.extend_from_slice(&chunk);
        }
        Ok(Ok(Answer { status, body }))
    }

    fn flaw(&self, kind: DefectKind, detail: String) -> Defect {
        Defect { subject: self.base.clone(), ..bundle::flaw(kind, detail) }
    }
}

impl Answer {
    fn success(self, path: &str) -> Result<Vec<u8>, NodeUrlError> {
        match self.status {
            200 => Ok(self.body),
            status => Err(NodeUrlError::Refused { path: path.to_owned(), status }),
        }
    }
}

/// Asks for many things, some at once. Answers are taken as they come: what keeps them sorts them.
async fn all<T, A, F>(
    items: Vec<T>,
    ask: impl Fn(T) -> F,
    mut take: impl FnMut(A),
) -> Result<(), NodeUrlError>
where
    F: Future<Output = Result<A, NodeUrlError>> + Send + 'static,
    A: Send + 'static,
{
    let (mut items, mut asked) = (items.into_iter(), JoinSet::new());
    loop {
        while asked.len() < ASKED_AT_ONCE
            && let Some(item) = items.next()
        {
            asked.spawn(ask(item));
        }
        match asked.join_next().await {
            None => return Ok(()),
            Some(Ok(answer)) => take(answer?),
            Some(Err(error)) => return Err(NodeUrlError::Client { reason: error.to_string() }),
        }
    }
}

/// The entries of a log whose bodies anyone may read.
fn public_of(log: &LogEvidence) -> BTreeMap<ContentId, u64> {
    let runs = log.entries.iter();
    let entries = runs.flat_map(|(first, run)| (*first..).zip(run));
    let public = entries.filter(|(_, entry)| entry.audience == 0);
    public.map(|(index, entry)| (entry.id, index)).collect()
}

/// Notes that stand one after the other, an empty line between two. A note has such a line before
/// its signatures too, so each is two pieces.
fn split_notes(text: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(text);
    let pieces: Vec<&str> = text.split("\n\n").collect();
    let whole = pieces.chunks(2).map(|piece| piece.join("\n\n"));
    let ended = whole.map(|note| format!("{}\n", note.trim_end_matches('\n')));
    ended.map(String::into_bytes).filter(|note| note != b"\n").collect()
}

/// The log of the organisation that a body admits. Few bodies do, so few are parsed.
fn log_named_by(body: &[u8]) -> Option<String> {
    if !dir::is_of_type(body, ORGANISATION) {
        return None;
    }
    match Envelope::parse(body).ok()?.body() {
        Body::Organisation(admitted) => admitted.node.as_ref().map(|node| node.origin.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
