//! Statements about a case's tables.

use super::predicate::{self, Condition};
use super::shape::{Column, ColumnKind, Schema, Table};
use crate::lab::chance::Chance;

/// What the payload's column holds: one byte more is an error on some servers, and cut on others.
const LONGEST: u64 = 4000;

#[derive(Clone, Copy)]
enum Verb {
    Select,
    Insert,
    InsertIgnore,
    Upsert,
    Replace,
    InsertSelect,
    Update,
    Delete,
    SubqueryDelete,
}

/// A statement about one of the tables.
pub(super) fn statement(schema: &Schema, chance: &mut Chance) -> String {
    let at = chance.below(schema.tables.len() as u64) as usize;
    let table = &schema.tables[at];
    // The engine runs a subquery before the rows around it are read, where servers run it as they
    // come to need it: until that is the same, subqueries are rare here.
    let pair = u64::from(schema.tables.len() > 1 && chance.percent(10));
    let verb = chance.weighted(&[
        (30, Verb::Select),
        (16, Verb::Insert),
        (3, Verb::InsertIgnore),
        (6, Verb::Upsert),
        (4, Verb::Replace),
        (2, Verb::InsertSelect),
        (22, Verb::Update),
        (13, Verb::Delete),
        (2 * pair, Verb::SubqueryDelete),
    ]);
    match verb {
        Verb::Select => select(table, chance),
        Verb::Insert => insert("INSERT INTO", table, chance),
        Verb::InsertIgnore => insert("INSERT IGNORE INTO", table, chance),
        Verb::Upsert => upsert(table, chance),
        Verb::Replace => insert("REPLACE INTO", table, chance),
        Verb::InsertSelect => insert_select(table, chance),
        Verb::Update => update(table, chance),
        Verb::Delete => delete(table, chance),
        Verb::SubqueryDelete => by_subquery(&schema.tables[0], &schema.tables[1], chance),
    }
}

/// `FORCE INDEX`, so that it is clear which index is read; not always.
fn hint(table: &Table, condition: &Condition, chance: &mut Chance) -> String {
    let index = condition.index.map(|at| &table.indexes[at]);
    match index {
        Some(index) if chance.percent(65) => format!(" FORCE INDEX ({})", index.name),
        _ => String::new(),
    }
}

/// `ORDER BY` the condition's index, with a limit at times.
fn order(table: &Table, condition: &Condition, limited: bool, chance: &mut Chance) -> String {
    let Some(index) = condition.index.map(|at| &table.indexes[at]) else {
        return String::new();
    };
    if !chance.percent(14) {
        return String::new();
    }
    let direction = if chance.percent(60) { " DESC" } else { "" };
    let columns = index.columns.iter();
    let columns: Vec<String> = columns
        .map(|at| format!("{}{direction}", table.columns[*at].name))
        .collect();
    let limit = if limited || chance.percent(50) {
        format!(" LIMIT {}", chance.between(1, 2))
    } else {
        String::new()
    };
    format!(" ORDER BY {}{limit}", columns.join(","))
}

fn select(table: &Table, chance: &mut Chance) -> String {
    let condition = predicate::condition(table, chance);
    let columns = match condition.index {
        Some(at) if table.payload > 0 || chance.percent(20) => {
            // The index alone may do.
            table.columns[table.indexes[at].columns[0]].name
        }
        None if table.payload > 0 => "COUNT(*)",
        _ => "*",
    };
    let hint = hint(table, &condition, chance);
    let order = order(table, &condition, false, chance);
    let locks = chance.weighted(&[(55, " FOR UPDATE"), (30, " LOCK IN SHARE MODE"), (15, "")]);
    let Condition { sql, .. } = &condition;
    format!(
        "SELECT {columns} FROM {}{hint} WHERE {sql}{order}{locks}",
        table.name
    )
}

/// A row in parentheses; `counted` asks for the next number.
fn row(table: &Table, chance: &mut Chance) -> String {
    let mut values = Vec::new();
    for (at, column) in table.columns.iter().enumerate() {
        values.push(if table.counts && at == 0 {
            if chance.percent(60) {
                "NULL".to_owned()
            } else {
                chance.between(1, table.largest + 2).to_string()
            }
        } else {
            table.value(column, chance)
        });
    }
    format!("({})", values.join(","))
}

fn insert(verb: &str, table: &Table, chance: &mut Chance) -> String {
    let count = chance.weighted(&[(80, 1), (15, 2), (5, 3)]);
    let rows: Vec<String> = (0..count).map(|_| row(table, chance)).collect();
    format!("{verb} {} VALUES {}", table.name, rows.join(","))
}

fn upsert(table: &Table, chance: &mut Chance) -> String {
    let column = changeable(table, chance);
    let value = predicate::literal(table, &column, chance);
    format!(
        "{} ON DUPLICATE KEY UPDATE {}={value}",
        insert("INSERT INTO", table, chance),
        column.name
    )
}

/// A column to be changed: rarely the first one, on which rows hang.
fn changeable(table: &Table, chance: &mut Chance) -> Column {
    let first = u64::from(chance.percent(85));
    let last = table.columns.len() as u64 - 1;
    table.columns[chance.between(first.min(last), last) as usize]
}

fn insert_select(table: &Table, chance: &mut Chance) -> String {
    let condition = predicate::condition(table, chance);
    let columns: Vec<String> = table
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            if table.counts && at == 0 {
                return "NULL".to_owned();
            }
            match (at, column.kind) {
                (0, ColumnKind::Number) => format!("{}+{}", column.name, table.largest / 2),
                _ => column.name.to_owned(),
            }
        })
        .collect();
    format!(
        "INSERT INTO {} SELECT {} FROM {} WHERE {}",
        table.name,
        columns.join(","),
        table.name,
        condition.sql
    )
}

fn update(table: &Table, chance: &mut Chance) -> String {
    let condition = predicate::condition(table, chance);
    let hint = hint(table, &condition, chance);
    let column = changeable(table, chance);
    let relative = column.kind == ColumnKind::Number && chance.percent(20);
    let value = if relative {
        format!("{}+1", column.name)
    } else if column.kind == ColumnKind::Payload {
        // Longer than before, often: the row has to move.
        let longest = LONGEST.min(2 * table.payload);
        format!("REPEAT('w', {})", chance.between(1, longest))
    } else {
        table.value(&column, chance)
    };
    let order = order(table, &condition, true, chance);
    format!(
        "UPDATE {}{hint} SET {}={value} WHERE {}{order}",
        table.name, column.name, condition.sql
    )
}

fn delete(table: &Table, chance: &mut Chance) -> String {
    let condition = predicate::condition(table, chance);
    let order = order(table, &condition, true, chance);
    format!("DELETE FROM {} WHERE {}{order}", table.name, condition.sql)
}

/// Rows of the one table by those of the other.
fn by_subquery(parent: &Table, child: &Table, chance: &mut Chance) -> String {
    let condition = predicate::condition(parent, chance);
    format!(
        "DELETE FROM {} WHERE {} IN (SELECT {} FROM {} WHERE {})",
        child.name, child.columns[1].name, parent.columns[0].name, parent.name, condition.sql
    )
}
