//! Link sets (RFC 9264) and the description of this resolver.
//!
//! Invariants: a link leads to a route of this node and nowhere else; what a route cannot serve
//! is in no link set.

use hallmark_schemas::goods::GoodsId;
use serde_json::{Map, Value, json};

use super::accept::{Form, LINK_TYPES};
use crate::passport::code::path_of;
use crate::passport::view::Passport;

/// Namespace of the link types.
const VOCABULARY: &str = "https://gs1.org/voc/";

/// The links of one passport. `root` is this node's URL, without a slash at its end.
pub(super) fn linkset(root: &str, goods: &GoodsId, passport: &Passport) -> Value {
    let anchor = format!("{root}{}", path_of(goods));
    let mut context = Map::new();
    context.insert("anchor".to_owned(), json!(anchor));
    if let Some(name) = passport.item.names.first() {
        context.insert("itemDescription".to_owned(), json!(name.text));
    }
    for (name, form, title) in LINK_TYPES {
        let (href, kind) = match form {
            Form::Page => (fragment(&anchor, name), "text/html"),
            Form::Json => (format!("{anchor}?linkType=gs1:{name}"), "application/json"),
            Form::JsonLd => (format!("{anchor}?linkType=gs1:{name}"), "application/ld+json"),
            Form::Trace => (format!("{root}{}", trace_path(goods)), "application/json"),
            Form::Linkset => continue,
        };
        let mut link = json!({ "href": href, "title": title, "type": kind });
        if form == Form::Page {
            link["hreflang"] = json!(["en", "zh-Hans"]);
        }
        context.insert(format!("{VOCABULARY}{name}"), json!([link]));
    }
    json!({ "linkset": [context] })
}

fn fragment(anchor: &str, name: &str) -> String {
    match name {
        "certificationInfo" => format!("{anchor}#certificates"),
        "sustainabilityInfo" => format!("{anchor}#footprint"),
        _ => anchor.to_owned(),
    }
}

/// Where the trace of goods is.
pub(super) fn trace_path(goods: &GoodsId) -> String {
    let mut path = "/v1/trace/".to_owned();
    for byte in goods.as_str().bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' => path.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => path.push(char::from(byte)),
            byte => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
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
    fn the_trace_of_goods_is_one_segment() {
        let goods: GoodsId = "https://id.gs1.org/01/09506000134352/21/A%2FB".parse().unwrap();
        let path = trace_path(&goods);
        assert_eq!(path.matches('/').count(), 3);
        assert!(path.ends_with("%2F21%2FA%252FB"), "{path}");
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
