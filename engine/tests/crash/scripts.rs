//! The scripts: each for something that storage does, small enough that every crash can be tried.

use gaplock_engine::db::FlushAtCommit;

/// Who does it: one of three transactions that are under way at a time.
pub(crate) type By = usize;

/// Keys are `from`, `from + 1`, ...; texts have `length` characters.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Insert {
        by: By,
        from: i128,
        count: i128,
        length: usize,
    },
    Update {
        by: By,
        from: i128,
        count: i128,
        length: usize,
    },
    Delete {
        by: By,
        from: i128,
        count: i128,
    },
    /// Into the second table.
    InsertOther {
        by: By,
        from: i128,
        count: i128,
        length: usize,
    },
    Savepoint(By),
    RollbackToSavepoint(By),
    Commit(By),
    Rollback(By),
    Purge,
    Checkpoint,
    Maintain,
    CreateOther,
    DropOther,
    TruncateOther,
    CreateIndex,
    DropIndex,
    /// The process ends and another opens the database.
    Reopen,
    /// The same, after closing in good order.
    CloseAndReopen,
}

#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) name: &'static str,
    pub(crate) frames: usize,
    pub(crate) segment_bytes: u32,
    pub(crate) flush: FlushAtCommit,
    pub(crate) hold_locks: bool,
    pub(crate) ops: Vec<Op>,
}

/// A script in words: what is done, by whom, and for rows from which key on, how many, how long.
fn script(name: &'static str, ops: &str) -> Script {
    Script {
        name,
        frames: 64,
        segment_bytes: 64 * 1024,
        flush: FlushAtCommit::Sync,
        hold_locks: false,
        ops: ops
            .split(';')
            .map(str::trim)
            .filter(|op| !op.is_empty())
            .map(op)
            .collect(),
    }
}

fn op(text: &str) -> Op {
    let mut words = text.split(' ');
    let word = words.next().unwrap_or_default();
    let numbers: Vec<u32> = words.map(|word| word.parse().expect("a number")).collect();
    let number = |at: usize| numbers.get(at).copied().unwrap_or_default();
    let (by, length) = (number(0) as By, number(3) as usize);
    let (from, count) = (i128::from(number(1)), i128::from(number(2)));
    match word {
        "insert" => Op::Insert {
            by,
            from,
            count,
            length,
        },
        "update" => Op::Update {
            by,
            from,
            count,
            length,
        },
        "delete" => Op::Delete { by, from, count },
        "other" => Op::InsertOther {
            by,
            from,
            count,
            length,
        },
        "savepoint" => Op::Savepoint(by),
        "back" => Op::RollbackToSavepoint(by),
        "commit" => Op::Commit(by),
        "rollback" => Op::Rollback(by),
        "purge" => Op::Purge,
        "checkpoint" => Op::Checkpoint,
        "maintain" => Op::Maintain,
        "create-other" => Op::CreateOther,
        "drop-other" => Op::DropOther,
        "truncate-other" => Op::TruncateOther,
        "create-index" => Op::CreateIndex,
        "drop-index" => Op::DropIndex,
        "reopen" => Op::Reopen,
        "close" => Op::CloseAndReopen,
        _ => panic!("no such operation: {text}"),
    }
}

pub(crate) fn all() -> Vec<Script> {
    let mut all = rows();
    all.extend(structure());
    all.extend(upkeep());
    all.extend((1..=6).map(at_random));
    all
}

/// Each transaction has keys of its own: those that leave its number when divided by three.
fn at_random(seed: u64) -> Script {
    let mut state = seed;
    let mut below = |limit: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let mut ops = Vec::new();
    for _ in 0..40 {
        let by = below(3) as usize;
        let from = i128::from(below(12) * 3) + by as i128;
        let length = below(if seed.is_multiple_of(2) { 60 } else { 1900 }) as usize;
        ops.push(match below(24) {
            0..9 => Op::Insert {
                by,
                from,
                count: 1,
                length,
            },
            9..12 => Op::Delete { by, from, count: 1 },
            12..17 => Op::Commit(by),
            17 => Op::Rollback(by),
            18 => Op::Savepoint(by),
            19 => Op::RollbackToSavepoint(by),
            20 => Op::Purge,
            21 => Op::Checkpoint,
            22 => Op::Maintain,
            _ if below(2) == 0 => Op::Reopen,
            _ => Op::CloseAndReopen,
        });
    }
    Script {
        frames: if seed.is_multiple_of(3) { 24 } else { 64 },
        segment_bytes: 16 * 1024 * (1 + seed as u32 % 3),
        flush: if seed == 5 {
            FlushAtCommit::Write
        } else {
            FlushAtCommit::Sync
        },
        hold_locks: seed == 4,
        ops,
        ..script("at random", "")
    }
}

fn rows() -> Vec<Script> {
    vec![
        script(
            "inserts, updates, deletes",
            "insert 0 1 5 20; commit 0; update 0 2 3 30; commit 0; delete 0 3 2; commit 0; \
             insert 0 3 1 10; commit 0",
        ),
        script(
            "interleaved transactions",
            "insert 0 1 3 20; insert 1 100 3 20; insert 2 200 2 20; commit 1; \
             update 1 100 2 40; update 0 1 1 5; commit 0; delete 0 2 1; rollback 2; \
             insert 2 210 1 9; commit 1; commit 2; commit 0",
        ),
        script(
            "savepoints and rollbacks",
            "insert 0 1 3 20; savepoint 0; insert 0 10 3 20; update 0 1 2 50; back 0; \
             insert 0 20 1 20; commit 0; insert 1 30 4 20; delete 1 1 1; rollback 1; \
             update 2 20 1 100; savepoint 2; delete 2 20 1; back 2; commit 2",
        ),
        script(
            "old versions and purge",
            "insert 0 1 6 20; commit 0; update 0 1 3 25; commit 0; delete 1 4 2; commit 1; \
             purge; update 0 1 3 15; insert 1 4 1 5; commit 1; commit 0; purge",
        ),
        Script {
            hold_locks: true,
            ..script(
                "locks held until durable",
                "insert 0 1 2 20; commit 0; update 1 1 1 30; insert 0 5 1 5; commit 1; \
             commit 0; delete 0 5 1; commit 0",
            )
        },
        Script {
            flush: FlushAtCommit::Lazily,
            ..script(
                "commits that nobody flushes",
                "insert 0 1 3 20; commit 0; update 0 1 2 30; commit 0; insert 1 10 2 20; \
             commit 1; checkpoint; delete 0 1 1; commit 0",
            )
        },
    ]
}

fn structure() -> Vec<Script> {
    vec![
        script(
            "splits by long rows",
            "insert 0 1 10 1500; commit 0; insert 1 20 6 1500; insert 0 11 4 1500; \
             commit 1; rollback 0",
        ),
        Script {
            frames: 24,
            ..script(
                "splits and merges in a tiny pool",
                "insert 0 1 24 1800; commit 0; delete 0 4 18; commit 0; purge; \
             insert 1 40 4 1500; commit 1; checkpoint; update 0 1 3 1900; commit 0",
            )
        },
        script(
            "tables come and go",
            "create-other; other 0 1 3 50; commit 0; insert 1 1 2 20; truncate-other; \
             other 0 5 2 50; commit 0; drop-other; commit 1; create-other",
        ),
        script(
            "indexes come and go",
            "insert 0 1 5 40; commit 0; drop-index; update 0 2 2 60; commit 0; \
             create-index; delete 0 1 1; commit 0",
        ),
    ]
}

fn upkeep() -> Vec<Script> {
    vec![
        script(
            "checkpoints between changes",
            "insert 0 1 4 100; checkpoint; commit 0; update 0 1 2 200; checkpoint; \
             insert 1 10 2 50; commit 1; checkpoint; rollback 0; checkpoint; \
             delete 0 10 1; commit 0",
        ),
        Script {
            segment_bytes: 16 * 1024,
            ..script(
                "a log of tiny recycled segments",
                "insert 0 1 6 900; commit 0; checkpoint; update 0 1 6 700; commit 0; maintain; \
             checkpoint; update 1 1 5 800; commit 1; checkpoint; insert 0 10 3 900; \
             commit 0",
            )
        },
        script(
            "opened again and again",
            "insert 0 1 3 20; commit 0; update 0 1 1 90; reopen; update 0 2 1 90; \
             commit 0; insert 1 10 2 20; close; insert 0 20 1 20; commit 0; reopen; \
             delete 0 1 1; commit 0",
        ),
        Script {
            frames: 24,
            segment_bytes: 32 * 1024,
            ..script(
                "all of it",
                "insert 0 1 8 1200; commit 0; create-other; update 1 1 4 1500; other 0 1 2 30; \
             savepoint 1; delete 1 5 2; back 1; checkpoint; commit 1; insert 2 30 3 1800; \
             commit 0; purge; drop-index; rollback 2; close; delete 0 1 5; commit 0; \
             purge; checkpoint; drop-other; insert 1 2 2 10; reopen",
            )
        },
    ]
}
