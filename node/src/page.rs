//! The pages: plain HTML from the server, no external asset. The findings page is here, the
//! passport in a file of its own.
//!
//! Invariants: everything from evidence is escaped; readable at 320 pixels; a word beside every
//! colour; the same page in English and Chinese.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, html};
use serde_json::Value;

use crate::judge::Judged;
use crate::negotiate;

pub mod passport;

/// Longest tag of a language that is looked at: RFC 5646, section 4.4.1, asks for 35 at least.
const TAG_MAX: usize = 64;
/// Longest part of one.
const SUBTAG_MAX: usize = 8;

/// What the page shows.
pub struct View<'a> {
    /// The organisation whose node this is.
    pub organisation: &'a str,
    /// The network's name.
    pub network: &'a str,
    /// The origin of the node's log.
    pub origin: &'a str,
    /// Entries under its published checkpoint.
    pub size: u64,
    /// The newest judgement; None where the reader may not see it.
    pub judged: Option<&'a Judged>,
}

/// The language of a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Language {
    /// English.
    En,
    /// Simplified Chinese.
    Zh,
}

/// A page as it is sent: with U+FFFD for every character that turns the order of those around it.
/// Nothing that is shown here needs one, and a name could read as another with it.
pub(crate) fn written(page: Markup) -> String {
    let text = page.into_string();
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.contains(turns) { text.replace(turns, "\u{fffd}") } else { text }
}

impl Language {
    /// The better of the two for an `Accept-Language` header.
    pub fn of(header: &str) -> Language {
        let mut best = (Language::En, 0);
        for (tag, weight) in negotiate::members(header) {
            let Some(language) = Language::named(&tag) else { continue };
            if best.1 < weight {
                best = (language, weight);
            }
        }
        best.0
    }

    /// Its tag, BCP 47.
    pub const fn tag(self) -> &'static str {
        self.pick("en", "zh-Hans")
    }

    /// The language for a tag of BCP 47 such as `zh-Hans-CN` or `en-GB`, in capital or small letters,
    /// by lookup (RFC 4647, section 3.4); none where it names neither or is no tag. Whoever reads
    /// Chinese in another script or region is answered in the one Chinese that there is.
    pub fn named(tag: &str) -> Option<Language> {
        let is_subtag = |part: &str| {
            (1..=SUBTAG_MAX).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        if TAG_MAX < tag.len() || !tag.split('-').all(is_subtag) {
            return None;
        }
        let first = tag.split('-').next().unwrap_or_default();
        let is = |known: &str| first.eq_ignore_ascii_case(known);
        if is("en") {
            return Some(Language::En);
        }
        is("zh").then_some(Language::Zh)
    }

    pub(crate) const fn pick<'a>(self, en: &'a str, zh: &'a str) -> &'a str {
        match self {
            Language::En => en,
            Language::Zh => zh,
        }
    }
}

const STYLE: &str = "
:root{color-scheme:light dark;--line:#8885;--error:#b3261e;--warning:#8a5a00;--note:#3a5a8a}
@media(prefers-color-scheme:dark){:root{--error:#ff8a80;--warning:#ffc45c;--note:#9fc2ff}}
*{box-sizing:border-box}html{background:Canvas;color:CanvasText}body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;
padding:1rem;overflow-wrap:anywhere}h1{font-size:1.4rem;margin:.5rem 0}h2{font-size:1.1rem;
margin:0}article{border:1px solid var(--line);border-left:.4rem solid var(--note);
border-radius:.3rem;padding:.75rem 1rem;margin:1rem 0}article.error{border-left-color:var(--error)}
article.warning{border-left-color:var(--warning)}.severity{font-weight:600}
.error .severity{color:var(--error)}.warning .severity{color:var(--warning)}
.note .severity{color:var(--note)}dl{display:grid;grid-template-columns:minmax(6rem,auto) 1fr;
gap:.2rem 1rem;margin:.5rem 0}dt{opacity:.75}dd{margin:0}code{font-size:.85em}
ul{padding-left:1.2rem;margin:.3rem 0}footer{border-top:1px solid var(--line);margin-top:2rem;
padding-top:.5rem;font-size:.9rem}@media(max-width:30rem){dl{grid-template-columns:1fr;gap:0}
dd{margin-bottom:.4rem}}";

/// Most evidence ids that the page lists of one finding; the API has them all.
const EVIDENCE_MAX: usize = 10;

/// The whole page.
pub fn findings(view: &View<'_>, language: Language) -> Markup {
    let title = language.pick("Findings", "核查发现");
    html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · " (view.organisation) }
                // Else every browser asks for /favicon.ico.
                link rel="icon" href="data:,";
                style { (maud::PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (title) " · " (view.organisation) }
                    (summary(view, language))
                }
                main { (list(view, language)) }
                footer { (boundaries(language)) }
            }
        }
    }
}

fn summary(view: &View<'_>, language: Language) -> Markup {
    html! {
        dl {
            dt { (language.pick("Network", "网络")) } dd { (view.network) }
            dt { (language.pick("Log", "日志")) } dd { code { (view.origin) } }
            dt { (language.pick("Recorded entries", "已登记条目")) } dd { (view.size) }
            @if let Some(judged) = view.judged {
                dt { (language.pick("Judged as of", "判定截至")) }
                dd {
                    @match judged.as_of {
                        Some(at) => (at.to_string()),
                        None => (language.pick("not judged yet", "尚未判定")),
                    }
                }
                dt { (language.pick("Rules run", "已运行规则")) } dd { (judged.rules_run) }
            }
        }
    }
}

fn list(view: &View<'_>, language: Language) -> Markup {
    let Some(judged) = view.judged else {
        return html! {
            p { (language.pick(
                "Findings are shown to members with a token, and on the node's own machine.",
                "核查发现仅向持令牌的成员以及本机显示。",
            )) }
        };
    };
    html! {
        @if judged.findings.is_empty() {
            p { strong { (language.pick(
                "Nothing inconsistent was found.",
                "未发现不一致之处。",
            )) } }
        } @else {
            @let findings = if judged.findings.len() == 1 { "finding" } else { "findings" };
            p { strong { (judged.findings.len()) " " (language.pick(findings, "项发现")) } }
        }
        @for finding in &judged.findings { (article(finding, language)) }
        @if !judged.silent.is_empty() {
            h2 { (language.pick("Rules without evidence to judge", "缺少证据而未判定的规则")) }
            ul {
                @for (reason, codes) in by_reason(&judged.silent) {
                    li { span lang="en" { (reason) } ":" @for code in codes { " " code { (code) } } }
                }
            }
        }
    }
}

/// The codes of the silent rules under each reason: many rules wait for the same table.
fn by_reason(silent: &[Value]) -> BTreeMap<&str, Vec<&str>> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in silent {
        all.entry(string(one, "reason")).or_default().push(string(one, "code"));
    }
    all
}

fn article(finding: &Value, language: Language) -> Markup {
    let severity = string(finding, "severity");
    let word = match severity {
        "error" => language.pick("error", "错误"),
        "warning" => language.pick("warning", "警告"),
        _ => language.pick("note", "提示"),
    };
    let evidence: Vec<&str> = strings(finding, "evidence");
    html! {
        article class=(severity) id=(string(finding, "id")) {
            h2 { span class="severity" { (word) } " · " code { (string(finding, "code")) } }
            p { (string(finding, language.pick("message_en", "message_zh"))) }
            dl {
                dt { (language.pick("Subject", "对象")) } dd { code { (string(finding, "subject")) } }
                dt { (language.pick("Period", "时段")) }
                dd { (string(finding, "period_start")) " – " (string(finding, "period_end")) }
                dt { (language.pick("To rule out first", "须先排除的情形")) }
                dd { ul lang="en" { @for line in strings(finding, "innocent") { li { (line) } } } }
                dt { (language.pick("How to answer", "如何答复")) }
                dd { (english(finding, "answer")) }
                dt { (language.pick("Evidence", "证据")) }
                dd { ul {
                    @for id in evidence.iter().take(EVIDENCE_MAX) { li { code { (id) } } }
                    @if EVIDENCE_MAX < evidence.len() {
                        li { (evidence.len() - EVIDENCE_MAX) " " (language.pick("more", "项更多")) }
                    }
                } }
                dt { (language.pick("As data", "数据")) }
                dd { a href={ "/v1/findings/" (string(finding, "id")) } { "JSON" } }
            }
        }
    }
}

fn boundaries(language: Language) -> Markup {
    html! {
        p { (language.pick(
            "A finding states a fact and its evidence; anyone can recompute it from the same \
             evidence and rules. It may have an innocent explanation, and it can be answered. \
             Records can be checked, the thing in the hand cannot.",
            "核查发现陈述事实及其证据，任何人都可用同样的证据和规则重新计算。\
             它可能有合理解释，也可以答复。记录可以核对，手中的实物不能。",
        )) }
    }
}

/// A text that rules have in English alone: a Chinese page says so to who reads it aloud.
fn english(value: &Value, key: &str) -> Markup {
    html! { span lang="en" { (string(value, key)) } }
}

fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("")
}

fn strings<'a>(value: &'a Value, key: &str) -> Vec<&'a str> {
    value[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_turns_the_order_of_what_stands_around_it() {
        let turned = "Maker \u{202e}gro.elpmaxe\u{202c} \u{2067}x\u{2069} اسم";
        let written = |text: &str| written(maud::html! { (text) });
        let shown = written(turned);
        assert_eq!(shown, "Maker \u{fffd}gro.elpmaxe\u{fffd} \u{fffd}x\u{fffd} اسم");
        assert_eq!(written("保温杯"), "保温杯");
    }

    #[test]
    fn the_better_language_wins() {
        assert_eq!(Language::of("zh-CN,zh;q=0.9,en;q=0.8"), Language::Zh);
        assert_eq!(Language::of("en;q=0.5, zh;q=0.4"), Language::En);
        assert_eq!(Language::of("en;q=0.2, zh;Q=0.9"), Language::Zh);
        assert_eq!(Language::of("zh;q=NaN, en;q=0.1"), Language::En);
        assert_eq!(Language::of("fr"), Language::En);
        assert_eq!(Language::of(""), Language::En);
    }

    #[test]
    fn a_tag_of_a_language_is_looked_up_by_its_first_part() {
        for (tag, expected) in [
            ("zh", Some(Language::Zh)),
            ("zh-CN", Some(Language::Zh)),
            ("zh-Hans-CN", Some(Language::Zh)),
            ("ZH-hant-tw", Some(Language::Zh)),
            ("zh-Hans-CN-x-shop", Some(Language::Zh)),
            ("en", Some(Language::En)),
            ("EN-gb", Some(Language::En)),
            ("en-Latn-US", Some(Language::En)),
            ("xx", None),
            ("zho", None),
            ("english", None),
            ("zh-", None),
            ("zh_CN", None),
            ("en-<b>", None),
            ("en-abcdefghi", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(Language::named(tag), expected, "{tag}");
        }
        assert_eq!(Language::named(&format!("en{}", "-a".repeat(40))), None, "bounded");
    }

    #[test]
    fn evidence_is_escaped_and_there_is_no_script() {
        let finding = serde_json::json!({
            "id": "00", "code": "MTR-001", "severity": "error", "subject": "<script>alert(1)",
            "message_en": "a & b", "evidence": ["sha256:00"], "innocent": ["<b>"],
        });
        let page = article(&finding, Language::En).into_string();
        assert!(page.contains("&lt;script&gt;alert(1)"));
        assert!(page.contains("a &amp; b"));
        assert!(!page.contains("<script") && !page.contains("<b>"));
        let page = article(&finding, Language::Zh).into_string();
        assert!(page.contains("<ul lang=\"en\"><li>&lt;b&gt;"), "{page}");
    }
}
