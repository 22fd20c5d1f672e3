//! Metadata locks: who may use a table's definition, and who may change it.
//!
//! A second lock domain above the engine, with its own queues and its own deadlock search; a cycle
//! that goes through a row lock is seen by neither domain and ends with a time-out, as in the server.
//! All state is plain data, so that it forks with the server.
//!
//! - **M1** Requests on a table are granted first come, first served: one waits behind every earlier
//!   one that it conflicts with, granted or waiting.
//! - **M2** A session waits for one metadata lock at most.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::time::Duration;

use gaplock_engine::digest::{DebugText, Digest};
use parking_lot::{Condvar, Mutex};

/// A session, as far as metadata locks know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What a metadata lock allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MetadataMode {
    /// Reading rows.
    Read,
    /// Changing or locking rows.
    Write,
    /// Reading rows while nobody writes (LOCK TABLES READ).
    ReadOnly,
    /// Anything, alone (definitions, LOCK TABLES WRITE).
    Exclusive,
}

/// How long a metadata lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// To the end of the transaction.
    Transaction,
    /// To UNLOCK TABLES.
    Explicit,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataAnswer {
    /// It is granted.
    Granted,
    /// It waits.
    Waiting,
    /// It would have closed a cycle, or was chosen to end one.
    Deadlock,
    /// It was waited for too long.
    TimedOut,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataRequest {
    /// Who asks.
    pub session: SessionId,
    /// The table.
    pub table: String,
    /// For what.
    pub mode: MetadataMode,
    /// For how long.
    pub hold: Hold,
    /// When waiting for it ends, in microseconds.
    pub deadline: u64,
}

#[derive(Clone, Debug, Default)]
struct State {
    /// By table: granted and waiting requests in the order of asking.
    queues: BTreeMap<String, Vec<(MetadataRequest, bool)>>,
    /// Ends of waits that their sessions have not heard of.
    answers: BTreeMap<SessionId, MetadataAnswer>,
}

/// All metadata locks of a server.
#[derive(Debug, Default)]
pub struct MetadataLocks {
    state: Mutex<State>,
    bell: Condvar,
}

impl MetadataMode {
    /// Whether two sessions may not hold locks of these modes together.
    #[must_use]
    pub fn conflicts(self, other: MetadataMode) -> bool {
        matches!(
            (self, other),
            (MetadataMode::Exclusive, _)
                | (_, MetadataMode::Exclusive)
                | (MetadataMode::Write, MetadataMode::ReadOnly)
                | (MetadataMode::ReadOnly, MetadataMode::Write)
        )
    }

    /// Whether holding `self` makes a request for `wanted` superfluous.
    fn covers(self, wanted: MetadataMode) -> bool {
        self == wanted
            || match self {
                MetadataMode::Exclusive => true,
                MetadataMode::Write | MetadataMode::ReadOnly => wanted == MetadataMode::Read,
                MetadataMode::Read => false,
            }
    }
}

impl MetadataLocks {
    /// A copy, for a forked server.
    #[must_use]
    pub fn fork(&self) -> MetadataLocks {
        MetadataLocks {
            state: Mutex::new(self.state.lock().clone()),
            bell: Condvar::new(),
        }
    }

    /// Writes every request in order, and the answers on their way, for comparison of states; `name`
    /// names sessions.
    pub(crate) fn digest(&self, name: &dyn Fn(SessionId) -> u64, out: &mut Digest) {
        let state = self.state.lock();
        let State { queues, answers } = &*state;
        for (table, queue) in queues.iter().filter(|(_, queue)| !queue.is_empty()) {
            out.write_bytes(table.as_bytes());
            for (request, granted) in queue {
                let MetadataRequest {
                    session,
                    table: _,
                    mode,
                    hold,
                    deadline,
                } = request;
                out.write_u64(name(*session));
                DebugText::write(&(mode, hold, deadline, granted), out, &|trx| trx);
            }
        }
        let mut answers: Vec<_> = answers.iter().map(|(of, what)| (name(*of), what)).collect();
        answers.sort_unstable_by_key(|(of, _)| *of);
        DebugText::write(&answers, out, &|trx| trx);
    }

    /// Asks for a lock.
    pub fn request(&self, request: MetadataRequest) -> MetadataAnswer {
        let mut state = self.state.lock();
        let queue = state.queues.entry(request.table.clone()).or_default();
        let held = queue.iter().any(|(other, granted)| {
            *granted
                && other.session == request.session
                && other.mode.covers(request.mode)
                && (other.hold == request.hold || other.hold == Hold::Explicit)
        });
        if held {
            return MetadataAnswer::Granted;
        }
        let session = request.session;
        let free = blockers(queue, queue.len(), &request).next().is_none();
        queue.push((request, free));
        if free {
            return MetadataAnswer::Granted;
        }
        let Some(victim) = state.victim(session) else {
            return MetadataAnswer::Waiting;
        };
        state.withdraw(victim);
        if victim == session {
            return MetadataAnswer::Deadlock;
        }
        state.answers.insert(victim, MetadataAnswer::Deadlock);
        self.bell.notify_all();
        state.take_answer(session)
    }

    /// What became of the session's request that waited.
    pub fn poll(&self, session: SessionId) -> MetadataAnswer {
        self.state.lock().take_answer(session)
    }

    /// Whether the session still waits.
    #[must_use]
    pub fn is_waiting(&self, session: SessionId) -> bool {
        let state = self.state.lock();
        !state.answers.contains_key(&session) && state.waiting(session).is_some()
    }

    /// The table that the session waits for.
    #[must_use]
    pub fn waiting_for(&self, session: SessionId) -> Option<String> {
        let state = self.state.lock();
        state.waiting(session).map(|request| request.table.clone())
    }

    /// The sessions that the session's request waits for: those before it that it conflicts with,
    /// each once.
    #[must_use]
    pub fn blockers_of(&self, session: SessionId) -> Vec<SessionId> {
        let mut blockers = self.state.lock().waits_for(session);
        blockers.sort_unstable();
        blockers.dedup();
        blockers
    }

    /// Lets go of what the session holds for its transaction; all, if `explicit` ones go too.
    pub fn release(&self, session: SessionId, explicit: bool) {
        let mut state = self.state.lock();
        for queue in state.queues.values_mut() {
            queue.retain(|(request, granted)| {
                let stays = request.hold == Hold::Explicit && !explicit && *granted;
                request.session != session || stays
            });
        }
        state.answers.remove(&session);
        state.grant();
        self.bell.notify_all();
    }

    /// Ends the waits whose deadline has come.
    pub fn expire(&self, now: u64) {
        let mut state = self.state.lock();
        let late: Vec<SessionId> = state
            .requests()
            .filter(|(request, granted)| !granted && request.deadline <= now)
            .map(|(request, _)| request.session)
            .collect();
        for session in late {
            state.withdraw(session);
            state.answers.insert(session, MetadataAnswer::TimedOut);
            self.bell.notify_all();
        }
    }

    /// The next deadline of a wait.
    #[must_use]
    pub fn next_expiry(&self) -> Option<u64> {
        let state = self.state.lock();
        let waiting = state.requests().filter(|(_, granted)| !granted);
        waiting.map(|(request, _)| request.deadline).min()
    }

    /// Sleeps until the session's wait has ended, or for `patience`.
    pub fn park(&self, session: SessionId, patience: Duration) {
        let mut state = self.state.lock();
        if !state.answers.contains_key(&session) && state.waiting(session).is_some() {
            self.bell.wait_for(&mut state, patience);
        }
    }
}

/// The requests before `at` that `request` has to wait for.
fn blockers<'a>(
    queue: &'a [(MetadataRequest, bool)],
    at: usize,
    request: &'a MetadataRequest,
) -> impl Iterator<Item = SessionId> + 'a {
    queue[..at].iter().filter_map(move |(other, _)| {
        let blocks = other.session != request.session && other.mode.conflicts(request.mode);
        blocks.then_some(other.session)
    })
}

impl State {
    fn requests(&self) -> impl Iterator<Item = &(MetadataRequest, bool)> {
        self.queues.values().flatten()
    }

    fn waiting(&self, session: SessionId) -> Option<&MetadataRequest> {
        self.requests()
            .find(|(request, granted)| request.session == session && !granted)
            .map(|(request, _)| request)
    }

    fn take_answer(&mut self, session: SessionId) -> MetadataAnswer {
        self.answers
            .remove(&session)
            .unwrap_or(if self.waiting(session).is_some() {
                MetadataAnswer::Waiting
            } else {
                MetadataAnswer::Granted
            })
    }

    /// Takes back a waiting request.
    fn withdraw(&mut self, session: SessionId) {
        for queue in self.queues.values_mut() {
            queue.retain(|(request, granted)| request.session != session || *granted);
        }
        self.grant();
    }

    /// Grants what nothing before it blocks any more.
    fn grant(&mut self) {
        for queue in self.queues.values_mut() {
            for at in 0..queue.len() {
                if queue[at].1 {
                    continue;
                }
                let request = queue[at].0.clone();
                if blockers(queue, at, &request).next().is_none() {
                    queue[at].1 = true;
                    self.answers
                        .insert(request.session, MetadataAnswer::Granted);
                }
            }
        }
        self.queues.retain(|_, queue| !queue.is_empty());
    }

    /// Whom `session` waits for.
    fn waits_for(&self, session: SessionId) -> Vec<SessionId> {
        for queue in self.queues.values() {
            let waiting = |(request, granted): &(MetadataRequest, bool)| {
                request.session == session && !granted
            };
            if let Some(at) = queue.iter().position(waiting) {
                return blockers(queue, at, &queue[at].0).collect();
            }
        }
        Vec::new()
    }

    /// The session to be denied if `start` closes a cycle: one that does not change a definition, if
    /// there is one, and `start` itself before others.
    fn victim(&self, start: SessionId) -> Option<SessionId> {
        let cycle = self.cycle(start, start, &mut vec![start])?;
        let changes = |session: &SessionId| {
            self.waiting(*session)
                .is_some_and(|request| request.mode == MetadataMode::Exclusive)
        };
        Some(
            cycle
                .iter()
                .copied()
                .find(|session| !changes(session))
                .unwrap_or(start),
        )
    }

    fn cycle(
        &self,
        start: SessionId,
        at: SessionId,
        path: &mut Vec<SessionId>,
    ) -> Option<Vec<SessionId>> {
        for next in self.waits_for(at) {
            if next == start {
                return Some(path.clone());
            }
            if !path.contains(&next) {
                path.push(next);
                if let Some(found) = self.cycle(start, next, path) {
                    return Some(found);
                }
                path.pop();
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(locks: &MetadataLocks, session: u64, table: &str, mode: MetadataMode) -> MetadataAnswer {
        locks.request(MetadataRequest {
            session: SessionId(session),
            table: table.to_owned(),
            mode,
            hold: Hold::Transaction,
            deadline: 100,
        })
    }

    /// A definition waits for readers, and later readers wait for it.
    #[test]
    fn first_come_first_served() {
        let locks = MetadataLocks::default();
        assert_eq!(
            ask(&locks, 1, "t", MetadataMode::Read),
            MetadataAnswer::Granted
        );
        assert_eq!(
            ask(&locks, 2, "t", MetadataMode::Exclusive),
            MetadataAnswer::Waiting
        );
        assert_eq!(
            ask(&locks, 3, "t", MetadataMode::Read),
            MetadataAnswer::Waiting
        );
        assert_eq!(
            ask(&locks, 1, "t", MetadataMode::Read),
            MetadataAnswer::Granted
        );
        locks.release(SessionId(1), false);
        assert_eq!(locks.poll(SessionId(2)), MetadataAnswer::Granted);
        assert!(locks.is_waiting(SessionId(3)));
        assert_eq!(locks.blockers_of(SessionId(3)), [SessionId(2)]);
        locks.release(SessionId(2), false);
        assert_eq!(locks.poll(SessionId(3)), MetadataAnswer::Granted);
    }

    #[test]
    fn a_cycle_ends_with_the_one_that_changes_no_definition() {
        let locks = MetadataLocks::default();
        ask(&locks, 1, "t", MetadataMode::Write);
        ask(&locks, 2, "u", MetadataMode::Exclusive);
        assert_eq!(
            ask(&locks, 1, "u", MetadataMode::Read),
            MetadataAnswer::Waiting
        );
        assert_eq!(
            ask(&locks, 2, "t", MetadataMode::Exclusive),
            MetadataAnswer::Waiting
        );
        assert_eq!(locks.poll(SessionId(1)), MetadataAnswer::Deadlock);
        locks.release(SessionId(1), false);
        assert_eq!(locks.poll(SessionId(2)), MetadataAnswer::Granted);
    }

    #[test]
    fn waits_time_out() {
        let locks = MetadataLocks::default();
        ask(&locks, 1, "t", MetadataMode::Exclusive);
        ask(&locks, 2, "t", MetadataMode::Read);
        assert_eq!(locks.next_expiry(), Some(100));
        locks.expire(99);
        assert!(locks.is_waiting(SessionId(2)));
        locks.expire(100);
        assert_eq!(locks.poll(SessionId(2)), MetadataAnswer::TimedOut);
        assert_eq!(locks.next_expiry(), None);
    }
}
