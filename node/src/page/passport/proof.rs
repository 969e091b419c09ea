//! How to check it oneself: the button, the logs, the records.
//!
//! Invariant: what the page states of a record or itself beside its own wording is marked with what
//! it is of (`data-record`, `data-of`), as `read.mjs` reads it.

use maud::{Markup, html};

use super::super::Language;
use super::sections::{count, party};
use super::{instant, words};
use crate::passport::view::{Passport, Record};

/// Longest list of records that the page prints; the JSON form has them all.
const RECORDS_MAX: usize = 12;

/// How to check it oneself.
pub(super) fn proof(passport: &Passport, language: Language) -> Markup {
    let proof = &passport.proof;
    html! {
        section id="check" {
            h2 { (language.pick("Check it yourself", "自行核对")) }
            @match &proof.bundle {
                Some(bundle) => (checker(passport, bundle, language)),
                None => p { (language.pick(
                    "No record of this code is public, so there is nothing that you can check: what \
                     this page says is the word of this node. Those who may read the records can \
                     check them with hallmark-verify.",
                    "此代码没有公开的记录，因此您无法自行核对：本页内容仅为本节点的陈述。\
                     有权读取记录者可用 hallmark-verify 核对。",
                )) },
            }
            dl {
                @for log in &proof.logs {
                    dt { (language.pick("Log", "日志")) }
                    dd data-of="log" {
                        a href=(log.checkpoint) { (log.origin) } ", " (log.size) " "
                        (language.pick("entries", "个条目"))
                        @if let Some(at) = &log.checkpoint_at { " · " (instant(at)) }
                    }
                }
                @if let Some(at) = &proof.checked_at {
                    dt { (language.pick("Checked at", "核对时间")) } dd data-of="checked" { (instant(at)) }
                }
                @if let Some(at) = &proof.judged_as_of {
                    dt { (language.pick("Findings up to", "疑问核查截至")) }
                    dd data-of="judged" { (instant(at)) }
                }
            }
            (records(passport, language))
        }
    }
}

/// Every record that the page rests on.
fn records(passport: &Passport, language: Language) -> Markup {
    let proof = &passport.proof;
    let listed = || proof.records.iter().filter(|record| !record.is_silent);
    let silent = proof.records.len() - listed().count();
    html! {
        details {
            summary { (language.pick("Records: ", "记录数：")) (count(proof.records.len())) }
            ul {
                @for record in listed().take(RECORDS_MAX) {
                    @let shown = Some(record).filter(|record| record.is_public);
                    li data-record=[shown.map(|one| &one.id)]
                        data-kind=[shown.and_then(|one| one.kind.as_ref())]
                        data-by=[shown.and_then(|one| one.issuer.as_ref()).map(|by| &by.id)]
                        data-log=[shown.map(|one| &one.log)]
                        data-entry=[shown.map(|one| one.entry)]
                        data-time=[shown.and_then(|one| one.recorded.as_ref()).map(|r| r.join(" "))]
                        data-fault=[shown.and_then(|one| one.fault)] {
                        (self::record(record, language)) " · "
                        (signed(record, language))
                        @let of = if record.fault.is_some() { "damagedid" } else { "id" };
                        @if record.is_public {
                            a href={ "/v1/attestations/" (record.id) } {
                                code data-of=(of) { (record.id) }
                            }
                        } @else { code data-of=(of) { (record.id) } }
                    }
                }
                @if 0 < silent {
                    li {
                        (count(silent)) " "
                        (language.pick(
                            "label orders that this code is not of",
                            "个标签批次不含此代码",
                        ))
                    }
                }
                @if RECORDS_MAX < listed().count() || proof.is_cut {
                    li { (language.pick("More are not listed here.", "其余未在此列出。")) }
                }
            }
        }
    }
}

/// The button that has the browser check the bundle, and what it must find there: the goods and
/// every public record of this page, those that do not hold, and how many are told of that are not
/// public, as `read.mjs` reads them. Without script the bundle is there to be downloaded.
fn checker(passport: &Passport, bundle: &str, language: Language) -> Markup {
    let ids = |which: fn(&&Record) -> bool| {
        let records = passport.proof.records.iter().filter(which);
        let ids: Vec<&str> = records.map(|one| one.id.trim_start_matches("sha256:")).collect();
        ids.join(" ")
    };
    let hidden = passport.journey.iter().filter(|step| step.id.is_none()).count();
    html! {
        div data-check=(bundle) data-goods=[&passport.goods] data-records=(ids(|one| one.is_public))
            data-damaged=(ids(|one| one.fault.is_some())) data-hidden=(hidden)
            data-busy=(language.pick("Checking …", "正在核对……"))
            data-lost=(language.pick(
                "Cannot check here: a part of the script could not be loaded. Download the bundle \
                 and use hallmark-verify.",
                "此处无法核对：脚本的一部分未能加载。请下载证据包并使用 hallmark-verify。",
            )) {
            p {
                (language.pick(
                    "The bundle holds the public records with the proofs of their logs. ",
                    "证据包含公开记录及其日志证明，可离线运行 ",
                ))
                code { "hallmark-verify check" }
                (language.pick(
                    " tests every signature in it, without network.", " 检验每个签名。",
                ))
            }
            p class="none" { (language.pick(
                "The script behind the button comes from this node, as the page does. Only a \
                 program that does not is a witness against it.",
                "按钮背后的脚本与本页同样来自本节点。要核对本节点自身，请使用其他来源的程序。",
            )) }
            p { a class="act" href=(bundle) download {
                (language.pick("Download the bundle", "下载证据包"))
            } }
            button type="button" hidden {
                (language.pick("Check in this browser", "在本浏览器中核对"))
            }
            p role="status" {}
            ol hidden {}
        }
        script type="module" src="/assets/page.mjs" {}
    }
}

/// Who signed a record, and by when it was in its log.
fn signed(record: &Record, language: Language) -> Markup {
    html! {
        @if let Some(issuer) = &record.issuer {
            (language.pick("signed by ", "签发方："))
            span data-of="by" { (party(issuer)) } " · "
        }
        @if let Some([_, latest]) = &record.recorded {
            (language.pick("recorded by ", "登记不晚于 "))
            span data-of="recorded" { (instant(latest)) } " · "
        }
    }
}

/// What a record is, where it lies, and what does not hold of it.
pub(super) fn record(record: &Record, language: Language) -> Markup {
    html! {
        span data-of=(if record.fault.is_some() { "damaged" } else { "record" }) {
            (record.kind.as_deref().map_or("?", |kind| words::kind(kind, language)))
            " · " (record.log) " #" (record.entry)
        }
        @if let Some(fault) = record.fault {
            " · " strong data-of="fault" { (words::fault(fault, language)) }
        }
    }
}
