//! What a person sees where a program would read problem details: the same refusal as a page.
//!
//! Invariants: the sentence says what to do; the detail, which is for whoever wrote the address,
//! stays text and is marked as English.

use maud::{Markup, html};

use super::super::Language;
use super::forms::by_hand;
use super::{Frame, shell};

/// A request that is refused.
pub struct Refusal<'a> {
    /// The HTTP status.
    pub status: u16,
    /// Seconds until it is worth asking again.
    pub after_s: Option<u64>,
    /// The detail of the problem, in English.
    pub detail: &'a str,
}

/// The page.
pub fn page(refusal: &Refusal<'_>, frame: &Frame<'_>) -> Markup {
    let language = frame.language;
    let (title, sentence) = words(refusal, language);
    let body = html! {
        main {
            section class="band mute" role="alert" {
                svg viewBox="0 0 24 24" width="40" height="40" aria-hidden="true" {
                    path d="M3 12a9 9 0 1 0 18 0a9 9 0 1 0-18 0M12 7v6M12 16.5v.5" {}
                }
                h1 { (title) }
                p { (sentence) }
            }
            @if refusal.status == 404 {
                (by_hand(language))
            } @else if refusal.after_s.is_none() {
                p class="none" lang="en" { (refusal.status) ": " (refusal.detail) }
            }
        }
    };
    shell(title, "", frame, &body)
}

fn words(refusal: &Refusal<'_>, language: Language) -> (&'static str, String) {
    let text = |en: &'static str, zh: &'static str| language.pick(en, zh).to_owned();
    match (refusal.status, refusal.after_s) {
        (429, Some(after_s)) => (
            language.pick("Too many requests", "请求过于频繁"),
            match language {
                Language::En => format!(
                    "Too many requests came from where you are. Open the page again in {after_s} \
                     seconds."
                ),
                Language::Zh => {
                    format!("您所在的网络请求过于频繁。请在 {after_s} 秒后重新打开本页。")
                }
            },
        ),
        (_, Some(after_s)) => (
            language.pick("Not now", "暂时无法提供"),
            match language {
                Language::En => format!("Open the page again in {after_s} seconds."),
                Language::Zh => format!("请在 {after_s} 秒后重新打开本页。"),
            },
        ),
        (404, _) => (
            language.pick("Nothing is here", "此处没有内容"),
            text(
                "There is no page at this address. If you scanned a code, type it below.",
                "此地址没有页面。如果您扫描了代码，请在下方手动输入。",
            ),
        ),
        (500.., _) => (
            language.pick("A fault of this node", "本节点出现故障"),
            text("It is not your fault. Try again later.", "这不是您的问题。请稍后再试。"),
        ),
        _ => (
            language.pick("This cannot be answered", "无法处理此请求"),
            text(
                "The address, or what was sent with it, is not what this node takes.",
                "网址或随附的内容不符合本节点的要求。",
            ),
        ),
    }
}
