//! The wording of the passport for the script that checks it, gathered from the page's own source:
//! whatever stands on a page and is neither this nor a record's is told by the check.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hallmark_node::page::Language;
use hallmark_node::passport::State;
use hallmark_node::passport::view::print::Contradiction;
use hallmark_node::passport::view::{
    Accreditation, Certificate, Doubted, Elsewhere, End, Ended, Erased, Impossible, Inactive,
    LateLabel, LotRecall, MakerClaim, Misread, OpenFinding, Party, Passport, Recall, Sort,
    Standing, Text,
};
use serde_json::{Value, json};

use super::HELP;

/// A piece of Rust as far as it matters here.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Token {
    Text(String),
    Mark(char),
}

fn source(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node/src").join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    text.split("#[cfg(test)]").next().expect("a first part").to_owned()
}

/// Strings and marks, without comments.
fn tokens(source: &str) -> Vec<Token> {
    let (mut found, mut rest) = (Vec::new(), source);
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
        } else if rest.starts_with("'\"'") {
            rest = &rest[3..];
        } else if first == '"' {
            let (text, after) = string(&rest[1..]);
            found.push(Token::Text(text));
            rest = after;
        } else {
            if !first.is_whitespace() {
                found.push(Token::Mark(first));
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    found
}

/// A string behind its first mark, and what comes after its last.
fn string(source: &str) -> (String, &str) {
    let (mut text, mut chars) = (String::new(), source.char_indices());
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (text, &source[at + 1..]),
            '\\' => match chars.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((at, '\n')) => {
                    let next = source[at..].find(|c: char| !c.is_whitespace());
                    let skipped = source[at..at + next.unwrap_or(0)].chars().count();
                    chars.by_ref().take(skipped.saturating_sub(1)).for_each(drop);
                }
                Some((_, other)) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    panic!("a string without an end: {text}")
}

/// Every two strings in brackets of which the second is Chinese: what is said in both languages.
fn pairs(source: &str) -> Vec<(String, String)> {
    use Token::{Mark, Text};
    let tokens = tokens(source);
    let mut found = Vec::new();
    for window in tokens.windows(6) {
        let [Mark('('), Text(en), Mark(','), Text(zh), close @ ..] = window else { continue };
        let is_closed = close[0] == Mark(')') || close[..2] == [Mark(','), Mark(')')];
        if is_closed && !zh.is_ascii() {
            found.push((en.clone(), zh.clone()));
        }
    }
    found
}

/// The strings from a place of a source to another, so many a row.
fn table(source: &str, from: &str, to: &str, columns: usize) -> Vec<Vec<String>> {
    let rest = source.split_once(from).unwrap_or_else(|| panic!("no {from}")).1;
    let part = rest.split_once(to).unwrap_or_else(|| panic!("no {to} after {from}")).0;
    let texts = tokens(part).into_iter().filter_map(|token| match token {
        Token::Text(text) => Some(text),
        Token::Mark(_) => None,
    });
    let texts: Vec<String> = texts.collect();
    assert!(texts.len().is_multiple_of(columns) && !texts.is_empty(), "{from}: {texts:?}");
    texts.chunks(columns).map(<[String]>::to_vec).collect()
}

/// A table of codes in a language, as JSON.
fn words(rows: &[Vec<String>], language: Language) -> Value {
    let of = |row: &Vec<String>| row[if language == Language::En { 1 } else { 2 }].clone();
    let all: BTreeMap<String, String> = rows.iter().map(|row| (row[0].clone(), of(row))).collect();
    json!(all)
}

/// What a notice calls a part of a print by another word than its title: codes and, behind those
/// that share it, their word.
fn prints(source: &str, language: Language) -> Value {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let texts = table(source, "fn printed", "_ =>", 1).concat();
    let is_code = |text: &String| text.bytes().all(|byte| byte.is_ascii_digit());
    let mut rest = texts.as_slice();
    while let Some(first) = rest.iter().position(|text| !is_code(text)) {
        let word = &rest[first + usize::from(language == Language::Zh)];
        all.extend(rest[..first].iter().map(|code| (code.clone(), word.clone())));
        rest = &rest[first + 2..];
    }
    json!(all)
}

/// The phrases of the page in English, each with what it is in Chinese, here and there.
fn phrases() -> BTreeMap<String, BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node/src/page/passport");
    let files = std::fs::read_dir(folder).expect("the page's parts");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "rs"));
    files.sort();
    let mut sources = vec![source("page/passport.rs")];
    for path in files {
        let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        // Pages without a button need none of the script's words.
        if !["words.rs", "tests.rs", "refusal.rs", "unrecorded.rs"].contains(&name) {
            sources.push(source(&format!("page/passport/{name}")));
        }
    }
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (en, zh) in sources.iter().flat_map(|text| pairs(text)) {
        found.entry(en).or_default().insert(zh);
    }
    found.remove("");
    found
}

/// Those that the script calls by their English text: they stand where a record gives them alone.
fn named(phrases: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<&str> {
    let mut all = called(phrases, &["tell.mjs", "worded.mjs"]);
    all.extend(called(phrases, &["more.mjs", "faults.mjs"]));
    all
}

/// Those that these parts of the script call.
fn called<'a>(
    phrases: &'a BTreeMap<String, BTreeSet<String>>,
    files: &[&str],
) -> BTreeSet<&'a str> {
    let script: Vec<_> = files.iter().map(|name| source(&format!("../assets/{name}"))).collect();
    let is_word = |key: &&str| key.contains(char::is_alphabetic);
    let keys = phrases.keys().map(String::as_str).filter(is_word);
    keys.filter(|key| script.iter().any(|text| text.contains(&format!("'{key}'")))).collect()
}

/// Phrases of notices and of what certificates cover, which few pages have.
fn noticed() -> BTreeSet<String> {
    let of = |file: &str| pairs(&source(&format!("page/passport/{file}.rs"))).into_iter();
    let elsewhere: BTreeSet<String> = ["forms", "proof", "questions", "sections"]
        .into_iter()
        .flat_map(of)
        .chain(pairs(&source("page/passport.rs")))
        .map(|(en, _)| en)
        .collect();
    of("notices")
        .chain(of("scope"))
        .map(|(en, _)| en)
        .filter(|en| !elsewhere.contains(en))
        .collect()
}

/// States that most pages are in.
const OFTEN: [State; 2] = [State::ConsistentSeen, State::Consistent];

/// A finding of a rule that says a code was copied.
fn finding(code: &str) -> OpenFinding {
    OpenFinding {
        id: String::new(),
        code: code.to_owned(),
        severity: String::new(),
        subject: String::new(),
        is_copy: true,
        title: String::new(),
        message_en: None,
        message_zh: None,
        months: Vec::new(),
        evidence_count: 0,
        answers: Vec::new(),
    }
}

fn party() -> Party {
    Party { id: "a".to_owned(), name: String::new() }
}

fn doubted() -> Doubted {
    Doubted {
        id: String::new(),
        kind: String::new(),
        by: party(),
        since: String::new(),
        is_origin: true,
    }
}

fn erased() -> Erased {
    Erased {
        id: String::new(),
        record: String::new(),
        by: party(),
        day: String::new(),
        reason: String::new(),
    }
}

fn recall() -> Recall {
    Recall {
        id: String::new(),
        by: party(),
        goods: String::new(),
        since: String::new(),
        zone: String::new(),
        reason: Vec::new(),
        action: Vec::new(),
        contact: None,
    }
}

/// A certificate that was withdrawn, perhaps by its key.
fn certificate(is_by_key: bool) -> Certificate {
    Certificate {
        id: String::new(),
        number: String::new(),
        standard: String::new(),
        issuer: party(),
        standing: Standing::Withdrawn,
        valid_from: None,
        valid_to: None,
        withdrawn: None,
        key_revoked: is_by_key.then(String::new),
        product_class: None,
        site: None,
        volume: None,
        unit: None,
        zone: String::new(),
        reason: None,
        is_superseded: false,
        accreditation: Accreditation {
            id: None,
            standing: None,
            accreditor: None,
            number: None,
            reason: None,
            valid_to: None,
        },
    }
}

/// Passports that together have every word and sentence of every state.
fn samples(state: State) -> Vec<Passport> {
    let claim = || MakerClaim { id: String::new(), by: party(), maker: party() };
    let inactive = |others_are_active, is_seen| Inactive { others_are_active, is_seen };
    let name = || Text { lang: None, text: "a".to_owned() };
    let contradiction = || Contradiction {
        ai: String::new(),
        title: "",
        printed: String::new(),
        recorded: Vec::new(),
    };
    let ended = |how, is_of_others| Ended { how, month: None, by: party(), id: None, is_of_others };
    let changes: [&dyn Fn(&mut Passport); 31] = [
        &|_| {},
        &|it| it.misread = Some(Misread::Nothing),
        &|it| it.misread = Some(Misread::ShortGtin),
        &|it| it.elsewhere = Some(Elsewhere { issuer: party(), url: None }),
        &|it| it.proof.is_cut = true,
        &|it| it.inactive = Some(inactive(false, false)),
        &|it| it.inactive = Some(inactive(true, true)),
        &|it| it.item.names = vec![name()],
        &|it| it.item.maker_claims = vec![claim(), claim()],
        &|it| it.findings = vec![finding("TRC-005")],
        &|it| it.findings = vec![finding("TRC-001")],
        &|it| it.is_scrapped = true,
        &|it| it.link.contradictions = vec![contradiction()],
        &|it| it.confirmations.count = 1,
        &|it| it.confirmations.impossible = vec![Impossible::AfterEnd],
        &|it| it.confirmations.impossible = vec![Impossible::BeforeShipping],
        &|it| it.confirmations.impossible = vec![Impossible::OtherMarket],
        &|it| it.sort = None,
        &|it| it.late_label = Some(LateLabel { seen: None, made: String::new() }),
        &|it| it.misread = Some(Misread::Garbled),
        &|it| it.ended = Some(ended(End::UsedUp, false)),
        &|it| it.ended = Some(ended(End::Destroyed, false)),
        &|it| it.ended = Some(ended(End::TakenOutOfUse, false)),
        &|it| it.ended = Some(ended(End::UsedUp, true)),
        &|it| it.ended = Some(ended(End::Destroyed, true)),
        &|it| it.ended = Some(ended(End::TakenOutOfUse, true)),
        &|it| it.doubted = vec![doubted()],
        &|it| it.erased = vec![erased()],
        &|it| it.certificates = vec![certificate(true)],
        &|it| it.recalls = vec![recall()],
        &|it| it.lot_recalls = vec![LotRecall { lots: Vec::new(), recall: recall() }],
    ];
    let sorts = [
        Sort::Item,
        Sort::Lot,
        Sort::Class,
        Sort::Unit,
        Sort::Place,
        Sort::Document,
        Sort::Coupon,
        Sort::Relation,
        Sort::Other,
    ];
    let mut all = Vec::new();
    for sort in sorts {
        for (first, one) in changes.iter().enumerate() {
            for other in &changes[first..] {
                let mut passport = Passport::unreadable(Misread::Garbled, None);
                (passport.state, passport.sort) = (state, Some(sort));
                one(&mut passport);
                other(&mut passport);
                all.push(passport);
            }
        }
    }
    all
}

/// Words and sentences of each state; those of goods that are no more are on few pages.
fn states(
    language: Language,
    has_ended: bool,
) -> BTreeMap<&'static str, [BTreeSet<&'static str>; 2]> {
    let of = |state: State| {
        let mut samples = samples(state);
        samples.retain(|one| has_ended || one.ended.is_none() && one.erased.is_empty());
        let words = samples.iter().map(|one| one.word(language)).collect();
        (state.as_str(), [words, samples.iter().map(|one| one.sentence(language)).collect()])
    };
    State::ALL.into_iter().map(of).collect()
}

/// What identifiers of a print are called in a language, and the units and currencies of amounts.
fn prints_of(language: Language) -> String {
    let titles = source("page/passport/words/identifiers.rs");
    let titles = words(&table(&titles, "const IDENTIFIERS", "];", 3), language);
    let means = source("passport/printed.rs");
    let pairs = |from: &str| -> BTreeMap<String, String> {
        let rows = table(&means, from, "];", 2);
        rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
    };
    let (units, currencies) = (json!(pairs("const UNITS")), json!(pairs("const CURRENCIES")));
    format!(
        "// Generated from the page's source; {HELP}.\nexport const identifiers = {titles:#};\n\
         export const units = {units:#};\nexport const currencies = {currencies:#};\n"
    )
}

/// What few pages say, with the file beside it that tells of prints.
fn with_prints(printed: &str, rest: &Value) -> String {
    let beside = printed.trim_start_matches("node/assets/");
    format!(
        "// Generated from the page's source; {HELP}.\n\
         import {{ identifiers, units, currencies }} from './{beside}';\n\
         export const wording = {{ identifiers, units, currencies, ...{rest:#} }};\n"
    )
}

/// The files of both languages.
pub(super) fn files() -> BTreeMap<&'static str, String> {
    let (source, countries) =
        (source("page/passport/words.rs"), source("page/passport/words/countries.rs"));
    let phrases = phrases();
    let named = named(&phrases);
    let (often, noticed) = (called(&phrases, &["tell.mjs", "worded.mjs"]), noticed());
    let mut files = BTreeMap::new();
    for (language, wording, rare, printed, abroad) in [
        (
            Language::En,
            "node/assets/wording-en.mjs",
            "node/assets/rare-en.mjs",
            "node/assets/printed-en.mjs",
            "node/assets/countries-en.mjs",
        ),
        (
            Language::Zh,
            "node/assets/wording-zh.mjs",
            "node/assets/rare-zh.mjs",
            "node/assets/printed-zh.mjs",
            "node/assets/countries-zh.mjs",
        ),
    ] {
        let in_language = |en: &str, zh: &BTreeSet<String>| match language {
            Language::En => vec![en.to_owned()],
            Language::Zh => zh.iter().cloned().collect(),
        };
        let said = |is_often: bool| -> BTreeMap<_, _> {
            let is_it = |(en, _): &(&String, &BTreeSet<String>)| {
                named.contains(en.as_str()) && often.contains(en.as_str()) == is_often
            };
            let all = phrases.iter().filter(is_it);
            all.map(|(en, zh)| (en, in_language(en, zh).concat())).collect()
        };
        let free = |is_rare: bool| -> BTreeSet<_> {
            let is_it = |(en, _): &(&String, &BTreeSet<String>)| {
                !named.contains(en.as_str()) && noticed.contains(*en) == is_rare
            };
            phrases.iter().filter(is_it).flat_map(|(en, zh)| in_language(en, zh)).collect()
        };
        let of =
            |from: &str, to: &str, columns| words(&table(&source, from, to, columns), language);
        let mut most = states(language, false);
        most.retain(|state, _| OFTEN.iter().any(|often| often.as_str() == *state));
        let all = json!({
            "said": said(true), "free": free(false), "states": most,
            "steps": of("const STEPS: [(&str, &str, &str); ", "];", 3),
            "regions": of("const REGIONS: [(&str, &str, &str); ", "];", 3),
            "footprint": of("const FOOTPRINT: [(&str, &str, &str); ", "];", 3),
            "kinds": of("fn kind(", "other =>", 3),
        });
        let rest = json!({
            "said": said(false), "free": free(true), "states": states(language, true),
            "faults": of("fn fault(", "other =>", 3), "prints": prints(&source, language),
        });
        let file = |name: &str, value: &Value| {
            format!(
                "// Generated from the page's source; {HELP}.\nexport const {name} = {value:#};\n"
            )
        };
        files.insert(wording, file("wording", &all));
        files.insert(rare, with_prints(printed, &rest));
        files.insert(printed, prints_of(language));
        let rows = table(&countries, "const COUNTRIES", "];", 3);
        files.insert(abroad, file("countries", &words(&rows, language)));
    }
    files
}

#[test]
fn every_sentence_of_a_state_and_every_phrase_that_the_script_uses_is_generated() {
    let known: BTreeSet<&str> =
        states(Language::En, true).into_values().flatten().flatten().collect();
    for file in ["passport.rs", "passport/sentence.rs"] {
        for (en, _) in pairs(&source(file)) {
            assert!(known.contains(en.as_str()), "no sample has {en:?}: add one in `samples`");
        }
    }
    let phrases = phrases();
    let named = named(&phrases);
    for file in ["tell.mjs", "worded.mjs", "more.mjs", "faults.mjs"] {
        for key in source(&format!("../assets/{file}")).split("say('").skip(1) {
            let key = key.split('\'').next().expect("a first part");
            assert!(named.contains(key), "{file} says {key:?}, which no page does");
        }
    }
    for key in named {
        assert_eq!(phrases[key].len(), 1, "{key:?} is said in two ways: {:?}", phrases[key]);
    }
}
