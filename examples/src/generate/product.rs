//! What is said of the flask: by its maker, by who certified it, by who accredited that body.
//!
//! Invariants: periods enclose the instant that is given, so that all is in force whenever the
//! demo runs; standards exist, numbers and names are made up.

use hallmark_schemas::time::Timestamp;
use serde_json::{Value, json};

use super::{PRODUCER, VERIFIER, goods};

/// The lot that the labels name.
pub const LOT: &str = "L7";
/// The label order.
pub const ORDER: &str = "PO-7";
/// What the flask is certified to: metal in contact with food.
const STANDARD: &str = "GB 4806.9-2023";
/// Since when the maker's words hold.
const DESCRIBED_AT: &str = "2026-01-01T00:00:00Z";

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The maker's words: the flask, its lot, its footprint. One JSON document a line.
pub fn description() -> String {
    let words = |en: &str, zh: &str| json!({ "en": en, "zh-Hans": zh });
    let about = |sub: &str, name: Value, about: Value| {
        json!({ "kind": "masterdata", "sub": sub, "payload": {
            "from_at": DESCRIBED_AT, "name": name, "about": about } })
    };
    let look_for = words(
        "A silver seal over the lid; the serial is engraved in the base.",
        "杯盖上有银色封签；杯底刻有序列号。",
    );
    let flask = json!({ "item": {
        "brand": words("Qinghe", "清河"), "content": "500 mL", "look_for": look_for,
        "label_order": ORDER,
    } });
    let class = goods::class();
    let lot = format!("{class}/10/{LOT}");
    let all = [
        about(&class, words("Insulated flask, 500 mL", "真空保温杯 500 毫升"), flask),
        about(
            &lot,
            words("Lot L7", "批次 L7"),
            json!({ "lot": { "lot": LOT, "markets": ["CN"] } }),
        ),
        footprint(&class),
    ];
    all.map(|one| format!("{one}\n")).concat()
}

/// The carbon footprint of one flask, verified.
fn footprint(class: &str) -> Value {
    json!({ "kind": "footprint", "sub": class, "aud": "public", "payload": {
        "footprint": "PCF-2025-FLASK", "declared_unit": "piece", "quantity": 1,
        "amount_g": 6480, "boundary": "cradle_to_gate",
        "period_start": "2025-01-01T00:00:00Z", "period_end": "2026-01-01T00:00:00Z",
        "geography": "CN-SH", "standards": ["ISO 14067:2018"], "primary_share_ppm": 620_000,
        "verification": { "body": VERIFIER, "assurance": "limited" },
    } })
}

/// The certifier's word: the flask meets the standard.
pub fn certificate([valid_from, valid_to]: [Timestamp; 2]) -> String {
    let certificate = json!({ "kind": "certificate", "sub": goods::class(), "payload": {
        "id": "BC-0412", "standard": STANDARD, "holder": PRODUCER,
        "product_class": "stainless steel in contact with food",
        "valid_from": valid_from.to_string(), "valid_to": valid_to.to_string(),
    } });
    format!("{certificate:#}\n")
}

/// The accreditor's word: the certifier is competent for that standard.
pub fn accreditation([valid_from, valid_to]: [Timestamp; 2]) -> String {
    let accreditation = json!({ "kind": "accreditation", "sub": VERIFIER, "payload": {
        "scheme": "iso17065", "number": "LR-C017", "sectors": [STANDARD], "status": "in_force",
        "valid_from": valid_from.to_string(), "valid_to": valid_to.to_string(),
        "from_at": valid_from.to_string(),
    } });
    format!("{accreditation:#}\n")
}

/// Three years, of which most are still to come; `None` for an instant at either end of time.
pub fn around(now: Timestamp) -> Option<[Timestamp; 2]> {
    Some([now.checked_add_ms(-200 * DAY_MS)?, now.checked_add_ms(895 * DAY_MS)?])
}
