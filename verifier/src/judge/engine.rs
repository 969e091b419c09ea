//! The query engine: one session for each bucket, every evidence table known to it.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::datasource::MemTable;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use hallmark_schemas::time::Timestamp;

use super::progress::Progress;
use super::rows::{check_columns, rows};
use super::{Bound, JudgeError, JudgeOptions, SHAPE, Shape, missing_tables};
use crate::finding::Finding;
use crate::function;
use crate::table::{TableSet, declared, schema, schema_all};

/// Most findings of one rule in one bucket: with their sentences they take about a gigabyte.
pub(crate) const FINDINGS_MAX: usize = 1_000_000;
/// The engine's own words name its parts.
const TOO_LITTLE_MEMORY: &str = "it needs more memory than `--memory` gives; give more, such as \
                                 `--memory 8G`";

/// What one rule said about one bucket.
pub(crate) struct Answer {
    pub(crate) code: String,
    pub(crate) bucket: usize,
    pub(crate) findings: std::result::Result<Vec<Finding>, String>,
}

/// Memory shared by all sessions of a run.
pub(crate) fn runtime(memory_max: usize) -> Result<Arc<RuntimeEnv>> {
    RuntimeEnvBuilder::new().with_memory_limit(memory_max, 1.0).build_arc()
}

/// Plans every rule over empty tables and looks at the columns it returns.
pub(crate) fn check(rules: &[Bound<'_>]) -> std::result::Result<(), JudgeError> {
    let runtime = runtime(super::MEMORY_DEFAULT).map_err(JudgeError::Engine)?;
    let context = session(&TableSet::new(), rules, &runtime, SHAPE).map_err(JudgeError::Engine)?;
    block_on(async {
        for bound in rules {
            let fault = |problem: String| JudgeError::Rule {
                code: bound.rule.header.code.clone(),
                problem,
            };
            let plan = plan(&context, bound, Timestamp::EPOCH)
                .await
                .map_err(|error| fault(plain(&error)))?;
            let schema: SchemaRef = Arc::clone(plan.schema().inner());
            check_columns(&bound.rule.header, &schema).map_err(fault)?;
        }
        Ok(())
    })?
}

/// Runs the rules on one bucket, one after the other.
pub(crate) fn run(
    tables: &TableSet,
    rules: &[Bound<'_>],
    bucket: usize,
    (runtime, progress): (&Arc<RuntimeEnv>, &Progress),
    options: &JudgeOptions,
    shape: Shape,
) -> std::result::Result<Vec<Answer>, JudgeError> {
    // Without its tables a rule has no answer here; planning it would be all the cost.
    let (mut rules, idle): (Vec<Bound<'_>>, Vec<Bound<'_>>) =
        rules.iter().partition(|bound| missing_tables(bound.rule, tables).is_empty());
    let nothing = |bound: &Bound<'_>| {
        let code = bound.rule.header.code.clone();
        Answer { code, bucket, findings: Ok(Vec::new()) }
    };
    if progress.is_stopped() {
        rules.clear();
    }
    let context = session(tables, &rules, runtime, shape).map_err(JudgeError::Engine)?;
    let mut answers: Vec<Answer> = idle.iter().map(nothing).collect();
    for bound in &rules {
        if progress.is_stopped() {
            break;
        }
        let findings = caught(|| block_on(judge(&context, bound, options.as_of)))?;
        answers.push(Answer { code: bound.rule.header.code.clone(), bucket, findings });
        progress.done(rows_of(tables, bound));
    }
    Ok(answers)
}

/// A rule on which the engine panics, as on a text beyond 2 GiB, stops no other rule.
fn caught<T>(
    work: impl FnOnce() -> std::result::Result<std::result::Result<T, String>, JudgeError>,
) -> std::result::Result<std::result::Result<T, String>, JudgeError> {
    std::panic::catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Ok(Err("the query engine broke off".to_owned())))
}

/// Rows that these rules go over in one bucket, each once for every rule.
pub(crate) fn rows_ahead(tables: &TableSet, rules: &[Bound<'_>]) -> u64 {
    let able = rules.iter().filter(|bound| missing_tables(bound.rule, tables).is_empty());
    able.map(|bound| rows_of(tables, bound)).sum()
}

fn rows_of(tables: &TableSet, bound: &Bound<'_>) -> u64 {
    bound.rule.query.tables.iter().map(|name| tables.rows(name) as u64).sum()
}

async fn judge(
    context: &SessionContext,
    bound: &Bound<'_>,
    as_of: Timestamp,
) -> std::result::Result<Vec<Finding>, String> {
    let answer = async {
        let plan = plan(context, bound, as_of).await?;
        context.execute_logical_plan(plan).await?.execute_stream().await
    };
    let mut answer = answer.await.map_err(|error| plain(&error))?;
    let mut findings = Vec::new();
    while let Some(batch) = poll_fn(|context| answer.as_mut().poll_next(context)).await {
        let batch = batch.map_err(|error| plain(&error))?;
        if FINDINGS_MAX < findings.len() + batch.num_rows() {
            return Err(format!("it finds more than {FINDINGS_MAX} things in one bucket"));
        }
        for row in rows(&batch).map_err(|error| error.to_string())? {
            findings.push(Finding::new(bound.rule, bound.pack.digest, row));
        }
    }
    Ok(findings)
}

async fn plan(
    context: &SessionContext,
    bound: &Bound<'_>,
    as_of: Timestamp,
) -> Result<LogicalPlan> {
    let as_of_ms = i64::try_from(as_of.unix_ms()).unwrap_or(i64::MAX);
    let statement = bound.rule.query.bind(&bound.pack.parameters, as_of_ms);
    context.state().statement_to_plan(Statement::Statement(Box::new(statement))).await
}

/// A session that knows the tables that these rules read, and nothing else.
fn session(
    tables: &TableSet,
    rules: &[Bound<'_>],
    runtime: &Arc<RuntimeEnv>,
    shape: Shape,
) -> Result<SessionContext> {
    let config = SessionConfig::new()
        .with_target_partitions(shape.partitions)
        .with_batch_size(shape.batch_rows)
        .with_create_default_catalog_and_schema(true)
        .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false);
    let context = SessionContext::new_with_config_rt(config, Arc::clone(runtime));
    function::register(&context)?;
    let names: BTreeSet<&String> =
        rules.iter().flat_map(|bound| &bound.rule.query.tables).collect();
    for name in names {
        let Some(table) = declared(name) else {
            continue;
        };
        let schema = if name == table.name { schema(table) } else { schema_all(table) };
        add(&context, name, schema, tables.get(name), shape)?;
    }
    Ok(context)
}

fn add(
    context: &SessionContext,
    name: &str,
    schema: SchemaRef,
    batches: &[RecordBatch],
    shape: Shape,
) -> Result<()> {
    let mut partitions = vec![Vec::new(); shape.partitions.max(1)];
    let count = partitions.len();
    for (index, batch) in batches.iter().enumerate() {
        partitions[index % count].push(batch.clone());
    }
    let provider = MemTable::try_new(schema, partitions)?;
    context.register_table(name, Arc::new(provider)).map(drop)
}

fn block_on<T>(work: impl Future<Output = T>) -> std::result::Result<T, JudgeError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().map_err(JudgeError::Thread)?;
    Ok(runtime.block_on(work))
}

/// The engine's first line: what follows names places in its source.
fn plain(error: &DataFusionError) -> String {
    if let DataFusionError::ResourcesExhausted(_) = error.find_root() {
        return TOO_LITTLE_MEMORY.to_owned();
    }
    let text = error.strip_backtrace();
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
