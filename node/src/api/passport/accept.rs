//! Which form of a passport a client wants.
//!
//! Invariants: browsers, and whoever takes anything, always get the page, which wins among equals;
//! a link type that no route here serves is told so, never answered with another.

use axum::http::{HeaderMap, header};

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

/// Link types of the GS1 Web Vocabulary that something here serves.
pub(super) const LINK_TYPES: [(&str, Form, &str); 7] = [
    ("defaultLink", Form::Page, "Passport"),
    ("pip", Form::Page, "Passport"),
    ("dpp", Form::JsonLd, "Digital product passport"),
    ("certificationInfo", Form::Page, "Certificates and who vouches"),
    ("recallStatus", Form::Json, "Recall status"),
    ("sustainabilityInfo", Form::Page, "Carbon footprint"),
    ("traceability", Form::Trace, "Trace of the goods"),
];

/// The form of the link type, else of the `Accept` header.
pub(super) fn form(headers: &HeaderMap, link_type: Option<&str>) -> Result<Form, NoForm> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    match link_type {
        None | Some("") => accepted(accept).ok_or(NoForm::Type),
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
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    accept.contains("text/html") && accepted(accept) == Some(Form::Page)
}

fn accepted(accept: &str) -> Option<Form> {
    if accept.trim().is_empty() {
        return Some(Form::Page);
    }
    let mut best: Option<(Form, f32)> = None;
    let mut takes_any = false;
    for item in accept.split(',').take(32) {
        let mut parts = item.split(';');
        let kind = parts.next().unwrap_or("").trim().to_ascii_lowercase();
        let quality = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse::<f32>().ok());
        let quality = quality.unwrap_or(1.0);
        if quality <= 0.0 {
            continue;
        }
        let form = match kind.as_str() {
            "text/html" | "application/xhtml+xml" => Form::Page,
            "application/json" | "application/*" => Form::Json,
            "application/ld+json" => Form::JsonLd,
            "application/linkset+json" => Form::Linkset,
            "*/*" | "text/*" => {
                takes_any = true;
                continue;
            }
            _ => continue,
        };
        let wins = |(_, most)| most < quality || (most == quality && form == Form::Page);
        if best.is_none_or(wins) {
            best = Some((form, quality));
        }
    }
    let any = takes_any.then_some(Form::Page);
    best.map(|(form, _)| form).or(any)
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
            ("image/png", Err(NoForm::Type)),
        ] {
            assert_eq!(of(accept, None), expected, "{accept}");
        }
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
