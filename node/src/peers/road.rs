//! How a member is asked: over its connection while there is one, else by HTTP.
//!
//! Invariants: both roads give the same statuses and the same bytes; a connection or an address that
//! is silent, or has not what was asked for, is followed by the next one, so that no question waits
//! for a road to be given up. A connection may lead to another process than the one that goes on (a
//! copy of the folder, one that was held), and an address be that of one that is gone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::layout::peer_name;
use hallmark_schemas::note::SignedNote;
use hallmark_schemas::tile::TilePath;

use crate::api::problem::with_causes;
use crate::client::Ask as Request;
use crate::net::PeerName;
use crate::net::roster::Fault;
use crate::net::wire::{self, Question, Reply};
use crate::service::Service;
use crate::witness::guard::Holds;

/// Media type of a request to a witness.
const NOTE_TYPE: &str = "text/plain; charset=utf-8";

/// A road that is silent for so long is not waited for alone: the next one is tried beside it.
const SILENT_WAIT_MAX: Duration = Duration::from_secs(2);
/// Longest wait for the last one; the client's own limit is shorter.
const LAST_WAIT_MAX: Duration = Duration::from_secs(60);
/// The same for many bodies at once, which take longer.
const BODIES_WAIT_MAX: Duration = Duration::from_secs(8);
/// Most addresses of one node that are tried.
const URLS_MAX: usize = 4;

/// Others that are asked for a log whose keeper does not give it.
const OTHERS_MAX: usize = 3;

/// The roads to a node.
pub struct Road<'a> {
    service: &'a Service,
    /// The log that its own node keeps.
    origin: String,
    /// Best first.
    urls: Vec<String>,
    /// Whether the last answer came by HTTP.
    is_by_http: AtomicBool,
}

impl<'a> Road<'a> {
    /// The roads to the member that keeps the log of this origin; none if nobody knows where it is.
    pub fn to(service: &'a Service, origin: &str) -> Option<Road<'a>> {
        let mut urls = service.addresses.urls(&service.network(), origin);
        urls.truncate(URLS_MAX);
        let is_by_http = AtomicBool::new(false);
        let road = Road { service, origin: origin.to_owned(), urls, is_by_http };
        (road.is_connected() || !road.urls.is_empty()).then_some(road)
    }

    /// The road to a node of which only the URL is known.
    pub fn by_url(service: &'a Service, url: &str) -> Road<'a> {
        let urls = vec![url.trim_end_matches('/').to_owned()];
        Road { service, origin: String::new(), urls, is_by_http: AtomicBool::new(true) }
    }

    /// Whose road it is: an origin, or a URL where no origin is known.
    pub fn name(&self) -> String {
        if self.origin.is_empty() {
            self.urls.first().cloned().unwrap_or_default()
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

    /// Whether it has a connection, which is used. One that comes while a long log is fetched is used
    /// from then on.
    pub fn is_connected(&self) -> bool {
        self.peer().is_some()
    }

    /// Whose connection it is, while there is one.
    fn peer(&self) -> Option<PeerName> {
        self.service.net.get()?.roster().connected(&self.origin)
    }

    /// Counts a lie against the peer of the connection, if it came that way, and from one process: what
    /// two of them tell need not fit together.
    pub fn lied(&self, what: &str) {
        if self.is_by_http.load(Ordering::Relaxed) || self.is_doubled() {
            return;
        }
        if let (Some(peer), Some(net)) = (self.peer(), self.service.net.get()) {
            net.accuse(peer, Fault::Lied, what.to_owned());
        }
    }

    /// Asks over the connection; `None` if there is none or it does not answer.
    async fn over_net(&self, question: Question) -> Option<Reply> {
        let (peer, net) = (self.peer()?, self.service.net.get()?);
        let word = question.word();
        match net.ask(peer, question).await {
            // It has too much to do: HTTP would only add to that, but then it says so itself.
            Ok(reply) if matches!(reply.status, 429 | 503) => None,
            Ok(reply) => {
                self.is_by_http.store(false, Ordering::Relaxed);
                Some(reply)
            }
            Err(error) => {
                tracing::debug!(%peer, word, error = %with_causes(&error), "asked by HTTP instead");
                None
            }
        }
    }

    /// At its addresses, best first, until one has what is asked for.
    async fn over_http(&self, path: &str, ask: Request<'_>) -> Result<Reply, String> {
        let mut best = Err("it does not answer, and no URL of it is known".to_owned());
        self.is_by_http.store(true, Ordering::Relaxed);
        let (mut urls, mut asked) = (self.urls.iter(), FuturesUnordered::new());
        loop {
            if let Some(url) = urls.next() {
                let url = format!("{url}{path}");
                asked.push(async move { self.service.client.ask(&url, ask).await });
            }
            let wait = if urls.len() == 0 { LAST_WAIT_MAX } else { SILENT_WAIT_MAX };
            match tokio::time::timeout(wait, asked.next()).await {
                Ok(Some(Ok(answer))) => {
                    let is_last = !matches!(answer.status, 404 | 500..);
                    let reply = Reply { status: answer.status, body: answer.body };
                    if is_last {
                        return Ok(reply);
                    }
                    best = Ok(reply);
                }
                Ok(Some(Err(error))) if best.is_err() => best = Err(with_causes(&error)),
                Ok(None) => return best,
                Ok(Some(Err(_))) | Err(_) => {}
            }
        }
    }

    /// Over the connection, and by HTTP where that does not answer or is silent for long.
    async fn either(
        &self,
        question: Question,
        path: &str,
        ask: Request<'_>,
    ) -> Result<Reply, String> {
        let mut over_net = Box::pin(self.over_net(question));
        match tokio::time::timeout(SILENT_WAIT_MAX, &mut over_net).await {
            Ok(Some(reply)) => return Ok(reply),
            Ok(None) => return self.over_http(path, ask).await,
            Err(_) => {}
        }
        match select(over_net, Box::pin(self.over_http(path, ask))).await {
            Either::Left((Some(reply), _)) => Ok(reply),
            Either::Left((None, over_http)) => over_http.await,
            Either::Right((Ok(reply), _)) => Ok(reply),
            Either::Right((Err(reason), over_net)) => over_net.await.ok_or(reason),
        }
    }

    /// Whether its connections lead to more than one process.
    fn is_doubled(&self) -> bool {
        let roster = self.service.net.get().map(|net| net.roster());
        self.peer().is_some_and(|peer| roster.is_some_and(|roster| roster.is_doubled(&peer)))
    }

    /// The newest checkpoint of a log as this node has seen it: its own published one, or what it
    /// holds of another's. Where the connection has less than `least` entries, or may lead to either
    /// of two processes, its addresses are asked too.
    pub async fn checkpoint(&self, log: &str, least: u64) -> Result<Reply, String> {
        let path = format!("{}/checkpoint", self.path_of(log));
        let question = Question::Checkpoint { log: peer_name(log) };
        let reply = self.either(question, &path, Request::default()).await?;
        let size = stated_size(&reply);
        if !self.is_connected() || (Some(least) <= size && !self.is_doubled()) {
            return Ok(reply);
        }
        match self.over_http(&path, Request::default()).await {
            Ok(other) if size < stated_size(&other) => Ok(other),
            _ => Ok(reply),
        }
    }

    /// The newest checkpoints of a log that this node holds, as witness and as mirror: what the fork
    /// guard of that log asks, and a witness that has forgotten.
    pub async fn held(&self, log: &str) -> Result<Holds, String> {
        let hex = peer_name(log);
        let mut holds = Holds::default();
        let over_net = self.over_net(Question::Held { log: hex.clone() });
        if let Ok(Some(reply)) = tokio::time::timeout(SILENT_WAIT_MAX, over_net).await
            && matches!(reply.status, 200 | 404)
        {
            let framed = (reply.status == 200).then_some(&reply.body);
            let notes = framed.map(|framed| wire::parse_bodies(framed, holds.len()));
            let notes = notes.unwrap_or_else(|| Some(Vec::new())).ok_or("it answers no notes")?;
            for (held, note) in holds.iter_mut().zip(notes) {
                *held = note.map(|note| parsed(&note)).transpose()?;
            }
            return Ok(holds);
        }
        for (held, part) in holds.iter_mut().zip(["witness", "peers"]) {
            let path = format!("/{part}/{hex}/checkpoint");
            let reply = self.over_http(&path, Request::default()).await?;
            *held = match reply.status {
                404 => None,
                200 => Some(parsed(&reply.body)?),
                status => return Err(format!("{} answers {status}", self.name())),
            };
        }
        Ok(holds)
    }

    /// Where it serves a log over HTTP.
    fn path_of(&self, log: &str) -> String {
        if log == self.origin { "/log".to_owned() } else { format!("/peers/{}", peer_name(log)) }
    }

    /// A tile of a log. A partial one may be gone once the full one exists: then that one, which
    /// holds more.
    pub async fn tile(&self, log: &str, path: TilePath) -> Result<Vec<u8>, String> {
        let mut paths = vec![path, path.full()];
        paths.dedup();
        let mut status = 0;
        for path in &paths {
            let question = Question::Tile { log: peer_name(log), path: path.to_string() };
            let at = format!("{}/{path}", self.path_of(log));
            let reply = self.either(question, &at, Request::default()).await?;
            if reply.status == 200 {
                return Ok(reply.body);
            }
            status = reply.status;
        }
        // Whatever answered may be behind what signed the checkpoint.
        for path in paths.iter().filter(|_| self.is_connected()) {
            let at = format!("{}/{path}", self.path_of(log));
            if let Ok(reply) = self.over_http(&at, Request::default()).await
                && reply.status == 200
            {
                return Ok(reply.body);
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
            let over_net = self.over_net(Question::Bodies { ids: asked });
            let wait = if self.is_doubled() { BODIES_WAIT_MAX } else { LAST_WAIT_MAX };
            let reply = tokio::time::timeout(wait, over_net).await;
            let Ok(Some(reply)) = reply else { break };
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
        } else if self.is_doubled() && !self.urls.is_empty() {
            self.fill_over_http(&mut answers).await;
        }
        Ok(answers)
    }

    /// Asks by HTTP for what the connection did not give: the other process may have it.
    async fn fill_over_http(&self, answers: &mut [(ContentId, Option<Vec<u8>>)]) {
        let missing = answers.iter().filter(|(_, body)| body.is_none()).map(|(id, _)| *id);
        if let Ok(found) = self.bodies_over_http(missing.collect()).await {
            let places = answers.iter_mut().filter(|(_, body)| body.is_none());
            places.zip(found).for_each(|(place, (_, body))| place.1 = body);
        }
    }

    /// A cosignature of its witness: the statuses of tlog-witness.
    pub async fn cosign(&self, request: &[u8]) -> Result<Reply, String> {
        let question = Question::Cosign { request: request.to_vec() };
        let ask = Request { body: Some((NOTE_TYPE, request)), ..Request::default() };
        self.either(question, "/log/add-checkpoint", ask).await
    }

    /// The network file that it has in force.
    pub async fn network(&self) -> Result<Reply, String> {
        self.either(Question::Network, "/network.hallmark", Request::default()).await
    }

    /// The digests of the defect proofs that it keeps, one a line.
    pub async fn defects(&self) -> Result<Reply, String> {
        self.either(Question::Defects, "/defects", Request::default()).await
    }

    /// One of these proofs, with what only members may see where it knows this node as one.
    pub async fn defect(&self, digest: &str) -> Result<Reply, String> {
        let path = format!("/defects/{digest}");
        let question = Question::Defect { digest: digest.to_owned() };
        let token = self.service.replication_token(&self.origin);
        let ask = Request { token: token.as_deref(), ..Request::default() };
        let reply = self.either(question, &path, ask).await?;
        if reply.status == 401 {
            return self.over_http(&path, Request::default()).await;
        }
        Ok(reply)
    }

    /// Hands in an attestation; true if the node keeps it.
    pub async fn submit(&self, attestation: &[u8]) -> bool {
        let question = Question::Submit { attestation: attestation.to_vec() };
        let ask = Request {
            body: Some(("application/cose", attestation)),
            prefer: Some("respond-async"),
            ..Request::default()
        };
        let reply = self.either(question, "/entries", ask).await;
        reply.is_ok_and(|reply| matches!(reply.status, 201 | 303))
    }

    async fn bodies_over_http(
        &self,
        ids: Vec<ContentId>,
    ) -> Result<Vec<(ContentId, Option<Vec<u8>>)>, String> {
        self.is_by_http.store(true, Ordering::Relaxed);
        let token = self.service.replication_token(&self.origin);
        let token = token.as_deref();
        let asked =
            ids.into_iter().map(|id| async move { (id, self.body_over_http(&id, token).await) });
        let answers = futures_util::stream::iter(asked).buffered(super::BODIES_AT_ONCE);
        let answers: Vec<_> = answers.collect().await;
        answers.into_iter().map(|(id, answer)| Ok((id, answer?))).collect()
    }

    /// A body from the first of its addresses that gives it.
    async fn body_over_http(
        &self,
        id: &ContentId,
        token: Option<&str>,
    ) -> Result<Option<Vec<u8>>, String> {
        let mut best = Err("no URL of it is known".to_owned());
        for (place, url) in self.urls.iter().enumerate() {
            let is_last = place + 1 == self.urls.len();
            let wait = if is_last { LAST_WAIT_MAX } else { BODIES_WAIT_MAX };
            match tokio::time::timeout(wait, fetch_body(self.service, url, id, token)).await {
                Ok(Ok(Some(body))) => return Ok(Some(body)),
                Ok(Ok(None)) => best = Ok(None),
                Ok(Err(reason)) if best.is_err() => best = Err(reason),
                Ok(Err(_)) | Err(_) => {}
            }
        }
        best
    }
}

fn parsed(note: &[u8]) -> Result<SignedNote, String> {
    SignedNote::parse(note).map_err(|error| with_causes(&error))
}

/// The entries that a served checkpoint states, whoever signed it.
fn stated_size(reply: &Reply) -> Option<u64> {
    let note = SignedNote::parse(&reply.body).ok().filter(|_| reply.status == 200)?;
    Some(note.checkpoint().ok()?.size)
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
