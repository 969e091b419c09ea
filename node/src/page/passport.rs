//! The passport page: one plain sentence first, then the rest, in the order of what a buyer asks.
//!
//! Invariants: everything from records or the request is escaped; readable without script, at 320
//! pixels and in print; a passage in another language than the page carries its `lang`; nothing is
//! fetched from elsewhere; the state is in the heading and the title, as word, icon and sentence.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;

use super::Language;
use crate::passport::State;
use crate::passport::code::asked;
use crate::passport::fold::UTC;
use crate::passport::view::{Certificate, Passport, Recall, Sort, Standing, Text};
use sections::party;

pub mod forms;
mod notices;
mod proof;
mod questions;
pub mod refusal;
mod scope;
mod sections;
mod unrecorded;
mod words;

/// What the page is given beside the passport.
pub struct Frame<'a> {
    /// The language of our own words.
    pub language: Language,
    /// The organisation whose node answers.
    pub operator: &'a str,
    /// Path of this passport on this node, with what the print of the code says; empty where the
    /// page is of none.
    pub path: &'a str,
    /// The forms that are handed out with this page.
    pub forms: &'a Forms,
}

/// Tokens of the forms that one rendered page hands out: each ties what is sent to one attestation.
/// One that is not taken has none.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Forms {
    /// "I bought this".
    pub confirmation: Option<String>,
    /// "Report a problem".
    pub complaint: Option<String>,
}

/// The style, by whose digest the content security policy admits it.
pub const STYLE: &str = include_str!("passport.css");

/// The whole page.
pub fn page(passport: &Passport, frame: &Frame<'_>) -> Markup {
    let (state, language) = (passport.state, frame.language);
    let name = words_of(&passport.item.names, language);
    let name = name.map(|name| name.text.as_str());
    let title = name.or(passport.goods.as_deref()).unwrap_or("");
    let body = html! {
        main {
            (band(passport, language))
            @if state == State::Unreadable || !state.has_record() {
                (sections::code(passport, language))
                @if passport.is_spoken_of() || passport.is_only_recalled() {
                    (sections::words_of_others(passport, language))
                } @else if state == State::Unknown {
                    (unrecorded::check(passport, language))
                }
                (forms::by_hand(language))
                (forms::complaint(passport, frame))
            } @else if state == State::Broken {
                // What still holds is not shown as if it could be relied on.
                (sections::code(passport, language))
                (proof::proof(passport, language))
                (forms::complaint(passport, frame))
            } @else {
                (sections::item(passport, language))
                (sections::eyes(passport, language))
                (sections::certificates(passport, language))
                @if passport.sort != Some(Sort::Place) {
                    // Events are not looked up by a place.
                    (sections::journey(passport, language))
                }
                @if passport.sort.is_none_or(Sort::is_goods) {
                    (sections::footprints(passport, language))
                }
                (questions::findings(passport, language))
                (proof::proof(passport, language))
                (forms::complaint(passport, frame))
                (forms::confirmation(passport, frame))
            }
        }
    };
    let heading = format!("{} · {title}", passport.word(language));
    // What is no code has no links.
    let path = if passport.goods.is_some() { frame.path } else { "" };
    let head = Frame { path, ..*frame };
    shell(heading.trim_end_matches([' ', '·']), frame.path, &head, &body)
}

/// Head, language switch and footer around a page's own part, which is at `here`.
fn shell(title: &str, here: &str, frame: &Frame<'_>, body: &Markup) -> Markup {
    let language = frame.language;
    html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                // Without it browsers ask for a favicon.
                link rel="icon" href="data:,";
                @if !frame.path.is_empty() {
                    link rel="linkset" type="application/linkset+json"
                        href=(asked(frame.path, "linkType", "linkset"));
                }
                style { (PreEscaped(STYLE)) }
            }
            body {
                nav aria-label=(language.pick("Language", "语言")) {
                    (switch(Language::En, "English", here, language))
                    (switch(Language::Zh, "中文", here, language))
                }
                (body)
                footer {
                    p { (language.pick(
                        "Records can be checked, the thing in the hand cannot. Looking at this \
                         page is not counted; there is no cookie and no account.",
                        "记录可以核对，手中的实物不能。浏览本页不计数，没有 Cookie，也不需要账号。",
                    )) }
                    p {
                        (language.pick("Shown by the node of ", "由以下机构的节点提供："))
                        span data-of="operator" { (frame.operator) }
                    }
                }
            }
        }
    }
}

fn switch(to: Language, name: &str, here: &str, now: Language) -> Markup {
    html! {
        @if to == now {
            b lang=(to.tag()) aria-current="true" { (name) }
        } @else {
            a lang=(to.tag()) hreflang=(to.tag()) href=(asked(here, "lang", to.tag())) { (name) }
        }
    }
}

/// State, sentence, and what the sentence leaves open.
fn band(passport: &Passport, language: Language) -> Markup {
    let state = passport.state;
    html! {
        section class={ "band " (passport.tone()) } id="state" data-state=(state.as_str()) {
            svg viewBox="0 0 24 24" width="40" height="40" aria-hidden="true" {
                path d=(state.icon()) {}
            }
            h1 data-of="word" { (passport.word(language)) }
            p data-of="sentence" { (passport.sentence(language)) }
            @if let Some(expiry) = passport.item.expiry.as_ref().filter(|_| is_over(passport)) {
                p { strong data-of="passed" {
                    (language.pick("Use until ", "有效期至 ")) (expiry)
                    (language.pick(": this day has passed.", "：该日期已过。"))
                } }
            }
            (open_facts(passport, language))
            (notices::all(passport, language))
        }
    }
}

/// Whether the goods are past their date, and what says so is shown.
fn is_over(passport: &Passport) -> bool {
    passport.item.is_past_expiry && passport.state.has_record() && passport.state != State::Broken
}

/// What the sentence of this state leaves open. A recall is told whatever the state is.
fn open_facts(passport: &Passport, language: Language) -> Markup {
    html! {
        (print_facts(passport, language))
        (state_facts(passport, language))
    }
}

/// What is printed and what is recorded, where these differ; told whatever the state is.
fn print_facts(passport: &Passport, language: Language) -> Markup {
    html! {
        @if passport.state != State::Broken {
            @for one in &passport.link.contradictions {
                p data-of="contrary" data-ai=(one.ai) {
                    strong {
                        (language.pick("Printed: ", "印刷内容："))
                        (words::printed(&one.ai, one.title, language)) " " (one.printed)
                    }
                    (language.pick(". Recorded: ", "；登记内容："))
                    (one.recorded.join(language.pick(", ", "、")))
                    (language.pick(". They differ.", "。两者不一致。"))
                }
            }
        }
    }
}

fn state_facts(passport: &Passport, language: Language) -> Markup {
    let months = passport.confirmations.months.join(language.pick(", ", "、")) + of_zone(UTC);
    let is_faulty = |one: &&Certificate| !one.is_superseded && one.standing < Standing::Future;
    let faulty = passport.certificates.iter().filter(is_faulty);
    let oldest = passport.proof.logs.iter().filter_map(|log| log.checkpoint_at.as_deref()).min();
    html! {
        @for recall in &passport.recalls { (recall_terms(recall, Stage::InForce, language)) }
        @match passport.state {
            State::Broken => ul {
                @for record in passport.proof.records.iter().filter(|one| one.fault.is_some()) {
                    li { (proof::record(record, language)) }
                }
            },
            State::Withdrawn | State::Expired => ul {
                @for one in faulty {
                    li data-record=(one.id) data-kind="certificate" data-of="faulty" {
                        (one.standard) " " (one.number) (language.pick(": ", "："))
                        (sections::standing(one.standing, language)) " "
                        (one.withdrawn.as_ref().or(one.valid_to.as_ref()).map_or("", String::as_str))
                        (of_zone(&one.zone))
                        @if let Some(reason) = &one.reason {
                            (language.pick(". Reason: ", "。原因：")) (reason)
                        }
                        @if one.key_revoked.is_some() { (revoked(language)) }
                    }
                }
            },
            State::Unknown => (confirmed(passport, &months, language)),
            State::CopySuspected => (copy_facts(passport, &months, language)),
            State::ConsistentSeen => p data-of="confirmed" {
                (language.pick("Confirmed in ", "确认月份：")) (months)
            },
            State::Stale => p {
                (language.pick("Last checkpoint: ", "最近的检查点："))
                span data-of="vouched" { (oldest.map_or_else(|| html! { "?" }, instant)) }
            },
            _ => {}
        }
        (elsewhere(passport, language))
    }
}

/// Why a certificate counts no more that nobody withdrew.
fn revoked(language: Language) -> &'static str {
    language.pick(" · its key was revoked", " · 其密钥已被吊销")
}

/// What buyers have confirmed of a code that nobody here vouches for.
fn confirmed(passport: &Passport, months: &str, language: Language) -> Markup {
    let count = passport.confirmations.count;
    html! {
        @if 0 < count {
            p {
                (language.pick("Buyers confirmed it ", "购买者已确认 ")) (times(count, language))
                (language.pick(", in ", "，月份：")) span data-of="months" { (months) }
                (language.pick(".", "。"))
            }
        }
    }
}

/// How a recall stands, which decides what of it is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Begins,
    InForce,
    Lifted,
}

/// The terms of a recall: what to do while there is something to do, and since when where that is
/// not told before.
fn recall_terms(recall: &Recall, stage: Stage, language: Language) -> Markup {
    html! {
        dl data-record=(recall.id) data-kind="recall" data-by=(recall.by.id) {
            @if stage == Stage::InForce {
                dt { (language.pick("Recalled since", "召回日期")) } dd data-of="since" { (recall.since) (of_zone(&recall.zone)) }
            }
            dt { (language.pick("Reason", "原因")) } dd data-of="reason" { (texts(&recall.reason, language)) }
            @if stage != Stage::Lifted {
                dt { (language.pick("What to do", "处理办法")) }
                dd data-of="action" { (texts(&recall.action, language)) }
                @if let Some(contact) = &recall.contact {
                    dt { (language.pick("Contact", "联系方式")) } dd data-of="contact" { (contact) }
                }
            }
            dt { (language.pick("Recalled by", "召回方")) } dd data-of="by" { (party(&recall.by)) }
        }
    }
}

/// Who can tell, as a link to follow by hand: nothing leads there by itself.
fn elsewhere(passport: &Passport, language: Language) -> Markup {
    let is_asked = passport.state == State::Unknown;
    html! {
        @if let Some(elsewhere) = passport.elsewhere.as_ref().filter(|_| passport.goods.is_some()) {
            p {
                @if !is_asked {
                    (language.pick(
                        "Whether this code was issued, only the node of its issuer can tell. ",
                        "此代码是否已发放，只有发放方的节点能够确认。",
                    ))
                }
                (language.pick("Codes issued by: ", "代码发放方："))
                span data-of="issues" { (party(&elsewhere.issuer)) }
                @if let Some(url) = &elsewhere.url {
                    (language.pick(". ", "。"))
                    a href=(url) rel="noreferrer nofollow" {
                        (language.pick("This code at their node", "在其节点上查看此代码"))
                    }
                }
            }
        }
    }
}

fn copy_facts(passport: &Passport, months: &str, language: Language) -> Markup {
    let confirmations = &passport.confirmations;
    let is_often = confirmations.innocent_max < confirmations.count;
    html! {
        ul {
            @for finding in passport.findings.iter().filter(|finding| finding.is_copy) {
                li data-of="found" {
                    @match words::copied(&finding.code, language) {
                        Some(words) => {
                            (words)
                            @if !finding.months.is_empty() { " (" (finding.months.join(" – ")) (of_zone(UTC)) ")" }
                        }
                        None => (questions::message(passport, finding, language)),
                    }
                }
            }
            @if is_often {
                li {
                    (language.pick("Buyers confirmed it ", "购买者已确认 "))
                    (times(confirmations.count, language))
                    (language.pick(", in ", "，月份："))
                    span data-of="months" { (months) }
                    (language.pick(". More than ", "。超过 "))
                    (times(confirmations.innocent_max, language))
                    (language.pick(" is told here.", "即在此提示。"))
                }
            }
            @if !confirmations.impossible.is_empty() && !is_often {
                li data-of="confirmed" { (language.pick("Confirmed in ", "确认月份：")) (months) }
            }
            @if passport.is_scrapped {
                li { (language.pick(
                    "Whoever issued this code scrapped it: it should be on no goods.",
                    "此代码已由发放方作废，不应出现在任何产品上。",
                )) }
            }
        }
    }
}

/// The text in the page's language, or the first there is.
pub(crate) fn words_of(all: &[Text], language: Language) -> Option<&Text> {
    let own = all.iter().find(|text| text.lang.as_deref() == Some(language.tag()));
    own.or_else(|| all.first())
}

/// One text of several languages, marked where it is in another than the page.
fn texts(all: &[Text], language: Language) -> Markup {
    html! { @if let Some(text) = words_of(all, language) { (passage(text, language)) } }
}

/// So many times.
fn times(count: usize, language: Language) -> String {
    match (language, count) {
        (Language::Zh, count) => format!("{count} 次"),
        (Language::En, 1) => "once".to_owned(),
        (Language::En, count) => format!("{count} times"),
    }
}

/// What stands behind a day or month: its clock, where that is not of its place.
fn of_zone(zone: &str) -> &'static str {
    if zone == UTC { " UTC" } else { "" }
}

/// An instant to the minute, as people read it.
fn instant(at: &str) -> Markup {
    html! {
        @match (at.get(..10), at.get(11..16)) {
            (Some(day), Some(minute)) => time datetime=(at) { (day) " " (minute) " UTC" },
            _ => (at),
        }
    }
}

fn passage(text: &Text, language: Language) -> Markup {
    let other = text.lang.as_deref().filter(|lang| *lang != language.tag());
    html! { span lang=[other] { (text.text) } }
}

/// What an identifier names.
fn sort_word(sort: Sort, language: Language) -> &'static str {
    let (en, zh) = match sort {
        Sort::Item => ("one item", "单件产品"),
        Sort::Lot => ("a lot", "一个批次"),
        Sort::Class => ("a kind of product", "一类产品"),
        Sort::Unit => ("a shipping unit", "物流单元"),
        Sort::Place => ("a place or party", "地点或机构"),
        Sort::Document => ("a document", "单证"),
        Sort::Coupon => ("a coupon", "优惠券"),
        Sort::Relation => ("a service relation", "服务关系"),
        Sort::Other => ("goods of another numbering", "其他编码体系的物品"),
    };
    language.pick(en, zh)
}

#[cfg(test)]
mod tests;
