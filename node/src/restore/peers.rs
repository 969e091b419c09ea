//! The peers that hold a copy of this node's log, asked over HTTP while the node itself rests.
//!
//! Invariants: what they give is proved by whoever takes it; who is busy is asked again, for a
//! bounded time; a witness counts as heard only at an address that the network file, the
//! configuration or a `node` attestation states for it, or where its own log answers.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::key::SecretKey;
use hallmark_schemas::layout::peer_name;
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::SignedNote;
use hallmark_schemas::tile::TilePath;
use tokio::runtime::Runtime;

use super::{Recovery, RestoreError, Source};
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
                url.into_iter().for_each(|url| add(url, Some(&member.origin)));
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

    /// Asks everyone for the newest checkpoint of our log; a line for each, for people.
    pub(crate) fn introduce(
        &mut self,
        recovery: &mut Recovery,
        network: &NetworkFile,
    ) -> Result<Vec<String>, RestoreError> {
        let policy = &network.network().policy;
        let mut lines = Vec::new();
        for at in 0..self.peers.len() {
            let (url, mut origin) = (self.peers[at].url.clone(), self.peers[at].origin.clone());
            if origin.is_none() {
                let own = self.get(&format!("{url}/log/checkpoint"), None);
                let note = own.ok().and_then(|own| SignedNote::parse(&own.body).ok());
                let said = note.as_ref().and_then(|note| note.checkpoint().ok());
                let member = said.and_then(|said| network.network().member_of_origin(&said.origin));
                let is_its =
                    |key| note.as_ref().is_some_and(|note| note.checkpoint_of(key).is_ok());
                origin = member.filter(|one| is_its(&one.log_key)).map(|one| one.origin.clone());
                self.peers[at].origin.clone_from(&origin);
            }
            let member = origin.and_then(|origin| network.network().member_of_origin(&origin));
            let answer = self.get(&format!("{}/checkpoint", self.log_url(at)), None);
            let note = match answer {
                Ok(answer) if answer.status == 200 => SignedNote::parse(&answer.body).ok(),
                Ok(answer) if answer.status == 404 => None,
                Ok(answer) => {
                    lines.push(format!("{url} answers {}", answer.status));
                    continue;
                }
                Err(reason) => {
                    lines.push(reason);
                    continue;
                }
            };
            // A cosignature in the note does not say so: it may be an old one that a mirror kept.
            let key = member.map(|member| &member.witness_key);
            for witness in policy.witnesses().iter().filter(|one| Some(&one.key) == key) {
                recovery.heard(&witness.name);
            }
            let size = note.as_ref().and_then(|note| Some(note.checkpoint().ok()?.size));
            lines.push(match size {
                Some(size) => format!("{url} holds a checkpoint of {size} entries"),
                None => format!("{url} holds no checkpoint of this log"),
            });
            match note.map(|note| recovery.offer(note)) {
                Some(Err(error @ RestoreError::Forked { .. })) => return Err(error),
                Some(Err(error)) => lines.push(format!("{url}: {error}: passed over")),
                _ => {}
            }
        }
        Ok(lines)
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
