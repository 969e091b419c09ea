//! Bodies that other logs name and that nobody gives, and what this organisation demands of them.
//!
//! Invariants: nothing here says that a body is withheld; it says which one is not here, who may read
//! it by its entry, and how the own demand for it stands. An own demand ends, for all to see, as soon
//! as its body comes from whoever is followed.

use std::sync::Arc;

use hallmark_schemas::attestation::{Claims, ContentId, Envelope};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::id::{OrgId, Subject};
use hallmark_schemas::kind::demand::{Demand, State};
use hallmark_schemas::kind::{Body, Kind, KindName};
use hallmark_schemas::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::problem::with_causes;
use crate::service::Service;
use crate::sign::Statement;
use crate::store::StoreError;

/// Most missing bodies of one log that are listed.
pub const LISTED_MAX: usize = 1000;
/// Most demands for one body that follow one another and are read.
const CHAIN_MAX: usize = 1000;

/// A body that another log names.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Named {
    /// Its content id.
    pub body: ContentId,
    /// The log.
    pub log: String,
    /// Whose log that is, if it can be told.
    pub holder: Option<OrgId>,
    /// The entry there.
    pub entry: u64,
    /// By the entry: `public`, `members` or `named`.
    pub audience: String,
    /// Whether the body is here.
    pub here: bool,
    /// The newest demand of this organisation for it.
    pub demand: Option<Standing>,
}

/// How a demand stands.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Standing {
    /// The newest attestation of it.
    pub id: ContentId,
    /// Open, met or withdrawn.
    pub state: State,
    /// Once it is recorded: when the term of an open demand ends.
    pub due_at: Option<Timestamp>,
}

/// What of the followed logs is missing here, at most [`LISTED_MAX`] of each. Reads files: it blocks.
pub fn missing(service: &Service) -> Result<Vec<Named>, StoreError> {
    let mut found = Vec::new();
    for log in service.node.mirror().logs() {
        for (index, entry) in log.wanted(0, LISTED_MAX)? {
            found.push(named(service, log.origin(), index, entry)?);
        }
    }
    Ok(found)
}

/// Where other logs name this body; empty if none does. Reads files: it blocks.
pub fn places(service: &Service, body: &ContentId) -> Result<Vec<Named>, StoreError> {
    let own = service.node.log().origin();
    let places = service.node.places(body)?.into_iter().filter(|place| place.origin != own);
    places.map(|place| named(service, &place.origin, place.index, place.entry)).collect()
}

/// What ends this demand, which stands as `open`.
pub fn closing(opening: Demand, open: ContentId, state: State, reason: &str) -> Demand {
    let (replaces, reason) = (Some(open), Some(reason.to_owned()));
    Demand { state, term_days: None, replaces, reason, ..opening }
}

/// Closes the own demands for these bodies of a followed log, which have come.
pub async fn close_met(service: &Arc<Service>, origin: &str, came: Vec<ContentId>) {
    if came.is_empty() {
        return;
    }
    let (looking, origin) = (Arc::clone(service), origin.to_owned());
    let closed = tokio::task::spawn_blocking(move || met(&looking, &origin, &came)).await;
    let closed = match closed {
        Ok(Ok(closed)) => closed,
        Ok(Err(error)) => {
            return tracing::warn!(error = %with_causes(&error), "own demands are not looked up");
        }
        Err(_) => return,
    };
    for envelope in closed {
        let id = envelope.id();
        match service.admit(envelope.stored().to_vec()).await {
            Ok(_) => tracing::info!(%id, "a demand is closed: its body has come"),
            // It is closed by hand then: the demand says so where it is listed.
            Err(error) => {
                tracing::warn!(error = %with_causes(&error), "a demand is not closed, though its body has come");
            }
        }
    }
}

/// What closes the open ones among the own demands for these bodies.
fn met(service: &Service, origin: &str, came: &[ContentId]) -> Result<Vec<Envelope>, StoreError> {
    let mut closed = Vec::new();
    let Some(holder) = holder_of(origin) else { return Ok(closed) };
    let Some(log) = service.node.mirror().log(origin) else { return Ok(closed) };
    for body in came {
        let Some(entry) = log.index_of(body)? else { continue };
        let standing = standing(service, (origin, &holder), entry, *body)?;
        let open = standing.filter(|standing| standing.state == State::Open);
        let Some(Standing { id, .. }) = open else { continue };
        let demand = Demand::opening(origin, entry, *body, 1);
        let demand = closing(demand, id, State::Met, "the body has come");
        let aud = service.config.audience_of(KindName::Demand);
        let statement = Statement::of(demand.into(), Subject::Org(holder.clone()), aud);
        match statement.sign(&service.config, (service.clock)(), service.capture.as_ref()) {
            Ok(envelope) => closed.push(envelope),
            Err(error) => {
                tracing::warn!(error = %with_causes(&error), "a demand cannot be closed");
            }
        }
    }
    Ok(closed)
}

/// Whose log this is, if its origin tells.
fn holder_of(origin: &str) -> Option<OrgId> {
    origin.split('/').nth(1).and_then(|slug| OrgId::from_slug(slug).ok())
}

fn named(service: &Service, origin: &str, index: u64, entry: Entry) -> Result<Named, StoreError> {
    let holder = holder_of(origin);
    let audience = match entry.audience {
        0 => "public",
        1 => "members",
        _ => "named",
    };
    Ok(Named {
        body: entry.id,
        log: origin.to_owned(),
        entry: index,
        audience: audience.to_owned(),
        here: service.node.body(&entry.id)?.is_some(),
        demand: holder
            .as_ref()
            .map_or(Ok(None), |holder| standing(service, (origin, holder), index, entry.id))?,
        holder,
    })
}

/// The own demand for a body, as it stands: each names the one before.
fn standing(
    service: &Service,
    (origin, holder): (&str, &OrgId),
    entry: u64,
    body: ContentId,
) -> Result<Option<Standing>, StoreError> {
    let log = service.node.log();
    // The identity of a demand rests on its issuer and on these of its fields.
    let claims = Claims {
        iss: service.config.org.clone(),
        sub: Subject::Org(holder.clone()),
        aud: Audience::Members,
        iat: Timestamp::EPOCH,
        regions: Vec::new(),
    };
    let mut last = None;
    for _ in 0..CHAIN_MAX {
        let replaces = last.as_ref().map(|standing: &Standing| standing.id);
        let like = Demand { replaces, ..Demand::opening(origin, entry, body, 1) };
        let Some(id) = log.same_statement(&like.identity(&claims).key)? else { break };
        let stored = log.body(&id)?.and_then(|stored| Envelope::parse(&stored).ok());
        let Some(Body::Demand(demand)) = stored.as_ref().map(Envelope::body) else { break };
        let place = log.index_of(&id)?;
        let recorded = place.and_then(|(index, entry)| log.time_of(index, &entry));
        let days = |time: Timestamp| time.checked_add_ms(i64::from(demand.term_days?) * 86_400_000);
        let due_at = recorded.and_then(|time| days(time.hi));
        last = Some(Standing { id, state: demand.state, due_at });
    }
    Ok(last)
}
