//! `/assets/*.mjs`: the scripts that check a bundle in the browser, carried by the binary.
//!
//! Invariant: what is served is the file of this release without its comments and indentation; its
//! validator is a hash of exactly that, and another for the compressed form.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use hallmark_schemas::hex;
use sha2::{Digest, Sha256};

use super::problem::ApiError;
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

macro_rules! sources {
    ($($name:literal)*) => {
        /// Every script by its name: `page.mjs` is what a page asks for, the others are asked for
        /// when somebody presses the button of the check, `byhand.mjs` only by a browser that needs it.
        pub(super) const SOURCES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../assets/", $name)))),*];
    };
}

sources! {
    "page.mjs" "run.mjs" "words-en.mjs" "words-zh.mjs" "check.mjs" "shown.mjs" "bundle.mjs"
    "proof.mjs" "keys.mjs" "network.mjs" "note.mjs" "cose.mjs" "bytes.mjs" "ed25519.mjs"
    "byhand.mjs"
}

static SCRIPTS: LazyLock<BTreeMap<&'static str, Script>> =
    LazyLock::new(|| SOURCES.iter().map(|(name, source)| (*name, Script::of(source))).collect());

/// `GET /assets/{name}`
pub(super) async fn show(
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let script = SCRIPTS.get(name.as_str()).ok_or(ApiError::NotFound)?;
    Ok(script.answer(&headers))
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
        for (name, script) in &*SCRIPTS {
            assert!(script.text.contains("export ") || *name == "page.mjs", "{name}");
            assert!(!script.text.contains("\n//") && !script.text.contains("\n*"), "{name}");
        }
    }

    /// What a page asks for before anybody presses a button, of the 10 KiB that it may.
    const PAGE_BYTES_MAX: usize = 1024;
    /// The same with what the check asks for in one language, in a browser that has WebCrypto.
    const CHECK_BYTES_MAX: usize = 20 * 1024;

    #[test]
    fn a_page_asks_for_little_and_a_check_for_twenty_kibibytes_at_most() {
        let bytes = |name: &str| SCRIPTS[name].packed.as_ref().expect("it can be packed").len();
        assert!(bytes("page.mjs") <= PAGE_BYTES_MAX, "{}", bytes("page.mjs"));
        for other in ["words-en.mjs", "words-zh.mjs"] {
            let names = SCRIPTS.keys().filter(|name| **name != other && **name != "byhand.mjs");
            let all: usize = names.map(|name| bytes(name)).sum();
            assert!(all <= CHECK_BYTES_MAX, "{all} bytes without {other}");
        }
    }

    #[test]
    fn every_script_that_another_imports_is_served() {
        for (name, source) in SOURCES {
            let named = source.split("'./").skip(1).filter_map(|rest| rest.split('\'').next());
            for other in
                named.chain(source.split("`./").skip(1).filter_map(|r| r.split('`').next()))
            {
                let is_part = other == "${name}.mjs";
                assert!(is_part || SCRIPTS.contains_key(other), "{name} imports {other}");
            }
        }
    }

    #[tokio::test]
    async fn a_script_is_compressed_where_that_is_taken_under_a_tag_of_its_own() {
        let asked = |name, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
            headers
        };
        for script in SCRIPTS.values() {
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
            assert!(bytes.len() < text.len(), "{} of {}", bytes.len(), text.len());
            let mut again = asked(header::IF_NONE_MATCH, &tag);
            again.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
            assert_eq!(script.answer(&again).status(), 304);
        }
    }
}
