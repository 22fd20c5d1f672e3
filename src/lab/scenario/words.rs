//! The words of commands and of expected results.

use super::ast::{Command, PurgeSetting, Statement};
use super::error::Problem;

const MICROS_PER_SECOND: u64 = 1_000_000;

/// A duration such as `50s`, `200ms` or `2m`, in microseconds.
pub(super) fn duration(word: &str) -> Option<u64> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    let unit = match &word[digits.len()..] {
        "us" => 1,
        "ms" => 1_000,
        "s" => MICROS_PER_SECOND,
        "m" => 60 * MICROS_PER_SECOND,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// Reads a command from its line; none when the first word is no command.
pub(super) fn command(
    text: &str,
    plan_of: Option<(String, Statement)>,
) -> Option<Result<Command, Problem>> {
    let mut words = text.split_whitespace();
    let head = words.next()?;
    let rest: Vec<&str> = words.collect();
    let bad = |command, usage| Err(Problem::BadCommand { command, usage });
    Some(match (head, rest.as_slice()) {
        ("locks", []) => Ok(Command::Locks(None)),
        ("locks", [table]) => Ok(Command::Locks(Some((*table).to_owned()))),
        ("locks", _) => bad("locks", "write `locks` or `locks TABLE`"),
        ("plan", []) => Ok(Command::Plan(None)),
        ("plan", _) => match plan_of {
            Some(said) => Ok(Command::Plan(Some(said))),
            None => bad("plan", "write `plan` or `plan a> SQL`"),
        },
        ("purge", []) => Ok(Command::Purge),
        ("purge", ["hold"]) => Ok(Command::SetPurge(PurgeSetting::Hold)),
        ("purge", ["drain"]) => Ok(Command::SetPurge(PurgeSetting::Drain)),
        ("purge", _) => bad("purge", "write `purge`, `purge hold` or `purge drain`"),
        ("advance", [time]) if duration(time).is_some() => {
            Ok(Command::Advance(duration(time).unwrap_or_default()))
        }
        ("advance", _) => bad(
            "advance",
            "write a duration: `advance 50s`, `advance 200ms`",
        ),
        ("crash", []) => Ok(Command::Crash),
        ("recover", []) => Ok(Command::Recover),
        ("crash", _) => bad("crash", "`crash` takes nothing"),
        ("recover", _) => bad("recover", "`recover` takes nothing"),
        ("explore", rest) => explore(rest).map_or_else(
            || {
                bad(
                    "explore",
                    "write `explore all`, `explore a b` or `explore all preemptions 2`",
                )
            },
            Ok,
        ),
        ("replay", schedule) if !schedule.is_empty() => Ok(Command::Replay(schedule.join(" "))),
        ("replay", _) => bad("replay", "write the schedule: `replay aababb`"),
        ("random", rest) => {
            random(rest).map_or_else(|| bad("random", "write `random N seed S`"), Ok)
        }
        ("stress", rest) => {
            stress(rest).map_or_else(|| bad("stress", "write `stress threads N for 5s`"), Ok)
        }
        _ => return None,
    })
}

fn explore(words: &[&str]) -> Option<Command> {
    let (names, preemptions) = match words {
        [names @ .., "preemptions", most] => (names, Some(most.parse().ok()?)),
        names => (names, None),
    };
    let names = if names == ["all"] { &[] } else { names };
    Some(Command::Explore {
        sessions: names.iter().map(|name| (*name).to_owned()).collect(),
        preemptions,
    })
}

fn random(words: &[&str]) -> Option<Command> {
    let [count, "seed", seed] = words else {
        return None;
    };
    Some(Command::Random {
        count: count.parse().ok()?,
        seed: seed.parse().ok()?,
    })
}

fn stress(words: &[&str]) -> Option<Command> {
    let ["threads", threads, "for", time] = words else {
        return None;
    };
    Some(Command::Stress {
        threads: threads.parse().ok()?,
        micros: duration(time)?,
    })
}

/// The isolation level in SQL's words.
pub(super) fn isolation(words: &str) -> Result<String, Problem> {
    let level = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let level = level.to_ascii_uppercase();
    let known = [
        "READ UNCOMMITTED",
        "READ COMMITTED",
        "REPEATABLE READ",
        "SERIALIZABLE",
    ];
    if known.contains(&level.as_str()) {
        Ok(level)
    } else {
        Err(Problem::BadIsolation(words.trim().to_owned()))
    }
}

/// Checks an expected line of statements: `session: result` or `stuck`.
pub(super) fn expectation(text: &str) -> Result<(), Problem> {
    let bad = || Problem::BadExpectation(text.to_owned());
    if text == "stuck" {
        return Ok(());
    }
    let (session, result) = text.split_once(": ").ok_or_else(bad)?;
    let known_session = !session.is_empty()
        && session
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_');
    let result = result.strip_prefix("resumes, ").unwrap_or(result);
    let mut words = result.split([' ', ',']);
    let first = words.next().unwrap_or_default();
    let second = words.next().unwrap_or_default();
    let known_result = match first {
        "ok" | "timeout" | "stuck" => true,
        "waits" | "deadlock" => !second.is_empty(),
        "error" => second.parse::<u16>().is_ok(),
        count => count.parse::<u64>().is_ok() && matches!(second, "row" | "rows"),
    };
    if known_session && known_result {
        Ok(())
    } else {
        Err(bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("50s"), Some(50_000_000));
        assert_eq!(duration("200ms"), Some(200_000));
        assert_eq!(duration("50"), None);
        assert_eq!(duration("s"), None);
    }

    #[test]
    fn results_are_a_fixed_set_of_words() {
        for good in [
            "a: ok",
            "a: 1 row",
            "b: 2 rows (1, 10) (3, NULL)",
            "a: waits X insert-intention on events.PRIMARY at supremum, for b",
            "a: resumes, 2 rows",
            "a: deadlock a b, victim a, rolled back",
            "a: timeout",
            "a: error 1062 Duplicate entry",
            "stuck",
        ] {
            assert_eq!(expectation(good), Ok(()), "{good}");
        }
        for bad in ["a: fine", "a ok", "a: rows", "a: error"] {
            assert!(expectation(bad).is_err(), "{bad}");
        }
    }
}
