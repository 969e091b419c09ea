//! Link sets (RFC 9264) and the description of this resolver.
//!
//! Invariants: a link leads to a route of this node and nowhere else; what a route cannot serve
//! is in no link set.

use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::gs1::digital_link::CANONICAL;
use serde_json::{Map, Value, json};

use super::accept::{Form, LINK_TYPES};
use crate::passport::code::Code;
use crate::passport::view::Passport;

/// Namespace of the link types.
pub(super) const VOCABULARY: &str = "https://gs1.org/voc/";

/// The links of one passport. `root` is this node's URL, without a slash at its end.
pub(super) fn linkset(root: &str, code: &Code, passport: &Passport) -> Value {
    let anchor = format!("{root}{}", code.path());
    let mut context = Map::new();
    context.insert("anchor".to_owned(), json!(anchor));
    if let Some(name) = passport.item.names.first() {
        context.insert("itemDescription".to_owned(), json!(name.text));
    }
    let has_trace = has_public_event(passport);
    for (name, form, title) in LINK_TYPES {
        if form == Form::Trace && !has_trace {
            continue;
        }
        let (href, kind) = match form {
            Form::Page => (fragment(&anchor, name), "text/html"),
            Form::Json => (format!("{anchor}?linkType=gs1:{name}"), "application/json"),
            Form::JsonLd => (format!("{anchor}?linkType=gs1:{name}"), "application/ld+json"),
            Form::Trace => (fragment(&anchor, name), "text/html"),
            Form::Linkset => continue,
        };
        let mut link = json!({ "href": href, "title": title, "type": kind });
        if kind == "text/html" {
            link["hreflang"] = json!(["en", "zh-Hans"]);
        }
        let mut links = vec![link];
        if form == Form::Trace {
            // First where whoever takes anything is led; the page is for whoever reads pages.
            let href = format!("{root}{}", trace_path(&code.goods));
            let trace = json!({ "href": href, "title": title, "type": "application/json" });
            links.insert(0, trace);
        }
        context.insert(format!("{VOCABULARY}{name}"), json!(links));
    }
    json!({ "linkset": [context] })
}

/// Whether a trace shows anyone a step: of events that are not public it tells nothing.
pub(super) fn has_public_event(passport: &Passport) -> bool {
    let mut records = passport.proof.records.iter();
    records.any(|record| record.is_public && record.kind.as_deref() == Some("event"))
}

fn fragment(anchor: &str, name: &str) -> String {
    match name {
        "traceability" => format!("{anchor}#journey"),
        "certificationInfo" => format!("{anchor}#certificates"),
        "sustainabilityInfo" => format!("{anchor}#footprint"),
        _ => anchor.to_owned(),
    }
}

/// Where the trace of goods is: the path of their Digital Link, as it stands, or the URN.
pub(super) fn trace_path(goods: &GoodsId) -> String {
    match goods.as_str().strip_prefix(CANONICAL) {
        Some(path) => format!("/v1/trace{path}"),
        None => format!("/v1/trace/{goods}"),
    }
}

/// `/.well-known/gs1resolver`.
pub(super) fn description(root: &str, operator: &str) -> Value {
    json!({
        "name": format!("Hallmark resolver of {operator}"),
        "resolverRoot": root,
        "supportedPrimaryKeys": ["all"],
        "supportedLinkType": [{ "namespace": VOCABULARY, "prefix": "gs1:" }],
        "supportedContextValuesEnumerated": [],
        "linkTypeDefaultCanBeAll": false,
        "supportsLanguageVariants": true,
        "validatesAIcombinations": true,
        "contact": { "fn": operator },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_of_goods_is_below_the_path_of_their_link() {
        let goods: GoodsId = "https://id.gs1.org/01/09506000134352/21/A%2FB".parse().unwrap();
        assert_eq!(trace_path(&goods), "/v1/trace/01/09506000134352/21/A%2FB");
        let goods: GoodsId = "urn:hallmark:goods:drug:81234567890123456789".parse().unwrap();
        assert_eq!(trace_path(&goods), "/v1/trace/urn:hallmark:goods:drug:81234567890123456789");
    }

    #[test]
    fn the_resolver_describes_itself_with_the_fields_of_the_standard() {
        let described = description("https://node.example", "Works");
        for field in [
            "name",
            "resolverRoot",
            "supportedPrimaryKeys",
            "supportedLinkType",
            "supportedContextValuesEnumerated",
            "linkTypeDefaultCanBeAll",
            "supportsLanguageVariants",
            "validatesAIcombinations",
            "contact",
        ] {
            assert!(!described[field].is_null(), "{field}");
        }
        assert_eq!(described["resolverRoot"], "https://node.example");
    }
}
