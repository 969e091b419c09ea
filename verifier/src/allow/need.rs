//! Which tables a query needs: if one of them has no rows, the query returns none.
//!
//! So that a report can say that a rule was silent for want of evidence, not because all is well.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::sql::sqlparser::ast::{
    Expr, JoinOperator, Query, Select, SetExpr, SetOperator, TableFactor, TableWithJoins,
};

use super::join::conjuncts;

type Named = BTreeMap<String, BTreeSet<String>>;

/// The evidence tables without which the query is empty.
pub(super) fn required(query: &Query) -> BTreeSet<String> {
    of_query(query, &Named::new())
}

fn of_query(query: &Query, outer: &Named) -> BTreeSet<String> {
    let mut named = outer.clone();
    if let Some(with) = &query.with {
        for table in &with.cte_tables {
            let needs = of_query(&table.query, &named);
            named.insert(table.alias.name.value.to_ascii_lowercase(), needs);
        }
    }
    of_body(&query.body, &named)
}

fn of_body(body: &SetExpr, named: &Named) -> BTreeSet<String> {
    match body {
        SetExpr::Select(select) => of_select(select, named),
        SetExpr::Query(query) => of_query(query, named),
        SetExpr::SetOperation { left, op, right, .. } => {
            let (left, right) = (of_body(left, named), of_body(right, named));
            match op {
                SetOperator::Union => left.intersection(&right).cloned().collect(),
                SetOperator::Intersect => left.union(&right).cloned().collect(),
                _ => left,
            }
        }
        _ => BTreeSet::new(),
    }
}

fn of_select(select: &Select, named: &Named) -> BTreeSet<String> {
    let mut needs = BTreeSet::new();
    for from in &select.from {
        of_joins(from, named, &mut needs);
    }
    for part in select.selection.iter().flat_map(conjuncts) {
        match part {
            Expr::Exists { subquery, negated: false }
            | Expr::InSubquery { subquery, negated: false, .. } => {
                needs.extend(of_query(subquery, named));
            }
            _ => {}
        }
    }
    needs
}

fn of_joins(from: &TableWithJoins, named: &Named, needs: &mut BTreeSet<String>) {
    of_factor(&from.relation, named, needs);
    for join in &from.joins {
        if matches!(join.join_operator, JoinOperator::Join(_) | JoinOperator::Inner(_)) {
            of_factor(&join.relation, named, needs);
        }
    }
}

fn of_factor(factor: &TableFactor, named: &Named, needs: &mut BTreeSet<String>) {
    match factor {
        TableFactor::Table { name, .. } => {
            let name = name.to_string().to_ascii_lowercase();
            match named.get(&name) {
                Some(through) => needs.extend(through.iter().cloned()),
                None => {
                    needs.insert(name);
                }
            }
        }
        TableFactor::Derived { subquery, .. } => needs.extend(of_query(subquery, named)),
        TableFactor::NestedJoin { table_with_joins, .. } => {
            of_joins(table_with_joins, named, needs)
        }
        _ => {}
    }
}
