//! From text to [`ast`](super::ast): one recursive descent over `sqlparser`'s MySQL tokens.
//!
//! The tokens (quotes, escapes, comments, numbers, and where each stands) are `sqlparser`'s. The
//! grammar is ours, for three reasons: half of what decides locks is MySQL's own (index hints,
//! `LOCK IN SHARE MODE`, `REPLACE`, `ON DUPLICATE KEY UPDATE`, table options), every refusal has to
//! name its construct with line, column and advice, and one grammar is easier to trust than a
//! general one with exceptions bolted on.

mod control;
mod cursor;
mod definition;
mod expression;
mod query;
mod write;

use cursor::Cursor;

use super::ast::{Expr, Statement};
use super::error::SqlError;

/// Reads one statement; a semicolon at its end may stand or not.
///
/// # Errors
/// [`ErrorKind::Syntax`](super::error::ErrorKind::Syntax) and
/// [`ErrorKind::Unsupported`](super::error::ErrorKind::Unsupported), with the place.
pub fn parse(sql: &str) -> Result<Statement, SqlError> {
    let mut cursor = Cursor::new(sql)?;
    let statement = statement(&mut cursor)?;
    cursor.end()?;
    Ok(statement)
}

/// Reads an expression by itself, as a column's default is kept.
///
/// # Errors
/// As [`parse`].
pub(crate) fn expression_text(text: &str) -> Result<Expr, SqlError> {
    let mut cursor = Cursor::new(text)?;
    let expression = expression::expression(&mut cursor)?;
    cursor.end()?;
    Ok(expression)
}

fn statement(cursor: &mut Cursor) -> Result<Statement, SqlError> {
    if cursor.is(&["SELECT"]) {
        return Ok(Statement::Select(Box::new(query::select(cursor)?)));
    }
    if cursor.is(&["INSERT"]) || cursor.is(&["REPLACE"]) {
        return Ok(Statement::Insert(Box::new(write::insert(cursor)?)));
    }
    if cursor.is(&["UPDATE"]) {
        return Ok(Statement::Update(Box::new(write::update(cursor)?)));
    }
    if cursor.is(&["DELETE"]) {
        return Ok(Statement::Delete(Box::new(write::delete(cursor)?)));
    }
    if cursor.eat(&["EXPLAIN"]) || cursor.eat(&["DESCRIBE"]) {
        return explained(cursor);
    }
    if let Some(definition) = definition::definition(cursor)? {
        return Ok(Statement::Definition(Box::new(definition)));
    }
    if let Some(control) = control::control(cursor)? {
        return Ok(Statement::Control(control));
    }
    Err(refused(cursor))
}

fn explained(cursor: &mut Cursor) -> Result<Statement, SqlError> {
    let explainable = ["SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE"];
    if !explainable.iter().any(|word| cursor.is(&[word])) {
        return Err(cursor.unsupported(
            "EXPLAIN with options, or of this kind of statement",
            "write EXPLAIN and a SELECT, INSERT, REPLACE, UPDATE or DELETE",
        ));
    }
    Ok(Statement::Explain(Box::new(statement(cursor)?)))
}

/// The error for a statement that begins with a word of SQL which is not here.
fn refused(cursor: &Cursor) -> SqlError {
    let known: &[(&str, &str)] = &[
        ("WITH", "use a subquery in WHERE"),
        ("CALL", "write the procedure's statements out"),
        ("LOAD", "use INSERT"),
        ("GRANT", "there are no accounts here"),
        ("REVOKE", "there are no accounts here"),
        ("USE", "there is one schema; leave it out"),
        ("ANALYZE", "statistics are always exact here"),
        ("OPTIMIZE", "there is nothing to optimize here"),
        ("FLUSH", "there is nothing to flush here"),
        ("XA", "use BEGIN and COMMIT"),
        ("PREPARE", "give the statement itself"),
        ("EXECUTE", "give the statement itself"),
        ("RENAME", "create the table under the other name"),
        (
            "SHOW",
            "SHOW ENGINE INNODB STATUS is there, and performance_schema.data_locks",
        ),
        ("KILL", "end the session instead"),
        ("DO", "use SELECT"),
        ("HANDLER", "use SELECT with FORCE INDEX"),
    ];
    for (word, advice) in known {
        if cursor.is(&[word]) {
            return cursor.unsupported(word, advice);
        }
    }
    cursor.unexpected("a statement")
}

#[cfg(test)]
mod tests;
