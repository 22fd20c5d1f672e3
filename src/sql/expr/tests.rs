//! Values of expressions, without tables.

use gaplock_engine::types::Value;

use super::Environment;
use crate::sql::ast::{SelectItem, Statement};
use crate::sql::bind::{Binder, Scope};
use crate::sql::error::SqlError;
use crate::sql::parse::parse;

fn value(text: &str) -> Result<Value, SqlError> {
    let Statement::Select(select) = parse(&format!("SELECT {text}"))? else {
        panic!("a SELECT");
    };
    let SelectItem::Expression { expression, .. } = &select.items[0] else {
        panic!("an expression");
    };
    let scope = Scope::default();
    let mut binder = Binder::new(&scope, "field list");
    binder.bind(expression)?.evaluate(&Environment::empty())
}

fn shown(text: &str) -> String {
    match value(text) {
        Ok(value) => value.to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn null_is_unknown() {
    for (text, result) in [
        ("NULL = NULL", "NULL"),
        ("NULL <=> NULL", "1"),
        ("NULL AND 0", "0"),
        ("NULL AND 1", "NULL"),
        ("NULL OR 1", "1"),
        ("NOT NULL", "NULL"),
        ("1 IN (2, NULL)", "NULL"),
        ("1 IN (1, NULL)", "1"),
        ("1 NOT IN (2, NULL)", "NULL"),
        ("NULL BETWEEN 1 AND 2", "NULL"),
        ("NULL IS NULL", "1"),
        ("1 + NULL", "NULL"),
        ("NULL XOR 1", "NULL"),
    ] {
        assert_eq!(shown(text), result, "{text}");
    }
}

#[test]
fn texts_and_numbers_compare_as_doubles() {
    for (text, result) in [
        ("'10' = 10", "1"),
        ("'10abc' = 10", "1"),
        ("'abc' = 0", "1"),
        ("'abc' = 'ABC'", "1"),
        ("'9' < '10'", "0"),
        ("'9' < 10", "1"),
        ("1.50 = 1.5", "1"),
        ("0.1 + 0.2 = 0.3", "1"),
        ("0 = -0e0", "1"),
    ] {
        assert_eq!(shown(text), result, "{text}");
    }
}

#[test]
fn arithmetic_is_exact_until_it_cannot_be() {
    for (text, result) in [
        ("7 / 2", "3.5000"),
        ("7 DIV 2", "3"),
        ("-7 % 3", "-1"),
        ("1 / 0", "NULL"),
        ("1 % 0", "NULL"),
        ("1.25 * 4", "5.00"),
        ("2 - 3", "-1"),
        ("1e0 + 1", "2"),
        (
            "18446744073709551615 + 1",
            "BIGINT value is out of range in '(18446744073709551615 + 1)'",
        ),
    ] {
        assert_eq!(shown(text), result, "{text}");
    }
}

#[test]
fn functions() {
    for (text, result) in [
        ("IF(1 > 2, 'a', 'b')", "'b'"),
        ("IFNULL(NULL, 3)", "3"),
        ("COALESCE(NULL, NULL, 4)", "4"),
        ("CONCAT('a', 1, 'b')", "'a1b'"),
        ("CONCAT('a', NULL)", "NULL"),
        ("LENGTH('abc')", "3"),
        ("REPEAT('ab', 3)", "'ababab'"),
        ("ABS(-4)", "4"),
        ("MOD(7, 3)", "1"),
        ("GREATEST(1, 3, 2)", "3"),
        ("LEAST('b', 'a')", "'a'"),
        ("NULLIF(1, 1)", "NULL"),
        ("CASE 2 WHEN 1 THEN 'one' WHEN 2 THEN 'two' END", "'two'"),
        ("CASE WHEN 0 THEN 1 END", "NULL"),
        ("'abc' LIKE 'A%'", "1"),
        ("'abc' LIKE '_b_'", "1"),
        ("'a%c' LIKE 'a\\%c'", "1"),
        ("'abc' NOT LIKE '%d%'", "1"),
    ] {
        assert_eq!(shown(text), result, "{text}");
    }
}

#[test]
fn what_is_not_there_says_so() {
    assert_eq!(value("SLEEP(1)").expect_err("no SLEEP").code(), 1235);
    assert_eq!(value("ABS(1, 2)").expect_err("one argument").code(), 1582);
    let unknown = value("1 + x").expect_err("no such column");
    assert_eq!(unknown.code(), 1054);
    assert_eq!(unknown.position.expect("a position").column, 12);
    assert_eq!(
        value("COUNT(1)").expect_err("no aggregate here").code(),
        1111
    );
}

proptest::proptest! {
    /// LIKE agrees with the obvious recursion.
    #[test]
    fn like_agrees_with_a_model(text in "[ab]{0,8}", pattern in "[ab_%]{0,8}") {
        fn model(text: &[u8], pattern: &[u8]) -> bool {
            match (text, pattern) {
                (_, [b'%', rest @ ..]) => {
                    (0..=text.len()).any(|taken| model(&text[taken..], rest))
                }
                ([_, text @ ..], [b'_', rest @ ..]) => model(text, rest),
                ([a, text @ ..], [b, rest @ ..]) => a == b && model(text, rest),
                ([], []) => true,
                _ => false,
            }
        }
        let collation = gaplock_engine::types::Collation::Utf8Mb4NoPad;
        proptest::prop_assert_eq!(
            super::like(&text, &pattern, collation),
            model(text.as_bytes(), pattern.as_bytes())
        );
    }
}
