//! Expressions with their columns found, and what they are worth for a row.
//!
//! Values are dynamic, as MySQL's items are: a comparison looks at what its two sides are and picks
//! the rule (texts by collation, a text against a number as doubles, NULL gives NULL). Truth is
//! three-valued; a row passes a filter when the filter is true, neither false nor unknown.

mod arithmetic;
mod compare;
mod evaluate;
mod functions;
#[cfg(test)]
mod tests;

use gaplock_engine::types::{Collation, Value};

pub(crate) use compare::numeric_prefix;
pub use compare::{compare, like};
pub use evaluate::{Environment, SubqueryResult, truth};
pub use functions::Function;

use super::ast::BinaryOperator;

/// A column of a statement's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnPlace {
    /// Which table, by its place in FROM.
    pub table: usize,
    /// Which column, by its place in the table.
    pub column: usize,
}

/// An expression ready to be evaluated.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A value.
    Constant(Value),
    /// A column of the current rows.
    Column(ColumnPlace),
    /// `VALUES(column)`: what the INSERT would have put there.
    NewValue(usize),
    /// The result of a scalar subquery, by its number in the statement.
    Subquery(usize),
    /// The result of an aggregate, by its number in the SELECT.
    Aggregate(usize),
    /// NOT.
    Not(Box<Expression>),
    /// Unary minus.
    Negate(Box<Expression>),
    /// AND of all.
    And(Vec<Expression>),
    /// OR of all.
    Or(Vec<Expression>),
    /// XOR.
    Xor(Box<Expression>, Box<Expression>),
    /// A comparison.
    Compare {
        /// Which.
        operator: Comparison,
        /// Left side.
        left: Box<Expression>,
        /// Right side.
        right: Box<Expression>,
        /// How texts compare.
        collation: Collation,
    },
    /// Arithmetic.
    Arithmetic {
        /// One of the arithmetic operators.
        operator: BinaryOperator,
        /// Left side.
        left: Box<Expression>,
        /// Right side.
        right: Box<Expression>,
    },
    /// IS NULL.
    IsNull(Box<Expression>),
    /// BETWEEN.
    Between {
        /// What is compared.
        operand: Box<Expression>,
        /// Lower end.
        low: Box<Expression>,
        /// Upper end.
        high: Box<Expression>,
        /// How texts compare.
        collation: Collation,
    },
    /// IN of a list.
    In {
        /// What is looked for.
        operand: Box<Expression>,
        /// Where.
        list: Vec<Expression>,
        /// How texts compare.
        collation: Collation,
    },
    /// IN of a subquery, by its number in the statement.
    InSubquery {
        /// What is looked for.
        operand: Box<Expression>,
        /// The subquery.
        subquery: usize,
        /// How texts compare.
        collation: Collation,
    },
    /// LIKE.
    Like {
        /// The text.
        operand: Box<Expression>,
        /// The pattern.
        pattern: Box<Expression>,
        /// How characters compare.
        collation: Collation,
    },
    /// CASE, without operand.
    Case {
        /// WHEN and THEN.
        branches: Vec<(Expression, Expression)>,
        /// ELSE; NULL if there is none.
        otherwise: Box<Expression>,
    },
    /// A function.
    Call {
        /// Which.
        function: Function,
        /// Arguments.
        arguments: Vec<Expression>,
        /// How texts compare.
        collation: Collation,
    },
}

/// The comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`.
    Equal,
    /// `<=>`.
    NullSafeEqual,
    /// `<>`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
}

impl Comparison {
    /// The operator with its sides exchanged.
    #[must_use]
    pub fn mirrored(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            same => same,
        }
    }
}

impl Expression {
    /// Calls `visit` on this expression and every one in it.
    pub fn walk(&self, visit: &mut dyn FnMut(&Expression)) {
        visit(self);
        for part in self.parts() {
            part.walk(visit);
        }
    }

    fn parts(&self) -> Vec<&Expression> {
        match self {
            Expression::Constant(_)
            | Expression::Column(_)
            | Expression::NewValue(_)
            | Expression::Subquery(_)
            | Expression::Aggregate(_) => Vec::new(),
            Expression::Not(operand)
            | Expression::Negate(operand)
            | Expression::IsNull(operand)
            | Expression::InSubquery { operand, .. } => vec![operand],
            Expression::And(parts) | Expression::Or(parts) => parts.iter().collect(),
            Expression::Xor(left, right)
            | Expression::Compare { left, right, .. }
            | Expression::Arithmetic { left, right, .. } => vec![left, right],
            Expression::In { operand, list, .. } => {
                std::iter::once(&**operand).chain(list).collect()
            }
            Expression::Between {
                operand, low, high, ..
            } => vec![operand, low, high],
            Expression::Like {
                operand, pattern, ..
            } => vec![operand, pattern],
            Expression::Case {
                branches,
                otherwise,
            } => branches
                .iter()
                .flat_map(|(when, then)| [when, then])
                .chain(std::iter::once(&**otherwise))
                .collect(),
            Expression::Call { arguments, .. } => arguments.iter().collect(),
        }
    }

    /// The columns that it reads.
    #[must_use]
    pub fn columns(&self) -> Vec<ColumnPlace> {
        let mut columns = Vec::new();
        self.walk(&mut |part| {
            if let Expression::Column(place) = part {
                columns.push(*place);
            }
        });
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// Whether it can be evaluated before any row is read, once subqueries have run.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        let mut constant = true;
        self.walk(&mut |part| {
            constant &= !matches!(
                part,
                Expression::Column(_) | Expression::NewValue(_) | Expression::Aggregate(_)
            );
        });
        constant
    }

    /// The conditions that must all hold for it to be true.
    #[must_use]
    pub fn conjuncts(&self) -> Vec<&Expression> {
        match self {
            Expression::And(parts) => parts.iter().flat_map(Expression::conjuncts).collect(),
            other => vec![other],
        }
    }
}
