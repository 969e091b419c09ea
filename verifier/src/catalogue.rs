//! The rule catalogue: what a pack's rules look for, as a page and as lines.
//!
//! Invariant: both are a function of the packs alone, so a test can tell when the page is stale.

use std::fmt::Write as _;

use serde::Serialize;

use crate::pack::{Pack, ParameterValue, Rule};

/// One rule, as a line of JSON.
#[derive(Debug, Serialize)]
pub struct RuleView<'a> {
    /// The code.
    pub code: &'a str,
    /// The pack.
    pub pack: &'a str,
    /// What is wrong.
    pub title: &'a str,
    /// `draft`, `stable` or `retired`.
    pub status: &'static str,
    /// The release that brought it.
    pub since: &'a str,
    /// The highest severity.
    pub severity: &'static str,
    /// What kind of thing it finds.
    pub class: &'static str,
    /// What it looks at together.
    pub scope: &'static str,
    /// 2 if it reads findings.
    pub stage: u8,
    /// Tables that it reads.
    pub tables: Vec<&'a str>,
    /// Tables without which it stays silent.
    pub required: Vec<&'a str>,
    /// Parameters that it names.
    pub parameters: Vec<&'a str>,
    /// Standards and laws.
    pub basis: &'a [String],
    /// Honest explanations.
    pub innocent: &'a [String],
    /// What its subject can do.
    pub answer: &'a str,
    /// Days that a finding lasts.
    pub expires_days: u32,
}

impl<'a> RuleView<'a> {
    /// The rule as it is printed.
    pub fn new(pack: &'a Pack, rule: &'a Rule) -> RuleView<'a> {
        let header = &rule.header;
        RuleView {
            code: &header.code,
            pack: &pack.name,
            title: &header.title,
            status: header.status.as_str(),
            since: &header.since,
            severity: header.severity.as_str(),
            class: header.class.as_str(),
            scope: header.scope.as_str(),
            stage: header.stage,
            tables: rule.query.tables.iter().map(String::as_str).collect(),
            required: rule.query.required.iter().map(String::as_str).collect(),
            parameters: rule.query.parameters.iter().map(String::as_str).collect(),
            basis: &header.basis,
            innocent: &header.innocent,
            answer: &header.answer,
            expires_days: header.expires.0,
        }
    }
}

/// The page `docs/rules.md`.
pub fn page(packs: &[Pack]) -> String {
    let mut page = String::from(
        "# Rules\n\nEach rule is one SQL query that returns no rows when all is well. \
         `hallmark-verify rules show CODE` prints one.\n",
    );
    for pack in packs {
        let _fmt = write!(
            page,
            "\n## Pack `{}` {} (jurisdiction: {})\n\n| code | finds | severity | class | scope | reads |\n|---|---|---|---|---|---|\n",
            pack.name, pack.version, pack.jurisdiction
        );
        for rule in &pack.rules {
            let view = RuleView::new(pack, rule);
            let _fmt = writeln!(
                page,
                "| [{0}](#{1}) | {2} | {3} | {4} | {5} | {6} |",
                view.code,
                view.code.to_ascii_lowercase(),
                view.title,
                view.severity,
                view.class,
                view.scope,
                view.tables.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            );
        }
        for rule in &pack.rules {
            section(pack, rule, &mut page);
        }
        parameters(pack, &mut page);
    }
    page
}

fn section(pack: &Pack, rule: &Rule, page: &mut String) {
    let view = RuleView::new(pack, rule);
    let _fmt = write!(
        page,
        "\n### {}\n\n{}. Status {}, since {}; a finding lasts {} days.\n\nIt stays silent when:\n\n",
        view.code, view.title, view.status, view.since, view.expires_days
    );
    for line in view.innocent {
        let _fmt = writeln!(page, "- {line};");
    }
    if !view.required.is_empty() {
        let _fmt = writeln!(page, "- there are no rows in {}.", view.required.join(", "));
    }
    let _fmt = write!(page, "\nBasis: {}.\n\nAnswer: {}\n", view.basis.join("; "), view.answer);
}

fn parameters(pack: &Pack, page: &mut String) {
    let _fmt = write!(
        page,
        "\n### Parameters of `{}`\n\n| name | value | unit | in force | source |\n|---|---|---|---|---|\n",
        pack.name
    );
    for (name, parameter) in &pack.parameters {
        let value = match &parameter.value {
            ParameterValue::Integer(number) => number.to_string(),
            ParameterValue::Text(text) => text.clone(),
        };
        let _fmt = writeln!(
            page,
            "| `{name}` | {value} | {} | {} | {} |",
            parameter.unit, parameter.in_force, parameter.source
        );
    }
}
