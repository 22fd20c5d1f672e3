//! INSERT, REPLACE, UPDATE, DELETE.

use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::expression::expression;
use super::query;
use crate::sql::ast::{Delete, Expr, Insert, InsertSource, Name, SetClause, Update};
use crate::sql::error::SqlError;

/// Reads INSERT or REPLACE.
pub(super) fn insert(cursor: &mut Cursor) -> Result<Insert, SqlError> {
    let replace = cursor.eat(&["REPLACE"]);
    if !replace {
        cursor.expect(&["INSERT"])?;
    }
    refuse_priority(cursor)?;
    let ignore = !replace && cursor.eat(&["IGNORE"]);
    cursor.eat(&["INTO"]);
    let table = cursor.name("a table")?;
    let mut columns = None;
    if *cursor.peek() == Token::LParen && !matches!(cursor.peek_at(1), Token::RParen) {
        columns = Some(cursor.names("a column")?);
    } else if *cursor.peek() == Token::LParen {
        cursor.advance();
        cursor.advance();
        columns = Some(Vec::new());
    }
    let source = if cursor.eat(&["SET"]) {
        let (names, values) = set_source(cursor)?;
        columns = Some(names);
        InsertSource::Values(vec![values])
    } else if cursor.is(&["SELECT"]) {
        InsertSource::Select(Box::new(query::select(cursor)?))
    } else if cursor.eat(&["VALUES"]) || cursor.eat(&["VALUE"]) {
        InsertSource::Values(cursor.list(row)?)
    } else {
        return Err(cursor.unexpected("VALUES, SELECT or SET"));
    };
    let row_alias = if cursor.eat(&["AS"]) {
        Some(cursor.name("an alias")?.text)
    } else {
        None
    };
    let on_duplicate = if cursor.is(&["ON"]) {
        if replace {
            return Err(cursor.unexpected("the end of the statement"));
        }
        cursor.expect(&["ON", "DUPLICATE", "KEY", "UPDATE"])?;
        cursor.list(set_clause)?
    } else {
        Vec::new()
    };
    Ok(Insert {
        replace,
        ignore,
        table,
        columns,
        source,
        on_duplicate,
        row_alias,
    })
}

fn refuse_priority(cursor: &Cursor) -> Result<(), SqlError> {
    for word in ["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK"] {
        if cursor.is(&[word]) {
            return Err(cursor.unsupported(word, "leave it out; it decides no locks"));
        }
    }
    Ok(())
}

/// One row of VALUES.
fn row(cursor: &mut Cursor) -> Result<Vec<Option<Expr>>, SqlError> {
    cursor.eat(&["ROW"]);
    cursor.expect_token(&Token::LParen)?;
    if cursor.eat_token(&Token::RParen) {
        return Ok(Vec::new());
    }
    let row = cursor.list(value)?;
    cursor.expect_token(&Token::RParen)?;
    Ok(row)
}

/// An expression, or `None` for DEFAULT.
fn value(cursor: &mut Cursor) -> Result<Option<Expr>, SqlError> {
    if cursor.is(&["DEFAULT"]) && !matches!(cursor.peek_at(1), Token::LParen) {
        cursor.advance();
        return Ok(None);
    }
    expression(cursor).map(Some)
}

/// `SET a = 1, b = 2` of an INSERT, as columns and one row.
fn set_source(cursor: &mut Cursor) -> Result<(Vec<Name>, Vec<Option<Expr>>), SqlError> {
    let clauses = cursor.list(set_clause)?;
    Ok(clauses
        .into_iter()
        .map(|clause| (clause.column, clause.value))
        .unzip())
}

fn set_clause(cursor: &mut Cursor) -> Result<SetClause, SqlError> {
    let mut column = cursor.name("a column")?;
    let mut table = None;
    if cursor.eat_token(&Token::Period) {
        table = Some(std::mem::replace(&mut column, cursor.name("a column")?).text);
    }
    cursor.expect_token(&Token::Eq)?;
    let value = value(cursor)?;
    Ok(SetClause {
        table,
        column,
        value,
    })
}

/// Reads UPDATE.
pub(super) fn update(cursor: &mut Cursor) -> Result<Update, SqlError> {
    cursor.expect(&["UPDATE"])?;
    refuse_priority(cursor)?;
    let ignore = cursor.eat(&["IGNORE"]);
    let mut conditions = Vec::new();
    let tables = query::tables(cursor, &mut conditions)?;
    cursor.expect(&["SET"])?;
    let set = cursor.list(set_clause)?;
    if cursor.eat(&["WHERE"]) {
        conditions.push(expression(cursor)?);
    }
    let at_order = cursor.position();
    let order = query::order_by(cursor)?;
    let limit = query::limit(cursor)?;
    if tables.len() > 1 && (!order.is_empty() || limit.is_some()) {
        return Err(SqlError::unsupported(
            "ORDER BY and LIMIT in an UPDATE of several tables",
            Some(at_order),
            "MySQL refuses them too; update one table",
        ));
    }
    Ok(Update {
        ignore,
        tables,
        set,
        filter: query::all_of(conditions),
        order,
        limit,
    })
}

/// Reads DELETE.
pub(super) fn delete(cursor: &mut Cursor) -> Result<Delete, SqlError> {
    cursor.expect(&["DELETE"])?;
    refuse_priority(cursor)?;
    let ignore = cursor.eat(&["IGNORE"]);
    if !cursor.is(&["FROM"]) {
        return Err(cursor.unsupported(
            "DELETE from several tables",
            "delete from one table: DELETE FROM t WHERE ..",
        ));
    }
    cursor.expect(&["FROM"])?;
    let table = query::table(cursor)?;
    if *cursor.peek() == Token::Comma || cursor.is(&["USING"]) || cursor.is(&["JOIN"]) {
        return Err(cursor.unsupported(
            "DELETE from several tables",
            "delete from one table: DELETE FROM t WHERE ..",
        ));
    }
    let filter = if cursor.eat(&["WHERE"]) {
        Some(expression(cursor)?)
    } else {
        None
    };
    let order = query::order_by(cursor)?;
    let limit = query::limit(cursor)?;
    Ok(Delete {
        ignore,
        table,
        filter,
        order,
        limit,
    })
}
