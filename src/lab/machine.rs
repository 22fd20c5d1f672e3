//! What a world's server runs on: memory, a simulated machine that can lose power, or a directory.

use std::path::PathBuf;
use std::sync::Arc;

use gaplock_engine::db::{Durability, EngineConfig, RecoveryReport};
use gaplock_engine::error::StoreError;
use gaplock_engine::profile::Profile;
use gaplock_wal::fault::FaultDisk;
use gaplock_wal::{Disk, FileDisk, LogSettings};

use crate::sql::{Server, SqlError};

/// Bytes of a log file on a simulated machine.
const SIMULATED_SEGMENT: u32 = 64 * 1024;

/// What a server runs on.
#[derive(Clone, Debug, Default)]
pub enum Machine {
    /// Memory: a database is gone with its server.
    #[default]
    Memory,
    /// A disk of its own, in memory, that keeps what was synced when the power goes.
    Simulated(Arc<FaultDisk>),
    /// A directory of real files. Here a crash is that of the program: what was handed to the system
    /// stays.
    Directory(PathBuf),
}

impl Machine {
    /// A machine with an empty disk that can lose power.
    #[must_use]
    pub fn simulated() -> Self {
        Machine::Simulated(Arc::new(FaultDisk::new()))
    }

    /// Starts a server. Sessions are stepped by whoever asks for it.
    ///
    /// # Errors
    /// When files cannot be read or written, or are damaged.
    pub fn start(&self, profile: Profile) -> Result<Server, SqlError> {
        let config = EngineConfig::for_lab(profile);
        match self {
            Machine::Memory => Server::in_memory(config.profile),
            Machine::Simulated(disk) => {
                let log = LogSettings {
                    segment_bytes: SIMULATED_SEGMENT,
                    ..LogSettings::default()
                };
                let durability = Durability {
                    log,
                    ..Durability::default()
                };
                let disk: Arc<dyn Disk> = Arc::<FaultDisk>::clone(disk);
                Server::open(config.durable(durability), disk)
            }
            Machine::Directory(directory) => {
                let disk = FileDisk::open(directory).map_err(StoreError::from)?;
                Server::open(config.durable(Durability::default()), Arc::new(disk))
            }
        }
    }

    /// The power goes: what was not synced is lost.
    pub fn lose_power(&mut self) {
        if let Machine::Simulated(disk) = self {
            *disk = Arc::new(disk.without_unsynced());
        }
    }
}

/// What a start after a crash came to, in the words of a scenario's expectations.
#[must_use]
pub fn recovery_words(report: &RecoveryReport) -> String {
    match report.rolled_back {
        0 => "recovered".to_owned(),
        1 => "recovered, 1 transaction rolled back".to_owned(),
        count => format!("recovered, {count} transactions rolled back"),
    }
}
