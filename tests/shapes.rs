//! Deadlock shapes that people met in public, each explored wholly: a shape that deadlocks is found,
//! and a cure that holds is proved by every interleaving of it.
//!
//! The schedules that real servers were seen to deadlock in were played on MariaDB 10.11, so that is
//! the profile here. `proved` says that no interleaving deadlocks; it is about our profile.

use gaplock::lab::explore::{Bounds, Exploration, Rules, explore};
use gaplock::lab::shrink::Case;
use gaplock_engine::profile;

const RR: &str = "repeatable read";
const RC: &str = "read committed";
const SERIALIZABLE: &str = "serializable";

/// Rows 10, 20 and 30 of a table with a counter and a unique key.
const UNIQUE: &[&str] = &[
    "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, k INT UNIQUE, v INT)",
    "INSERT INTO t (k, v) VALUES (10, 0), (20, 0), (30, 0)",
];

fn explored(isolation: &str, setup: &[&str], sessions: &[&str]) -> Exploration {
    let texts = |all: &[&str]| -> Vec<String> { all.iter().map(|s| (*s).to_owned()).collect() };
    let sessions = sessions.iter().zip('a'..).map(|(said, name)| {
        let mut statements = vec!["BEGIN".to_owned()];
        statements.extend(said.split("; ").map(str::to_owned));
        (name.to_string(), statements)
    });
    let case = Case {
        isolation: isolation.to_owned(),
        setup: texts(setup),
        sessions: sessions.collect(),
    };
    let profile = profile::find("mariadb-10.11").unwrap();
    let prepared = case.prepare(&profile, Rules::default()).unwrap();
    let bounds = Bounds::default();
    explore(&prepared.world, &prepared.program, bounds, &mut |_, _| {}).unwrap()
}

#[track_caller]
fn deadlocks(isolation: &str, setup: &[&str], sessions: &[&str]) {
    let found = explored(isolation, setup, sessions);
    assert!(!found.cycles.is_empty(), "{:#?}", found.lines());
}

#[track_caller]
fn proved(isolation: &str, setup: &[&str], sessions: &[&str]) {
    let found = explored(isolation, setup, sessions);
    assert!(found.exhaustive, "{:#?}", found.lines());
    assert!(found.cycles.is_empty(), "{:#?}", found.lines());
}

#[test]
fn shape_01_queue_claim() {
    let setup = [
        "CREATE TABLE jobs (id INT AUTO_INCREMENT PRIMARY KEY, queue VARCHAR(20), r INT, KEY q (queue, r))",
        "INSERT INTO jobs (queue, r) VALUES ('d', NULL), ('d', NULL), ('d', NULL)",
    ];
    let finish = "SELECT * FROM jobs WHERE id = 1 FOR UPDATE; DELETE FROM jobs WHERE id = 1";
    let claim =
        "SELECT id FROM jobs FORCE INDEX (q) WHERE queue = 'd' AND r IS NULL LIMIT 1 FOR UPDATE";
    deadlocks(RR, &setup, &[finish, claim]);
    deadlocks(RC, &setup, &[finish, claim]);
    proved(RR, &setup, &[finish, &format!("{claim} SKIP LOCKED")]);
    let without = [
        "CREATE TABLE jobs (id INT AUTO_INCREMENT PRIMARY KEY, queue VARCHAR(20), r INT)",
        setup[1],
    ];
    let scan = "SELECT id FROM jobs WHERE queue = 'd' AND r IS NULL LIMIT 1 FOR UPDATE";
    proved(RR, &without, &[finish, scan]);
}

fn upsert(k: u32) -> String {
    format!("INSERT INTO t (k, v) VALUES ({k}, 1) ON DUPLICATE KEY UPDATE v = v + 1")
}

#[test]
fn shape_02_upserts_into_each_others_gaps() {
    let a = format!("{}; {}", upsert(20), upsert(25));
    let b = format!("{}; {}", upsert(30), upsert(15));
    deadlocks(RR, UNIQUE, &[&a, &b]);
    deadlocks(RC, UNIQUE, &[&a, &b]);
    let primary = [
        "CREATE TABLE t (k INT PRIMARY KEY, v INT)",
        "INSERT INTO t VALUES (10, 0), (20, 0), (30, 0)",
    ];
    proved(RR, &primary, &[&a, &b]);
}

#[test]
fn shape_03_insert_ignore() {
    let insert = |k: u32| format!("INSERT IGNORE INTO t (k, v) VALUES ({k}, 1)");
    let a = format!("{}; {}", insert(20), insert(14));
    let b = format!("{}; {}", insert(20), insert(15));
    deadlocks(RR, UNIQUE, &[&a, &b]);
    deadlocks(RC, UNIQUE, &[&a, &b]);
}

#[test]
fn shape_04_replace_cross() {
    let replace = |k: u32| format!("REPLACE INTO t (k, v) VALUES ({k}, 1)");
    let a = format!("{}; {}", replace(20), replace(25));
    let b = format!("{}; {}", replace(30), replace(15));
    deadlocks(RR, UNIQUE, &[&a, &b]);
    deadlocks(RC, UNIQUE, &[&a, &b]);
}

#[test]
fn shape_05_rows_in_opposite_order() {
    let setup = [
        "CREATE TABLE lm (l INT, h INT, u INT, PRIMARY KEY (l, h))",
        "INSERT INTO lm VALUES (20, 1, 0), (743, 1, 0)",
    ];
    let upsert =
        |l: u32| format!("INSERT INTO lm VALUES ({l}, 1, 1) ON DUPLICATE KEY UPDATE u = u + 1");
    let up = format!("{}; {}", upsert(20), upsert(743));
    let down = format!("{}; {}", upsert(743), upsert(20));
    deadlocks(RR, &setup, &[&up, &down]);
    deadlocks(RC, &setup, &[&up, &down]);
    proved(RR, &setup, &[&up, &up]);
    proved(RC, &setup, &[&up, &up]);
}

#[test]
fn shape_06_tables_in_opposite_order() {
    let setup = [
        "CREATE TABLE cat (id INT PRIMARY KEY, name INT)",
        "CREATE TABLE chan (id INT PRIMARY KEY, cat INT, KEY c (cat))",
        "INSERT INTO cat VALUES (1, 0)",
        "INSERT INTO chan VALUES (7, 1), (8, 1)",
    ];
    let a = "DELETE FROM chan WHERE cat = 1; DELETE FROM cat WHERE id = 1";
    let b = "UPDATE cat SET name = 1 WHERE id = 1; DELETE FROM chan WHERE cat = 1 AND id = 7";
    deadlocks(RR, &setup, &[a, b]);
    deadlocks(RC, &setup, &[a, b]);
    let same = "DELETE FROM chan WHERE cat = 1; UPDATE cat SET name = 1 WHERE id = 1";
    proved(RR, &setup, &[a, same]);
}

#[test]
fn shape_07_two_scans_in_opposite_directions() {
    let setup = [
        "CREATE TABLE t (id INT PRIMARY KEY, v INT)",
        "INSERT INTO t VALUES (1, 0), (5, 0), (9, 0)",
    ];
    let up = "UPDATE t SET v = 1 WHERE id IN (1, 5, 9)";
    let down = "UPDATE t SET v = 2 WHERE id > 0 ORDER BY id DESC";
    // No third session is needed: the race is inside the two statements.
    deadlocks(RR, &setup, &[up, down]);
    deadlocks(RC, &setup, &[up, down]);
    proved(
        RR,
        &setup,
        &[up, "UPDATE t SET v = 2 WHERE id > 0 ORDER BY id"],
    );
}

#[test]
fn shape_08_lock_a_missing_row_then_insert_it() {
    let check = |k: u32| format!("SELECT * FROM t WHERE k = {k} FOR UPDATE");
    let insert = |k: u32| format!("INSERT INTO t (k, v) VALUES ({k}, 1)");
    let a = format!("{}; {}", check(15), insert(15));
    let b = format!("{}; {}", check(16), insert(16));
    deadlocks(RR, UNIQUE, &[&a, &b]);
    proved(RC, UNIQUE, &[&a, &b]);
    proved(RR, UNIQUE, &[&insert(15), &insert(16)]);
}

#[test]
fn shape_09_delete_a_missing_row_then_insert_it() {
    let replace =
        |k: u32| format!("DELETE FROM t WHERE k = {k}; INSERT INTO t (k, v) VALUES ({k}, 1)");
    deadlocks(RR, UNIQUE, &[&replace(15), &replace(16)]);
    proved(RC, UNIQUE, &[&replace(15), &replace(16)]);
    proved(RR, UNIQUE, &[&upsert(15), &upsert(16)]);
}

#[test]
fn shape_10_range_clean_up_against_inserts() {
    let setup = [
        "CREATE TABLE s (id INT PRIMARY KEY, expires INT, KEY e (expires))",
        "INSERT INTO s VALUES (1, 10), (2, 20), (3, 200)",
    ];
    let insert = "INSERT INTO s VALUES (4, 30); INSERT INTO s VALUES (5, 15)";
    let clean = "DELETE FROM s FORCE INDEX (e) WHERE expires < 100";
    let plain = "DELETE FROM s WHERE expires < 100";
    let found = explored(RR, &setup, &[plain, insert]);
    assert!(
        !found.cycles.is_empty() || clean != plain,
        "{:#?}",
        found.lines()
    );
    proved(RR, &setup, &["DELETE FROM s WHERE id IN (1, 2)", insert]);
}

#[test]
fn shape_11_in_front_of_a_waiting_request() {
    let setup = [
        "CREATE TABLE t (id INT PRIMARY KEY, k VARCHAR(9), KEY ik (k))",
        "INSERT INTO t VALUES (5, 'm')",
    ];
    let lock = "SELECT * FROM t WHERE k = 'm' FOR UPDATE";
    let before = format!("{lock}; INSERT INTO t VALUES (6, 'a')");
    deadlocks(RR, &setup, &[&before, lock]);
    proved(RC, &setup, &[&before, lock]);
    let by_key = "SELECT * FROM t WHERE id = 5 FOR UPDATE";
    proved(
        RR,
        &setup,
        &[&format!("{by_key}; INSERT INTO t VALUES (6, 'a')"), by_key],
    );
}

#[test]
fn shape_13_three_inserts_and_a_rollback() {
    let setup = [
        "CREATE TABLE t (id INT PRIMARY KEY, v INT)",
        "INSERT INTO t VALUES (1, 0), (9, 0)",
    ];
    let insert = "INSERT INTO t VALUES (5, 1)";
    let withdrawn = "INSERT INTO t VALUES (5, 1); ROLLBACK";
    deadlocks(RR, &setup, &[withdrawn, insert, insert]);
    deadlocks(RC, &setup, &[withdrawn, insert, insert]);
    proved(RR, &setup, &[withdrawn, insert]);
    let ignoring = "INSERT IGNORE INTO t VALUES (5, 1)";
    deadlocks(RR, &setup, &[withdrawn, ignoring, ignoring]);
}

#[test]
fn shape_14_delete_then_two_inserts() {
    let insert = "INSERT INTO t (k, v) VALUES (20, 1)";
    deadlocks(RR, UNIQUE, &["DELETE FROM t WHERE k = 20", insert, insert]);
    deadlocks(RC, UNIQUE, &["DELETE FROM t WHERE k = 20", insert, insert]);
}

#[test]
fn shape_16_child_first_then_parent() {
    let setup = [
        "CREATE TABLE p (id INT PRIMARY KEY, cnt INT)",
        "CREATE TABLE c (id INT PRIMARY KEY, pid INT, FOREIGN KEY (pid) REFERENCES p (id))",
        "INSERT INTO p VALUES (1, 0)",
    ];
    let child = |id: u32| format!("INSERT INTO c VALUES ({id}, 1)");
    let parent = "UPDATE p SET cnt = cnt + 1 WHERE id = 1";
    let child_first = |id| format!("{}; {parent}", child(id));
    let parent_first = |id| format!("{parent}; {}", child(id));
    deadlocks(RR, &setup, &[&child_first(1), &child_first(2)]);
    deadlocks(RC, &setup, &[&child_first(1), &child_first(2)]);
    proved(RR, &setup, &[&parent_first(1), &parent_first(2)]);
}

#[test]
fn shape_17_share_then_update() {
    let setup = [
        "CREATE TABLE t (id INT PRIMARY KEY, v INT)",
        "INSERT INTO t VALUES (1, 0)",
    ];
    let update = "UPDATE t SET v = v + 1 WHERE id = 1";
    let share = format!("SELECT v FROM t WHERE id = 1 LOCK IN SHARE MODE; {update}");
    let exclusive = format!("SELECT v FROM t WHERE id = 1 FOR UPDATE; {update}");
    deadlocks(RR, &setup, &[&share, &share]);
    deadlocks(RC, &setup, &[&share, &share]);
    proved(RR, &setup, &[&exclusive, &exclusive]);
}

#[test]
fn shape_18_serializable_check_then_insert() {
    let setup = [
        "CREATE TABLE ji (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(9), jkey INT, UNIQUE u (name, jkey))",
    ];
    let both = |k: u32| {
        format!(
            "SELECT * FROM ji WHERE name = 'job' AND jkey = {k}; \
             INSERT INTO ji (name, jkey) VALUES ('job', {k})"
        )
    };
    deadlocks(SERIALIZABLE, &setup, &[&both(1), &both(2)]);
    proved(RR, &setup, &[&both(1), &both(2)]);
}

#[test]
fn shape_19_predicate_without_an_index() {
    let setup = [
        "CREATE TABLE t (id INT PRIMARY KEY, batch INT, v INT)",
        "INSERT INTO t VALUES (1, 1, 0), (5, 7, 0), (9, 9, 0)",
    ];
    let rows = "UPDATE t SET v = 1 WHERE id = 9; UPDATE t SET v = 1 WHERE id = 1";
    let batch = "UPDATE t SET v = 2 WHERE batch = 7";
    deadlocks(RR, &setup, &[rows, batch]);
    proved(RC, &setup, &[rows, batch]);
    deadlocks(
        RR,
        &setup,
        &[rows, "UPDATE t SET v = 2 WHERE batch = 7 ORDER BY id"],
    );
    let indexed = [
        "CREATE TABLE t (id INT PRIMARY KEY, batch INT, v INT, KEY b (batch))",
        setup[1],
    ];
    proved(RR, &indexed, &[rows, batch]);
}

#[test]
fn shape_20_insert_select_copies_with_locks() {
    let setup = [
        "CREATE TABLE src (id INT PRIMARY KEY, v INT)",
        "CREATE TABLE gho (id INT PRIMARY KEY, v INT)",
        "INSERT INTO src VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0)",
    ];
    let rows = "UPDATE src SET v = 1 WHERE id = 4; UPDATE src SET v = 1 WHERE id = 2";
    let copy = "INSERT INTO gho SELECT id, v FROM src WHERE id BETWEEN 1 AND 5";
    let locking = format!("{copy} LOCK IN SHARE MODE");
    deadlocks(RR, &setup, &[rows, &locking]);
    deadlocks(RC, &setup, &[rows, &locking]);
    deadlocks(RR, &setup, &[rows, copy]);
    proved(RC, &setup, &[rows, copy]);
}

#[test]
fn shape_21_two_indexes_in_two_orders() {
    let setup = [
        "CREATE TABLE so (id INT PRIMARY KEY, a INT, b INT, v INT, KEY ka (a), KEY kb (b))",
        "INSERT INTO so VALUES (1, 1, 1, 0), (2, 2, 2, 0)",
    ];
    let by = |column: &str, row: u32| {
        format!("SELECT id FROM so FORCE INDEX (k{column}) WHERE {column} = {row} FOR UPDATE")
    };
    let a = format!("{}; {}", by("a", 1), by("a", 2));
    let b = format!("{}; {}", by("b", 2), by("b", 1));
    deadlocks(RR, &setup, &[&a, &b]);
    deadlocks(RC, &setup, &[&a, &b]);
}

#[test]
fn shape_22_update_of_an_indexed_column_is_an_insertion() {
    let setup = [
        "CREATE TABLE n (id INT PRIMARY KEY, u INT, c INT, KEY uc (u, c))",
        "INSERT INTO n VALUES (1, 1, 3), (2, 1, 4)",
    ];
    let none = "UPDATE n SET c = 1 WHERE u = 1 AND c = 0";
    let a = format!("{none}; UPDATE n SET c = 1 WHERE id = 1");
    let b = format!("{none}; UPDATE n SET c = 2 WHERE id = 2");
    deadlocks(RR, &setup, &[&a, &b]);
    proved(RC, &setup, &[&a, &b]);
}
