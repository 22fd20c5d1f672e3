//! A session's state for comparison; see `gaplock_engine::db` for how a database's is written.
//!
//! What runs is written as its derived `Debug` text shows it: every field of every state machine is in
//! there, whoever adds one.

use std::hash::Hasher;

use gaplock_engine::db::TrxNames;
use gaplock_engine::digest::{DebugText, Digest};
use gaplock_lockmgr::TrxId;

use super::{Running, Session};
use crate::sql::error::SqlError;
use crate::sql::server::Server;

impl Session {
    /// Writes what nobody but the session changes: its settings, and how far its statement is.
    pub(crate) fn digest_own(&self, names: &TrxNames<'_>, out: &mut Digest) {
        let Session {
            id: _,
            settings,
            trx: _,
            in_transaction,
            savepoints,
            locked_tables,
            last_insert_id,
            running,
        } = self;
        let name = |trx| (names.name)(TrxId(trx));
        DebugText::write(&(settings, savepoints, locked_tables), out, &name);
        out.write_u8(u8::from(*in_transaction));
        out.write_u64(*last_insert_id);
        let Some(running) = running else {
            out.write_u8(0);
            return;
        };
        let Running {
            sql,
            statement: _,
            forced,
            phase,
        } = &**running;
        out.write_bytes(sql.as_bytes());
        DebugText::write(&(forced, phase), out, &name);
    }

    /// Writes its transaction, whose view's place also others' transactions change.
    pub(crate) fn digest_transaction(
        &self,
        server: &Server,
        names: &TrxNames<'_>,
        out: &mut Digest,
    ) -> Result<(), SqlError> {
        Ok(server.engine.digest_trx(&self.trx, names, out)?)
    }
}
