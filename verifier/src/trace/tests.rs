//! Ways of goods, honest and not.

use hallmark_schemas::kind::event::Event;
use serde_json::{Value, json};

use super::*;

const MAKER: &str = "net/maker/1";
const SHOP: &str = "net/shop/1";

fn goods(text: &str) -> GoodsId {
    GoodsId::parse(text).unwrap()
}

fn item(serial: &str) -> String {
    format!("https://id.gs1.org/01/09521234000129/21/{serial}")
}

fn lot(lot: &str) -> String {
    format!("https://id.gs1.org/01/09521234000129/10/{lot}")
}

/// Containers with right check digits.
const PALLET: &str = "https://id.gs1.org/00/095212340000000013";
const CARTON: &str = "https://id.gs1.org/00/095212340000000020";
const OTHER: &str = "https://id.gs1.org/00/095212340000000037";

/// What is held: events with their log, in the order of admission.
#[derive(Default)]
struct Held(Vec<Logged>);

impl Held {
    /// An event at a minute of a day, in a log.
    fn event(&mut self, log: &str, minute: u32, event: Value) -> &mut Held {
        let mut event = event;
        let at = format!("2026-03-01T{:02}:{:02}:00Z", minute / 60, minute % 60);
        event["eventTime"] = json!(at);
        event["eventTimeZoneOffset"] = json!("+08:00");
        let entry = self.0.iter().filter(|one| one.log == log).count() as u64;
        let event = Event::parse(&event.to_string()).unwrap();
        let issuer = "urn:hallmark:org:gln:9506000134352".parse().unwrap();
        self.0.push(Logged {
            id: ContentId::of(format!("{log} {entry} {}", event.epcis()).as_bytes()),
            log: log.to_owned(),
            entry,
            admitted_at: Timestamp::from_unix_ms(1_790_000_000_000 + entry),
            said: Some((issuer, event.fields().clone())),
            is_damaged: false,
        });
        self
    }

    fn object(&mut self, log: &str, minute: u32, step: &str, epcs: &[&str]) -> &mut Held {
        let action = if step == "commissioning" { "ADD" } else { "OBSERVE" };
        let event = json!({
            "type": "ObjectEvent", "action": action, "bizStep": step, "epcList": epcs,
        });
        self.event(log, minute, event)
    }

    fn packed(&mut self, log: &str, minute: u32, parent: &str, children: &[&str]) -> &mut Held {
        self.event(log, minute, aggregation("ADD", "packing", parent, children))
    }

    fn unpacked(&mut self, log: &str, minute: u32, parent: &str, children: &[&str]) -> &mut Held {
        self.event(log, minute, aggregation("DELETE", "unpacking", parent, children))
    }

    /// Everything about some goods, as a node looks it up.
    fn trace(&self, start: &str) -> Trace {
        let mut tracer = Tracer::new(goods(start));
        loop {
            let wanted = tracer.wanted();
            if wanted.is_empty() {
                return tracer.finish(Vec::new());
            }
            for goods in wanted {
                let names = |one: &&Logged| {
                    let (_, fields) = one.said.as_ref().unwrap();
                    fields.goods().contains(&goods)
                };
                for event in self.0.iter().filter(names) {
                    tracer.add(&goods, event.clone());
                }
            }
        }
    }

    /// The business steps on the way, in order.
    fn steps(&self, start: &str) -> Vec<String> {
        steps(&self.trace(start))
    }
}

fn aggregation(action: &str, step: &str, parent: &str, children: &[&str]) -> Value {
    json!({
        "type": "AggregationEvent", "action": action, "bizStep": step,
        "parentID": parent, "childEPCs": children,
    })
}

fn steps(trace: &Trace) -> Vec<String> {
    let told = trace.steps.iter().filter_map(|step| step.event.as_ref());
    told.map(|told| told.biz_step.clone().unwrap_or_default()).collect()
}

fn relations(trace: &Trace) -> Vec<(Relation, String)> {
    trace.stays.iter().map(|stay| (stay.relation, stay.goods.to_string())).collect()
}

#[test]
fn an_item_is_followed_from_making_to_dispensing_through_carton_and_pallet_over_two_logs() {
    let mut held = Held::default();
    held.object(MAKER, 0, "commissioning", &[&item("1"), &item("2")])
        .packed(MAKER, 10, CARTON, &[&item("1"), &item("2")])
        .packed(MAKER, 20, PALLET, &[CARTON])
        .object(MAKER, 30, "shipping", &[PALLET])
        .object(SHOP, 40, "receiving", &[PALLET])
        .unpacked(SHOP, 50, PALLET, &[])
        .object(SHOP, 55, "storing", &[PALLET])
        .object(SHOP, 60, "stocking", &[CARTON])
        .unpacked(SHOP, 70, CARTON, &[&item("1")])
        .object(SHOP, 80, "storing", &[CARTON])
        .object(SHOP, 90, "dispensing", &[&item("1")]);
    let way = [
        "commissioning",
        "packing",
        "packing",
        "shipping",
        "receiving",
        "unpacking",
        "stocking",
        "unpacking",
        "dispensing",
    ];
    let trace = held.trace(&item("1"));
    assert_eq!(steps(&trace), way);
    assert_eq!(
        relations(&trace),
        [
            (Relation::Start, item("1")),
            (Relation::Carrier, CARTON.to_owned()),
            (Relation::Carrier, PALLET.to_owned())
        ]
    );
    assert!(trace.stays.iter().all(|stay| stay.looked_up));
    assert!(!trace.cut.is_any());
    // The other item stayed in the carton, and was sold by nobody.
    let sibling = held.steps(&item("2"));
    assert!(sibling.contains(&"storing".to_owned()) && !sibling.contains(&"dispensing".to_owned()));
    // From the pallet, everything that was in it is found, with all that became of it.
    let pallet = held.trace(PALLET);
    assert_eq!(pallet.steps.len(), held.0.len(), "{}", pallet.to_text());
    assert_eq!(pallet.goods_count(), 4);
}

#[test]
fn an_item_unpacked_before_shipping_does_not_travel_with_the_pallet() {
    let mut held = Held::default();
    held.packed(MAKER, 10, PALLET, &[&item("1"), &item("2")])
        .unpacked(MAKER, 20, PALLET, &[&item("1")])
        .object(MAKER, 30, "shipping", &[PALLET])
        .object(SHOP, 40, "receiving", &[PALLET]);
    assert_eq!(held.steps(&item("1")), ["packing", "unpacking"]);
    assert_eq!(held.steps(&item("2")), ["packing", "shipping", "receiving"]);
    // Nor does the event that took it out make it part of what was shipped in a later filling.
    held.packed(MAKER, 50, PALLET, &[&item("3")]).object(MAKER, 60, "shipping", &[PALLET]);
    assert_eq!(held.steps(&item("3")), ["packing", "shipping"]);
}

#[test]
fn an_item_packed_twice_is_in_the_last_container_and_the_trace_says_how_it_left_the_first() {
    let mut held = Held::default();
    held.packed(MAKER, 10, PALLET, &[&item("1")])
        .object(MAKER, 15, "storing", &[PALLET])
        .packed(MAKER, 20, OTHER, &[&item("1")])
        .object(MAKER, 30, "shipping", &[PALLET])
        .object(MAKER, 40, "departing", &[OTHER]);
    let trace = held.trace(&item("1"));
    assert_eq!(steps(&trace), ["packing", "storing", "packing", "departing"]);
    let first = trace.stays.iter().find(|stay| stay.goods == goods(PALLET)).unwrap();
    assert!(first.packed_again);
    assert_eq!((first.from_step, first.to_step), (Some(0), Some(2)));
    assert!(trace.to_text().contains("until it was packed elsewhere"), "{}", trace.to_text());
    // Packed into the same container again is no second stay.
    held.packed(MAKER, 50, OTHER, &[&item("1")]);
    let trace = held.trace(&item("1"));
    assert_eq!(trace.stays.iter().filter(|stay| stay.goods == goods(OTHER)).count(), 1);
}

#[test]
fn containers_inside_one_another_end_the_walk_all_the_same() {
    let mut held = Held::default();
    held.packed(MAKER, 10, PALLET, &[CARTON])
        .packed(MAKER, 20, CARTON, &[PALLET])
        .packed(MAKER, 25, CARTON, &[CARTON])
        .packed(MAKER, 30, CARTON, &[&item("1")])
        .object(MAKER, 40, "shipping", &[PALLET]);
    for start in [PALLET, CARTON, &item("1")] {
        let trace = held.trace(start);
        assert!(steps(&trace).contains(&"shipping".to_owned()), "{}", trace.to_text());
        assert_eq!(trace.goods_count(), 3);
        assert_eq!(trace.cut, Cut::default());
    }
}

#[test]
fn order_is_by_event_time_whatever_was_admitted_first_and_ties_go_by_log_and_entry() {
    // The shop's clock is an hour behind: it receives before the maker ships.
    let mut held = Held::default();
    held.packed(MAKER, 70, PALLET, &[&item("1")])
        .object(MAKER, 80, "shipping", &[PALLET])
        .object(SHOP, 30, "receiving", &[PALLET])
        .unpacked(SHOP, 90, PALLET, &[&item("1")]);
    // Claimed times rule: what the pallet did before it was packed is not the item's way.
    assert_eq!(held.steps(&item("1")), ["packing", "shipping", "unpacking"]);
    assert_eq!(held.steps(PALLET), ["receiving", "packing", "shipping", "unpacking"]);
    // All at one instant: the order of the log decides.
    let mut held = Held::default();
    held.object(MAKER, 5, "commissioning", &[&item("1")])
        .packed(MAKER, 5, PALLET, &[&item("1")])
        .object(MAKER, 5, "shipping", &[PALLET])
        .object(SHOP, 5, "receiving", &[PALLET]);
    let way = ["commissioning", "packing", "shipping", "receiving"];
    assert_eq!(held.steps(&item("1")), way);
    held.0.reverse();
    assert_eq!(held.steps(&item("1")), way, "in whatever order it is looked up");
}

#[test]
fn a_container_that_comes_back_takes_along_only_what_is_in_it_then() {
    let mut held = Held::default();
    held.packed(MAKER, 10, CARTON, &[&item("1")])
        .packed(MAKER, 20, PALLET, &[CARTON])
        .unpacked(MAKER, 30, PALLET, &[CARTON])
        .unpacked(MAKER, 40, CARTON, &[&item("1")])
        .packed(MAKER, 50, CARTON, &[&item("2")])
        .object(MAKER, 60, "shipping", &[CARTON]);
    let pallet = held.trace(PALLET);
    assert!(!relations(&pallet).contains(&(Relation::Content, item("2"))), "{}", pallet.to_text());
    assert!(!steps(&pallet).contains(&"shipping".to_owned()));
    assert_eq!(pallet.goods_count(), 3);
}

#[test]
fn part_of_a_lot_stays_inside_until_all_of_it_is_taken_out() {
    let amount = |action: &str, parent: &str, amount: Value| {
        json!({
            "type": "AggregationEvent", "action": action, "parentID": parent, "childEPCs": [],
            "bizStep": if action == "ADD" { "packing" } else { "unpacking" },
            "childQuantityList": [{ "epcClass": lot("L1"), "quantity": amount, "uom": "KGM" }],
        })
    };
    let mut held = Held::default();
    held.event(MAKER, 10, amount("ADD", PALLET, json!(1.5)))
        .event(MAKER, 15, amount("ADD", OTHER, json!(4)))
        .event(MAKER, 20, amount("DELETE", PALLET, json!(0.5)))
        .object(MAKER, 30, "shipping", &[PALLET])
        .event(MAKER, 40, amount("DELETE", PALLET, json!(1)))
        .object(MAKER, 50, "arriving", &[PALLET])
        .object(MAKER, 60, "departing", &[OTHER]);
    let way = ["packing", "packing", "unpacking", "shipping", "unpacking", "departing"];
    assert_eq!(held.steps(&lot("L1")), way);
}

#[test]
fn inputs_lead_up_and_outputs_down_and_neither_to_what_else_was_made() {
    let made = |inputs: &[&str], outputs: &[&str]| {
        let class = |lots: &[&str]| -> Vec<Value> {
            lots.iter().map(|one| json!({ "epcClass": lot(one), "quantity": 1 })).collect()
        };
        json!({
            "type": "TransformationEvent", "bizStep": "creating_class_instance",
            "inputQuantityList": class(inputs), "outputQuantityList": class(outputs),
        })
    };
    let born = |serial: &str, lot: &str| {
        json!({
            "type": "ObjectEvent", "action": "ADD", "bizStep": "commissioning",
            "epcList": [item(serial)], "ilmd": { "cbvmda:lotNumber": lot },
        })
    };
    let mut held = Held::default();
    held.event(MAKER, 10, made(&["MILK", "SALT"], &["CHEESE"]))
        .event(MAKER, 20, made(&["MILK"], &["BUTTER"]))
        .event(MAKER, 30, born("1", "CHEESE"))
        .event(MAKER, 31, born("2", "CHEESE"))
        .object(SHOP, 40, "dispensing", &[&item("1")]);
    let one = held.trace(&item("1"));
    assert_eq!(
        relations(&one),
        [
            (Relation::Start, item("1")),
            (Relation::Lot, lot("CHEESE")),
            (Relation::Input, lot("MILK")),
            (Relation::Input, lot("SALT"))
        ]
    );
    assert_eq!(steps(&one), ["creating_class_instance", "commissioning", "dispensing"]);
    assert!(
        one.stays.iter().all(|stay| stay.used_up_by.is_empty() || stay.relation == Relation::Input)
    );
    let milk = held.trace(&lot("MILK"));
    assert_eq!(milk.stays[0].used_up_by, milk.stays[0].steps, "it went into cheese and butter");
    let reached: BTreeSet<String> = relations(&milk).into_iter().map(|(_, id)| id).collect();
    let all = [lot("MILK"), lot("CHEESE"), lot("BUTTER"), item("1"), item("2")];
    assert_eq!(reached, BTreeSet::from(all));
    assert_eq!(milk.steps.len(), 5);
    assert_eq!(held.trace(&lot("CHEESE")).goods_count(), 5, "salt and milk, and two items");
}

#[test]
fn an_event_declared_to_be_in_error_moves_nothing_and_is_shown() {
    let mut packing = aggregation("ADD", "packing", PALLET, &[&item("1")]);
    packing["eventID"] = json!("urn:uuid:1");
    let mut declaration = packing.clone();
    declaration["errorDeclaration"] =
        json!({ "declarationTime": "2026-03-02T00:00:00Z", "reason": "did_not_occur" });
    let mut held = Held::default();
    held.event(MAKER, 10, packing).object(MAKER, 30, "shipping", &[PALLET]);
    assert_eq!(held.steps(&item("1")), ["packing", "shipping"]);
    held.event(MAKER, 10, declaration);
    let trace = held.trace(&item("1"));
    assert_eq!(steps(&trace), ["packing", "packing"]);
    let text = trace.to_text();
    assert!(text.contains("[declared to be in error]"), "{text}");
    assert!(text.contains("[declares an event to be in error]"), "{text}");
    // Only who said it can take it back.
    let stranger = "urn:hallmark:org:gln:4012345000009".parse().unwrap();
    held.0.last_mut().unwrap().said.as_mut().unwrap().0 = stranger;
    assert!(held.steps(&item("1")).contains(&"shipping".to_owned()));
}

#[test]
fn a_body_that_is_not_held_is_said_and_goods_without_events_too() {
    let mut tracer = Tracer::new(goods(&item("1")));
    assert_eq!(tracer.wanted(), [goods(&item("1"))]);
    let mut held = Held::default();
    held.packed(MAKER, 10, PALLET, &[&item("1")]).object(MAKER, 20, "shipping", &[&item("1")]);
    let unheld = Logged { said: None, ..held.0[1].clone() };
    tracer.add(&goods(&item("1")), held.0[0].clone());
    tracer.add(&goods(&item("1")), unheld.clone());
    assert_eq!(tracer.wanted(), [goods(PALLET)]);
    assert!(tracer.wanted().is_empty());
    let (origin, entries) = (MAKER.to_owned(), 2);
    let extent = LogExtent { origin, entries, bodies_missing: 1, bodies_damaged: 0 };
    let trace = tracer.finish(vec![extent]);
    assert_eq!(trace.steps.len(), 2);
    assert_eq!(trace.steps[1].event, None);
    let text = trace.to_text();
    assert!(text.contains(&format!("body not held here: {MAKER} entry 1, {}", unheld.id)));
    assert!(text.contains("log net/maker/1: 2 entries, 1 body not held: steps may"), "{text}");
    assert!(text.ends_with("; 1 body not held here\n"), "{text}");
    let nothing = Held::default().trace(PALLET);
    assert!(nothing.to_text().contains("no event held here names it"), "{}", nothing.to_text());
}

#[test]
fn a_damaged_body_is_neither_missing_nor_held() {
    let mut held = Held::default();
    held.object(MAKER, 10, "shipping", &[&item("1")]);
    let damaged = Logged { said: None, is_damaged: true, ..held.0[0].clone() };
    let mut tracer = Tracer::new(goods(&item("1")));
    tracer.wanted();
    tracer.add(&goods(&item("1")), damaged.clone());
    let extent = |origin: &str| LogExtent {
        origin: origin.to_owned(),
        entries: 1,
        bodies_missing: 0,
        bodies_damaged: 0,
    };
    let trace = tracer.finish(vec![extent(MAKER), extent(SHOP)]);
    let damaged_of: Vec<u64> = trace.logs.iter().map(|log| log.bodies_damaged).collect();
    assert_eq!(damaged_of, [1, 0]);
    let text = trace.to_text();
    for said in [
        &format!("damaged here, not what was logged: {MAKER} entry 0, {}", damaged.id)[..],
        "log net/maker/1: 1 entry, 1 body of this trace damaged here",
        "log net/shop/1: 1 entry, all bodies held",
        "traced: 1 step of 1 goods over 1 log; 1 body damaged\n",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!text.contains("not held"), "{text}");
    assert!(trace.to_dot().contains("damaged here: entry 0"), "{}", trace.to_dot());
    let view = serde_json::to_value(&trace).unwrap();
    assert_eq!(view["steps"][0]["damaged"], true);
}

#[test]
fn an_item_shows_what_is_said_of_its_lot_and_where_it_was_born_in_it() {
    let born = json!({
        "type": "ObjectEvent", "action": "ADD", "bizStep": "commissioning",
        "epcList": [item("1")], "ilmd": { "cbvmda:lotNumber": "L" },
    });
    let of_lot = |step: &str| {
        let class = "urn:epc:class:lgtin:9521234.000012.L";
        let many = json!([{ "epcClass": class, "quantity": 10 }]);
        json!({ "type": "ObjectEvent", "action": "OBSERVE", "bizStep": step, "quantityList": many })
    };
    let mut held = Held::default();
    held.event(MAKER, 5, of_lot("inspecting"))
        .event(MAKER, 10, born)
        .object(MAKER, 20, "shipping", &[&item("1")])
        .event(SHOP, 30, of_lot("sampling"));
    let trace = held.trace(&item("1"));
    assert_eq!(steps(&trace), ["inspecting", "commissioning", "shipping", "sampling"]);
    let stay = trace.stays.iter().find(|stay| stay.relation == Relation::Lot).unwrap();
    assert_eq!((stay.goods.to_string(), &stay.steps[..]), (lot("L"), &[0, 1, 3][..]));
    assert!(!trace.to_text().contains("no event held here names it"), "{}", trace.to_text());
}

#[test]
fn a_lot_that_only_identifiers_tell_leads_to_its_items_and_they_to_it() {
    let in_lot = |lot: &str, serial: &str| item(serial).replace("/21/", &format!("/10/{lot}/21/"));
    let mut held = Held::default();
    held.object(MAKER, 10, "commissioning", &[&item("1")])
        .packed(MAKER, 15, PALLET, &[&item("1")])
        .object(MAKER, 20, "shipping", &[PALLET])
        .object(SHOP, 30, "receiving", &[&in_lot("L", "1"), &in_lot("M", "2"), &item("3")]);
    let of = |start: &str| relations(&held.trace(start));
    assert!(of(&item("1")).contains(&(Relation::Lot, lot("L"))));
    assert!(of(&in_lot("L", "1")).contains(&(Relation::Lot, lot("L"))));
    let reached = of(&lot("L"));
    assert!(reached.contains(&(Relation::Member, item("1"))), "{reached:?}");
    for other in ["2", "3"] {
        assert!(!reached.iter().any(|(_, goods)| *goods == item(other)), "{reached:?}");
    }
    let trace = held.trace(&lot("L"));
    assert_eq!(steps(&trace), ["commissioning", "packing", "shipping", "receiving"]);
}

#[test]
fn an_event_that_names_two_lots_for_one_item_leads_to_both() {
    let born = json!({
        "type": "ObjectEvent", "action": "ADD", "bizStep": "commissioning",
        "epcList": [item("1").replace("/21/", "/10/L/21/")], "ilmd": { "cbvmda:lotNumber": "M" },
    });
    let mut held = Held::default();
    held.event(MAKER, 10, born);
    let lots = [(Relation::Start, item("1")), (Relation::Lot, lot("L")), (Relation::Lot, lot("M"))];
    assert_eq!(relations(&held.trace(&item("1"))), lots);
    for one in ["L", "M"] {
        let found = relations(&held.trace(&lot(one)));
        assert!(found.contains(&(Relation::Member, item("1"))), "{found:?}");
    }
}

#[test]
fn what_a_limit_leaves_out_is_counted() {
    let serials: Vec<String> = (0..GOODS_MAX + 40).map(|n| item(&n.to_string())).collect();
    let children: Vec<&str> = serials.iter().map(String::as_str).collect();
    let mut held = Held::default();
    held.packed(MAKER, 10, PALLET, &children);
    let trace = held.trace(PALLET);
    assert_eq!(trace.goods_count(), GOODS_MAX);
    assert_eq!(trace.cut.goods_left_out, 41, "the pallet is one of those that are shown");
    let said = format!("showing {GOODS_MAX} of {} goods", GOODS_MAX + 41);
    assert!(trace.verdict().contains(&said), "{}", trace.verdict());
    assert!(trace.to_text().contains(&said) && trace.to_dot().contains(&said));

    let mut held = Held::default();
    for minute in 0..EVENTS_MAX + 3 {
        held.object(MAKER, (minute % 1440) as u32, "storing", &[PALLET]);
    }
    let trace = held.trace(PALLET);
    assert_eq!((trace.steps.len(), trace.cut.events_left_out), (EVENTS_MAX, 3));

    let sscc = |n: usize| {
        let body = format!("09521235{n:09}");
        let sum: u32 =
            body.bytes().zip([3, 1].into_iter().cycle()).map(|(d, w)| u32::from(d - 48) * w).sum();
        format!("https://id.gs1.org/00/{body}{}", (10 - sum % 10) % 10)
    };
    let mut held = Held::default();
    for n in 0..DEPTH_MAX + 5 {
        held.packed(MAKER, n as u32, &sscc(n + 1), &[&sscc(n)]);
    }
    let trace = held.trace(&sscc(0));
    assert_eq!((trace.goods_count(), trace.cut.links_left_out), (DEPTH_MAX + 1, 1));
}

#[test]
fn json_has_stable_names_and_dot_and_text_hold_no_foreign_syntax() {
    let mut held = Held::default();
    let event = json!({
        "type": "AggregationEvent", "action": "ADD", "parentID": PALLET, "childEPCs": [item("1")],
        "bizStep": "https://example.com/\"];\u{202e}x", "readPoint": { "id": "a\\b\"c" },
    });
    held.event(MAKER, 10, event);
    let trace = held.trace(&item("1"));
    let view = serde_json::to_value(&trace).unwrap();
    assert_eq!(view["goods"], item("1"));
    assert_eq!(view["stays"][1]["relation"], "carrier");
    assert_eq!(view["stays"][1]["parent"], 0);
    assert_eq!(view["steps"][0]["event"]["type"], "AggregationEvent");
    assert_eq!(view["steps"][0]["event"]["event_at"], "2026-03-01T00:10:00Z");
    assert_eq!(view["cut"]["goods_left_out"], 0);
    let dot = trace.to_dot();
    assert!(dot.contains(r#"example.com/\"];"#) && dot.contains(r#"a\\b\"c"#), "{dot}");
    assert!(!trace.to_text().contains('\u{202e}'));
}

proptest::proptest! {
    #[test]
    fn the_same_events_in_any_order_give_the_same_trace_and_nothing_hangs(
        events in proptest::collection::vec((0_u8..5, 0_u8..6, 0_u8..6, 0_u32..60), 0..40),
        turn in 0_usize..40,
    ) {
        let names = [item("1"), item("2"), PALLET.to_owned(), CARTON.to_owned(), OTHER.to_owned(), lot("L")];
        let mut held = Held::default();
        for (what, a, b, minute) in &events {
            let (a, b) = (names[usize::from(*a)].as_str(), names[usize::from(*b)].as_str());
            let log = if minute % 2 == 0 { MAKER } else { SHOP };
            match what {
                0 => held.object(log, *minute, "shipping", &[a, b]),
                1 => held.packed(log, *minute, a, &[b]),
                2 => held.unpacked(log, *minute, a, &[b]),
                3 => held.unpacked(log, *minute, a, &[]),
                _ => held.event(log, *minute, json!({
                    "type": "TransformationEvent", "inputEPCList": [a], "outputEPCList": [b],
                })),
            };
        }
        let first = held.trace(&names[0]);
        for stay in &first.stays {
            proptest::prop_assert!(stay.looked_up);
            proptest::prop_assert!(stay.steps.is_sorted());
        }
        let turn = turn % held.0.len().max(1);
        held.0.rotate_left(turn);
        proptest::prop_assert_eq!(first, held.trace(&names[0]));
    }
}

#[test]
fn a_class_has_its_amount_on_the_edge_and_one_that_is_not_told_is_unknown() {
    let mut held = Held::default();
    let flour = "https://id.gs1.org/01/09521234000136/10/F1";
    let baked = |serial: &str, quantity: Value| {
        json!({ "type": "TransformationEvent", "inputQuantityList": [quantity],
            "outputEPCList": [item(serial)] })
    };
    held.event(MAKER, 0, baked("1", json!({ "epcClass": flour, "quantity": 2.50, "uom": "KGM" })));
    held.event(MAKER, 5, baked("2", json!({ "epcClass": flour })));
    let input = |serial: &str| {
        let trace = held.trace(&item(serial));
        let stay = trace.stays.iter().find(|stay| stay.relation == Relation::Input).unwrap();
        ((stay.amount.clone(), stay.uom.clone(), stay.amount_unknown), trace.to_text())
    };
    let (told, text) = input("1");
    assert_eq!(told, (Some("2.5".to_owned()), Some("KGM".to_owned()), false));
    assert!(
        text.contains("made from https://id.gs1.org/01/09521234000136/10/F1, 2.5 KGM"),
        "{text}"
    );
    let (untold, text) = input("2");
    assert_eq!(untold, (None, None, true));
    assert!(text.contains("10/F1, unknown amount"), "{text}");
}

#[test]
fn edges_that_no_record_tells_are_shown_as_unknown() {
    let unknown = |held: &Held, start: &str| -> Vec<Unknown> {
        held.trace(start).unknown.iter().map(|edge| edge.what).collect()
    };
    let one = item("1");
    let mut held = Held::default();
    held.object(MAKER, 0, "storing", &[&one]);
    assert_eq!(unknown(&held, &one), [Unknown::Origin]);
    let mut held = Held::default();
    held.object(MAKER, 0, "commissioning", &[&one]).object(MAKER, 10, "shipping", &[&one]);
    assert_eq!(unknown(&held, &one), [Unknown::Receiver]);
    let text = held.trace(&one).to_text();
    assert!(text.contains("? nobody recorded that it came"), "{text}");
    assert!(text.ends_with("; 1 edge unknown\n"), "{text}");
    let mut held = Held::default();
    held.object(MAKER, 0, "commissioning", &[&one])
        .packed(MAKER, 5, PALLET, &[&one])
        .object(MAKER, 10, "shipping", &[PALLET])
        .object(SHOP, 20, "receiving", &[PALLET])
        .unpacked(SHOP, 30, PALLET, &[&one]);
    assert_eq!(unknown(&held, &one), [], "its pallet was sent, and came");
}

#[test]
fn a_drawing_has_each_step_once_a_row_and_no_markup_of_records() {
    let mut held = Held::default();
    let one = item("1");
    held.object(MAKER, 0, "commissioning", &[&one]).event(
        MAKER,
        5,
        json!({ "type": "ObjectEvent", "action": "OBSERVE", "bizStep": "https://a.example/<b>&\"c",
            "epcList": [one] }),
    );
    let svg = held.trace(&one).to_svg();
    assert_eq!(svg.matches("<circle").count(), 2, "{svg}");
    assert!(!svg.contains("<b>") && svg.starts_with("<svg") && svg.ends_with("</svg>\n"), "{svg}");
    assert_eq!(svg.matches("<g>").count(), svg.matches("</g>").count());
}
