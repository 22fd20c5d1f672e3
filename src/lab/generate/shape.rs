//! Tables: their keys, and the rows that they begin with.

use std::collections::BTreeSet;

use crate::lab::chance::Chance;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnKind {
    /// INT, from 0 to the table's largest number.
    Number,
    /// VARCHAR(10), a letter.
    Letter,
    /// VARCHAR long enough that a few rows fill a page.
    Payload,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: ColumnKind,
    pub(super) nullable: bool,
}

/// An index; the first one of a table is its primary key if that is called `PRIMARY`.
#[derive(Clone, Debug)]
pub(super) struct Index {
    pub(super) name: &'static str,
    pub(super) unique: bool,
    /// Places of its columns.
    pub(super) columns: Vec<usize>,
}

/// A table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: Vec<Column>,
    pub(super) indexes: Vec<Index>,
    /// The first column numbers itself.
    pub(super) counts: bool,
    /// A foreign key's definition.
    foreign: Option<String>,
    /// Numbers are from 0 to this.
    pub(super) largest: u64,
    /// Rows it begins with.
    rows: u64,
    /// Bytes of a payload, at most.
    pub(super) payload: u64,
}

/// The tables of a case.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    /// A word for the case's name.
    pub(super) name: String,
    pub(super) tables: Vec<Table>,
}

/// The largest number in small tables.
const SMALL: u64 = 10;

/// Rows of one INSERT of the set-up.
const ROWS_AT_ONCE: usize = 40;

#[derive(Clone, Copy)]
enum Form {
    Primary,
    Composite,
    Keyless,
    UniqueAsPrimary,
    Letters,
    Counting,
    Family,
}

/// Tables that fit a page.
pub(super) fn small(chance: &mut Chance) -> Schema {
    let form = chance.weighted(&[
        (40, Form::Primary),
        (10, Form::Composite),
        (12, Form::Keyless),
        (6, Form::UniqueAsPrimary),
        (8, Form::Letters),
        (10, Form::Counting),
        (14, Form::Family),
    ]);
    match form {
        Form::Primary => plain("pk", chance),
        Form::Composite => composite(chance),
        Form::Keyless => keyless(chance),
        Form::UniqueAsPrimary => unique_as_primary(chance),
        Form::Letters => letters(chance),
        Form::Counting => counting(chance),
        Form::Family => family(chance),
    }
}

fn number(name: &'static str, nullable: bool) -> Column {
    Column {
        name,
        kind: ColumnKind::Number,
        nullable,
    }
}

fn primary(columns: &[usize]) -> Index {
    Index {
        name: "PRIMARY",
        unique: true,
        columns: columns.to_vec(),
    }
}

fn index(name: &'static str, unique: bool, columns: &[usize]) -> Index {
    Index {
        name,
        unique,
        columns: columns.to_vec(),
    }
}

/// Secondary indexes over the columns `a` and `b`, at these places.
fn secondary(a: usize, b: usize, chance: &mut Chance) -> Vec<Index> {
    let choices: &[&[Index]] = &[
        &[],
        &[index("ka", false, &[a])],
        &[index("ua", true, &[a])],
        &[index("ka", false, &[a]), index("kb", false, &[b])],
        &[index("ua", true, &[a]), index("kb", false, &[b])],
        &[index("ua", true, &[a]), index("ub", true, &[b])],
        &[index("kab", false, &[a, b])],
        &[index("uab", true, &[a, b])],
        &[index("ua", true, &[a]), index("kba", false, &[b, a])],
    ];
    let weights = [1, 4, 4, 2, 2, 2, 2, 2, 1];
    let weighted: Vec<(u64, &[Index])> = weights.into_iter().zip(choices.iter().copied()).collect();
    chance.weighted(&weighted).to_vec()
}

fn table(columns: Vec<Column>, indexes: Vec<Index>, chance: &mut Chance) -> Table {
    Table {
        name: "t",
        columns,
        indexes,
        counts: false,
        foreign: None,
        largest: SMALL,
        rows: chance.between(0, 6),
        payload: 0,
    }
}

fn schema(word: &str, tables: Vec<Table>) -> Schema {
    let mut name = word.to_owned();
    for index in tables.iter().flat_map(|table| &table.indexes) {
        if index.name != "PRIMARY" {
            name = format!("{name}_{}", index.name);
        }
    }
    Schema { name, tables }
}

fn plain(word: &str, chance: &mut Chance) -> Schema {
    let nullable = chance.percent(70);
    let columns = vec![
        number("id", false),
        number("a", nullable),
        number("b", true),
    ];
    let mut indexes = vec![primary(&[0])];
    indexes.extend(secondary(1, 2, chance));
    schema(word, vec![table(columns, indexes, chance)])
}

fn composite(chance: &mut Chance) -> Schema {
    let columns = vec![
        number("x", false),
        number("y", false),
        number("a", true),
        number("b", true),
    ];
    let mut indexes = vec![primary(&[0, 1])];
    indexes.extend(secondary(2, 3, chance));
    schema("xy", vec![table(columns, indexes, chance)])
}

fn keyless(chance: &mut Chance) -> Schema {
    let columns = vec![number("a", true), number("b", true)];
    let indexes = secondary(0, 1, chance);
    schema("nopk", vec![table(columns, indexes, chance)])
}

fn unique_as_primary(chance: &mut Chance) -> Schema {
    let columns = vec![number("a", false), number("b", true)];
    let mut indexes = vec![index("ua", true, &[0])];
    if chance.percent(50) {
        indexes.push(index("kb", false, &[1]));
    }
    schema("uniq", vec![table(columns, indexes, chance)])
}

fn letters(chance: &mut Chance) -> Schema {
    let letter = |name, nullable| Column {
        name,
        kind: ColumnKind::Letter,
        nullable,
    };
    let (columns, indexes) = if chance.percent(50) {
        let unique = chance.percent(50);
        let name = if unique { "us" } else { "ks" };
        (
            vec![number("id", false), letter("s", true), number("b", true)],
            vec![primary(&[0]), index(name, unique, &[1])],
        )
    } else {
        (
            vec![letter("s", false), number("b", true)],
            vec![primary(&[0]), index("kb", false, &[1])],
        )
    };
    schema("str", vec![table(columns, indexes, chance)])
}

fn counting(chance: &mut Chance) -> Schema {
    let mut schema = plain("ai", chance);
    schema.tables[0].counts = true;
    schema
}

fn family(chance: &mut Chance) -> Schema {
    let parent = Table {
        name: "p",
        ..table(
            vec![number("id", false), number("a", true)],
            vec![primary(&[0])],
            chance,
        )
    };
    let action = chance.weighted(&[
        (5, ""),
        (4, " ON DELETE CASCADE"),
        (2, " ON DELETE SET NULL"),
        (2, " ON UPDATE CASCADE"),
        (1, " ON DELETE CASCADE ON UPDATE CASCADE"),
    ]);
    let mut child = table(
        vec![number("id", false), number("pid", true), number("b", true)],
        vec![primary(&[0]), index("kp", false, &[1])],
        chance,
    );
    child.name = "c";
    child.foreign = Some(format!(
        "CONSTRAINT fk FOREIGN KEY (pid) REFERENCES p (id){action}"
    ));
    schema("fk", vec![parent, child])
}

/// One table whose rows fill pages.
pub(super) fn pages(chance: &mut Chance) -> Schema {
    let payload = Column {
        name: "v",
        kind: ColumnKind::Payload,
        nullable: true,
    };
    let columns = vec![number("id", false), number("a", true), payload];
    let mut indexes = vec![primary(&[0])];
    indexes.extend(
        chance
            .weighted(&[(3, None), (4, Some(("ka", false))), (2, Some(("ua", true)))])
            .map(|(name, unique)| index(name, unique, &[1])),
    );
    let (rows, length) = chance.weighted(&[
        (3, (12, 3000)),
        (3, (30, 1500)),
        (3, (60, 700)),
        (2, (150, 250)),
        (1, (400, 60)),
    ]);
    let mut table = table(columns, indexes, chance);
    table.rows = rows;
    table.largest = rows * 10;
    table.payload = length;
    schema("pages", vec![table])
}

impl Schema {
    /// The definitions, in an order that works.
    pub(super) fn definitions(&self) -> Vec<String> {
        self.tables.iter().map(Table::definition).collect()
    }

    /// INSERTs of the first rows.
    pub(super) fn rows(&self, chance: &mut Chance) -> Vec<String> {
        let mut parents: Vec<u64> = Vec::new();
        let mut inserts = Vec::new();
        for table in &self.tables {
            let rows = if table.payload > 0 {
                table.spread_rows(chance)
            } else {
                table.first_rows(&mut parents, chance)
            };
            for some in rows.chunks(ROWS_AT_ONCE) {
                inserts.push(format!(
                    "INSERT INTO {} VALUES {}",
                    table.name,
                    some.join(",")
                ));
            }
        }
        inserts
    }
}

impl Table {
    fn definition(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        for (at, column) in self.columns.iter().enumerate() {
            let kind = match column.kind {
                ColumnKind::Number => "INT".to_owned(),
                ColumnKind::Letter => "VARCHAR(10)".to_owned(),
                ColumnKind::Payload => "VARCHAR(4000)".to_owned(),
            };
            let null = if column.nullable { "" } else { " NOT NULL" };
            let counts = if self.counts && at == 0 {
                " AUTO_INCREMENT"
            } else {
                ""
            };
            parts.push(format!("{} {kind}{null}{counts}", column.name));
        }
        for index in &self.indexes {
            let columns: Vec<&str> = index
                .columns
                .iter()
                .map(|at| self.columns[*at].name)
                .collect();
            let columns = columns.join(",");
            parts.push(match (index.name, index.unique) {
                ("PRIMARY", _) => format!("PRIMARY KEY ({columns})"),
                (name, true) => format!("UNIQUE KEY {name} ({columns})"),
                (name, false) => format!("KEY {name} ({columns})"),
            });
        }
        parts.extend(self.foreign.clone());
        // One character set everywhere, so that rows have the same length everywhere.
        format!(
            "CREATE TABLE {} ({}) ENGINE=InnoDB DEFAULT CHARSET=latin1",
            self.name,
            parts.join(", ")
        )
    }

    /// Rows that break no unique key. The first table's primary keys become the second one's
    /// parents.
    fn first_rows(&self, parents: &mut Vec<u64>, chance: &mut Chance) -> Vec<String> {
        let mut taken: Vec<BTreeSet<Vec<String>>> = vec![BTreeSet::new(); self.indexes.len()];
        let mut rows = Vec::new();
        for _ in 0..self.rows {
            let values = self.values(parents, chance);
            let keys: Vec<Vec<String>> = self.indexes.iter().map(|i| key(i, &values)).collect();
            let collides = |(at, index): (usize, &Index)| {
                let null = keys[at].iter().any(|value| value == "NULL");
                index.unique && !null && taken[at].contains(&keys[at])
            };
            if self.indexes.iter().enumerate().any(collides) {
                continue;
            }
            for (at, key) in keys.into_iter().enumerate() {
                taken[at].insert(key);
            }
            rows.push(values);
        }
        if self.foreign.is_none() {
            parents.extend(rows.iter().filter_map(|row| row[0].parse::<u64>().ok()));
        }
        rows.iter()
            .map(|row| format!("({})", row.join(",")))
            .collect()
    }

    fn values(&self, parents: &[u64], chance: &mut Chance) -> Vec<String> {
        let mut values = Vec::new();
        for (at, column) in self.columns.iter().enumerate() {
            let refers = self.foreign.is_some() && at == 1;
            values.push(if refers {
                chance
                    .pick(parents)
                    .map_or("NULL".to_owned(), |id| id.to_string())
            } else if self.counts && at == 0 {
                // Zero would ask for the next number.
                chance.between(1, self.largest).to_string()
            } else {
                self.value(column, chance)
            });
        }
        values
    }

    /// A value for a column, as SQL.
    pub(super) fn value(&self, column: &Column, chance: &mut Chance) -> String {
        if column.nullable && chance.percent(8) {
            return "NULL".to_owned();
        }
        match column.kind {
            ColumnKind::Number => chance.below(self.largest + 1).to_string(),
            ColumnKind::Letter => letter(chance),
            ColumnKind::Payload => self.payload(chance),
        }
    }

    /// Text that takes room on a page.
    fn payload(&self, chance: &mut Chance) -> String {
        let length = chance.between(self.payload / 2, self.payload);
        let letter = chance.pick(&["x", "y", "z"]).unwrap_or("x");
        format!("REPEAT('{letter}', {length})")
    }

    /// Rows with primary keys ten apart, so that there is room between them.
    fn spread_rows(&self, chance: &mut Chance) -> Vec<String> {
        let row = |number: u64| {
            let payload = self.payload(chance);
            format!(
                "({},{},{payload})",
                number * 10,
                (number * 7) % self.rows * 10
            )
        };
        (1..=self.rows).map(row).collect()
    }
}

/// A letter as SQL; some in capitals, which compare as equal.
fn letter(chance: &mut Chance) -> String {
    let small = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let letter = chance.pick(&small).unwrap_or("a");
    if chance.percent(10) {
        format!("'{}'", letter.to_uppercase())
    } else {
        format!("'{letter}'")
    }
}

fn key(index: &Index, values: &[String]) -> Vec<String> {
    let columns = index.columns.iter();
    columns
        .map(|at| values[*at].to_lowercase())
        .map(|v| if v == "null" { "NULL".to_owned() } else { v })
        .collect()
}
