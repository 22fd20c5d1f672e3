//! Texts of active transactions' statements, so that every lock can name the statement that took
//! it, also while its transaction is idle.

use std::sync::Arc;

use gaplock_lockmgr::TrxId;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

type Texts = FxHashMap<TrxId, Vec<Arc<str>>>;

const SHARDS: usize = 16;

/// Statement texts by transaction.
#[derive(Debug, Default)]
pub(crate) struct StatementTexts {
    shards: [Mutex<Texts>; SHARDS],
}

impl StatementTexts {
    fn shard(&self, trx: TrxId) -> &Mutex<Texts> {
        &self.shards[trx.0 as usize % SHARDS]
    }

    pub(crate) fn fork(&self) -> Self {
        Self {
            shards: std::array::from_fn(|at| Mutex::new(self.shards[at].lock().clone())),
        }
    }

    /// A transaction became active with these statements.
    pub(crate) fn register(&self, trx: TrxId, texts: &[Arc<str>]) {
        self.shard(trx).lock().insert(trx, texts.to_vec());
    }

    /// It began another one.
    pub(crate) fn add(&self, trx: TrxId, text: &Arc<str>) {
        if let Some(texts) = self.shard(trx).lock().get_mut(&trx) {
            texts.push(text.clone());
        }
    }

    pub(crate) fn forget(&self, trx: TrxId) {
        self.shard(trx).lock().remove(&trx);
    }

    /// Ordinal of its latest statement.
    pub(crate) fn latest(&self, trx: TrxId) -> u32 {
        let count = self.shard(trx).lock().get(&trx).map_or(0, Vec::len);
        (count as u32).saturating_sub(1)
    }

    /// The text of one of its statements.
    pub(crate) fn get(&self, trx: TrxId, statement: u32) -> Option<Arc<str>> {
        self.shard(trx)
            .lock()
            .get(&trx)?
            .get(statement as usize)
            .cloned()
    }

    /// All its statements so far.
    pub(crate) fn all(&self, trx: TrxId) -> Vec<Arc<str>> {
        self.shard(trx)
            .lock()
            .get(&trx)
            .cloned()
            .unwrap_or_default()
    }
}
