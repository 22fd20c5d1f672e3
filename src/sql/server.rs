//! A server: an engine, its metadata locks, and what sessions share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gaplock_engine::db::{Engine, EngineConfig};
use gaplock_engine::profile::Profile;
use gaplock_wal::Disk;

use super::error::SqlError;
use super::mdl::{MetadataLocks, SessionId};

/// One database with everything that its sessions share. All methods take `&self`.
#[derive(Debug)]
pub struct Server {
    /// The engine.
    pub engine: Engine,
    /// Metadata locks.
    pub mdl: MetadataLocks,
    next_session: AtomicU64,
}

impl Server {
    /// A server over an engine.
    #[must_use]
    pub fn new(engine: Engine) -> Server {
        Server {
            engine,
            mdl: MetadataLocks::default(),
            next_session: AtomicU64::new(1),
        }
    }

    /// A new database in memory, for one thread that steps all sessions.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn in_memory(profile: Profile) -> Result<Server, SqlError> {
        Ok(Server::new(Engine::in_memory(profile)?))
    }

    /// Opens the database on a disk, or creates one on an empty disk.
    ///
    /// # Errors
    /// When files cannot be read or written, or are damaged.
    pub fn open(config: EngineConfig, disk: Arc<dyn Disk>) -> Result<Server, SqlError> {
        Ok(Server::new(Engine::open(config, disk)?))
    }

    /// A copy of everything; sessions are plain data and are cloned beside it. Nobody may be inside
    /// meanwhile. `None` on a disk that cannot be copied.
    #[must_use]
    pub fn fork(&self) -> Option<Server> {
        Some(Server {
            engine: self.engine.fork()?,
            mdl: self.mdl.fork(),
            next_session: AtomicU64::new(self.next_session.load(Ordering::Relaxed)),
        })
    }

    /// Says what time it is, in microseconds, and ends the waits of both lock domains whose moment
    /// has come.
    pub fn expire(&self, now: u64) {
        self.engine.expire(now);
        self.mdl.expire(now);
    }

    /// When the next wait of either lock domain times out.
    #[must_use]
    pub fn next_expiry(&self) -> Option<u64> {
        let engine = self.engine.next_expiry();
        let metadata = self.mdl.next_expiry();
        engine.into_iter().chain(metadata).min()
    }

    /// A number for a new session.
    pub(crate) fn next_session(&self) -> SessionId {
        SessionId(self.next_session.fetch_add(1, Ordering::Relaxed))
    }
}
