//! `/assets/*.mjs`: the script that checks a bundle in the browser, carried by the binary.
//!
//! Invariant: what is served is the file of this release without its comments and indentation; its
//! validator is a hash of exactly that, and another for the compressed form.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use hallmark_schemas::hex;
use sha2::{Digest, Sha256};

use super::{cached, gzip};

/// The paths stay the same in every release, so each use asks whether it is still the one it has.
const CONTROL: &str = "public, no-cache";
/// Packed once and sent often.
const GZIP_LEVEL: u32 = 9;

/// A file as it is served.
struct Script {
    text: String,
    /// The text as gzip; none if it could not be packed.
    packed: Option<Vec<u8>>,
    tag: String,
}

static CHECK: LazyLock<Script> =
    LazyLock::new(|| Script::of(include_str!("../../assets/check.mjs")));
static ED25519: LazyLock<Script> =
    LazyLock::new(|| Script::of(include_str!("../../assets/ed25519.mjs")));

/// `GET /assets/check.mjs`
pub(super) async fn check(headers: HeaderMap) -> Response {
    CHECK.answer(&headers)
}

/// `GET /assets/ed25519.mjs`
pub(super) async fn ed25519(headers: HeaderMap) -> Response {
    ED25519.answer(&headers)
}

impl Script {
    fn of(source: &str) -> Script {
        let text = lean(source);
        let tag = hex::encode(&Sha256::digest(text.as_bytes())[..16]);
        let packed = gzip::pack(text.as_bytes(), GZIP_LEVEL);
        Script { text, packed, tag }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let kind = "text/javascript; charset=utf-8";
        let packed = self.packed.as_ref().filter(|_| gzip::is_taken(headers));
        let mut response = match packed {
            Some(packed) => {
                let tag = format!("{}-gzip", self.tag);
                let mut response = cached(headers, kind, CONTROL, &tag, packed.clone());
                if response.status() == StatusCode::OK {
                    let gzip = HeaderValue::from_static("gzip");
                    response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
                }
                response
            }
            None => {
                let text = self.text.clone().into_bytes();
                cached(headers, kind, CONTROL, &self.tag, text)
            }
        };
        let varies = HeaderValue::from_static("Accept-Encoding");
        response.headers_mut().insert(header::VARY, varies);
        response
    }
}

/// Leaves out lines of comments and indentation: a phone on a slow line need not load them. The
/// scripts have no text that spans lines in which either would matter.
fn lean(source: &str) -> String {
    let lines = source.lines().map(str::trim);
    let is_comment = |line: &str| ["//", "/**", "* ", "*/"].iter().any(|it| line.starts_with(it));
    let kept = lines.filter(|line| !line.is_empty() && !is_comment(line));
    kept.fold(String::with_capacity(source.len()), |text, line| text + line + "\n")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn code_stays_and_comments_go() {
        let source =
            "// a word\n/** more\n *  of it\n */\n  const a = 1; // kept\n\n/* b */ f(a)\n";
        assert_eq!(lean(source), "const a = 1; // kept\n/* b */ f(a)\n");
        for script in [&*CHECK, &*ED25519] {
            assert!(script.text.contains("export async function "));
            assert!(!script.text.contains("\n//") && !script.text.contains("\n*"));
            assert!(script.text.len() < 36 * 1024, "{} bytes", script.text.len());
        }
    }

    #[tokio::test]
    async fn a_script_is_compressed_where_that_is_taken_under_a_tag_of_its_own() {
        let asked = |name, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
            headers
        };
        for script in [&*CHECK, &*ED25519] {
            let plain = script.answer(&HeaderMap::new());
            let packed = script.answer(&asked(header::ACCEPT_ENCODING, "br, gzip"));
            let tag = packed.headers()[header::ETAG].to_str().unwrap().to_owned();
            assert_ne!(plain.headers()[header::ETAG], *tag);
            assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
            assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
            for answer in [&plain, &packed] {
                assert_eq!(answer.headers()[header::VARY], "Accept-Encoding");
            }
            let mut text = String::new();
            let bytes = axum::body::to_bytes(packed.into_body(), usize::MAX).await.unwrap();
            GzDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
            assert_eq!(text, script.text);
            assert!(bytes.len() * 2 < text.len(), "{} of {}", bytes.len(), text.len());
            let mut again = asked(header::IF_NONE_MATCH, &tag);
            again.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
            assert_eq!(script.answer(&again).status(), 304);
        }
    }
}
