//! Open questions: what the rules and others found, with the answers.
//!
//! Invariants: a finding stands with its answers; what others found is told as their word; that
//! nothing was found contradicts no question that other causes leave open.

use hallmark_schemas::time::Timestamp;
use maud::{Markup, html};

use super::super::Language;
use super::sections::party;
use super::words;
use super::{instant, of_zone, texts};
use crate::passport::State;
use crate::passport::fold::UTC;
use crate::passport::named::{Piece, pieces, short};
use crate::passport::view::{Answer, Named, OpenFinding, Passport, StatedFinding};

/// Open findings with their answers.
pub(super) fn findings(passport: &Passport, language: Language) -> Markup {
    html! {
        section id="findings" {
            h2 { (language.pick("Open questions", "未决疑问")) }
            @if passport.findings.is_empty() {
                p class="none" { (nothing_found(passport, language)) }
            }
            @for one in &passport.findings {
                article {
                    h3 data-of="found" { code { (one.code) } " · " (severity(&one.severity, language)) }
                    p data-of="found" { (message(passport, one, language)) }
                    @if passport.goods.as_deref() != Some(one.subject.as_str()) {
                        p class="none" data-of="found" {
                            (language.pick("about ", "针对 ")) code { (one.subject) }
                        }
                    }
                    (answers(&one.answers, &one.id, language))
                }
            }
            @for one in &passport.stated_findings { (stated(passport, one, language)) }
        }
    }
}

/// That the rules found nothing, beside what other causes left open.
fn nothing_found(passport: &Passport, language: Language) -> &'static str {
    if passport.proof.judged_as_of.is_none() {
        return language.pick(
            "This node has not checked its records by rules yet.",
            "本节点尚未按规则核查其记录。",
        );
    }
    if matches!(passport.state, State::Disputed | State::CopySuspected) {
        return language.pick(
            "The question at the top of this page is open. Beside it the rules found nothing about \
             this code.",
            "本页顶部所述疑问尚未解决。除此之外，规则未发现与此代码有关的问题。",
        );
    }
    language.pick("The rules found nothing about this code.", "规则未发现与此代码有关的问题。")
}

/// What somebody else found, as their word.
fn stated(passport: &Passport, one: &StatedFinding, language: Language) -> Markup {
    let text = language.pick(one.message_en.as_str(), one.message_zh.as_str());
    html! {
        article data-record=(one.id) data-kind="finding" data-by=(one.by.id) {
            h3 { span data-of="by" { (party(&one.by)) } (language.pick(" states:", " 称：")) }
            p data-of="message" { (told(text, passport, language)) }
            p class="none" {
                code data-of="code" { (one.code) } " · "
                span data-of="severity" { (severity(one.severity, language)) } " · "
                span data-of="looked" { (one.day) (of_zone(UTC)) }
                @if passport.goods.as_deref() != Some(one.subject.as_str()) {
                    " · " (language.pick("about ", "针对 ")) code data-of="subject" { (one.subject) }
                }
                br;
                (language.pick(
                    "Their word; the check of this node has no such finding.",
                    "此为其单方陈述，本节点的核查没有此结论。",
                ))
            }
            (answers(&one.answers, &one.finding, language))
        }
    }
}

/// What was answered to a finding.
fn answers(answers: &[Answer], finding: &str, language: Language) -> Markup {
    html! {
        @if answers.is_empty() {
            p class="none" { (language.pick("No answer yet.", "尚无答复。")) }
        }
        @for answer in answers {
            @let shown = Some(answer).filter(|answer| !answer.text.is_empty());
            p data-record=[shown.map(|one| &one.id)] data-kind=[shown.map(|_| "response")]
                data-by=[shown.map(|one| &one.by.id)] data-finding=[shown.map(|_| finding)] {
                strong {
                    span data-of="by" { (party(&answer.by)) } " · "
                    span data-of="answered" { (answer.day) (of_zone(UTC)) } (language.pick(": ", "："))
                }
                @if answer.text.is_empty() {
                    (language.pick("the answer is not public", "答复未公开"))
                } @else { span data-of="answer" { (texts(&answer.text, language)) } }
            }
        }
    }
}

fn severity(severity: &str, language: Language) -> &'static str {
    match severity {
        "error" => language.pick("contradiction", "矛盾"),
        "warning" => language.pick("warning", "警告"),
        _ => language.pick("note", "提示"),
    }
}

/// The finding's sentence, or, where that tells what is not public, what the rule looks for.
pub(super) fn message(passport: &Passport, finding: &OpenFinding, language: Language) -> Markup {
    let own = match language {
        Language::En => &finding.message_en,
        Language::Zh => &finding.message_zh,
    };
    html! {
        @match own {
            Some(text) => (told(text, passport, language)),
            None => {
                @let (title, is_foreign) = words::rule(&finding.code, &finding.title, language);
                span lang=[is_foreign.then_some("en")] { (title) }
                @if !finding.months.is_empty() { " (" (finding.months.join(" – ")) (of_zone(UTC)) ")" }
            }
        }
    }
}

/// A rule's sentence as a buyer reads it: the code of this page in words, places and organisations
/// by name, instants to the minute.
fn told(text: &str, passport: &Passport, language: Language) -> Markup {
    let goods = passport.goods.as_deref();
    let rest = goods.and_then(|goods| text.strip_prefix(goods)).filter(|r| r.starts_with(' '));
    html! {
        @if rest.is_some() { (language.pick("This code", "此代码")) }
        @for piece in pieces(rest.unwrap_or(text)) {
            @match piece {
                Piece::Id(id) => (named(id, passport, language)),
                Piece::Words(words) => (timed(words)),
            }
        }
    }
}

/// Words, their instants to the minute.
fn timed(words: &str) -> Markup {
    html! {
        @for (index, word) in words.split(' ').enumerate() {
            @if 0 < index { " " }
            @let end = word.find('Z').map_or(0, |z| z + 1);
            @if Timestamp::parse(&word[..end]).is_ok() { (instant(&word[..end])) (word[end..]) }
            @else { (word) }
        }
    }
}

/// A place or an organisation by its name, with its number behind.
fn named(id: &str, passport: &Passport, language: Language) -> Markup {
    let known = passport.names.iter().find(|one| one.id == id);
    html! {
        @match known {
            Some(Named { party: Some(org), .. }) => { (party(org)) " (" (short(id)) ")" },
            Some(place) => { (texts(&place.names, language)) " (" (short(id)) ")" },
            None => (short(id)),
        }
    }
}
