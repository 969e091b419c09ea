//! `/assets/*.mjs`: the script that checks a bundle in the browser, carried by the binary.
//!
//! Invariant: what is served is the file of this release without its comments and indentation; its
//! validator is a hash of exactly that.

use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::response::Response;
use hallmark_schemas::hex;
use sha2::{Digest, Sha256};

use super::cached;

/// The paths stay the same in every release, so each use asks whether it is still the one it has.
const CONTROL: &str = "public, no-cache";

/// A file as it is served.
struct Script {
    text: String,
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
        Script { text, tag }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let kind = "text/javascript; charset=utf-8";
        cached(headers, kind, CONTROL, &self.tag, self.text.clone().into_bytes())
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
}
