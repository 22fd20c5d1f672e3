//! One case on a real server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use mysql::prelude::Queryable;

use super::super::conform::case::{Case, CaseStep};
use super::super::conform::trace::{
    PurgeMode, RecordedKey, RecordedLock, RecordedStep, RecordedWake, Recording, Status, Weight,
};
use super::error::LiveError;
use super::explain;
use super::keys::Keys;
use super::locks;
use super::purge;
use super::server::{LiveServer, guard};
use super::session::{Answer, Reply, Seat};
use super::status::{Report, StatusTrx};

/// How long an answer is waited for before the server is asked who waits.
const ANSWER_WAIT: Duration = Duration::from_millis(2);

/// Looks at the server after which a step is given up.
const LOOKS_MAX: u32 = 5_000;

/// Plays a case and writes down what the server did.
///
/// # Errors
/// The server refuses the set-up, or fails. A case that does not settle is recorded as bad.
pub fn record(server: &mut LiveServer, case: &Case) -> Result<Recording, LiveError> {
    for sql in case
        .setup
        .iter()
        .chain(case.steps.iter().map(|step| &step.sql))
    {
        guard(sql)?;
    }
    let base = set_up(server, case)?;
    let plans = explain::plans(server, case)?;
    let (tables, columns) = server.catalog()?;
    let keys = Keys::of_catalog(&tables, &columns, base);
    let mut recording = Recording {
        name: case.name.clone(),
        server: server.profile().to_owned(),
        version: server.version().to_owned(),
        isolation: case.isolation.clone(),
        purge: case.purge,
        setup: case.setup.clone(),
        deterministic: None,
        plans,
        steps: Vec::new(),
        variants: Vec::new(),
        bad: None,
    };
    let mut player = Player::new(server, keys, case)?;
    let played = player.steps(case, &mut recording);
    player.leave()?;
    played.map(|()| recording)
}

/// Creates the case's tables; gives the row id before the first one that they can get.
fn set_up(server: &mut LiveServer, case: &Case) -> Result<u64, LiveError> {
    server.empty_schema()?;
    let keyless = |sql: &String| {
        let sql = sql.to_ascii_uppercase();
        sql.starts_with("CREATE TABLE") && !sql.contains("PRIMARY KEY")
    };
    let base = if case.setup.iter().any(keyless) {
        last_row_id(server)?
    } else {
        0
    };
    for sql in &case.setup {
        server
            .admin
            .query_drop(sql)
            .map_err(|error| LiveError::Setup {
                case: case.name.clone(),
                sql: sql.clone(),
                what: error.to_string(),
            })?;
    }
    purge::drain(server)?;
    Ok(base)
}

/// The row id that was given out last, read from the lock on a row that just got it.
fn last_row_id(server: &mut LiveServer) -> Result<u64, LiveError> {
    let own = server.own.clone();
    server.run(&format!("INSERT INTO {own}.probe VALUES (1)"))?;
    server.run("BEGIN")?;
    let _: Vec<u64> = server.rows(&format!("SELECT n FROM {own}.probe FOR UPDATE"))?;
    let keys = Keys::of_catalog(&["probe".to_owned()], &[], 0);
    let report = server.report()?;
    let connection = server.admin.connection_id();
    let mut trxs = report.trxs.iter();
    let listed = match trxs.find(|trx| trx.connection == Some(connection)) {
        Some(trx) => locks_of(server, &own, &keys, &[("probe".to_owned(), trx)])?.0,
        None => Vec::new(),
    };
    server.run("ROLLBACK")?;
    let numbered = |lock: &RecordedLock| match &lock.key {
        Some(RecordedKey::Columns(values)) => {
            let id: Option<u64> = values.last()?.as_str()?.strip_prefix('#')?.parse().ok();
            id
        }
        _ => None,
    };
    let id = listed.iter().filter_map(numbered).max();
    id.ok_or_else(|| LiveError::Status {
        what: "the lock on a row without a key is not listed".to_owned(),
    })
}

/// The locks of these transactions; and whether some are missing.
fn locks_of(
    server: &mut LiveServer,
    schema: &str,
    keys: &Keys,
    trxs: &[(String, &StatusTrx)],
) -> Result<(Vec<RecordedLock>, bool), LiveError> {
    let (mut found, mut cut) = (Vec::new(), false);
    if server.lists_data_locks {
        for row in server.data_locks(schema)? {
            let Some((session, _)) = trxs.iter().find(|(_, trx)| trx.id == row.trx) else {
                continue;
            };
            match locks::of_row(session, &row, keys) {
                Some(lock) => found.push(lock),
                None => cut = true,
            }
        }
    } else {
        for (session, trx) in trxs {
            let (locks, some_missing) = locks::of_status(session, trx, schema, keys);
            found.extend(locks);
            cut |= some_missing;
        }
    }
    found.sort_by_cached_key(order);
    found.dedup_by_key(|lock| order(lock));
    Ok((found, cut))
}

/// The order of locks in recordings; equal locks are listed once.
fn order(lock: &RecordedLock) -> (String, String, Option<String>, String) {
    let rest = format!(
        "{:?} {:?} {} {:?}",
        lock.key, lock.kind, lock.mode, lock.status
    );
    (
        lock.session.clone(),
        lock.table.clone(),
        lock.index.clone(),
        rest,
    )
}

struct Player<'a> {
    server: &'a mut LiveServer,
    keys: Keys,
    seats: BTreeMap<String, Seat>,
    replies: Receiver<Reply>,
    /// Keeps a snapshot, so that purge can do nothing.
    holder: Option<mysql::Conn>,
    drains: bool,
    /// History and the oldest read view when purge was last waited for.
    drained: Option<Drained>,
    deadlock: Option<String>,
}

type Drained = (u64, Option<u64>);

/// What one step brought.
#[derive(Default)]
struct Answers {
    by_session: BTreeMap<String, Answer>,
    /// It did not come to rest.
    unsettled: bool,
}

impl<'a> Player<'a> {
    fn new(server: &'a mut LiveServer, keys: Keys, case: &Case) -> Result<Player<'a>, LiveError> {
        let (sender, replies) = mpsc::channel();
        let mut seats = BTreeMap::new();
        let isolation = format!("SET SESSION TRANSACTION ISOLATION LEVEL {}", case.isolation);
        for name in case.sessions() {
            let mut connection = server.session()?;
            connection
                .query_drop(&isolation)
                .map_err(|error| LiveError::of(&isolation, &error))?;
            seats.insert(name.to_owned(), Seat::new(name, connection, sender.clone()));
        }
        let holder = match case.purge {
            PurgeMode::Hold => Some(snapshot(server)?),
            PurgeMode::Drain => None,
        };
        let deadlock = server.report()?.deadlock;
        Ok(Player {
            server,
            keys,
            seats,
            replies,
            holder,
            drains: case.purge == PurgeMode::Drain,
            drained: None,
            deadlock,
        })
    }

    fn steps(&mut self, case: &Case, recording: &mut Recording) -> Result<(), LiveError> {
        for step in &case.steps {
            self.server.check_stop()?;
            let recorded = self.step(step)?;
            let unsettled = recorded.status == Status::Unsettled;
            recording.steps.push(recorded);
            if unsettled {
                recording.bad = Some(format!("step {} did not settle", recording.steps.len()));
                return Ok(());
            }
        }
        Ok(())
    }

    fn step(&mut self, step: &CaseStep) -> Result<RecordedStep, LiveError> {
        let mut recorded = RecordedStep {
            s: step.s.clone(),
            sql: step.sql.clone(),
            status: Status::Skipped,
            code: None,
            msg: None,
            affected: None,
            rows: None,
            woken: BTreeMap::new(),
            waiting: BTreeSet::new(),
            locks: None,
            locks_truncated: false,
            weights: None,
            deadlock_text: None,
            plan: Vec::new(),
        };
        if self.seats[&step.s].busy {
            recorded.waiting = self.busy();
            return Ok(recorded);
        }
        recorded.plan = explain::plan_now(self.server, &step.sql)?;
        let seat = self
            .seats
            .get_mut(&step.s)
            .expect("every session has a seat");
        seat.give(&step.sql);
        let answers = self.settle()?;
        note_answers(answers, &mut recorded);
        recorded.waiting = self.busy();
        if recorded.status != Status::Unsettled {
            self.look(&mut recorded)?;
        }
        Ok(recorded)
    }

    /// The sessions whose statements have not ended.
    fn busy(&self) -> BTreeSet<String> {
        let busy = self.seats.iter().filter(|(_, seat)| seat.busy);
        busy.map(|(name, _)| name.clone()).collect()
    }

    /// Waits until every statement has ended or waits, and purge is done.
    fn settle(&mut self) -> Result<Answers, LiveError> {
        let mut answers = Answers::default();
        let mut woken_before = usize::MAX;
        loop {
            if !self.settle_statements(&mut answers)? {
                answers.unsettled = true;
                return Ok(answers);
            }
            // Purge may let somebody go on, who may then give it more to do.
            if answers.by_session.len() == woken_before || !self.drain()? {
                return Ok(answers);
            }
            woken_before = answers.by_session.len();
        }
    }

    /// False when it does not come to rest.
    fn settle_statements(&mut self, answers: &mut Answers) -> Result<bool, LiveError> {
        let mut before: Option<BTreeSet<u32>> = None;
        for _ in 0..LOOKS_MAX {
            self.server.check_stop()?;
            if self.take_replies(answers)? {
                before = None;
            }
            if self.seats.values().all(|seat| !seat.busy) {
                return Ok(true);
            }
            let waiters = self.waiters()?;
            if waiters.is_some() && waiters == before {
                return Ok(true);
            }
            before = waiters;
        }
        Ok(false)
    }

    /// Takes answers as long as there are some; false when there was none.
    fn take_replies(&mut self, answers: &mut Answers) -> Result<bool, LiveError> {
        let mut any = false;
        while self.seats.values().any(|seat| seat.busy) {
            match self.replies.recv_timeout(ANSWER_WAIT) {
                Ok(reply) => {
                    if let Answer::Lost(what) = reply.answer {
                        return Err(LiveError::Lost {
                            doing: format!("session {}", reply.session),
                            what,
                        });
                    }
                    if let Some(seat) = self.seats.get_mut(&reply.session) {
                        seat.busy = false;
                    }
                    answers.by_session.insert(reply.session, reply.answer);
                    any = true;
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        Ok(any)
    }

    /// The connections of busy sessions when the server says of each that it waits, and nobody
    /// waits in a circle that a background search has yet to break.
    fn waiters(&mut self) -> Result<Option<BTreeSet<u32>>, LiveError> {
        let report = self.server.transactions()?;
        let busy: BTreeSet<u32> = {
            let busy = self.seats.values().filter(|seat| seat.busy);
            busy.map(|seat| seat.connection).collect()
        };
        let waits = report.trxs.iter().filter(|trx| trx.waiting);
        let mut waiting: BTreeSet<u32> = waits.filter_map(|trx| trx.connection).collect();
        if !busy.is_subset(&waiting) {
            waiting.extend(self.server.metadata_waiters()?);
        }
        if !busy.is_subset(&waiting) || has_circle(&self.server.edges()?) {
            return Ok(None);
        }
        Ok(Some(busy))
    }

    /// Waits for purge if something may have become free for it. True when it was waited for.
    fn drain(&mut self) -> Result<bool, LiveError> {
        if !self.drains {
            return Ok(false);
        }
        let report = self.server.report()?;
        let same = self.drained == Some(drained(&report)) && !self.server.lists_data_locks;
        if report.history == 0 || same {
            return Ok(false);
        }
        purge::drain(self.server)?;
        let report = self.server.report()?;
        self.drained = Some(drained(&report));
        Ok(true)
    }

    /// Reads locks, weights and a new deadlock.
    fn look(&mut self, recorded: &mut RecordedStep) -> Result<(), LiveError> {
        let report = self.server.transactions()?;
        let mut trxs = Vec::new();
        for (name, seat) in &self.seats {
            let own = report
                .trxs
                .iter()
                .find(|trx| trx.connection == Some(seat.connection));
            trxs.extend(own.map(|trx| (name.clone(), trx)));
        }
        let schema = self.server.schema.clone();
        let (locks, cut) = locks_of(self.server, &schema, &self.keys, &trxs)?;
        recorded.locks = Some(locks);
        recorded.locks_truncated = cut || report.cut;
        if !report.cut {
            let weighed = trxs.iter().filter(|(_, trx)| trx.active && trx.structs > 0);
            recorded.weights = Some(
                weighed
                    .map(|(name, trx)| (name.clone(), weight(trx)))
                    .collect(),
            );
        }
        if report.deadlock != self.deadlock {
            recorded.deadlock_text.clone_from(&report.deadlock);
            self.deadlock = report.deadlock;
        }
        Ok(())
    }

    /// Ends all sessions, those that wait too.
    fn leave(mut self) -> Result<(), LiveError> {
        for seat in self.seats.values().filter(|seat| seat.busy) {
            // It may have ended by itself meanwhile.
            let _ = self.server.run(&format!("KILL {}", seat.connection));
        }
        drop(self.holder.take());
        for seat in self.seats.values_mut() {
            seat.join();
        }
        Ok(())
    }
}

fn snapshot(server: &LiveServer) -> Result<mysql::Conn, LiveError> {
    let mut holder = server.session()?;
    let statements = [
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT",
    ];
    for sql in statements {
        holder
            .query_drop(sql)
            .map_err(|error| LiveError::of(sql, &error))?;
    }
    Ok(holder)
}

fn drained(report: &Report) -> Drained {
    let views = report.trxs.iter().filter_map(|trx| trx.view);
    (report.history, views.min())
}

fn weight(trx: &StatusTrx) -> Weight {
    Weight {
        structs: trx.structs,
        rows: trx.rows,
        undo: trx.undo,
    }
}

fn note_answers(answers: Answers, recorded: &mut RecordedStep) {
    recorded.status = if answers.unsettled {
        Status::Unsettled
    } else {
        Status::Blocked
    };
    for (session, answer) in answers.by_session {
        let wake = wake(answer);
        if session == recorded.s {
            recorded.status = wake.status;
            recorded.code = wake.code;
            recorded.msg = wake.msg;
            recorded.affected = wake.affected;
            recorded.rows = wake.rows;
        } else {
            recorded.woken.insert(session, wake);
        }
    }
}

fn wake(answer: Answer) -> RecordedWake {
    let mut wake = RecordedWake {
        status: Status::Ok,
        code: None,
        msg: None,
        affected: None,
        rows: None,
    };
    match answer {
        Answer::Affected(rows) => wake.affected = Some(rows),
        Answer::Rows(rows) => wake.rows = Some(rows),
        Answer::Failed { code, message } => {
            wake.status = Status::Error;
            wake.code = Some(code);
            wake.msg = Some(message);
        }
        Answer::Lost(_) => unreachable!("a lost connection ends the case"),
    }
    wake
}

/// Whether somebody waits for himself, through others.
fn has_circle(edges: &[(u64, u64)]) -> bool {
    let mut left: Vec<(u64, u64)> = edges.to_vec();
    loop {
        let waits = |trx: u64, left: &[(u64, u64)]| left.iter().any(|(from, _)| *from == trx);
        let kept: Vec<(u64, u64)> = {
            let kept = left.iter().filter(|(_, to)| waits(*to, &left));
            kept.copied().collect()
        };
        if kept.len() == left.len() {
            return !left.is_empty();
        }
        left = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_told_from_chains() {
        assert!(!has_circle(&[]));
        assert!(!has_circle(&[(1, 2), (2, 3), (1, 3)]));
        assert!(has_circle(&[(1, 2), (2, 3), (3, 2)]));
    }
}
