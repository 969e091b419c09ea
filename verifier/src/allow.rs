//! What a rule's query may be.
//!
//! Invariants: everything is refused that is not listed here (statements, clauses, table
//! references, expressions, functions, types); the check sees the parsed tree, never the text;
//! every join has an equality key, so that no rule multiplies tables. This keeps our own rules
//! honest; it is no jail for rules of strangers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, CastKind, DataType, Expr, FunctionArgumentClause, FunctionArguments,
    GroupByExpr, ObjectName, SetExpr, Statement, TableFactor, UnaryOperator, Value, Visit, Visitor,
    VisitorMut, WindowType,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::pack::{Parameter, ParameterValue};
use crate::table::declared;

mod growth;
mod join;
mod need;

/// Longest text of a rule: ours stay under a tenth of it.
pub const RULE_BYTES_MAX: usize = 64 * 1024;
/// Deepest nesting that the parser follows.
const DEPTH_MAX: usize = 64;
/// Most operators of a rule: `1 + 1 + 1 …` is as deep as it is long, and whoever walks it or drops it
/// needs a stack for that. Ours have under 150.
const OPERATORS_MAX: usize = 256;
/// A tree of so many takes under 4 MiB where nothing is optimised; threads have 2 MiB.
const STACK_BYTES: usize = 16 * 1024 * 1024;
/// Words that may stand between two values, or behind one, any number of times.
const OPERATOR_WORDS: &[&str] = &[
    "AND",
    "AT",
    "BETWEEN",
    "COLLATE",
    "DIV",
    "EXCEPT",
    "ILIKE",
    "IN",
    "INTERSECT",
    "IS",
    "ISNULL",
    "LIKE",
    "MATCH",
    "MEMBER",
    "MINUS",
    "NOT",
    "NOTNULL",
    "OPERATOR",
    "OR",
    "OVERLAPS",
    "REGEXP",
    "RLIKE",
    "SIMILAR",
    "UNION",
    "XOR",
];
/// The parameter that every rule has: the as-of instant, in Unix milliseconds.
pub const AS_OF: &str = "as_of_ms";

/// A query that passed, with what it reads.
#[derive(Clone, Debug)]
pub struct Query {
    statement: Statement,
    /// Every evidence table that it names.
    pub tables: BTreeSet<String>,
    /// Those without rows in which it can return nothing.
    pub required: BTreeSet<String>,
    /// Every parameter that it names.
    pub parameters: BTreeSet<String>,
}

/// Why a query is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAllowed {
    /// Longer than a rule may be.
    #[error("the rule has {length} bytes; at most {RULE_BYTES_MAX} are allowed")]
    TooLong {
        /// Bytes.
        length: usize,
    },
    /// The parser does not understand it.
    #[error("no SQL: {message}")]
    Syntax {
        /// With line and column.
        message: String,
    },
    /// Not one SELECT.
    #[error("a rule is one SELECT")]
    NotOneSelect,
    /// A clause, expression or type outside the list.
    #[error("{what} is not allowed in a rule")]
    Construct {
        /// What it is.
        what: String,
    },
    /// A table that no release declares.
    #[error("there is no evidence table {name}")]
    UnknownTable {
        /// As written.
        name: String,
    },
    /// A function outside the list.
    #[error("function {name} is not allowed in a rule")]
    Function {
        /// As written.
        name: String,
    },
    /// The answer would depend on the order of rows.
    #[error("{name} needs an ORDER BY, or its answer depends on the order of rows")]
    Unordered {
        /// The function.
        name: String,
    },
    /// A join that multiplies.
    #[error("every join and correlated subquery needs an equality between columns of both sides")]
    NoEqualityKey,
    /// A parameter that the pack does not have.
    #[error("the pack has no parameter ${name}")]
    UnknownParameter {
        /// Without the sign.
        name: String,
    },
}

/// Functions that give the same answer for the same rows, and need no more than memory for them.
const FUNCTIONS: &[&str] = &[
    // scalar
    "abs",
    "array_concat",
    "array_distinct",
    "array_has",
    "array_length",
    "array_sort",
    "array_to_string",
    "cardinality",
    "coalesce",
    "concat",
    "ends_with",
    "greatest",
    "least",
    "length",
    "lower",
    "make_array",
    "nullif",
    "split_part",
    "starts_with",
    "strpos",
    "upper",
    "unnest",
    // aggregate and window
    "array_agg",
    "bool_and",
    "bool_or",
    "count",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "max",
    "min",
    "rank",
    "row_number",
    "string_agg",
    "sum",
];
/// Of these, the ones whose answer depends on the order of rows.
const ORDERED: &[&str] = &[
    "array_agg",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "rank",
    "row_number",
    "string_agg",
];

/// Checks a rule's text against everything above.
pub fn check(text: &str, parameters: &BTreeMap<String, Parameter>) -> Result<Query, NotAllowed> {
    let work = || checked(text, parameters);
    std::thread::scope(|scope| {
        let deep = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        match deep {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => work(),
        }
    })
}

fn checked(text: &str, parameters: &BTreeMap<String, Parameter>) -> Result<Query, NotAllowed> {
    if RULE_BYTES_MAX < text.len() {
        return Err(NotAllowed::TooLong { length: text.len() });
    }
    let syntax = |error: datafusion::sql::sqlparser::parser::ParserError| NotAllowed::Syntax {
        message: error.to_string(),
    };
    let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize();
    let tokens = tokens.map_err(|error| NotAllowed::Syntax { message: error.to_string() })?;
    if OPERATORS_MAX < tokens.iter().filter(|token| is_operator(token)).count() {
        let what = format!("a text of more than {OPERATORS_MAX} operators");
        return Err(NotAllowed::Construct { what });
    }
    let mut statements = Parser::new(&GenericDialect {})
        .with_recursion_limit(DEPTH_MAX)
        .try_with_sql(text)
        .map_err(syntax)?
        .parse_statements()
        .map_err(syntax)?;
    let (Some(statement), true) = (statements.pop(), statements.is_empty()) else {
        return Err(NotAllowed::NotOneSelect);
    };
    let Statement::Query(query) = &statement else {
        return Err(NotAllowed::NotOneSelect);
    };
    let mut walk = Walk {
        parameters,
        named: BTreeSet::new(),
        tables: BTreeSet::new(),
        seen: BTreeSet::new(),
        depth: 0,
    };
    if let ControlFlow::Break(refused) = statement.visit(&mut walk) {
        return Err(refused);
    }
    if let ControlFlow::Break(refused) = growth::check(query) {
        return Err(refused);
    }
    let required = need::required(query);
    let Walk { tables, seen, .. } = walk;
    Ok(Query { statement, tables, required, parameters: seen })
}

/// Whether a chain of these makes a deep tree.
fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => OPERATOR_WORDS.contains(&word.value.to_ascii_uppercase().as_str()),
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Placeholder(_)
        | Token::Whitespace(_)
        | Token::Comma
        | Token::Period
        | Token::SemiColon
        | Token::LParen
        | Token::RParen
        | Token::LBracket
        | Token::RBracket
        | Token::EOF => false,
        _ => true,
    }
}

impl Query {
    /// The statement with every parameter replaced by a typed literal of the tree.
    pub(crate) fn bind(
        &self,
        parameters: &BTreeMap<String, Parameter>,
        as_of_ms: i64,
    ) -> Statement {
        let mut statement = self.statement.clone();
        let _: ControlFlow<()> =
            ast::VisitMut::visit(&mut statement, &mut Bind { parameters, as_of_ms });
        statement
    }
}

struct Walk<'a> {
    parameters: &'a BTreeMap<String, Parameter>,
    /// Names that WITH gives.
    named: BTreeSet<String>,
    tables: BTreeSet<String>,
    /// Parameters met.
    seen: BTreeSet<String>,
    /// How many queries one is in.
    depth: usize,
}

type Verdict = ControlFlow<NotAllowed>;

fn refuse(what: impl Into<String>) -> Verdict {
    ControlFlow::Break(NotAllowed::Construct { what: what.into() })
}

fn refuse_if(condition: bool, what: &str) -> Verdict {
    if condition { refuse(what) } else { ControlFlow::Continue(()) }
}

impl Visitor for Walk<'_> {
    type Break = NotAllowed;

    fn pre_visit_query(&mut self, query: &ast::Query) -> Verdict {
        self.depth += 1;
        if let Some(with) = &query.with {
            refuse_if(with.recursive, "WITH RECURSIVE")?;
            // Further in, its names would end before the rule does.
            refuse_if(1 < self.depth, "WITH inside a query")?;
            for table in &with.cte_tables {
                // What is written like a name of this schema must be one.
                let plain = is_word(&table.alias.name.value);
                refuse_if(!plain, "a WITH name that is not one word")?;
                let name = table.alias.name.value.to_ascii_lowercase();
                let taken = declared(&name).is_some();
                refuse_if(taken, "a WITH name that is an evidence table's")?;
                self.named.insert(name);
            }
        }
        refuse_if(query.limit_clause.is_some() || query.fetch.is_some(), "LIMIT")?;
        refuse_if(!query.locks.is_empty() || query.for_clause.is_some(), "FOR")?;
        refuse_if(query.settings.is_some() || query.format_clause.is_some(), "SETTINGS or FORMAT")?;
        refuse_if(!query.pipe_operators.is_empty(), "a pipe operator")?;
        body(&query.body)
    }

    fn post_visit_query(&mut self, _: &ast::Query) -> Verdict {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &ast::Select) -> Verdict {
        let strange = !select.optimizer_hints.is_empty()
            || select.select_modifiers.is_some()
            || select.top.is_some()
            || select.exclude.is_some()
            || select.into.is_some()
            || !select.lateral_views.is_empty()
            || select.prewhere.is_some()
            || !select.connect_by.is_empty()
            || !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty()
            || select.qualify.is_some()
            || select.value_table_mode.is_some()
            || select.flavor != ast::SelectFlavor::Standard;
        refuse_if(strange, "a SELECT clause outside the standard")?;
        refuse_if(matches!(select.distinct, Some(ast::Distinct::On(_))), "DISTINCT ON")?;
        let GroupByExpr::Expressions(_, modifiers) = &select.group_by else {
            return refuse("GROUP BY ALL");
        };
        refuse_if(!modifiers.is_empty(), "a GROUP BY modifier")?;
        join::check_from(select)
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Verdict {
        match factor {
            TableFactor::Table {
                name,
                alias: _,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                let plain = args.is_none()
                    && with_hints.is_empty()
                    && version.is_none()
                    && !with_ordinality
                    && partitions.is_empty()
                    && json_path.is_none()
                    && sample.is_none()
                    && index_hints.is_empty();
                refuse_if(!plain, "a table function, hint, version or sample")?;
                self.table(name)
            }
            TableFactor::Derived { lateral, sample, .. } => {
                refuse_if(*lateral || sample.is_some(), "LATERAL or a sample")
            }
            TableFactor::NestedJoin { .. } => ControlFlow::Continue(()),
            other => refuse(format!("{other}")),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Verdict {
        match expr {
            Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::CompoundFieldAccess { .. }
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsDistinctFrom(..)
            | Expr::IsNotDistinctFrom(..)
            | Expr::InList { .. }
            | Expr::InSubquery { .. }
            | Expr::Between { .. }
            | Expr::Nested(_)
            | Expr::Case { .. }
            | Expr::Substring { .. }
            | Expr::Array(_) => ControlFlow::Continue(()),
            Expr::Like { any, .. } => refuse_if(*any, "LIKE ANY"),
            Expr::BinaryOp { op, .. } => refuse_if(!plain_operator(op), &format!("operator {op}")),
            Expr::UnaryOp { op, .. } => {
                let plain =
                    matches!(op, UnaryOperator::Minus | UnaryOperator::Not | UnaryOperator::Plus);
                refuse_if(!plain, &format!("operator {op}"))
            }
            Expr::Cast { kind, data_type, array, format, .. } => {
                let plain = matches!(kind, CastKind::Cast) && !array && format.is_none();
                refuse_if(!plain || !plain_type(data_type), &format!("a cast to {data_type}"))
            }
            Expr::Exists { subquery, .. } => join::check_exists(subquery),
            Expr::Value(value) => self.value(&value.value),
            Expr::Function(function) => check_function(function),
            other => refuse(format!("{other}")),
        }
    }
}

impl Walk<'_> {
    fn table(&mut self, name: &ObjectName) -> Verdict {
        let written = name.to_string();
        let plain = written.to_ascii_lowercase();
        if self.named.contains(&plain) {
            return ControlFlow::Continue(());
        }
        if declared(&plain).is_none() {
            return ControlFlow::Break(NotAllowed::UnknownTable { name: written });
        }
        self.tables.insert(plain);
        ControlFlow::Continue(())
    }

    fn value(&mut self, value: &Value) -> Verdict {
        match value {
            Value::Number(digits, _) => {
                let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
                refuse_if(!whole, &format!("the number {digits}, which is not whole,"))
            }
            Value::SingleQuotedString(text) => growth::check_literal(text),
            Value::Boolean(_) | Value::Null => ControlFlow::Continue(()),
            Value::Placeholder(name) => {
                let name = name.trim_start_matches('$').to_owned();
                if name != AS_OF && !self.parameters.contains_key(&name) {
                    return ControlFlow::Break(NotAllowed::UnknownParameter { name });
                }
                self.seen.insert(name);
                ControlFlow::Continue(())
            }
            other => refuse(format!("the literal {other}")),
        }
    }
}

/// Letters, digits and `_`.
fn is_word(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn body(body: &SetExpr) -> Verdict {
    match body {
        SetExpr::Select(_) | SetExpr::Query(_) => ControlFlow::Continue(()),
        SetExpr::SetOperation { left, right, set_quantifier, .. } => {
            use ast::SetQuantifier::{All, Distinct, None};
            refuse_if(!matches!(set_quantifier, All | Distinct | None), "a set operation BY NAME")?;
            self::body(left)?;
            self::body(right)
        }
        _ => ControlFlow::Break(NotAllowed::NotOneSelect),
    }
}

fn plain_operator(op: &BinaryOperator) -> bool {
    use BinaryOperator::{
        And, Divide, Eq, Gt, GtEq, Lt, LtEq, Minus, Modulo, Multiply, NotEq, Or, Plus, StringConcat,
    };
    matches!(
        op,
        And | Divide
            | Eq
            | Gt
            | GtEq
            | Lt
            | LtEq
            | Minus
            | Modulo
            | Multiply
            | NotEq
            | Or
            | Plus
            | StringConcat
    )
}

fn plain_type(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::BigInt(None)
            | DataType::Boolean
            | DataType::Decimal(_)
            | DataType::Varchar(None)
            | DataType::Text
    )
}

fn check_function(function: &ast::Function) -> Verdict {
    let name = function.name.to_string().to_ascii_lowercase();
    if !FUNCTIONS.contains(&name.as_str()) && !crate::function::NAMES.contains(&name.as_str()) {
        return ControlFlow::Break(NotAllowed::Function { name });
    }
    let FunctionArguments::List(list) = &function.args else {
        return refuse(format!("{name} without a plain argument list"));
    };
    let odd = function.uses_odbc_syntax
        || !matches!(function.parameters, FunctionArguments::None)
        || function.null_treatment.is_some()
        || !function.within_group.is_empty();
    refuse_if(odd, &format!("an unusual call of {name}"))?;
    let mut ordered = false;
    for clause in &list.clauses {
        let FunctionArgumentClause::OrderBy(_) = clause else {
            return refuse(format!("a clause inside {name}"));
        };
        ordered = true;
    }
    match &function.over {
        None => {}
        Some(WindowType::WindowSpec(window)) => ordered |= !window.order_by.is_empty(),
        Some(WindowType::NamedWindow(_)) => return refuse("a named window"),
    }
    if ORDERED.contains(&name.as_str()) && !ordered {
        return ControlFlow::Break(NotAllowed::Unordered { name });
    }
    ControlFlow::Continue(())
}

struct Bind<'a> {
    parameters: &'a BTreeMap<String, Parameter>,
    as_of_ms: i64,
}

impl VisitorMut for Bind<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Value(value) = expr
            && let Value::Placeholder(name) = &value.value
        {
            let name = name.trim_start_matches('$');
            let literal = if name == AS_OF {
                integer(self.as_of_ms)
            } else {
                match self.parameters.get(name).map(|parameter| &parameter.value) {
                    Some(ParameterValue::Integer(number)) => integer(*number),
                    Some(ParameterValue::Text(text)) => {
                        Expr::value(Value::SingleQuotedString(text.clone()))
                    }
                    None => Expr::value(Value::Null),
                }
            };
            *expr = literal;
        }
        ControlFlow::Continue(())
    }
}

fn integer(number: i64) -> Expr {
    let digits = Expr::value(Value::Number(number.unsigned_abs().to_string(), false));
    if number < 0 {
        let negated = Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(digits) };
        return Expr::Nested(Box::new(negated));
    }
    digits
}

#[cfg(test)]
mod tests;
