//! Descriptions of the resolver, the trace, the bundle, and the two forms.

use hallmark_schemas::goods::GOODS_MAX;
use hallmark_schemas::goods::scheme::SCHEMES;
use serde_json::{Map, Value, json};

use super::attestations::id_in_path;
use super::operation::{Operation, Token};
use super::schemas::{binary, schema, text};
use crate::api::passport::forms::FORM_BYTES_MAX;
use crate::passport::code::{KEYS, LINK_BYTES_MAX};

pub(super) const TAG: &str = "goods";
pub(super) const FORMS_TAG: &str = "forms";

const JSON: &str = "application/json";
const HTML: &str = "text/html";
const FORM: &str = "application/x-www-form-urlencoded";
const STATES: &str = "Looking changes and counts nothing. The status follows the state: 400 \
    `unreadable`, 404 `foreign` and `unknown`, else 200; each comes with its passport.";

const LANG: &str = "The language: a tag of BCP 47, looked up by its first part. One that is neither \
    English nor Chinese counts as not said; then `Accept-Language` decides.";

fn language() -> Value {
    json!({ "type": "string", "examples": ["en", "zh-Hans", "zh-CN"] })
}

pub(super) fn operations() -> Vec<Operation> {
    let mut all: Vec<Operation> = KEYS.iter().map(|key| link(key)).collect();
    all.extend(other_codes());
    all.extend(reads());
    all.extend(forms());
    all
}

/// Statuses of which a passport has answers of its own.
const STATUSES: [u16; 5] = [200, 304, 307, 400, 404];

/// What all routes of passports share: the answers, and what selects one of them.
fn common() -> Operation {
    let forms = [
        (HTML, text("The page, in English or Chinese.")),
        (JSON, schema("Passport")),
        ("application/ld+json", schema("PassportLd")),
        ("application/linkset+json", schema("Linkset")),
    ];
    let bare = ["ETag", "Cache-Control", "Vary", "Content-Encoding", "Content-Language"];
    let head = [&bare[..], &["Link"]].concat();
    Operation::get("")
        .header("Accept", json!({ "type": "string" }), "Which form; the page if it takes any.")
        .header("Accept-Language", json!({ "type": "string" }), "English or Chinese.")
        .query(
            "linkType",
            json!({ "type": "string", "examples": ["all", "linkset", "gs1:traceability"] }),
            "A link type of the GS1 Web Vocabulary; `linkset` or `all` for the links themselves.",
        )
        .query("lang", language(), LANG)
        .cached("The passport.", &forms)
        .gives(200, "The passport.", &forms, &head)
        .tells(&[304], &["Link", "Vary", "Content-Language"])
        .gives(
            307,
            "`linkType=gs1:traceability`, unless the client reads pages: to this node's trace.",
            &[],
            &["Location"],
        )
        .gives(400, "The passport of a code that cannot be read.", &forms, &bare)
        .gives(404, "The passport of goods without a record.", &forms, &head)
        .fails(&[400, 404])
        .shared()
}

/// The answers that operations name.
pub(super) fn responses() -> Map<String, Value> {
    let common = common().to_json();
    let of = |status: &u16| {
        (format!("Passport{status}"), common["responses"][status.to_string()].clone())
    };
    let mut all: Map<String, Value> = STATUSES.iter().map(of).collect();
    all.insert("Preflight".to_owned(), Operation::preflight_answer());
    all
}

/// The parameters that operations name.
pub(super) fn parameters() -> Map<String, Value> {
    let common = common().to_json();
    let all = common["parameters"].as_array().into_iter().flatten();
    let name = |one: &Value| format!("Passport-{}", one["name"].as_str().unwrap_or_default());
    all.map(|one| (name(one), one.clone())).collect()
}

fn passport(operation: Operation) -> Operation {
    let named = parameters().keys().fold(operation, |operation, name| operation.asked(name));
    let answer = |operation: Operation, status: &u16| {
        operation.answers(*status, &format!("Passport{status}"))
    };
    STATUSES.iter().fold(named, answer).fails(&[406]).shared()
}

/// The route of one key of Digital Links.
fn link(key: &str) -> Operation {
    let route = format!("/{key}/{{*rest}}");
    let about = "The value of the key, then pairs of qualifier and value; slashes as they are.";
    let rest = json!({ "type": "string", "maxLength": LINK_BYTES_MAX });
    let example = if key == "01" { "09506000134352/21/S1" } else { "1" };
    let summary = format!("Passport of a GS1 Digital Link of key {key}");
    let name = format!("followLink{key}");
    let get = Operation::get(&route).says(&name, TAG, &summary).about(STATES);
    passport(get.path("rest", rest, example, about))
}

fn other_codes() -> Vec<Operation> {
    let route = "/goods/{scheme}/{*value}";
    let scheme = |operation: Operation| {
        let names: Vec<&str> = SCHEMES.iter().map(|scheme| scheme.name).collect();
        let scheme = json!({ "type": "string", "enum": names });
        let value = json!({ "type": "string", "maxLength": GOODS_MAX });
        operation.path("scheme", scheme, "drug", "A scheme other than GS1.").path(
            "value",
            value,
            "81234567890123456789",
            "The code; slashes as they are.",
        )
    };
    let code = json!({ "type": "string", "maxLength": LINK_BYTES_MAX });
    let described = [(JSON, schema("Resolver"))];
    vec![
        passport(scheme(
            Operation::get(route)
                .says("followCode", TAG, "Passport of goods of another scheme")
                .about(STATES),
        )),
        passport(
            Operation::get("/goods")
                .says("followTyped", TAG, "Passport of a code that a person typed")
                .about(STATES)
                .query("code", code, "A Digital Link, an element string, a GTIN, or another code."),
        ),
        Operation::get("/.well-known/gs1resolver")
            .says("describeResolver", TAG, "What this resolver can do, as GS1 asks it")
            .cached("The description.", &described)
            .shared(),
    ]
}

fn reads() -> Vec<Operation> {
    let goods = json!({ "type": "string", "maxLength": GOODS_MAX });
    let format = json!({ "type": "string", "enum": ["json", "epcis", "svg", "dot", "text"] });
    vec![
        Operation::get("/v1/trace/{*goods}")
            .says("trace", TAG, "The way of goods over all logs held here")
            .about("As far as the caller may see it; 404 also where no step may be seen.")
            .path(
                "goods",
                goods.clone(),
                "01/09506000134352/21/S1",
                "The path of the goods on a node (`01/…`, `goods/drug/…`), as it stands; or any \
                 writing of their code (element string, Digital Link, EPC URN, URN), \
                 percent-encoded.",
            )
            .query("format", format, "The form; it goes before `Accept`.")
            .header("Accept", json!({ "type": "string", "default": JSON }), "Which form.")
            .cached(
                "The trace. Each use asks whether it is still so.",
                &[
                    (JSON, schema("Trace")),
                    ("application/ld+json", text("Its events, an EPCIS 2.0 query document.")),
                    ("image/svg+xml", text("A drawing.")),
                    ("text/vnd.graphviz", text("A graph for Graphviz.")),
                    ("text/plain", text("Lines for people.")),
                ],
            )
            .tells(&[200, 304], &["Vary", "Hallmark-Bodies-Damaged"])
            .fails(&[404, 406])
            .token(Token::Optional("read"))
            .shared(),
        Operation::get("/v1/bundle/{*goods}")
            .says("readBundle", TAG, "The public records behind a passport, to check offline")
            .about("Read by `hallmark-verify check`, and by the page of the goods in a browser.")
            .path(
                "goods",
                goods,
                "01/09506000134352/21/S1",
                "The path of the goods on a node (`01/…`, `goods/drug/…`), as it stands; or any \
                 writing of their code, percent-encoded.",
            )
            .cached(
                "A bundle: a CBOR sequence.",
                &[(
                    "application/vnd.hallmark.bundle+cbor-seq",
                    binary("The bundle of schemas/spec/bundle.md."),
                )],
            )
            .fails(&[404])
            .shared(),
    ]
}

fn forms() -> Vec<Operation> {
    let about = "No account, cookie or address is kept. `form` is handed out with the passport of \
        the goods, for a day; sent again it is the same submission, with other words 409. Only \
        goods with a record here, of which none is broken, are confirmed; few forms a minute from \
        one address.";
    let of = |route: &str, name: &str, summary: &str, form: &str| {
        let taken = Operation::post(route)
            .says(name, FORMS_TAG, summary)
            .about(about)
            .takes(&[(JSON, schema(form)), (FORM, schema(form))], FORM_BYTES_MAX)
            .gives(201, "Taken (JSON).", &[(JSON, schema("FormAnswer"))], &["Location"])
            .gives(303, "Taken (encoded form): to the page with the number.", &[], &["Location"]);
        // Of these a browser gets a page that holds the form again.
        let refusals = [400, 403, 404, 408, 409, 413, 415, 429, 500, 503, 507];
        let told = |operation: Operation, status: &u16| {
            let again = matches!(status, 429 | 503 | 507).then_some("Retry-After");
            let head: Vec<&str> = again.into_iter().chain(["Content-Language"]).collect();
            operation.gives(*status, "Refused: with the form, to be corrected.", &page(), &head)
        };
        refusals.iter().fold(taken, told).fails(&refusals)
    };
    let told = |route: &str, name: &str, summary: &str| {
        id_in_path(Operation::get(route).says(name, FORMS_TAG, summary))
            .query("lang", language(), LANG)
            .query("at", json!({ "type": "string" }), "The path of the code as it was printed.")
            .gives(200, "The page.", &page(), &["Content-Language"])
            .fails(&[404])
    };
    vec![
        of("/confirmations", "confirm", "\"I bought this\"", "ConfirmationForm"),
        told("/confirmations/{id}", "readConfirmation", "The page after a confirmation"),
        of("/complaints", "complain", "\"Report a problem\"", "ComplaintForm"),
        told("/complaints/{id}", "readComplaint", "The page after a complaint, with its number"),
    ]
}

fn page() -> [(&'static str, Value); 1] {
    [(HTML, text("A page."))]
}
