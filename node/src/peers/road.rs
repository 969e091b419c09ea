//! How a member is asked: over its connection while there is one, else by HTTP.
//!
//! Invariants: both roads give the same statuses and the same bytes; a connection that does not
//! answer is followed by HTTP at once, so that no question waits for a road to be given up.

use futures_util::StreamExt;
use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::layout::peer_name;
use hallmark_schemas::tile::TilePath;

use crate::api::problem::with_causes;
use crate::client::Ask as Request;
use crate::net::PeerName;
use crate::net::roster::Fault;
use crate::net::wire::{self, Question, Reply};
use crate::service::Service;

/// Media type of a request to a witness.
const NOTE_TYPE: &str = "text/plain; charset=utf-8";

/// Others that are asked for a log whose keeper does not give it.
const OTHERS_MAX: usize = 3;

/// The roads to a node.
pub struct Road<'a> {
    service: &'a Service,
    /// The log that its own node keeps.
    origin: String,
    peer: Option<PeerName>,
    url: Option<String>,
}

impl<'a> Road<'a> {
    /// The roads to the member that keeps the log of this origin; none if nobody knows where it is.
    pub fn to(service: &'a Service, origin: &str) -> Option<Road<'a>> {
        let peer = service.net.get().and_then(|net| net.roster().connected(origin));
        let url = service.addresses.urls(&service.network(), origin);
        let url = url.into_iter().next();
        let is_known = peer.is_some() || url.is_some();
        is_known.then(|| Road { service, origin: origin.to_owned(), peer, url })
    }

    /// The road to a node of which only the URL is known.
    pub fn by_url(service: &'a Service, url: &str) -> Road<'a> {
        let url = Some(url.trim_end_matches('/').to_owned());
        Road { service, origin: String::new(), peer: None, url }
    }

    /// Whose road it is: an origin, or a URL where no origin is known.
    pub fn name(&self) -> String {
        if self.origin.is_empty() {
            self.url.clone().unwrap_or_default()
        } else {
            self.origin.clone()
        }
    }

    /// The roads to whoever may have a log: its keeper, then others that are connected, as many as
    /// are worth asking, in an order that differs from log to log.
    pub fn holders(service: &'a Service, log: &str) -> Vec<Road<'a>> {
        let mut roads: Vec<Road<'a>> = Road::to(service, log).into_iter().collect();
        let Some(net) = service.net.get() else { return roads };
        let mut others = net.roster().origins_connected();
        others.retain(|origin| origin != log);
        if !others.is_empty() {
            let first = peer_name(log).bytes().map(usize::from).sum::<usize>() % others.len();
            others.rotate_left(first);
        }
        let others = others.iter().take(OTHERS_MAX).filter_map(|origin| Road::to(service, origin));
        roads.extend(others);
        roads
    }

    /// Whether its connection is used.
    pub fn is_connected(&self) -> bool {
        self.peer.is_some()
    }

    /// Counts a lie against the peer of the connection, if it came that way.
    pub fn lied(&self, what: &str) {
        if let (Some(peer), Some(net)) = (self.peer, self.service.net.get()) {
            net.accuse(peer, Fault::Lied, what.to_owned());
        }
    }

    /// Asks over the connection; `None` if there is none or it does not answer.
    async fn over_net(&self, question: Question) -> Option<Reply> {
        let (peer, net) = (self.peer?, self.service.net.get()?);
        let word = question.word();
        match net.ask(peer, question).await {
            // It has too much to do: HTTP would only add to that, but then it says so itself.
            Ok(reply) if matches!(reply.status, 429 | 503) => None,
            Ok(reply) => Some(reply),
            Err(error) => {
                tracing::debug!(%peer, word, error = %with_causes(&error), "asked by HTTP instead");
                None
            }
        }
    }

    async fn over_http(&self, path: &str, ask: Request<'_>) -> Result<Reply, String> {
        let url = self.url.as_ref().ok_or("it does not answer, and no URL of it is known")?;
        let answer = self.service.client.ask(&format!("{url}{path}"), ask).await;
        let answer = answer.map_err(|e| with_causes(&e))?;
        Ok(Reply { status: answer.status, body: answer.body })
    }

    /// The newest checkpoint of a log as this node has seen it: its own published one, or what it
    /// holds of another's.
    pub async fn checkpoint(&self, log: &str) -> Result<Reply, String> {
        if let Some(reply) = self.over_net(Question::Checkpoint { log: peer_name(log) }).await {
            return Ok(reply);
        }
        self.over_http(&format!("{}/checkpoint", self.path_of(log)), Request::default()).await
    }

    /// The newest checkpoints of a log that this node holds, as witness and as mirror: what the fork
    /// guard of that log asks. Older nodes tell both at the second address.
    pub async fn held(&self, log: &str) -> Result<Vec<Reply>, String> {
        let hex = peer_name(log);
        if let Some(reply) = self.over_net(Question::Checkpoint { log: hex.clone() }).await {
            return Ok(vec![reply]);
        }
        let mut replies = Vec::new();
        for part in ["witness", "peers"] {
            let path = format!("/{part}/{hex}/checkpoint");
            replies.push(self.over_http(&path, Request::default()).await?);
        }
        Ok(replies)
    }

    /// Where it serves a log over HTTP.
    fn path_of(&self, log: &str) -> String {
        if log == self.origin { "/log".to_owned() } else { format!("/peers/{}", peer_name(log)) }
    }

    /// A tile of a log. A partial one may be gone once the full one exists: then that one, which
    /// holds more.
    pub async fn tile(&self, log: &str, path: TilePath) -> Result<Vec<u8>, String> {
        let mut status = 0;
        for path in [path, path.full()] {
            let question = Question::Tile { log: peer_name(log), path: path.to_string() };
            let reply = match self.over_net(question).await {
                Some(reply) => reply,
                None => {
                    let path = format!("{}/{path}", self.path_of(log));
                    self.over_http(&path, Request::default()).await?
                }
            };
            if reply.status == 200 {
                return Ok(reply.body);
            }
            status = reply.status;
            if path.is_full() {
                break;
            }
        }
        Err(format!("{} answers {status} to {path} of {log}", self.name()))
    }

    /// Bodies, each `None` where it is not given to us.
    pub async fn bodies(
        &self,
        ids: Vec<ContentId>,
    ) -> Result<Vec<(ContentId, Option<Vec<u8>>)>, String> {
        let mut answers = Vec::with_capacity(ids.len());
        while self.is_connected() && answers.len() < ids.len() {
            let rest = &ids[answers.len()..];
            let asked = rest[..rest.len().min(wire::BODIES_MAX)].to_vec();
            let count = asked.len();
            let Some(reply) = self.over_net(Question::Bodies { ids: asked }).await else { break };
            if reply.status != 200 {
                return Err(format!(
                    "bodies of {}: {} {}",
                    self.origin,
                    reply.status,
                    reply.text()
                ));
            }
            let Some(bodies) = wire::parse_bodies(&reply.body, count) else {
                self.lied("an answer that is no bodies");
                return Err(format!("bodies of {}: the answer is none", self.origin));
            };
            answers.extend(rest.iter().copied().zip(bodies));
        }
        if answers.len() < ids.len() {
            let rest = ids[answers.len()..].to_vec();
            answers.extend(self.bodies_over_http(rest).await?);
        }
        Ok(answers)
    }

    /// A cosignature of its witness: the statuses of tlog-witness.
    pub async fn cosign(&self, request: &[u8]) -> Result<Reply, String> {
        if let Some(reply) = self.over_net(Question::Cosign { request: request.to_vec() }).await {
            return Ok(reply);
        }
        let ask = Request { body: Some((NOTE_TYPE, request)), ..Request::default() };
        self.over_http("/log/add-checkpoint", ask).await
    }

    /// The network file that it has in force.
    pub async fn network(&self) -> Result<Reply, String> {
        match self.over_net(Question::Network).await {
            Some(reply) => Ok(reply),
            None => self.over_http("/network.hallmark", Request::default()).await,
        }
    }

    /// Hands in an attestation; true if the node keeps it.
    pub async fn submit(&self, attestation: &[u8]) -> bool {
        let question = Question::Submit { attestation: attestation.to_vec() };
        let reply = match self.over_net(question).await {
            Some(reply) => Ok(reply),
            None => {
                let ask = Request {
                    body: Some(("application/cose", attestation)),
                    prefer: Some("respond-async"),
                    ..Request::default()
                };
                self.over_http("/entries", ask).await
            }
        };
        reply.is_ok_and(|reply| matches!(reply.status, 201 | 303))
    }

    async fn bodies_over_http(
        &self,
        ids: Vec<ContentId>,
    ) -> Result<Vec<(ContentId, Option<Vec<u8>>)>, String> {
        let url = self.url.as_ref().ok_or("no URL of it is known")?;
        let token = self.service.replication_token(&self.origin);
        let token = token.as_deref();
        let asked = ids
            .into_iter()
            .map(|id| async move { (id, fetch_body(self.service, url, &id, token).await) });
        let answers = futures_util::stream::iter(asked).buffered(super::BODIES_AT_ONCE);
        let answers: Vec<_> = answers.collect().await;
        answers.into_iter().map(|(id, answer)| Ok((id, answer?))).collect()
    }
}

/// Some(body), or None where the peer does not give it to us.
async fn fetch_body(
    service: &Service,
    url: &str,
    id: &ContentId,
    token: Option<&str>,
) -> Result<Option<Vec<u8>>, String> {
    let url = format!("{url}/v1/attestations/{id}");
    let ask = Request { accept: Some("application/cose"), token, ..Request::default() };
    let mut answer = service.client.ask(&url, ask).await.map_err(|e| with_causes(&e))?;
    if answer.status == 401 {
        // The peer does not know us yet: what is public it gives to anyone.
        let ask = Request { token: None, ..ask };
        answer = service.client.ask(&url, ask).await.map_err(|e| with_causes(&e))?;
    }
    match answer.status {
        200 if ContentId::of(&answer.body) == *id => Ok(Some(answer.body)),
        200 => Err(format!("{url} answers with another body")),
        401 | 403 | 404 | 410 => Ok(None),
        status => Err(format!("{url} answers {status}")),
    }
}
