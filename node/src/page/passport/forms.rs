//! The consumer's forms: report a problem, "I bought this", and a code typed by hand.
//!
//! Invariants: no account, no cookie, no script; at most three taps to report; the answer gives a
//! number; looking at a page sends nothing.

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::kind::KindName;
use hallmark_schemas::kind::complaint::{Category, TEXT_BYTES_MAX};
use hallmark_schemas::kind::confirmation::Act;
use maud::{Markup, html};

use super::super::Language;
use super::{Frame, shell, times, words};
use crate::passport::code::asked;
use crate::passport::view::{Passport, Sort};
use refused::Kept;

pub mod refused;

/// Report a problem: open, choose, send.
pub(super) fn complaint(passport: &Passport, frame: &Frame<'_>) -> Markup {
    let language = frame.language;
    html! {
        @if let Some(form) = &frame.forms.complaint {
            section id="report" {
                h2 { (language.pick("Something is wrong?", "发现问题？")) }
                details {
                    summary { (language.pick("Report a problem", "报告问题")) }
                    form method="post" action=(Given::Complaint.path()) {
                        (hidden(goods(passport), form, frame))
                        (complaint_fields(&Kept::default(), passport.sort, None, language))
                    }
                }
            }
        }
    }
}

/// "I bought this": the only thing that counts.
pub(super) fn confirmation(passport: &Passport, frame: &Frame<'_>) -> Markup {
    let language = frame.language;
    let Some(form) = &frame.forms.confirmation else { return html! {} };
    html! {
        section id="confirm" {
            h2 { (language.pick("Did you buy this?", "您购买了此件产品吗？")) }
            p { (language.pick(
                "Your confirmation helps to notice copied codes. The public record holds the day \
                 and what you choose below; the log notes when it was entered. Nothing about you, \
                 your address or your device is kept. ",
                "您的确认有助于发现被复制的代码。公开记录只含日期和您在下方选择的内容；日志另记其登记时刻。\
                 不保存您本人、网络地址或设备的任何信息。",
            ))
                (language.pick("A code confirmed more than ", "同一代码确认超过 "))
                (times(passport.confirmations.innocent_max, language))
                (language.pick(" is shown as a possible copy.", "，将提示代码可能被复制。"))
            }
            form method="post" action=(Given::Confirmation.path()) {
                (hidden(goods(passport), form, frame))
                (confirmation_fields(&Kept::default(), language))
            }
        }
    }
}

/// The fields of a complaint, as they were filled in; `fault` names what tells what is wrong.
fn complaint_fields(
    kept: &Kept,
    sort: Option<Sort>,
    fault: Option<&str>,
    language: Language,
) -> Markup {
    let categories = categories(sort);
    let chosen = categories.iter().find(|one| one.as_str() == kept.choice);
    html! {
        fieldset {
            legend { (language.pick("What is it about?", "是哪方面的问题？")) }
            @for category in categories {
                label {
                    input type="radio" name="category" value=(category.as_str())
                        required checked[category == chosen.unwrap_or(&categories[0])];
                    (category_word(*category, language))
                }
            }
        }
        label class="up" {
            (language.pick(
                "If you like, in your words. Do not name persons or give your own name, number \
                 or address: the report goes into a record that is kept.",
                "可补充说明。请勿填写任何人的姓名、电话或地址：报告将被长期保存。",
            ))
            // Browsers leave out the first line end.
            textarea name="text" rows="3" maxlength=(TEXT_BYTES_MAX / 3)
                aria-describedby=[fault] aria-invalid=[fault.map(|_| "true")] { "\n" (kept.text) }
        }
        button type="submit" { (language.pick("Send the report", "提交报告")) }
    }
}

/// The fields of a confirmation, as they were filled in.
fn confirmation_fields(kept: &Kept, language: Language) -> Markup {
    let chosen = Act::ALL.iter().find(|one| one.as_str() == kept.choice);
    html! {
        fieldset {
            legend { (language.pick("What did you do?", "您做了什么？")) }
            @for act in Act::ALL {
                label {
                    input type="radio" name="act" value=(act.as_str()) required
                        checked[act == chosen.unwrap_or(&Act::ALL[0])];
                    (act_word(*act, language))
                }
            }
        }
        label class="up" {
            (language.pick("Where (optional)", "地区（可不选）"))
            select name="region" {
                option value="" { "—" }
                @for (code, ..) in words::REGIONS {
                    option value=(code) selected[code == kept.region] {
                        (words::region(code, language))
                    }
                }
            }
        }
        button type="submit" { (language.pick("I confirm", "确认")) }
    }
}

fn goods(passport: &Passport) -> &str {
    passport.goods.as_deref().unwrap_or_default()
}

fn hidden(goods: &str, form: &str, frame: &Frame<'_>) -> Markup {
    html! {
        input type="hidden" name="goods" value=(goods);
        input type="hidden" name="form" value=(form);
        // What is printed goes along, so that the way back leads to the same page.
        input type="hidden" name="at" value=(frame.path);
        input type="hidden" name="lang" value=(frame.language.tag());
    }
}

/// A code typed by hand, for damaged prints.
pub(super) fn by_hand(language: Language) -> Markup {
    html! {
        section id="by-hand" {
            h2 { (language.pick("Type the code", "手动输入代码")) }
            form method="get" action="/goods" {
                label class="up" {
                    (language.pick(
                        "The address under the code, or the numbers with their brackets, such as \
                         (01)09506000134352(21)12345",
                        "代码旁的网址，或带括号的数字，例如 (01)09506000134352(21)12345",
                    ))
                    input type="text" name="code" required maxlength="512" autocomplete="off"
                        autocapitalize="off" spellcheck="false";
                }
                input type="hidden" name="lang" value=(language.tag());
                button type="submit" { (language.pick("Look it up", "查询")) }
            }
        }
    }
}

/// What was sent, as its page tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Given {
    /// A confirmation.
    Confirmation,
    /// A complaint.
    Complaint,
}

impl Given {
    /// Where its form is sent, and below which it is told.
    pub const fn path(self) -> &'static str {
        match self {
            Given::Confirmation => "/confirmations",
            Given::Complaint => "/complaints",
        }
    }

    /// What it becomes.
    pub const fn kind(self) -> KindName {
        match self {
            Given::Confirmation => KindName::Confirmation,
            Given::Complaint => KindName::Complaint,
        }
    }
}

/// The answer to a form: its number, to be kept, and the id of its record.
pub fn given(given: Given, (number, id): (&str, &ContentId), frame: &Frame<'_>) -> Markup {
    let language = frame.language;
    let (title, sentence) = match given {
        Given::Confirmation => (
            language.pick("Your confirmation is recorded", "您的确认已登记"),
            language.pick(
                "It says that goods with this code were bought, and on which day.",
                "其中仅说明带有此代码的产品已被购买，以及日期。",
            ),
        ),
        Given::Complaint => (
            language.pick("Your report is recorded", "您的报告已登记"),
            language.pick(
                "The members of the network can read it. Keep the number: it names your report.",
                "本网络成员可以查看。请保存此编号，凭它可以指明您的报告。",
            ),
        ),
    };
    let body = html! {
        main {
            section class="band calm" role="status" {
                svg viewBox="0 0 24 24" width="40" height="40" aria-hidden="true" {
                    path d="M4 13l5 5L20 6" {}
                }
                h1 { (title) }
                p { (language.pick("Number: ", "编号：")) strong { (number) } }
                p { (sentence) }
                p { (language.pick("Its record: ", "其记录：")) code { (id) } }
            }
            (back(frame))
        }
    };
    let here = if frame.path.is_empty() { String::new() } else { asked("", "at", frame.path) };
    shell(title, &here, frame, &body)
}

/// The way back, in the language of the page.
fn back(frame: &Frame<'_>) -> Markup {
    let language = frame.language;
    html! {
        p { a class="act" href=(asked(frame.path, "lang", language.tag())) {
            (language.pick("Back to the record", "返回记录页"))
        } }
    }
}

fn act_word(act: Act, language: Language) -> &'static str {
    match act {
        Act::Bought => language.pick("I bought it new", "我买到的是新品"),
        Act::Opened => language.pick("I opened the seal", "我打开了封签"),
    }
}

/// What can be reported of what the code is on: a place or a document has no seal and no date.
fn categories(sort: Option<Sort>) -> &'static [Category] {
    match sort {
        Some(sort) if !sort.is_goods() => {
            &[Category::WrongRecord, Category::Unsafe, Category::Other]
        }
        _ => Category::ALL,
    }
}

fn category_word(category: Category, language: Language) -> &'static str {
    let (en, zh) = match category {
        Category::SuspectedCopy => ("I think it is a copy", "怀疑是仿制品"),
        Category::Damaged => ("Seal or package open or damaged", "封签或包装已开启或损坏"),
        Category::Expired => ("Past its date", "已过期"),
        Category::WrongGoods => ("Not what the record says", "实物与记录不符"),
        Category::Unsafe => ("It seems dangerous", "可能有危险"),
        Category::WrongRecord => ("The record is wrong", "记录有误"),
        Category::Other => ("Something else", "其他"),
    };
    language.pick(en, zh)
}
