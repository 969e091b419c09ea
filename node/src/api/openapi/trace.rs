//! Schemas of `/v1/trace/{*goods}`.

use serde_json::{Value, json};

use super::schemas::{count, list, object, schema, string, truth};

pub(super) fn traces() -> Value {
    let relations = ["start", "content", "carrier", "input", "output", "lot", "member"];
    let event = object(
        "What an event says, as far as a trace shows it.",
        json!({
            "issuer": string(), "event_id": string(), "event_at": schema("Instant"),
            "type": string(), "action?": string(), "biz_step?": string(),
            "disposition?": string(), "read_point?": string(), "biz_location?": string(),
            "parent?": string(), "empties?": truth(), "declares_error?": truth(),
            "declared_error?": truth(),
        }),
    );
    let stay = object(
        "Goods on the way, for as long as they concern what is traced.",
        json!({
            "goods": string(), "relation": { "type": "string", "enum": relations },
            "parent?": count(), "from_step?": count(), "to_step?": count(),
            "packed_again?": truth(), "amount?": string(), "uom?": string(),
            "amount_unknown?": truth(), "looked_up": truth(), "steps": list(count()),
            "used_up_by?": list(count()),
        }),
    );
    let step = object(
        "One event on the way; `event` is absent if its body is not held here, or is damaged.",
        json!({
            "id": schema("ContentId"), "log": string(), "entry": count(),
            "admitted_at": schema("Instant"), "event?": event,
            "damaged?": truth(),
        }),
    );
    let cut = object(
        "What a limit left out.",
        json!({
            "goods_left_out": count(), "events_left_out": count(), "events_unread": truth(),
            "links_left_out": count(),
        }),
    );
    let unknown = object(
        "An edge that no record held here tells.",
        json!({
            "stay": count(), "step?": count(),
            "what": { "type": "string", "enum": ["origin", "sender", "receiver"] },
        }),
    );
    json!({
        "Trace": object("The way of goods.", json!({
            "goods": string(), "stays": list(stay), "steps": list(step), "unknown": list(unknown),
            "cut": cut,
            "logs": list(log_extent()), "verdict": string(),
        })),
    })
}

pub(super) fn log_extent() -> Value {
    object(
        "How much of a log was looked into.",
        json!({
            "origin": string(), "entries": count(), "bodies_missing": count(),
            "bodies_damaged": count(),
        }),
    )
}
