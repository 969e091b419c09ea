//! The kinds that speak of goods, and those who vouch and answer for them.

use super::*;
use crate::kind::KindName::{
    Accreditation, Certificate, Complaint, Confirmation, Footprint, Masterdata, Recall, Response,
};

/// The first vector of this name or kind, its body changed.
fn changed(name: &str, change: &dyn Fn(&mut Value)) -> (KindName, Value, Claims) {
    let (vector, envelope) =
        vectors().into_iter().find(|(vector, _)| vector["name"] == name).unwrap();
    let mut body = vector["body"].clone();
    change(&mut body);
    (envelope.kind(), body, envelope.claims().clone())
}

fn body(name: &str, change: &dyn Fn(&mut Value)) -> Body {
    let (kind, body, _) = changed(name, change);
    Body::from_json(kind, body).unwrap()
}

/// A vector, what is wrong with its body, and where.
type Case<'a> = (&'a str, &'a dyn Fn(&mut Value), &'a str);

fn assert_refused((name, change, pointer): Case<'_>) {
    let (kind, body, _) = changed(name, change);
    let found = Body::from_json(kind, body).unwrap_err();
    assert_eq!(found.pointer, pointer, "{name}: {found}");
}

#[test]
fn a_field_of_goods_at_fault_is_named_by_its_pointer() {
    let cases: [Case<'_>; 30] = [
        ("masterdata", &|body| body["name"] = json!({}), "/name"),
        ("masterdata", &|body| body["name"]["zh"] = json!("x"), "/name/zh"),
        ("masterdata", &|body| body["about"] = json!({"thing": {}}), "/about"),
        ("masterdata", &|body| body["about"]["item"]["maker"] = json!("x"), "/about/item/maker"),
        ("masterdata", &|body| body["pictures"][0]["url"] = json!("data:,"), "/pictures/0/url"),
        (
            "masterdata",
            &|body| body["pictures"][0]["url"] = json!("https://a@b/"),
            "/pictures/0/url",
        ),
        ("masterdata", &|body| body["pictures"][0]["alt"]["en"] = json!(""), "/pictures/0/alt/en"),
        (
            "masterdata of a lot",
            &|body| body["about"]["lot"]["expiry"] = json!("2026-02"),
            "/about/lot/expiry",
        ),
        (
            "masterdata of a lot",
            &|body| body["about"]["lot"]["markets"] = json!(["DE", "CN"]),
            "/about/lot/markets",
        ),
        (
            "masterdata of a location",
            &|body| body["about"]["location"]["lat_e7"] = json!(900_000_001),
            "/about/location/lat_e7",
        ),
        (
            "masterdata of a location",
            &|body| body["about"]["location"]["region"] = json!("CN-"),
            "/about/location/region",
        ),
        ("certificate", &|body| body["unit"] = Value::Null, "/unit"),
        ("certificate", &|body| body["volume"] = json!(0), "/volume"),
        ("certificate", &|body| body["valid_to"] = json!("2025-01-01T00:00:00Z"), "/valid_to"),
        (
            "certificate",
            &|body| body["withdrawn_at"] = json!("2026-03-01T00:00:00Z"),
            "/withdrawn_at",
        ),
        (
            "certificate",
            &|body| body["covers"] = json!(["https://id.gs1.org/414/6901234567892"]),
            "/covers/0",
        ),
        ("accreditation", &|body| body["sectors"] = json!([]), "/sectors"),
        ("accreditation", &|body| body["methods"] = json!(["b", "a"]), "/methods"),
        ("accreditation", &|body| body["scheme"] = json!("iso9001"), "/scheme"),
        ("recall", &|body| body["contact"] = json!({}), "/contact"),
        ("recall", &|body| body["contact"]["name"] = json!("Zhang San"), "/contact/name"),
        ("recall", &|body| body["contact"]["phone"] = json!("call me"), "/contact/phone"),
        ("recall", &|body| body["lifted_at"] = json!("2026-04-01T00:00:00Z"), "/lifted_at"),
        ("confirmation", &|body| body["region"] = json!("Shanghai"), "/region"),
        ("confirmation", &|body| body["day"] = json!("2026-03-01T08:00:00Z"), "/day"),
        ("confirmation", &|body| body["ip"] = json!("192.0.2.1"), "/ip"),
        ("complaint", &|body| body["number"] = json!("k 7"), "/number"),
        ("footprint", &|body| body["scale_e10"] = json!(19), "/scale_e10"),
        ("footprint", &|body| body["quantity"] = json!(0), "/quantity"),
        ("response", &|body| body["text"]["en"] = json!("x".repeat(8193)), "/text/en"),
    ];
    cases.into_iter().for_each(assert_refused);
}

#[test]
fn a_field_of_goods_that_were_met_is_named_by_its_pointer() {
    let cases: [Case<'_>; 17] = [
        ("inspection", &|body| body["result"] = json!("good"), "/result"),
        ("inspection", &|body| body["plan"]["nonconforming"] = json!(4), "/result"),
        ("inspection", &|body| body["plan"]["accept"] = json!(4), "/plan/reject"),
        ("inspection", &|body| body["plan"]["sample_size"] = json!(1001), "/plan/sample_size"),
        ("inspection", &|body| body["plan"]["aql_ppm"] = json!(0), "/plan/aql_ppm"),
        ("inspection", &|body| body["seals"][1]["number"] = json!("S-0"), "/seals"),
        (
            "inspection",
            &|body| body["order"]["ordered_at"] = json!("2026-02-28T12:00:00+08:00"),
            "/order/ordered_at",
        ),
        ("inspection", &|body| body["began_at"] = json!("2026-03-01T00:00:00Z"), "/ended_at"),
        ("inspection", &|body| body["reinspects"] = body["document"].take(), "/reinspects"),
        ("inspection", &|body| body["inspector"] = json!("Zhang San"), "/inspector"),
        ("offer", &|body| body["to_at"] = json!("2026-04-01T00:00:00Z"), "/to_at"),
        ("offer", &|body| body["market"] = json!("China"), "/market"),
        ("offer", &|body| body["unit"] = Value::Null, "/unit"),
        ("offer", &|body| body["url"] = json!("javascript:1"), "/url"),
        ("claim", &|body| body["about"] = json!("best"), "/about"),
        ("claim", &|body| body["says"] = json!({}), "/says"),
        ("claim", &|body| body["valid_to"] = json!("2026-01-01T00:00:00Z"), "/valid_to"),
    ];
    cases.into_iter().for_each(assert_refused);
}

#[test]
fn a_subject_of_another_sort_is_refused() {
    let class = "https://id.gs1.org/01/06901234000207";
    let lot = "https://id.gs1.org/01/06901234000207/10/L8";
    let place = "https://id.gs1.org/414/6901234567892";
    let org = "urn:hallmark:org:gln:6901234567892";
    let facility = "urn:hallmark:facility:gln:6901234000009:mill-1";
    for (name, sub, pointer) in [
        ("masterdata", lot, "/sub"),
        ("masterdata", place, "/sub"),
        ("masterdata", org, "/sub"),
        ("masterdata of a lot", class, "/about/lot/lot"),
        ("masterdata of a lot", lot, "/about/lot/lot"),
        ("masterdata of a party", place, "/sub"),
        ("masterdata of a location", org, "/sub"),
        ("masterdata of a location", facility, "/sub"),
        ("certificate", "urn:hallmark:device:gln:6901234567892:m-7", "/sub"),
        ("certificate", place, "/sub"),
        ("accreditation", facility, "/sub"),
        ("recall", org, "/sub"),
        ("recall", place, "/sub"),
        ("confirmation", org, "/sub"),
        ("complaint", place, "/sub"),
        ("footprint", org, "/sub"),
        ("inspection", org, "/sub"),
        ("inspection", place, "/sub"),
        ("offer", org, "/sub"),
        ("offer", facility, "/sub"),
        ("claim", facility, "/sub"),
    ] {
        let (kind, json, mut claims) = changed(name, &|_| {});
        let body = Body::from_json(kind, json).unwrap();
        assert_eq!(body.check_claims(&claims), Ok(()), "{name}");
        claims.sub = sub.parse().unwrap();
        assert_eq!(body.check_claims(&claims).unwrap_err().pointer, pointer, "{name} {sub}");
    }
    let (kind, json, mut claims) = changed("footprint", &|_| {});
    claims.iss = "urn:hallmark:org:gln:6901234000009".parse().unwrap();
    let found = Body::from_json(kind, json).unwrap().check_claims(&claims).unwrap_err();
    assert_eq!(found.pointer, "/verification/body", "nobody verifies himself");
}

#[test]
fn a_lot_of_another_scheme_is_named_by_its_body_alone() {
    let (kind, json, mut claims) = changed("masterdata of a lot", &|_| {});
    claims.sub = "urn:hallmark:goods:ecode:100631234567890".parse().unwrap();
    assert_eq!(Body::from_json(kind, json).unwrap().check_claims(&claims), Ok(()));
}

#[test]
fn one_form_sent_twice_is_one_word_and_two_forms_are_two() {
    for (name, key, another, said) in [
        ("confirmation", "form", json!("44".repeat(32)), ("act", json!("opened"))),
        ("complaint", "number", json!("K7Q2-9M4Y"), ("category", json!("unsafe"))),
    ] {
        let (_, _, claims) = changed(name, &|_| {});
        let first = body(name, &|_| {});
        let after_midnight = body(name, &|body| body["day"] = json!("2026-03-02"));
        assert_eq!(first.identity(&claims), after_midnight.identity(&claims), "{name}");
        assert_eq!(first.normalised(), after_midnight.normalised(), "{name}");
        assert_ne!(first, after_midnight, "{name}");
        let contradiction = body(name, &|body| body[said.0] = said.1.clone());
        assert_eq!(first.identity(&claims), contradiction.identity(&claims), "{name}");
        assert_ne!(first.normalised(), contradiction.normalised(), "{name}");
        let other = body(name, &|body| body[key] = another.clone());
        assert_ne!(first.identity(&claims), other.identity(&claims), "{name}");
    }
}

#[test]
fn a_complaint_names_no_person_but_may_name_a_day() {
    for (text, holds) in [
        ("买于 2026-03-01，封条已破损", true),
        ("half of the 500 mL was missing", true),
        ("<script>alert(1)</script>", true),
        ("ask zhang@example.cn", false),
        ("ask zhang＠example.cn", false),
        ("张三 13912345678", false),
        ("139 1234-5678", false),
        ("１３９１２３４５６７８", false),
        ("139.1234.5678", false),
        ("(021) 5555.1234", false),
        ("139\u{200b}1234\u{a0}5678", false),
        ("١٣٩١٢٣٤٥٦٧٨", false),
        ("1.5 L 装，破损", true),
        ("the seal \u{202e}nepo saw", false),
        ("\u{2067}a\u{2069}", false),
        (" ", false),
        ("\u{3000}\u{200b}\u{feff}", false),
        ("\u{2800}\u{3164}", false),
        ("a\u{200d}b", true),
        ("11010519491231002X", false),
        ("", false),
        ("two\nlines", false),
        (&"破".repeat(301), false),
    ] {
        let (kind, body, _) = changed("complaint", &|body| body["text"] = json!(text));
        let found = Body::from_json(kind, body);
        assert_eq!(found.is_ok(), holds, "{text}: {found:?}");
    }
}

/// The rows of a vector, without the common cells.
fn rows_of(name: &str) -> Vec<(&'static str, Vec<Cell>)> {
    let (_, envelope) = vectors().into_iter().find(|(vector, _)| vector["name"] == name).unwrap();
    let context = RowContext {
        content_id: envelope.id(),
        log: "example/gln-6901234567892/1",
        entry: 3,
        claims: envelope.claims(),
        from: EntryTime::at(Timestamp::from_unix_ms(1_700_000_000_000)),
        facility: None,
        device: None,
    };
    let mut rows = Rows::new();
    envelope.body().rows(&context, &mut rows);
    let common = crate::table::COMMON.len();
    rows.into_iter().map(|row| (row.table.name, row.cells[common..].to_vec())).collect()
}

#[test]
fn recalled_lots_stand_by_class_and_lot_and_items_by_themselves() {
    let class = "https://id.gs1.org/01/06901234000207";
    let item = format!("{class}/21/1001");
    let expected = [(class, Some("L7")), (class, Some("L8")), (item.as_str(), None)];
    let found = rows_of("recall");
    assert_eq!(found.len(), expected.len());
    for ((table, cells), (item, lot)) in found.iter().zip(expected) {
        assert_eq!(*table, "recalls");
        assert_eq!(cells[1], Cell::text(item));
        assert_eq!(cells[2], Cell::optional(lot, Cell::text));
    }
}

#[test]
fn a_description_goes_to_the_table_of_its_sort() {
    let class = Cell::text("https://id.gs1.org/01/06901234000207");
    let (table, cells) = rows_of("masterdata").remove(0);
    assert_eq!((table, &cells[0], &cells[1]), ("items", &class, &class));
    let (table, cells) = rows_of("masterdata of a lot").remove(0);
    assert_eq!((table, &cells[0], &cells[1]), ("lots", &class, &Cell::text("L7")));
    assert_eq!(cells[2], Cell::text("2028-02-28"));
    assert_eq!(rows_of("masterdata of a party")[0].0, "parties");
    let (table, cells) = rows_of("masterdata of a location").remove(0);
    assert_eq!((table, &cells[5]), ("locations", &Cell::Integer(50)));
}

#[test]
fn only_those_whose_word_it_is_may_issue_it() {
    use crate::role::Role;
    for (kind, role, may) in [
        (Certificate, Role::Certifier, true),
        (Certificate, Role::Producer, false),
        (Accreditation, Role::Accreditor, true),
        (Accreditation, Role::Certifier, false),
        (Recall, Role::Producer, true),
        (Recall, Role::Inspector, false),
    ] {
        assert_eq!(kind.issuers().contains(&role), may, "{kind} {role}");
    }
    for kind in [Masterdata, Confirmation, Complaint, Response, Footprint] {
        assert!(kind.issuers().is_empty(), "{kind}");
    }
}
