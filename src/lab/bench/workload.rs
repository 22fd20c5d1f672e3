//! What clients do: loads that stress locks in different ways, as lists of row operations.

use std::sync::Arc;

use gaplock_engine::db::Engine;
use gaplock_engine::error::Error;
use gaplock_engine::row::{DuplicateMode, Insert, Step};
use gaplock_engine::table::{Column, Table, TableSpec};
use gaplock_engine::trx::Isolation;
use gaplock_engine::types::{ColumnType, Value};

use crate::lab::chance::Chance;

/// One row operation of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Reads a row under a shared lock.
    Share(i128),
    /// Reads a row under an exclusive lock.
    Lock(i128),
    /// Adds one to a row.
    Update(i128),
    /// Inserts the row of that key.
    Insert(i128),
    /// Takes the first row at or above that key which nobody has locked, and adds one to it.
    Claim(i128),
}

/// A kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Everybody adds to one row.
    HotRow,
    /// Eight rows, half of them for writing, by a zipfian law (0.8) over 5,000.
    Zipfian,
    /// Four of sixteen rows in random order, for writing.
    DeadlockStorm,
    /// Claims of work items, past those that others have claimed.
    QueueClaim,
    /// Insertions at the end of the table.
    InsertTail,
    /// Transfers between two of a thousand accounts.
    Transfers,
    /// Orders and payments as TPC-C has them, with two warehouses.
    Orders,
}

/// Rows of the zipfian load.
const ZIPF_ROWS: u64 = 5_000;

/// Where each of [`Workload::Orders`]' tables begins: they share one.
const DISTRICTS: i128 = 1_000;
const CUSTOMERS: i128 = 2_000;
const STOCK: i128 = 10_000;
const STOCK_ROWS: u64 = 2_000;
const WAREHOUSES: u64 = 2;

/// Where new rows begin.
const NEW_ROWS: i128 = 1_000_000;

impl Workload {
    /// All, by name.
    pub const ALL: [(&'static str, Workload); 7] = [
        ("hot-row", Workload::HotRow),
        ("zipfian", Workload::Zipfian),
        ("deadlock-storm", Workload::DeadlockStorm),
        ("queue-claim", Workload::QueueClaim),
        ("insert-tail", Workload::InsertTail),
        ("transfers", Workload::Transfers),
        ("orders", Workload::Orders),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, workload)| *workload == self);
        found.map_or("", |(name, _)| name)
    }

    /// The load of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<Workload> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|&(_, workload)| workload)
    }

    /// The keys that are there at the beginning.
    fn keys(self) -> Vec<i128> {
        let range = |first: i128, count: u64| (0..i128::from(count)).map(move |at| first + at);
        match self {
            Workload::HotRow => vec![1],
            Workload::Zipfian => range(0, ZIPF_ROWS).collect(),
            Workload::DeadlockStorm => range(0, 16).collect(),
            Workload::QueueClaim => range(0, 500).collect(),
            Workload::InsertTail => vec![0],
            Workload::Transfers => range(0, 1_000).collect(),
            Workload::Orders => range(0, WAREHOUSES)
                .chain(range(DISTRICTS, 10 * WAREHOUSES))
                .chain(range(CUSTOMERS, 300 * WAREHOUSES))
                .chain(range(STOCK, STOCK_ROWS))
                .collect(),
        }
    }

    /// The next transaction of a client. `new_key` is a key that nobody has had.
    #[must_use]
    pub(super) fn transaction(self, dice: &mut Chance, zipf: &Zipf, new_key: i128) -> Vec<Op> {
        let below = |dice: &mut Chance, count: u64| i128::from(dice.below(count));
        match self {
            Workload::HotRow => vec![Op::Update(1)],
            Workload::Zipfian => (0..8)
                .map(|_| {
                    let key = zipf.draw(dice);
                    match dice.below(2) {
                        0 => Op::Share(key),
                        _ => Op::Update(key),
                    }
                })
                .collect(),
            Workload::DeadlockStorm => (0..4).map(|_| Op::Lock(below(dice, 16))).collect(),
            Workload::QueueClaim => vec![Op::Claim(0)],
            Workload::InsertTail => vec![Op::Insert(NEW_ROWS + new_key)],
            Workload::Transfers => {
                let from = below(dice, 1_000);
                let to = (from + 1 + below(dice, 999)) % 1_000;
                vec![Op::Update(from), Op::Update(to)]
            }
            Workload::Orders => orders(dice, new_key),
        }
    }
}

/// A new order, or as often a payment.
fn orders(dice: &mut Chance, new_key: i128) -> Vec<Op> {
    let warehouse = i128::from(dice.below(WAREHOUSES));
    let district = DISTRICTS + warehouse * 10 + i128::from(dice.below(10));
    let customer = CUSTOMERS + warehouse * 300 + i128::from(dice.below(300));
    if dice.below(2) == 0 {
        return vec![
            Op::Update(warehouse),
            Op::Update(district),
            Op::Update(customer),
            Op::Insert(NEW_ROWS + new_key),
        ];
    }
    let mut ops = vec![
        Op::Share(warehouse),
        Op::Update(district),
        Op::Share(customer),
    ];
    let lines = 5 + dice.below(11);
    ops.extend((0..lines).map(|_| Op::Update(STOCK + i128::from(dice.below(STOCK_ROWS)))));
    ops.push(Op::Insert(NEW_ROWS + new_key));
    ops
}

/// Numbers below a bound, small ones more often, by Zipf's law with exponent 0.8.
#[derive(Clone, Debug)]
pub(super) struct Zipf {
    /// The probability that a number is no greater, in parts of 2^32.
    cumulative: Vec<u64>,
}

impl Default for Zipf {
    fn default() -> Self {
        let weight = |rank: u64| (rank as f64).powf(-0.8);
        let total: f64 = (1..=ZIPF_ROWS).map(weight).sum();
        let mut sum = 0.0;
        let cumulative = (1..=ZIPF_ROWS).map(|rank| {
            sum += weight(rank) / total;
            (sum * 4_294_967_296.0) as u64
        });
        Zipf {
            cumulative: cumulative.collect(),
        }
    }
}

impl Zipf {
    fn draw(&self, dice: &mut Chance) -> i128 {
        let drawn = dice.below(1 << 32);
        let rank = self.cumulative.partition_point(|&up_to| up_to <= drawn);
        // Neighbouring ranks lie apart, as popular rows do.
        let rows = i128::from(ZIPF_ROWS);
        (rank.min(ZIPF_ROWS as usize - 1) as i128 * 2_371) % rows
    }
}

/// An engine with a load's rows in it.
#[derive(Debug)]
pub struct Stage {
    /// The engine.
    pub engine: Engine,
    /// The one table.
    pub table: Arc<Table>,
}

impl Stage {
    /// Puts the load's rows into a new engine.
    ///
    /// # Errors
    /// The engine's.
    pub fn new(engine: Engine, workload: Workload) -> Result<Stage, Error> {
        let column = |name: &str| Column {
            name: name.to_owned(),
            ty: ColumnType::Int {
                bytes: 8,
                unsigned: false,
            },
            nullable: false,
            auto_increment: false,
            default: None,
        };
        let table = engine.create_table(TableSpec {
            name: "rows".to_owned(),
            columns: vec![column("id"), column("value")],
            primary_key: Some(vec![0]),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            auto_increment: 1,
        })?;
        let mut trx = engine.begin(Isolation::RepeatableRead);
        for key in workload.keys() {
            let row = vec![Value::Int(key), Value::Int(0)];
            let mut insert = Insert::new(table.clone(), row, DuplicateMode::Error);
            while insert.step(&engine, &mut trx)? == Step::Progress {}
        }
        engine.commit(&mut trx)?;
        Ok(Stage { engine, table })
    }
}
