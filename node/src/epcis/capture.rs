//! A document of events becomes attestations of the own log.
//!
//! Invariants: a document is read whole, and each of its events proved to be one, before anything
//! of it is signed; under `rollback` either all of its events are stored or none but those that
//! contradict what is recorded, which stay as evidence; whatever a job calls captured is durable.

use std::collections::HashMap;
use std::sync::Arc;

use hallmark_schemas::attestation::Envelope;
use hallmark_schemas::id::Subject;
use hallmark_schemas::kind::event::Event;
use hallmark_schemas::kind::event::document::Document;
use hallmark_schemas::kind::{Body, KindName};
use serde::{Deserialize, Serialize};

use super::jobs::{Job, JobError};
use crate::admission::{AdmitError, Admitted};
use crate::api::problem::with_causes;
use crate::service::Service;
use crate::sign::Statement;
use crate::store::StoreError;

/// Events that one worker reads and signs in one go.
const CHUNK: usize = 64;
/// Most faults of one document that are told.
const FAULTS_MAX: usize = 100;

/// What happens to a document of which an event is refused.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Behaviour {
    /// Nothing of it is captured.
    #[default]
    Rollback,
    /// The others are captured.
    Proceed,
}

/// An event that is none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Where, as a JSON pointer into the document.
    pub pointer: String,
    /// What is wrong.
    pub detail: String,
}

/// Why a document was not captured, of which there is no job.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// Events that are none. Nothing was signed.
    #[error("{} events are malformed", .0.len())]
    Malformed(Vec<Fault>),
    /// This node takes nothing now.
    #[error(transparent)]
    Admit(#[from] AdmitError),
    /// The own files failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The job cannot be kept. Its events may be stored; sent again they are stored once.
    #[error("the capture job cannot be kept")]
    Job(#[source] std::io::Error),
    /// The signature failed.
    #[error("an event cannot be signed")]
    Sign(#[from] hallmark_schemas::key::SignError),
}

/// Captures a document and keeps the job.
pub async fn capture(
    service: &Arc<Service>,
    document: &Document,
    behaviour: Behaviour,
) -> Result<Job, CaptureError> {
    let created_at = (service.clock)();
    let envelopes = sign(service, document).await?;
    let pointers = (0..envelopes.len()).map(|index| document.pointer(index));
    let outcomes = match behaviour {
        Behaviour::Proceed => admit(service, envelopes).await,
        Behaviour::Rollback => all_or_none(service, envelopes).await?,
    };
    let mut job = Job {
        id: super::jobs::name(created_at),
        created_at,
        finished_at: (service.clock)(),
        running: false,
        success: true,
        capture_error_behaviour: behaviour,
        errors: Vec::new(),
        attestations: Vec::new(),
    };
    let mut away = None;
    for (outcome, pointer) in outcomes.into_iter().zip(pointers) {
        match outcome {
            Ok(Admitted::Stored { id, .. } | Admitted::Deferred { id }) => {
                job.attestations.push(Some(id.to_string()));
            }
            Err(error) => {
                job.attestations.push(None);
                job.errors.push(told(&error, pointer));
                away = away.or(error.is_away());
            }
        }
    }
    job.success = job.errors.is_empty();
    // Nothing was taken, and not because of the document: there is nothing to ask a job for.
    if let Some(error) = away.filter(|_| job.attestations.iter().all(Option::is_none)) {
        return Err(error.into());
    }
    let (folder, kept) = (service.data.jobs(), job.clone());
    let keeping = tokio::task::spawn_blocking(move || super::jobs::keep(&folder, &kept)).await;
    let keeping = keeping.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    keeping.map_err(CaptureError::Job)?;
    Ok(job)
}

/// The identity of an event: its eventID, else its hash.
pub fn identity(event: &str) -> Option<String> {
    Event::parse(event).ok().map(|event| event.fields().identity().to_owned())
}

/// Why an event of a document was not taken.
enum Refused {
    /// By itself.
    Admission(AdmitError),
    /// Because another one was.
    WithOthers,
}

impl Refused {
    /// The error, where the document has no part in it.
    fn is_away(&self) -> Option<AdmitError> {
        match self {
            Refused::Admission(AdmitError::Refused(_)) | Refused::WithOthers => None,
            Refused::Admission(error) => Some(error.clone()),
        }
    }
}

fn told(error: &Refused, pointer: String) -> JobError {
    use hallmark_schemas::attestation::Refusal;
    let (exception, title, status) = match error {
        Refused::Admission(AdmitError::Refused(Refusal::Contradicted { .. })) => {
            ("ResourceAlreadyExistsException", "another event has this identity", 409)
        }
        Refused::Admission(AdmitError::Refused(_)) => {
            ("ValidationException", "the event was refused", 400)
        }
        Refused::Admission(_) => ("ImplementationException", "the node took it not", 503),
        Refused::WithOthers => ("ValidationException", "rolled back", 400),
    };
    let detail = match error {
        Refused::Admission(error) => with_causes(error),
        Refused::WithOthers => {
            "not captured, because another event of the document was refused".to_owned()
        }
    };
    let r#type = format!("epcisException:{exception}");
    JobError { r#type, title: title.to_owned(), status, detail, pointer }
}

/// Reads and signs every event, on all cores.
async fn sign(service: &Arc<Service>, document: &Document) -> Result<Vec<Envelope>, CaptureError> {
    let mut work = Vec::new();
    for (number, chunk) in document.events.chunks(CHUNK).enumerate() {
        let (service, chunk) = (Arc::clone(service), chunk.to_vec());
        let pointers: Vec<String> =
            (0..chunk.len()).map(|index| document.pointer(number * CHUNK + index)).collect();
        work.push(tokio::task::spawn_blocking(move || sign_chunk(&service, chunk, &pointers)));
    }
    let (mut envelopes, mut faults) = (Vec::with_capacity(document.events.len()), Vec::new());
    for chunk in work {
        let signed = chunk.await;
        let signed = signed.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        match signed {
            Ok(signed) => envelopes.extend(signed),
            Err(CaptureError::Malformed(more)) => faults.extend(more),
            Err(error) => return Err(error),
        }
    }
    faults.truncate(FAULTS_MAX);
    if faults.is_empty() { Ok(envelopes) } else { Err(CaptureError::Malformed(faults)) }
}

fn sign_chunk(
    service: &Service,
    events: Vec<String>,
    pointers: &[String],
) -> Result<Vec<Envelope>, CaptureError> {
    let (mut bodies, mut faults) = (Vec::with_capacity(events.len()), Vec::new());
    for (event, pointer) in events.iter().zip(pointers) {
        match Event::parse(event) {
            Ok(event) => bodies.push(event),
            Err(error) => {
                // Pointers of the kind lead into its payload, whose one member the event is.
                let inside = error.pointer.strip_prefix("/epcis").unwrap_or(&error.pointer);
                let pointer = format!("{pointer}{inside}");
                faults.push(Fault { pointer, detail: error.fault.to_string() });
            }
        }
    }
    if !faults.is_empty() {
        return Err(CaptureError::Malformed(faults));
    }
    let now = (service.clock)();
    let config = &service.config;
    let signed = bodies.into_iter().map(|event| {
        let aud = config.audience_of(KindName::Event);
        let statement = Statement::of(Body::Event(event), Subject::Org(config.org.clone()), aud);
        Ok(statement.sign(config, now, service.capture.as_ref())?)
    });
    signed.collect()
}

type Outcome = Result<Admitted, Refused>;

async fn admit(service: &Service, envelopes: Vec<Envelope>) -> Vec<Outcome> {
    let answers = service.admit_events(envelopes).await.into_iter();
    answers.map(|answer| answer.map_err(Refused::Admission)).collect()
}

/// Admits all, or, where one contradicts what is recorded or another of them, only those that do:
/// the log keeps a contradiction as evidence.
async fn all_or_none(
    service: &Arc<Service>,
    envelopes: Vec<Envelope>,
) -> Result<Vec<Outcome>, CaptureError> {
    let at = Arc::clone(service);
    let compared = tokio::task::spawn_blocking(move || {
        let contradicting = contradicting(&at, &envelopes)?;
        Ok::<_, StoreError>((envelopes, contradicting))
    });
    let compared = compared.await;
    let (envelopes, contradicting) =
        compared.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    if !contradicting.contains(&true) {
        return Ok(admit(service, envelopes).await);
    }
    let mut evidence = Vec::new();
    for (envelope, contradicts) in envelopes.into_iter().zip(&contradicting) {
        evidence.extend(Some(envelope).filter(|_| *contradicts));
    }
    let mut answers = admit(service, evidence).await.into_iter();
    let outcomes = contradicting.into_iter().map(|contradicts| {
        let own = if contradicts { answers.next() } else { None };
        own.unwrap_or(Err(Refused::WithOthers))
    });
    Ok(outcomes.collect())
}

/// Which events say other than what is recorded, or an earlier one of them, under one identity.
fn contradicting(service: &Service, envelopes: &[Envelope]) -> Result<Vec<bool>, StoreError> {
    let log = service.node.log();
    let mut first: HashMap<[u8; 32], &Envelope> = HashMap::new();
    let mut found = Vec::with_capacity(envelopes.len());
    for envelope in envelopes {
        let key = envelope.identity().key;
        let recorded = match log.same_statement(&key)? {
            Some(id) => log.body(&id)?.and_then(|stored| Envelope::parse(&stored).ok()),
            None => None,
        };
        let earlier = first.get(&key).copied().or(recorded.as_ref());
        let digest = |one: &Envelope| one.content_digest();
        found.push(earlier.is_some_and(|earlier| digest(earlier) != digest(envelope)));
        first.entry(key).or_insert(envelope);
    }
    Ok(found)
}
