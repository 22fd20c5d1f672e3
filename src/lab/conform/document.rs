//! The agreement as Markdown, and its place in a document between two marks.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::agreement::{Agreement, Counts, KINDS, ServerAgreement, Steps};
use super::explained::{Class, Explained};

/// The line before the generated part.
pub const BEGIN: &str = "<!-- agreement: written by `gaplock conform --table`, not by hand -->";

/// The line after it.
pub const END: &str = "<!-- agreement: end -->";

/// A document without its marks, or with them in the wrong order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the document has no part between the lines '{BEGIN}' and '{END}'")]
pub struct NoMarks;

/// The document with its generated part replaced.
///
/// # Errors
/// It has no such part.
pub fn replace(document: &str, generated: &str) -> Result<String, NoMarks> {
    let (before, rest) = document.split_once(BEGIN).ok_or(NoMarks)?;
    let (_, after) = rest.split_once(END).ok_or(NoMarks)?;
    Ok(format!("{before}{BEGIN}\n\n{generated}\n{END}{after}"))
}

/// The generated part.
#[must_use]
pub fn render(agreement: &Agreement, explained: &Explained) -> String {
    let mut text = String::new();
    by_server(&mut text, agreement, explained);
    by_kind(&mut text, agreement);
    by_cause(&mut text, agreement, explained);
    planner(&mut text, agreement);
    plan_misses(&mut text, agreement);
    text.trim_end().to_owned() + "\n"
}

/// A share in per cent, rounded down: 100.00 is said of all and nothing less.
fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    let hundredths = part * 10_000 / whole;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn heading(text: &mut String, title: &str, columns: &[&str]) {
    let rule: Vec<&str> = columns.iter().map(|_| "---").collect();
    line(text, &format!("### {title}\n"));
    line(text, &format!("| {} |", columns.join(" | ")));
    line(text, &format!("|{}|", rule.join("|")));
}

fn line(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

fn by_server(text: &mut String, agreement: &Agreement, explained: &Explained) {
    let columns = [
        "server",
        "cases",
        "steps",
        "outcome agrees, %",
        "locks agree, %",
        "steps that differ (outcome, locks)",
        "without the cases set apart, %",
        "other wake order",
    ];
    heading(text, "Locks, by server", &columns);
    for (name, server) in &agreement.servers {
        let counts = server.counts();
        let differ = counts.disagree();
        let apart = set_apart(name, server, explained);
        line(
            text,
            &format!(
                "| {name} | {} | {} | {} | {} | {}, {} | {} | {} |",
                counts.cases,
                counts.steps,
                share(counts.outcome_agree, counts.steps),
                share(counts.locks_agree, counts.locks_compared),
                differ.outcome,
                differ.locks,
                both(&Counts {
                    outcome_agree: counts.outcome_agree + apart.outcome,
                    locks_agree: counts.locks_agree + apart.locks,
                    ..counts
                }),
                counts.other_order,
            ),
        );
    }
    line(text, "");
}

/// Steps that disagree in cases which are set apart.
fn set_apart(name: &str, server: &ServerAgreement, explained: &Explained) -> Steps {
    let mut apart = Steps::default();
    for (case, steps) in &server.disagreeing {
        if explained.class_of(name, case).is_some_and(|c| c.set_apart) {
            apart += *steps;
        }
    }
    apart
}

fn both(counts: &Counts) -> String {
    format!(
        "{}, {}",
        share(counts.outcome_agree, counts.steps),
        share(counts.locks_agree, counts.locks_compared)
    )
}

fn by_kind(text: &mut String, agreement: &Agreement) {
    let columns = ["server", "min", "regime", "hand", "random"];
    heading(
        text,
        "By kind of case: outcome and locks agree, %, and steps that differ",
        &columns,
    );
    for (name, server) in &agreement.servers {
        let cells: Vec<String> = KINDS
            .iter()
            .map(|kind| {
                server.counts_of(kind).map_or_else(
                    || "-".to_owned(),
                    |counts| {
                        let differ = counts.disagree();
                        format!("{} ({}, {})", both(&counts), differ.outcome, differ.locks)
                    },
                )
            })
            .collect();
        line(text, &format!("| {name} | {} |", cells.join(" | ")));
    }
    line(text, "");
}

fn by_cause(text: &mut String, agreement: &Agreement, explained: &Explained) {
    let columns = ["cause", "cases", "steps in outcome", "steps in locks"];
    heading(text, "What differs, by cause", &columns);
    for class in &explained.classes {
        let (cases, steps) = held_by(class, agreement);
        let apart = if class.set_apart { ", set apart" } else { "" };
        line(
            text,
            &format!(
                "| {}{apart} | {cases} | {} | {} |",
                class.name, steps.outcome, steps.locks
            ),
        );
    }
    line(text, "");
    for class in &explained.classes {
        let cases: Vec<String> = class
            .cases
            .iter()
            .map(|(server, cases)| format!("{server}: {}", cases.join(", ")))
            .collect();
        line(text, &format!("**{}.** {}", class.name, class.why.trim()));
        line(text, &format!("({})\n", cases.join("; ")));
    }
}

fn held_by(class: &Class, agreement: &Agreement) -> (usize, Steps) {
    let (mut cases, mut steps) = (0, Steps::default());
    for (server, names) in &class.cases {
        for name in names {
            let known = agreement.servers.get(server);
            if let Some(more) = known.and_then(|known| known.disagreeing.get(name)) {
                cases += 1;
                steps += *more;
            }
        }
    }
    (cases, steps)
}

fn planner(text: &mut String, agreement: &Agreement) {
    let columns = ["server", "statements explained", "same path", "%"];
    heading(text, "Planner, by server", &columns);
    for (name, server) in &agreement.servers {
        let score = &server.planner;
        line(
            text,
            &format!(
                "| {name} | {} | {} | {} |",
                score.compared,
                score.agreed,
                share(score.agreed, score.compared)
            ),
        );
    }
    line(text, "");
}

/// The differences of plans, those of all servers together, most frequent first.
fn plan_misses(text: &mut String, agreement: &Agreement) {
    let mut misses: BTreeMap<(&str, &str), (u64, Vec<&str>)> = BTreeMap::new();
    for (name, server) in &agreement.servers {
        for (miss, (count, _)) in &server.planner.misses {
            let entry = misses.entry((&miss.server, &miss.ours)).or_default();
            entry.0 += count;
            entry.1.push(name);
        }
    }
    let mut misses: Vec<_> = misses.into_iter().collect();
    misses.sort_by_key(|((server, ours), (count, _))| (std::cmp::Reverse(*count), *server, *ours));
    let columns = ["the server's plan", "ours", "statements", "servers"];
    heading(text, "Plans that differ", &columns);
    for ((server, ours), (count, names)) in misses {
        line(
            text,
            &format!("| {server} | {ours} | {count} | {} |", names.join(", ")),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_down() {
        assert_eq!(share(9999, 10_000), "99.99");
        assert_eq!(share(99_999, 100_000), "99.99");
        assert_eq!(share(7, 7), "100.00");
        assert_eq!(share(0, 0), "-");
    }

    #[test]
    fn only_the_part_between_the_marks_is_replaced() {
        let document = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let written = replace(&document, "new\n").unwrap();
        assert_eq!(written, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert_eq!(replace(&written, "new\n").unwrap(), written);
        assert_eq!(replace("nothing", "new"), Err(NoMarks));
    }
}
