//! Every join, and every correlated subquery, has an equality key.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, JoinConstraint, JoinOperator, Query, Select, SetExpr, TableFactor,
    TableWithJoins,
};

use super::{NotAllowed, Verdict, refuse};

/// One table, or joins each of which says what is equal.
pub(super) fn check_from(select: &Select) -> Verdict {
    match select.from.as_slice() {
        [] => ControlFlow::Continue(()),
        [from] => check_joins(from),
        _ => ControlFlow::Break(NotAllowed::NoEqualityKey),
    }
}

fn check_joins(from: &TableWithJoins) -> Verdict {
    check_nested(&from.relation)?;
    let mut left = names(&from.relation);
    for join in &from.joins {
        check_nested(&join.relation)?;
        let right = names(&join.relation);
        let constraint = match &join.join_operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint) => constraint,
            JoinOperator::CrossJoin(_) => return ControlFlow::Break(NotAllowed::NoEqualityKey),
            _ => return refuse("a join other than JOIN and LEFT JOIN"),
        };
        let keyed = match constraint {
            JoinConstraint::On(on) => has_key(on, &left, &right),
            JoinConstraint::Using(columns) => !columns.is_empty(),
            JoinConstraint::Natural | JoinConstraint::None => false,
        };
        if !keyed {
            return ControlFlow::Break(NotAllowed::NoEqualityKey);
        }
        left.extend(right);
    }
    ControlFlow::Continue(())
}

fn check_nested(factor: &TableFactor) -> Verdict {
    match factor {
        TableFactor::NestedJoin { table_with_joins, .. } => check_joins(table_with_joins),
        _ => ControlFlow::Continue(()),
    }
}

/// `EXISTS (…)` is correlated: an equality binds a column inside to one outside.
pub(super) fn check_exists(query: &Query) -> Verdict {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return refuse("EXISTS over a set operation");
    };
    let inside: BTreeSet<String> = select
        .from
        .iter()
        .flat_map(|from| {
            std::iter::once(&from.relation).chain(from.joins.iter().map(|j| &j.relation))
        })
        .flat_map(names)
        .collect();
    let keyed = select.selection.as_ref().is_some_and(|condition| {
        conjuncts(condition).into_iter().any(|part| {
            sides(part).is_some_and(|(a, b)| inside.contains(&a) != inside.contains(&b))
        })
    });
    if keyed { ControlFlow::Continue(()) } else { ControlFlow::Break(NotAllowed::NoEqualityKey) }
}

fn has_key(on: &Expr, left: &BTreeSet<String>, right: &BTreeSet<String>) -> bool {
    conjuncts(on).into_iter().any(|part| {
        sides(part).is_some_and(|(a, b)| {
            (left.contains(&a) && right.contains(&b)) || (left.contains(&b) && right.contains(&a))
        })
    })
}

/// The parts of a condition that must all hold.
pub(super) fn conjuncts(condition: &Expr) -> Vec<&Expr> {
    match condition {
        Expr::Nested(inner) => conjuncts(inner),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let mut all = conjuncts(left);
            all.extend(conjuncts(right));
            all
        }
        other => vec![other],
    }
}

/// The tables on both sides of `a.x = b.y`.
fn sides(condition: &Expr) -> Option<(String, String)> {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = condition else {
        return None;
    };
    let table = |side: &Expr| match side {
        Expr::CompoundIdentifier(parts) => {
            parts.first().filter(|_| parts.len() == 2).map(|part| part.value.to_ascii_lowercase())
        }
        _ => None,
    };
    Some((table(left)?, table(right)?))
}

/// The names by which the columns of a table reference are called.
fn names(factor: &TableFactor) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    match factor {
        TableFactor::Table { name, alias, .. } => {
            let alias = alias.as_ref().map(|alias| alias.name.value.clone());
            all.insert(alias.unwrap_or_else(|| name.to_string()).to_ascii_lowercase());
        }
        TableFactor::Derived { alias: Some(alias), .. } => {
            all.insert(alias.name.value.to_ascii_lowercase());
        }
        TableFactor::NestedJoin { table_with_joins, .. } => {
            all.extend(names(&table_with_joins.relation));
            for join in &table_with_joins.joins {
                all.extend(names(&join.relation));
            }
        }
        _ => {}
    }
    all
}
