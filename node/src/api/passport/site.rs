//! Whose page asks, as far as a browser tells: this node's own, or one of another site.
//!
//! Invariants: a page of another site sends no form with the address of whoever looks at it, and
//! is handed none; programs, of which no browser tells anything, are answered as ever.

use axum::http::{HeaderMap, Uri, header, uri::Authority};

/// Whether a browser says that a page of another site sent this. `root` is this node's URL.
///
/// A browser that tells the relation of both sites is believed, as no page can change what it
/// says. Else the origin that it names must be this node's, as it is configured or was reached.
pub(super) fn is_foreign(headers: &HeaderMap, uri: &Uri, root: &str) -> bool {
    let told = headers.get("sec-fetch-site").map(|value| value.as_bytes());
    match told {
        Some(b"same-origin" | b"none") => return false,
        Some(b"cross-site") => return true,
        _ => {}
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let Some((scheme, host)) = origin.to_str().ok().and_then(|text| text.split_once("://")) else {
        return true;
    };
    let is_root = root.parse::<Uri>().is_ok_and(|root| {
        let is_scheme = root.scheme_str().is_some_and(|own| own.eq_ignore_ascii_case(scheme));
        is_scheme && root.authority().is_some_and(|own| own.as_str().eq_ignore_ascii_case(host))
    });
    // Behind a proxy that ends TLS the scheme of what was reached is not known here.
    let reached = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let reached = reached.or_else(|| uri.authority().map(Authority::as_str));
    !is_root && !reached.is_some_and(|reached| reached.eq_ignore_ascii_case(host))
}

/// Whether forms are handed out with an answer: not to scripts of other sites, which may read
/// every public answer and whose browser names them.
pub(super) fn hands_out(headers: &HeaderMap) -> bool {
    !headers.contains_key(header::ORIGIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_of_this_node_where_the_browser_says_so_or_names_its_origin() {
        let root = "https://node.example/below";
        for (site, origin, is_refused) in [
            ("", "", false),
            ("cross-site", "", true),
            ("cross-site", "https://node.example", true),
            ("same-origin", "null", false),
            ("none", "", false),
            ("same-site", "https://shop.node.example", true),
            ("same-site", "https://node.example", false),
            ("", "https://NODE.example", false),
            ("", "http://node.example", true),
            ("", "https://node.example:8443", true),
            ("", "https://node.example.evil.example", true),
            ("", "http://10.0.0.7:8080", false),
            ("", "https://10.0.0.7:8080", false),
            ("", "https://10.0.0.7", true),
            ("", "null", true),
            ("", "10.0.0.7:8080", true),
            ("unheard-of", "https://evil.example", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "10.0.0.7:8080".parse().unwrap());
            for (name, value) in [("sec-fetch-site", site), ("origin", origin)] {
                if !value.is_empty() {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            let uri = Uri::from_static("/confirmations");
            assert_eq!(is_foreign(&headers, &uri, root), is_refused, "{site} {origin}");
        }
        // HTTP/2 names what was reached in the address.
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, "https://10.0.0.7".parse().unwrap());
        assert!(!is_foreign(&headers, &Uri::from_static("https://10.0.0.7/complaints"), ""));
        assert!(is_foreign(&headers, &Uri::from_static("/complaints"), ""), "nothing is known");
        assert!(!hands_out(&headers) && hands_out(&HeaderMap::new()));
    }
}
