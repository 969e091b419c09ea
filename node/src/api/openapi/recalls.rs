//! Description of `/v1/recalls`.

use serde_json::{Value, json};

use super::goods::TAG;
use super::operation::{Operation, Token};
use super::schemas::{count, list, object, schema, string, text, truth};
use crate::reach::{RECALLS_MAX, STARTS_MAX};

const JSON: &str = "application/json";

pub(super) fn operations() -> Vec<Operation> {
    let instant = || json!({ "type": "string", "format": "date-time" });
    let format = json!({ "type": "string", "enum": ["json", "text"] });
    let few = format!("At most {RECALLS_MAX}; later versions stand for those that they replace.");
    let goods = format!(
        "Items, lots, classes, inputs or containers in any writing of their code, up to \
         {STARTS_MAX} with spaces between."
    );
    vec![
        Operation::get("/v1/recalls")
            .says("listRecalls", TAG, "Recalls on record, the last to be recorded first")
            .about(&few)
            .gives(200, "The recalls.", &[(JSON, schema("Recalls"))], &["Vary"])
            .fails(&[400])
            .token(Token::Optional("read"))
            .shared(),
        Operation::get("/v1/recalls/reach")
            .says("reach", TAG, "What goods that are called back reach, and who has it")
            .about(
                "Forward over all logs held here, as far as the caller may see it: what was made of \
                 the goods, the items of a lot, what was in a container. Give `goods`, or \
                 `facility` with `from` and `to`.",
            )
            .query("goods", string(), &goods)
            .query("facility", string(), "All that was made there: a facility, or a GLN as Digital Link.")
            .query("from", instant(), "From then on.")
            .query("to", instant(), "Until then, exclusive.")
            .query(
                "since",
                instant(),
                "Since when the goods are called back: what holders record from then on answers it. \
                 Default: as the recall in force says.",
            )
            .query("format", format, "The form; JSON where none is said.")
            .gives(
                200,
                "What is reached.",
                &[(JSON, schema("Reach")), ("text/plain", text("Lines for people."))],
                &["Vary"],
            )
            .fails(&[400])
            .token(Token::Optional("read"))
            .shared(),
    ]
}

pub(super) fn schemas() -> Value {
    let instant = || schema("Instant");
    let words = || {
        object("Words in one language or two.", json!({ "en?": string(), "zh-Hans?": string() }))
    };
    let recall = object(
        "A recall as it is recorded.",
        json!({
            "id": schema("ContentId"), "issuer": string(), "goods": list(string()),
            "in_force": truth(), "recall": string(), "covers?": list(string()), "why": words(),
            "what_to_do": words(),
            "contact": object("An organisation's.", json!({ "url?": string(), "phone?": string() })),
            "since": instant(), "utc_offset?": string(), "lifted_at?": instant(),
            "cites?": list(schema("ContentId")), "replaces?": schema("ContentId"),
            "reason?": string(),
        }),
    );
    let holder = object(
        "Who has items that are reached; `answered` counts those that it recorded, since the recall, as \
         recalled, set apart, sent back or destroyed.",
        json!({
            "holder": string(), "held": count(), "sold": count(), "ended": count(),
            "expected": count(), "answered": count(), "answered_at?": instant(),
            "places": list(string()),
        }),
    );
    let [stock, unresolved, item] = parts();
    let totals = object(
        "All items that are reached, counted; `confirmed_ppm` is the share of which whoever has it, \
         sold it or ended it says so.",
        json!({
            "items": count(), "held": count(), "in_transit": count(), "sold": count(),
            "ended": count(), "unseen": count(), "used_up": count(), "confirmed_ppm": count(),
            "answered": count(), "lots": count(),
        }),
    );
    let cut = object(
        "What a limit or a missing body left out.",
        json!({
            "goods_left_out": count(), "events_left_out": count(), "events_unread": truth(),
            "bodies_missing": count(),
        }),
    );
    json!({
        "Recalls": object("Recalls.", json!({ "recalls": list(recall.clone()) })),
        "Reach": object("What is reached.", json!({
            "goods": list(string()), "since?": instant(), "totals": totals,
            "holders": list(holder), "stocks": list(stock), "unresolved": list(unresolved),
            "items": list(item), "covers": list(string()), "cut": cut,
            "logs": list(super::trace::log_extent()), "recalls": list(recall), "verdict": string(),
        })),
    })
}

/// Schemas of what is listed beside the holders: stocks, what leads nowhere, items.
fn parts() -> [Value; 3] {
    let instant = || schema("Instant");
    let stock = object(
        "An amount of a lot that is not told item by item; without `amount` it is not known.",
        json!({
            "goods": string(), "holder": string(), "place?": string(), "amount?": string(),
            "uom?": string(),
        }),
    );
    let why = ["in_transit", "not_received", "unknown_amount", "whole_class"];
    let unresolved = object(
        "An edge that leads nowhere.",
        json!({
            "why": { "type": "string", "enum": why }, "goods": string(), "items": count(),
            "amount?": string(), "from?": string(), "to?": string(), "at?": instant(),
            "event?": schema("ContentId"),
        }),
    );
    let states = ["held", "in_transit", "sold", "ended", "used_up", "unseen"];
    let item = object(
        "One item that is reached.",
        json!({
            "goods": string(), "relation": string(), "because?": string(),
            "state": { "type": "string", "enum": states }, "holder?": string(), "place?": string(),
            "at?": instant(), "event?": schema("ContentId"), "answered_at?": instant(),
        }),
    );
    [stock, unresolved, item]
}
