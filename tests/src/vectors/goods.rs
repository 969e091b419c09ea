//! What a consumer reads about goods, and the words of those who vouch, answer and complain.

use super::bodies::{Sample, sample};
use super::world::*;
use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::key::Signer as _;
use hallmark_schemas::kind::KindName;
use serde_json::{Value, json};

const CLASS: &str = "https://id.gs1.org/01/06901234000207";
const LOT: &str = "https://id.gs1.org/01/06901234000207/10/L7";
const ITEM: &str = "https://id.gs1.org/01/06901234000207/21/1001";
const PLACE: &str = "https://id.gs1.org/414/6901234567892";

fn cites(texts: [&str; 2]) -> Vec<String> {
    let mut cites = texts.map(|text| ContentId::of(text.as_bytes()).to_string()).to_vec();
    cites.sort();
    cites
}

/// A response to the finding of the vectors, and the standing of who certifies.
fn oversight() -> Vec<Sample> {
    let finding = hallmark_schemas::kind::finding::finding_id("MTR-001", METER, "1");
    vec![
        sample(
            ("response", KindName::Response),
            (PRODUCER, METER, PRODUCER_KEY),
            json!({"finding": finding, "cites": cites(["a", "b"]),
                "text": {"en": "The meter was replaced on 1 March.",
                    "zh-Hans": "该电表已于3月1日更换。"}}),
        ),
        sample(
            ("accreditation", KindName::Accreditation),
            (REGISTRAR, CERTIFIER, REGISTRAR_KEY),
            json!({"scheme": "iso17065", "number": "CNAS C001-P", "sectors": ["GB/T 19630"],
                "valid_from": "2024-01-01T00:00:00+08:00", "valid_to": "2030-01-01T00:00:00+08:00",
                "status": "in_force", "from_at": "2024-01-01T00:00:00+08:00"}),
        ),
    ]
}

fn masterdata(name: &'static str, sub: &str, words: Value, about: Value) -> Sample {
    let mut body = json!({"from_at": "2026-03-01T00:00:00Z", "name": words, "about": about});
    if name == "masterdata" {
        body["pictures"] = json!([{"url": "https://example.com/oil.jpg",
            "digest": "11".repeat(32), "alt": {"en": "A green bottle", "zh-Hans": "绿色瓶装"}}]);
    }
    sample((name, KindName::Masterdata), (PRODUCER, sub, PRODUCER_KEY), body)
}

fn descriptions() -> Vec<Sample> {
    let oil = json!({"en": "Olive oil", "zh-Hans": "橄榄油"});
    vec![
        masterdata(
            "masterdata",
            CLASS,
            oil.clone(),
            json!({"item": {"maker": PRODUCER, "brand": {"en": "Example"}, "content": "500 mL",
                "look_for": {"zh-Hans": "瓶盖封条完整", "en": "The seal on the cap is whole."}}}),
        ),
        masterdata(
            "masterdata of a lot",
            LOT,
            oil,
            json!({"lot": {"lot": "L7", "produced_on": "2026-02-28", "expiry": "2028-02-28",
                "markets": ["CN", "DE"], "yield_max_ppm": 200_000}}),
        ),
        masterdata(
            "masterdata of a party",
            "https://id.gs1.org/417/6901234567892",
            json!({"zh-Hans": "示例油厂"}),
            json!({"party": {"organisation": PRODUCER, "region": "CN-SH"}}),
        ),
        masterdata(
            "masterdata of a location",
            PLACE,
            json!({"en": "Press 1"}),
            json!({"location": {"lat_e7": 312_304_000, "lon_e7": 1_214_737_000_i64,
                "precision_m": 50, "region": "CN-SH", "party": PRODUCER}}),
        ),
    ]
}

fn words_on_goods() -> Vec<Sample> {
    vec![
        sample(
            ("certificate", KindName::Certificate),
            (CERTIFIER, CLASS, CERTIFIER_KEY),
            json!({"id": "C-2026-7", "standard": "GB/T 19630", "holder": PRODUCER,
                "product_class": "olive oil", "site": PLACE,
                "covers": ["https://id.gs1.org/01/06901234000306"], "volume": 40_000_000,
                "unit": "mL", "document": "22".repeat(32),
                "valid_from": "2026-01-01T00:00:00+08:00",
                "valid_to": "2027-01-01T00:00:00+08:00"}),
        ),
        sample(
            ("certificate withdrawn", KindName::Certificate),
            (CERTIFIER, CLASS, CERTIFIER_KEY),
            json!({"id": "C-2026-7", "standard": "GB/T 19630", "holder": PRODUCER,
                "valid_from": "2026-01-01T00:00:00+08:00",
                "valid_to": "2027-01-01T00:00:00+08:00",
                "withdrawn_at": "2026-02-20T00:00:00+08:00",
                "replaces": ContentId::of(b"the first version"), "reason": "the site closed"}),
        ),
        sample(
            ("recall", KindName::Recall),
            (PRODUCER, LOT, PRODUCER_KEY),
            json!({"recall": "R-1", "since": "2026-03-01T08:00:00+08:00",
                "covers": ["https://id.gs1.org/01/06901234000207/10/L8", ITEM],
                "why": {"en": "Glass may be in the bottle.", "zh-Hans": "瓶内可能有玻璃碎片。"},
                "what_to_do": {"en": "Do not use it; take it back to the shop.",
                    "zh-Hans": "请勿食用，退回购买处。"},
                "contact": {"url": "https://example.com/recall", "phone": "+86 400 000 0000"},
                "cites": cites(["a", "b"])}),
        ),
        sample(
            ("confirmation", KindName::Confirmation),
            (PRODUCER, ITEM, PRODUCER_KEY),
            json!({"act": "bought", "day": "2026-03-01", "region": "CN-SH",
                "form": "33".repeat(32)}),
        ),
        sample(
            ("complaint", KindName::Complaint),
            (PRODUCER, ITEM, PRODUCER_KEY),
            json!({"number": "K7Q2-9M4X", "category": "damaged", "day": "2026-03-01",
                "text": "购买时封条已破损"}),
        ),
        sample(
            ("footprint", KindName::Footprint),
            (PRODUCER, CLASS, PRODUCER_KEY),
            json!({"footprint": "7f8f4f0e-3a8e-4d0f-9d5c-3f1c1b2a0001", "declared_unit": "liter",
                "quantity": 5, "quantity_scale_e10": -1, "amount_g": 32_145, "scale_e10": -1,
                "boundary": "cradle_to_gate", "period_start": "2025-01-01T00:00:00+08:00",
                "period_end": "2026-01-01T00:00:00+08:00", "geography": "CN-SH",
                "standards": ["GHG Protocol Product", "ISO 14067"], "primary_share_ppm": 620_000,
                "verification": {"body": CERTIFIER, "assurance": "limited"},
                "cites": cites(["a", "b"])}),
        ),
        sample(
            ("label", KindName::Label),
            (PRODUCER, CLASS, PRODUCER_KEY),
            json!({"order": "PO-7/1", "class": CLASS, "lot": "L7", "scheme": "derived",
                "first": 40_000_000_000_u64, "last": 40_000_000_999_u64, "count": 1000,
                "state": "made"}),
        ),
    ]
}

/// An inspection of a lot by sampling, the goods on sale, and what is said of them there.
fn met() -> Vec<Sample> {
    let mut cited = cites(["a", "b"]);
    let first = cited[0].clone();
    cited.push(ContentId::of(b"the certificate").to_string());
    cited.sort();
    vec![
        sample(
            ("inspection", KindName::Inspection),
            (CERTIFIER, LOT, CERTIFIER_KEY),
            json!({"inspection": "I-2026-31", "standard": "GB/T 1534",
                "order": {"number": "PO-7", "client": PRODUCER,
                    "ordered_at": "2026-02-20T09:00:00+08:00"},
                "site": PLACE, "began_at": "2026-02-28T09:00:00+08:00",
                "ended_at": "2026-02-28T11:30:00+08:00", "utc_offset": "+08:00",
                "covers": [ITEM],
                "plan": {"standard": "GB/T 2828.1", "level": "II", "aql_ppm": 15_000,
                    "lot_size": 1000, "sample_size": 80, "accept": 3, "reject": 4,
                    "nonconforming": 1},
                "checklist": [
                    {"point": {"en": "Net content", "zh-Hans": "净含量"}, "outcome": "conforms"},
                    {"point": {"en": "Label"}, "outcome": "fails",
                        "remark": {"en": "One label was smeared."}}],
                "seals": [{"number": "S-1", "state": "intact"},
                    {"number": "S-2", "state": "applied"}],
                "result": "passed", "reinspects": first, "document": "55".repeat(32),
                "cites": cited}),
        ),
        sample(
            ("offer", KindName::Offer),
            (PRODUCER, CLASS, PRODUCER_KEY),
            json!({"offer": "L-778", "seller": PRODUCER, "platform": "shop.example",
                "url": "https://shop.example/l/778", "market": "CN",
                "covers": [ITEM], "quantity": 500, "unit": "items",
                "from_at": "2026-03-01T00:00:00+08:00", "document": "66".repeat(32)}),
        ),
        sample(
            ("offer that ended", KindName::Offer),
            (PRODUCER, CLASS, PRODUCER_KEY),
            json!({"offer": "L-778", "platform": "shop.example",
                "from_at": "2026-03-01T00:00:00+08:00", "to_at": "2026-03-09T00:00:00+08:00",
                "replaces": ContentId::of(b"the first version"), "reason": "sold out"}),
        ),
        sample(
            ("claim", KindName::Claim),
            (PRODUCER, CLASS, PRODUCER_KEY),
            json!({"claim": "organic-2026", "about": "organic",
                "says": {"en": "From organic olives.", "zh-Hans": "采用有机橄榄。"},
                "standard": "GB/T 19630", "certificate": "C-2026-7", "offer": "L-778",
                "covers": [LOT], "volume": 30_000_000, "unit": "mL",
                "valid_from": "2026-03-01T00:00:00+08:00",
                "valid_to": "2027-01-01T00:00:00+08:00", "utc_offset": "+08:00",
                "cites": cites(["a", "b"])}),
        ),
    ]
}

/// A body of the producer's log that its owner erased.
fn erased() -> Vec<Sample> {
    vec![sample(
        ("erasure", KindName::Erasure),
        (PRODUCER, PRODUCER, PRODUCER_KEY),
        json!({"erased": ContentId::of(b"the recipe"), "reason": "a trade secret"}),
    )]
}

/// A body that nobody gives.
fn demanded() -> Vec<Sample> {
    vec![sample(
        ("demand", KindName::Demand),
        (REGISTRAR, PRODUCER, REGISTRAR_KEY),
        json!({"log": ORIGIN, "entry": 7, "body": ContentId::of(b"the recipe"),
            "state": "open", "term_days": 14}),
    )]
}

/// A meter's key that somebody took.
fn revoked() -> Vec<Sample> {
    vec![sample(
        ("revocation", KindName::Revocation),
        (PRODUCER, METER, PRODUCER_KEY),
        json!({"key": key(METER_KEY).public().id(), "since": "2026-02-20T00:00:00Z",
            "why": "compromised"}),
    )]
}

/// All samples, in the order of the kinds.
pub(super) fn samples() -> Vec<Sample> {
    [oversight(), descriptions(), words_on_goods(), erased(), demanded(), revoked(), met()]
        .into_iter()
        .flatten()
        .collect()
}
