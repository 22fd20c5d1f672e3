//! A database in a directory: what was there when it went out of use is there when it is opened
//! again.

use gaplock::Database;
use gaplock_engine::profile::find;
use gaplock_engine::types::Value;

/// Tables beside the one that is looked at.
const MANY: usize = 100;

#[test]
fn a_directory_keeps_its_tables() {
    let directory = std::env::temp_dir().join(format!("gaplock-directory-{}", std::process::id()));
    let profile = || find("mysql-8.0.30").expect("a known profile");
    let first = Database::open(&directory, profile()).expect("a new database");
    let mut connection = first.connect();
    for sql in [
        "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(20), UNIQUE KEY ua (a))",
        "INSERT INTO t (a) VALUES ('one'), ('two'), ('three')",
        "UPDATE t SET a = 'deux' WHERE a = 'two'",
        "DELETE FROM t WHERE id = 3",
        "BEGIN",
        "INSERT INTO t (a) VALUES ('never committed')",
    ] {
        connection.execute(sql).expect(sql);
    }
    // So many that the catalog takes several pages. (Its pages' numbers and lengths were once written
    // in one byte order and read in the other, which no database in memory could notice.)
    let mut definer = first.connect();
    for table in 0..MANY {
        let sql = format!("CREATE TABLE many_{table} (id INT PRIMARY KEY, a INT, KEY ka (a))");
        definer.execute(&sql).expect("a new table");
    }
    drop(definer);
    // The open transaction is rolled back with its connection, then the last user is gone.
    drop(connection);
    drop(first);

    let second = Database::open(&directory, profile()).expect("an existing database");
    let mut connection = second.connect();
    let rows = connection
        .execute("SELECT a FROM t ORDER BY id")
        .expect("rows")
        .rows;
    let text = |text: &str| vec![Value::Text(text.to_owned())];
    assert_eq!(rows, [text("one"), text("deux")]);
    connection
        .execute("INSERT INTO t (a) VALUES ('four')")
        .expect("a new row");
    let ids = connection
        .execute("SELECT id FROM t WHERE a = 'four'")
        .expect("a row")
        .rows;
    assert_eq!(ids, [[Value::Int(5)]], "the counter goes on where it was");
    let report = second
        .server()
        .engine
        .check()
        .expect("pages that can be read");
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(report.tables, MANY + 1);
    drop(connection);
    drop(second);
    std::fs::remove_dir_all(&directory).expect("a directory of our own");
}
