//! Texts of active transactions' statements, so that every lock can name the statement that took
//! it, also while its transaction is idle.

use std::sync::Arc;

use gaplock_lockmgr::TrxId;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

/// A statement's text, and the number of the first undo record that it could write.
pub(crate) type StatementText = (Arc<str>, u64);

type Texts = FxHashMap<TrxId, Vec<StatementText>>;

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
    pub(crate) fn register(&self, trx: TrxId, texts: &[StatementText]) {
        self.shard(trx).lock().insert(trx, texts.to_vec());
    }

    /// It began another one.
    pub(crate) fn add(&self, trx: TrxId, text: &StatementText) {
        if let Some(texts) = self.shard(trx).lock().get_mut(&trx) {
            texts.push(text.clone());
        }
    }

    pub(crate) fn forget(&self, trx: TrxId) {
        self.shard(trx).lock().remove(&trx);
    }

    /// Ordinal of the statement that wrote its undo record of that number.
    pub(crate) fn statement_of_change(&self, trx: TrxId, number: u64) -> u32 {
        let shard = self.shard(trx).lock();
        let Some(texts) = shard.get(&trx) else {
            return 0;
        };
        texts
            .iter()
            .rposition(|(_, first)| *first <= number)
            .unwrap_or(0) as u32
    }

    /// The text of one of its statements.
    pub(crate) fn get(&self, trx: TrxId, statement: u32) -> Option<Arc<str>> {
        let shard = self.shard(trx).lock();
        shard
            .get(&trx)?
            .get(statement as usize)
            .map(|(text, _)| text.clone())
    }

    /// All its statements so far.
    pub(crate) fn all(&self, trx: TrxId) -> Vec<Arc<str>> {
        let shard = self.shard(trx).lock();
        shard
            .get(&trx)
            .into_iter()
            .flatten()
            .map(|(text, _)| text.clone())
            .collect()
    }
}
