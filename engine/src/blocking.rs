//! Row operations for threads: a loop over an operation's steps that sleeps where it waits.
//!
//! Nothing below this module sleeps for a lock or looks at a clock. A [`Driver`] does both, for the
//! threads that share it: it tells the engine the time, so that waits time out, and lets a detector
//! that works in the background look while it waits.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::{
    db::Engine,
    error::Error,
    row::{Rollback, Step},
    trx::Trx,
};

/// How long a thread sleeps at most before it looks at the clock again.
const PATIENCE: Duration = Duration::from_millis(100);

/// The same where the waiting threads are the ones who look for deadlocks.
const PATIENCE_DETECTING: Duration = Duration::from_millis(5);

/// Nanoseconds since this was first asked.
#[expect(clippy::disallowed_methods, reason = "time is real here")]
pub(crate) fn stopwatch_ns() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Runs row operations to their end for the threads of one program.
#[derive(Clone, Copy, Debug)]
pub struct Driver<'e> {
    engine: &'e Engine,
    started: Instant,
}

impl<'e> Driver<'e> {
    /// A driver, and the only one: two would tell the engine different times.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "time is real here")]
    pub fn new(engine: &'e Engine) -> Self {
        Self {
            engine,
            started: Instant::now(),
        }
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &'e Engine {
        self.engine
    }

    /// Runs an operation to its end, or a scan to its next row.
    ///
    /// # Errors
    /// The operation's. After a deadlock the whole transaction is rolled back already; after any
    /// other error the caller decides ([`Error::rollback_scope`]).
    pub fn run<T>(
        &self,
        trx: &mut Trx,
        mut step: impl FnMut(&Engine, &mut Trx) -> Result<Step<T>, Error>,
    ) -> Result<T, Error> {
        self.engine.set_time(self.now());
        loop {
            match step(self.engine, trx) {
                Ok(Step::Done(value)) => return Ok(value),
                Ok(Step::Progress) => {}
                Ok(Step::Wait) => self.sleep(trx),
                Err(Error::Deadlock) => {
                    Rollback::all().finish(self.engine, trx)?;
                    return Err(Error::Deadlock);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn sleep(&self, trx: &Trx) {
        let detects = self.engine.detects_in_background();
        if detects {
            self.engine.sweep_deadlocks();
        }
        self.engine.park(
            trx,
            if detects {
                PATIENCE_DETECTING
            } else {
                PATIENCE
            },
        );
        self.engine.expire(self.now());
    }

    /// Microseconds since the driver was made.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}
