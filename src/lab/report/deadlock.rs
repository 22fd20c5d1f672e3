//! A deadlock explained: the cycle, what each member wanted, who held what, and which statement
//! took each lock and why. The last is what no server shows: its report has the statement that runs
//! now, not the earlier one that took the lock in the way.

use std::fmt::Write;

use gaplock_engine::db::{Deadlock, DeadlockPart, Engine, LockRow};

use super::super::text;
use super::super::world::World;

/// Most record locks listed for one member.
const HOLDS_MAX: usize = 12;

/// The report's text, several lines.
#[must_use]
pub fn explain(world: &World, deadlock: &Deadlock) -> String {
    let name = |trx| world.owner(trx).unwrap_or("?");
    let mut text = String::from("DEADLOCK  ");
    let count = deadlock.members.len();
    for (at, member) in deadlock.members.iter().enumerate() {
        let next = &deadlock.members[(at + 1) % count];
        let comma = if at == 0 { "" } else { ", " };
        let _ = write!(
            text,
            "{comma}{} waits for {}",
            name(member.trx),
            name(next.trx)
        );
    }
    let _ = writeln!(text, "; victim {}", name(deadlock.victim));
    if deadlock.members.is_empty() {
        text.push_str("  The search was cut off by its limits; the cycle is not known.\n");
    }
    for (at, member) in deadlock.members.iter().enumerate() {
        let next = &deadlock.members[(at + 1) % count];
        explain_member(&mut text, world, member, name(next.trx));
    }
    text
}

fn explain_member(text: &mut String, world: &World, member: &DeadlockPart, next: &str) {
    let engine = &world.server().engine;
    let me = world.owner(member.trx).unwrap_or("?");
    let statement = member.statements.last().map_or("(nothing)", |sql| &**sql);
    let _ = writeln!(
        text,
        "  {me} (weight {}) runs: {}",
        member.weight,
        one_line(statement)
    );
    lock_lines(text, engine, &format!("{me} wants"), &member.wanted);
    lock_lines(text, engine, &format!("{next} has"), &member.blocked_by);
    let records: Vec<&LockRow> = member.holds.iter().filter(|l| l.key.is_some()).collect();
    for lock in records.iter().take(HOLDS_MAX) {
        lock_lines(text, engine, &format!("{me} holds"), lock);
    }
    if let Some(more) = records
        .len()
        .checked_sub(HOLDS_MAX)
        .filter(|more| *more > 0)
    {
        let _ = writeln!(text, "    and {more} more record locks");
    }
}

fn lock_lines(text: &mut String, engine: &Engine, who: &str, lock: &LockRow) {
    let shown = text::lock(engine, lock);
    let _ = writeln!(text, "    {who:<9} {shown}");
    let _ = writeln!(text, "      {}", why(lock));
}

/// Which statement took the lock, at which step, and the access rule's reason.
#[must_use]
pub fn why(lock: &LockRow) -> String {
    let statement = lock.statement.as_deref().unwrap_or("(unknown)");
    let reason = lock
        .reason
        .map_or("(unknown reason)", |reason| reason.text());
    format!("{reason}; step {} of: {}", lock.step, one_line(statement))
}

fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}
