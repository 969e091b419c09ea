//! That the document is true: of the router, of its own references, and of every answer that a
//! test of the routes gets.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use axum::http::response::Parts;
use axum::http::{Method, Request, StatusCode, header};

use super::*;
use crate::api::problem::ApiError;
use crate::api::tests::{FAR, World, bytes, header_of};
use crate::passport::code::KEYS;
use crate::serve::Origin;

/// Layers around the routes answer these before a route can mark its answer as shared.
const BY_LAYERS: [u16; 4] = [408, 414, 429, 431];

/// What any answer may have: of HTTP itself, and what the layers around all routes say.
const OF_ALL: [&str; 7] = [
    "content-type",
    "content-length",
    "content-security-policy",
    "referrer-policy",
    "x-content-type-options",
    "access-control-allow-origin",
    "access-control-expose-headers",
];

/// Panics where an answer has a header that its description does not tell.
fn assert_headers_are_told(name: &str, head: &Parts, answer: &Value) {
    let told = |found: &str| {
        let all = answer["headers"].as_object().into_iter().flatten();
        all.map(|(name, _)| name).any(|name| name.eq_ignore_ascii_case(found))
    };
    let is_epcis = name.contains(" /epcis");
    for (found, value) in &head.headers {
        let found = found.as_str();
        let is_kept = found != "cache-control" || value != "no-store";
        let is_version = is_epcis && crate::api::epcis::everywhere().any(|one| one == found);
        let is_of_all = OF_ALL.contains(&found) || is_version;
        assert!(!is_kept || is_of_all || told(found), "{name}: {found} is not described");
    }
}

/// Panics unless this answer of a described route is one that its description tells.
pub(in crate::api) fn assert_described(method: &Method, path: &str, head: &Parts, body: &[u8]) {
    let status = head.status.as_u16();
    let all = operations();
    let mut of_path = all.iter().filter(|one| matches(&one.route, path)).peekable();
    let is_shared = of_path.peek().is_some_and(|one| one.is_shared);
    if of_path.peek().is_none() || status == 405 || (method == Method::OPTIONS && !is_shared) {
        return;
    }
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let operation = of_path.find(|one| method.as_str().eq_ignore_ascii_case(one.method));
    let name = format!("{method} {path} -> {status}");
    let described = operation.unwrap_or_else(|| panic!("{name}: no such operation"));
    let document = document();
    let operation = described.to_json();
    let answer = operation["responses"].get(status.to_string());
    let answer = resolve(&document, answer.unwrap_or_else(|| panic!("{name}: not described")));
    let value = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let kind = value("content-type").and_then(|kind| kind.split(';').next()).unwrap_or_default();
    // Where a status has a body of its own too, its headers are not those of the problem.
    let own = |kind: &String| !kind.contains("problem") && kind != "text/html";
    let has_own = answer["content"].as_object().is_some_and(|all| all.keys().any(own));
    let is_problem = head.extensions.get::<Arc<ApiError>>().is_some() && has_own;
    assert_headers_are_told(&name, head, answer);
    for expected in answer["headers"].as_object().into_iter().flat_map(Map::keys) {
        let is_of_pages = kind != "text/html"
            && (expected == "Content-Language" || (kind.contains("problem") && expected == "Vary"));
        let is_of_some = ["Content-Encoding", "Accept-Encoding", "GS1-Next-Page-Token-Expires"]
            .contains(&expected.as_str())
            || (expected == "Link" && path.starts_with("/epcis"))
            || (expected == "Vary" && path.contains("/tile/"));
        let is_optional = is_of_some || is_of_pages || (is_problem && expected != "Retry-After");
        assert!(is_optional || value(expected).is_some(), "{name}: no {expected}");
    }
    for expected in ["x-content-type-options", "content-security-policy", "cache-control"] {
        assert!(value(expected).is_some(), "{name}: no {expected}");
    }
    let is_shared = value("access-control-allow-origin") == Some("*");
    assert!(is_shared == described.is_shared || BY_LAYERS.contains(&status), "{name}: CORS");
    assert_eq!(value("retry-after").is_some(), answer["headers"]["Retry-After"].is_object());
    let content = answer["content"].as_object();
    let Some(content) = content.filter(|_| status != 304) else {
        return assert!(body.is_empty(), "{name}: a body");
    };
    let found = content.get(kind).unwrap_or_else(|| panic!("{name}: {kind} is not described"));
    if kind.ends_with("json") && !body.is_empty() && value("content-encoding").is_none() {
        let json: Value = serde_json::from_slice(body).unwrap();
        if let Err(fault) = conforms(&document, &found["schema"], &json) {
            panic!("{name}: {fault}\n{json:#}");
        }
    }
}

/// Whether a path is one of the route's: `{x}` is one segment, `{*x}` the rest.
fn matches(route: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for part in route.split('/') {
        match segments.next() {
            Some(first) if part.starts_with("{*") => return !first.is_empty(),
            Some(segment) if segment == part => {}
            Some(segment) if part.starts_with('{') && !segment.is_empty() => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(target) = value["$ref"].as_str() else { return value };
    let found = document.pointer(target.trim_start_matches('#'));
    found.unwrap_or_else(|| panic!("{target} leads nowhere"))
}

/// The words of JSON Schema that our schemas use; a member that is not described is a fault.
fn conforms(document: &Value, schema: &Value, json: &Value) -> Result<(), String> {
    let schema = resolve(document, schema);
    if let Some(all) = schema["anyOf"].as_array() {
        let faults: Vec<_> =
            all.iter().map_while(|one| conforms(document, one, json).err()).collect();
        return if faults.len() < all.len() { Ok(()) } else { Err(faults.join("; ")) };
    }
    let is_type = match schema["type"].as_str() {
        Some("object") => json.is_object(),
        Some("array") => json.is_array(),
        Some("string") => json.is_string(),
        Some("integer") => json.is_i64() || json.is_u64(),
        Some("boolean") => json.is_boolean(),
        Some("null") => json.is_null(),
        other => return Err(format!("a schema of type {other:?}")),
    };
    let is_word = schema["enum"].as_array().is_none_or(|words| words.contains(json));
    let text = json.as_str().unwrap_or_default();
    let is_id = match schema["pattern"].as_str() {
        Some("^sha256:[0-9a-f]{64}$") => text.starts_with("sha256:") && text.len() == 71,
        Some("^[0-9a-f]{64}$") => text.len() == 64,
        _ => true,
    };
    if !is_type || !is_word || !is_id {
        return Err(format!("{json} is not of {schema}"));
    }
    for item in json.as_array().into_iter().flatten() {
        conforms(document, &schema["items"], item)?;
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        json.get(name).ok_or_else(|| format!("`{name}` is missing in {json}"))?;
    }
    let Some(members) = schema["properties"].as_object() else { return Ok(()) };
    for (name, member) in json.as_object().into_iter().flatten() {
        let of = members.get(name).or_else(|| schema.get("additionalProperties"));
        let of = of.filter(|of| of.is_object()).ok_or_else(|| format!("`{name}` is unknown"))?;
        conforms(document, of, member).map_err(|fault| format!("{name}: {fault}"))?;
    }
    Ok(())
}

/// Every literal after `.route(` in the sources of the routes.
fn routes_in_sources() -> BTreeSet<String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![sources.join("api.rs")];
    let mut folders = vec![sources.join("api")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let mut routes = BTreeSet::new();
    for file in files.iter().filter(|file| !file.ends_with("openapi/tests.rs")) {
        let text = std::fs::read_to_string(file).unwrap();
        for after in text.split(".route(").skip(1) {
            let literal = after.split('"').nth(1).unwrap().to_owned();
            assert!(literal.starts_with('/'), "{}: {literal}", file.display());
            match literal.strip_prefix("/{key}") {
                Some("/{{*rest}}") => routes.extend(KEYS.map(|key| format!("/{key}/{{*rest}}"))),
                Some(other) => panic!("what is {other}?"),
                None => drop(routes.insert(literal)),
            }
        }
    }
    routes
}

#[test]
fn every_route_of_the_sources_is_described_and_nothing_else_is() {
    let all: BTreeSet<String> = operations().into_iter().map(|one| one.route).collect();
    let of_sources = routes_in_sources().into_iter().filter(|one| !one.starts_with("/local/"));
    assert_eq!(all, of_sources.collect());
}

/// The path of an operation, filled with the examples of its parameters.
fn example(operation: &Operation) -> String {
    let json = operation.to_json();
    let parameters = json["parameters"].as_array().into_iter().flatten();
    parameters.filter(|one| one["in"] == "path").fold(operation.template(), |path, parameter| {
        let name = format!("{{{}}}", parameter["name"].as_str().unwrap());
        path.replace(&name, parameter["example"].as_str().unwrap())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_router_takes_exactly_the_methods_that_are_described() {
    let world = World::new().await;
    for operation in operations() {
        let of_route = operations().into_iter().filter(|one| one.route == operation.route);
        let mut expected: BTreeSet<String> =
            of_route.map(|one| one.method.to_uppercase()).collect();
        if expected.contains("GET") {
            expected.insert("HEAD".to_owned());
        }
        let path = example(&operation);
        // A path that is no route is answered 404, whatever the method.
        let request = Request::patch(&path);
        let (status, response) = world.ask(Origin::Socket, request, Vec::new()).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed = header_of(&response, "allow");
        let allowed: BTreeSet<String> = allowed.split(',').map(|it| it.trim().into()).collect();
        assert_eq!(allowed, expected, "{path}");
        // Whatever it answers to its example, the world compares it with the description.
        let method = Method::from_bytes(operation.method.to_uppercase().as_bytes()).unwrap();
        let request = Request::builder().method(method).uri(&path);
        let (status, _) = world.ask(Origin::Socket, request, Vec::new()).await;
        assert_ne!(status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    world.end();
}

#[test]
fn references_lead_somewhere_and_names_are_unique() {
    fn walk<'a>(document: &'a Value, value: &'a Value, used: &mut BTreeSet<&'a str>) {
        resolve(document, value);
        used.extend(value["$ref"].as_str());
        match value {
            Value::Object(all) => all.values().for_each(|one| walk(document, one, used)),
            Value::Array(all) => all.iter().for_each(|one| walk(document, one, used)),
            _ => {}
        }
    }
    let document = document();
    let mut used = BTreeSet::new();
    walk(&document, &document, &mut used);
    for part in ["schemas", "headers", "parameters", "responses"] {
        for name in document["components"][part].as_object().unwrap().keys() {
            let target = format!("#/components/{part}/{name}");
            assert!(used.contains(target.as_str()), "{target} is of no use");
        }
    }
    let tags: BTreeSet<&str> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tag| tag["name"].as_str())
        .collect();
    let mut names = BTreeSet::new();
    for operation in operations() {
        let json = operation.to_json();
        let name = json["operationId"].as_str().expect("each has a name").to_owned();
        assert!(json["summary"].is_string() && tags.contains(json["tags"][0].as_str().unwrap()));
        let statuses = json["responses"].as_object().unwrap();
        assert!(statuses.keys().any(|status| status < &"400".to_owned()), "{name}");
        assert!(!example(&operation).contains('{'), "{name}: a parameter is not declared");
        assert!(names.insert(name.clone()), "{name} twice");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_is_served_with_a_validator_to_any_page() {
    let world = World::new().await;
    let (status, response) = world.get(FAR, "/openapi.json").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(header_of(&response, "access-control-allow-origin"), "*");
    let tag = header_of(&response, "etag");
    let served: Value = serde_json::from_slice(&bytes(response).await).unwrap();
    assert_eq!(served, document());
    let again = Request::get("/openapi.json").header(header::IF_NONE_MATCH, tag);
    assert_eq!(world.ask(FAR, again, Vec::new()).await.0, StatusCode::NOT_MODIFIED);
    world.end();
}

#[test]
fn an_answer_that_is_not_described_is_seen() {
    let head = |status: u16, kind: &str| {
        let response = axum::http::Response::builder().status(status).header("content-type", kind);
        let response = response.header("x-content-type-options", "nosniff");
        let response = response.header("content-security-policy", "");
        let response = response.header("cache-control", "no-store");
        response.header("access-control-allow-origin", "*").body(()).unwrap().into_parts().0
    };
    let seen = |head: Parts, path: &str, body: &str| {
        let check = || assert_described(&Method::GET, path, &head, body.as_bytes());
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_err()
    };
    let problem = r#"{"type":"urn:hallmark:problem:x","title":"","status":404,"detail":""}"#;
    let kind = "application/problem+json";
    assert!(!seen(head(404, kind), "/log/checkpoint", problem));
    assert!(seen(head(403, kind), "/log/checkpoint", problem));
    assert!(seen(head(404, "text/plain"), "/log/checkpoint", problem));
    assert!(seen(head(404, kind), "/log/checkpoint", &problem.replace("title", "other")));
    assert!(seen(head(404, kind), "/v1/findings/x", problem), "it is not shared");
    assert!(seen(head(429, kind), "/log/checkpoint", problem), "no Retry-After");
    for (name, value) in [("etag", "\"1\""), ("cache-control", "public"), ("x-other", "1")] {
        let mut more = head(404, kind);
        more.headers.insert(name, axum::http::HeaderValue::from_static(value));
        assert!(seen(more, "/log/checkpoint", problem), "{name} is not described");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_routes_answer_when_all_is_well_is_described() {
    const ITEM: &str = "https://id.gs1.org/01/09520123456788/21/7";
    let world = World::new().await;
    let epcis = json!({
        "type": "ObjectEvent", "action": "ADD", "bizStep": "commissioning",
        "eventID": "urn:uuid:00000000-0000-4000-8000-000000000001",
        "eventTime": "2026-01-02T03:04:05.000+08:00", "eventTimeZoneOffset": "+08:00",
        "epcList": [ITEM],
    });
    let statement = json!({
        "kind": "event", "aud": "public", "payload": { "epcis": epcis.to_string() },
    });
    let request = Request::post("/v1/attestations").header("content-type", "application/json");
    let (status, response) =
        world.ask(Origin::Socket, request, statement.to_string().into_bytes()).await;
    assert_eq!(status, StatusCode::CREATED);
    let location = header_of(&response, "location");
    let id = location.rsplit('/').next().unwrap().to_owned();
    world.app.node.recorded(&id.parse().unwrap()).await.unwrap();
    let kid = hallmark_schemas::key::Signer::public(&*world.app.log_key).id().to_string();
    let trace = format!("/v1/trace/{}", ITEM.replace(':', "%3A").replace('/', "%2F"));
    for (path, accept, expected) in [
        (location.as_str(), "application/json", 200),
        (&location, "application/cbor", 200),
        (&location, "application/cose", 200),
        (&location, "image/png", 406),
        (&format!("/entries/{id}"), "", 200),
        (&format!("/entries/sha256:{}", "0".repeat(64)), "", 404),
        ("/entries/none", "", 400),
        ("/entries/sha256:00", "", 400),
        (&trace, "application/json", 200),
        ("/v1/trace/01/09520123456788/21/7", "application/json", 200),
        ("/v1/trace/urn:epc:id:sgtin:9520123.045678.7", "application/json", 200),
        ("/v1/trace/01/09520123456789/21/7", "", 400),
        (&trace, "text/vnd.graphviz", 200),
        (&trace, "text/plain", 200),
        (&trace, "image/png", 406),
        ("/v1/bundle/01/09520123456788/21/7", "", 200),
        ("/v1/findings", "", 200),
        ("/.well-known/scitt-keys", "", 200),
        (&format!("/.well-known/scitt-keys/{kid}"), "", 200),
        ("/.well-known/gs1resolver", "", 200),
        ("/readyz", "", 200),
        ("/metrics", "", 200),
        ("/network.hallmark", "", 200),
        ("/assets/check.mjs", "", 200),
        ("/assets/none.mjs", "", 404),
        ("/goods?code=(01)09520123456788(21)7", "application/json", 200),
        ("/01/09520123456788/21/7?linkType=gs1:traceability", "", 307),
    ] {
        let request = Request::get(path).header("accept", accept);
        let (status, response) = world.ask(Origin::Socket, request, Vec::new()).await;
        assert_eq!(status.as_u16(), expected, "{path} {accept}");
        // Whatever has a validator knows it again.
        let Some(tag) = response.headers().get("etag").cloned() else { continue };
        let request = Request::get(path).header("accept", accept).header("if-none-match", tag);
        let (status, _) = world.ask(Origin::Socket, request, Vec::new()).await;
        assert_eq!(status, StatusCode::NOT_MODIFIED, "{path} {accept}");
    }
    world.app.health.broker(false);
    let (status, response) = world.get(FAR, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header_of(&response, "content-type"), "application/problem+json");
    let problem: Value = serde_json::from_slice(&bytes(response).await).unwrap();
    assert_eq!((&problem["broker"], &problem["status"]), (&json!("away"), &json!(503)));
    world.end();
}
