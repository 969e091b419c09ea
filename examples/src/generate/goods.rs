//! Goods, places and an honest journey of earlier goods.
//!
//! Invariants: codes carry their check digits; positions are those of the cities, to a hundredth
//! of a degree; the journey takes the time that a lorry takes.

use hallmark_schemas::id::{FacilityId, check};
use serde_json::{Value, json};

use super::product;
use super::scans::Bench;
use crate::random::Random;

/// The GS1 company prefix of the story: 952 is set aside for examples.
pub const PREFIX: &str = "9521234";

/// A place with an identifier and a position.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its city.
    pub city: &'static str,
    /// First twelve digits of its GLN.
    body: &'static str,
    /// Latitude and longitude in 10^-7 degrees.
    position: (i64, i64),
    /// Province, as ISO 3166-2.
    province: &'static str,
}

/// The works with its packing bench.
pub const SHANGHAI: Place = Place {
    city: "Shanghai",
    body: "952123400001",
    position: (312_300_000, 1_214_700_000),
    province: "CN-SH",
};
/// A shop three days by lorry from the works.
pub const CHENGDU: Place = Place {
    city: "Chengdu",
    body: "952123400002",
    position: (306_600_000, 1_040_600_000),
    province: "CN-SC",
};
/// The shop that sells the copy, 3,270 km from the works.
pub const URUMQI: Place = Place {
    city: "Ürümqi",
    body: "952123400003",
    position: (438_300_000, 876_200_000),
    province: "CN-XJ",
};

impl Place {
    /// Its GLN as a Digital Link.
    pub fn link(&self) -> String {
        let digit = check::mod10_check(self.body).expect("twelve digits");
        format!("https://id.gs1.org/414/{}{digit}", self.body)
    }
}

/// The product: an insulated flask.
pub fn gtin() -> String {
    with_check_digit(&format!("0{PREFIX}00012"))
}

/// The product as a Digital Link.
pub fn class() -> String {
    format!("https://id.gs1.org/01/{}", gtin())
}

/// `count` serials that cannot be guessed from one another.
pub fn serials(random: &mut Random, count: usize) -> Vec<String> {
    (0..count).map(|_| format!("F{:09}", random.below(1_000_000_000))).collect()
}

/// The Digital Link of one flask.
pub fn item(serial: &str) -> String {
    format!("{}/21/{serial}", class())
}

/// The SSCC of the carton `number`.
pub fn sscc(number: u32) -> String {
    with_check_digit(&format!("0{PREFIX}{number:09}"))
}

fn with_check_digit(body: &str) -> String {
    let digit = check::mod10_check(body).expect("digits of a GS1 key");
    format!("{body}{digit}")
}

/// Works and shops as `facility` statements, one JSON document each.
pub fn facilities(works: &FacilityId) -> String {
    let shop = |name: &str, place: &Place| {
        let id = FacilityId::new(&works.org(), name).expect("a valid local name");
        facility(&id, place, "retail")
    };
    let all = [
        facility(works, &SHANGHAI, "metal-goods"),
        shop("shop-chengdu", &CHENGDU),
        shop("shop-urumqi", &URUMQI),
    ];
    all.map(|one| format!("{one}\n")).concat()
}

fn facility(id: &FacilityId, place: &Place, sector: &str) -> Value {
    json!({
        "kind": "facility",
        "sub": id.to_string(),
        "payload": {
            "name": format!("{} {sector}", place.city),
            "lat_e7": place.position.0, "lon_e7": place.position.1,
            "province": place.province, "utc_offset": "+08:00", "sector": sector,
            "locations": [place.link()],
        },
    })
}

/// The flasks of an earlier carton: made in Shanghai, sold in Chengdu four days later.
pub fn journey(bench: &Bench) -> String {
    let epcs: Vec<_> = bench.earlier().iter().map(|serial| item(serial)).collect();
    let event = |at: &str, action: &str, step: &str, place: &Place| {
        let mut event = json!({
            "type": "ObjectEvent", "eventTime": at, "eventTimeZoneOffset": "+08:00",
            "eventID": format!("ni:///sha-256;{}?ver=CBV2.0", digest(at, step)),
            "epcList": epcs, "action": action, "bizStep": step,
            "readPoint": { "id": place.link() }, "bizLocation": { "id": place.link() },
        });
        if action == "ADD" {
            event["ilmd"] = json!({ "cbvmda:lotNumber": product::LOT });
        }
        event
    };
    document(&[
        event("2026-03-09T08:10:00+08:00", "ADD", "commissioning", &SHANGHAI),
        event("2026-03-09T15:40:00+08:00", "OBSERVE", "shipping", &SHANGHAI),
        event("2026-03-12T10:05:00+08:00", "OBSERVE", "receiving", &CHENGDU),
        event("2026-03-13T18:30:00+08:00", "OBSERVE", "retail_selling", &CHENGDU),
    ])
}

/// The sale of a copy, far away, at `sold_at` (RFC 3339).
pub fn copy_sold(item: &str, sold_at: &str) -> String {
    document(&[json!({
        "type": "ObjectEvent", "eventTime": sold_at, "eventTimeZoneOffset": "+08:00",
        "epcList": [item], "action": "OBSERVE", "bizStep": "retail_selling",
        "readPoint": { "id": URUMQI.link() }, "bizLocation": { "id": URUMQI.link() },
    })])
}

/// An identifier for an event that is the same in every run.
fn digest(at: &str, step: &str) -> String {
    let mut seed = Random::new(
        at.bytes()
            .chain(step.bytes())
            .fold(0, |sum, byte| u64::wrapping_mul(sum, 31).wrapping_add(byte.into())),
    );
    (0..4).map(|_| format!("{:016x}", seed.next())).collect()
}

fn document(events: &[Value]) -> String {
    let document = json!({
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
        "type": "EPCISDocument", "schemaVersion": "2.0",
        "creationDate": "2026-03-14T00:00:00Z",
        "epcisBody": { "eventList": events },
    });
    format!("{document:#}\n")
}

#[cfg(test)]
mod tests {
    use hallmark_schemas::goods::GoodsId;

    use super::*;

    #[test]
    fn codes_of_the_story_are_valid_gs1_keys() {
        assert_eq!(gtin(), "09521234000129");
        for text in [item("F000000001"), format!("https://id.gs1.org/00/{}", sscc(7))] {
            assert_eq!(GoodsId::parse(&text).map(|id| id.as_str().to_owned()), Ok(text));
        }
        assert_eq!(SHANGHAI.link(), "https://id.gs1.org/414/9521234000013");
    }
}
