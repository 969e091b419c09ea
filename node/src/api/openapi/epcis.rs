//! Descriptions of `/epcis`.

use hallmark_schemas::kind::event::document::DOCUMENT_BYTES_MAX;
use serde_json::{Map, Value, json};

use super::operation::{Operation, Token};
use super::schemas::{count, list, object, schema, string, truth};
use crate::api::epcis::VERSIONS;
use crate::api::epcis::problem::Exception;

pub(super) const TAG: &str = "epcis";

/// What a client is told before it sends anything.
const LIMITS: [&str; 4] = [
    "Allow",
    "GS1-Capture-Error-Behaviour",
    "GS1-EPCIS-Capture-Limit",
    "GS1-EPCIS-Capture-File-Size-Limit",
];
/// What is told of a page: where the list goes on, and what could not be read.
const SHOWN: [&str; 3] = ["Link", "GS1-Next-Page-Token-Expires", "Hallmark-Bodies-Damaged"];

const LD: &str = "application/ld+json";
const PROBLEM: &str = "application/problem+json";
const EVENT_ID: &str = "urn:uuid:00000000-0000-4000-8000-000000000001";

pub(super) fn operations() -> Vec<Operation> {
    let mut all = captures();
    all.push(
        events("/epcis/events", "queryEvents", "Events that match a query")
            .fails(&[503])
            .token(Token::Optional("read")),
    );
    all.push(
        formed(Operation::get("/epcis/events/{id}"))
            .says("readEvent", TAG, "One event, by its eventID or its hash")
            .path("id", string(), EVENT_ID, "An eventID, percent-encoded, or an Event Hash ID.")
            .gives(200, "The event, with its recordTime.", &[(LD, schema("EpcisDocument"))], &[])
            .fails(&[503])
            .token(Token::Optional("read")),
    );
    let own = [
        ("eventTypes", "ObjectEvent", "EventTypes"),
        ("epcs", "https:%2F%2Fid.gs1.org%2F00%2F012345678901234560", "Epcs"),
        ("bizSteps", "shipping", "BizSteps"),
        ("bizLocations", "urn:epc:id:sgln:9520123.00000.0", "BizLocations"),
        ("readPoints", "urn:epc:id:sgln:9520123.00000.0", "ReadPoints"),
        ("dispositions", "in_transit", "Dispositions"),
    ];
    for (name, example, id) in own {
        all.extend(resources(name, example, id));
    }
    all.push(
        Operation::delete("/epcis/nextPageToken/{token}")
            .says("forgetPage", TAG, "Give up the token of a next page")
            .path("token", string(), "AAABoMr7wAAAAAAAAAAAAAAAAAAAAAAB", "The token.")
            .gives(204, "It goes on nowhere any more.", &[], &[])
            .fails(&[404]),
    );
    all.into_iter().map(in_words_of_epcis).collect()
}

fn captures() -> Vec<Operation> {
    let documents = [
        ("application/json", schema("EpcisDocument")),
        (LD, schema("EpcisDocument")),
        ("application/xml", string()),
        ("text/xml", string()),
    ];
    let job = [("application/json", schema("CaptureJob"))];
    let jobs = [("application/json", list(schema("CaptureJob")))];
    let behaviour = json!({ "type": "string", "enum": ["rollback", "proceed"] });
    vec![
        Operation::post("/epcis/capture")
            .says("captureDocument", TAG, "Capture a document of events")
            .about(
                "Every event is checked before anything is signed: a document with a malformed \
                 event is refused whole (400), with the place of each fault. Then the node's \
                 capture device signs, and the answer comes once all are durable; what became of \
                 each is told by the job. The same document again is stored once.",
            )
            .header(
                "GS1-Capture-Error-Behaviour",
                behaviour,
                "What happens to the others where an event contradicts what is recorded.",
            )
            .takes(&documents, DOCUMENT_BYTES_MAX)
            .gives(202, "Durable, or refused event by event: ask the job.", &[], &["Location"])
            .fails(&[503, 507])
            .token(Token::Needed("capture")),
        Operation::options("/epcis/capture")
            .says("captureLimits", TAG, "How much a document may hold, and how errors are met")
            .gives(204, "In headers.", &[], &LIMITS),
        paged(Operation::get("/epcis/capture"))
            .says("listCaptureJobs", TAG, "What became of documents, the newest first")
            .gives(200, "Jobs.", &jobs, &["Link"])
            .token(Token::Needed("capture")),
        Operation::get("/epcis/capture/{id}")
            .says("readCaptureJob", TAG, "What became of a document")
            .path("id", string(), &"0".repeat(28), "The job's name.")
            .gives(200, "The job.", &job, &[])
            .token(Token::Needed("capture")),
        Operation::post("/epcis/events")
            .says("captureEvent", TAG, "Capture one event")
            .takes(&documents, DOCUMENT_BYTES_MAX)
            .gives(201, "Durable.", &[], &["Location"])
            .fails(&[503, 507])
            .token(Token::Needed("capture")),
        Operation::options("/epcis/events")
            .says("eventLimits", TAG, "How much an event may hold")
            .gives(204, "In headers.", &[], &LIMITS),
    ]
}

/// In which form identifiers are answered.
fn formed(operation: Operation) -> Operation {
    let format = json!({ "type": "string", "enum": ["No_Preference", "Never_Translates", "Always_GS1_Digital_Link"] });
    let about = "Identifiers as they were captured, the default, or EPC URNs as Digital Links. As EPC \
        URNs they are not answered (406): no Digital Link tells how long its company prefix is.";
    operation.header("GS1-EPC-Format", format, about)
}

fn resources(name: &str, example: &str, id: &str) -> Vec<Operation> {
    let route = format!("/epcis/{name}");
    let members = [(LD, schema("Collection"))];
    // The types are always the same.
    let told: &[&str] = if name == "eventTypes" { &[] } else { &SHOWN };
    let value = "A value, percent-encoded.";
    let below = format!("{route}/{{value}}");
    let of = format!("{below}/events");
    vec![
        paged(Operation::get(&route))
            .says(&format!("list{id}"), TAG, "Values that events have")
            .gives(200, "Each once on a page.", &members, told)
            .fails(&[503])
            .token(Token::Optional("read")),
        Operation::get(&below)
            .says(&format!("read{id}"), TAG, "What there is of one value")
            .path("value", string(), example, value)
            .gives(200, "Paths.", &members, &[])
            .token(Token::Optional("read")),
        events(&of, &format!("query{id}"), "Events that have a value, and match a query")
            .path("value", string(), example, value)
            .fails(&[503])
            .token(Token::Optional("read")),
    ]
}

fn events(route: &str, id: &str, summary: &str) -> Operation {
    formed(paged(Operation::get(route)))
        .says(id, TAG, summary)
        .about(
            "Takes the parameters of the SimpleEventQuery that filter by event, time, step, \
             disposition, place, identifier, quantity, transaction, source and destination, such \
             as `EQ_bizStep`, `GE_eventTime` and `MATCH_anyEPC`; values are joined by `|`. Events \
             come in the order of their recordTime unless `orderBy` says otherwise.",
        )
        .query("eventType", string(), "Types, joined by `|`.")
        .query("orderBy", json!({ "type": "string", "enum": ["eventTime", "recordTime"] }), "")
        .query("orderDirection", json!({ "type": "string", "enum": ["ASC", "DESC"] }), "")
        .query("eventCountLimit", count(), "Only so many, the first of the order.")
        .query("maxEventCount", count(), "An error if there are more.")
        .gives(
            200,
            "An EPCISQueryDocument; `Link` leads to the next page.",
            &[(LD, schema("EpcisDocument"))],
            &SHOWN,
        )
}

fn paged(operation: Operation) -> Operation {
    operation
        .query("perPage", count(), "Most results of a page; 30 without it, at most 1,000.")
        .query("nextPageToken", string(), "From the `Link` of the page before.")
}

/// Errors whose type is an exception of EPCIS, and the versions that every answer tells.
fn in_words_of_epcis(operation: Operation) -> Operation {
    if operation.method == "options" {
        return operation;
    }
    let mut words: Map<String, Value> = Map::new();
    for exception in Exception::ALL {
        let (status, name, title) = exception.row();
        let told = words.entry(status.as_str().to_owned()).or_insert_with(|| json!(""));
        let text = told.as_str().unwrap_or_default();
        let joint = if text.is_empty() { "" } else { "; " };
        *told = json!(format!("{text}{joint}`{name}`: {title}"));
    }
    let content = [(PROBLEM, schema("EpcisProblem"))];
    words.iter().fold(operation, |operation, (status, about)| {
        let status: u16 = status.parse().unwrap_or_default();
        let headers: &[&str] = if status == 401 { &["WWW-Authenticate"] } else { &[] };
        operation.gives(status, about.as_str().unwrap_or_default(), &content, headers)
    })
}

pub(super) fn schemas() -> Value {
    let fault =
        object("What is wrong with one event.", json!({ "pointer": string(), "detail": string() }));
    let error = object(
        "Why an event was refused.",
        json!({
            "type": string(), "title": string(), "status": count(), "detail": string(),
            "pointer": string(),
        }),
    );
    let id = json!({ "anyOf": [schema("ContentId"), { "type": "null" }] });
    let versions: Vec<&str> = VERSIONS.iter().map(|(name, _)| *name).collect();
    json!({
        "EpcisDocument": {
            "type": "object",
            "description": format!(
                "An EPCIS 2.0 document or event, in JSON-LD. Headers tell the versions: {}.",
                versions.join(", ")
            ),
        },
        "EpcisProblem": object("RFC 9457, with an exception of EPCIS as its type.", json!({
            "type": string(), "title": string(), "status": count(), "detail": string(),
            "pointer?": string(), "errors?": list(fault),
        })),
        "CaptureJob": object("What became of a document.", json!({
            "captureID": string(), "createdAt": schema("Instant"), "finishedAt": schema("Instant"),
            "running": truth(), "success": truth(), "captureErrorBehaviour": string(),
            "errors": list(error), "attestations": list(id),
        })),
        "Collection": object("Values or paths.", json!({
            "@context": string(), "type": string(), "member": list(string()),
        })),
    })
}
