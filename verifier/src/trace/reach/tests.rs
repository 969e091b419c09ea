//! Recalls over several organisations' logs.

use hallmark_schemas::kind::event::Event;
use serde_json::{Value, json};

use super::*;

const CLASS: &str = "https://id.gs1.org/01/09521234000129";
const FLOUR: &str = "https://id.gs1.org/01/09521234000136/10/F1";
const PALLET: &str = "https://id.gs1.org/00/095212340000000013";
const MAKER: &str = "9521234000013";
const CARRIER: &str = "9521234000020";
const SHOP: &str = "9521234000037";

fn goods(text: &str) -> GoodsId {
    GoodsId::parse(text).unwrap()
}

fn item(serial: u32) -> String {
    format!("{CLASS}/21/{serial}")
}

#[derive(Default)]
struct Held(Vec<Logged>);

impl Held {
    fn event(&mut self, org: &str, minute: u32, mut event: Value) -> &mut Held {
        event["eventTime"] = json!(format!("2026-03-01T{:02}:{:02}:00Z", minute / 60, minute % 60));
        event["eventTimeZoneOffset"] = json!("+08:00");
        let event = Event::parse(&event.to_string()).unwrap();
        let entry = self.0.len() as u64;
        self.0.push(Logged {
            id: ContentId::of(format!("{org} {entry} {}", event.epcis()).as_bytes()),
            log: format!("net/{org}/1"),
            entry,
            admitted_at: Timestamp::from_unix_ms(1_790_000_000_000 + entry),
            said: Some((
                format!("urn:hallmark:org:gln:{org}").parse().unwrap(),
                event.fields().clone(),
            )),
            is_damaged: false,
        });
        self
    }

    fn object(&mut self, org: &str, minute: u32, step: &str, epcs: &[String]) -> &mut Held {
        let action = if step == "commissioning" { "ADD" } else { "OBSERVE" };
        let event = json!({ "type": "ObjectEvent", "action": action, "bizStep": step,
            "epcList": epcs, "ilmd": { "cbvmda:lotNumber": "L1" }, "readPoint": { "id": place(org) },
            "destinationList": [{ "type": "possessing_party", "destination": place(SHOP) }] });
        let mut event = event;
        if step != "commissioning" {
            event.as_object_mut().unwrap().remove("ilmd");
        }
        if step != "shipping" {
            event.as_object_mut().unwrap().remove("destinationList");
        }
        self.event(org, minute, event)
    }

    fn packing(&mut self, org: &str, minute: u32, action: &str, epcs: &[String]) -> &mut Held {
        let event = json!({ "type": "AggregationEvent", "action": action, "parentID": PALLET,
            "childEPCs": epcs, "readPoint": { "id": place(org) } });
        self.event(org, minute, event)
    }

    fn reach(&self, starts: &[&str], since: Option<&str>) -> Reach {
        let starts = starts.iter().map(|text| goods(text)).collect();
        let since = since.map(|text| Timestamp::parse(text).unwrap());
        let mut reacher = Reacher::new(starts, since);
        loop {
            let wanted = reacher.wanted();
            if wanted.is_empty() {
                return reacher.finish(Vec::new());
            }
            for goods in wanted {
                let names = |one: &&Logged| one.said.as_ref().unwrap().1.goods().contains(&goods);
                for event in self.0.iter().filter(names) {
                    reacher.add(&goods, event.clone());
                }
            }
        }
    }
}

fn place(org: &str) -> String {
    format!("https://id.gs1.org/414/{org}")
}

/// Four bottles of lot L1: one stays, one is on the way in a pallet with a stranger, one was sold, one received.
fn story() -> Held {
    let mut held = Held::default();
    let [a, b, c, d] = [1, 2, 3, 4].map(item);
    let stranger = format!("{CLASS}/21/900");
    held.object(MAKER, 0, "commissioning", &[a, b.clone(), c.clone(), d.clone()])
        .packing(MAKER, 10, "ADD", &[b, stranger])
        .object(MAKER, 20, "shipping", &[PALLET.to_owned(), c.clone(), d.clone()])
        .object(SHOP, 60, "receiving", &[c.clone(), d])
        .object(SHOP, 90, "retail_selling", &[c]);
    held
}

#[test]
fn each_item_of_a_lot_is_with_whoever_recorded_it_last() {
    let reach = story().reach(&[&format!("{CLASS}/10/L1")], None);
    let state = |serial| {
        let one = reach.items.iter().find(|one| one.goods.as_str() == item(serial)).unwrap();
        (one.state, one.holder.clone().unwrap())
    };
    assert_eq!(state(1), (Whereabouts::Held, format!("urn:hallmark:org:gln:{MAKER}")));
    assert_eq!(state(2), (Whereabouts::InTransit, place(SHOP)), "with its pallet");
    assert_eq!(state(3), (Whereabouts::Sold, format!("urn:hallmark:org:gln:{SHOP}")));
    assert_eq!(state(4), (Whereabouts::Held, format!("urn:hallmark:org:gln:{SHOP}")));
    let totals = reach.totals;
    assert_eq!((totals.items, totals.held, totals.in_transit, totals.sold), (4, 2, 1, 1));
    assert_eq!((totals.confirmed_ppm, totals.lots), (750_000, 1));
    let open: Vec<_> = reach.unresolved.iter().map(|one| (one.why, one.items)).collect();
    assert_eq!(open, [(Why::InTransit, 1)]);
    assert!(!reach.items.iter().any(|one| one.goods.as_str().ends_with("/900")), "a stranger");
    assert!(reach.verdict().contains("75.0 % confirmed"), "{}", reach.verdict());
    assert!(reach.to_text().contains("nobody recorded that they came"), "{}", reach.to_text());
}

#[test]
fn what_was_unpacked_before_its_pallet_left_did_not_travel_with_it() {
    let mut held = Held::default();
    held.object(MAKER, 0, "commissioning", &[item(1)])
        .packing(MAKER, 10, "ADD", &[item(1)])
        .packing(MAKER, 20, "DELETE", &[item(1)])
        .object(MAKER, 30, "shipping", &[PALLET.to_owned()]);
    assert_eq!(held.reach(&[&item(1)], None).items[0].state, Whereabouts::Held);
}

#[test]
fn an_input_reaches_what_was_made_of_it_after_and_nothing_made_before() {
    let mut held = Held::default();
    let quantity =
        |class: &str, of: f64| json!([{ "epcClass": class, "quantity": of, "uom": "KGM" }]);
    let baked = |minutes: u32, serial: u32, flour: &str, held: &mut Held| {
        held.event(
            MAKER,
            minutes,
            json!({ "type": "TransformationEvent",
            "inputQuantityList": quantity(flour, 2.0), "outputEPCList": [item(serial)],
            "ilmd": { "cbvmda:lotNumber": "B1" } }),
        );
    };
    baked(0, 1, "https://id.gs1.org/01/09521234000136/10/F0", &mut held);
    baked(10, 2, FLOUR, &mut held);
    let reach = held.reach(&[FLOUR], None);
    let found: Vec<_> =
        reach.items.iter().map(|one| (one.relation, one.goods.to_string())).collect();
    assert_eq!(found, [(Relation::Output, item(2))]);
    let covers: Vec<_> = reach.covers.iter().map(|goods| goods.to_string()).collect();
    assert_eq!(covers, [item(2), FLOUR.to_owned()], "not its whole lot: loaf 1 is of other flour");
    assert_eq!(held.reach(&["https://id.gs1.org/01/09521234000136/10/F0"], None).items.len(), 1);
}

#[test]
fn amounts_of_a_lot_are_summed_by_holder_and_what_nobody_received_is_open() {
    let mut held = Held::default();
    let moved = |org: &str, minute, action: &str, step: &str, amount: &str, held: &mut Held| {
        let event = format!(
            r#"{{"type":"ObjectEvent","action":"{action}","bizStep":"{step}","readPoint":{{"id":"{}"}},
            "quantityList":[{{"epcClass":"{FLOUR}","quantity":{amount},"uom":"KGM"}}]}}"#,
            place(org)
        );
        held.event(org, minute, serde_json::from_str(&event).unwrap());
    };
    moved(MAKER, 0, "ADD", "commissioning", "100.5", &mut held);
    moved(MAKER, 10, "OBSERVE", "shipping", "60", &mut held);
    moved(SHOP, 60, "OBSERVE", "receiving", "50", &mut held);
    moved(SHOP, 90, "OBSERVE", "retail_selling", "20.25", &mut held);
    let reach = held.reach(&[FLOUR], None);
    let stocks: Vec<_> = reach.stocks.iter().map(|one| one.amount.clone().unwrap()).collect();
    assert_eq!(stocks, ["40.5", "29.75"]);
    assert_eq!(reach.unresolved[0].why, Why::NotReceived);
    assert_eq!(reach.unresolved[0].amount.as_deref(), Some("10 KGM"));
    let untold = json!({ "type": "ObjectEvent", "action": "OBSERVE", "bizStep": "shipping",
        "quantityList": [{ "epcClass": FLOUR }], "readPoint": { "id": place(MAKER) } });
    held.event(MAKER, 100, untold);
    let reach = held.reach(&[FLOUR], None);
    assert!(
        reach.unresolved.iter().any(|one| one.why == Why::UnknownAmount) || {
            reach.stocks.iter().any(|one| one.amount.is_none())
        }
    );
}

#[test]
fn a_holder_answers_by_what_it_records_since_the_recall() {
    let mut held = story();
    let recalled = |org: &str, minute, epcs: &[String], held: &mut Held| {
        held.event(
            org,
            minute,
            json!({ "type": "ObjectEvent", "action": "OBSERVE",
            "bizStep": "holding", "disposition": "recalled", "epcList": epcs,
            "readPoint": { "id": place(org) } }),
        );
    };
    recalled(MAKER, 100, &[item(1)], &mut held);
    let lot = format!("{CLASS}/10/L1");
    let before = held.reach(&[&lot], Some("2026-03-01T02:00:00Z"));
    assert_eq!(before.totals.answered, 0, "an hour too early to be an answer");
    recalled(SHOP, 130, &[item(4)], &mut held);
    let reach = held.reach(&[&lot], Some("2026-03-01T02:00:00Z"));
    assert_eq!(reach.totals.answered, 1);
    let shop = reach.holders.iter().find(|one| one.holder.ends_with(SHOP)).unwrap();
    assert_eq!((shop.held, shop.answered), (1, 1));
    assert!(shop.answered_at.is_some());
    let without = held.reach(&[&lot], None);
    assert_eq!(without.totals.answered, 0, "nothing was called back");
}

#[test]
fn a_container_that_is_called_back_reaches_what_was_in_it() {
    let mut held = story();
    held.packing(SHOP, 200, "DELETE", &[item(2)]);
    let reach = held.reach(&[PALLET], None);
    let found: Vec<_> =
        reach.items.iter().filter(|one| one.relation == Relation::Content).collect();
    assert_eq!(found.len(), 2, "the bottle and the stranger");
    assert!(reach.covers.iter().any(|goods| goods.as_str() == item(2)));
    assert_eq!(found[0].holder.as_deref(), Some(format!("urn:hallmark:org:gln:{SHOP}").as_str()));
    assert_eq!(CARRIER.len(), 13);
}

#[test]
fn an_event_in_error_moves_nothing_and_the_order_of_adding_does_not_matter() {
    let mut held = story();
    let sold = held.0.last().unwrap().clone();
    let (_, fields) = sold.said.clone().unwrap();
    let hash = fields.event_hash.clone();
    held.event(
        SHOP,
        90,
        json!({ "type": "ObjectEvent", "action": "OBSERVE",
        "bizStep": "retail_selling", "epcList": [item(3)], "readPoint": { "id": place(SHOP) },
        "errorDeclaration": { "declarationTime": "2026-03-02T00:00:00Z",
            "reason": "did_not_occur" } }),
    );
    let (_, declared) = held.0.last().unwrap().said.clone().unwrap();
    assert_eq!(declared.event_hash, hash, "it declares that event");
    let lot = format!("{CLASS}/10/L1");
    let reach = held.reach(&[&lot], None);
    assert_eq!(reach.totals.sold, 0);
    let again = Held(held.0.iter().rev().cloned().collect());
    assert_eq!(again.reach(&[&lot], None), reach);
}
