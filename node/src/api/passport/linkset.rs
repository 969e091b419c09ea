//! Link sets (RFC 9264) and the description of this resolver.
//!
//! Invariants: a link leads to a route of this node and nowhere else; what a route cannot serve
//! is in no link set; a link is of one language, or tells each that it answers in.

use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::gs1::digital_link::CANONICAL;
use serde_json::{Map, Value, json};

use super::accept::{Form, LINK_TYPES, Title};
use crate::page::Language;
use crate::page::passport::words_of;
use crate::passport::code::Code;
use crate::passport::view::Passport;

/// Namespace of the link types.
pub(super) const VOCABULARY: &str = "https://gs1.org/voc/";

/// The link that is followed where none is asked for.
const DEFAULT: &str = "defaultLink";
const JSON: &str = "application/json";

/// The links of one passport, for a reader of `language`. `root` is this node's URL, without a
/// slash at its end.
pub(super) fn linkset(root: &str, code: &Code, passport: &Passport, language: Language) -> Value {
    let anchor = format!("{root}{}", code.path());
    let mut context = Map::new();
    context.insert("anchor".to_owned(), json!(anchor));
    if let Some(name) = words_of(&passport.item.names, language) {
        context.insert("itemDescription".to_owned(), json!(name.text));
    }
    let has_trace = has_public_event(passport);
    for (name, form, title) in LINK_TYPES {
        if form == Form::Trace && !has_trace {
            continue;
        }
        let links = match form {
            Form::Page => of_page(&anchor, name, title, language),
            Form::Json | Form::JsonLd => {
                let kind = if form == Form::Json { JSON } else { "application/ld+json" };
                vec![link(&format!("{anchor}?linkType=gs1:{name}"), kind, title, language)]
            }
            Form::Trace => {
                // First where whoever takes anything is led; the page is for whoever reads pages.
                let href = format!("{root}{}", trace_path(&code.goods));
                let mut links = vec![link(&href, JSON, title, language)];
                links.extend(of_page(&anchor, name, title, language));
                links
            }
            Form::Linkset => continue,
        };
        context.insert(format!("{VOCABULARY}{name}"), json!(links));
    }
    json!({ "linkset": [context] })
}

/// A link and what it is called: by itself in the reader's language, beside it in both.
fn link(href: &str, kind: &str, title: Title, language: Language) -> Value {
    let [en, zh] = title;
    let all = [(Language::En, en), (Language::Zh, zh)];
    let all = all.map(|(of, title)| json!({ "value": title, "language": of.tag() }));
    json!({ "href": href, "type": kind, "title": language.pick(en, zh), "title*": all })
}

/// The links to a part of the page, one of each language, the reader's first. The default link is
/// one alone, as the resolver standard has it, and answers in the language that it is asked in.
fn of_page(anchor: &str, name: &str, title: Title, language: Language) -> Vec<Value> {
    let part = fragment(name);
    let of = |href: &str, languages: &[Language]| {
        let mut link = link(href, "text/html", title, languages[0]);
        link["hreflang"] = languages.iter().map(|language| language.tag()).collect();
        link
    };
    let other = match language {
        Language::En => Language::Zh,
        Language::Zh => Language::En,
    };
    let both = [language, other];
    if name == DEFAULT {
        return vec![of(&format!("{anchor}{part}"), &both)];
    }
    both.map(|language| of(&format!("{anchor}?lang={}{part}", language.tag()), &[language])).into()
}

/// Whether a trace shows anyone a step: of events that are not public it tells nothing.
pub(super) fn has_public_event(passport: &Passport) -> bool {
    let mut records = passport.proof.records.iter();
    records.any(|record| record.is_public && record.kind.as_deref() == Some("event"))
}

/// Where on the page it stands.
fn fragment(name: &str) -> &'static str {
    match name {
        "traceability" => "#journey",
        "certificationInfo" => "#certificates",
        "sustainabilityInfo" => "#footprint",
        _ => "",
    }
}

/// Where the trace of goods is: the path of their Digital Link, as it stands, or the URN.
pub(super) fn trace_path(goods: &GoodsId) -> String {
    match goods.as_str().strip_prefix(CANONICAL) {
        Some(path) => format!("/v1/trace{path}"),
        None => format!("/v1/trace/{goods}"),
    }
}

/// `/.well-known/gs1resolver`. The standard asks for its root and the keys that it resolves; `termsOfUse`
/// is optional and left out, because a node has no terms beside its licence.
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
