//! The peers that hold a copy of this node's log, asked over HTTP while the node itself rests.
//!
//! Invariants: what they give is proved by whoever takes it; who is busy is asked again, for a
//! bounded time; a witness counts as heard only at an address that the network file, the
//! configuration or a `node` attestation states for it, or where its own log answers.

mod strangers;

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::head::Head;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::key::SecretKey;
use hallmark_schemas::layout::peer_name;
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::SignedNote;
use hallmark_schemas::tile::TilePath;
use tokio::runtime::Runtime;

use super::{Recovery, Source};
use crate::client::{Answer, Ask, Client};
use crate::config::Config;
use crate::failure::Failure;
use crate::files::now;
use crate::peers::address::AddressBook;
use crate::service::replication_token;

/// Bodies asked for at once from one peer.
const BODIES_AT_ONCE: usize = 16;
/// How long a peer that is busy is asked again, and how long to wait in between.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(60);
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// Whom to ask, and who they are.
pub(crate) struct Peers<'a> {
    runtime: Runtime,
    client: Client,
    peers: Vec<Peer>,
    /// The log that is asked about.
    log: String,
    org: &'a OrgId,
    key: &'a SecretKey,
}

struct Peer {
    url: String,
    /// Whose node answers there, as far as is known.
    origin: Option<String>,
}

impl<'a> Peers<'a> {
    /// Every node that is known, the given addresses first.
    pub(crate) fn new(
        given: &[String],
        book: &AddressBook,
        network: &NetworkFile,
        config: &'a Config,
        key: &'a SecretKey,
    ) -> Result<Peers<'a>, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Failure::fault("cannot start the runtime").because(&e))?;
        let client =
            Client::new().map_err(|e| Failure::fault("cannot make HTTP calls").because(&e))?;
        let mut peers: Vec<Peer> = Vec::new();
        let mut add = |url: &str, origin: Option<&str>| {
            let url = url.trim_end_matches('/').to_owned();
            match peers.iter_mut().find(|peer| peer.url == url) {
                Some(known) => known.origin = known.origin.take().or(origin.map(str::to_owned)),
                None => peers.push(Peer { url, origin: origin.map(str::to_owned) }),
            }
        };
        given.iter().for_each(|url| add(url, None));
        for member in network.network().members.iter().filter(|one| one.origin != config.origin) {
            for url in book.urls(network, &member.origin) {
                add(&url, Some(&member.origin));
            }
            for witness in network.network().policy.witnesses() {
                let url = witness.url.as_ref().filter(|_| witness.key == member.witness_key);
                // A member's witness answers below `/log` of its node; here the node is asked.
                let node = url.map(|url| url.strip_suffix("/log").unwrap_or(url));
                node.into_iter().for_each(|url| add(url, Some(&member.origin)));
            }
        }
        for peer in &config.peer {
            if let Some(url) = &peer.url {
                add(url, peer.origin.as_deref());
            }
        }
        let log = config.origin.clone();
        Ok(Peers { runtime, client, peers, log, org: &config.org, key })
    }

    /// Asks about another log from now on.
    pub(crate) fn about(&mut self, origin: &str) {
        origin.clone_into(&mut self.log);
    }

    /// Where the peer serves that log.
    fn log_url(&self, giver: usize) -> String {
        let Peer { url, origin } = &self.peers[giver];
        match origin {
            Some(origin) if *origin == self.log => format!("{url}/log"),
            _ => format!("{url}/peers/{}", peer_name(&self.log)),
        }
    }

    /// Asks everyone for the newest checkpoints of our log; lines for people.
    pub(crate) fn introduce(
        &mut self,
        recovery: &mut Recovery,
        network: &NetworkFile,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        for at in 0..self.peers.len() {
            let origin = self.whose(at, network);
            let is_own = origin.as_deref() == Some(self.log.as_str());
            let url = &self.peers[at].url;
            let held = match self.held(at) {
                Ok(held) => held,
                Err(reason) => {
                    lines.push(reason);
                    continue;
                }
            };
            let head = |note: &SignedNote| {
                let checkpoint = note.checkpoint().ok()?;
                Some(Head { size: checkpoint.size, root: checkpoint.root })
            };
            let newest = held.iter().filter_map(head).max_by_key(|head| head.size);
            if is_own {
                recovery.other(newest.unwrap_or(Head::EMPTY));
            }
            // A cosignature in a note does not say so: it may be an old one that a mirror kept.
            let member = origin.and_then(|origin| network.network().member_of_origin(&origin));
            let key = member.filter(|_| !is_own).map(|member| &member.witness_key);
            let witnesses = network.network().policy.witnesses().iter();
            for witness in witnesses.filter(|one| Some(&one.key) == key) {
                recovery.heard(&witness.name, newest);
            }
            lines.push(match newest {
                Some(Head { size, .. }) => format!("{url} holds a checkpoint of {size} entries"),
                None => format!("{url} holds no checkpoint of this log"),
            });
            for note in held {
                if let Err(error) = recovery.offer(note) {
                    lines.push(format!("{url}: {error}: passed over"));
                }
            }
        }
        lines
    }

    /// Whose node answers there, by the signature of its own log.
    fn whose(&mut self, at: usize, network: &NetworkFile) -> Option<String> {
        let Peer { url, origin: None } = &self.peers[at] else {
            return self.peers[at].origin.clone();
        };
        let own = self.get(&format!("{url}/log/checkpoint"), None);
        let note = own.ok().and_then(|own| SignedNote::parse(&own.body).ok());
        let said = note.as_ref().and_then(|note| note.checkpoint().ok());
        let member = said.and_then(|said| network.network().member_of_origin(&said.origin));
        let is_its = |key| note.as_ref().is_some_and(|note| note.checkpoint_of(key).is_ok());
        let origin = member.filter(|one| is_its(&one.log_key)).map(|one| one.origin.clone());
        self.peers[at].origin.clone_from(&origin);
        origin
    }

    /// The checkpoints of our log that one holds, as witness and as mirror; or has published.
    fn held(&self, at: usize) -> Result<Vec<SignedNote>, String> {
        let Peer { url, .. } = &self.peers[at];
        let witnessed = format!("{url}/witness/{}/checkpoint", peer_name(&self.log));
        let mut held = Vec::new();
        for url in [witnessed, format!("{}/checkpoint", self.log_url(at))] {
            let answer = self.get(&url, None)?;
            match answer.status {
                200 => held.extend(SignedNote::parse(&answer.body).ok()),
                404 => {}
                status => return Err(format!("{url} answers {status}")),
            }
        }
        Ok(held)
    }

    fn get(&self, url: &str, token: Option<&str>) -> Result<Answer, String> {
        let ask = Ask { token, ..Ask::default() };
        self.runtime.block_on(patient(&self.client, url, ask))
    }
}

/// Asks, and again while the peer is busy.
async fn patient(client: &Client, url: &str, ask: Ask<'_>) -> Result<Answer, String> {
    let until = Instant::now() + BUSY_WAIT_MAX;
    loop {
        let answer = client.ask(url, ask).await;
        let answer = answer.map_err(|e| crate::api::problem::with_causes(&e))?;
        if !matches!(answer.status, 429 | 503) || until < Instant::now() {
            return Ok(answer);
        }
        tokio::time::sleep(BUSY_WAIT).await;
    }
}

impl Source for Peers<'_> {
    fn givers(&self) -> usize {
        self.peers.len()
    }

    fn tile(&mut self, giver: usize, path: &TilePath) -> Option<Vec<u8>> {
        let url = format!("{}/{path}", self.log_url(giver));
        self.get(&url, None).ok().filter(|answer| answer.status == 200).map(|answer| answer.body)
    }

    fn bodies(&mut self, giver: usize, ids: &[ContentId]) -> Vec<Option<Vec<u8>>> {
        let Peer { url, origin } = &self.peers[giver];
        // Good for some minutes: made anew for each batch.
        let token =
            origin.as_deref().and_then(|to| replication_token(self.org, to, self.key, now()));
        let (client, token) = (&self.client, token.as_deref());
        let asked = futures_util::stream::iter(ids.iter().map(|id| async move {
            let url = format!("{url}/v1/attestations/{id}");
            let ask = Ask { accept: Some("application/cose"), token, ..Ask::default() };
            let mut answer = patient(client, &url, ask).await.ok()?;
            if answer.status == 401 {
                // It does not know us: what is public it gives to anyone.
                answer = patient(client, &url, Ask { token: None, ..ask }).await.ok()?;
            }
            (answer.status == 200).then_some(answer.body)
        }));
        self.runtime.block_on(asked.buffered(BODIES_AT_ONCE).collect())
    }
}
