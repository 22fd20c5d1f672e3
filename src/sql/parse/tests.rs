//! What statements are read as, and where refusals point.

use super::parse;
use crate::sql::ast::{
    Control, Definition, Expr, HintKind, InsertSource, IsolationName, Literal, Select, Statement,
    VariableScope, WaitClause,
};
use crate::sql::error::ErrorKind;

fn select(sql: &str) -> Select {
    match parse(sql) {
        Ok(Statement::Select(select)) => *select,
        other => panic!("{sql}: {other:?}"),
    }
}

fn filter(condition: &str) -> String {
    select(&format!("SELECT * FROM t WHERE {condition}"))
        .filter
        .map(|filter| filter.to_string())
        .unwrap_or_default()
}

#[test]
fn precedence_is_mysqls() {
    for (condition, read) in [
        (
            "a = 1 OR b = 2 AND c = 3",
            "((a = 1) OR ((b = 2) AND (c = 3)))",
        ),
        ("NOT a = 1 AND b", "((NOT (a = 1)) AND b)"),
        ("a + 1 * 2 = -3", "((a + (1 * 2)) = -3)"),
        ("a BETWEEN 1 AND 2 AND b", "((a BETWEEN 1 AND 2) AND b)"),
        ("a NOT IN (1, 2)", "(a NOT IN (1, 2))"),
        (
            "a IS NOT NULL OR b LIKE 'x%'",
            "((a IS NOT NULL) OR (b LIKE 'x%'))",
        ),
        ("a <=> NULL", "(a <=> NULL)"),
        ("- a - b", "((-a) - b)"),
        ("a DIV 2 XOR b % 2", "((a DIV 2) XOR (b % 2))"),
    ] {
        assert_eq!(filter(condition), read, "{condition}");
    }
}

#[test]
fn locking_reads_and_hints() {
    let read = select(
        "SELECT id, t.* FROM t FORCE INDEX(PRIMARY, ka) WHERE id<=9 ORDER BY id DESC LIMIT 2, 5 FOR UPDATE SKIP LOCKED",
    );
    assert_eq!(read.from[0].hints[0].kind, HintKind::Force);
    assert_eq!(read.from[0].hints[0].indexes[0].text, "PRIMARY");
    assert!(read.order[0].descending);
    let limit = read.limit.expect("a limit");
    assert_eq!((limit.offset, limit.rows), (2, 5));
    let locking = read.locking.expect("a locking clause");
    assert!(locking.exclusive);
    assert_eq!(locking.wait, WaitClause::SkipLocked);
    assert!(
        !select("SELECT * FROM t LOCK IN SHARE MODE")
            .locking
            .expect("one")
            .exclusive
    );
}

#[test]
fn joins_put_their_conditions_into_the_filter() {
    let read = select("SELECT * FROM t a JOIN u AS b ON a.id = b.id WHERE a.v = 1");
    assert_eq!(read.from.len(), 2);
    assert_eq!(
        read.filter.expect("a filter").to_string(),
        "((a.id = b.id) AND (a.v = 1))"
    );
}

#[test]
fn inserts() {
    let Ok(Statement::Insert(insert)) = parse(
        "INSERT INTO t(a,b) VALUES (1, DEFAULT), (2, 'x') ON DUPLICATE KEY UPDATE b = VALUES(b)",
    ) else {
        panic!("an insert");
    };
    let InsertSource::Values(rows) = &insert.source else {
        panic!("rows");
    };
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0][1], None);
    assert_eq!(
        insert.on_duplicate[0].value.as_ref().map(Expr::to_string),
        Some("VALUES(b)".to_owned())
    );
    let Ok(Statement::Insert(replace)) = parse("REPLACE t SET a = 1;") else {
        panic!("a replace");
    };
    assert!(replace.replace);
    let Ok(Statement::Insert(copy)) =
        parse("INSERT IGNORE INTO u SELECT id+9,v FROM t WHERE id>=9")
    else {
        panic!("an insert");
    };
    assert!(copy.ignore && matches!(copy.source, InsertSource::Select(_)));
}

#[test]
fn control_statements() {
    assert_eq!(
        parse("START TRANSACTION WITH CONSISTENT SNAPSHOT"),
        Ok(Statement::Control(Control::Begin {
            consistent_snapshot: true
        }))
    );
    assert_eq!(
        parse("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"),
        Ok(Statement::Control(Control::SetIsolation {
            scope: VariableScope::Session,
            level: IsolationName::ReadCommitted
        }))
    );
    let Ok(Statement::Control(Control::SetVariables(set))) =
        parse("SET @@session.autocommit = OFF, innodb_lock_wait_timeout = 5")
    else {
        panic!("SET");
    };
    assert_eq!(set[0].variable.text, "autocommit");
    assert_eq!(set[1].value, Literal::Int(5));
    assert_eq!(
        parse("ROLLBACK TO s"),
        Ok(Statement::Control(Control::RollbackTo("s".to_owned())))
    );
}

#[test]
fn definitions() {
    let Ok(Statement::Definition(definition)) = parse(
        "CREATE TABLE chi(id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, pid BIGINT UNSIGNED DEFAULT 7, \
         n VARCHAR(20), KEY kp(pid), UNIQUE u (n), CONSTRAINT f1 FOREIGN KEY(pid) REFERENCES par(id) \
         ON DELETE CASCADE ON UPDATE SET NULL) ENGINE=InnoDB DEFAULT CHARSET=latin1",
    ) else {
        panic!("a definition");
    };
    let Definition::CreateTable(table) = *definition else {
        panic!("a table");
    };
    assert_eq!(table.columns.len(), 3);
    assert_eq!(table.keys.len(), 3);
    assert_eq!(table.foreign_keys.len(), 1);
    assert_eq!(table.charset.expect("a charset").text, "latin1");
}

#[test]
fn refusals_name_the_construct_and_the_place() {
    for (sql, construct, line, column) in [
        ("SELECT a FROM t GROUP BY a", "GROUP BY", 1, 17),
        ("SELECT a\n  FROM t LEFT JOIN u ON 1", "LEFT JOIN", 2, 10),
        (
            "SELECT * FROM (SELECT 1) x",
            "derived tables and nested joins",
            1,
            15,
        ),
        ("CREATE TABLE t (a JSON)", "the type JSON", 1, 19),
        ("UPDATE t SET a = @x", "user variables", 1, 18),
        ("WITH x AS (SELECT 1) SELECT 1", "WITH", 1, 1),
        ("SELECT 1; SELECT 2", "several statements in one text", 1, 9),
    ] {
        let error = parse(sql).expect_err(sql);
        assert_eq!(
            error.kind,
            ErrorKind::Unsupported {
                construct: construct.to_owned()
            },
            "{sql}"
        );
        let position = error.position.expect("a position");
        assert_eq!((position.line, position.column), (line, column), "{sql}");
        assert!(error.advice.is_some(), "{sql}");
    }
}

#[test]
fn syntax_errors_point_at_the_token() {
    for (sql, column) in [
        ("SELEC 1", 1),
        ("SELECT * FROM", 14),
        ("SELECT * FROM t WHERE id =", 27),
        ("INSERT INTO t VALUES (1", 24),
        ("UPDATE t SET a == 1", 16),
        ("SELECT 'abc", 8),
    ] {
        let error = parse(sql).expect_err(sql);
        assert_eq!(error.code(), 1064, "{sql}");
        assert_eq!(error.position.expect("a position").column, column, "{sql}");
    }
}

/// Deep nesting once could exhaust the stack: a text must never end the process.
#[test]
fn deep_nesting_is_refused() {
    let sql = format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(parse(&sql).expect_err("too deep").code(), 1235);
    let sql = format!("SELECT {}1", "NOT ".repeat(5000));
    assert_eq!(parse(&sql).expect_err("too deep").code(), 1235);
}

proptest::proptest! {
    /// Whatever the text, parsing answers.
    #[test]
    fn parsing_never_panics(words in proptest::collection::vec(
        proptest::sample::select(vec![
            "SELECT", "*", "FROM", "t", "WHERE", "id", "=", "1", "(", ")", ",", "AND", "INSERT",
            "INTO", "VALUES", "UPDATE", "SET", "'x", "'", "`", "LIMIT", "FOR", "CREATE", "TABLE",
            "INT", ";", "-", ".", "@@", "IN", "LIKE", "CASE", "WHEN", "END", "/*", "1.5e", "NOT",
        ]),
        0..24,
    )) {
        let _ = parse(&words.join(" "));
    }
}
