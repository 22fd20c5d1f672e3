//! The world's state as a fingerprint: equal if everything from here on ends alike.
//!
//! See `gaplock_engine::db::Engine::digest` for what a state is and what is left out. Sessions are
//! written in the order of their names, and a session that has not run since the last time keeps the
//! fingerprint of its own part.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use gaplock_engine::db::{DigestDetail, StateDigest, TrxNames};
use gaplock_engine::digest::Digest;
use gaplock_lockmgr::TrxId;

use super::{Owner, SeatState, World};
use crate::sql::SqlError;

impl Owner {
    pub(super) fn new(session: &str, ordinal: u64) -> Owner {
        let mut name = Digest::default();
        name.write_bytes(session.as_bytes());
        name.write_u64(ordinal);
        Owner {
            session: Arc::from(session),
            name: name.finish(),
        }
    }
}

impl World {
    /// Writes the state.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub(in crate::lab) fn digest(
        &mut self,
        detail: DigestDetail,
        out: &mut Digest,
    ) -> Result<StateDigest, SqlError> {
        let World {
            server,
            seats,
            owners,
            ..
        } = self;
        let known: Vec<TrxId> = owners.keys().copied().collect();
        // Numbers of transactions that nobody here began are as good as names.
        let name = |trx: TrxId| owners.get(&trx).map_or(trx.0, |owner| owner.name);
        let names = TrxNames {
            name: &name,
            known: &known,
        };
        let found = server.engine.digest(&names, detail, out)?;
        let mut sessions = Vec::new();
        for (called, seat) in seats {
            out.write_bytes(called.as_bytes());
            seat.state.hash(out);
            seat.session.digest_transaction(server, &names, out)?;
            let own = seat.digest.unwrap_or_else(|| {
                let mut own = Digest::default();
                seat.session.digest_own(&names, &mut own);
                own.fingerprint()
            });
            seat.digest = Some(own);
            out.write_fingerprint(own);
            // A victim that has not been told yet: what it will be told is the report's.
            let told = seat.trx.filter(|_| seat.state != SeatState::Idle);
            if let Some(found) = told.and_then(|trx| server.engine.deadlock_of(trx)) {
                out.write_u64(name(found.victim));
                found
                    .members
                    .iter()
                    .for_each(|member| out.write_u64(name(member.trx)));
            }
            sessions.push((seat.session.id(), called.as_str()));
        }
        if detail.definitions {
            let place = |id| sessions.iter().position(|(known, _)| *known == id);
            server.mdl.digest(
                &|id| place(id).map_or(id.0, |at| Owner::new(sessions[at].1, 0).name),
                out,
            );
        }
        Ok(found)
    }

    /// Whether purge would find something to do.
    #[must_use]
    pub fn purge_due(&self) -> bool {
        self.server.engine.purge_due()
    }
}
