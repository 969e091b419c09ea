//! Cases: what a rule must find, and where it must stay silent, as a page beside the rule.
//!
//! A page has sections `## Fires: …` and `## Silent: …`, each with a sentence on why, blocks
//! ```` ```csv <table> ```` (or `series <table>`: see [`series`]) with the evidence, a block ```` ```as_of ```` with the instant to judge
//! as of where the rule needs one, and for `Fires` a block ```` ```findings ````: CSV whose columns
//! are `severity`, `subject`, `anchor` and any other column or text of the finding. Every
//! `innocent` line of the rule is the heading of a `Silent` case.
//!
//! Invariant: a case passes only if every way to cut the run up gives the same findings: rows
//! shuffled, several partitions, one row at a time, whole and by bucket.

mod series;

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::array::{RecordBatch, UInt64Array};
use datafusion::arrow::compute::take_record_batch;
use hallmark_schemas::time::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::evidence::Source;
use crate::finding::Finding;
use crate::judge::progress::Progress;
use crate::judge::{Judge, JudgeError, JudgeOptions, MEMORY_DEFAULT, SHAPE, Shape};
use crate::load::csv;
use crate::load::map::TableMap;
use crate::pack::{Pack, Rule, Status};
use crate::table::TableSet;

/// Ways to cut a run up, each of which must give what [`SHAPE`] gives.
const SHAPES: &[Shape] = &[
    Shape { buckets: Some(1), partitions: 3, batch_rows: 1 },
    Shape { buckets: Some(7), partitions: 1, batch_rows: 1 },
    Shape { buckets: Some(7), partitions: 3, batch_rows: 8192 },
];

/// What became of one case.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CaseResult {
    /// The rule.
    pub code: String,
    /// The heading, with `Fires` or `Silent`.
    pub case: String,
    /// Why it failed; none if it passed.
    pub fault: Option<String>,
}

/// One section of a page.
#[derive(Clone, Debug, Default)]
struct Case {
    fires: bool,
    title: String,
    why: String,
    as_of: Option<String>,
    tables: Vec<(String, String)>,
    expected: String,
}

/// Runs every case of every rule of a pack that is not retired.
pub fn test(pack: Pack) -> Result<Vec<CaseResult>, JudgeError> {
    let judge = Judge::new(vec![pack])?;
    let mut results = Vec::new();
    for rule in &judge.packs()[0].rules {
        if rule.header.status != Status::Retired {
            test_rule(&judge, rule, &mut results);
        }
    }
    Ok(results)
}

fn test_rule(judge: &Judge, rule: &Rule, results: &mut Vec<CaseResult>) {
    let code = rule.header.code.clone();
    let mut push = |case: String, fault: Option<String>| {
        results.push(CaseResult { code: code.clone(), case, fault });
    };
    let cases = match parse(&rule.cases) {
        Ok(cases) => cases,
        Err(fault) => return push("the page of cases".to_owned(), Some(fault)),
    };
    let silent: BTreeSet<&str> =
        cases.iter().filter(|case| !case.fires).map(|case| case.title.as_str()).collect();
    let untested = rule.header.innocent.iter().find(|line| !silent.contains(line.as_str()));
    if let Some(line) = untested {
        push("the page of cases".to_owned(), Some(format!("it lacks `## Silent: {line}`")));
    }
    if silent.is_empty() || cases.len() == silent.len() {
        let fault = "it needs a `## Fires:` and a `## Silent:`".to_owned();
        push("the page of cases".to_owned(), Some(fault));
    }
    for case in &cases {
        let heading = format!("{}: {}", if case.fires { "Fires" } else { "Silent" }, case.title);
        push(heading, run(judge, rule, case).err());
    }
}

fn run(judge: &Judge, rule: &Rule, case: &Case) -> Result<(), String> {
    if case.why.trim().is_empty() {
        return Err("it has no sentence on why".to_owned());
    }
    let tables = case_tables(case)?;
    let as_of = match &case.as_of {
        Some(text) => Timestamp::parse(text.trim()).map_err(|error| error.to_string())?,
        None => newest(&tables),
    };
    let only = Some(BTreeSet::from([rule.header.code.clone()]));
    let options = JudgeOptions { as_of, memory_max: MEMORY_DEFAULT, only };
    let found = findings(judge, &tables, &options, SHAPE)?;
    compare(case, &found)?;
    let shuffled = shuffle(&tables)?;
    for shape in SHAPES {
        let other = findings(judge, &shuffled, &options, *shape)?;
        if other != found {
            return Err(format!("the findings depend on how the run is cut up ({shape:?})"));
        }
    }
    Ok(())
}

fn findings(
    judge: &Judge,
    tables: &TableSet,
    options: &JudgeOptions,
    shape: Shape,
) -> Result<Vec<Finding>, String> {
    let judged = judge
        .run_shaped(tables, options, shape, &Progress::default())
        .map_err(|error| error.to_string())?;
    match judged.failed.first() {
        Some(failed) => Err(failed.reason.clone()),
        None => Ok(judged.findings),
    }
}

fn compare(case: &Case, found: &[Finding]) -> Result<(), String> {
    let mut reader = ::csv::Reader::from_reader(case.expected.as_bytes());
    let fault = |error: ::csv::Error| format!("block `findings`: {error}");
    let columns: Vec<String> = reader.headers().map_err(fault)?.iter().map(str::to_owned).collect();
    let mut expected: Vec<Vec<String>> = Vec::new();
    for record in reader.records() {
        expected.push(record.map_err(fault)?.iter().map(str::to_owned).collect());
    }
    if case.fires == expected.is_empty() {
        return Err("a `Fires` case expects findings, a `Silent` case none".to_owned());
    }
    let mut shown: Vec<Vec<String>> = found
        .iter()
        .map(|finding| {
            let value = serde_json::to_value(finding).unwrap_or_default();
            columns.iter().map(|column| text(&value, column)).collect()
        })
        .collect();
    expected.sort();
    shown.sort();
    if !case.fires && !found.is_empty() {
        return Err(format!("found: {}", found[0].message_en));
    }
    if expected != shown {
        return Err(format!("expected {expected:?}, found {shown:?}"));
    }
    Ok(())
}

/// A field of a finding, or one of its further columns, as text.
fn text(finding: &Value, column: &str) -> String {
    let value = finding.get(column).or_else(|| finding.get("columns")?.get(column));
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) => String::new(),
        Some(value) => value.to_string(),
        None => format!("no column {column}"),
    }
}

fn case_tables(case: &Case) -> Result<TableSet, String> {
    let mut tables = TableSet::new();
    for (number, (name, text)) in case.tables.iter().enumerate() {
        let table = hallmark_schemas::table::table(name)
            .ok_or_else(|| format!("there is no evidence table {name}"))?;
        let mut source = Source {
            name: format!("block {}", number + 1),
            what: format!("table {name}"),
            digest: Some(format!("case-{}", number + 1)),
            rows_read: 0,
            rows_used: 0,
            rows_refused: 0,
            columns_ignored: Vec::new(),
            faults: Vec::new(),
            unproven: true,
        };
        csv::read(table, &TableMap::default(), text.as_bytes(), &mut source, &mut tables)
            .map_err(|error| format!("block `csv {name}`: {error}"))?;
        if let Some(fault) = source.faults.first() {
            return Err(format!("block `csv {name}`: {fault}"));
        }
        if let Some(column) = source.columns_ignored.first() {
            return Err(format!("block `csv {name}`: there is no column {column}"));
        }
    }
    tables.sorted().map_err(|error| error.to_string())
}

/// The newest instant in any column: what evidence is judged as of when nothing else is said.
pub fn newest(tables: &TableSet) -> Timestamp {
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::{DataType, TimestampMillisecondType};
    let mut newest = 0;
    for (_, batches) in tables.iter() {
        for column in batches.iter().flat_map(RecordBatch::columns) {
            if let DataType::Timestamp(..) = column.data_type()
                && let Some(column) = column.as_primitive_opt::<TimestampMillisecondType>()
            {
                newest = newest.max(datafusion::arrow::compute::max(column).unwrap_or(0));
            }
        }
    }
    u64::try_from(newest).ok().and_then(Timestamp::try_from_unix_ms).unwrap_or(Timestamp::EPOCH)
}

/// The same rows in another order, in batches of at most three.
fn shuffle(tables: &TableSet) -> Result<TableSet, String> {
    let mut shuffled = TableSet::new();
    for (name, batches) in tables.iter() {
        for batch in batches.iter().rev() {
            let mut order: Vec<u64> = (0..batch.num_rows()).zip(0..).map(|(_, row)| row).collect();
            // A fixed permutation: each row sorted by a mixed number of its own.
            order.sort_by_key(|row| row.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17));
            for rows in order.chunks(3) {
                let rows = UInt64Array::from(rows.to_vec());
                let part = take_record_batch(batch, &rows).map_err(|error| error.to_string())?;
                shuffled.push(name, part);
            }
        }
    }
    Ok(shuffled)
}

fn parse(page: &str) -> Result<Vec<Case>, String> {
    let mut cases: Vec<Case> = Vec::new();
    let mut block: Option<(String, String)> = None;
    for (number, line) in page.lines().enumerate() {
        let place = |problem: &str| format!("line {}: {problem}", number + 1);
        if let Some((info, mut text)) = block.take() {
            if line.trim_end() == "```" {
                let case = cases.last_mut().ok_or_else(|| place("a block outside a case"))?;
                close(case, &info, text).map_err(|problem| place(&problem))?;
            } else {
                text.push_str(line);
                text.push('\n');
                block = Some((info, text));
            }
        } else if let Some(info) = line.strip_prefix("```") {
            block = Some((info.trim().to_owned(), String::new()));
        } else if let Some(heading) = line.strip_prefix("## ") {
            let (fires, title) = match heading.split_once(':') {
                Some(("Fires", title)) => (true, title),
                Some(("Silent", title)) => (false, title),
                _ => return Err(place("a heading is `## Fires: …` or `## Silent: …`")),
            };
            cases.push(Case { fires, title: title.trim().to_owned(), ..Case::default() });
        } else if let Some(case) = cases.last_mut() {
            case.why.push_str(line);
        }
    }
    match block {
        Some((info, _)) => Err(format!("the block `{info}` has no end")),
        None => Ok(cases),
    }
}

fn close(case: &mut Case, info: &str, text: String) -> Result<(), String> {
    match info.split_once(' ') {
        Some(("csv", table)) => case.tables.push((table.trim().to_owned(), text)),
        Some(("series", table)) => {
            case.tables.push((table.trim().to_owned(), series::expand(&text)?));
        }
        None if info == "findings" => case.expected = text,
        None if info == "as_of" => case.as_of = Some(text),
        _ => {
            return Err(format!(
                "a block is `csv <table>`, `series <table>`, `as_of` or `findings`, not `{info}`"
            ));
        }
    }
    Ok(())
}

/// How many cases passed and failed, by rule.
pub fn tally(results: &[CaseResult]) -> BTreeMap<&str, (usize, usize)> {
    let mut tally: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for result in results {
        let (passed, failed) = tally.entry(&result.code).or_default();
        match result.fault {
            None => *passed += 1,
            Some(_) => *failed += 1,
        }
    }
    tally
}
