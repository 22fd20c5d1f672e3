//! The database's state for comparison, under names that do not depend on history.
//!
//! A search through schedules reaches the same state on many ways. The same is: whatever sessions do
//! from here on ends alike. The bytes differ all the same, since numbers of transactions, pages, heap
//! slots and undo places are given out in order of arrival. So the digest names things by what they
//! are: a transaction by its owner's count (the caller knows), a page by its index and place in it, a
//! record by its place on its page.
//!
//! - **G1** Everything that a later step can read is written: records with their deletion marks and
//!   the versions of rows as far as a view or an undo can come to them, locks, who is active, which
//!   views are open in which order, counters, wake-ups on their way, what each transaction can undo.
//! - **G2** A version's writer counts only while somebody can tell it from any other that has ended:
//!   while it is active, or some view does not see it.
//! - **G3** How records lie on a page is left out while every tree is one page of which three
//!   quarters are free; [`StateDigest::crowded`] says when that is not so. Layout then only decides
//!   when a page splits, and it takes more than all that was ever written to fill one. Where a page
//!   is crowded its bytes are written as they are, and a search that had left layouts out before
//!   begins anew.
//! - **G4** What is only shown is left out: texts, reports, origins. So is space management: which
//!   page number comes next decides no lock. `Page::max_trx` only spares a look at the row.
//! - **G5** [`Trx`] is taken apart without `..`: a new field does not compile until it is decided here
//!   what it means.

use std::hash::Hasher;
use std::sync::atomic::Ordering::Relaxed;

use gaplock_lockmgr::{DigestNames, HeapNo, PageAddress, RecordAddress, TableId, TrxId};
use rustc_hash::FxHashMap;

use super::Engine;
use crate::{
    digest::{DebugText, Digest},
    error::{Error, StoreError},
    page::{PAGE_SIZE, Page, Record, RecordLayout},
    table::{ClusteredRow, Index, RowImage, Table, TableCounters},
    trx::Trx,
    undo::UndoRecord,
};

/// How transactions are named, and which ones there have been.
pub struct TrxNames<'a> {
    /// A name that any two histories agree upon.
    pub name: &'a dyn Fn(TrxId) -> u64,
    /// Everybody that a view may see or not see.
    pub known: &'a [TrxId],
}

/// What to write of a database, beside what always counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DigestDetail {
    /// Pages byte by byte, for trees that may split or merge (G3).
    pub layout: bool,
    /// Table definitions: somebody may change them.
    pub definitions: bool,
    /// What waits for purge: purge may run.
    pub history: bool,
}

/// What came to light while a digest was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateDigest {
    /// Some tree has more than one page, or a page that is filled for more than a quarter (G3).
    pub crowded: bool,
}

/// Names of pages and records.
#[derive(Default)]
struct Places {
    /// By page number: its name, and its records' places by heap number.
    pages: FxHashMap<u32, (u64, Vec<u16>)>,
}

struct Names<'a> {
    trxs: &'a TrxNames<'a>,
    places: &'a Places,
}

/// Heap numbers without a record, and pages without an index, keep their numbers, out of the way of
/// names.
const UNNAMED: u64 = 1 << 63;

impl DigestNames for Names<'_> {
    fn trx(&self, trx: TrxId) -> u64 {
        (self.trxs.name)(trx)
    }

    fn page(&self, page: PageAddress) -> u64 {
        let known = self.places.pages.get(&page.page);
        known.map_or(UNNAMED | u64::from(page.page), |(name, _)| *name)
    }

    fn record(&self, at: RecordAddress) -> u64 {
        let heap = at.heap;
        if heap < HeapNo::FIRST_USER {
            return u64::from(heap.0);
        }
        let places = self.places.pages.get(&at.page.page);
        let place = places.and_then(|(_, places)| places.get(usize::from(heap.0)));
        match place {
            Some(place) if *place > 0 => u64::from(*place) + 1,
            _ => UNNAMED | u64::from(heap.0),
        }
    }

    fn table(&self, table: TableId) -> u64 {
        table.0
    }
}

impl Engine {
    /// Writes the database's state. Nobody may be inside the engine meanwhile.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn digest(
        &self,
        trxs: &TrxNames<'_>,
        detail: DigestDetail,
        out: &mut Digest,
    ) -> Result<StateDigest, Error> {
        let mut found = StateDigest::default();
        let mut places = Places::default();
        for table in self.tables() {
            out.write_u64(table.id);
            if detail.definitions {
                DebugText::write(&table.columns, out, &|trx| trx);
                DebugText::write(&table.foreign_keys, out, &|trx| trx);
            }
            let counters = self.counters(&table);
            let TableCounters {
                auto_increment,
                row_id,
                rows,
                arriving,
            } = &*counters;
            out.write_u64(auto_increment.load(Relaxed));
            out.write_u64(row_id.load(Relaxed));
            out.write_u64(rows.load(Relaxed) as u64);
            out.write_u64(arriving.load(Relaxed) as u64);
            for index in &table.indexes {
                self.digest_index(&table, index, trxs, detail, &mut places, &mut found, out)?;
            }
        }
        let names = Names {
            trxs,
            places: &places,
        };
        self.locks.digest(&names, out);
        self.trxs.digest(trxs, out);
        self.waits.digest(trxs.name, out);
        out.write_u64(self.now());
        if detail.history {
            for at in self.trxs.history() {
                let (_, record) = self.undo.read(&self.pool, at)?;
                write_undo(&record, trxs, out);
            }
        }
        Ok(found)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one step of a walk with its state"
    )]
    fn digest_index(
        &self,
        table: &Table,
        index: &Index,
        trxs: &TrxNames<'_>,
        detail: DigestDetail,
        places: &mut Places,
        found: &mut StateDigest,
        out: &mut Digest,
    ) -> Result<(), StoreError> {
        out.write_u64(index.id);
        let mut ordinal = 0;
        index.tree.walk(&self.pool, &mut |page, layout| {
            found.crowded |= page.level() > 0 || page.data_size() + page.garbage() > PAGE_SIZE / 4;
            if detail.layout {
                out.write_bytes(page.used_bytes());
            }
            if page.level() > 0 {
                return Ok(());
            }
            places.add(page, layout, index.id << 24 | ordinal);
            ordinal += 1;
            out.write_usize(page.record_count());
            for origin in page.records() {
                let record = Record::new(page, layout, origin);
                self.digest_record(table, index, &record, trxs, out)?;
            }
            Ok(())
        })
    }

    fn digest_record(
        &self,
        table: &Table,
        index: &Index,
        record: &Record<'_>,
        trxs: &TrxNames<'_>,
        out: &mut Digest,
    ) -> Result<(), StoreError> {
        if index.clustered {
            return self.digest_row(table.read_clustered(record), trxs, out);
        }
        out.write_u8(u8::from(record.is_deleted()));
        for field in 0..index.fields.len() {
            write_field(record.field(field), out);
        }
        Ok(())
    }

    /// The row's versions, as far back as anybody can tell them apart (G2).
    fn digest_row(
        &self,
        row: ClusteredRow,
        trxs: &TrxNames<'_>,
        out: &mut Digest,
    ) -> Result<(), StoreError> {
        let mut version = Some(row);
        while let Some(row) = version {
            write_image(&row.image, out);
            out.write_u8(u8::from(row.deleted));
            if self.trxs.is_purgeable(row.writer) {
                out.write_u64(0);
                return Ok(());
            }
            out.write_u64((trxs.name)(row.writer));
            out.write_u8(u8::from(row.roll.insert));
            version = self.previous_version(&row)?;
        }
        Ok(())
    }

    /// Writes what a transaction's owner knows of it: what it can undo, its view, its settings.
    ///
    /// # Errors
    /// When undo cannot be read.
    pub fn digest_trx(
        &self,
        trx: &Trx,
        trxs: &TrxNames<'_>,
        out: &mut Digest,
    ) -> Result<(), Error> {
        let Trx {
            id,
            isolation,
            view,
            segment: _,
            undo,
            next_undo,
            statements: _,
            step: _,
            lock_wait_timeout,
            replaces,
            checked_duplicates,
            read_write,
            waiting,
            arriving,
            effects: _,
            foreign_key_checks,
            auto_increment_locks,
            last_inheritance,
            seniority,
            previous,
            // Up to where the log must be durable before it is acknowledged: it decides no lock.
            seen: _,
        } = trx;
        out.write_u64(id.map_or(0, |id| (trxs.name)(id)));
        out.write_u8(*isolation as u8);
        let place = view.as_ref().map(|view| self.trxs.place_of(view));
        out.write_usize(place.map_or(0, |place| place + 1));
        out.write_u64(*next_undo);
        out.write_usize(undo.len());
        for (number, at) in undo {
            out.write_u64(*number);
            let (_, record) = self.undo.read(&self.pool, *at)?;
            write_undo(&record, trxs, out);
        }
        out.write_u64(*lock_wait_timeout);
        let flags = [
            *replaces,
            *checked_duplicates,
            *read_write,
            *waiting,
            *foreign_key_checks,
        ];
        flags.iter().for_each(|flag| out.write_u8(u8::from(*flag)));
        // Only those who try again have an age of their own; nobody who plays schedules does.
        let seniority = (seniority, previous.filter(|_| seniority.age.is_some()));
        let rest = (auto_increment_locks, last_inheritance, arriving, seniority);
        DebugText::write(&rest, out, &|trx| trx);
        Ok(())
    }
}

impl Places {
    fn add(&mut self, page: &Page, layout: &RecordLayout, name: u64) {
        let mut places = vec![0; page.heap_count()];
        for (place, origin) in page.records().enumerate() {
            let record = Record::new(page, layout, origin);
            if let Some(slot) = places.get_mut(usize::from(record.heap_no())) {
                *slot = place as u16 + 1;
            }
        }
        self.pages.insert(page.page_no().0, (name, places));
    }
}

fn write_field(field: Option<&[u8]>, out: &mut Digest) {
    match field {
        Some(bytes) => out.write_bytes(bytes),
        None => out.write_u64(u64::MAX),
    }
}

fn write_image(image: &RowImage, out: &mut Digest) {
    let RowImage { columns, row_id } = image;
    columns
        .iter()
        .for_each(|field| write_field(field.as_deref(), out));
    write_field(row_id.as_deref(), out);
}

/// An undo record without its places. Who wrote the version before shows in the version itself.
fn write_undo(record: &UndoRecord, trxs: &TrxNames<'_>, out: &mut Digest) {
    let name = |trx| (trxs.name)(TrxId(trx));
    DebugText::write(record, out, &name);
}
