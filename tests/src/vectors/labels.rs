//! Serials under a label key.

use super::hex;
use hallmark_schemas::serial::{LabelKey, NUMBER_MAX};
use serde_json::{Value, json};

const GTIN: &str = "06901234000207";

fn serial(seed: u8, order: &str, number: u64) -> Value {
    let secret = [seed; 32];
    let made = LabelKey::from_secret(&secret).serial(GTIN, order, number);
    let made = made.expect("the number has 36 bits");
    json!({"secret": hex(&secret), "gtin": GTIN, "order": order, "number": number, "serial": made})
}

pub(super) fn vectors() -> Value {
    json!({"serials": [
        serial(1, "PO-7/1", 0),
        serial(1, "PO-7/1", 1),
        serial(1, "PO-7/1", 40_000_000_000),
        serial(1, "PO-7/1", NUMBER_MAX),
        serial(1, "PO-7/2", 0),
        serial(2, "PO-7/1", 0),
    ]})
}
