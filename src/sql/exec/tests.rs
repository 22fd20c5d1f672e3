//! Statements against the engine: rows, counts, errors, waits.

use gaplock_engine::profile;
use gaplock_engine::types::Value;

use crate::sql::{Server, Session, SqlError, StatementResult, Step, WaitFor};

/// A server with some sessions that are stepped by hand.
struct Stage {
    server: Server,
    sessions: Vec<Session>,
}

impl Stage {
    fn new(profile_name: &str, setup: &[&str]) -> Stage {
        let profile = profile::find(profile_name).expect("a profile");
        let server = Server::in_memory(profile).expect("a server");
        let sessions = (0..3).map(|_| Session::new(&server)).collect();
        let mut stage = Stage { server, sessions };
        for sql in setup {
            stage.ok(0, sql);
        }
        stage
    }

    /// Steps a session until it is done or waits.
    fn run(&mut self, session: usize) -> Option<Result<StatementResult, SqlError>> {
        loop {
            match self.sessions[session].step(&self.server) {
                Step::Progress => {}
                Step::Wait(_) => {
                    self.server.engine.sweep_deadlocks();
                    if self.sessions[session].wait(&self.server).is_some() {
                        return None;
                    }
                }
                Step::Finished(result) => return Some(result),
            }
        }
    }

    fn submit(&mut self, session: usize, sql: &str) -> Option<Result<StatementResult, SqlError>> {
        if let Err(error) = self.sessions[session].submit(&self.server, sql) {
            return Some(Err(error));
        }
        self.run(session)
    }

    fn ok(&mut self, session: usize, sql: &str) -> StatementResult {
        match self.submit(session, sql) {
            Some(Ok(result)) => result,
            Some(Err(error)) => panic!("{sql}: {} {error}", error.code()),
            None => panic!("{sql}: waits"),
        }
    }

    fn error(&mut self, session: usize, sql: &str) -> SqlError {
        match self.submit(session, sql) {
            Some(Err(error)) => error,
            other => panic!("{sql}: {other:?}"),
        }
    }

    fn waits(&mut self, session: usize, sql: &str) {
        let answer = self.submit(session, sql);
        assert!(answer.is_none(), "{sql}: {answer:?}");
    }

    /// The rows of a SELECT, as text.
    fn rows(&mut self, session: usize, sql: &str) -> Vec<String> {
        let row = |row: &Vec<Value>| {
            let values: Vec<String> = row.iter().map(Value::to_string).collect();
            values.join(",")
        };
        self.ok(session, sql).rows.iter().map(row).collect()
    }
}

const EVENTS: &[&str] = &[
    "CREATE TABLE t(id INT NOT NULL PRIMARY KEY,a INT,b INT,UNIQUE KEY ua(a),KEY kb(b))",
    "INSERT INTO t VALUES (1,10,1),(3,30,1),(5,50,2),(9,90,NULL)",
];

#[test]
fn rows_come_as_asked_for() {
    let mut stage = Stage::new("mysql-9.7", EVENTS);
    for (sql, rows) in [
        ("SELECT * FROM t WHERE id=3", vec!["3,30,1"]),
        (
            "SELECT a FROM t WHERE b=1 ORDER BY a DESC",
            vec!["30", "10"],
        ),
        ("SELECT id FROM t WHERE id>=3 AND id<9", vec!["3", "5"]),
        ("SELECT id FROM t WHERE id IN (9,1,4)", vec!["1", "9"]),
        (
            "SELECT id FROM t ORDER BY id DESC LIMIT 1,2",
            vec!["5", "3"],
        ),
        ("SELECT id FROM t WHERE b IS NULL", vec!["9"]),
        (
            "SELECT COUNT(*), SUM(a), MIN(a), MAX(a) FROM t",
            vec!["4,180,10,90"],
        ),
        (
            "SELECT COUNT(b), MAX(b) + 1 FROM t WHERE id > 100",
            vec!["0,NULL"],
        ),
        (
            "SELECT x.id, y.id FROM t x JOIN t y ON x.b = y.b WHERE x.id=1",
            vec!["1,1", "1,3"],
        ),
        (
            "SELECT id FROM t WHERE a = (SELECT MAX(a) FROM t)",
            vec!["9"],
        ),
        (
            "SELECT id FROM t WHERE a IN (SELECT a FROM t WHERE b=1)",
            vec!["1", "3"],
        ),
        (
            "SELECT DISTINCT b FROM t ORDER BY b",
            vec!["NULL", "1", "2"],
        ),
        (
            "SELECT id+1 AS n FROM t WHERE a BETWEEN 20 AND 60 ORDER BY n DESC",
            vec!["6", "4"],
        ),
        ("SELECT 1+1, 'x'", vec!["2,'x'"]),
        ("SELECT id FROM t WHERE id=1 AND id=2", vec![]),
    ] {
        assert_eq!(stage.rows(0, sql), rows, "{sql}");
    }
}

#[test]
fn changes_count_as_the_server_counts() {
    let mut stage = Stage::new("mysql-9.7", EVENTS);
    for (sql, affected) in [
        ("UPDATE t SET b=1 WHERE id<=3", 0),
        ("UPDATE t SET b=7 WHERE id<=3", 2),
        ("UPDATE t SET a=a+1 WHERE a>=30 ORDER BY a DESC LIMIT 1", 1),
        ("UPDATE t SET id=id+100 WHERE id>=5", 2),
        (
            "INSERT INTO t VALUES (2,20,2) ON DUPLICATE KEY UPDATE b=9",
            1,
        ),
        (
            "INSERT INTO t VALUES (2,20,2) ON DUPLICATE KEY UPDATE b=9",
            2,
        ),
        (
            "INSERT INTO t VALUES (2,20,2) ON DUPLICATE KEY UPDATE b=9",
            0,
        ),
        (
            "INSERT INTO t VALUES (7,20,4) ON DUPLICATE KEY UPDATE b=VALUES(b)+id",
            2,
        ),
        ("INSERT IGNORE INTO t VALUES (2,21,2),(4,40,4)", 1),
        ("REPLACE INTO t VALUES (4,40,4)", 2),
        ("REPLACE INTO t VALUES (4,40,5)", 2),
        ("REPLACE INTO t VALUES (4,20,5)", 3),
        ("DELETE FROM t WHERE b=7 ORDER BY a LIMIT 1", 1),
        ("DELETE FROM t WHERE id>1000", 0),
    ] {
        assert_eq!(stage.ok(0, sql).affected, affected, "{sql}");
    }
    assert_eq!(
        stage.rows(0, "SELECT * FROM t"),
        ["3,30,7", "4,20,5", "105,50,2", "109,91,NULL"]
    );
}

#[test]
fn counters_are_drawn_and_moved_on() {
    let mut stage = Stage::new(
        "mysql-5.7.37",
        &["CREATE TABLE e(id BIGINT AUTO_INCREMENT PRIMARY KEY,k INT UNIQUE,n INT DEFAULT 5)"],
    );
    let first = stage.ok(0, "INSERT INTO e(k) VALUES (10),(20)");
    assert_eq!(first.last_insert_id, Some(1));
    stage.ok(0, "INSERT INTO e VALUES (7,30,0)");
    stage.ok(
        0,
        "INSERT INTO e(k) VALUES (20) ON DUPLICATE KEY UPDATE n=n+1",
    );
    stage.ok(0, "INSERT INTO e(k) SELECT k+1 FROM e WHERE k=30");
    assert_eq!(
        stage.rows(0, "SELECT * FROM e"),
        ["1,10,5", "2,20,6", "7,30,0", "9,31,5"]
    );
    assert_eq!(stage.rows(0, "SELECT LAST_INSERT_ID()"), ["9"]);
}

#[test]
fn errors_carry_the_servers_numbers_and_leave_nothing_behind() {
    let mut stage = Stage::new("mysql-9.7", EVENTS);
    for (sql, code) in [
        ("INSERT INTO t VALUES (2,20,2),(3,40,4)", 1062),
        ("UPDATE t SET a=30", 1062),
        ("INSERT INTO t(id) VALUES (NULL)", 1048),
        ("INSERT INTO t(a) VALUES (7)", 1364),
        ("INSERT INTO t VALUES (99999999999,1,1)", 1264),
        ("INSERT INTO t VALUES ('x',1,1)", 1366),
        ("INSERT INTO t VALUES (1,2)", 1136),
        ("SELECT * FROM nix", 1146),
        ("SELECT x FROM t", 1054),
        ("SELECT id FROM t x, t y", 1052),
        ("SELECT id FROM t WHERE id = (SELECT id FROM t)", 1242),
        ("DELETE FROM t WHERE id IN (SELECT id FROM t)", 1093),
        ("CREATE TABLE t(a INT)", 1050),
        ("SET nonsense = 1", 1193),
        ("ROLLBACK TO nowhere", 1305),
    ] {
        assert_eq!(stage.error(0, sql).code(), code, "{sql}");
    }
    assert_eq!(stage.rows(0, "SELECT COUNT(*) FROM t"), ["4"]);
    let duplicate = stage.error(0, "INSERT INTO t VALUES (2,30,2)");
    assert_eq!(duplicate.to_string(), "Duplicate entry '30' for key 'ua'");
}

#[test]
fn transactions_savepoints_and_rollback() {
    let mut stage = Stage::new("mysql-9.7", EVENTS);
    for sql in [
        "BEGIN",
        "DELETE FROM t WHERE id=1",
        "SAVEPOINT s",
        "UPDATE t SET b=0",
        "ROLLBACK TO s",
    ] {
        stage.ok(0, sql);
    }
    assert_eq!(
        stage.rows(0, "SELECT id,b FROM t ORDER BY id"),
        ["3,1", "5,2", "9,NULL"]
    );
    assert_eq!(stage.rows(1, "SELECT COUNT(*) FROM t"), ["4"]);
    stage.ok(0, "ROLLBACK");
    assert_eq!(stage.rows(0, "SELECT COUNT(*) FROM t"), ["4"]);
    stage.ok(0, "SET autocommit=0");
    stage.ok(0, "DELETE FROM t");
    assert_eq!(stage.rows(1, "SELECT COUNT(*) FROM t"), ["4"]);
    stage.ok(0, "SET autocommit=1");
    assert_eq!(stage.rows(1, "SELECT COUNT(*) FROM t"), ["0"]);
}

/// A failed first statement of a transaction keeps the locks that it took: it once let them go,
/// since rolling back to a savepoint from before the transaction touched the engine ends it there.
#[test]
fn a_failed_first_statement_keeps_its_locks() {
    let mut stage = Stage::new("mysql-9.7", EVENTS);
    stage.ok(0, "BEGIN");
    stage.error(0, "INSERT INTO t VALUES (3,31,0)");
    stage.waits(1, "UPDATE t SET b=3 WHERE id=3");
    stage.ok(0, "COMMIT");
    assert_eq!(stage.run(1).expect("done").expect("changed").affected, 1);
}

#[test]
fn a_deadlock_ends_one_transaction_whole() {
    let mut stage = Stage::new("mysql-9.7", EVENTS);
    for session in [0, 1] {
        stage.ok(session, "BEGIN");
    }
    stage.ok(0, "UPDATE t SET b=8 WHERE id=1");
    stage.ok(1, "UPDATE t SET b=8 WHERE id=3");
    stage.waits(0, "UPDATE t SET b=8 WHERE id=3");
    let second = stage.submit(1, "UPDATE t SET b=8 WHERE id=1");
    let first = stage.run(0);
    let failed = [first, second];
    let codes: Vec<Option<u16>> = failed
        .iter()
        .map(|answer| match answer {
            Some(Err(error)) => Some(error.code()),
            _ => None,
        })
        .collect();
    assert!(codes.contains(&Some(1213)), "{codes:?}");
    let status = stage.rows(2, "SHOW ENGINE INNODB STATUS").join("");
    assert!(status.contains("LATEST DETECTED DEADLOCK"), "{status}");
    assert!(status.contains("UPDATE t SET b=8 WHERE id=3"), "{status}");
}

#[test]
fn a_wait_ends_with_time() {
    let mut stage = Stage::new("mysql-9.7", EVENTS);
    stage.ok(0, "BEGIN");
    stage.ok(0, "SELECT * FROM t WHERE id=3 FOR UPDATE");
    assert_eq!(
        stage
            .error(1, "SELECT * FROM t WHERE id=3 FOR UPDATE NOWAIT")
            .code(),
        3572
    );
    assert_eq!(
        stage.rows(1, "SELECT id FROM t WHERE id<=5 FOR UPDATE SKIP LOCKED"),
        ["1", "5"]
    );
    stage.waits(1, "DELETE FROM t WHERE id=3");
    let locks = stage.rows(
        2,
        "SELECT INDEX_NAME, LOCK_MODE, LOCK_DATA FROM performance_schema.data_locks \
         WHERE LOCK_STATUS='WAITING'",
    );
    assert_eq!(locks, ["'PRIMARY','X,REC_NOT_GAP','3'"]);
    let when = stage.server.next_expiry().expect("a wait");
    stage.server.expire(when);
    let answer = stage.run(1).expect("done");
    assert_eq!(answer.expect_err("timed out").code(), 1205);
}

#[test]
fn definitions_wait_for_transactions() {
    let mut stage = Stage::new("mysql-9.7", EVENTS);
    stage.ok(0, "BEGIN");
    stage.ok(0, "SELECT * FROM t");
    stage.waits(1, "ALTER TABLE t ADD UNIQUE KEY ub(b)");
    assert_eq!(
        stage.sessions[1].wait(&stage.server),
        Some(WaitFor::Metadata("t".to_owned()))
    );
    stage.waits(2, "SELECT * FROM t");
    stage.ok(0, "COMMIT");
    let answer = stage.run(1).expect("done");
    assert_eq!(answer.expect_err("1 stands there twice").code(), 1062);
    assert_eq!(stage.run(2).expect("done").expect("rows").rows.len(), 4);
    stage.ok(1, "CREATE INDEX kab ON t (a,b)");
    stage.ok(1, "DROP INDEX kab ON t");
    stage.ok(1, "TRUNCATE TABLE t");
    assert_eq!(stage.rows(1, "SELECT COUNT(*) FROM t"), ["0"]);
    stage.ok(1, "DROP TABLE t");
    assert_eq!(stage.error(1, "SELECT * FROM t").code(), 1146);
}

#[test]
fn lock_tables() {
    let mut stage = Stage::new("mysql-9.7", EVENTS);
    stage.ok(0, "LOCK TABLES t READ");
    assert_eq!(stage.error(0, "DELETE FROM t").code(), 1099);
    assert_eq!(stage.rows(1, "SELECT COUNT(*) FROM t"), ["4"]);
    stage.waits(1, "DELETE FROM t");
    stage.ok(0, "UNLOCK TABLES");
    assert_eq!(stage.run(1).expect("done").expect("deleted").affected, 4);
}

#[test]
fn foreign_keys_and_several_tables() {
    let mut stage = Stage::new(
        "mysql-8.0.30",
        &[
            "CREATE TABLE par(id INT NOT NULL PRIMARY KEY,v INT)",
            "CREATE TABLE chi(id INT NOT NULL PRIMARY KEY,pid INT,\
             FOREIGN KEY(pid) REFERENCES par(id) ON DELETE CASCADE)",
            "INSERT INTO par VALUES (1,10),(2,20)",
            "INSERT INTO chi VALUES (1,1),(2,2)",
        ],
    );
    assert_eq!(stage.error(0, "INSERT INTO chi VALUES (3,9)").code(), 1452);
    assert_eq!(stage.error(0, "DROP TABLE par").code(), 3730);
    let joined = "UPDATE par,chi SET par.v=chi.id+100 WHERE par.id=chi.pid AND chi.id=2";
    assert_eq!(stage.ok(0, joined).affected, 1);
    assert_eq!(stage.ok(0, "DELETE FROM par WHERE id=1").affected, 1);
    assert_eq!(stage.rows(0, "SELECT * FROM chi"), ["2,2"]);
    assert_eq!(stage.rows(0, "SELECT * FROM par"), ["2,102"]);
}

#[test]
fn explain_shows_the_plan() {
    let mut stage = Stage::new("mysql-9.7", EVENTS);
    assert_eq!(
        stage.rows(0, "EXPLAIN SELECT * FROM t WHERE a=30"),
        ["'t','const','ua','5','const',1,''"]
    );
}

/// The server and its sessions are plain data: a copy goes its own way.
#[test]
fn a_fork_goes_its_own_way() {
    let mut stage = Stage::new("mysql-5.6", EVENTS);
    stage.ok(0, "BEGIN");
    stage.ok(0, "DELETE FROM t WHERE id=1");
    stage.waits(1, "UPDATE t SET b=0 WHERE id=1");
    let mut copy = Stage {
        server: stage.server.fork().expect("in memory"),
        sessions: stage.sessions.clone(),
    };
    stage.ok(0, "ROLLBACK");
    copy.ok(0, "COMMIT");
    assert_eq!(stage.run(1).expect("done").expect("changed").affected, 1);
    assert_eq!(copy.run(1).expect("done").expect("gone").affected, 0);
}

/// UPDATE of several tables locks what it only reads at every level (recording ctas_upd_join.rc);
/// UPDATE of one table reads its subqueries without locks at READ COMMITTED.
#[test]
fn what_a_writing_statement_only_reads() {
    for (sql, waits) in [
        ("UPDATE t,u SET t.b=u.v WHERE t.id=u.id AND t.id=3", true),
        (
            "UPDATE t SET b=(SELECT v FROM u WHERE u.id=3) WHERE id=3",
            false,
        ),
        (
            "DELETE FROM t WHERE b IN (SELECT v FROM u WHERE u.id=3)",
            true,
        ),
        (
            "INSERT INTO t SELECT id+100,NULL,v FROM u WHERE id=3",
            false,
        ),
    ] {
        let mut stage = Stage::new("mysql-9.7", EVENTS);
        stage.ok(0, "CREATE TABLE u(id INT NOT NULL PRIMARY KEY,v INT)");
        stage.ok(0, "INSERT INTO u VALUES (1,10),(3,30)");
        stage.ok(0, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
        stage.ok(0, "BEGIN");
        stage.ok(0, sql);
        let answer = stage.submit(1, "UPDATE u SET v=0 WHERE id=3");
        assert_eq!(answer.is_none(), waits, "{sql}");
    }
}
