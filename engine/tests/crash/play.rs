//! Playing a script, and keeping its history.

use std::sync::Arc;

use gaplock_engine::{
    db::{Durability, Engine, EngineConfig, FlushAtCommit},
    error::Error,
    profile::find,
    row::{Delete, DuplicateMode, Insert, InsertOutcome, Rollback, Update},
    table::{Column, IndexSpec, Table, TableSpec},
    trx::{Isolation, Savepoint, Trx},
    types::{Collation, ColumnType, Value},
};
use gaplock_wal::{Disk, LogSettings, fault::FaultDisk};

use crate::{
    model::{Change, Content, History, Row, Version, World, apply, contents, run},
    scripts::{By, Op, Script},
};

/// The index that comes and goes.
const TEXTS: &str = "ks";
const OTHER: &str = "u";

fn texts() -> IndexSpec {
    IndexSpec {
        name: TEXTS.into(),
        columns: vec![2],
        unique: false,
    }
}

fn spec(name: &str) -> TableSpec {
    let column = |name: &str, ty| Column {
        name: name.into(),
        ty,
        nullable: false,
        auto_increment: false,
        default: None,
    };
    let int = ColumnType::Int {
        bytes: 8,
        unsigned: false,
    };
    let text = ColumnType::VarChar {
        characters: 2000,
        collation: Collation::Latin1,
    };
    let numbers = IndexSpec {
        name: "kn".into(),
        columns: vec![1],
        unique: true,
    };
    TableSpec {
        name: name.into(),
        columns: vec![column("id", int), column("n", int), column("s", text)],
        primary_key: Some(vec![0]),
        indexes: vec![numbers, texts()],
        foreign_keys: vec![],
        auto_increment: 1,
    }
}

fn table(engine: &Engine, name: &str) -> Result<Arc<Table>, Error> {
    let name = name.to_owned();
    engine.table(&name).ok_or(Error::NoSuchTable { name })
}

/// Opens what a disk has as the script wants it.
pub(crate) fn open(script: &Script, disk: Arc<FaultDisk>) -> Result<Engine, Error> {
    let durability = Durability {
        log: LogSettings {
            segment_bytes: script.segment_bytes,
            spare_segments: 1,
        },
        flush: script.flush,
        hold_locks_until_durable: script.hold_locks,
        checkpoint_after: 96 * 1024,
        identity: 7,
    };
    let config = EngineConfig {
        pool_frames: script.frames,
        keep_provenance: false,
        ..EngineConfig::for_lab(find("mysql-8.0.30").expect("a profile"))
    };
    Engine::open(config.durable(durability), disk as Arc<dyn Disk>)
}

#[derive(Debug)]
struct Writer {
    trx: Trx,
    changes: Vec<Change>,
    savepoint: Option<(Savepoint, usize)>,
    /// A statement could not be taken back.
    doomed: bool,
}

/// A script being played.
#[derive(Debug)]
pub(crate) struct Player<'s> {
    script: &'s Script,
    pub(crate) disk: Arc<FaultDisk>,
    /// None when opening has failed.
    pub(crate) engine: Option<Engine>,
    writers: Vec<Writer>,
    pub(crate) history: History,
    /// What an opening within the script found wrong.
    pub(crate) wrong: Option<String>,
    /// Texts and numbers differ from change to change.
    changed: i128,
}

impl<'s> Player<'s> {
    /// A database with an empty table.
    pub(crate) fn create(script: &'s Script, disk: Arc<FaultDisk>) -> Result<Self, Error> {
        let mut player = Self {
            script,
            disk,
            engine: None,
            writers: Vec::new(),
            history: History::new(),
            wrong: None,
            changed: 0,
        };
        player.reopen()?;
        player.define(
            |engine| engine.create_table(spec("t")).map(drop),
            |world| {
                world.insert("t".into(), empty());
            },
        )?;
        Ok(player)
    }

    fn engine(&self) -> Result<&Engine, Error> {
        self.engine.as_ref().ok_or(Error::Definition {
            what: "not open".into(),
        })
    }

    fn table(&self, name: &str) -> Result<Arc<Table>, Error> {
        table(self.engine()?, name)
    }

    /// The process ends, whatever was under way; another one opens the database.
    pub(crate) fn reopen(&mut self) -> Result<(), Error> {
        self.writers.clear();
        self.engine = None;
        let engine = open(self.script, Arc::clone(&self.disk))?;
        let found = contents(&engine)?;
        // A commit that failed may be there or not: now it is decided.
        let number = self.disk.calls();
        let at = self.history.judge_from_acknowledged(&found);
        let at = at.unwrap_or_else(|wrong| {
            self.wrong = Some(format!("opened again: {wrong}"));
            self.history.0.len() - 1
        });
        self.history.0.truncate(at + 1);
        if let Some(version) = self.history.0.last_mut() {
            version.acknowledged = version.acknowledged.or(Some(number));
        }
        let writer = || Writer {
            trx: engine.begin(Isolation::ReadCommitted),
            changes: Vec::new(),
            savepoint: None,
            doomed: false,
        };
        self.writers = (0..3).map(|_| writer()).collect();
        self.engine = Some(engine);
        Ok(())
    }

    /// A change of definitions, which is a commit of its own.
    fn define(
        &mut self,
        act: impl FnOnce(&Engine) -> Result<(), Error>,
        model: impl FnOnce(&mut World),
    ) -> Result<(), Error> {
        let mut world = self.history.last().clone();
        model(&mut world);
        self.version(world, |player| act(player.engine()?))
    }

    /// Something that makes a version: which may be there as soon as it is asked for, and is there
    /// once it has succeeded.
    fn version(
        &mut self,
        world: World,
        act: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let asked = self.disk.calls();
        let done = act(self);
        let calls = self.disk.calls();
        // What failed while the engine goes on was taken back; else the next opening decides.
        let in_doubt = matches!(done, Err(Error::InDoubt { .. }));
        let failed = self
            .engine
            .as_ref()
            .is_none_or(|engine| engine.failure().is_some());
        let refused = matches!(done, Err(Error::WritesRefused { .. }));
        let refused = done.is_err() && (refused || !in_doubt && !failed);
        if !refused {
            self.history.0.push(Version {
                world,
                asked,
                acknowledged: done.is_ok().then_some(calls),
            });
        }
        done
    }

    fn row(&mut self, key: i128, length: usize) -> Row {
        self.changed += 1;
        let mut text = format!("{}.{key}.", self.changed);
        text.extend(std::iter::repeat_n('x', length.saturating_sub(text.len())));
        (key * 1000 + self.changed, text)
    }

    /// What the transaction would find.
    fn current(&self, by: By, table: &str, key: i128) -> Option<Row> {
        let own = self.writers[by].changes.iter().rev();
        let mut own = own.filter(|change| change.table == table && change.key == key);
        if let Some(change) = own.next() {
            return change.row.clone();
        }
        self.history.last().get(table)?.rows.get(&key).cloned()
    }

    /// One statement: a row is inserted, updated, or deleted (`row` is none).
    fn change(&mut self, by: By, name: &str, key: i128, row: Option<Row>) -> Result<(), Error> {
        let table = self.table(name)?;
        let old = self.current(by, name, key);
        if old.is_none() && row.is_none() {
            // An earlier statement has failed: there is nothing to delete.
            return Ok(());
        }
        let values =
            |(number, text): Row| vec![Value::Int(key), Value::Int(number), Value::Text(text)];
        let new = row.clone().map(values);
        let engine = self.engine.as_ref().expect("there is a table");
        let trx = &mut self.writers[by].trx;
        let began = engine.start_statement(trx, "");
        let done = match (old.map(values), new) {
            (None, Some(new)) => {
                let mut insert = Insert::new(table, new, DuplicateMode::Error);
                run(engine, trx, |engine, trx| insert.step(engine, trx)).map(|outcome| {
                    assert!(matches!(outcome, InsertOutcome::Inserted), "{outcome:?}");
                })
            }
            (Some(old), new) => {
                let reference = table.reference(&table.encode_row(&old)?);
                match new {
                    Some(new) => {
                        let mode = DuplicateMode::Error;
                        let mut update = Update::new(table, reference, old, new, mode);
                        run(engine, trx, |engine, trx| update.step(engine, trx)).map(drop)
                    }
                    None => {
                        let mut delete = Delete::new(table, reference, old);
                        run(engine, trx, |engine, trx| delete.step(engine, trx))
                    }
                }
            }
            (None, None) => Ok(()),
        };
        // What cannot be taken back now must not be committed.
        let doomed = done.is_err() && Rollback::statement(began).finish(engine, trx).is_err();
        engine.end_statement(trx);
        self.writers[by].doomed |= doomed;
        done?;
        let table = name.to_owned();
        self.writers[by].changes.push(Change { table, key, row });
        Ok(())
    }

    fn changes(
        &mut self,
        (by, name): (By, &str),
        (from, count): (i128, i128),
        length: Option<usize>,
    ) -> Result<(), Error> {
        for key in from..from + count {
            let row = length.map(|length| self.row(key, length));
            self.change(by, name, key, row)?;
        }
        Ok(())
    }

    fn commit(&mut self, by: By) -> Result<(), Error> {
        self.engine()?;
        if self.writers[by].doomed {
            self.roll_back(by)?;
            return Err(Error::Definition {
                what: "rolled back instead".into(),
            });
        }
        let changes = std::mem::take(&mut self.writers[by].changes);
        self.writers[by].savepoint = None;
        let commit = |player: &mut Self| {
            let engine = player.engine.as_ref().expect("it is open");
            engine.commit(&mut player.writers[by].trx)
        };
        if changes.is_empty() {
            return commit(self);
        }
        let mut world = self.history.last().clone();
        apply(&mut world, &changes);
        self.version(world, commit)
    }

    fn roll_back(&mut self, by: By) -> Result<(), Error> {
        let engine = self.engine.as_ref().ok_or(Error::Definition {
            what: "not open".into(),
        })?;
        let writer = &mut self.writers[by];
        writer.changes.clear();
        writer.savepoint = None;
        writer.doomed = true;
        Rollback::all().finish(engine, &mut writer.trx)?;
        writer.doomed = false;
        Ok(())
    }

    fn back_to_savepoint(&mut self, by: By) -> Result<(), Error> {
        let engine = self.engine.as_ref().expect("it is open");
        let writer = &mut self.writers[by];
        let Some((savepoint, changes)) = writer.savepoint else {
            return Ok(());
        };
        writer.changes.truncate(changes);
        let done = Rollback::to(savepoint).finish(engine, &mut writer.trx);
        writer.doomed |= done.is_err();
        done
    }

    pub(crate) fn op(&mut self, op: Op) -> Result<(), Error> {
        self.engine()?;
        match op {
            Op::Insert {
                by,
                from,
                count,
                length,
            }
            | Op::Update {
                by,
                from,
                count,
                length,
            } => self.changes((by, "t"), (from, count), Some(length)),
            Op::InsertOther {
                by,
                from,
                count,
                length,
            } => self.changes((by, OTHER), (from, count), Some(length)),
            Op::Delete { by, from, count } => self.changes((by, "t"), (from, count), None),
            Op::Savepoint(by) => {
                let writer = &mut self.writers[by];
                let engine = self.engine.as_ref().expect("it is open");
                let savepoint = engine.savepoint(&writer.trx);
                writer.savepoint = Some((savepoint, writer.changes.len()));
                Ok(())
            }
            Op::RollbackToSavepoint(by) => self.back_to_savepoint(by),
            Op::Commit(by) => self.commit(by),
            Op::Rollback(by) => self.roll_back(by),
            Op::Purge => self.engine()?.purge(),
            Op::Checkpoint => self.engine()?.checkpoint(),
            Op::Maintain => self.engine()?.maintain(),
            Op::Reopen => self.reopen(),
            Op::CloseAndReopen => {
                self.engine()?.close()?;
                self.reopen()
            }
            Op::CreateOther
            | Op::DropOther
            | Op::TruncateOther
            | Op::CreateIndex
            | Op::DropIndex => self.definition(op),
        }
    }

    fn definition(&mut self, op: Op) -> Result<(), Error> {
        let indexes = |world: &mut World, change: &dyn Fn(&mut Vec<String>)| {
            if let Some(content) = world.get_mut("t") {
                change(&mut content.indexes);
            }
        };
        match op {
            Op::CreateOther => self.define(
                |engine| engine.create_table(spec(OTHER)).map(drop),
                |world| {
                    world.insert(OTHER.into(), empty());
                },
            ),
            Op::DropOther => self.define(
                |engine| engine.drop_table(OTHER),
                |world| {
                    world.remove(OTHER);
                },
            ),
            Op::TruncateOther => self.define(
                |engine| engine.truncate_table(OTHER),
                |world| {
                    if let Some(content) = world.get_mut(OTHER) {
                        content.rows.clear();
                    }
                },
            ),
            Op::CreateIndex => self.define(
                |engine| engine.create_index("t", &texts()),
                |world| indexes(world, &|names| names.push(TEXTS.into())),
            ),
            _ => self.define(
                |engine| engine.drop_index("t", TEXTS),
                |world| indexes(world, &|names| names.retain(|name| name != TEXTS)),
            ),
        }
    }

    /// One more row, committed.
    pub(crate) fn try_one_more(&mut self) -> Result<(), Error> {
        self.writers[2].changes.clear();
        self.roll_back(2)?;
        let row = self.row(7777, 30);
        self.change(2, "t", 7777, Some(row))?;
        self.commit(2)
    }

    /// Without a sync at each commit, an acknowledged one may be lost.
    pub(crate) fn forget_unpromised(&mut self) {
        if self.script.flush != FlushAtCommit::Sync {
            self.forget_acknowledged_after(0);
        }
    }

    /// What was acknowledged after call `number` is not to be relied on.
    pub(crate) fn forget_acknowledged_after(&mut self, number: u64) {
        for version in &mut self.history.0[1..] {
            version.acknowledged = version.acknowledged.filter(|calls| *calls <= number);
        }
    }
}

fn empty() -> Content {
    Content {
        indexes: ["PRIMARY", "kn", TEXTS].map(str::to_owned).to_vec(),
        ..Content::default()
    }
}

impl History {
    /// After an opening by another process of the same boot: which version is there.
    fn judge_from_acknowledged(&self, found: &World) -> Result<usize, String> {
        let possible = self.possible(u64::MAX).len();
        let at = self.judge(u64::MAX, found)?;
        Ok(self.0.len() - possible + at)
    }
}

/// Opens a database, commits one more row, and says what is there then.
pub(crate) fn commit_one_more(
    script: &Script,
    disk: &Arc<FaultDisk>,
    found: &World,
) -> Result<World, Error> {
    let engine = open(script, Arc::clone(disk))?;
    let table = table(&engine, "t")?;
    let mut trx = engine.begin(Isolation::RepeatableRead);
    let (key, row) = (9999, (-1, "one more".to_owned()));
    let values = vec![
        Value::Int(key),
        Value::Int(row.0),
        Value::Text(row.1.clone()),
    ];
    let mut insert = Insert::new(table, values, DuplicateMode::Error);
    run(&engine, &mut trx, |engine, trx| insert.step(engine, trx))?;
    engine.commit(&mut trx)?;
    engine.flush_log()?;
    let mut world = found.clone();
    let table = "t".to_owned();
    let row = Some(row);
    apply(&mut world, &[Change { table, key, row }]);
    Ok(world)
}
