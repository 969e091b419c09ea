use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::physical_plan::displayable;
use datafusion::sql::parser::Statement;

use super::{block_on, caught, runtime, session};
use crate::allow;
use crate::judge::{MEMORY_DEFAULT, SHAPE};
use crate::table::{TableSet, declared, schema};

/// How the engine would carry a query out, one step a line, the deepest last.
fn steps(text: &str) -> Vec<String> {
    let query = allow::check(text, &BTreeMap::new()).expect("allowed");
    let runtime = runtime(MEMORY_DEFAULT).expect("it starts");
    let context = session(&TableSet::new(), &[], &runtime, SHAPE).expect("it starts");
    for name in &query.tables {
        let table = declared(name).expect("declared");
        super::add(&context, name, schema(table), &[], SHAPE).expect("added");
    }
    let statement = Statement::Statement(Box::new(query.bind(&BTreeMap::new(), 0)));
    let plan = block_on(async {
        let state = context.state();
        let plan = state.statement_to_plan(statement).await?;
        state.create_physical_plan(&plan).await
    });
    let plan = plan.expect("a runtime").expect("planned");
    let shown = displayable(Arc::clone(&plan).as_ref()).indent(false).to_string();
    shown.lines().map(str::to_owned).collect()
}

fn place(steps: &[String], words: &[&str]) -> usize {
    let is_it = |step: &String| words.iter().all(|word| step.contains(word));
    steps.iter().position(is_it).unwrap_or_else(|| panic!("{words:?} in {steps:#?}"))
}

#[test]
fn a_condition_is_tried_at_the_table_before_rows_are_joined_sorted_or_counted() {
    let steps = steps(
        "WITH found AS (
           SELECT r.device, r.read_at, r.amount, d.model,
                  lag(r.amount) OVER (PARTITION BY r.device ORDER BY r.read_at, r.content_id) AS before
           FROM meter_readings AS r JOIN devices AS d ON d.device = r.device
           WHERE r.quantity = 'electricity' AND d.class = 'meter')
         SELECT device, count(*) AS n FROM found WHERE before < amount GROUP BY device",
    );
    let join = place(&steps, &["HashJoinExec"]);
    let window = place(&steps, &["WindowAggExec"]);
    for condition in [["FilterExec", "= electricity"], ["FilterExec", "= meter"]] {
        let filter = place(&steps, &condition);
        assert!(window < join && join < filter, "{steps:#?}");
        // Between it and its table is nothing but how rows are handed on.
        assert!(steps[filter + 1].contains("DataSourceExec"), "{steps:#?}");
    }
}

#[test]
fn a_rule_on_which_the_engine_panics_fails_alone() {
    let broken = caught::<()>(|| unreachable!("as an engine may say")).expect("a rule that failed");
    assert!(broken.is_err_and(|reason| reason.contains("broke off")));
    assert!(matches!(caught(|| Ok(Ok(7))), Ok(Ok(7))));
}

#[test]
fn only_the_columns_that_a_query_names_are_read() {
    let steps = steps("SELECT device, amount FROM meter_readings WHERE interval_s = 900");
    let scan = place(&steps, &["DataSourceExec"]);
    let filter = place(&steps, &["FilterExec", "interval_s"]);
    assert!(filter < scan, "{steps:#?}");
    let table = declared("meter_readings").expect("declared");
    let whole = schema(table).fields().len();
    // The scan tells its projection by places, three of them.
    let read = steps[scan]
        .split("projection=[")
        .nth(1)
        .map(|rest| rest.split(']').next().unwrap_or_default().split(',').count());
    assert!(read.is_none_or(|count| count == 3 && count < whole), "{}", steps[scan]);
}
