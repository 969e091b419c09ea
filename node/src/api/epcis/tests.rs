use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use crate::api::tests::{FAR, World, bytes, header_of};
use crate::serve::Origin;

const ME: Origin = Origin::Socket;

fn event(number: usize, step: &str) -> Value {
    json!({
        "type": "ObjectEvent", "action": "OBSERVE", "bizStep": step,
        "eventID": format!("urn:uuid:00000000-0000-4000-8000-{number:012}"),
        "eventTime": format!("2026-01-02T03:{:02}:05.000+08:00", 59 - number),
        "eventTimeZoneOffset": "+08:00",
        "epcList": [format!("https://id.gs1.org/01/09520123456788/21/{number}")],
        "example:weight": 1.50,
    })
}

fn document(events: &[Value]) -> String {
    json!({
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
            { "example": "https://ns.example.com/" }],
        "type": "EPCISDocument", "schemaVersion": "2.0",
        "creationDate": "2026-01-02T03:04:05Z", "epcisBody": { "eventList": events },
    })
    .to_string()
}

impl World {
    async fn send(
        &self,
        origin: Origin,
        path: &str,
        head: &[(&str, &str)],
        body: String,
    ) -> (StatusCode, Response) {
        let mut request = Request::post(path);
        for (name, value) in head {
            request = request.header(*name, *value);
        }
        self.ask(origin, request, body.into_bytes()).await
    }

    async fn captured(&self, body: String, behaviour: &str) -> Value {
        let head =
            [("content-type", "application/json"), ("gs1-capture-error-behaviour", behaviour)];
        let (status, response) = self.send(ME, "/epcis/capture", &head, body).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        self.json(&header_of(&response, "location")).await
    }

    async fn json(&self, path: &str) -> Value {
        let (status, response) = self.get(ME, path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        serde_json::from_slice(&bytes(response).await).unwrap()
    }

    async fn found(&self, path: &str) -> Vec<Value> {
        let document = self.json(path).await;
        let list = document.pointer("/epcisBody/queryResults/resultsBody/eventList");
        list.unwrap().as_array().unwrap().clone()
    }

    /// Waits until everything stored is in the log, where queries look.
    async fn settle(&self, job: &Value) {
        let ids = job["attestations"].as_array().unwrap().iter().filter_map(Value::as_str);
        for id in ids {
            self.app.node.recorded(&id.parse().unwrap()).await.unwrap();
        }
    }
}

async fn problem(response: Response) -> Value {
    assert_eq!(header_of(&response, "content-type"), "application/problem+json");
    assert_eq!(header_of(&response, "gs1-epcis-version"), "2.0.0");
    serde_json::from_slice(&bytes(response).await).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_is_captured_told_by_its_job_and_read_back_as_it_was_sent() {
    let world = World::new().await;
    let sent = [event(1, "shipping"), event(2, "receiving")];
    let job = world.captured(document(&sent), "rollback").await;
    assert_eq!((&job["success"], &job["running"]), (&json!(true), &json!(false)));
    assert_eq!(job["attestations"].as_array().unwrap().len(), 2);
    // The same again is the same.
    let again = world.captured(document(&sent), "rollback").await;
    assert_eq!((&again["success"], &again["attestations"]), (&json!(true), &job["attestations"]));
    let jobs = world.json("/epcis/capture").await;
    assert_eq!(jobs[0]["captureID"], again["captureID"]);
    let (_, first) = world.get(ME, "/epcis/capture?perPage=1").await;
    let link = header_of(&first, "link");
    let next = link.split(['<', '>']).nth(1).unwrap();
    assert_eq!(world.json(next).await[0]["captureID"], job["captureID"]);
    world.settle(&job).await;
    let found = world.found("/epcis/events").await;
    assert_eq!(found.len(), 2);
    for (mut found, sent) in found.into_iter().zip(&sent) {
        let members = found.as_object_mut().unwrap();
        assert!(members.remove("recordTime").unwrap().is_string());
        assert_eq!(members.remove("@context").unwrap()[1]["example"], "https://ns.example.com/");
        assert_eq!(found, *sent);
    }
    let path = "/epcis/events/urn:uuid:00000000-0000-4000-8000-000000000002";
    assert_eq!(world.json(path).await["bizStep"], "receiving");
    assert_eq!(world.json("/epcis/bizSteps").await["member"], json!(["receiving", "shipping"]));
    assert_eq!(world.found("/epcis/bizSteps/shipping/events").await.len(), 1);
    let item = "/epcis/epcs/urn:epc:id:sgtin:9520123.045678.2/events";
    assert_eq!(world.found(item).await[0]["bizStep"], "receiving");
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contradiction_rolls_the_document_back_or_is_left_out_of_it() {
    let world = World::new().await;
    let job = world.captured(document(&[event(1, "shipping")]), "rollback").await;
    world.settle(&job).await;
    let other = document(&[event(2, "shipping"), event(1, "receiving")]);
    let job = world.captured(other.clone(), "rollback").await;
    assert_eq!((&job["success"], &job["attestations"]), (&json!(false), &json!([null, null])));
    assert_eq!(job["errors"][1]["pointer"], "/epcisBody/eventList/1");
    assert_eq!(job["errors"][1]["status"], 409);
    assert_eq!(job["errors"][1]["type"], "epcisException:ResourceAlreadyExistsException");
    let job = world.captured(other, "proceed").await;
    assert!(job["attestations"][0].is_string() && job["attestations"][1].is_null());
    assert_eq!(job["errors"].as_array().unwrap().len(), 1);
    world.settle(&job).await;
    // The declaration of an error repeats its event, under the same eventID.
    let mut declared = event(1, "shipping");
    declared["errorDeclaration"] = json!({
        "declarationTime": "2026-01-03T00:00:00Z", "reason": "incorrect_data",
    });
    let job = world.captured(document(&[declared]), "rollback").await;
    assert_eq!(job["success"], true);
    world.settle(&job).await;
    // The contradiction is evidence, and no answer.
    assert_eq!(world.found("/epcis/events").await.len(), 3);
    assert_eq!(world.found("/epcis/events?EXISTS_errorDeclaration=").await.len(), 1);
    let path = "/epcis/events/urn:uuid:00000000-0000-4000-8000-000000000001";
    assert!(world.json(path).await["errorDeclaration"].is_object());
    let head = [("content-type", "application/ld+json")];
    let mut alone = event(1, "receiving");
    alone["@context"] = json!("https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld");
    let (status, response) = world.send(ME, "/epcis/events", &head, alone.to_string()).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(problem(response).await["type"], "epcisException:ResourceAlreadyExistsException");
    alone["eventID"] = json!("urn:uuid:00000000-0000-4000-8000-000000000009");
    let (status, response) = world.send(ME, "/epcis/events", &head, alone.to_string()).await;
    assert_eq!(status, StatusCode::CREATED);
    let location = header_of(&response, "location");
    assert!(location.ends_with("urn%3Auuid%3A00000000-0000-4000-8000-000000000009"), "{location}");
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_document_is_refused_with_the_place_of_each_fault() {
    let world = World::new().await;
    let json = ("content-type", "application/json");
    let mut no_time = event(2, "shipping");
    no_time["eventTime"] = json!("yesterday");
    let faulty = document(&[event(1, "making"), no_time, event(3, "shipping")]);
    let (status, response) = world.send(ME, "/epcis/capture", &[json], faulty).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let told = problem(response).await;
    assert_eq!(told["type"], "epcisException:ValidationException");
    assert_eq!(told["pointer"], "/epcisBody/eventList/0/bizStep");
    assert_eq!(told["errors"][1]["pointer"], "/epcisBody/eventList/1/eventTime");
    let whole = document(&[event(1, "shipping")]);
    let without = |member: &str| whole.replacen(member, "\"x\"", 1);
    let many = document(&vec![json!({}); 10_001]);
    for (origin, head, body, status, name) in [
        (FAR, vec![json], whole.clone(), 401, "SecurityException"),
        (ME, vec![], whole.clone(), 415, "UnsupportedMediaTypeException"),
        (
            ME,
            vec![("content-type", "text/csv")],
            whole.clone(),
            415,
            "UnsupportedMediaTypeException",
        ),
        (ME, vec![json], "{".to_owned(), 400, "ValidationException"),
        (ME, vec![json], without("\"schemaVersion\""), 400, "ValidationException"),
        (ME, vec![json], without("\"@context\""), 400, "ValidationException"),
        (ME, vec![json], many, 413, "CaptureLimitExceededException"),
        (
            ME,
            vec![json, ("gs1-epcis-version", "1.2")],
            whole.clone(),
            406,
            "NotAcceptableException",
        ),
        (
            ME,
            vec![json, ("gs1-capture-error-behaviour", "x")],
            whole.clone(),
            400,
            "ValidationException",
        ),
    ] {
        let (found, response) = world.send(origin, "/epcis/capture", &head, body).await;
        assert_eq!(found.as_u16(), status, "{name}");
        assert_eq!(problem(response).await["type"], format!("epcisException:{name}"));
    }
    let (_, response) = world.ask(ME, Request::options("/epcis/capture"), Vec::new()).await;
    assert_eq!(header_of(&response, "gs1-epcis-capture-limit"), "10000");
    assert_eq!(world.json("/epcis/capture").await, json!([]));
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_are_paged_and_ordered_and_refuse_what_they_do_not_know() {
    let world = World::new().await;
    let sent: Vec<Value> = (0..7).map(|number| event(number, "shipping")).collect();
    let job = world.captured(document(&sent), "rollback").await;
    world.settle(&job).await;
    for (query, steps) in [
        ("", [0, 1, 2, 3, 4, 5, 6]),
        ("orderBy=eventTime&orderDirection=ASC&", [6, 5, 4, 3, 2, 1, 0]),
        ("orderBy=eventTime&", [0, 1, 2, 3, 4, 5, 6]),
    ] {
        let mut path = format!("/epcis/events?{query}perPage=3");
        let mut found = Vec::new();
        let mut pages = 0;
        loop {
            found.extend(world.found(&path).await);
            let (_, response) = world.get(ME, &path).await;
            pages += 1;
            let Some(link) = response.headers().get("link") else { break };
            assert!(response.headers().contains_key("gs1-next-page-token-expires"));
            path = link.to_str().unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
        }
        let expected: Vec<&Value> = steps.iter().map(|step| &sent[*step]["eventID"]).collect();
        let found: Vec<&Value> = found.iter().map(|event| &event["eventID"]).collect();
        assert_eq!((found, pages), (expected, 3), "{query}");
    }
    let limited = world.found("/epcis/events?orderBy=eventTime&eventCountLimit=2").await;
    assert_eq!(limited.len(), 2);
    for (path, status, name) in [
        ("/epcis/events?maxEventCount=3", 413, "QueryTooLargeException"),
        ("/epcis/events?EQ_colour=red", 400, "QueryParameterException"),
        ("/epcis/events?perPage=0", 400, "QueryParameterException"),
        ("/epcis/events?nextPageToken=AAAA", 400, "QueryParameterException"),
        ("/epcis/bizSteps/making/events", 400, "QueryParameterException"),
        ("/epcis/events/urn:uuid:none", 404, "NoSuchResourceException"),
        ("/epcis/capture/none", 404, "NoSuchResourceException"),
    ] {
        let (found, response) = world.get(ME, path).await;
        assert_eq!(found.as_u16(), status, "{path}");
        assert_eq!(problem(response).await["type"], format!("epcisException:{name}"), "{path}");
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_not_public_is_shown_to_its_own_and_not_told_of() {
    let world = World::new().await;
    let job = world.captured(document(&[event(1, "shipping")]), "rollback").await;
    world.settle(&job).await;
    let path = "/epcis/events/urn:uuid:00000000-0000-4000-8000-000000000001";
    assert_eq!(world.get(ME, path).await.0, StatusCode::OK);
    assert_eq!(world.get(FAR, path).await.0, StatusCode::NOT_FOUND);
    let (status, response) = world.get(FAR, "/epcis/events").await;
    assert_eq!(status, StatusCode::OK);
    let text = String::from_utf8(bytes(response).await).unwrap();
    assert!(text.contains("\"eventList\":[]"), "{text}");
    let (_, response) = world.get(FAR, "/epcis/epcs").await;
    let body: Value = serde_json::from_slice(&bytes(response).await).unwrap();
    assert_eq!(body["member"], json!([]));
    let request = Request::builder().method(Method::DELETE).uri(path);
    assert_eq!(world.ask(ME, request, Vec::new()).await.0, StatusCode::METHOD_NOT_ALLOWED);
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_in_xml_is_captured_and_answered_in_json() {
    let world = World::new().await;
    let xml = "<epcis:EPCISDocument xmlns:epcis=\"urn:epcglobal:epcis:xsd:2\" \
               xmlns:x=\"https://example.com/x\" schemaVersion=\"2.0\" \
               creationDate=\"2026-03-01T08:00:00Z\"><EPCISBody><EventList><ObjectEvent>\
               <eventTime>2026-03-01T08:00:00+08:00</eventTime>\
               <eventTimeZoneOffset>+08:00</eventTimeZoneOffset><epcList>\
               <epc>urn:epc:id:sgtin:9520123.045678.5</epc></epcList><action>OBSERVE</action>\
               <bizStep>urn:epcglobal:cbv:bizstep:packing</bizStep><x:line>L1</x:line>\
               </ObjectEvent></EventList></EPCISBody></epcis:EPCISDocument>";
    let head = [("content-type", "application/xml; charset=utf-8")];
    let (status, response) = world.send(ME, "/epcis/capture", &head, xml.to_owned()).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let job = world.json(&header_of(&response, "location")).await;
    world.settle(&job).await;
    let found = world.found("/epcis/events?EQ_bizStep=packing").await;
    assert_eq!((&found[0]["x:line"], found.len()), (&json!("L1"), 1));
    assert!(found[0]["eventID"].as_str().unwrap().starts_with("ni:///sha-256;"));
    let bad = xml.replace("<epcis:", "<!DOCTYPE a><epcis:");
    let (status, response) = world.send(ME, "/epcis/capture", &head, bad).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(problem(response).await["detail"].as_str().unwrap().contains("document type"));
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identifiers_are_answered_as_captured_or_as_links_and_never_as_guesses() {
    let world = World::new().await;
    let urn = "urn:epc:id:sgtin:9521234.000012.77";
    let mut sent = event(1, "shipping");
    sent["epcList"] = json!([urn]);
    sent["example:copy"] = json!(urn);
    let job = world.captured(document(&[sent]), "rollback").await;
    world.settle(&job).await;
    let path = "/epcis/events/urn:uuid:00000000-0000-4000-8000-000000000001";
    for (format, told, epc) in [
        (None, "Never_Translates", urn),
        (Some("No_Preference"), "Never_Translates", urn),
        (
            Some("Always_GS1_Digital_Link"),
            "Always_GS1_Digital_Link",
            "https://id.gs1.org/01/09521234000129/21/77",
        ),
    ] {
        let asked = |path: &str| match format {
            Some(format) => Request::get(path).header("gs1-epc-format", format),
            None => Request::get(path),
        };
        let (status, response) = world.ask(ME, asked(path), Vec::new()).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(header_of(&response, "gs1-epc-format"), told);
        let one: Value = serde_json::from_slice(&bytes(response).await).unwrap();
        assert_eq!((&one["epcList"], &one["example:copy"]), (&json!([epc]), &json!(urn)));
        let (_, response) = world.ask(ME, asked("/epcis/events"), Vec::new()).await;
        let all: Value = serde_json::from_slice(&bytes(response).await).unwrap();
        let list = all.pointer("/epcisBody/queryResults/resultsBody/eventList/0/epcList");
        assert_eq!(list, Some(&json!([epc])));
    }
    let asked = Request::get(path).header("gs1-epc-format", "Always_EPC_URN");
    let (status, response) = world.ask(ME, asked, Vec::new()).await;
    assert_eq!(status, StatusCode::NOT_ACCEPTABLE);
    assert!(problem(response).await["detail"].as_str().unwrap().contains("company prefix"));
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_was_given_up_goes_on_nowhere() {
    let world = World::new().await;
    let sent: Vec<Value> = (0..3).map(|number| event(number, "shipping")).collect();
    let job = world.captured(document(&sent), "rollback").await;
    world.settle(&job).await;
    let (_, response) = world.get(ME, "/epcis/events?perPage=1").await;
    let link = header_of(&response, "link").to_owned();
    let next = link.split(['<', '>']).nth(1).unwrap().to_owned();
    assert_eq!(world.found(&next).await.len(), 1);
    let token = next.rsplit("nextPageToken=").next().unwrap();
    let delete = |token: &str| {
        let request = Request::delete(format!("/epcis/nextPageToken/{token}"));
        world.ask(ME, request, Vec::new())
    };
    assert_eq!(delete(token).await.0, StatusCode::NO_CONTENT);
    assert_eq!(delete("AAAA").await.0, StatusCode::NOT_FOUND);
    let (status, response) = world.get(ME, &next).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(problem(response).await["detail"].as_str().unwrap().contains("was given up"));
    world.end();
}
