//! How far a query may multiply what it reads, told from the parsed tree before anything is planned.
//!
//! The planner puts the query of a WITH table wherever the table is named, and the engine's memory
//! limit does not count what an expression makes: thirty short lines could ask for 2^30 scans, or
//! for a text of a terabyte.
//!
//! Invariant: both bounds are reckoned from above, so what passes multiplies no further.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArguments, Query, TableFactor, Visit, Visitor,
};

use super::{Verdict, refuse_if};

/// Most places of tables, once each WITH table stands where it is named: ours have under a fifth.
const PLACES_MAX: u64 = 512;
/// Most that a text or list may be longer than the longest that it is made of.
const GROWTH_MAX: u64 = 4096;
/// Longest text in a rule.
const LITERAL_BYTES_MAX: usize = 1024;

/// Functions that make something longer than what they are given.
const GROWING: &[&str] =
    &["array_agg", "array_concat", "array_to_string", "concat", "make_array", "string_agg"];

/// What one WITH table, or the whole, comes to.
#[derive(Clone, Copy, Debug)]
struct Weight {
    places: u64,
    growth: u64,
}

/// Refuses a query that multiplies too far.
pub(super) fn check(query: &Query) -> Verdict {
    let mut named: BTreeMap<String, Weight> = BTreeMap::new();
    for table in query.with.iter().flat_map(|with| &with.cte_tables) {
        let weight = weigh(table.query.as_ref(), &named);
        named.insert(table.alias.name.value.to_ascii_lowercase(), weight);
    }
    let whole = weigh(query.body.as_ref(), &named);
    let longest = named.values().map(|one| one.growth).max().unwrap_or(1).max(whole.growth);
    let places = named.values().map(|one| one.places).max().unwrap_or(0).max(whole.places);
    refuse_if(PLACES_MAX < places, &format!("reading tables in more than {PLACES_MAX} places"))?;
    refuse_if(
        GROWTH_MAX < longest,
        &format!("making texts or lists more than {GROWTH_MAX} times as long"),
    )
}

/// Refuses a text that is no name, word or sentence.
pub(super) fn check_literal(text: &str) -> Verdict {
    refuse_if(LITERAL_BYTES_MAX < text.len(), &format!("a text of over {LITERAL_BYTES_MAX} bytes"))
}

fn weigh(part: &impl Visit, named: &BTreeMap<String, Weight>) -> Weight {
    let mut scale = Scale { named, places: 0, open: vec![Level::default()] };
    // It never breaks off.
    let _: ControlFlow<()> = part.visit(&mut scale);
    let growth = scale.open.pop().map_or(1, |level| level.growth());
    Weight { places: scale.places, growth }
}

/// A query inside another one, or the outermost.
#[derive(Default)]
struct Level {
    /// Growth of the longest that it reads.
    within: u64,
    /// What growing calls of its own are given, all together.
    given: u64,
}

impl Level {
    fn growth(&self) -> u64 {
        self.within.max(1).saturating_mul(self.given.saturating_add(1))
    }
}

struct Scale<'a> {
    named: &'a BTreeMap<String, Weight>,
    places: u64,
    /// The queries that one is in, the innermost last; never empty.
    open: Vec<Level>,
}

impl Scale<'_> {
    fn reads(&mut self, growth: u64) {
        if let Some(level) = self.open.last_mut() {
            level.within = level.within.max(growth);
        }
    }

    fn gives(&mut self, count: usize) {
        if let Some(level) = self.open.last_mut() {
            level.given = level.given.saturating_add(count as u64);
        }
    }
}

impl Visitor for Scale<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.open.push(Level::default());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        if let Some(level) = self.open.pop() {
            self.reads(level.growth());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, .. } = factor {
            let named = self.named.get(&name.to_string().to_ascii_lowercase());
            let Weight { places, growth } =
                named.copied().unwrap_or(Weight { places: 1, growth: 1 });
            self.places = self.places.saturating_add(places);
            self.reads(growth);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::BinaryOp { op: BinaryOperator::StringConcat, .. } => self.gives(2),
            Expr::Array(list) => self.gives(list.elem.len()),
            Expr::Function(function) => {
                let name = function.name.to_string().to_ascii_lowercase();
                if GROWING.contains(&name.as_str())
                    && let FunctionArguments::List(list) = &function.args
                {
                    self.gives(list.args.len());
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
