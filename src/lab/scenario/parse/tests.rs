use std::path::Path;

use super::super::ast::Command;
use super::*;

const EXAMPLE: &str = "\
# A story.
profile mysql-5.6 mysql-5.7.37
isolation repeatable read
setup
  CREATE TABLE events (id BIGINT AUTO_INCREMENT PRIMARY KEY,
                       k INT UNIQUE);   # a note
  INSERT INTO events (k) VALUES (10); INSERT INTO events (k) VALUES (20);
  a> BEGIN    b> BEGIN

a> INSERT INTO events (k) VALUES (30)   # new
     ON DUPLICATE KEY UPDATE k = 1
b> COMMIT
---- mysql-5.6
a: 1 row
b: ok
---- mysql-5.7.37
# why it waits
a: waits X insert-intention on events.PRIMARY at supremum, for b

locks events            # the lock picture
advance 50s

explore all
";

fn read(text: &str) -> Result<Scenario, ScenarioError> {
    parse(Path::new("x.scn"), text)
}

#[test]
fn the_example_is_read() {
    let scenario = read(EXAMPLE).unwrap();
    let profiles: Vec<&str> = scenario.profiles.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(profiles, ["mysql-5.6", "mysql-5.7.37"]);
    assert_eq!(scenario.isolation.as_deref(), Some("REPEATABLE READ"));
    let act = &scenario.acts[0];
    assert_eq!(act.setup.len(), 5);
    assert_eq!(act.sessions(), ["a", "b"]);
    let first = &act.statements_of("a")[0];
    assert_eq!(
        first.sql,
        "INSERT INTO events (k) VALUES (30)\n     ON DUPLICATE KEY UPDATE k = 1"
    );
    assert_eq!(
        first.place,
        Place {
            line: 10,
            column: 4
        }
    );
    assert_eq!(
        first.place.within(2, 6),
        Place {
            line: 11,
            column: 6
        }
    );
    assert_eq!(
        act.blocks[0].section("mysql-5.7.37").unwrap().lines.len(),
        1
    );
    assert!(matches!(
        &act.blocks[1].inputs[1],
        Input::Command(Command::Advance(50_000_000), _)
    ));
}

#[test]
fn variants_are_acts_of_their_own() {
    let text = "# s\nprofile mysql-5.6\n\nvariant one\na> BEGIN\n\nvariant two\nload\n  BEGIN; COMMIT;\n\na> BEGIN\n";
    let scenario = read(text).unwrap();
    let names: Vec<_> = scenario
        .acts
        .iter()
        .map(|act| act.name.as_deref())
        .collect();
    assert_eq!(names, [Some("one"), Some("two")]);
    assert_eq!(scenario.acts[1].load.len(), 2);
}

#[test]
fn errors_say_where_what_and_what_to_do() {
    let cases = [
        ("sleep 5\n", "x.scn:1:1: `sleep` begins no kind of line"),
        (
            "  a> BEGIN\n",
            "x.scn:1:3: an indented line that continues nothing",
        ),
        (
            "a> BEGIN\n----\na: fine\n",
            "x.scn:3:1: `a: fine` is no result",
        ),
        ("----\n", "x.scn:1:1: an expectation with no input above it"),
        (
            "a> BEGIN\n\nprofile mysql-5.6\n",
            "x.scn:3:1: `profile` belongs before the conversation",
        ),
        (
            "isolation often\n",
            "x.scn:1:11: `often` is no isolation level",
        ),
        (
            "setup\n  CREATE TABLE t (id INT)\n",
            "x.scn:2:3: the statement does not end in `;`",
        ),
        (
            "advance soon\n",
            "x.scn:1:1: the words after `advance` don't fit",
        ),
        (
            "profile p\n\na> BEGIN\n---- q\na: ok\n",
            "x.scn:4:6: the file is not played under profile `q`",
        ),
        (
            "a> BEGIN\n----\na: ok\n----\na: ok\n",
            "x.scn:4:1: this block has two expectations for all other profiles",
        ),
    ];
    for (text, message) in cases {
        let error = read(text).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(error.advice().is_some(), "{message}");
    }
}

/// Pieces of scenario files, good and bad.
fn piece() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    prop_oneof![
        Just("profile p q".to_owned()),
        Just("setup".to_owned()),
        Just("load".to_owned()),
        Just("  INSERT INTO t VALUES ('x;#');  # note".to_owned()),
        Just("  a> BEGIN    b> BEGIN".to_owned()),
        Just("a> UPDATE t SET v = 1".to_owned()),
        Just("    WHERE id = 2".to_owned()),
        Just("---- p".to_owned()),
        Just("----".to_owned()),
        Just("a: 1 row (1, 'x')  # why".to_owned()),
        Just("locks t".to_owned()),
        Just("variant v".to_owned()),
        Just(String::new()),
        Just("# comment".to_owned()),
        "[a-z>:# '\u{e9}-]{0,12}",
    ]
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused_at_a_place(lines in proptest::collection::vec(piece(), 0..20)) {
        let text = lines.join("\n");
        if let Err(error) = read(&text) {
            proptest::prop_assert!(error.place.line >= 1 && error.place.column >= 1);
            proptest::prop_assert!(error.place.line <= lines.len());
        }
    }

    #[test]
    fn accepting_what_is_expected_changes_nothing(lines in proptest::collection::vec(piece(), 0..20)) {
        let text = lines.join("\n");
        let Ok(scenario) = read(&text) else { return Ok(()) };
        let mut outputs = Vec::new();
        for (act, parsed) in scenario.acts.iter().enumerate() {
            for (block, parsed) in parsed.blocks.iter().enumerate() {
                for (profile, _) in &scenario.profiles {
                    let Some(section) = parsed.section(profile) else { continue };
                    let lines = section.lines.iter().map(|line| line.text.clone()).collect();
                    let profile = profile.clone();
                    outputs.push(super::super::BlockOutput { act, block, profile, lines });
                }
            }
        }
        proptest::prop_assert_eq!(super::super::accept(&scenario, &outputs), text);
    }

    /// Whatever was seen, the file that says so is read again and expects just that.
    #[test]
    fn accepted_output_is_expected_afterwards(
        lines in proptest::collection::vec(piece(), 0..20),
        seen in proptest::collection::vec("a: [1-3] rows", 1..4),
    ) {
        let Ok(scenario) = read(&lines.join("\n")) else { return Ok(()) };
        let mut outputs = Vec::new();
        for (act, parsed) in scenario.acts.iter().enumerate() {
            for block in 0..parsed.blocks.len() {
                for (number, (profile, _)) in scenario.profiles.iter().enumerate() {
                    let lines = seen[..1 + number % seen.len()].to_vec();
                    let profile = profile.clone();
                    outputs.push(super::super::BlockOutput { act, block, profile, lines });
                }
            }
        }
        let accepted = super::super::accept(&scenario, &outputs);
        let again = read(&accepted).map_err(|error| {
            proptest::test_runner::TestCaseError::fail(format!("{error}\n{accepted}"))
        })?;
        for output in &outputs {
            let section = again.acts[output.act].blocks[output.block].section(&output.profile);
            let section = section.expect("every block has expectations now");
            let matches = super::super::accept::section_matches(section, &output.lines);
            proptest::prop_assert!(matches, "{accepted}");
        }
    }
}
