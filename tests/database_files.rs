//! `run --db`, `check` and `log`: a database in a directory from the command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value as Json;

const SCENARIO: &str = "\
# Rows in two indexes, and a transaction that is open when the file ends.
profile mysql-8.0.30
setup
  CREATE TABLE t (id INT PRIMARY KEY, a INT, KEY ka (a));
  INSERT INTO t VALUES (1, 10), (2, 20), (3, 30);

a> DELETE FROM t WHERE id = 2
a> BEGIN
a> UPDATE t SET a = 11 WHERE id = 1
crash
----
a: 1 row
a: ok
a: 1 row
crashed
";

fn gaplock(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gaplock"))
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A fresh directory of this test run, by a name that no other test uses.
fn directory(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// A database in which a program was killed.
fn database(name: &str) -> PathBuf {
    let directory = directory(name);
    let scenario = directory.join("it.scn");
    fs::write(&scenario, SCENARIO).unwrap();
    let database = directory.join("db");
    let ran = gaplock(&["run", "--db", path(&database), path(&scenario)]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stdout));
    database
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_killed_database_is_checked_and_its_log_printed_without_changing_it() {
    let database = database("files-killed");
    let before = contents(&database);
    let checked = gaplock(&["check", "--json", path(&database)]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stdout));
    let report: Json = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(report["sound"], Json::Bool(true));
    assert_eq!(report["rows"], 2);
    assert_eq!(report["entries"], 2);
    assert!(
        report["recovery"]["groups"].as_u64().unwrap() > 3,
        "{report}"
    );

    let log = gaplock(&["log", path(&database)]);
    assert_eq!(log.status.code(), Some(0));
    let lines = text(&log.stdout);
    assert!(lines.contains("commit of transaction"), "{lines}");
    assert!(lines.contains("formatted for index"), "{lines}");
    assert!(lines.contains("recovery would begin at"), "{lines}");
    let one = gaplock(&["log", "--json", "--limit", "1", path(&database)]);
    let record: Json = serde_json::from_slice(&one.stdout).unwrap();
    assert_eq!(record["kind"], "group");
    assert!(contents(&database) == before, "checking changes nothing");
}

#[test]
fn a_second_run_goes_on_with_the_same_database() {
    let database = database("files-second");
    let again = database.with_file_name("again.scn");
    let scenario = "\
# What is there.
profile mysql-8.0.30

a> SELECT * FROM t
----
a: 2 rows (1, 10) (3, 30)
";
    fs::write(&again, scenario).unwrap();
    let ran = gaplock(&["run", "--db", path(&database), path(&again)]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stdout));
    // That run ended in good order.
    let log = text(&gaplock(&["log", path(&database)]).stdout);
    assert!(log.contains("closed in good order"), "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[test]
fn damage_is_told_with_its_page() {
    let database = database("files-damaged");
    let again = database.with_file_name("empty.scn");
    fs::write(
        &again,
        "# Opens and closes.\nprofile mysql-8.0.30\n\na> SELECT COUNT(*) FROM t\n",
    )
    .unwrap();
    // Until then the log would make the page anew, whatever is on the disk.
    let ran = gaplock(&["run", "--db", path(&database), path(&again)]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let data = database.join("gaplock.data");
    let mut bytes = fs::read(&data).unwrap();
    bytes[2 * 16384 + 200] ^= 1;
    fs::write(&data, bytes).unwrap();
    let checked = gaplock(&["check", path(&database)]);
    assert_eq!(checked.status.code(), Some(1));
    let words = text(&checked.stdout);
    assert!(
        words.contains("page 0:2") && words.contains("checksum"),
        "{words}"
    );
    assert!(words.contains("NOT sound"), "{words}");
}

#[test]
fn what_is_no_database_is_a_usage_error() {
    let directory = directory("files-none");
    for command in ["check", "log"] {
        let ran = gaplock(&[command, path(&directory)]);
        assert_eq!(ran.status.code(), Some(2));
        assert!(text(&ran.stderr).contains("there is no database"));
        let ran = gaplock(&[command, path(&directory.join("missing"))]);
        assert_eq!(ran.status.code(), Some(2));
        assert!(text(&ran.stderr).contains("there is no database"));
        assert!(!directory.join("missing").exists(), "nothing is made");
    }
    // A data file alone is no database to go on with, and none to overwrite.
    fs::write(directory.join("gaplock.data"), "precious").unwrap();
    let ran = gaplock(&["check", path(&directory)]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(
        text(&ran.stdout).contains("control file"),
        "{}",
        text(&ran.stdout)
    );
    assert_eq!(
        fs::read(directory.join("gaplock.data")).unwrap(),
        b"precious"
    );
}

#[test]
fn one_opener_at_a_time() {
    let database = database("files-locked");
    let lock = fs::OpenOptions::new()
        .write(true)
        .open(database.join("gaplock.lock"))
        .unwrap();
    lock.lock().unwrap();
    let checked = gaplock(&["check", path(&database)]);
    assert_eq!(checked.status.code(), Some(2));
    assert!(
        text(&checked.stderr).contains("lock gaplock.lock"),
        "{}",
        text(&checked.stderr)
    );
}
