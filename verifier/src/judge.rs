//! Judge: every rule of the packs over the evidence tables.
//!
//! Invariants: the answer is a function of tables, packs and options, the same for any number of
//! cores, partitions and buckets; a bucket runs on one thread, one rule after the other; a rule
//! that fails on some evidence is named and stops no other rule; findings are sorted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use hallmark_schemas::table::Rows;
use hallmark_schemas::time::Timestamp;

use crate::finding::{Finding, Severity};
use crate::pack::{Pack, PackError, Rule, Status};
use crate::summary;
use crate::table::TableSet;

pub mod bucket;
mod engine;
mod outcome;
pub mod progress;
pub mod rows;

use bucket::{Divided, Family};
use progress::Progress;

/// Memory that the query engine may use unless told otherwise: 2 GiB.
pub const MEMORY_DEFAULT: usize = 2 * 1024 * 1024 * 1024;
/// Stack of a thread that judges: plans of long queries are deep.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// The packs of a run, checked against this release's tables.
#[derive(Debug)]
pub struct Judge {
    packs: Vec<Pack>,
}

/// What a run depends on beside packs and tables.
#[derive(Clone, Debug)]
pub struct JudgeOptions {
    /// The instant to judge as of; findings that expired before it are left out.
    pub as_of: Timestamp,
    /// Bytes that the query engine may use, over all buckets that run at once.
    pub memory_max: usize,
    /// Codes of the rules to run; all that are stable without it.
    pub only: Option<BTreeSet<String>>,
}

/// How a run is cut up. It changes nothing in the answer: `rules test` proves that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Buckets; by size of the tables without it.
    pub(crate) buckets: Option<usize>,
    /// Partitions inside a bucket.
    pub(crate) partitions: usize,
    /// Rows that an operator handles at once.
    pub(crate) batch_rows: usize,
}

/// One partition, batches of 8,192 rows.
pub(crate) const SHAPE: Shape = Shape { buckets: None, partitions: 1, batch_rows: 8192 };

/// What a run found.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Sorted by code, subject and anchor.
    pub findings: Vec<Finding>,
    /// Table `tests`: every p-value that a rule stated.
    pub tests: Rows,
    /// Codes of the rules that ran.
    pub rules_run: Vec<String>,
    /// Rules that had nothing to look at.
    pub silent: Vec<SilentRule>,
    /// Rules that the query engine could not finish on this evidence.
    pub failed: Vec<FailedRule>,
    /// Findings left out because they expired before the as-of instant.
    pub expired: usize,
    /// Whether the run was stopped before every rule had seen everything.
    pub is_partial: bool,
    /// Names, versions and digests of the packs.
    pub packs: Vec<PackUsed>,
}

/// A rule that had nothing to look at.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Serialize)]
pub struct SilentRule {
    /// The rule.
    pub code: String,
    /// Which tables are missing.
    pub reason: String,
}

/// A rule that could not be finished.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Serialize)]
pub struct FailedRule {
    /// The rule.
    pub code: String,
    /// What the query engine said.
    pub reason: String,
}

/// A pack of a run.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct PackUsed {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 over its rules, hex.
    pub digest: hallmark_schemas::kind::value::Digest,
}

/// Why nothing could be judged. Never the evidence's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JudgeError {
    /// A pack is not valid.
    #[error("the rule pack is not valid")]
    Pack(#[source] PackError),
    /// A rule does not fit the tables of this release.
    #[error("rule {code} does not fit the evidence tables: {problem}")]
    Rule {
        /// The rule.
        code: String,
        /// What is wrong.
        problem: String,
    },
    /// The tables could not be divided.
    #[error("failed to divide the evidence tables")]
    Divide(#[source] ArrowError),
    /// The query engine could not be set up.
    #[error("failed to start the query engine")]
    Engine(#[source] DataFusionError),
    /// A thread could not be started.
    #[error("failed to start a judging thread")]
    Thread(#[source] std::io::Error),
    /// `only` names a rule that no pack has.
    #[error("no rule has the code {code}")]
    UnknownRule {
        /// The code.
        code: String,
    },
}

/// A rule with what it needs of its pack.
#[derive(Clone, Copy)]
pub(crate) struct Bound<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) pack: &'a Pack,
}

impl Judge {
    /// The rules that the program carries.
    pub fn with_core() -> Result<Judge, JudgeError> {
        Judge::new(vec![Pack::core().map_err(JudgeError::Pack)?])
    }

    /// Checks that every rule can be planned and returns the columns that it must.
    pub fn new(packs: Vec<Pack>) -> Result<Judge, JudgeError> {
        let judge = Judge { packs };
        on_thread(|| engine::check(&judge.bound(&|_| true)))?;
        Ok(judge)
    }

    /// The packs.
    pub fn packs(&self) -> &[Pack] {
        &self.packs
    }

    /// Runs the rules over the tables.
    pub fn run(&self, tables: &TableSet, options: &JudgeOptions) -> Result<Judged, JudgeError> {
        self.run_shaped(tables, options, SHAPE, &Progress::default())
    }

    /// The same for someone who looks on and may stop it.
    pub fn run_watched(
        &self,
        tables: &TableSet,
        options: &JudgeOptions,
        progress: &Progress,
    ) -> Result<Judged, JudgeError> {
        self.run_shaped(tables, options, SHAPE, progress)
    }

    pub(crate) fn run_shaped(
        &self,
        tables: &TableSet,
        options: &JudgeOptions,
        shape: Shape,
        progress: &Progress,
    ) -> Result<Judged, JudgeError> {
        let rules = self.chosen(options)?;
        let mut tables = tables.clone();
        if rules.iter().any(|bound| bound.rule.query.tables.contains("meter_days"))
            && tables.rows("meter_days") == 0
        {
            tables.insert("meter_days", summary::meter_days(&tables).map_err(JudgeError::Divide)?);
        }
        let mut outcome = outcome::Outcome::new(options.as_of);
        let mut is_partial = false;
        for stage in [1, 2] {
            if stage == 2 {
                outcome.publish(&mut tables).map_err(JudgeError::Divide)?;
            }
            let mut families: BTreeMap<Option<Family>, Vec<Bound<'_>>> = BTreeMap::new();
            for bound in rules.iter().filter(|bound| bound.rule.header.stage == stage) {
                let missing = missing_tables(bound.rule, &tables);
                if missing.is_empty() {
                    families.entry(bound.rule.header.scope.family()).or_default().push(*bound);
                } else {
                    outcome.silent(&bound.rule.header.code, &missing);
                }
            }
            for (family, rules) in families {
                let divided =
                    bucket::divide(&tables, family, shape.buckets).map_err(JudgeError::Divide)?;
                let buckets = divided.buckets.len();
                let mut seen: BTreeMap<String, usize> = BTreeMap::new();
                for answer in run_buckets(&divided, &rules, options, shape, progress)? {
                    *seen.entry(answer.code.clone()).or_default() += 1;
                    outcome.add(answer, &divided);
                }
                for code in rules.iter().map(|bound| &bound.rule.header.code) {
                    if seen.get(code) == Some(&buckets) {
                        outcome.ran(code);
                    } else {
                        is_partial = true;
                    }
                }
            }
            outcome.date(&tables);
        }
        Ok(outcome.finish(&self.packs, is_partial))
    }

    fn chosen(&self, options: &JudgeOptions) -> Result<Vec<Bound<'_>>, JudgeError> {
        let Some(only) = &options.only else {
            return Ok(self.bound(&|rule| rule.header.status == Status::Stable));
        };
        let known = |code: &String| self.packs.iter().any(|pack| pack.rule(code).is_some());
        if let Some(code) = only.iter().find(|code| !known(code)) {
            return Err(JudgeError::UnknownRule { code: code.clone() });
        }
        Ok(self.bound(&|rule| only.contains(&rule.header.code)))
    }

    fn bound(&self, choose: &dyn Fn(&Rule) -> bool) -> Vec<Bound<'_>> {
        let all =
            self.packs.iter().flat_map(|pack| pack.rules.iter().map(move |rule| (pack, rule)));
        let retired = |rule: &Rule| rule.header.status == Status::Retired;
        all.filter(|(_, rule)| choose(rule) && !retired(rule))
            .map(|(pack, rule)| Bound { rule, pack })
            .collect()
    }
}

impl Judged {
    /// The gravest severity found.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

fn missing_tables(rule: &Rule, tables: &TableSet) -> Vec<String> {
    rule.query.required.iter().filter(|name| tables.rows(name) == 0).cloned().collect()
}

/// Runs the rules on every bucket, as many buckets at once as there are cores.
fn run_buckets(
    divided: &Divided,
    rules: &[Bound<'_>],
    options: &JudgeOptions,
    shape: Shape,
    progress: &Progress,
) -> Result<Vec<engine::Answer>, JudgeError> {
    let rows = divided.buckets.iter().map(|tables| engine::rows_ahead(tables, rules)).sum();
    progress.expect(rows);
    let runtime = engine::runtime(options.memory_max).map_err(JudgeError::Engine)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<engine::Answer>> = Mutex::new(Vec::new());
    let work = || {
        loop {
            let bucket = next.fetch_add(1, Ordering::Relaxed);
            let Some(tables) = divided.buckets.get(bucket) else {
                return Ok(());
            };
            let found = engine::run(tables, rules, bucket, (&runtime, progress), options, shape)?;
            answers.lock().expect("a judging thread never panics with the lock").extend(found);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores.min(divided.buckets.len()))
            .map(|_| {
                std::thread::Builder::new()
                    .name("judge".to_owned())
                    .stack_size(STACK_BYTES)
                    .spawn_scoped(scope, work)
                    .map_err(JudgeError::Thread)
            })
            .collect::<Result<_, _>>()?;
        for thread in threads {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok::<(), JudgeError>(())
    })?;
    Ok(answers.into_inner().expect("a judging thread never panics with the lock"))
}

fn on_thread<T: Send>(
    work: impl FnOnce() -> Result<T, JudgeError> + Send,
) -> Result<T, JudgeError> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("judge".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work)
            .map_err(JudgeError::Thread)?
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests;
