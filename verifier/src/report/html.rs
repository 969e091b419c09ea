//! The report as one HTML file: to read, to print on A4 and to hand in.
//!
//! Invariants: the file asks for nothing from elsewhere and holds no script; everything from evidence
//! is escaped; both languages are in it and a switch without script shows one; what is left out is
//! counted where it would stand; the same report gives the same bytes.

mod finding;
mod svg;

use std::collections::BTreeSet;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::{self, CHARTS_MAX};
use super::{Report, SourceView, cited};
use crate::finding::{Finding, Severity};
use crate::pack::Pack;
use crate::table::TableSet;

const STYLE: &str = include_str!("html/style.css");
/// Nothing may be loaded and nothing run.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";
/// Most rows of one list of the front page; the row after says how many there are.
const ROWS_MAX: usize = 1_000;
/// Most evidence rows of one finding that are shown; the JSON report names all.
const EVIDENCE_SHOWN: usize = 20;

/// Writes the report.
pub fn write(report: &Report, packs: &[Pack], tables: &TableSet) -> String {
    let charts = chart::charts(&report.findings, tables);
    let shown = report.findings.iter().flat_map(|one| one.evidence.iter().take(EVIDENCE_SHOWN));
    let wanted: BTreeSet<&str> = shown.map(String::as_str).collect();
    let cited = cited::rows(tables, &wanted);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Verification report 核查报告" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                input id="en" type="radio" name="language" checked;
                label for="en" { " English" }
                input id="zh" type="radio" name="language";
                label for="zh" lang="zh-Hans" { " 中文" }
                header {
                    h1 { (both("Verification report", "核查报告")) }
                    p class="verdict" lang="en" { (report.verdict.sentence) }
                }
                main {
                    (scope(report))
                    (summary(report))
                    (defects(report))
                    (list(report))
                    (unchecked(report))
                    (rules(report, packs))
                    @for (one, chart) in report.findings.iter().zip(&charts) {
                        (finding::article(one, chart.as_ref(), report, packs, &cited))
                    }
                    @if CHARTS_MAX < report.findings.len() {
                        p { (both("Charts are drawn of the first ", "仅为前 ")) (CHARTS_MAX)
                            (both(" findings.", " 项发现绘图。")) }
                    }
                }
            }
        }
    };
    let mut text = page.into_string();
    text.push('\n');
    text
}

/// Both wordings; the switch shows one.
fn both(en: &str, zh: &str) -> Markup {
    html! {
        span class="en" lang="en" { (en) }
        span class="zh" lang="zh-Hans" { (zh) }
    }
}

fn row(en: &str, zh: &str, value: &Markup) -> Markup {
    html! { dt { (both(en, zh)) } dd { (value) } }
}

/// The row after a list that was cut.
fn cut(shown: usize, all: usize) -> Markup {
    html! {
        @if shown < all {
            p { (both("Showing ", "显示 ")) (shown) (both(" of ", " / ")) (all)
                (both("; the JSON report has all.", "；JSON 报告含全部。")) }
        }
    }
}

fn scope(report: &Report) -> Markup {
    let unknown = || both("unknown", "未知");
    let instant = |at: Option<hallmark_schemas::time::Timestamp>| {
        at.map_or_else(unknown, |at| html! { (at.to_string()) })
    };
    html! {
        h2 { (both("What was checked", "核查范围")) }
        dl {
            (row("Judged as of", "判定截至", &instant(report.as_of)))
            (row("Revocations known until", "已知撤销截至", &instant(report.revocations_as_of)))
            @if let Some(network) = &report.network {
                (row("Network file", "网络文件", &html! {
                    (network.name) ", " (network.version) ", sha256 " code { (network.sha256) }
                }))
            }
            (row("Program", "程序", &html! { (report.program) }))
            @for pack in &report.packs {
                (row("Rules", "规则包", &html! {
                    (pack.name) " " (pack.version) ", sha256 " code { (pack.digest.to_string()) }
                }))
            }
            (row("Attestations proven", "已证明的声明", &html! { (report.attestations_proven) }))
            (row("Rows of evidence", "证据行数", &html! { (report.rows_judged) }))
        }
        h3 { (both("Inputs", "输入")) }
        div class="wide" tabindex="0" { table {
            thead { tr {
                th { (both("Name", "名称")) } th { (both("What", "类型")) }
                th { (both("Rows read / used / refused", "行数：读取/采用/拒绝")) } th { "SHA-256" }
            } }
            tbody { @for source in &report.sources { (input(source)) } }
        } }
        @if !report.logs.is_empty() {
            h3 { (both("Checkpoints", "检查点")) }
            div class="wide" tabindex="0" { table {
                thead { tr {
                    th { (both("Log", "日志")) } th { (both("Size", "大小")) } th { (both("At", "时间")) }
                    th { (both("Vouched for by", "由谁见证")) } th { (both("Root", "根哈希")) }
                } }
                tbody { @for log in &report.logs { tr {
                    td { code { (log.origin) } } td class="number" { (log.size) } td { (log.at.to_string()) }
                    td { @if log.witnessed { (both("witnesses", "见证方")) }
                        @else { (both("its own word", "仅其自述")) } }
                    td { code { (log.root) } }
                } } }
            } }
        }
    }
}

fn input(source: &SourceView) -> Markup {
    html! {
        tr {
            td { (source.name) }
            td lang="en" { (source.what) @if source.unproven { ", " (both("unproven", "未经证明")) } }
            td class="number" {
                @if source.unproven { (source.rows_read) " / " (source.rows_used) " / " (source.rows_refused) }
            }
            td { @if let Some(digest) = &source.sha256 { code { (digest) } } }
        }
        @if !source.faults.is_empty() || !source.columns_ignored.is_empty() {
            tr { td colspan="4" { ul lang="en" {
                @if !source.columns_ignored.is_empty() {
                    li { "columns ignored: " (source.columns_ignored.join(", ")) }
                }
                @for fault in source.faults.iter().take(ROWS_MAX) {
                    li { "line " (fault.line) ", column " (fault.column) ": " (fault.reason) "; " (fault.advice) }
                }
            } (cut(source.faults.len().min(ROWS_MAX), usize::try_from(source.rows_refused).unwrap_or(usize::MAX))) } }
        }
    }
}

/// The word of a severity.
fn severity(severity: Severity) -> Markup {
    let words = match severity {
        Severity::Error => both("error", "错误"),
        Severity::Warning => both("warning", "警告"),
        Severity::Note => both("note", "提示"),
    };
    html! { span class={ "severity " (severity.as_str()) } { (words) } }
}

fn summary(report: &Report) -> Markup {
    let counts = report.counts;
    html! {
        h2 { (both("Summary", "摘要")) }
        div class="wide" tabindex="0" { table {
            thead { tr { th { (both("Severity", "严重程度")) } th { (both("Findings", "发现数")) }
                th { (both("What it means", "含义")) } } }
            tbody {
                tr { td { (severity(Severity::Error)) } td class="number" { (counts.error) }
                    td { (both("exact arithmetic or a broken proof", "精确计算不符或证明不成立")) } }
                tr { td { (severity(Severity::Warning)) } td class="number" { (counts.warning) }
                    td { (both("two independent sources disagree", "两个独立来源不一致")) } }
                tr { td { (severity(Severity::Note)) } td class="number" { (counts.note) }
                    td { (both("worth knowing; proves nothing by itself", "值得了解，本身不构成证明")) } }
            }
        } }
        @if 0 < report.findings_expired {
            p { (both("Not listed, as they had expired by then: ", "届时已过期而未列出的发现："))
                (report.findings_expired) }
        }
    }
}

fn defects(report: &Report) -> Markup {
    html! {
        @if !report.defects.is_empty() {
            h2 { (both("What is wrong with the evidence itself", "证据本身的缺陷")) }
            ul lang="en" {
                @for defect in report.defects.iter().take(ROWS_MAX) {
                    li {
                        strong { (defect.kind) } " "
                        @if let Some(log) = &defect.log { code { (log) } " " }
                        @if let Some(entry) = defect.entry { "entry " (entry) ": " }
                        (defect.detail) "; " (defect.help)
                    }
                }
            }
            (cut(report.defects.len().min(ROWS_MAX), report.defects.len()))
        }
    }
}

/// Where a finding stands in the file.
fn anchor(finding: &Finding) -> String {
    format!("f-{}", finding.id)
}

fn list(report: &Report) -> Markup {
    let shown = report.findings.len().min(ROWS_MAX);
    html! {
        h2 { (both("Findings", "发现")) }
        @if report.findings.is_empty() {
            p { (both("Nothing was found by the rules that ran.", "已运行的规则未发现问题。")) }
        } @else {
            div class="wide" tabindex="0" { table {
                thead { tr {
                    th { (both("Severity", "严重程度")) } th { (both("Rule", "规则")) }
                    th { (both("Subject", "对象")) } th { (both("Period", "时段")) }
                    th { (both("Effect", "影响")) }
                } }
                tbody {
                    @for finding in report.findings.iter().take(shown) { tr {
                        td { (severity(finding.severity)) }
                        td { a href={ "#" (anchor(finding)) } { (finding.code) } }
                        td { code { (finding.subject) } }
                        td { (finding::period(finding)) }
                        td class="number" { (finding::effect(finding)) }
                    } }
                }
            } }
            (cut(shown, report.findings.len()))
        }
    }
}

fn unchecked(report: &Report) -> Markup {
    html! {
        h2 { (both("What was not checked", "未核查的内容")) }
        @if report.unchecked.is_empty() && report.rules_silent.is_empty() && report.rules_failed.is_empty() {
            p { (both("Nothing that the inputs name was left unchecked.", "输入所述内容均已核查。")) }
        }
        ul lang="en" {
            @for one in report.unchecked.iter().take(ROWS_MAX) {
                li { (one.detail) "; fetch: " code { (one.command) } }
            }
            @for rule in &report.rules_failed {
                li { strong { (rule.code) } " could not be finished: " (rule.reason) }
            }
            @for rule in &report.rules_silent { li { (rule.code) ": " (rule.reason) } }
            @for note in &report.notes { li { (note) } }
        }
        (cut(report.unchecked.len().min(ROWS_MAX), report.unchecked.len()))
        @if !report.steps.is_empty() {
            h3 { (both("Steps of the proof", "证明步骤")) }
            ul lang="en" {
                @for step in &report.steps {
                    li { (step.title) @if let Some(why) = &step.reason { ": " (why) } }
                }
            }
        }
    }
}

fn rules(report: &Report, packs: &[Pack]) -> Markup {
    html! {
        h2 { (both("Rules that ran", "已运行的规则")) }
        ul lang="en" {
            @for code in &report.rules_run {
                @let rule = packs.iter().find_map(|pack| pack.rule(code));
                li { (code) @if let Some(rule) = rule { ": " (rule.header.title) } }
            }
        }
    }
}
