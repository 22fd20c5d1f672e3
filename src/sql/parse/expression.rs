//! Expressions, by precedence climbing with MySQL's table of precedences.

use gaplock_engine::types::Decimal;
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::query;
use crate::sql::ast::{BinaryOperator, Expr, Literal, Name, UnaryOperator};
use crate::sql::error::SqlError;

/// Binding strengths, weakest first; an operator binds its operands at one above its own.
mod strength {
    pub(super) const OR: u8 = 1;
    pub(super) const XOR: u8 = 2;
    pub(super) const AND: u8 = 3;
    pub(super) const NOT: u8 = 4;
    pub(super) const COMPARISON: u8 = 6;
    pub(super) const SUM: u8 = 8;
    pub(super) const PRODUCT: u8 = 9;
    pub(super) const SIGN: u8 = 10;
}

/// Reads an expression.
pub(super) fn expression(cursor: &mut Cursor) -> Result<Expr, SqlError> {
    climb(cursor, 0)
}

fn climb(cursor: &mut Cursor, least: u8) -> Result<Expr, SqlError> {
    cursor.nested(|cursor| {
        let mut left = prefix(cursor)?;
        loop {
            if let Some((operator, strength)) = binary_operator(cursor) {
                if strength < least {
                    return Ok(left);
                }
                cursor.advance();
                let right = climb(cursor, strength + 1)?;
                left = Expr::Binary {
                    operator,
                    left: Box::new(left),
                    right: Box::new(right),
                };
            } else if strength::COMPARISON >= least && at_predicate(cursor) {
                left = predicate(cursor, left)?;
            } else {
                return Ok(left);
            }
        }
    })
}

fn binary_operator(cursor: &Cursor) -> Option<(BinaryOperator, u8)> {
    use BinaryOperator as B;
    let found = match cursor.peek() {
        Token::Eq => (B::Equal, strength::COMPARISON),
        Token::Spaceship => (B::NullSafeEqual, strength::COMPARISON),
        Token::Neq => (B::NotEqual, strength::COMPARISON),
        Token::Lt => (B::Less, strength::COMPARISON),
        Token::LtEq => (B::LessOrEqual, strength::COMPARISON),
        Token::Gt => (B::Greater, strength::COMPARISON),
        Token::GtEq => (B::GreaterOrEqual, strength::COMPARISON),
        Token::Plus => (B::Add, strength::SUM),
        Token::Minus => (B::Subtract, strength::SUM),
        Token::Mul => (B::Multiply, strength::PRODUCT),
        Token::Div => (B::Divide, strength::PRODUCT),
        Token::Mod => (B::Modulo, strength::PRODUCT),
        Token::Overlap => (B::And, strength::AND),
        Token::StringConcat => (B::Or, strength::OR),
        Token::Word(_) if cursor.is(&["AND"]) => (B::And, strength::AND),
        Token::Word(_) if cursor.is(&["OR"]) => (B::Or, strength::OR),
        Token::Word(_) if cursor.is(&["XOR"]) => (B::Xor, strength::XOR),
        Token::Word(_) if cursor.is(&["DIV"]) => (B::IntegerDivide, strength::PRODUCT),
        Token::Word(_) if cursor.is(&["MOD"]) => (B::Modulo, strength::PRODUCT),
        _ => return None,
    };
    Some(found)
}

fn at_predicate(cursor: &Cursor) -> bool {
    let ahead = usize::from(cursor.is(&["NOT"]));
    ["IN", "BETWEEN", "LIKE"]
        .iter()
        .any(|word| cursor.is_word_at(ahead, word))
        || cursor.is(&["IS"])
}

/// `IS NULL`, `IN`, `BETWEEN`, `LIKE` after their operand.
fn predicate(cursor: &mut Cursor, operand: Expr) -> Result<Expr, SqlError> {
    let operand = Box::new(operand);
    if cursor.eat(&["IS"]) {
        let negated = cursor.eat(&["NOT"]);
        if !cursor.eat(&["NULL"]) {
            return Err(cursor.unexpected("NULL"));
        }
        return Ok(Expr::IsNull { operand, negated });
    }
    let negated = cursor.eat(&["NOT"]);
    if cursor.eat(&["BETWEEN"]) {
        let low = Box::new(climb(cursor, strength::COMPARISON + 1)?);
        cursor.expect(&["AND"])?;
        let high = Box::new(climb(cursor, strength::COMPARISON + 1)?);
        return Ok(Expr::Between {
            operand,
            low,
            high,
            negated,
        });
    }
    if cursor.eat(&["LIKE"]) {
        let pattern = Box::new(climb(cursor, strength::COMPARISON + 1)?);
        if cursor.is(&["ESCAPE"]) {
            return Err(cursor.unsupported("LIKE with ESCAPE", "escape with a backslash"));
        }
        return Ok(Expr::Like {
            operand,
            pattern,
            negated,
        });
    }
    cursor.expect(&["IN"])?;
    cursor.expect_token(&Token::LParen)?;
    let result = if cursor.is(&["SELECT"]) {
        Expr::InSubquery {
            operand,
            subquery: Box::new(query::select(cursor)?),
            negated,
        }
    } else {
        Expr::InList {
            operand,
            list: cursor.list(expression)?,
            negated,
        }
    };
    cursor.expect_token(&Token::RParen)?;
    Ok(result)
}

fn prefix(cursor: &mut Cursor) -> Result<Expr, SqlError> {
    if cursor.eat(&["NOT"]) {
        let operand = Box::new(climb(cursor, strength::NOT)?);
        return Ok(Expr::Unary {
            operator: UnaryOperator::Not,
            operand,
        });
    }
    match cursor.peek() {
        Token::ExclamationMark => {
            cursor.advance();
            let operand = Box::new(climb(cursor, strength::SIGN)?);
            Ok(Expr::Unary {
                operator: UnaryOperator::Not,
                operand,
            })
        }
        Token::Minus => {
            cursor.advance();
            Ok(negative(climb(cursor, strength::SIGN)?))
        }
        Token::Plus => {
            cursor.advance();
            climb(cursor, strength::SIGN)
        }
        Token::LParen => parenthesized(cursor),
        _ => atom(cursor),
    }
}

/// A negative literal stays a literal, so that it can bound an index range.
fn negative(operand: Expr) -> Expr {
    match operand {
        Expr::Literal(Literal::Int(number)) => Expr::Literal(Literal::Int(-number)),
        Expr::Literal(Literal::Double(number)) => Expr::Literal(Literal::Double(-number)),
        Expr::Literal(Literal::Decimal(number)) => Expr::Literal(Literal::Decimal(Decimal {
            unscaled: -number.unscaled,
            scale: number.scale,
        })),
        operand => Expr::Unary {
            operator: UnaryOperator::Minus,
            operand: Box::new(operand),
        },
    }
}

fn parenthesized(cursor: &mut Cursor) -> Result<Expr, SqlError> {
    cursor.expect_token(&Token::LParen)?;
    let inner = if cursor.is(&["SELECT"]) {
        Expr::Subquery(Box::new(query::select(cursor)?))
    } else {
        let inner = expression(cursor)?;
        if *cursor.peek() == Token::Comma {
            return Err(cursor.unsupported(
                "row constructors",
                "compare column by column, joined with AND",
            ));
        }
        inner
    };
    cursor.expect_token(&Token::RParen)?;
    Ok(inner)
}

fn atom(cursor: &mut Cursor) -> Result<Expr, SqlError> {
    match cursor.peek() {
        Token::Number(text, _) => {
            let literal = number(text).ok_or_else(|| {
                cursor.unsupported("a number of more than 38 digits", "write fewer digits")
            })?;
            cursor.advance();
            Ok(Expr::Literal(literal))
        }
        Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => {
            let text = text.clone();
            cursor.advance();
            Ok(Expr::Literal(Literal::Text(text)))
        }
        Token::Placeholder(_) | Token::Question => {
            Err(cursor.unsupported("placeholders", "write the value itself into the statement"))
        }
        Token::Word(_) => word(cursor),
        _ => Err(cursor.unexpected("an expression")),
    }
}

/// Reads a number as MySQL types it: exact unless it has an exponent.
fn number(text: &str) -> Option<Literal> {
    if text.contains(['e', 'E']) {
        return text.parse().ok().map(Literal::Double);
    }
    let Some((whole, fraction)) = text.split_once('.') else {
        return text.parse().ok().map(Literal::Int);
    };
    let unscaled = format!("{whole}{fraction}").parse().ok()?;
    let scale = u8::try_from(fraction.len()).ok().filter(|s| *s <= 30)?;
    Some(Literal::Decimal(Decimal { unscaled, scale }))
}

fn word(cursor: &mut Cursor) -> Result<Expr, SqlError> {
    for (word, literal) in [
        ("NULL", Literal::Null),
        ("TRUE", Literal::Int(1)),
        ("FALSE", Literal::Int(0)),
    ] {
        if cursor.eat(&[word]) {
            return Ok(Expr::Literal(literal));
        }
    }
    if cursor.eat(&["CASE"]) {
        return case(cursor);
    }
    if cursor.is(&["EXISTS"]) {
        return Err(cursor.unsupported("EXISTS", "use IN with a subquery, or a join"));
    }
    if cursor.is(&["INTERVAL"]) {
        return Err(cursor.unsupported("INTERVAL", "write the date and time as a text"));
    }
    let calls = matches!(cursor.peek_at(1), Token::LParen);
    if calls {
        return call(cursor);
    }
    let name = cursor.name("an expression")?;
    if name.text.starts_with("@@") {
        return Err(SqlError::unsupported(
            "variables in expressions",
            Some(name.position),
            "write the value itself into the statement",
        ));
    }
    if name.text.starts_with('@') {
        return Err(SqlError::unsupported(
            "user variables",
            Some(name.position),
            "write the value itself into the statement",
        ));
    }
    if name.text.eq_ignore_ascii_case("CURRENT_TIMESTAMP") {
        return Ok(Expr::Call {
            function: Name {
                text: "NOW".to_owned(),
                position: name.position,
            },
            arguments: Vec::new(),
            star: false,
        });
    }
    column(cursor, name)
}

/// `column` or `table.column`, its first name taken already.
fn column(cursor: &mut Cursor, name: Name) -> Result<Expr, SqlError> {
    if !cursor.eat_token(&Token::Period) {
        return Ok(Expr::Column {
            table: None,
            column: name,
        });
    }
    let column = cursor.name("a column")?;
    if *cursor.peek() == Token::Period {
        return Err(cursor.unsupported("a column with its schema", "write table.column"));
    }
    Ok(Expr::Column {
        table: Some(name.text),
        column,
    })
}

fn call(cursor: &mut Cursor) -> Result<Expr, SqlError> {
    let position = cursor.position();
    let Token::Word(word) = cursor.advance() else {
        return Err(cursor.unexpected("a function"));
    };
    let function = Name {
        text: word.value.to_uppercase(),
        position,
    };
    cursor.expect_token(&Token::LParen)?;
    let mut star = false;
    let mut arguments = Vec::new();
    if cursor.is(&["DISTINCT"]) {
        return Err(cursor.unsupported("DISTINCT in an aggregate", "count the rows of a SELECT"));
    }
    if cursor.eat_token(&Token::Mul) {
        star = true;
    } else if *cursor.peek() != Token::RParen {
        arguments = cursor.list(expression)?;
    }
    cursor.expect_token(&Token::RParen)?;
    if cursor.is(&["OVER"]) {
        return Err(cursor.unsupported("window functions", "select the rows and count outside"));
    }
    Ok(Expr::Call {
        function,
        arguments,
        star,
    })
}

fn case(cursor: &mut Cursor) -> Result<Expr, SqlError> {
    let operand = if cursor.is(&["WHEN"]) {
        None
    } else {
        Some(Box::new(expression(cursor)?))
    };
    let mut branches = Vec::new();
    while cursor.eat(&["WHEN"]) {
        let when = expression(cursor)?;
        cursor.expect(&["THEN"])?;
        branches.push((when, expression(cursor)?));
    }
    if branches.is_empty() {
        return Err(cursor.unexpected("WHEN"));
    }
    let otherwise = if cursor.eat(&["ELSE"]) {
        Some(Box::new(expression(cursor)?))
    } else {
        None
    };
    cursor.expect(&["END"])?;
    Ok(Expr::Case {
        operand,
        branches,
        otherwise,
    })
}
