//! Plans of small tables.

use std::sync::Arc;

use gaplock_engine::profile;
use gaplock_engine::types::{Collation, ColumnType, Value};

use super::{
    ColumnShape, IndexShape, KeyRange, Plan, Purpose, Request, RequestTable, Statistics,
    TableShape, explain, plan,
};
use crate::sql::ast::{Definition, Expr, InsertSource, KeyKind, Statement, TypeName};
use crate::sql::bind::{self, Catalog, Query};
use crate::sql::expr::{Environment, compare};
use crate::sql::parse::parse;

/// Tables with their rows, without an engine.
#[derive(Default)]
struct Tables {
    tables: Vec<(Arc<TableShape>, Vec<Vec<Value>>)>,
}

impl Catalog for Tables {
    fn shape(&self, _schema: Option<&str>, name: &str) -> Option<Arc<TableShape>> {
        let found = self.tables.iter().find(|(shape, _)| shape.name == name);
        found.map(|(shape, _)| Arc::clone(shape))
    }
}

impl Tables {
    fn rows(&self, table: &TableShape) -> &[Vec<Value>] {
        let found = self
            .tables
            .iter()
            .find(|(shape, _)| shape.name == table.name);
        found.map_or(&[], |(_, rows)| rows)
    }
}

impl Statistics for Tables {
    fn row_count(&self, table: &TableShape) -> u64 {
        self.rows(table).len() as u64
    }

    fn records_in_range(&self, table: &TableShape, index: usize, range: &KeyRange) -> u64 {
        let columns = &table.indexes[index].all_columns;
        let order = |row: &[Value], key: &[Value]| {
            columns
                .iter()
                .zip(key)
                .fold(std::cmp::Ordering::Equal, |order, (column, key)| {
                    let value = &row[*column];
                    order.then_with(|| match (value.is_null(), key.is_null()) {
                        (true, true) => std::cmp::Ordering::Equal,
                        (true, false) => std::cmp::Ordering::Less,
                        (false, true) => std::cmp::Ordering::Greater,
                        _ => compare(value, key, Collation::Latin1).expect("not NULL"),
                    })
                })
        };
        let inside = |row: &&Vec<Value>| {
            let above = match &range.lower {
                std::ops::Bound::Included(key) => order(row, key).is_ge(),
                std::ops::Bound::Excluded(key) => order(row, key).is_gt(),
                std::ops::Bound::Unbounded => true,
            };
            let below = match &range.upper {
                std::ops::Bound::Included(key) => order(row, key).is_le(),
                std::ops::Bound::Excluded(key) => order(row, key).is_lt(),
                std::ops::Bound::Unbounded => true,
            };
            above && below
        };
        self.rows(table).iter().filter(inside).count() as u64
    }
}

fn literal(expr: &Option<Expr>) -> Value {
    match expr {
        Some(Expr::Literal(literal)) => bind::value(literal),
        None => Value::Null,
        other => panic!("a literal, not {other:?}"),
    }
}

impl Tables {
    /// Runs CREATE TABLE and INSERT of literals.
    fn run(&mut self, sql: &str) {
        match parse(sql).expect(sql) {
            Statement::Definition(definition) => {
                let Definition::CreateTable(table) = *definition else {
                    panic!("{sql}");
                };
                self.create(&table);
            }
            Statement::Insert(insert) => {
                let InsertSource::Values(values) = &insert.source else {
                    panic!("{sql}");
                };
                let bound = bind::insert(&insert, self).expect(sql);
                let found = self
                    .tables
                    .iter_mut()
                    .find(|(shape, _)| shape.name == insert.table.text)
                    .expect("a table");
                let width = found.0.columns.len();
                let next = found.1.len() as i128 + 1;
                for given in values {
                    let mut row = vec![Value::Int(next); width];
                    for (column, value) in bound.columns.iter().zip(given) {
                        row[*column] = literal(value);
                    }
                    found.1.push(row);
                }
            }
            _ => {}
        }
    }

    fn create(&mut self, table: &crate::sql::ast::CreateTable) {
        let position = |name: &str| {
            let found = table
                .columns
                .iter()
                .position(|column| column.name.text == name);
            found.expect("a column")
        };
        let mut primary = Vec::new();
        let mut secondary = Vec::new();
        for key in &table.keys {
            let columns: Vec<usize> = key
                .columns
                .iter()
                .map(|name| position(&name.text))
                .collect();
            if key.kind == KeyKind::Primary {
                primary = columns;
            } else {
                let name = key.name.as_ref().map_or("k", |name| &name.text);
                secondary.push((name.to_owned(), columns, key.kind == KeyKind::Unique));
            }
        }
        let columns = table
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| ColumnShape {
                name: column.name.text.clone(),
                column_type: match column.column_type {
                    TypeName::Int { bytes, unsigned } => ColumnType::Int { bytes, unsigned },
                    TypeName::VarChar(characters) => ColumnType::VarChar {
                        characters,
                        collation: Collation::Latin1,
                    },
                    other => panic!("{other:?}"),
                },
                nullable: !column.not_null && !primary.contains(&at),
            })
            .collect();
        let name = if primary.is_empty() {
            "GEN_CLUST_INDEX"
        } else {
            "PRIMARY"
        };
        let mut indexes = vec![IndexShape {
            name: name.to_owned(),
            columns: primary.clone(),
            all_columns: primary.clone(),
            unique: true,
            clustered: true,
        }];
        for (name, columns, unique) in secondary {
            let mut all_columns = columns.clone();
            all_columns.extend(primary.iter().filter(|column| !columns.contains(column)));
            indexes.push(IndexShape {
                name,
                columns,
                all_columns,
                unique,
                clustered: false,
            });
        }
        let shape = TableShape {
            name: table.table.text.clone(),
            columns,
            indexes,
        };
        self.tables.push((Arc::new(shape), Vec::new()));
    }

    /// EXPLAIN as rows of text, without the row count.
    fn explained(&self, sql: &str, profile_name: &str) -> Vec<String> {
        let (query, purpose) = match parse(sql).expect(sql) {
            Statement::Select(select) => {
                (bind::select(&select, self).expect(sql).query, Purpose::Read)
            }
            Statement::Update(update) => {
                let bound = bind::update(&update, self).expect(sql);
                let set = bound.set.iter().map(|(place, _)| place.column).collect();
                let one = bound.query.tables.len() == 1;
                (
                    bound.query,
                    if one {
                        Purpose::Update(set)
                    } else {
                        Purpose::Read
                    },
                )
            }
            Statement::Delete(delete) => (
                bind::delete(&delete, self).expect(sql).query,
                Purpose::Delete,
            ),
            Statement::Insert(insert) => match insert.source {
                InsertSource::Select(select) => {
                    (bind::select(&select, self).expect(sql).query, Purpose::Read)
                }
                InsertSource::Values(_) => panic!("{sql}"),
            },
            other => panic!("{other:?}"),
        };
        self.plan(&query, purpose, profile_name)
    }

    fn plan(&self, query: &Query, purpose: Purpose, profile_name: &str) -> Vec<String> {
        let profile = profile::find(profile_name).expect("a profile");
        let subqueries = vec![
            crate::sql::expr::SubqueryResult {
                values: vec![Value::Int(7)]
            };
            query.subqueries.len()
        ];
        let request = Request {
            tables: query
                .tables
                .iter()
                .map(|table| RequestTable {
                    name: &table.shape.name,
                    shape: &table.shape,
                    hints: &table.hints,
                    needed: table.needed.clone(),
                })
                .collect(),
            conditions: query.conditions.clone(),
            order: query.order.clone(),
            limit: query.limit.map(|limit| limit.rows + limit.offset),
            purpose,
            constants: Environment {
                subqueries: &subqueries,
                ..Environment::empty()
            },
            statistics: self,
            profile: &profile,
            forced: &[],
        };
        let plan: Plan = plan(&request).expect("a plan");
        explain(&request, &plan)
            .iter()
            .map(|row| {
                let shown: Vec<String> = row
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| *at != 5)
                    .map(|(_, value)| match value {
                        Value::Null => "-".to_owned(),
                        Value::Text(text) => text.clone(),
                        other => other.to_string(),
                    })
                    .collect();
                shown.join(" | ")
            })
            .collect()
    }
}

fn tables() -> Tables {
    let mut tables = Tables::default();
    tables.run("CREATE TABLE t(id INT PRIMARY KEY,a INT,b INT,c INT,UNIQUE KEY ua(a),KEY kb(b))");
    for id in 0..100 {
        tables.run(&format!("INSERT INTO t VALUES({id},{id},{},{id})", id % 10));
    }
    tables.run("CREATE TABLE u(id INT PRIMARY KEY,t_id INT,s VARCHAR(20),KEY kt(t_id),KEY ks(s))");
    for id in 0..50 {
        tables.run(&format!("INSERT INTO u VALUES({id},{id},'s{id}')"));
    }
    tables
}

/// Statements on the tables above, with what EXPLAIN says of them.
const PLANS: &[(&str, &str)] = &[
    (
        "SELECT * FROM t WHERE id=5 FOR UPDATE",
        "t | const | PRIMARY | 4 | const | ",
    ),
    (
        "SELECT a FROM t WHERE a=5",
        "t | const | ua | 5 | const | Using index",
    ),
    (
        "SELECT * FROM t WHERE a IS NULL",
        "t | ref | ua | 5 | const | Using index condition",
    ),
    ("SELECT * FROM t WHERE b=5", "t | ref | kb | 5 | const | "),
    (
        "SELECT * FROM t WHERE b=5 AND c=1",
        "t | ref | kb | 5 | const | Using where",
    ),
    (
        "SELECT * FROM t WHERE b=5 AND id>50",
        "t | range | kb | 9 | - | Using index condition",
    ),
    (
        "SELECT * FROM t WHERE id>=90",
        "t | range | PRIMARY | 4 | - | Using where",
    ),
    (
        "SELECT * FROM t WHERE id IN (1,2)",
        "t | range | PRIMARY | 4 | - | Using where",
    ),
    (
        "SELECT * FROM t WHERE c=5",
        "t | ALL | - | - | - | Using where",
    ),
    (
        "SELECT * FROM t WHERE b>0",
        "t | ALL | - | - | - | Using where",
    ),
    (
        "SELECT * FROM t ORDER BY id DESC LIMIT 1",
        "t | index | PRIMARY | 4 | - | Backward index scan",
    ),
    (
        "SELECT * FROM t ORDER BY c",
        "t | ALL | - | - | - | Using filesort",
    ),
    (
        "SELECT COUNT(*) FROM t",
        "t | index | ua | 5 | - | Using index",
    ),
    (
        "SELECT * FROM t WHERE id=1 AND id=2",
        "- | - | - | - | - | Impossible WHERE",
    ),
    (
        "SELECT * FROM t WHERE 1=0",
        "- | - | - | - | - | Impossible WHERE",
    ),
    ("SELECT 1", "- | - | - | - | - | No tables used"),
    (
        "UPDATE t SET c=1 WHERE id=5",
        "t | range | PRIMARY | 4 | - | Using where",
    ),
    (
        "UPDATE t SET b=1 WHERE b=5",
        "t | range | kb | 5 | - | Using where; Using temporary",
    ),
    (
        "UPDATE t SET c=1 WHERE c=5",
        "t | index | PRIMARY | 4 | - | Using where",
    ),
    (
        "DELETE FROM t WHERE c=5",
        "t | ALL | - | - | - | Using where",
    ),
    (
        "DELETE FROM t ORDER BY c LIMIT 1",
        "t | ALL | - | - | - | Using filesort",
    ),
    (
        "SELECT * FROM u WHERE s='s7'",
        "u | ref | ks | 23 | const | ",
    ),
    (
        "SELECT * FROM u WHERE s=7",
        "u | ALL | - | - | - | Using where",
    ),
    (
        "SELECT * FROM u WHERE s LIKE 's7%'",
        "u | range | ks | 23 | - | Using index condition",
    ),
    (
        "SELECT * FROM u IGNORE INDEX(ks) WHERE s='s7'",
        "u | ALL | - | - | - | Using where",
    ),
];

#[test]
fn plans_are_mysqls() {
    let tables = tables();
    for (sql, explained) in PLANS {
        assert_eq!(tables.explained(sql, "mysql-9.7"), [*explained], "{sql}");
    }
}

#[test]
fn joins_read_const_tables_first_and_follow_keys() {
    let tables = tables();
    assert_eq!(
        tables.explained(
            "SELECT * FROM u, t WHERE u.t_id=t.id AND u.id=3",
            "mysql-9.7"
        ),
        [
            "u | const | PRIMARY | 4 | const | ",
            "t | eq_ref | PRIMARY | 4 | column | "
        ]
    );
    assert_eq!(
        tables.explained(
            "SELECT * FROM t JOIN u ON t.id=u.t_id WHERE u.s='s3'",
            "mysql-5.6"
        ),
        [
            "u | ref | ks | 23 | const | ",
            "t | eq_ref | PRIMARY | 4 | column | "
        ]
    );
}

#[test]
fn a_hint_that_names_no_key_says_which_there_are() {
    let tables = tables();
    let Ok(Statement::Select(select)) = parse("SELECT * FROM t FORCE INDEX(nix) WHERE id=1") else {
        panic!("a SELECT");
    };
    let query = bind::select(&select, &tables).expect("bound").query;
    let table = RequestTable {
        name: "t",
        shape: &query.tables[0].shape,
        hints: &query.tables[0].hints,
        needed: Vec::new(),
    };
    let profile = profile::find("mysql-9.7").expect("a profile");
    let error = plan(&Request {
        tables: vec![table],
        conditions: Vec::new(),
        order: Vec::new(),
        limit: None,
        purpose: Purpose::Read,
        constants: Environment::empty(),
        statistics: &tables,
        profile: &profile,
        forced: &[],
    })
    .expect_err("no such key");
    assert_eq!(error.code(), 1176);
    assert_eq!(
        error.advice.as_deref(),
        Some("the keys are PRIMARY, ua, kb")
    );
}
