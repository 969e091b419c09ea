//! The query engine: one session for each bucket, every evidence table known to it.

use std::collections::BTreeSet;
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
    block_on(async {
        let mut answers: Vec<Answer> = idle.iter().map(nothing).collect();
        for bound in &rules {
            if progress.is_stopped() {
                break;
            }
            let findings = judge(&context, bound, options.as_of).await;
            answers.push(Answer { code: bound.rule.header.code.clone(), bucket, findings });
            progress.done(rows_of(tables, bound));
        }
        answers
    })
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
        context.execute_logical_plan(plan).await?.collect().await
    };
    let mut findings = Vec::new();
    for batch in answer.await.map_err(|error| plain(&error))? {
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
    let text = error.strip_backtrace();
    text.lines().next().unwrap_or_default().to_owned()
}
