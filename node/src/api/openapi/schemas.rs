//! Schemas of the JSON that routes take and answer.
//!
//! Invariants: words of closed sets come from their types; a member that an answer has and its
//! schema has not fails a test.

use hallmark_schemas::goods::GOODS_MAX;
use hallmark_schemas::kind::KindName;
use hallmark_schemas::kind::complaint::{Category, TEXT_BYTES_MAX};
use hallmark_schemas::kind::confirmation::Act;
use serde_json::{Map, Value, json};

use super::passport::passports;
use super::trace::traces;

/// A reference to a part of the document.
pub(super) fn reference(part: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{part}/{name}") })
}

/// A reference to a schema below.
pub(super) fn schema(name: &str) -> Value {
    reference("schemas", name)
}

/// A body that is no text.
pub(super) fn binary(about: &str) -> Value {
    json!({ "description": about })
}

/// A body that is text of no further structure here.
pub(super) fn text(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

/// An object; a member whose name ends in `?` may be absent.
pub(super) fn object(about: &str, members: Value) -> Value {
    let Value::Object(members) = members else { return Value::Null };
    let required: Vec<&String> = members.keys().filter(|name| !name.ends_with('?')).collect();
    let mut value = json!({ "type": "object", "description": about, "required": required });
    let plain = members.iter().map(|(name, of)| (name.trim_end_matches('?').into(), of.clone()));
    value["properties"] = Value::Object(plain.collect());
    value
}

/// What a client sends: other members are refused.
fn strict(mut object: Value) -> Value {
    object["additionalProperties"] = json!(false);
    object
}

pub(super) fn list(of: Value) -> Value {
    json!({ "type": "array", "items": of })
}

pub(super) fn or_null(of: Value) -> Value {
    json!({ "anyOf": [of, { "type": "null" }] })
}

pub(super) fn string() -> Value {
    json!({ "type": "string" })
}

pub(super) fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

pub(super) fn truth() -> Value {
    json!({ "type": "boolean" })
}

pub(super) fn words<T: ToString>(all: &[T]) -> Value {
    let words: Vec<String> = all.iter().map(T::to_string).collect();
    json!({ "type": "string", "enum": words })
}

/// Every schema, by name.
pub(super) fn all() -> Value {
    let mut all = Map::new();
    let own = [problems(), attestations(), findings(), forms(), resolver()];
    for part in own.into_iter().chain([
        passports(),
        traces(),
        super::recalls::schemas(),
        super::epcis::schemas(),
    ]) {
        let Value::Object(part) = part else { continue };
        all.extend(part);
    }
    Value::Object(all)
}

fn problems() -> Value {
    let members = json!({
        "type": { "type": "string", "format": "uri", "description":
            "`urn:hallmark:problem:` and a code that stays the same, such as `malformed`" },
        "title": string(), "status": { "type": "integer", "minimum": 400, "maximum": 599 },
        "detail": string(),
        "earlier?": schema("ContentId"),
    });
    let part = json!({ "type": "string", "description": "`ready`, or why not" });
    let parts = json!({
        "store": part, "index": part, "log": part, "quorum": part, "broker": string(),
        "peers": { "type": "object", "additionalProperties": string(), "description":
            "followed logs that cannot be followed now, and why" },
        "damaged": { "type": "array", "maxItems": 16, "items": string(), "description":
            "files of the logs and packs that were found lost or damaged when they were read" },
        "process": object(
            "Which process answers.",
            json!({
                "log": { "type": "string", "description": "verifier key of the log that it signs" },
                "run": { "type": "string", "pattern": "^[0-9a-f]{32}$", "description":
                    "random, of this run: another one of the same log must sign nothing" },
                "beside": { "type": "array", "maxItems": 16, "items": string(), "description":
                    "other runs of the same log that it has met" },
            }),
        ),
    });
    let mut not_ready = members.clone();
    if let (Some(all), Some(parts)) = (not_ready.as_object_mut(), parts.as_object()) {
        all.extend(parts.clone());
    }
    json!({
        "Problem": object("RFC 9457. `earlier`: what a contradiction contradicts.", members),
        "ConciseProblem": binary("RFC 9290, CBOR: {-1: title, -2: detail, -4: status}"),
        "Readiness": object("`ready` in every part means ready.", parts),
        "NotReady": object("RFC 9457, with the parts of the readiness.", not_ready),
    })
}

fn attestations() -> Value {
    let kinds: Vec<&str> = KindName::ALL.iter().map(|kind| kind.as_str()).collect();
    let place = object(
        "Where a log holds it.",
        json!({ "log": string(), "index": count(), "admitted_at": schema("Instant") }),
    );
    let attestation = json!({
        "id": schema("ContentId"), "kind": schema("Kind"), "iss": string(), "sub": string(),
        "aud": schema("Audience"), "iat": schema("Instant"), "regions": list(string()),
        "kid": string(), "payload": { "type": "object" }, "places": list(place),
    });
    let statement = json!({
        "kind": schema("Kind"), "sub?": string(), "aud?": schema("Audience"),
        "regions?": list(json!({ "type": "string", "pattern": "^[A-Z]{2}$" })),
        "payload": { "type": "object", "description": "The fields of the kind." },
    });
    let event = json!({
        "type": "object", "required": ["type"], "properties": { "type": string() },
        "description": "One EPCIS 2.0 event, or a document with one.",
    });
    let own = strict(object("What the node signs.", statement));
    json!({
        "Digest": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
        "ContentId": { "type": "string", "pattern": "^sha256:[0-9a-f]{64}$" },
        "Instant": { "type": "string", "format": "date-time" },
        "Kind": words(&kinds),
        "Audience": {
            "description": "Who may read the body: anyone, members, or these organisations.",
            "anyOf": [{ "type": "string", "enum": ["public", "members"] }, list(string())],
        },
        "Statement": { "anyOf": [own, event] },
        "Registered": object("How far it has come.", json!({
            "id": schema("ContentId"),
            "status": { "type": "string", "enum": ["stored", "deferred"] },
        })),
        "Attestation": object("An attestation as JSON.", attestation),
    })
}

fn findings() -> Value {
    let finding = json!({
        "id": schema("Digest"), "code": string(), "title": string(), "subject": string(),
        "anchor": string(), "period_start": or_null(schema("Instant")),
        "period_end": or_null(schema("Instant")),
        "severity": { "type": "string", "enum": ["note", "warning", "error"] },
        "class": string(), "effect": or_null(json!({ "type": "integer" })),
        "effect_unit": or_null(string()), "message_en": string(), "message_zh": string(),
        "evidence": list(string()), "evidence_count": count(), "innocent": list(string()),
        "basis": list(string()), "answer": string(), "expires_at": schema("Instant"),
        "pack_digest": schema("Digest"), "explained_by": or_null(schema("Digest")),
        "competing": list(schema("Digest")), "columns": { "type": "object" },
    });
    let silent = object(
        "A rule with nothing to judge.",
        json!({
            "code": string(), "reason": string(),
        }),
    );
    json!({
        "Finding": object("A fact with its evidence; it can be answered, and expires.", finding),
        "Findings": object("Findings of the newest judgement.", json!({
            "as_of": or_null(schema("Instant")), "total": count(),
            "next_after": or_null(count()), "findings": list(schema("Finding")),
            "silent": list(silent),
        })),
    })
}

fn forms() -> Value {
    let goods = json!({ "type": "string", "maxLength": GOODS_MAX });
    let form = json!({ "type": "string", "pattern": "^[0-9a-f]{64}$", "description":
        "Handed out with the passport of the goods, for one form and a day; it is kept nowhere." });
    let at = json!({ "type": "string", "description":
        "The path of the code as it was printed, to lead back there" });
    let region = json!({ "type": "string", "description":
        "ISO 3166-1 or 3166-2, as coarse as the buyer likes; empty for none" });
    let lang = json!({ "type": "string", "examples": ["en", "zh-Hans"] });
    let complaint_text = json!({ "type": "string", "description": format!(
        "At most {TEXT_BYTES_MAX} bytes; refused if it looks as if it named a person"
    ) });
    json!({
        "ConfirmationForm": strict(object("\"I bought this\".", json!({
            "goods": goods, "form": form, "act": words(Act::ALL), "region?": region,
            "at?": at, "lang?": lang,
        }))),
        "ComplaintForm": strict(object("\"Report a problem\".", json!({
            "goods": goods, "form": form, "category": words(Category::ALL),
            "text?": complaint_text, "region?": region, "at?": at, "lang?": lang,
        }))),
        "FormAnswer": object("What was taken.", json!({
            "id": schema("ContentId"), "goods": string(),
            "number": { "type": "string", "pattern": "^[0-9A-F]{4}(-[0-9A-F]{4}){2}$" },
        })),
    })
}

fn resolver() -> Value {
    let titled =
        object("A title in a language.", json!({ "value": string(), "language": string() }));
    let link = object(
        "A link to this node: `title` in the reader's language, `title*` in all.",
        json!({
            "href": { "type": "string", "format": "uri" }, "title": string(), "type": string(),
            "title*": list(titled), "hreflang?": list(string()),
        }),
    );
    let mut context = object(
        "The links of the goods, by link type.",
        json!({
            "anchor": { "type": "string", "format": "uri" }, "itemDescription?": string(),
        }),
    );
    context["additionalProperties"] = list(link);
    let vocabulary = object(
        "A vocabulary of link types.",
        json!({
            "namespace": string(), "prefix": string(),
        }),
    );
    json!({
        "Linkset": object("RFC 9264.", json!({ "linkset": list(context) })),
        "Resolver": object("GS1-conformant resolver, self-described.", json!({
            "name": string(), "resolverRoot": string(), "supportedPrimaryKeys": list(string()),
            "supportedLinkType": list(vocabulary),
            "supportedContextValuesEnumerated": list(string()),
            "linkTypeDefaultCanBeAll": truth(), "supportsLanguageVariants": truth(),
            "validatesAIcombinations": truth(),
            "contact": object("Who runs it.", json!({ "fn": string() })),
        })),
    })
}
