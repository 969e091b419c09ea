//! `/openapi.json`: what every public route takes and answers, for programs.
//!
//! Invariants: every route of the router is here and every operation here is on the router; each
//! answer that a test of the routes gets is one that is described here. The tests of this module
//! see to both. The owner's routes below `/local` are not part of it: nobody else reaches them.

use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::response::Response;
use hallmark_schemas::hex;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{cached, problem};
use operation::{Operation, problem_content};
use schemas::reference;

mod attestations;
mod epcis;
mod goods;
mod log;
mod node;
mod operation;
mod passport;
mod recalls;
mod schemas;
mod trace;

/// The path stays the same in every release, so each use asks whether it is still the one it has.
const CONTROL: &str = super::CHECKED;

/// The document as it is served, and its validator.
static DOCUMENT: LazyLock<(String, String)> = LazyLock::new(|| {
    let text = format!("{:#}\n", document());
    let tag = hex::encode(&Sha256::digest(text.as_bytes())[..16]);
    (text, tag)
});

/// `GET /openapi.json`
pub(super) async fn show(headers: HeaderMap) -> Response {
    let (text, tag) = &*DOCUMENT;
    cached(&headers, "application/json", CONTROL, tag, text.clone().into_bytes())
}

const ABOUT: &str = "What a Hallmark node takes and answers. Every GET answers HEAD too. Errors are \
    problem details (RFC 9457), or concise problem details (RFC 9290) for a client that sends \
    `application/cose` or accepts COSE or CBOR and no JSON. Any route may refuse a request that is \
    too slow (408), too long (414), too frequent (429, with `Retry-After`) or has too large a head \
    (431). What is not told to be kept (`Cache-Control`) is `no-store`. Pages of other origins may \
    read what `Access-Control-Expose-Headers` lists. A path parameter whose description says so takes slashes as they are. The routes below \
    `/local`, which only the owner reaches over the node's own socket, are no part of this document.";

fn about() -> String {
    let names: Vec<String> = super::epcis::everywhere().map(|name| format!("`{name}`")).collect();
    format!("{ABOUT} Every answer below `/epcis` has {}.", names.join(", "))
}

/// OpenAPI 3.1.
fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations() {
        let path = paths.entry(operation.template()).or_insert_with(|| json!({}));
        path[operation.method] = operation.to_json();
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Hallmark node",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Admits, logs, mirrors and serves attestations",
            "description": about(),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The node that serves this document" }],
        "tags": [
            { "name": attestations::TAG, "description":
                "Signed statements: registering them (SCRAPI), their receipts, their bodies" },
            { "name": log::TAG, "description":
                "The node's log and its copies of others: tlog-tiles, tlog-witness" },
            { "name": goods::TAG, "description":
                "What the records say of goods: GS1 Digital Link resolver, passport, trace" },
            { "name": goods::FORMS_TAG, "description": "What a buyer may say: the two forms" },
            { "name": epcis::TAG, "description": "EPCIS 2.0: capture and queries" },
            { "name": node::FINDINGS_TAG, "description": "What the rules found" },
            { "name": node::TAG, "description": "The node itself" },
        ],
        "security": [],
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "responses": responses(),
            "parameters": goods::parameters(),
            "headers": headers(),
            "securitySchemes": { "token": {
                "type": "http", "scheme": "bearer", "bearerFormat": "CWT",
                "description": "A CWT signed by a key of a member organisation, with this node's \
                    log origin as audience, a scope (`capture`, `read` or `admin`, which is both), \
                    a purpose, and at most ten minutes to live. `hallmark-node token` makes one.",
            } },
        },
    })
}

/// Every operation of a public route.
fn operations() -> Vec<Operation> {
    let mut all = Vec::new();
    all.extend(log::operations());
    all.extend(attestations::operations());
    all.extend(goods::operations());
    all.extend(recalls::operations());
    all.extend(epcis::operations());
    all.extend(node::operations());
    let preflights: Vec<Operation> = all.iter().filter_map(Operation::preflight).collect();
    all.extend(preflights);
    all
}

/// The answers that operations name: one for each status of the table of errors, and others.
fn responses() -> Value {
    let mut all = goods::responses();
    for error in problem::examples() {
        let (status, code, title) = error.row();
        let response = all
            .entry(format!("Problem{}", status.as_u16()))
            .or_insert_with(|| json!({ "description": "", "content": problem_content() }));
        let text = response["description"].as_str().unwrap_or_default();
        let joint = if text.is_empty() { "" } else { "; " };
        response["description"] = json!(format!("{text}{joint}`{code}`: {title}"));
        // Those of a page are there where a person is told.
        for name in error.headers().into_iter().chain(["Content-Language", "Vary"]) {
            response["headers"][name] = reference("headers", name);
        }
    }
    Value::Object(all)
}

fn headers() -> Value {
    let text = |about: &str| json!({ "description": about, "schema": { "type": "string" } });
    json!({
        "ETag": text("Validator of this answer, for `If-None-Match`."),
        "Cache-Control": text("How long the answer may be used, and by whom."),
        "Location": text("Path of what was made, or of where to ask next."),
        "Link": text("Of goods their link set (RFC 9264); of pages the next one, where there is one."),
        "Vary": text("Headers of the request that the answer depends on."),
        "Allow": text("Methods that the path takes."),
        "Content-Language": text("The language of a page."),
        "Content-Encoding": text("`gzip` or, of scripts, `br`, where the client takes it and it helps."),
        "Accept-Encoding": text("`identity`, where a body came in another coding."),
        "WWW-Authenticate": text("`Bearer`."),
        "Hallmark-Status": { "description": "How far the attestation has come.", "schema": {
            "type": "string", "enum": ["stored", "recorded", "deferred"] } },
        "Hallmark-Bodies-Damaged": { "description": "How many bodies of the trace are damaged here.",
            "schema": { "type": "integer", "minimum": 0 } },
        "GS1-Capture-Error-Behaviour": text("What a document may ask for where an event is refused."),
        "GS1-EPCIS-Capture-Limit": { "description": "Most events of a document.", "schema": {
            "type": "integer", "minimum": 1 } },
        "GS1-EPCIS-Capture-File-Size-Limit": { "description": "Most bytes of a document.",
            "schema": { "type": "integer", "minimum": 1 } },
        "GS1-Next-Page-Token-Expires": text("Until when the token of `Link` is taken."),
        "Retry-After": { "description": "Seconds until it is worth asking again.", "schema": {
            "type": "integer", "minimum": 1 } },
        "Access-Control-Allow-Origin": { "description": "Any page may read this.", "schema": {
            "type": "string", "const": "*" } },
        "Access-Control-Allow-Methods": text("Methods that a page of another origin may use."),
        "Access-Control-Allow-Headers": text("Headers that it may send."),
        "Access-Control-Max-Age": { "description": "Seconds that this answer may be kept.",
            "schema": { "type": "integer" } },
    })
}

#[cfg(test)]
pub(super) mod tests;
