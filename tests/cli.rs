//! The command line as scripts use it: exit status, JSON, and errors with their place.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;

/// Two sessions that take two rows in opposite order.
const CROSSED: &str = "\
# Two transactions take two rows in opposite order.
profile mysql-5.6 mysql-8.0.30
setup
  CREATE TABLE t (id INT PRIMARY KEY, v INT);
  INSERT INTO t VALUES (1, 0), (2, 0);
  a> BEGIN    b> BEGIN

a> UPDATE t SET v = 1 WHERE id = 1
b> UPDATE t SET v = 2 WHERE id = 2
a> UPDATE t SET v = 1 WHERE id = 2
----
a: 1 row
b: 1 row
a: waits X record on t.PRIMARY at 2, for b

b> UPDATE t SET v = 2 WHERE id = 1
----
b: deadlock a b, victim b, rolled back
a: resumes, 1 row
";

fn gaplock(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gaplock"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A file of this test run, by a name that no other test uses.
fn file(name: &str, content: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).unwrap();
    path
}

fn json_lines(output: &Output) -> Vec<Json> {
    let lines = text(&output.stdout);
    let parsed = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    parsed.collect()
}

fn keys(object: &Json) -> Vec<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[track_caller]
fn assert_refused(output: &Output, words: &[&str]) {
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    for word in words {
        assert!(error.contains(word), "`{word}` is not in:\n{error}");
    }
}

#[test]
fn a_scenario_that_plays_as_expected_is_status_0() {
    let path = file("as-expected.scn", CROSSED);
    let output = gaplock(&["run", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let shown = text(&output.stdout);
    assert!(shown.contains("DEADLOCK"), "{shown}");
    assert!(shown.contains("UPDATE t SET v = 2 WHERE id = 2"), "{shown}");
}

#[test]
fn another_output_than_expected_is_status_1_and_is_placed() {
    let path = file(
        "unexpected.scn",
        &CROSSED.replace("a: 1 row\nb: 1 row", "a: 1 row\nb: 5 rows"),
    );
    let output = gaplock(&["run", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    assert!(shown.contains("unexpected.scn:11: expected"), "{shown}");
    assert!(shown.contains("  - b: 5 rows\n"), "{shown}");
    assert!(shown.contains("  + b: 1 row\n"), "{shown}");
}

#[test]
fn accept_rewrites_expectations_and_nothing_else() {
    let wrong = CROSSED
        .replace("b: 1 row\n", "b: 5 rows\n")
        .replace("a: resumes, 1 row\n", "");
    let path = file("accept.scn", &wrong);
    let output = gaplock(&["run", "--accept", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(&path).unwrap(), CROSSED);
}

#[test]
fn run_as_json_tells_blocks_and_deadlocks() {
    let path = file("run-json.scn", CROSSED);
    let output = gaplock(&["run", "--json", path.to_str().unwrap()]);
    let plays = json_lines(&output);
    assert_eq!(plays.len(), 2);
    assert_eq!(plays[0]["profile"], "mysql-5.6");
    assert_eq!(plays[0]["agrees"], true);
    assert_eq!(plays[0]["deadlocks"].as_array().unwrap().len(), 1);
}

#[test]
fn explore_counts_schedules_and_finds_the_deadlock() {
    let path = file("explore.scn", CROSSED);
    let arguments = ["explore", "--json", "--profile", "mysql-5.6"];
    let output = gaplock(&[&arguments[..], &[path.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(1), "a deadlock is found");
    let found = json_lines(&output);
    assert_eq!(
        keys(&found[0]),
        [
            "profile",
            "schedules",
            "exhaustive",
            "deadlocks",
            "outcomes",
            "cycles",
            "waits",
            "stuck",
            "work"
        ]
    );
    assert_eq!(found[0]["exhaustive"], true);
    let (schedules, deadlocks) = (&found[0]["schedules"], &found[0]["deadlocks"]);
    assert!(deadlocks.as_u64() > Some(0) && deadlocks.as_u64() < schedules.as_u64());
    let outcomes = found[0]["outcomes"].as_array().unwrap();
    assert_eq!(keys(&outcomes[0]), ["outcome", "schedules", "first"]);
    let sum: u64 = outcomes
        .iter()
        .filter_map(|o| o["schedules"].as_u64())
        .sum();
    assert_eq!(Some(sum), schedules.as_u64());
}

#[test]
fn explore_is_status_0_without_a_deadlock_and_3_at_its_bound() {
    let ordered = CROSSED
        .replace("SET v = 2 WHERE id = 2", "SET v = 9 WHERE id = 1")
        .replace("SET v = 2 WHERE id = 1", "SET v = 9 WHERE id = 2");
    let path = file("explore-ordered.scn", &ordered);
    let path = path.to_str().unwrap();
    let output = gaplock(&["explore", "--profile", "mysql-5.6", path]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("every interleaving: no deadlock"));
    let output = gaplock(&[
        "explore",
        "--profile",
        "mysql-5.6",
        "--max-schedules",
        "1",
        path,
    ]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
}

const DAILY: &str = "scenarios/daily-2023.scn";

#[test]
fn advice_finds_the_primary_key_for_the_incident_and_proves_it() {
    let output = gaplock(&[
        "advise",
        "--json",
        "--profile",
        "aurora-2.11",
        "--variant",
        "surrogate-key",
        DAILY,
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let advice = &json_lines(&output)[0];
    let tried = advice["tried"].as_array().unwrap();
    let effect_of = |part: &str| {
        let one = tried
            .iter()
            .find(|one| one["what"].as_str().unwrap().contains(part));
        one.map(|one| one["effect"].as_str().unwrap().to_owned())
    };
    assert_eq!(
        effect_of("the primary key of events").as_deref(),
        Some("cures")
    );
    assert_eq!(effect_of("in one order").as_deref(), Some("fails"));
    assert_eq!(
        effect_of("drop the index").as_deref(),
        Some("cures-otherwise")
    );
}

#[test]
fn a_difference_of_profiles_is_found_and_none_is_none() {
    let diff = |to: &str, variant: &str| {
        let between = ["diff", "--json", "--from", "mysql-5.6", "--to", to];
        gaplock(&[&between[..], &["--variant", variant, DAILY]].concat())
    };
    let output = diff("aurora-2.11", "surrogate-key");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let found = &json_lines(&output)[0];
    assert!(!found["only_to"]["cycles"].as_array().unwrap().is_empty());
    assert!(found["only_from"]["cycles"].as_array().unwrap().is_empty());
    let output = diff("aurora-2.11", "natural-key");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
}

#[test]
fn a_certificate_is_confirmed_for_its_own_program_only() {
    let path = file("proof.jsonl", "");
    let proof = path.to_str().unwrap();
    let of = ["--profile", "mysql-5.6", "--variant", "natural-key", DAILY];
    let output = gaplock(&[&["explore", "--certificate", proof][..], &of].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let certify = |profile: &str| {
        let of = ["certify", "--profile", profile, "--variant", "natural-key"];
        gaplock(&[&of[..], &[DAILY, proof]].concat())
    };
    let output = certify("mysql-5.6");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let output = certify("mysql-8.0.30");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("about something else"));
}

#[test]
fn junit_reports_name_what_failed() {
    let path = file("junit.scn", CROSSED);
    let report = file("junit.xml", "");
    let (scenario, junit) = (path.to_str().unwrap(), report.to_str().unwrap());
    let output = gaplock(&["explore", "--junit", junit, scenario]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let xml = fs::read_to_string(&report).unwrap();
    assert!(xml.contains("tests=\"2\" failures=\"2\""), "{xml}");
    gaplock(&["run", "--junit", junit, scenario]);
    let xml = fs::read_to_string(&report).unwrap();
    assert!(xml.contains("tests=\"2\" failures=\"0\""), "{xml}");
}

#[test]
fn conform_prints_one_object_for_each_server() {
    let traces = "tests/conformance/mysql-5.6/min.jsonl.gz";
    let output = gaplock(&["conform", "--json", "--case", "m31", traces]);
    let scores = json_lines(&output);
    assert_eq!(scores.len(), 1);
    assert_eq!(
        keys(&scores[0]),
        [
            "profile",
            "cases",
            "steps",
            "outcome_agree",
            "locks_compared",
            "locks_agree",
            "weights_compared",
            "weights_agree",
            "first_disagreements"
        ]
    );
    assert_eq!(scores[0]["profile"], "mysql-5.6");
}

#[test]
fn a_malformed_trace_is_placed() {
    let path = file("malformed.jsonl", "\n{\"name\": \"x\", \"server\": 5}\n");
    let output = gaplock(&["conform", path.to_str().unwrap()]);
    assert_refused(
        &output,
        &["malformed.jsonl:2:", "expected a string", "help:"],
    );
    let output = gaplock(&["conform", "no-such-file.jsonl"]);
    assert_refused(&output, &["no-such-file.jsonl"]);
}

#[test]
fn an_unknown_profile_is_refused_with_near_names() {
    assert_refused(
        &gaplock(&["profiles", "mysql-5.7"]),
        &["unknown profile `mysql-5.7`", "mysql-5.7.37"],
    );
    let path = file(
        "profile.scn",
        &CROSSED.replace("mysql-8.0.30", "mysql-8.0.3"),
    );
    assert_refused(
        &gaplock(&["run", path.to_str().unwrap()]),
        &[
            "profile.scn:2:19",
            "unknown profile `mysql-8.0.3`",
            "mysql-8.0.30",
        ],
    );
}

#[test]
fn wrong_sql_is_placed_within_the_statement() {
    let wrong = CROSSED.replace(
        "a> UPDATE t SET v = 1 WHERE id = 1",
        "a> UPDATE t SETT v = 1",
    );
    let path = file("wrong-sql.scn", &wrong);
    let output = gaplock(&["run", path.to_str().unwrap()]);
    assert_refused(&output, &["wrong-sql.scn:8:18"]);
}

#[test]
fn a_statement_for_a_session_that_waits_is_refused() {
    let path = file(
        "busy.scn",
        &format!(
            "{}\na> COMMIT\n",
            CROSSED
                .split("\nb> UPDATE t SET v = 2 WHERE id = 1")
                .next()
                .unwrap()
        ),
    );
    let output = gaplock(&["run", path.to_str().unwrap()]);
    assert_refused(
        &output,
        &["busy.scn:16:4", "session a still waits", "help:"],
    );
}

#[test]
fn facts_are_overridden_by_name() {
    let path = file("set.scn", CROSSED);
    let path = path.to_str().unwrap();
    assert_refused(&gaplock(&["run", "--set", "colour=red", path]), &["colour"]);
    let output = gaplock(&["profiles", "--diff", "mysql-5.6", "mysql-5.7.37", "--json"]);
    let difference = &json_lines(&output)[0];
    assert_eq!(difference["facts"]["duplicate_regime"]["from"], "A");
    assert_eq!(difference["facts"]["duplicate_regime"]["to"], "C");
}

#[test]
fn help_has_examples_and_usage_errors_are_status_2() {
    for command in [
        "run", "explore", "advise", "certify", "diff", "fuzz", "profiles", "conform", "stress",
    ] {
        let output = gaplock(&[command, "--help"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("Example"), "{command}");
    }
    assert_eq!(gaplock(&["run"]).status.code(), Some(2));
    assert_eq!(gaplock(&["fly"]).status.code(), Some(2));
}

/// A reader that goes away early must not make the command panic.
#[test]
fn a_closed_output_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gaplock"))
        .args(["profiles", "mysql-9.7"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}
