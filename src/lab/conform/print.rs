//! A disagreement as text, like a failed golden test: the conversation so far, then both sides.

use std::fmt::Write;

use super::facts::{LockFact, StepFacts};
use super::play::CaseScore;
use super::tally::what_differs;
use super::trace::{RecordedStep, Recording, Status};

/// Everything about the disagreement of a case at a step (from 0).
#[must_use]
pub fn disagreement(recording: &Recording, score: &CaseScore, index: usize) -> String {
    let steps = recording.accepted()[0];
    let mut text = format!(
        "{} on {}, {}, purge {:?}, step {}\n",
        recording.name,
        recording.server,
        recording.isolation,
        recording.purge,
        index + 1
    );
    for sql in &recording.setup {
        line(&mut text, &format!("       {sql};"));
    }
    for (number, step) in steps.iter().enumerate().take(index + 1) {
        let mark = if number == index { "=>" } else { "  " };
        line(
            &mut text,
            &format!(
                "  {mark} {:2} {}> {}   -- {}",
                number + 1,
                step.s,
                step.sql,
                recorded_result(step)
            ),
        );
    }
    let step = &steps[index];
    let at_first = recording.plans.get(&step.sql);
    let plan = if step.plan.is_empty() {
        at_first
    } else {
        Some(&step.plan)
    };
    if let Some(plan) = plan {
        for row in plan {
            line(
                &mut text,
                &format!(
                    "  plan: {} {} {}",
                    row.access.as_deref().unwrap_or("-"),
                    row.key.as_deref().unwrap_or("-"),
                    row.extra.as_deref().unwrap_or("")
                ),
            );
        }
    }
    line(&mut text, &format!("  {}", what_differs(score, index)));
    text.push_str(&lock_table(step, score, index));
    text
}

fn line(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

fn recorded_result(step: &RecordedStep) -> String {
    let facts = StepFacts::from(step);
    let mut text = match step.status {
        Status::Ok | Status::Error => facts.result.to_string(),
        Status::Blocked => "blocked".to_owned(),
        Status::Skipped => "skipped".to_owned(),
        Status::Unsettled => "unsettled".to_owned(),
    };
    for (session, wake) in &facts.woken {
        let _ = write!(text, "; {session}: {wake}");
    }
    text
}

/// The locks of both sides: `=` on both, `-` only on the server, `+` only in the engine.
fn lock_table(step: &RecordedStep, score: &CaseScore, index: usize) -> String {
    let reasons = &score.steps[index].reasons;
    let server = StepFacts::from(step).locks.unwrap_or_default();
    if reasons.is_empty() && server.is_empty() {
        return String::new();
    }
    let mut all: Vec<&LockFact> = server.iter().chain(reasons.keys()).collect();
    all.sort();
    all.dedup();
    let width = all.iter().map(|lock| lock.to_string().len()).max();
    let mut text = String::from("  locks (= both, - server only, + engine only)\n");
    for lock in all {
        let mark = match (server.contains(lock), reasons.get(lock)) {
            (true, Some(_)) => '=',
            (true, None) => '-',
            (false, _) => '+',
        };
        let why = reasons.get(lock).map(String::as_str).unwrap_or_default();
        let shown = lock.to_string();
        line(
            &mut text,
            format!(
                "    {mark} {shown:width$}  {why}",
                width = width.unwrap_or(0)
            )
            .trim_end(),
        );
    }
    text
}
