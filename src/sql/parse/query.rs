//! SELECT and its clauses.

use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::expression::expression;
use crate::sql::ast::{
    BinaryOperator, Expr, HintKind, IndexHint, Limit, Locking, OrderItem, Select, SelectItem,
    TableReference, WaitClause,
};
use crate::sql::error::SqlError;

/// Reads a SELECT.
pub(super) fn select(cursor: &mut Cursor) -> Result<Select, SqlError> {
    cursor.nested(|cursor| {
        cursor.expect(&["SELECT"])?;
        let distinct = cursor.eat(&["DISTINCT"]);
        cursor.eat(&["ALL"]);
        let items = cursor.list(item)?;
        let mut conditions = Vec::new();
        let from = if cursor.eat(&["FROM"]) {
            tables(cursor, &mut conditions)?
        } else {
            Vec::new()
        };
        if cursor.eat(&["WHERE"]) {
            conditions.push(expression(cursor)?);
        }
        refuse_grouping(cursor)?;
        let order = order_by(cursor)?;
        let limit = limit(cursor)?;
        let locking = locking(cursor)?;
        refuse_set_operations(cursor)?;
        Ok(Select {
            distinct,
            items,
            from,
            filter: all_of(conditions),
            order,
            limit,
            locking,
        })
    })
}

/// The conditions joined with AND.
pub(super) fn all_of(conditions: Vec<Expr>) -> Option<Expr> {
    conditions.into_iter().reduce(|left, right| Expr::Binary {
        operator: BinaryOperator::And,
        left: Box::new(left),
        right: Box::new(right),
    })
}

fn refuse_grouping(cursor: &Cursor) -> Result<(), SqlError> {
    if cursor.is(&["GROUP"]) {
        return Err(cursor.unsupported("GROUP BY", "aggregate over all rows, or group outside"));
    }
    if cursor.is(&["HAVING"]) {
        return Err(cursor.unsupported("HAVING", "use WHERE"));
    }
    Ok(())
}

fn refuse_set_operations(cursor: &Cursor) -> Result<(), SqlError> {
    for word in ["UNION", "INTERSECT", "EXCEPT"] {
        if cursor.is(&[word]) {
            return Err(cursor.unsupported(word, "give each SELECT by itself"));
        }
    }
    Ok(())
}

fn item(cursor: &mut Cursor) -> Result<SelectItem, SqlError> {
    if cursor.eat_token(&Token::Mul) {
        return Ok(SelectItem::Star(None));
    }
    let qualified_star =
        matches!(cursor.peek_at(1), Token::Period) && matches!(cursor.peek_at(2), Token::Mul);
    if qualified_star {
        let table = cursor.name("a table")?;
        cursor.expect_token(&Token::Period)?;
        cursor.expect_token(&Token::Mul)?;
        return Ok(SelectItem::Star(Some(table)));
    }
    let expression = expression(cursor)?;
    let alias = if cursor.eat(&["AS"]) || cursor.at_name() {
        Some(cursor.name("an alias")?.text)
    } else {
        None
    };
    Ok(SelectItem::Expression { expression, alias })
}

/// Tables with commas or inner joins between them; ON conditions go to `conditions`.
pub(super) fn tables(
    cursor: &mut Cursor,
    conditions: &mut Vec<Expr>,
) -> Result<Vec<TableReference>, SqlError> {
    let mut tables = vec![table(cursor)?];
    loop {
        if cursor.eat_token(&Token::Comma) {
            tables.push(table(cursor)?);
            continue;
        }
        for (outer, instead) in [
            ("LEFT", "use an inner join"),
            ("RIGHT", "use an inner join"),
            ("NATURAL", "use JOIN with ON"),
            ("STRAIGHT_JOIN", "use JOIN with ON"),
        ] {
            if cursor.is(&[outer]) {
                return Err(cursor.unsupported(&format!("{outer} JOIN"), instead));
            }
        }
        if cursor.is(&["INNER", "JOIN"]) || cursor.is(&["CROSS", "JOIN"]) {
            cursor.advance();
        }
        if !cursor.eat(&["JOIN"]) {
            return Ok(tables);
        }
        tables.push(table(cursor)?);
        if cursor.is(&["USING"]) {
            return Err(cursor.unsupported("USING", "use ON"));
        }
        if cursor.eat(&["ON"]) {
            conditions.push(expression(cursor)?);
        }
    }
}

/// One table with alias and hints.
pub(super) fn table(cursor: &mut Cursor) -> Result<TableReference, SqlError> {
    if *cursor.peek() == Token::LParen {
        return Err(cursor.unsupported(
            "derived tables and nested joins",
            "join the tables directly, or use IN with a subquery",
        ));
    }
    let mut table = cursor.name("a table")?;
    let mut schema = None;
    if cursor.eat_token(&Token::Period) {
        schema = Some(std::mem::replace(&mut table, cursor.name("a table")?).text);
    }
    let alias = if cursor.eat(&["AS"]) || cursor.at_name() {
        Some(cursor.name("an alias")?.text)
    } else {
        None
    };
    let mut hints = Vec::new();
    while let Some(hint) = index_hint(cursor)? {
        hints.push(hint);
    }
    Ok(TableReference {
        table,
        schema,
        alias,
        hints,
    })
}

fn index_hint(cursor: &mut Cursor) -> Result<Option<IndexHint>, SqlError> {
    let kind = if cursor.is(&["FORCE"]) {
        HintKind::Force
    } else if cursor.is(&["USE"]) {
        HintKind::Use
    } else if cursor.is(&["IGNORE"]) {
        HintKind::Ignore
    } else {
        return Ok(None);
    };
    cursor.advance();
    if !cursor.eat(&["INDEX"]) {
        cursor.expect(&["KEY"])?;
    }
    if cursor.is(&["FOR"]) {
        return Err(cursor.unsupported(
            "an index hint for one clause only",
            "leave FOR JOIN, FOR ORDER BY or FOR GROUP BY out",
        ));
    }
    cursor.expect_token(&Token::LParen)?;
    let mut indexes = Vec::new();
    if *cursor.peek() != Token::RParen {
        indexes = cursor.list(index_name)?;
    }
    cursor.expect_token(&Token::RParen)?;
    Ok(Some(IndexHint { kind, indexes }))
}

/// An index's name; PRIMARY is reserved elsewhere, and a name here.
pub(super) fn index_name(cursor: &mut Cursor) -> Result<crate::sql::ast::Name, SqlError> {
    let position = cursor.position();
    if cursor.eat(&["PRIMARY"]) {
        return Ok(crate::sql::ast::Name {
            text: "PRIMARY".to_owned(),
            position,
        });
    }
    cursor.name("an index")
}

/// ORDER BY, if it is there.
pub(super) fn order_by(cursor: &mut Cursor) -> Result<Vec<OrderItem>, SqlError> {
    if !cursor.eat(&["ORDER", "BY"]) {
        return Ok(Vec::new());
    }
    cursor.list(|cursor| {
        let expression = expression(cursor)?;
        let descending = cursor.eat(&["DESC"]);
        if !descending {
            cursor.eat(&["ASC"]);
        }
        Ok(OrderItem {
            expression,
            descending,
        })
    })
}

/// LIMIT, if it is there.
pub(super) fn limit(cursor: &mut Cursor) -> Result<Option<Limit>, SqlError> {
    if !cursor.eat(&["LIMIT"]) {
        return Ok(None);
    }
    let first = cursor.number("a number of rows")?;
    let limit = if cursor.eat_token(&Token::Comma) {
        Limit {
            offset: first,
            rows: cursor.number("a number of rows")?,
        }
    } else if cursor.eat(&["OFFSET"]) {
        Limit {
            offset: cursor.number("a number of rows")?,
            rows: first,
        }
    } else {
        Limit {
            offset: 0,
            rows: first,
        }
    };
    Ok(Some(limit))
}

fn locking(cursor: &mut Cursor) -> Result<Option<Locking>, SqlError> {
    let position = cursor.position();
    let exclusive = if cursor.eat(&["LOCK", "IN", "SHARE", "MODE"]) {
        return Ok(Some(Locking {
            exclusive: false,
            wait: wait_clause(cursor),
            position,
        }));
    } else if cursor.eat(&["FOR", "UPDATE"]) {
        true
    } else if cursor.eat(&["FOR", "SHARE"]) {
        false
    } else {
        return Ok(None);
    };
    if cursor.is(&["OF"]) {
        return Err(cursor.unsupported(
            "FOR UPDATE OF",
            "lock all tables of the statement, or split it",
        ));
    }
    Ok(Some(Locking {
        exclusive,
        wait: wait_clause(cursor),
        position,
    }))
}

fn wait_clause(cursor: &mut Cursor) -> WaitClause {
    if cursor.eat(&["NOWAIT"]) {
        WaitClause::NoWait
    } else if cursor.eat(&["SKIP", "LOCKED"]) {
        WaitClause::SkipLocked
    } else {
        WaitClause::Wait
    }
}
