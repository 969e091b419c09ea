//! Which form of a passport a client wants.
//!
//! Invariants: browsers, and whoever takes anything, always get the page, which wins among equals;
//! a link type that no route here serves is told so, never answered with another.

use axum::http::{HeaderMap, header};

use crate::api::listed;
use crate::negotiate;

/// The forms.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// HTML.
    Page,
    /// JSON.
    Json,
    /// JSON-LD.
    JsonLd,
    /// RFC 9264.
    Linkset,
    /// The trace of the goods, on a route of its own.
    Trace,
}

/// Why no form suits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NoForm {
    /// The client takes none of ours.
    Type,
    /// The link type is none of ours.
    LinkType,
}

/// What is offered, for messages.
pub(super) const OFFERED: &str =
    "text/html, application/json, application/ld+json, application/linkset+json";

/// What a link is called, in English and in Chinese.
pub(super) type Title = [&'static str; 2];

/// Link types of the GS1 Web Vocabulary that something here serves.
pub(super) const LINK_TYPES: [(&str, Form, Title); 7] = [
    ("defaultLink", Form::Page, ["Passport", "产品护照"]),
    ("pip", Form::Page, ["Passport", "产品护照"]),
    ("dpp", Form::JsonLd, ["Digital product passport", "数字产品护照"]),
    ("certificationInfo", Form::Page, ["Certificates and who vouches", "证书及认证机构"]),
    ("recallStatus", Form::Json, ["Recall status", "召回状态"]),
    ("sustainabilityInfo", Form::Page, ["Carbon footprint", "碳足迹"]),
    ("traceability", Form::Trace, ["Trace of the goods", "货物追溯"]),
];

/// The form of the link type, else of the `Accept` header.
pub(super) fn form(headers: &HeaderMap, link_type: Option<&str>) -> Result<Form, NoForm> {
    match link_type {
        None | Some("") => accepted(&listed(headers, &header::ACCEPT)).ok_or(NoForm::Type),
        Some("linkset" | "all") => Ok(Form::Linkset),
        Some(name) => {
            let name = ["gs1:", "https://gs1.org/voc/", "http://gs1.org/voc/"]
                .iter()
                .find_map(|prefix| name.strip_prefix(prefix))
                .unwrap_or("");
            let known = LINK_TYPES.iter().find(|(known, ..)| *known == name);
            let (_, form, _) = known.ok_or(NoForm::LinkType)?;
            // Whoever reads with a browser sees the page where there is one.
            let has_page = matches!(form, Form::Json | Form::JsonLd | Form::Trace);
            Ok(if reads_pages(headers) && has_page { Form::Page } else { *form })
        }
    }
}

/// Whether a client names pages, and nothing that it would rather have: a browser.
pub(super) fn reads_pages(headers: &HeaderMap) -> bool {
    let accept = listed(headers, &header::ACCEPT);
    let is_named = negotiate::members(&accept).any(|(name, _)| name == "text/html");
    is_named && accepted(&accept) == Some(Form::Page)
}

/// The page stands first: it wins among equals.
fn accepted(accept: &str) -> Option<Form> {
    const FORMS: [(&str, Form); 5] = [
        ("text/html", Form::Page),
        ("application/json", Form::Json),
        ("application/ld+json", Form::JsonLd),
        ("application/linkset+json", Form::Linkset),
        ("application/xhtml+xml", Form::Page),
    ];
    negotiate::best(accept, &FORMS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(accept: &str, link_type: Option<&str>) -> Result<Form, NoForm> {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(header::ACCEPT, accept.parse().unwrap());
        }
        form(&headers, link_type)
    }

    #[test]
    fn browsers_and_whoever_takes_anything_get_the_page() {
        let chrome = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        for accept in ["", "*/*", chrome, "application/json, text/html", "text/*"] {
            assert_eq!(of(accept, None), Ok(Form::Page), "{accept}");
        }
    }

    #[test]
    fn programs_get_what_they_name() {
        for (accept, expected) in [
            ("application/json", Ok(Form::Json)),
            ("application/json, text/plain, */*", Ok(Form::Json)),
            ("text/html;q=0.1, application/json", Ok(Form::Json)),
            ("application/*", Ok(Form::Json)),
            ("application/ld+json", Ok(Form::JsonLd)),
            ("application/json;q=0.5, application/ld+json;q=0.9", Ok(Form::JsonLd)),
            ("application/linkset+json", Ok(Form::Linkset)),
            ("application/linkset+json;q=0, */*", Ok(Form::Page)),
            ("text/html;q=0, */*", Ok(Form::Json)),
            ("application/json;q=0.5, */*;q=0.8", Ok(Form::Page)),
            ("application/json;Q=0.1, application/ld+json;q=0.3", Ok(Form::JsonLd)),
            ("application/json;q=NaN, text/html", Ok(Form::Page)),
            ("*/*;q=0", Err(NoForm::Type)),
            ("image/png", Err(NoForm::Type)),
        ] {
            assert_eq!(of(accept, None), expected, "{accept}");
        }
    }

    #[test]
    fn a_header_of_several_lines_is_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(header::ACCEPT, "image/png".parse().unwrap());
        headers.append(header::ACCEPT, "application/json".parse().unwrap());
        assert_eq!(form(&headers, None), Ok(Form::Json));
    }

    #[test]
    fn link_types_are_taken_as_names_and_as_addresses() {
        for (link_type, expected) in [
            ("linkset", Ok(Form::Linkset)),
            ("all", Ok(Form::Linkset)),
            ("gs1:pip", Ok(Form::Page)),
            ("https://gs1.org/voc/pip", Ok(Form::Page)),
            ("gs1:recallStatus", Ok(Form::Json)),
            ("gs1:traceability", Ok(Form::Trace)),
            ("gs1:recipeInfo", Err(NoForm::LinkType)),
            ("pip", Err(NoForm::LinkType)),
            ("javascript:alert(1)", Err(NoForm::LinkType)),
        ] {
            assert_eq!(of("*/*", Some(link_type)), expected, "{link_type}");
        }
        assert_eq!(of("text/html,*/*;q=0.8", Some("gs1:dpp")), Ok(Form::Page));
        // A trace is data: whoever reads pages sees the journey on the passport.
        assert_eq!(of("text/html,*/*;q=0.8", Some("gs1:traceability")), Ok(Form::Page));
        assert_eq!(of("application/json", Some("gs1:traceability")), Ok(Form::Trace));
        assert_eq!(of("application/ld+json", Some("gs1:dpp")), Ok(Form::JsonLd));
    }
}
