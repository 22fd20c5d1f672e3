//! The lab's own promises: defined order of events, explanations, and explorations that agree with
//! one another.

use std::path::Path;

use gaplock::lab::explore::{self, Bounds, Exploration, Program};
use gaplock::lab::runner::{self, Play, RunOptions};
use gaplock::lab::scenario::{self, PurgeSetting, Scenario};
use gaplock::lab::world::{WakeOrder, World};
use gaplock_engine::profile::{self, Profile};

const OLD: &str = "mysql-5.6";
const NEW: &str = "mysql-8.0.30";

fn named(name: &str) -> Profile {
    profile::find(name).unwrap()
}

fn read(text: &str) -> Scenario {
    scenario::parse(Path::new("inline.scn"), text).unwrap_or_else(|error| panic!("{error}"))
}

fn play(text: &str, profile: &Profile) -> Play {
    let scenario = read(text);
    runner::play(
        &scenario,
        &scenario.acts[0],
        profile,
        &RunOptions::default(),
    )
    .unwrap_or_else(|error| panic!("{error}"))
}

/// All lines that a scenario puts out.
fn lines(text: &str, profile: &Profile) -> Vec<String> {
    let play = play(text, profile);
    play.blocks
        .into_iter()
        .flat_map(|block| block.lines)
        .collect()
}

const TWO_ROWS: &str = "\
setup
  CREATE TABLE t (id INT PRIMARY KEY, v INT);
  INSERT INTO t VALUES (1, 0), (2, 0);
  a> BEGIN    b> BEGIN

";

fn crossed() -> String {
    format!(
        "{TWO_ROWS}\
a> UPDATE t SET v = 1 WHERE id = 1
b> UPDATE t SET v = 2 WHERE id = 2
a> UPDATE t SET v = 1 WHERE id = 2
b> UPDATE t SET v = 2 WHERE id = 1
"
    )
}

#[test]
fn a_victim_rolls_back_before_the_others_go_on() {
    for name in [OLD, NEW] {
        assert_eq!(
            lines(&crossed(), &named(name)),
            [
                "a: 1 row",
                "b: 1 row",
                "a: waits X record on t.PRIMARY at 2, for b",
                "b: deadlock a b, victim b, rolled back",
                "a: resumes, 1 row",
            ],
            "{name}"
        );
    }
}

#[test]
fn a_deadlock_is_explained_by_the_statements_that_took_the_locks() {
    let play = play(&crossed(), &named(OLD));
    let report = &play.deadlocks[0];
    assert!(report.starts_with("DEADLOCK  "), "{report}");
    for part in [
        "victim b",
        "a wants   X record on t.PRIMARY at 2",
        "b has     X record on t.PRIMARY at 2",
        "of: UPDATE t SET v = 2 WHERE id = 2",
    ] {
        assert!(report.contains(part), "`{part}` is not in:\n{report}");
    }
}

#[test]
fn waits_time_out_when_virtual_time_says_so() {
    let text = format!(
        "{TWO_ROWS}\
a> UPDATE t SET v = 1 WHERE id = 1
b> UPDATE t SET v = 2 WHERE id = 1

advance 49s

advance 2s

b> SELECT v FROM t WHERE id = 1
"
    );
    assert_eq!(
        lines(&text, &named(OLD)),
        [
            "a: 1 row",
            "b: waits X record on t.PRIMARY at 1, for a",
            "b: timeout",
            "b: 1 row (0)",
        ]
    );
}

#[test]
fn a_deadlock_that_nobody_looks_for_is_stuck() {
    let mut profile = named(OLD);
    profile.set("detection", "Off").unwrap();
    let lines = lines(&crossed(), &profile);
    assert_eq!(
        lines[3..],
        ["b: waits X record on t.PRIMARY at 1, for a", "stuck"]
    );
}

#[test]
fn the_lock_picture_says_why_each_lock_was_taken() {
    let text = format!(
        "{TWO_ROWS}a> UPDATE t SET v = 1 WHERE id = 1\n\nb> SELECT * FROM t WHERE id = 1 FOR UPDATE\n\nlocks t\n"
    );
    let lines = lines(&text, &named(OLD));
    let picture = &lines[2..];
    assert!(picture[0].starts_with("t "), "{picture:#?}");
    assert!(picture[1].starts_with("(table) "), "{picture:#?}");
    assert!(
        picture[2].starts_with("PRIMARY 1  X record [1]"),
        "{picture:#?}"
    );
    assert!(picture[2].ends_with("X record* [2]"), "{picture:#?}");
    assert!(
        picture[3].contains("UPDATE t SET v = 1 WHERE id = 1"),
        "{picture:#?}"
    );
}

#[test]
fn a_fork_goes_its_own_way() {
    let mut world = World::new(named(NEW), None, PurgeSetting::Drain);
    let run = |world: &mut World, sql: &str| {
        world.give("a", sql, &[]).unwrap();
        let ended = world.settle(&mut WakeOrder::default()).unwrap();
        ended.into_iter().next().unwrap().result.unwrap()
    };
    run(&mut world, "CREATE TABLE t (id INT PRIMARY KEY)");
    run(&mut world, "BEGIN");
    run(&mut world, "INSERT INTO t VALUES (1)");
    let mut fork = world.fork();
    run(&mut fork, "ROLLBACK");
    run(&mut world, "COMMIT");
    let count = |world: &mut World| run(world, "SELECT COUNT(*) FROM t").rows[0][0].to_int();
    assert_eq!(count(&mut world), Some(1));
    assert_eq!(count(&mut fork), Some(0));
}

/// A world after the set-up, and the sessions' statements.
fn program() -> (World, Program) {
    let mut world = World::new(named(OLD), None, PurgeSetting::Drain);
    for sql in [
        "CREATE TABLE t (id INT PRIMARY KEY, v INT)",
        "INSERT INTO t VALUES (1, 0), (2, 0)",
    ] {
        world.give("setup", sql, &[]).unwrap();
        world.settle(&mut WakeOrder::default()).unwrap();
    }
    let update = |v: u32, id: u32| format!("UPDATE t SET v = {v} WHERE id = {id}");
    let session = |name: &str, v: u32, first: u32, second: u32| {
        let statements = vec!["BEGIN".to_owned(), update(v, first), update(v, second)];
        (name.to_owned(), statements)
    };
    let sessions = vec![session("a", 1, 1, 2), session("b", 2, 2, 1)];
    (world, Program::new(sessions))
}

fn outcomes(found: &Exploration) -> Vec<&str> {
    let mut outcomes: Vec<&str> = found.outcomes.iter().map(|o| o.outcome.as_str()).collect();
    outcomes.sort_unstable();
    outcomes
}

#[test]
fn explorations_agree_with_one_another() {
    let (world, program) = program();
    let all = explore::explore(&world, &program, Bounds::default(), &mut |_, _| {}).unwrap();
    assert!(all.exhaustive);
    assert!(all.deadlocks.0 > 0.0 && all.deadlocks < all.schedules);
    for outcome in &all.outcomes {
        let again = explore::replay(&world, &program, &outcome.first).unwrap();
        assert_eq!(again, outcome.end, "{}", outcome.first);
    }
    let random = explore::random(&world, &program, 200, 7);
    assert_eq!(random.schedules.0, 200.0);
    let known = outcomes(&all);
    assert!(
        outcomes(&random)
            .iter()
            .all(|outcome| known.contains(outcome))
    );
    let few = Bounds {
        schedules_max: 3,
        ..Bounds::default()
    };
    let bounded = explore::explore(&world, &program, few, &mut |_, _| {}).unwrap();
    assert!(!bounded.exhaustive);
    assert!(
        outcomes(&bounded)
            .iter()
            .all(|outcome| known.contains(outcome))
    );
}

#[test]
fn a_schedule_must_fit_the_program() {
    let (world, program) = program();
    let error = explore::replay(&world, &program, "ax").unwrap_err();
    assert_eq!(error.to_string(), "`x` is no session");
    let error = explore::replay(&world, &program, &"a".repeat(100)).unwrap_err();
    assert!(error.to_string().ends_with("a cannot run"), "{error}");
}
