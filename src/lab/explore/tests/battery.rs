//! Reduced and plain search must agree: in outcomes, in facts, and in numbers of schedules.
//!
//! `GAPLOCK_BATTERY` says how many programs to play: 1000 in CI, 10000 by hand.

use std::collections::BTreeMap;

use gaplock_engine::profile;

use super::super::super::fuzz;
use super::super::super::prepare::Prepared;
use super::super::super::shrink::Case;
use super::super::super::world::World;
use super::super::actors::{Parts, Program};
use super::super::search::{Mistake, Search};
use super::super::{
    Bounds, Coverage, Exploration, Granularity, Rules, certify, explore, explore_certified,
    explore_plain,
};

/// A drawn program under the profile whose turn it is.
struct Drawn {
    world: World,
    program: Program,
    story: String,
}

fn draw(number: u64) -> Drawn {
    let names = profile::names();
    let profile = profile::find(names[number as usize % names.len()]).unwrap();
    let drawn = fuzz::draw(number);
    let Prepared { world, program } = drawn.case.prepare(&profile, drawn.rules).unwrap();
    Drawn {
        world,
        program,
        story: format!("program {number} under {}: {drawn:#?}", profile.name),
    }
}

/// Programs whose plain search takes longer are drawn anew.
const PLAIN_MAX: u64 = 2_000;

/// What a search found, comparable.
#[derive(Debug, PartialEq)]
struct Found {
    outcomes: BTreeMap<String, u64>,
    cycles: Vec<String>,
    waits: Vec<String>,
    deadlocks: u64,
    stuck: u64,
}

fn found(of: &Exploration) -> Found {
    let outcomes = of.outcomes.iter();
    let sorted = |findings: &[super::super::Finding]| {
        let mut all: Vec<String> = findings.iter().map(|f| f.what.clone()).collect();
        all.sort_unstable();
        all
    };
    Found {
        outcomes: outcomes
            .map(|o| (o.outcome.clone(), o.schedules.0 as u64))
            .collect(),
        cycles: sorted(&of.cycles),
        waits: sorted(&of.waits),
        deadlocks: of.deadlocks.0 as u64,
        stuck: of.stuck.0 as u64,
    }
}

fn programs() -> u64 {
    let asked = std::env::var("GAPLOCK_BATTERY").ok();
    asked.and_then(|count| count.parse().ok()).unwrap_or(120)
}

#[derive(Default)]
struct Tally {
    played: u64,
    redrawn: u64,
    with_deadlock: u64,
    schedules: u64,
    states: u64,
    steps: u64,
    commuting: u64,
}

/// Plays one program both ways; none if its plain search is too long. What the reduced search counts
/// spares beginning those that are longer by far.
fn both(drawn: &Drawn) -> Option<(Exploration, Exploration)> {
    let bounds = Bounds {
        schedules_max: PLAIN_MAX,
        ..Bounds::default()
    };
    let reduced = explore(&drawn.world, &drawn.program, bounds, &mut |_, _| {}).unwrap();
    let far = 2.0 * PLAIN_MAX as f64;
    if reduced.coverage != Coverage::Everything || reduced.schedules.0 > far {
        return None;
    }
    let plain = explore_plain(&drawn.world, &drawn.program, PLAIN_MAX);
    (plain.coverage == Coverage::Everything).then_some((plain, reduced))
}

#[test]
fn reduced_and_plain_search_agree() {
    let mut tally = Tally::default();
    let wanted = programs();
    for number in 1.. {
        if tally.played == wanted {
            break;
        }
        let drawn = draw(number);
        let Some((plain, reduced)) = both(&drawn) else {
            tally.redrawn += 1;
            continue;
        };
        tally.played += 1;
        tally.with_deadlock += u64::from(plain.deadlocks.0 > 0.0);
        tally.schedules += plain.schedules.0 as u64;
        tally.states += reduced.work.states;
        tally.steps += reduced.work.steps;
        tally.commuting += reduced.work.commuting;
        assert_eq!(found(&plain), found(&reduced), "{}", drawn.story);
        for outcome in &reduced.outcomes {
            let again = super::super::replay(&drawn.world, &drawn.program, &outcome.first);
            assert_eq!(again.unwrap(), outcome.end, "{}", drawn.story);
        }
    }
    let Tally {
        played,
        redrawn,
        with_deadlock,
        schedules,
        states,
        steps,
        commuting,
    } = tally;
    eprintln!(
        "{played} programs ({redrawn} redrawn), {with_deadlock} with a deadlock, {schedules} \
         schedules; {states} states, {steps} steps taken, {commuting} known"
    );
    assert!(with_deadlock * 30 > played, "the programs hardly ever meet");
}

/// Drawn programs that each search with a mistake gets.
const MISTAKEN_PROGRAMS: u64 = 60;

/// Programs made to meet what chance meets seldom: a snapshot taken on one table while another
/// table's writer commits; a circle through two tables.
fn made() -> Vec<Drawn> {
    let case = |a: &str, b: &str| {
        let split = |said: &str| said.split("; ").map(str::to_owned).collect();
        Case {
            isolation: "repeatable read".to_owned(),
            setup: vec![
                "CREATE TABLE t (id INT PRIMARY KEY, v INT)".to_owned(),
                "CREATE TABLE s (id INT PRIMARY KEY, v INT)".to_owned(),
                "INSERT INTO t VALUES (1, 0)".to_owned(),
                "INSERT INTO s VALUES (1, 0)".to_owned(),
            ],
            sessions: vec![("a".to_owned(), split(a)), ("b".to_owned(), split(b))],
        }
    };
    let cases = [
        case(
            "BEGIN; SELECT * FROM s; SELECT * FROM t",
            "BEGIN; UPDATE t SET v = 1",
        ),
        case(
            "BEGIN; UPDATE t SET v = 1; UPDATE s SET v = 1",
            "BEGIN; UPDATE s SET v = 2; UPDATE t SET v = 2",
        ),
    ];
    let rules = Rules {
        granularity: Granularity::Statement,
        ..Rules::default()
    };
    let profile = profile::find("mysql-5.6").unwrap();
    let drawn = cases.iter().map(|case| {
        let Prepared { world, program } = case.prepare(&profile, rules).unwrap();
        let story = format!("{case:#?}");
        Drawn {
            world,
            program,
            story,
        }
    });
    drawn.collect()
}

/// Whether a search that makes this mistake is found out by some program.
fn is_caught(mistake: Mistake) -> bool {
    let mut programs = made().into_iter().chain((1..=MISTAKEN_PROGRAMS).map(draw));
    programs.any(|drawn| {
        let Some((plain, right)) = both(&drawn) else {
            return false;
        };
        assert_eq!(found(&plain), found(&right), "{}", drawn.story);
        let bounds = Bounds::default();
        let mut search = Search::new(&drawn.world, &drawn.program, bounds, false).mistaken(mistake);
        let complete = search.run(&drawn.world, &mut |_, _| {}).unwrap();
        assert!(complete, "{}", drawn.story);
        let wrong = search.finish(&drawn.world, Coverage::Everything);
        found(&wrong) != found(&right)
    })
}

#[test]
fn mistakes_in_the_reduction_are_caught() {
    let without = |progress, results, database| {
        Mistake::Without(Parts {
            progress,
            results,
            database,
        })
    };
    for mistake in [
        Mistake::TablesForgotten,
        Mistake::ViewsForgotten,
        Mistake::WaitsForgotten,
        without(true, false, true),
        without(true, true, false),
        // How many results there are tells how far a session is: only both together are missed.
        without(false, false, true),
    ] {
        assert!(is_caught(mistake), "{mistake:?} goes unnoticed");
    }
}

#[test]
fn certificates_are_confirmed_and_forgeries_are_not() {
    let (mut confirmed, mut refused) = (0, 0);
    for number in 1..=40 {
        let drawn = draw(number);
        let mut file = Vec::new();
        let bounds = Bounds {
            schedules_max: 500,
            ..Bounds::default()
        };
        let Drawn { world, program, .. } = &drawn;
        let out: &mut dyn std::io::Write = &mut file;
        let found = explore_certified(world, program, bounds, &mut |_, _| {}, Some(out)).unwrap();
        if found.coverage != Coverage::Everything {
            continue;
        }
        let done = certify(world, program, &mut file.as_slice()).unwrap();
        assert_eq!(done.states, found.work.states, "{}", drawn.story);
        assert_eq!(done.steps, found.work.steps + found.work.commuting);
        assert_eq!(done.deadlocks > 0, found.deadlocks.0 > 0.0);
        confirmed += 1;
        for forged in forgeries(&String::from_utf8(file).unwrap()) {
            assert!(certify(world, program, &mut forged.as_bytes()).is_err());
            refused += 1;
        }
    }
    eprintln!("{confirmed} certificates confirmed, {refused} forgeries refused");
    assert!(confirmed > 10);
}

/// The last state left out; the second state's first step left out; a step that leads elsewhere.
fn forgeries(certificate: &str) -> Vec<String> {
    let lines: Vec<&str> = certificate.lines().collect();
    let shorter = lines[..lines.len() - 1].join("\n");
    let with_second = |second: String| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        lines[1] = second;
        lines.join("\n")
    };
    let first = lines[1];
    let steps = first.find("\"steps\":[").unwrap();
    let end = steps + first[steps..].find('}').unwrap();
    let without = format!(
        "{}{}",
        &first[..steps + 9],
        first[end + 1..].trim_start_matches(',')
    );
    let elsewhere = first.replacen("\"to\":1", "\"to\":0", 1);
    vec![shorter, with_second(without), with_second(elsewhere)]
}
