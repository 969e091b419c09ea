//! One finding on its page: the sentence, the chart, the recomputation, the evidence, the rule.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;

use super::{EVIDENCE_SHOWN, anchor, both, cut, row, severity, svg};
use crate::finding::Finding;
use crate::pack::{Pack, Rule};
use crate::report::Report;
use crate::report::chart::{Chart, Compared, Point};
use crate::report::cited::CitedRow;

/// Most readings in the table beside a chart.
const READINGS_SHOWN: usize = 200;
/// Most other findings of the same subject that are named.
const RELATED_SHOWN: usize = 20;

/// From when to when.
pub(super) fn period(finding: &Finding) -> String {
    match (finding.period_start, finding.period_end) {
        (Some(start), Some(end)) if start != end => format!("{start} – {end}"),
        (Some(at), _) | (None, Some(at)) => at.to_string(),
        (None, None) => String::new(),
    }
}

/// Its size with its sign, where it has one.
pub(super) fn effect(finding: &Finding) -> String {
    let unit = finding.effect_unit.as_deref().unwrap_or_default();
    finding.effect.map(|effect| format!("{effect:+} {unit}")).unwrap_or_default()
}

pub(super) fn article(
    finding: &Finding,
    chart: Option<&Chart>,
    report: &Report,
    packs: &[Pack],
    cited: &BTreeMap<String, Vec<CitedRow>>,
) -> Markup {
    let pack = packs.iter().find(|pack| pack.rule(&finding.code).is_some());
    let rule = pack.and_then(|pack| Some((pack, pack.rule(&finding.code)?)));
    html! {
        article id=(anchor(finding)) class=(finding.severity.as_str()) {
            h2 { (severity(finding.severity)) " " (finding.code) " " span lang="en" { (finding.title) } }
            p class="en" lang="en" { strong { (finding.message_en) } }
            p class="zh" lang="zh-Hans" { strong { (finding.message_zh) } }
            dl {
                (row("Subject", "对象", &html! { code { (finding.subject) } }))
                (row("Period", "时段", &html! { (period(finding)) }))
                (row("Sort", "类别", &html! { span lang="en" { (finding.class.as_str()) } }))
                @if finding.effect.is_some() { (row("Effect", "影响", &html! { (effect(finding)) })) }
                (row("How to answer", "如何答复", &html! { span lang="en" { (finding.answer) } }))
                (row("Expires", "失效时间", &html! { (finding.expires_at.to_string()) }))
                (row("Finding", "编号", &html! { code { (finding.id.to_string()) } }))
                (explained(finding, report))
            }
            @if let Some(chart) = chart { (drawn(chart)) }
            (values(finding, rule))
            (evidence(finding, cited))
            h3 { (both("To rule out first", "须先排除的情形")) }
            ul lang="en" { @for line in &finding.innocent { li { (line) } } }
            @if let Some((_, rule)) = rule {
                h3 { (both("Rests on", "依据")) }
                ul lang="en" { @for line in &finding.basis { li { (line) } } }
                details {
                    summary { (both("The rule as it ran", "规则原文")) }
                    pre { (rule.text) }
                }
            }
            (related(finding, report))
        }
    }
}

/// What explains the finding, what it explains, and what competes to.
fn explained(finding: &Finding, report: &Report) -> Markup {
    let named = |is_one: &dyn Fn(&Finding) -> bool| {
        let found: Vec<&Finding> = report.findings.iter().filter(|one| is_one(one)).collect();
        let shown = found.len().min(RELATED_SHOWN);
        let links = html! {
            @for other in &found[..shown] { a href={ "#" (anchor(other)) } { (other.code) } " " }
            (cut(shown, found.len()))
        };
        (!found.is_empty()).then_some(links)
    };
    let root = named(&|one| finding.explained_by == Some(one.id));
    let part = named(&|one| one.explained_by == Some(finding.id));
    let others = named(&|one| finding.competing.contains(&one.id));
    html! {
        @if let Some(links) = root { (row("Explained by", "可由此解释", &links)) }
        @if let Some(links) = part { (row("Explains", "可解释", &links)) }
        @if let Some(links) = others { (row("Or by", "也可由此解释", &links)) }
    }
}

fn drawn(chart: &Chart) -> Markup {
    let label = format!("{} {} of {}", chart.quantity, chart.unit, chart.device);
    html! {
        h3 { (both("Readings", "读数")) }
        p { code { (chart.device) } ", " (chart.quantity) ", " (chart.unit) ", "
            (chart.interval_s) " s, UTC" }
        (svg::draw(chart, &label))
        p class="key" {
            (key("own")) span { (both("as recorded", "所记录")) }
            @if !chart.others.is_empty() { (key("other")) span { (compared(&chart.compared)) } }
            span { (both("shaded: the period of the finding; where readings are missing the line is broken",
                "阴影：发现所涉时段；缺读数处线段中断")) }
        }
        (readings(chart))
    }
}

/// A short stroke as in the chart.
fn key(class: &str) -> Markup {
    html! { svg viewBox="0 0 36 12" aria-hidden="true" { path class=(class) d="M0 6L36 6" {} } }
}

fn compared(compared: &Compared) -> Markup {
    match compared {
        Compared::Source { shift_ms } => {
            let hours = shift_ms / 3_600_000;
            html! { (both("the earlier stretch, moved by ", "较早时段，平移 ")) (hours) " h" }
        }
        Compared::Parent { device, siblings: 0 } => {
            html! { (both("the meter above, ", "上级表 ")) code { (device) } }
        }
        Compared::Parent { device, .. } => html! {
            (both("what the meter above and its other children leave for it, ",
                "上级表减去其他下级表后的余量 "))
            code { (device) }
        },
        Compared::WeekBefore => both("the same hours a week before", "一周前同一时刻"),
    }
}

/// An evidence id; of a row of a plain file the beginning of the digest, which stands whole under
/// *Inputs*.
fn id(text: &str) -> Markup {
    let short = text.strip_prefix("file:").and_then(|rest| {
        let (digest, row) = rest.split_once('#')?;
        Some(format!("file:{}…#{row}", digest.get(..8)?))
    });
    html! { code title=(text) { (short.as_deref().unwrap_or(text)) } }
}

/// The readings of the period as a table: what the chart draws, in digits.
fn readings(chart: &Chart) -> Markup {
    let (from, to) = chart.window;
    let within: Vec<&Point> =
        chart.points.iter().filter(|point| from <= point.at_ms && point.at_ms <= to).collect();
    let other = |at_ms: i64| {
        let place = chart.others.binary_search_by_key(&at_ms, |point| point.at_ms).ok()?;
        chart.others.get(place).map(svg::amount)
    };
    html! {
        details {
            summary { (both("The readings of the period as a table", "该时段读数表")) }
            div class="wide" tabindex="0" { table {
                thead { tr {
                    th { (both("End of the interval", "区间结束")) } th { (chart.unit) }
                    th { (compared(&chart.compared)) } th { (both("Evidence", "证据")) }
                } }
                tbody { @for point in within.iter().take(READINGS_SHOWN) { tr {
                    td { (svg::text(point.at_ms)) } td class="number" { (svg::amount(point)) }
                    td class="number" { (other(point.at_ms).unwrap_or_default()) } td { (id(&point.id)) }
                } } }
            } }
            (cut(within.len().min(READINGS_SHOWN), within.len()))
        }
    }
}

/// The values that the rule reckoned, and the thresholds that it held them against.
fn values(finding: &Finding, rule: Option<(&Pack, &Rule)>) -> Markup {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    html! {
        h3 { (both("Recomputation", "重新计算")) }
        p { code { "hallmark-verify explain INPUT " (&finding.id.to_string()[..12]) } }
        div class="wide" tabindex="0" { table {
            thead { tr { th { (both("Reckoned by the rule", "规则计算")) } th { (both("Value", "数值")) } } }
            tbody { @for (name, value) in &finding.columns {
                tr { td { code { (name) } } td { (text(value)) } }
            } }
        } }
        @if let Some((pack, rule)) = rule {
            div class="wide" tabindex="0" { table {
                thead { tr { th { (both("Parameter", "参数")) } th { (both("Value", "数值")) }
                    th { (both("Source", "来源")) } th { (both("In force", "生效")) } } }
                tbody { @for (name, parameter) in pack.parameters_of(rule) { tr {
                    td { code { (name) } }
                    td { (parameter.value.to_string()) " " (parameter.unit) }
                    td lang="en" { (parameter.source) }
                    td { (parameter.in_force) }
                } } }
            } }
        }
    }
}

fn evidence(finding: &Finding, cited: &BTreeMap<String, Vec<CitedRow>>) -> Markup {
    let shown = finding.evidence.len().min(EVIDENCE_SHOWN);
    let all = usize::try_from(finding.evidence_count).unwrap_or(usize::MAX);
    html! {
        h3 { (both("Evidence", "证据")) }
        div class="wide" tabindex="0" { table {
            thead { tr {
                th { (both("Id", "编号")) } th { (both("Signed by", "签署方")) }
                th { (both("Log and entry", "日志与条目")) } th { (both("Recorded", "登记时间")) }
                th { (both("What it says", "内容")) }
            } }
            tbody { @for name in finding.evidence.iter().take(shown) {
                @let rows = cited.get(name).map_or(&[][..], Vec::as_slice);
                @if rows.is_empty() { tr { td { (id(name)) } td colspan="4" {} } }
                @for row in rows.iter().take(1) { tr {
                    td { (id(name)) }
                    td { @match &row.issuer {
                        Some(issuer) => { code { (issuer) } },
                        None => { (both("nobody: a plain table", "无签署：普通表格")) },
                    } }
                    td { @if let (Some(log), Some(entry)) = (&row.log, &row.entry) { code { (log) } " " (entry) } }
                    td { (row.recorded_at.as_deref().unwrap_or_default()) }
                    td { (row.table) ": " @for (column, value) in &row.cells { (column) "=" (value) "; " }
                        @if 1 < rows.len() { "+" (rows.len() - 1) (both(" more rows", " 行")) } }
                } }
            } }
        } }
        (cut(shown, all))
    }
}

fn related(finding: &Finding, report: &Report) -> Markup {
    let is_related = |other: &&Finding| other.subject == finding.subject && other.id != finding.id;
    let all = report.findings.iter().filter(is_related).count();
    html! {
        @if 0 < all {
            h3 { (both("Other findings about the same subject", "同一对象的其他发现")) }
            ul { @for other in report.findings.iter().filter(is_related).take(RELATED_SHOWN) {
                li { a href={ "#" (anchor(other)) } { (other.code) } ", " (period(other)) }
            } }
            (cut(all.min(RELATED_SHOWN), all))
        }
    }
}
