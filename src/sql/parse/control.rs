//! Transactions, SET, LOCK TABLES, SHOW ENGINE INNODB STATUS.

use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::expression;
use crate::sql::ast::{
    Assignment, Control, Expr, IsolationName, Literal, Name, TableToLock, UnaryOperator,
    VariableScope,
};
use crate::sql::error::SqlError;

/// Reads such a statement, if the next word begins one.
pub(super) fn control(cursor: &mut Cursor) -> Result<Option<Control>, SqlError> {
    let control = if cursor.eat(&["BEGIN"]) {
        cursor.eat(&["WORK"]);
        Control::Begin {
            consistent_snapshot: false,
        }
    } else if cursor.eat(&["START", "TRANSACTION"]) {
        start_transaction(cursor)?
    } else if cursor.eat(&["COMMIT"]) {
        end_of_transaction(cursor)?;
        Control::Commit
    } else if cursor.eat(&["ROLLBACK"]) {
        cursor.eat(&["WORK"]);
        if cursor.eat(&["TO"]) {
            cursor.eat(&["SAVEPOINT"]);
            Control::RollbackTo(cursor.name("a savepoint")?.text)
        } else {
            end_of_transaction(cursor)?;
            Control::Rollback
        }
    } else if cursor.eat(&["SAVEPOINT"]) {
        Control::Savepoint(cursor.name("a savepoint")?.text)
    } else if cursor.eat(&["RELEASE", "SAVEPOINT"]) {
        Control::ReleaseSavepoint(cursor.name("a savepoint")?.text)
    } else if cursor.eat(&["SET"]) {
        set(cursor)?
    } else if cursor.eat(&["LOCK", "TABLES"]) || cursor.eat(&["LOCK", "TABLE"]) {
        Control::LockTables(cursor.list(table_to_lock)?)
    } else if cursor.eat(&["UNLOCK", "TABLES"]) || cursor.eat(&["UNLOCK", "TABLE"]) {
        Control::UnlockTables
    } else if cursor.eat(&["SHOW", "ENGINE", "INNODB", "STATUS"]) {
        Control::ShowEngineStatus
    } else {
        return Ok(None);
    };
    Ok(Some(control))
}

fn start_transaction(cursor: &mut Cursor) -> Result<Control, SqlError> {
    let mut consistent_snapshot = false;
    while cursor.at_name() || cursor.is(&["WITH"]) {
        if cursor.eat(&["WITH", "CONSISTENT", "SNAPSHOT"]) {
            consistent_snapshot = true;
        } else if !cursor.eat(&["READ", "WRITE"]) {
            if cursor.is(&["READ", "ONLY"]) {
                return Err(cursor.unsupported(
                    "START TRANSACTION READ ONLY",
                    "leave READ ONLY out; a transaction that only reads takes the same locks",
                ));
            }
            return Err(cursor.unexpected("WITH CONSISTENT SNAPSHOT"));
        }
        cursor.eat_token(&Token::Comma);
    }
    Ok(Control::Begin {
        consistent_snapshot,
    })
}

fn end_of_transaction(cursor: &mut Cursor) -> Result<(), SqlError> {
    cursor.eat(&["WORK"]);
    if cursor.is(&["AND", "CHAIN"]) || cursor.is(&["RELEASE"]) {
        return Err(cursor.unsupported(
            "AND CHAIN and RELEASE",
            "begin the next transaction with BEGIN",
        ));
    }
    cursor.eat(&["AND", "NO", "CHAIN"]);
    cursor.eat(&["NO", "RELEASE"]);
    Ok(())
}

fn table_to_lock(cursor: &mut Cursor) -> Result<TableToLock, SqlError> {
    let table = cursor.name("a table")?;
    if cursor.is(&["AS"]) {
        return Err(cursor.unsupported("LOCK TABLES with an alias", "lock the table by its name"));
    }
    let write = if cursor.eat(&["READ"]) {
        cursor.eat(&["LOCAL"]);
        false
    } else {
        cursor.eat(&["LOW_PRIORITY"]);
        cursor.expect(&["WRITE"])?;
        true
    };
    Ok(TableToLock { table, write })
}

fn set(cursor: &mut Cursor) -> Result<Control, SqlError> {
    let before = cursor.position();
    let scope = if cursor.is_word_at(1, "TRANSACTION") {
        scope_word(cursor)
    } else {
        None
    };
    if cursor.eat(&["TRANSACTION"]) {
        cursor.expect(&["ISOLATION", "LEVEL"])?;
        return Ok(Control::SetIsolation {
            scope: scope.unwrap_or(VariableScope::NextTransaction),
            level: isolation_level(cursor)?,
        });
    }
    if cursor.is(&["NAMES"]) || cursor.is(&["PASSWORD"]) || cursor.is(&["CHARACTER"]) {
        return Err(SqlError::unsupported(
            "SET NAMES and the like",
            Some(before),
            "texts are UTF-8 here; leave it out",
        ));
    }
    Ok(Control::SetVariables(cursor.list(assignment)?))
}

fn scope_word(cursor: &mut Cursor) -> Option<VariableScope> {
    if cursor.eat(&["SESSION"]) || cursor.eat(&["LOCAL"]) {
        Some(VariableScope::Session)
    } else if cursor.eat(&["GLOBAL"]) {
        Some(VariableScope::Global)
    } else {
        None
    }
}

fn isolation_level(cursor: &mut Cursor) -> Result<IsolationName, SqlError> {
    if cursor.eat(&["READ", "UNCOMMITTED"]) {
        Ok(IsolationName::ReadUncommitted)
    } else if cursor.eat(&["READ", "COMMITTED"]) {
        Ok(IsolationName::ReadCommitted)
    } else if cursor.eat(&["REPEATABLE", "READ"]) {
        Ok(IsolationName::RepeatableRead)
    } else if cursor.eat(&["SERIALIZABLE"]) {
        Ok(IsolationName::Serializable)
    } else {
        Err(cursor.unexpected("READ UNCOMMITTED, READ COMMITTED, REPEATABLE READ or SERIALIZABLE"))
    }
}

/// `[SESSION] name = value`, `@@session.name = value`, `@@name = value`.
fn assignment(cursor: &mut Cursor) -> Result<Assignment, SqlError> {
    let mut scope = scope_word(cursor).unwrap_or(VariableScope::Session);
    let mut variable = cursor.name("a variable")?;
    if let Some(name) = variable.text.strip_prefix("@@").map(str::to_lowercase) {
        variable.text = name;
        if cursor.eat_token(&Token::Period) {
            scope = match variable.text.as_str() {
                "global" => VariableScope::Global,
                _ => VariableScope::Session,
            };
            variable = cursor.name("a variable")?;
        }
    } else if variable.text.starts_with('@') {
        return Err(SqlError::unsupported(
            "user variables",
            Some(variable.position),
            "write the value into the statement",
        ));
    }
    variable.text = variable.text.to_lowercase();
    if !cursor.eat_token(&Token::Eq) {
        cursor.expect_token(&Token::Assignment)?;
    }
    let value = setting(cursor)?;
    Ok(Assignment {
        scope,
        variable,
        value,
    })
}

/// A literal, or a bare word such as ON.
fn setting(cursor: &mut Cursor) -> Result<Literal, SqlError> {
    if cursor.eat(&["ON"]) {
        return Ok(Literal::Text("ON".to_owned()));
    }
    if cursor.at_name() && !cursor.is(&["TRUE"]) && !cursor.is(&["FALSE"]) {
        let Name { text, .. } = cursor.name("a value")?;
        return Ok(Literal::Text(text));
    }
    let before = cursor.unexpected("a literal");
    match expression::expression(cursor)? {
        Expr::Literal(literal) => Ok(literal),
        Expr::Unary {
            operator: UnaryOperator::Minus,
            operand,
        } => match *operand {
            Expr::Literal(Literal::Int(number)) => Ok(Literal::Int(-number)),
            _ => Err(before),
        },
        _ => Err(before),
    }
}
