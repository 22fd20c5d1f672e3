//! What should be there: tables as ordered maps, and every commit's version of them.

use std::collections::BTreeMap;

use gaplock_engine::{
    db::Engine,
    error::Error,
    row::{Access, LockStrength, NoFilter, Scan, ScanSpec, Step, WaitPolicy},
    table::Table,
    trx::{Isolation, Trx},
    types::Value,
};

/// A row's other columns: a number that is unique, and a text.
pub(crate) type Row = (i128, String);

/// A table: names of its indexes, and its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) indexes: Vec<String>,
    pub(crate) rows: BTreeMap<i128, Row>,
}

/// All tables.
pub(crate) type World = BTreeMap<String, Content>;

/// A change of one row: `None` takes it away.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) table: String,
    pub(crate) key: i128,
    pub(crate) row: Option<Row>,
}

pub(crate) fn apply(world: &mut World, changes: &[Change]) {
    for Change { table, key, row } in changes {
        // The table may have been dropped by a later definition that came to be first.
        let Some(content) = world.get_mut(table) else {
            continue;
        };
        match row {
            Some(row) => content.rows.insert(*key, row.clone()),
            None => content.rows.remove(key),
        };
    }
}

/// What a commit (or a change of definitions) has made.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) world: World,
    /// Calls to the disk before it was asked for.
    pub(crate) asked: u64,
    /// Calls to the disk when it was acknowledged.
    pub(crate) acknowledged: Option<u64>,
}

/// All versions, in the commits' order; the first one is that of no commit at all.
#[derive(Clone, Debug)]
pub(crate) struct History(pub(crate) Vec<Version>);

impl History {
    pub(crate) fn new() -> Self {
        Self(vec![Version {
            world: World::new(),
            asked: 0,
            acknowledged: Some(0),
        }])
    }

    pub(crate) fn last(&self) -> &World {
        &self.0[self.0.len() - 1].world
    }

    /// The versions that a crash before call `number` may leave (J2).
    pub(crate) fn possible(&self, number: u64) -> &[Version] {
        let acknowledged =
            |version: &Version| version.acknowledged.is_some_and(|calls| calls <= number);
        let first = self.0.iter().rposition(acknowledged).unwrap_or(0);
        let asked = self.0.iter().rposition(|version| version.asked <= number);
        &self.0[first..=asked.unwrap_or(0).max(first)]
    }

    /// J1 and J2: how many commits are there.
    pub(crate) fn judge(&self, number: u64, found: &World) -> Result<usize, String> {
        let possible = self.possible(number);
        if let Some(at) = possible.iter().position(|version| version.world == *found) {
            return Ok(at);
        }
        let other = self.0.iter().position(|version| version.world == *found);
        Err(match other {
            Some(other) => format!(
                "as after commit {other}, but {} were acknowledged and {} asked for",
                self.0.len() - possible.len(),
                self.0.len()
            ),
            None => format!(
                "as after none of the commits: {}",
                difference(&possible[possible.len() - 1].world, found)
            ),
        })
    }
}

fn difference(expected: &World, found: &World) -> String {
    let mut told = Vec::new();
    for name in expected.keys().chain(found.keys()) {
        let (here, there) = (expected.get(name), found.get(name));
        let (Some(here), Some(there)) = (here, there) else {
            told.push(format!("{name}: {} before", here.is_some()));
            continue;
        };
        if here.indexes != there.indexes {
            told.push(format!("{name}: {:?}, {:?}", here.indexes, there.indexes));
        }
        let short = |row: Option<&Row>| {
            row.map(|(number, text)| format!("{number} {}", &text[..text.len().min(12)]))
        };
        for key in here.rows.keys().chain(there.rows.keys()) {
            let (old, new) = (here.rows.get(key), there.rows.get(key));
            if old != new {
                told.push(format!("{name} {key}: {:?}, {:?}", short(old), short(new)));
            }
        }
    }
    told.truncate(8);
    told.join("; ")
}

/// Runs an operation to its end; scripts are such that nobody waits.
pub(crate) fn run<T>(
    engine: &Engine,
    trx: &mut Trx,
    mut step: impl FnMut(&Engine, &mut Trx) -> Result<Step<T>, Error>,
) -> Result<T, Error> {
    loop {
        match step(engine, trx)? {
            Step::Done(value) => return Ok(value),
            Step::Progress => {}
            Step::Wait => panic!("a script's transactions do not meet"),
        }
    }
}

/// Reads everything.
pub(crate) fn contents(engine: &Engine) -> Result<World, Error> {
    let mut world = World::new();
    for table in engine.tables() {
        let content = Content {
            indexes: table
                .indexes
                .iter()
                .map(|index| index.name.clone())
                .collect(),
            rows: rows(engine, &table)?,
        };
        world.insert(table.name.clone(), content);
    }
    Ok(world)
}

fn rows(engine: &Engine, table: &std::sync::Arc<Table>) -> Result<BTreeMap<i128, Row>, Error> {
    let mut scan = Scan::new(ScanSpec {
        table: table.clone(),
        index: 0,
        access: Access::Full { backward: false },
        lock: LockStrength::None,
        wait: WaitPolicy::Wait,
        covering: false,
        pushed: false,
        semi_consistent: false,
    });
    let mut trx = engine.begin(Isolation::RepeatableRead);
    let mut found = BTreeMap::new();
    while let Some(row) = run(engine, &mut trx, |engine, trx| {
        scan.step(engine, trx, &NoFilter)
    })? {
        let [Value::Int(key), Value::Int(number), Value::Text(text)] = &row.values[..] else {
            panic!("not a row of ours: {:?}", row.values);
        };
        found.insert(*key, (*number, text.clone()));
    }
    engine.commit(&mut trx)?;
    Ok(found)
}
