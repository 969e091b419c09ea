use axum::http::HeaderValue;
use axum::http::request::Builder;
use clap::Parser;
use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::receipt::Receipt;
use tokio::sync::watch;
use tower::ServiceExt;

use super::*;
use crate::cli::{Cli, Command, Format, Output};
use crate::config::Config;
use crate::core::WriterThread;
use crate::files::now;
use crate::sign::{Defaults, Statement};

mod caching;
mod recalls;

const EVENT: &str = r#"{"type":"ObjectEvent","eventID":"urn:uuid:00000000-0000-4000-8000-000000000001",
  "action":"OBSERVE","eventTime":"2026-01-02T03:04:05.000+08:00","eventTimeZoneOffset":"+08:00",
  "epcList":["https://id.gs1.org/01/09520123456788/21/7"],"bizStep":"shipping"}"#;

/// A founded node without a listener: requests go straight to its routes.
pub(super) struct World {
    pub(super) app: App,
    router: Router,
    writer: WriterThread,
    stop: watch::Sender<bool>,
    _dir: tempfile::TempDir,
}

impl World {
    /// The key of the organisation itself.
    pub(super) fn org_key(&self) -> hallmark_schemas::key::SecretKey {
        let keys = hallmark_schemas::layout::Dir::new(self._dir.path().join("node")).keys();
        crate::keys::open(&keys, crate::keys::Purpose::Organisation, None).unwrap()
    }

    pub(super) async fn new() -> World {
        World::with_roles(&["producer"]).await
    }

    pub(super) async fn with_roles(roles: &[&str]) -> World {
        World::configured(roles, |_| {}).await
    }

    /// One that takes so many forms a minute from one address.
    pub(super) async fn with_forms(per_minute: u32) -> World {
        let roles = ["producer", "certifier", "accreditor"];
        World::configured(&roles, |config| config.passport.forms_per_minute_max = per_minute).await
    }

    async fn configured(roles: &[&str], change: impl FnOnce(&mut Config)) -> World {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("node");
        let line = ["hallmark-node", "init", folder.to_str().unwrap(), "--name", "Registry"];
        let org = ["--org", "urn:hallmark:org:lei:529900T8BM49AURSDO55"];
        let roles = roles.iter().flat_map(|role| ["--role", role]);
        let rest = org.into_iter().chain(["--new-network", "demo"]).chain(roles);
        let cli = Cli::try_parse_from(line.into_iter().chain(rest)).unwrap();
        let Command::Init(args) = cli.command else { panic!("another command") };
        crate::command::init::run(&args, Output { format: Format::Json }).unwrap();
        let mut config = Config::load(&folder).unwrap();
        config.log.batch_wait_max = Duration::from_millis(100);
        change(&mut config);
        let started = crate::command::run::open(&folder, config, None).unwrap();
        let (stop, stopped) = watch::channel(false);
        let app = started.service;
        tokio::spawn(crate::command::run::drain::run(Arc::clone(&app), stopped.clone()));
        tokio::spawn(crate::witness::quorum::run(Arc::clone(&app), stopped));
        while !app.may_announce() || app.node.log().published().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let router = router(Arc::clone(&app));
        World { app, router, writer: started.writer, stop, _dir: dir }
    }

    /// Asks the routes; every answer must be one that `/openapi.json` describes.
    pub(super) async fn ask(
        &self,
        origin: Origin,
        request: Builder,
        body: Vec<u8>,
    ) -> (StatusCode, Response) {
        let mut request = request.body(Body::from(body)).unwrap();
        request.extensions_mut().insert(origin);
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        openapi::tests::assert_described(&method, &path, &head, &body);
        (head.status, Response::from_parts(head, Body::from(body)))
    }

    pub(super) async fn get(&self, origin: Origin, path: &str) -> (StatusCode, Response) {
        self.ask(origin, Request::get(path), Vec::new()).await
    }

    fn event(&self) -> Envelope {
        let statements = Statement::from_file(EVENT.as_bytes(), &Defaults::default()).unwrap();
        let statement = statements.into_iter().next().unwrap();
        statement.sign(&self.app.config, now(), self.app.capture.as_ref()).unwrap()
    }

    /// Records so many more events.
    pub(super) async fn grow(&self, count: usize) {
        let published = || self.app.node.log().published().map_or(0, |one| one.head.size);
        let (before, mut last) = (published(), None);
        for number in 0..count as u64 {
            let number = format!("{:012}", before + number);
            let text = EVENT.replace("000000000001", &number);
            let statement = Statement::from_file(text.as_bytes(), &Defaults::default()).unwrap();
            let signed = statement.into_iter().next().unwrap();
            let signed = signed.sign(&self.app.config, now(), self.app.capture.as_ref()).unwrap();
            self.app.admit(signed.stored().to_vec()).await.unwrap();
            last = Some(signed.id());
        }
        if let Some(id) = last {
            self.app.node.recorded(&id).await.unwrap();
        }
    }

    async fn register(&self, envelope: &Envelope) -> (StatusCode, Response) {
        let request = Request::post("/entries").header("content-type", "application/cose");
        self.ask(FAR, request, envelope.stored().to_vec()).await
    }

    pub(super) fn end(self) {
        let World { app, router, writer, stop, .. } = self;
        let _ = stop.send(true);
        drop((app, router));
        writer.stop();
    }
}

pub(super) const FAR: Origin =
    Origin::Address(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7)));

pub(super) async fn bytes(response: Response) -> Vec<u8> {
    response.into_body().collect().await.unwrap().to_bytes().to_vec()
}

pub(super) fn header_of(response: &Response, name: &str) -> String {
    response.headers().get(name).unwrap().to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registered_attestation_gets_a_receipt_and_is_read_only_by_its_audience() {
    let world = World::new().await;
    let envelope = world.event();
    let (status, response) = world.register(&envelope).await;
    assert_eq!(status, StatusCode::CREATED);
    let location = header_of(&response, "location");
    assert_eq!(location, format!("/entries/{}", envelope.id()));
    let receipt = Receipt::parse(&bytes(response).await).unwrap();
    receipt.verify_root(envelope.id(), &world.app.log_vkey).unwrap();
    // Again, and asked for by its location: the same place.
    let (status, response) = world.register(&envelope).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(Receipt::parse(&bytes(response).await).unwrap().index(), receipt.index());
    assert_eq!(world.get(FAR, &location).await.0, StatusCode::OK);
    // Signed anew by the node, the same event keeps its id.
    let (_, response) = world.register(&world.event()).await;
    assert_eq!(header_of(&response, "location"), location);
    let body = format!("/v1/attestations/{}", envelope.id());
    assert_eq!(world.get(FAR, &body).await.0, StatusCode::NOT_FOUND);
    assert_eq!(world.get(Origin::Socket, &body).await.0, StatusCode::OK);
    let cose = Request::get(&body).header("accept", "application/cose");
    let (status, response) = world.ask(Origin::Socket, cose, Vec::new()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(ContentId::of(&bytes(response).await), envelope.id());
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_that_runs_is_told_where_and_when_to_ask() {
    let world = World::new().await;
    let statement = Statement::from_file(EVENT.as_bytes(), &Defaults::default()).unwrap().remove(0);
    let stranger = hallmark_schemas::key::SecretKey::from_seed([90; 32]);
    let unknown = statement.sign(&world.app.config, now(), &stranger).unwrap();
    let (status, response) = world.register(&unknown).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "its key may become known");
    for response in [response, world.get(FAR, &format!("/entries/{}", unknown.id())).await.1] {
        assert_eq!(header_of(&response, "location"), format!("/entries/{}", unknown.id()));
        assert_eq!(header_of(&response, "retry-after"), "1");
        assert_eq!(header_of(&response, "hallmark-status"), "deferred");
        assert_eq!(bytes(response).await, b"");
    }
    let (status, _) = world.get(FAR, &format!("/entries/{}", unknown.id())).await;
    assert_eq!(status, StatusCode::FOUND);
    // Whoever does not want to wait is answered at once, and finds the receipt there.
    let known = world.event();
    let post = Request::post("/entries")
        .header("content-type", "application/cose")
        .header("prefer", "respond-async");
    let (status, response) = world.ask(FAR, post, known.stored().to_vec()).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let location = header_of(&response, "location");
    world.app.node.recorded(&known.id()).await.unwrap();
    let (status, response) = world.get(FAR, &location).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(header_of(&response, "content-type"), "application/cose");
    Receipt::parse(&bytes(response).await)
        .unwrap()
        .verify_root(known.id(), &world.app.log_vkey)
        .unwrap();
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_served_as_tiles_with_validators() {
    let world = World::new().await;
    let (status, response) = world.get(FAR, "/log/checkpoint").await;
    assert_eq!(status, StatusCode::OK);
    let note = String::from_utf8(bytes(response).await).unwrap();
    let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
    let path = format!("/log/tile/entries/000.p/{size}");
    let (status, response) = world.get(FAR, &path).await;
    assert_eq!(status, StatusCode::OK);
    assert!(header_of(&response, "cache-control").contains("immutable"));
    let tag = header_of(&response, "etag");
    assert_eq!(bytes(response).await.len() as u64, size * 43);
    let again = Request::get(&path).header("if-none-match", tag);
    assert_eq!(world.ask(FAR, again, Vec::new()).await.0, StatusCode::NOT_MODIFIED);
    assert_eq!(world.get(FAR, "/log/tile/0/999").await.0, StatusCode::NOT_FOUND);
    assert_eq!(world.get(FAR, "/log/tile/0/00").await.0, StatusCode::NOT_FOUND);
    let (_, response) = world.get(FAR, "/log/checkpoints").await;
    let history = String::from_utf8(bytes(response).await).unwrap();
    assert!(history.ends_with(&note) && history.len() >= note.len(), "{history}");
    let (status, response) = world.get(FAR, &format!("/log/checkpoints?after={size}")).await;
    assert_eq!((status, bytes(response).await.len()), (StatusCode::OK, 0));
    for (path, status) in [
        ("/log/checkpoints?after=x", StatusCode::BAD_REQUEST),
        ("/log/checkpoints?from=1", StatusCode::BAD_REQUEST),
        ("/peers/00/checkpoints", StatusCode::NOT_FOUND),
        ("/peers/00/checkpoints?after=-1", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(world.get(FAR, path).await.0, status, "{path}");
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_dated_before_the_first_judging() {
    let world = World::new().await;
    for (path, key) in [("/local/status", "judged_as_of"), ("/v1/findings", "as_of")] {
        let (status, response) = world.get(Origin::Socket, path).await;
        assert_eq!(status, StatusCode::OK);
        let view: serde_json::Value = serde_json::from_slice(&bytes(response).await).unwrap();
        assert_eq!(view.get(key), Some(&serde_json::Value::Null), "{view}");
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_are_told_apart() {
    let world = World::new().await;
    let post = |path: &str, kind: &str| Request::post(path.to_owned()).header("content-type", kind);
    let token = |text: &str| Request::get("/v1/findings").header("authorization", text.to_owned());
    let cases = [
        (post("/entries", "application/json"), "{}", 415),
        (post("/entries", "application/cose"), "nonsense", 400),
        (post("/v1/attestations", "application/json"), "{}", 401),
        (post("/log/add-checkpoint", "text/plain"), "old 0\n", 400),
        (post("/log/checkpoint", "text/plain"), "", 405),
        (post("/local/network", "application/cbor"), "", 404),
        (Request::get("/local/status"), "", 404),
        (Request::get("/entries/sha256:00"), "", 400),
        (Request::get("/nowhere"), "", 404),
        (Request::get("/v1/findings"), "", 401),
        (Request::get("/v1/findings?after=x"), "", 400),
        (Request::get("/v1/findings?after=-1"), "", 400),
        (Request::get("/v1/findings?after=1&after=2"), "", 400),
        (Request::get("/v1/findings/%ff"), "", 400),
        (Request::get("/v1/attestations/%ff"), "", 400),
        (Request::get("/entries/%ff"), "", 400),
        (Request::get("/log/tile/%ff"), "", 400),
        (Request::get("/peers/%ff/tile/0/000"), "", 400),
        (Request::get("/.well-known/scitt-keys/%ff"), "", 400),
        (Request::get("/local/receipt/%ff"), "", 400),
        (token("Bearer nonsense"), "", 401),
        (Request::get("/healthz"), "", 200),
        (Request::get("/network.hallmark"), "", 200),
        (Request::get("/.well-known/scitt-keys"), "", 200),
        (Request::get("/"), "", 200),
    ];
    for (request, body, expected) in cases {
        let name = format!("{request:?}");
        let (status, response) = world.ask(FAR, request, body.into()).await;
        assert_eq!(status.as_u16(), expected, "{name}");
        if expected >= 400 {
            assert!(header_of(&response, "content-type").contains("problem"), "{name}");
        }
    }
    // A browser that sends a form where none is taken reads why, a program gets problem details.
    let sent = Request::post("/01/09506000134352?lang=EN").header("accept", "text/html");
    let (status, response) = world.ask(FAR, sent, Vec::new()).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(header_of(&response, "content-type").starts_with("text/html"));
    assert!(header_of(&response, "allow").contains("GET"));
    assert_eq!(header_of(&response, "content-language"), "en", "tags have no case");
    for (coding, expected) in [("gzip", 415), ("identity, br", 415), ("Identity", 400), ("", 400)] {
        let packed = post("/entries", "application/cose").header("content-encoding", coding);
        let packed = packed.header("accept", "application/json");
        let (status, response) = world.ask(FAR, packed, b"nonsense".to_vec()).await;
        assert_eq!(status.as_u16(), expected, "{coding}");
        let told = response.headers().get("accept-encoding").map(HeaderValue::as_bytes);
        assert_eq!(told, (expected == 415).then_some(&b"identity"[..]), "{coding}");
    }
    let far = post("/entries", "application/cose");
    let (_, response) = world.ask(FAR, far, b"nonsense".to_vec()).await;
    assert_eq!(header_of(&response, "content-type"), "application/concise-problem-details+cbor");
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_over_its_limits_is_refused_on_every_route() {
    let world = World::new().await;
    let fitting = "x".repeat(limit::HEADER_BYTES_MAX - 32);
    let large = "x".repeat(limit::HEADER_BYTES_MAX);
    let many = (0..=limit::HEADER_FIELDS_MAX)
        .fold(Request::get("/healthz"), |request, n| request.header(format!("x-{n}"), "1"));
    let long = format!("/v1/findings?code={}", "x".repeat(limit::URI_BYTES_MAX));
    for (request, expected) in [
        (Request::get("/healthz").header("x-large", fitting), 200),
        (Request::get("/healthz").header("x-large", large.clone()), 431),
        (Request::get("/nowhere").header("x-large", large.clone()), 431),
        (Request::post("/entries").header("authorization", large), 431),
        (many, 431),
        (Request::get(long), 414),
    ] {
        let (status, response) = world.ask(FAR, request, Vec::new()).await;
        assert_eq!(status.as_u16(), expected);
        if expected >= 400 {
            assert_eq!(header_of(&response, "content-type"), "application/problem+json");
        }
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_extractor_refuses_is_told_with_its_words() {
    let world = World::new().await;
    let (_, response) = world.get(FAR, "/v1/findings?after=x").await;
    let problem: serde_json::Value = serde_json::from_slice(&bytes(response).await).unwrap();
    assert_eq!(problem["status"], 400);
    assert_eq!(problem["type"], "urn:hallmark:problem:malformed");
    assert!(problem["detail"].as_str().unwrap().contains("after"), "{problem}");
    let cose = Request::get("/v1/findings?after=x").header("accept", "application/cose");
    let (_, response) = world.ask(FAR, cose, Vec::new()).await;
    let kind = header_of(&response, "content-type");
    assert_eq!(kind, "application/concise-problem-details+cbor");
    // What may be read by any page may be read when it is refused, in either encoding.
    for accept in ["application/json", "application/cose"] {
        for path in ["/entries/%ff", "/entries/sha256:00", "/log/tile/0/999"] {
            let request = Request::get(path).header("accept", accept);
            let (_, response) = world.ask(FAR, request, Vec::new()).await;
            assert_eq!(header_of(&response, "access-control-allow-origin"), "*", "{path}");
        }
    }
    world.end();
}

#[test]
fn a_request_that_took_too_long_is_told_with_the_headers_of_every_answer() {
    let response = too_slow();
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(header_of(&response, "content-type"), "application/problem+json");
    assert_eq!(header_of(&response, "x-content-type-options"), "nosniff");
    assert_eq!(header_of(&response, "cache-control"), "no-store");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parameter_that_is_unknown_twice_there_or_malformed_is_named() {
    let world = World::new().await;
    for (path, named) in [
        ("/v1/findings?limit=banana", "limit"),
        ("/v1/findings?limit=-1", "limit"),
        ("/v1/findings?foo=1", "foo"),
        ("/v1/findings?at=yesterday", "at"),
        ("/v1/findings?severity=banana", "severity"),
        ("/v1/findings?severity=", "severity"),
        ("/v1/findings?code=MTR-005&code=MTR-005", "code"),
        ("/v1/findings?after=banana", "after"),
        ("/v1/trace/https:%2F%2Fid.gs1.org%2F01%2F09520123456788%2F21%2F7?foo=1", "foo"),
        ("/v1/trace/https:%2F%2Fid.gs1.org%2F01%2F09520123456788%2F21%2F7?format=png", "format"),
    ] {
        let (status, response) = world.get(Origin::Socket, path).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        let problem: serde_json::Value = serde_json::from_slice(&bytes(response).await).unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("{named:?}")), "{path}: {detail}");
    }
    let whole = "/v1/findings?code=MTR-005&subject=x&severity=error&after=0";
    assert_eq!(world.get(Origin::Socket, whole).await.0, StatusCode::OK);
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let world = World::new().await;
    let per_second = world.app.config.http.requests_per_second_max;
    let Origin::Address(address) = FAR else { panic!("an address") };
    let at = std::time::Instant::now() + Duration::from_secs(3600);
    while world.app.limiter.take(address, per_second, at).is_ok() {}
    let (status, response) = world.get(FAR, "/healthz").await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(header_of(&response, "retry-after"), "1");
    while world.app.limiter.take(address, per_second, at).is_ok() {}
    let poll =
        Request::get(format!("/entries/{}", "0".repeat(64))).header("accept", "application/cose");
    let (status, response) = world.ask(FAR, poll, Vec::new()).await;
    assert_eq!(
        (status, header_of(&response, "retry-after")),
        (StatusCode::TOO_MANY_REQUESTS, "1".into())
    );
    let kind = header_of(&response, "content-type");
    assert_eq!(kind, "application/concise-problem-details+cbor");
    assert_eq!(world.get(Origin::Socket, "/healthz").await.0, StatusCode::OK);
    world.end();
}
