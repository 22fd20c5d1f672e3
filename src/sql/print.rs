//! Expressions as text: column headings, EXPLAIN, tests.

use std::fmt;

use super::ast::{BinaryOperator, Expr, Literal, UnaryOperator};

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Null => f.write_str("NULL"),
            Literal::Int(number) => write!(f, "{number}"),
            Literal::Decimal(number) => write!(f, "{number}"),
            Literal::Double(number) => write!(f, "{number:e}"),
            Literal::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
        }
    }
}

impl fmt::Display for BinaryOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BinaryOperator::Or => "OR",
            BinaryOperator::Xor => "XOR",
            BinaryOperator::And => "AND",
            BinaryOperator::Equal => "=",
            BinaryOperator::NullSafeEqual => "<=>",
            BinaryOperator::NotEqual => "<>",
            BinaryOperator::Less => "<",
            BinaryOperator::LessOrEqual => "<=",
            BinaryOperator::Greater => ">",
            BinaryOperator::GreaterOrEqual => ">=",
            BinaryOperator::Add => "+",
            BinaryOperator::Subtract => "-",
            BinaryOperator::Multiply => "*",
            BinaryOperator::Divide => "/",
            BinaryOperator::IntegerDivide => "DIV",
            BinaryOperator::Modulo => "%",
        })
    }
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

fn list(items: &[Expr]) -> String {
    let items: Vec<String> = items.iter().map(Expr::to_string).collect();
    items.join(", ")
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Literal(literal) => write!(f, "{literal}"),
            Expr::Column { table, column } => match table {
                Some(table) => write!(f, "{table}.{}", column.text),
                None => f.write_str(&column.text),
            },
            Expr::Unary { operator, operand } => match operator {
                UnaryOperator::Not => write!(f, "(NOT {operand})"),
                UnaryOperator::Minus => write!(f, "(-{operand})"),
            },
            Expr::Binary {
                operator,
                left,
                right,
            } => write!(f, "({left} {operator} {right})"),
            Expr::IsNull { operand, negated } => {
                write!(f, "({operand} IS {}NULL)", not(*negated))
            }
            Expr::InList {
                operand,
                list: items,
                negated,
            } => write!(f, "({operand} {}IN ({}))", not(*negated), list(items)),
            Expr::InSubquery {
                operand, negated, ..
            } => write!(f, "({operand} {}IN (SELECT ..))", not(*negated)),
            Expr::Subquery(_) => f.write_str("(SELECT ..)"),
            Expr::Between {
                operand,
                low,
                high,
                negated,
            } => write!(f, "({operand} {}BETWEEN {low} AND {high})", not(*negated)),
            Expr::Like {
                operand,
                pattern,
                negated,
            } => write!(f, "({operand} {}LIKE {pattern})", not(*negated)),
            Expr::Case {
                operand,
                branches,
                otherwise,
            } => case(f, operand.as_deref(), branches, otherwise.as_deref()),
            Expr::Call {
                function,
                arguments,
                star,
            } => {
                let arguments = if *star {
                    "*".to_owned()
                } else {
                    list(arguments)
                };
                write!(f, "{}({arguments})", function.text)
            }
        }
    }
}

fn case(
    f: &mut fmt::Formatter<'_>,
    operand: Option<&Expr>,
    branches: &[(Expr, Expr)],
    otherwise: Option<&Expr>,
) -> fmt::Result {
    f.write_str("CASE")?;
    if let Some(operand) = operand {
        write!(f, " {operand}")?;
    }
    for (when, then) in branches {
        write!(f, " WHEN {when} THEN {then}")?;
    }
    if let Some(otherwise) = otherwise {
        write!(f, " ELSE {otherwise}")?;
    }
    f.write_str(" END")
}
