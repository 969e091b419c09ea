//! Descriptions of findings, health, metrics, the network file, scripts, and this document.

use serde_json::json;

use super::operation::{Operation, Token};
use super::schemas::{binary, schema, text};
use crate::api::assets;
use crate::api::findings::FINDINGS_MAX;

pub(super) const TAG: &str = "node";
pub(super) const FINDINGS_TAG: &str = "findings";

const JSON: &str = "application/json";

pub(super) fn operations() -> Vec<Operation> {
    let mut all = findings();
    all.extend(health());
    all.extend(files());
    all
}

fn findings() -> Vec<Operation> {
    let word = || json!({ "type": "string" });
    let severity = json!({ "type": "string", "enum": ["note", "warning", "error"] });
    let about = "Who may read findings without a token is configured: all, loopback, none.";
    let after = json!({ "type": "integer", "minimum": 0, "default": 0 });
    let id = json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" });
    let example = "0".repeat(64);
    vec![
        Operation::get("/")
            .says("showFindings", FINDINGS_TAG, "The findings as a page")
            .about(about)
            .header("Accept-Language", word(), "English or Chinese.")
            .gives(
                200,
                "The page.",
                &[("text/html", text("A page."))],
                &["Vary", "Content-Language"],
            )
            .token(Token::Optional("read")),
        Operation::get("/v1/findings")
            .says("listFindings", FINDINGS_TAG, &format!("The findings, {FINDINGS_MAX} at once"))
            .about(about)
            .query("code", word(), "Only of this rule.")
            .query("subject", word(), "Only about this subject.")
            .query("severity", severity, "Only of this severity.")
            .query("after", after, "Pass over so many: `next_after` of the answer before.")
            .gives(200, "The findings.", &[(JSON, schema("Findings"))], &[])
            .fails(&[400])
            .token(Token::Optional("read")),
        Operation::get("/v1/findings/{id}")
            .says("readFinding", FINDINGS_TAG, "One finding with its evidence")
            .about(about)
            .path("id", id, &example, "Id of the finding.")
            .gives(200, "The finding.", &[(JSON, schema("Finding"))], &[])
            .fails(&[404])
            .token(Token::Optional("read")),
    ]
}

fn health() -> Vec<Operation> {
    let not_ready = ("application/problem+json", schema("NotReady"));
    vec![
        Operation::get("/healthz")
            .says("isAlive", TAG, "Alive")
            .gives(200, "`alive`.", &[("text/plain", text("`alive` and a line end."))], &[])
            .shared(),
        Operation::get("/readyz")
            .says("isReady", TAG, "Ready, or why not, part by part")
            .gives(200, "Ready.", &[(JSON, schema("Readiness"))], &[])
            .gives(503, "Not ready.", &[not_ready], &["Retry-After"])
            .shared(),
        Operation::get("/metrics").says("readMetrics", TAG, "Numbers for Prometheus").gives(
            200,
            "Prometheus text, version 0.0.4.",
            &[("text/plain", text("Samples."))],
            &[],
        ),
    ]
}

fn files() -> Vec<Operation> {
    let script = [("text/javascript", text("A module without dependencies."))];
    let names: Vec<&str> = assets::scripts().into_keys().collect();
    let names = json!({ "type": "string", "enum": names });
    vec![
        Operation::get("/network.hallmark")
            .says("readNetwork", TAG, "The network file that everything is proved from")
            .cached(
                "The newest version that this node knows.",
                &[("application/vnd.hallmark.network+cbor", binary("A signed network file."))],
            )
            .shared(),
        Operation::get("/assets/{name}")
            .says("readScript", TAG, "A part of the script that checks a bundle in a browser")
            .about("`page.mjs` is the part that a page asks for; it loads the others when needed.")
            .path("name", names, "page.mjs", "The part.")
            .cached("The script.", &script)
            .tells(&[200], &["Content-Encoding"])
            .tells(&[200, 304], &["Vary"])
            .fails(&[404]),
        Operation::get("/openapi.json")
            .says("describe", TAG, "This document")
            .cached("OpenAPI 3.1.", &[(JSON, json!({ "type": "object" }))])
            .shared(),
    ]
}
