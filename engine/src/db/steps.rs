//! The frame around every step.

use super::Engine;
use crate::{error::Error, row::Step, trx::Trx};

impl Engine {
    /// Runs one step of a row operation: looks first whether the transaction still waits, and hands
    /// on afterwards what the step caused for others.
    pub(crate) fn run_step<T>(
        &self,
        trx: &mut Trx,
        step: impl FnOnce(&mut Trx) -> Result<Step<T>, Error>,
    ) -> Result<Step<T>, Error> {
        if !self.resume(trx)? {
            return Ok(Step::Wait);
        }
        self.run_rollback_step(trx, step)
    }

    /// The same for steps that run whatever the transaction waited for: its request, if it still
    /// has one, is taken back.
    pub(crate) fn run_rollback_step<T>(
        &self,
        trx: &mut Trx,
        step: impl FnOnce(&mut Trx) -> Result<Step<T>, Error>,
    ) -> Result<Step<T>, Error> {
        if trx.waiting {
            self.withdraw(trx);
        }
        trx.step += 1;
        let result = step(trx);
        self.deliver(trx);
        result
    }
}
