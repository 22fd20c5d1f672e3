//! What a database does beside its clients' statements: purge, checkpoints, and the log's flush of
//! each second where commits do not wait for it. One thread for a database.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use gaplock_engine::db::{Engine, FlushAtCommit};
use parking_lot::{Condvar, Mutex};

use super::server::Server;

/// How long the thread sleeps if nobody wakes it: the flush of each second.
const SECOND: Duration = Duration::from_secs(1);

/// The thread, and what it is told.
#[derive(Debug)]
pub(super) struct Background {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Bell {
    told: Mutex<Told>,
    ring: Condvar,
}

#[derive(Debug, Default)]
struct Told {
    work: bool,
    end: bool,
}

impl Background {
    /// Starts the thread.
    pub(super) fn start(server: &Arc<Server>) -> std::io::Result<Self> {
        let bell = Arc::new(Bell::default());
        let (server, heard) = (Arc::clone(server), Arc::clone(&bell));
        let thread = std::thread::Builder::new()
            .name("gaplock-background".to_owned())
            .spawn(move || {
                while heard.wait() {
                    work(&server.engine);
                }
            })?;
        Ok(Self {
            bell,
            thread: Some(thread),
        })
    }

    /// There may be something to purge, or a checkpoint due.
    pub(super) fn wake(&self) {
        let mut told = self.bell.told.lock();
        if !told.work {
            told.work = true;
            self.bell.ring.notify_one();
        }
    }

    /// Ends the thread and waits for it.
    pub(super) fn end(&mut self) {
        self.bell.told.lock().end = true;
        self.bell.ring.notify_one();
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, the panic was printed.
            let _ = thread.join();
        }
    }
}

impl Bell {
    /// Sleeps until there is work, or a second is over; `false` at the end.
    fn wait(&self) -> bool {
        let mut told = self.told.lock();
        if !told.work && !told.end {
            self.ring.wait_for(&mut told, SECOND);
        }
        told.work = false;
        !told.end
    }
}

/// Errors are not told here: a disk that fails does so for the next statement too, and a full one is
/// met there again.
fn work(engine: &Engine) {
    let _ = engine.purge();
    let _ = engine.maintain();
    if engine.flush_at_commit() != FlushAtCommit::Sync {
        let _ = engine.flush_log();
    }
}
