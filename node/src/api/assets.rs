//! `/assets/*.mjs`: the scripts that check a bundle in the browser, carried by the binary.
//!
//! Invariant: what is served is the files of this release without their comments and indentation; its
//! validator is a hash of exactly that, and another for the compressed form.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use hallmark_schemas::hex;
use sha2::{Digest, Sha256};

use super::cached;
use super::gzip::Coding;
use super::problem::ApiError;

/// The paths stay the same in every release, so each use asks whether it is still the one it has.
const CONTROL: &str = super::CHECKED;
/// Packed once and sent often.
const GZIP_LEVEL: u32 = 9;

/// A file as it is served.
struct Script {
    text: String,
    /// The text as each coding packs it, the best first; without those that could not.
    packed: Vec<(Coding, Vec<u8>)>,
    tag: String,
}

macro_rules! sources {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../assets/", $name)))),*]
    };
}

/// The modules of the check that every page needs, each after those that it imports: they are served
/// as one, [`CHECK`], because a phone on a slow line waits for each request.
const PARTS: &[(&str, &str)] = sources! {
    "bytes.mjs" "ed25519.mjs" "cose.mjs" "note.mjs" "proof.mjs" "network.mjs" "keys.mjs"
    "bundle.mjs" "goods.mjs" "tell.mjs" "worded.mjs" "state.mjs" "shown.mjs" "check.mjs" "read.mjs"
    "run.mjs"
};

/// `page.mjs` is what a page asks for; the words of one language and [`CHECK`] are asked for when
/// somebody presses the button of the check; the rest where it is needed: `byhand.mjs` by a browser
/// that has less, countries where a page names one, `epc.mjs` for records with EPC URNs, `more.mjs`
/// with `faults.mjs`, `rare` and what it needs of `printed` for what few pages say, `why` where a
/// step does not hold.
const ALONE: &[(&str, &str)] = sources! {
    "page.mjs" "words-en.mjs" "words-zh.mjs" "wording-en.mjs" "wording-zh.mjs" "countries-en.mjs"
    "countries-zh.mjs" "byhand.mjs" "epc.mjs" "faults.mjs" "more.mjs" "rare-en.mjs" "rare-zh.mjs"
    "printed-en.mjs" "printed-zh.mjs" "why-en.mjs" "why-zh.mjs"
};

/// The name that the modules of the check are served under.
const CHECK: &str = "check.mjs";
/// What of them the page, the modules beside it and whoever tests them use.
const EXPORTS: &str = "run, check, canonical, verifyStrict, isKey, KINDS, hex, same, sha, unhex, L, P, \
                       littleEndian, mod, pointOf, power, sum, decoded, learnEpc, joined, isBytes, \
                       dayOf, normal, said, HOST, at, expiries, goodsOf, lastDay, minute, standing, \
                       isMinute, UTC, onClock, zone, FAULTY, accredited, ahead, briefly, isText";

/// Every script as it is served, by its name.
pub fn scripts() -> BTreeMap<&'static str, String> {
    let of_parts = |text: String| {
        let name = |(name, _): &(&str, _)| format!("'./{name}'");
        PARTS.iter().map(name).fold(text, |text, part| text.replace(&part, "'./check.mjs'"))
    };
    let alone = ALONE.iter().map(|(name, source)| (*name, of_parts(lean(source))));
    alone.chain([(CHECK, joined())]).collect()
}

/// The modules of the check as one: without what they import from one another, and with the names
/// that leave it at its end.
fn joined() -> String {
    let mut text = String::new();
    let mut is_import = false;
    for line in PARTS.iter().flat_map(|(_, source)| source.lines()) {
        is_import |= line.starts_with("import ");
        if is_import {
            is_import = !line.ends_with(';');
            continue;
        }
        text.push_str(line.strip_prefix("export ").unwrap_or(line));
        text.push('\n');
    }
    lean(&text) + "export { " + EXPORTS + " };\n"
}

static SCRIPTS: LazyLock<BTreeMap<&'static str, Script>> =
    LazyLock::new(|| scripts().into_iter().map(|(name, text)| (name, Script::of(text))).collect());

/// `GET /assets/{name}`
pub(super) async fn show(
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let script = SCRIPTS.get(name.as_str()).ok_or(ApiError::NotFound)?;
    Ok(script.answer(&headers))
}

impl Script {
    fn of(text: String) -> Script {
        let tag = hex::encode(&Sha256::digest(text.as_bytes())[..16]);
        let packed = [Coding::Brotli, Coding::Gzip];
        let packed = packed
            .into_iter()
            .filter_map(|coding| Some((coding, coding.pack(text.as_bytes(), GZIP_LEVEL)?)));
        Script { packed: packed.collect(), text, tag }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let kind = "text/javascript; charset=utf-8";
        let packed = self.packed.iter().find(|(coding, _)| coding.is_taken(headers));
        let mut response = match packed {
            Some((coding, packed)) => {
                let tag = format!("{}-{}", self.tag, coding.as_str());
                let mut response = cached(headers, kind, CONTROL, &tag, packed.clone());
                if response.status() == StatusCode::OK {
                    let coding = HeaderValue::from_static(coding.as_str());
                    response.headers_mut().insert(header::CONTENT_ENCODING, coding);
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
    /// The same with what the check asks for in one language, in a browser that has WebCrypto, of a
    /// page that says what most pages say.
    const CHECK_BYTES_MAX: usize = 29 * 1024;
    /// The same over TLS, where browsers take Brotli.
    const BROTLI_BYTES_MAX: usize = 26 * 1024;
    /// What few browsers and few pages need, one by one.
    const REST_BYTES_MAX: usize = 4 * 1024;
    /// All of it in one language: with the 14 KiB of a page within 60.
    const ALL_BYTES_MAX: usize = 45 * 1024;

    fn packed(name: &str, coding: Coding) -> usize {
        let mut packed = SCRIPTS[name].packed.iter();
        packed.find(|(of, _)| *of == coding).expect("it can be packed").1.len()
    }

    #[test]
    fn a_page_asks_for_little_and_a_check_for_what_most_pages_say() {
        let gzip = |name: &str| packed(name, Coding::Gzip);
        assert!(gzip("page.mjs") <= PAGE_BYTES_MAX, "{}", gzip("page.mjs"));
        for language in ["en", "zh"] {
            let names = |all: &[&str]| {
                let name = |name: &&str| format!("{name}-{language}.mjs");
                all.iter().map(name).collect::<Vec<_>>()
            };
            for (coding, most) in
                [(Coding::Gzip, CHECK_BYTES_MAX), (Coding::Brotli, BROTLI_BYTES_MAX)]
            {
                let words: usize =
                    names(&["words", "wording"]).iter().map(|name| packed(name, coding)).sum();
                let all = packed("page.mjs", coding) + packed(CHECK, coding) + words;
                println!("{language} {}: {all} bytes, {words} of them words", coding.as_str());
                assert!(all <= most, "{all} bytes in {language}");
            }
            let mut rest: Vec<String> = names(&["countries", "rare", "printed", "why"]);
            rest.extend(["byhand.mjs", "epc.mjs", "faults.mjs", "more.mjs"].map(str::to_owned));
            let rest: Vec<usize> = rest.iter().map(|name| gzip(name)).collect();
            assert!(rest.iter().all(|one| *one <= REST_BYTES_MAX), "{rest:?}");
            let words = names(&["words", "wording"]);
            let all: usize = ["page.mjs", CHECK]
                .into_iter()
                .chain(words.iter().map(String::as_str))
                .map(gzip)
                .chain(rest)
                .sum();
            println!("{language}: {all} bytes in all");
            assert!(all <= ALL_BYTES_MAX, "{all} bytes in {language}");
        }
    }

    #[test]
    fn every_script_that_another_imports_is_served() {
        for (name, text) in scripts() {
            for quote in ["'./", "`./"] {
                for rest in text.split(quote).skip(1) {
                    let end = rest.find(&quote[..1]).unwrap_or(rest.len());
                    assert!(SCRIPTS.contains_key(&rest[..end]), "{name} imports {}", &rest[..end]);
                }
            }
        }
    }

    /// The name that a line declares at the outermost level of a module.
    fn declared(line: &str) -> Option<&str> {
        let line = line.strip_prefix("export ").unwrap_or(line);
        let line = line.strip_prefix("async ").unwrap_or(line);
        let words = ["function* ", "function ", "const ", "class ", "let "];
        let rest = words.iter().find_map(|word| line.strip_prefix(word))?;
        rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()
    }

    #[test]
    fn the_parts_of_the_check_use_what_stands_before_them_and_share_no_name() {
        let mut names = std::collections::BTreeSet::new();
        let mut before: Vec<String> = Vec::new();
        for (name, source) in PARTS {
            for found in source.lines().filter_map(declared) {
                assert!(names.insert(found), "{name} declares {found} again");
            }
            let imports =
                source.split(" from '").skip(1).filter_map(|rest| rest.split('\'').next());
            for other in imports {
                assert!(before.contains(&other.to_owned()), "{name} imports {other} too early");
            }
            before.push(format!("./{name}"));
        }
        let text = &SCRIPTS[CHECK].text;
        assert!(!text.contains("import {") && text.matches("export ").count() == 1, "{text}");
        for name in EXPORTS.split(", ") {
            assert!(names.contains(name), "{name}");
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
            assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
            let mut tags = vec![plain.headers()[header::ETAG].clone()];
            for (taken, coding) in [("gzip, deflate", "gzip"), ("gzip, br;q=0.5", "br")] {
                let packed = script.answer(&asked(header::ACCEPT_ENCODING, taken));
                let tag = packed.headers()[header::ETAG].clone();
                assert!(!tags.contains(&tag), "{tag:?}");
                assert_eq!(packed.headers()[header::CONTENT_ENCODING], coding);
                for answer in [&plain, &packed] {
                    assert_eq!(answer.headers()[header::VARY], "Accept-Encoding");
                }
                let mut text = String::new();
                let bytes = axum::body::to_bytes(packed.into_body(), usize::MAX).await.unwrap();
                let mut reader: Box<dyn Read> = match coding {
                    "gzip" => Box::new(GzDecoder::new(&*bytes)),
                    _ => Box::new(brotli::Decompressor::new(&*bytes, 4096)),
                };
                reader.read_to_string(&mut text).unwrap();
                assert_eq!(text, script.text);
                assert!(bytes.len() < text.len(), "{} of {}", bytes.len(), text.len());
                let mut again = asked(header::IF_NONE_MATCH, tag.to_str().unwrap());
                again.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(coding));
                assert_eq!(script.answer(&again).status(), 304);
                tags.push(tag);
            }
        }
    }

    #[test]
    fn what_a_part_beside_the_check_takes_from_it_is_there() {
        let exported: Vec<&str> = EXPORTS.split(',').map(str::trim).collect();
        for (name, source) in ALONE {
            for import in source.lines().filter_map(|line| line.strip_prefix("import { ")) {
                let Some((names, from)) = import.split_once(" } from './") else { continue };
                if !PARTS.iter().any(|(part, _)| from.starts_with(part)) {
                    continue;
                }
                for taken in names.split(',').map(str::trim) {
                    let taken = taken.split_once(" as ").map_or(taken, |(name, _)| name);
                    assert!(exported.contains(&taken), "{name} takes {taken} of {from}");
                }
            }
        }
    }
}
