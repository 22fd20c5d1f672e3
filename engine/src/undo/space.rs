//! Undo pages: appending records, reading them, giving pages back.
//!
//! | offset in page | bytes | content |
//! |---|---|---|
//! | 38 | 2 | offset after the last record |
//! | 40 | ... | records: length (2), transaction (8), record |

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use gaplock_lockmgr::TrxId;
use gaplock_wal::{FileId, PageId, PageNo};
use parking_lot::Mutex;

use super::UndoRecord;
use crate::{
    buffer::BufferPool,
    error::StoreError,
    mtr::{LatchMode, Mtr},
    page::{CONTENT_END, CONTENT_START, Page, PageKind},
    table::RollPointer,
};

const USED: usize = CONTENT_START;
const FIRST: usize = CONTENT_START + 2;
const HEADER: usize = 10;

/// Where a transaction appends: a page and the offset of the next record in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    page: PageNo,
    used: u16,
}

/// What the undo pages of an earlier life of the database hold.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Records of each transaction that had not ended, with their numbers.
    pub(crate) active: BTreeMap<u64, Vec<(u64, RollPointer)>>,
    /// What ended transactions overwrote.
    pub(crate) overwritten: VecDeque<RollPointer>,
    /// The highest transaction id.
    pub(crate) newest: u64,
}

/// All undo pages: which segments are idle, and how many records of each page are still needed.
#[derive(Debug, Default)]
pub struct UndoSpace {
    state: Mutex<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    idle: Vec<Segment>,
    full: BTreeSet<PageNo>,
    empty: Vec<PageNo>,
    needed: BTreeMap<PageNo, u32>,
}

impl UndoSpace {
    /// A copy for a forked engine.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            state: Mutex::new(self.state.lock().clone()),
        }
    }

    /// Appends a record through `segment` (drawing one first if need be); returns where it is.
    ///
    /// # Errors
    /// When no page can be had, or the record does not fit a page.
    pub fn append(
        &self,
        pool: &BufferPool,
        segment: &mut Option<Segment>,
        writer: TrxId,
        record: &UndoRecord,
    ) -> Result<RollPointer, StoreError> {
        let body = record.encode();
        let length = HEADER + body.len();
        if FIRST + length > CONTENT_END {
            return Err(StoreError::RowTooLarge {
                bytes: length,
                limit: CONTENT_END - FIRST,
            });
        }
        let mut mtr = Mtr::begin(pool);
        let fits = |s: &Segment| usize::from(s.used) + length <= CONTENT_END;
        let mut place = match segment.take().or_else(|| self.state.lock().idle.pop()) {
            Some(place) if fits(&place) => place,
            full => self.next_page(&mut mtr, full)?,
        };
        let page = mtr.latch(place.page, LatchMode::Exclusive)?;
        let mut bytes = Vec::with_capacity(length);
        bytes.extend((body.len() as u16).to_le_bytes());
        bytes.extend(writer.0.to_le_bytes());
        bytes.extend(body);
        mtr.write_bytes(page, usize::from(place.used), &bytes);
        let pointer = RollPointer {
            insert: record.old.is_none(),
            page: place.page,
            offset: place.used,
        };
        place.used += length as u16;
        mtr.write_bytes(page, USED, &place.used.to_be_bytes());
        mtr.commit();
        *self.state.lock().needed.entry(place.page).or_default() += 1;
        *segment = Some(place);
        Ok(pointer)
    }

    /// A fresh page for a segment whose page is full.
    fn next_page(&self, mtr: &mut Mtr<'_>, full: Option<Segment>) -> Result<Segment, StoreError> {
        let reused = {
            let mut state = self.state.lock();
            if let Some(full) = full {
                state.filled(full.page);
            }
            state.empty.pop()
        };
        let page = match reused {
            Some(page) => page,
            None => {
                let latched = mtr.allocate(PageKind::Undo)?;
                mtr.page_no(latched)
            }
        };
        Ok(Segment {
            page,
            used: FIRST as u16,
        })
    }

    /// Reads a record and who wrote it.
    ///
    /// # Errors
    /// When the page cannot be read, or has no such record (`Damaged`).
    pub fn read(
        &self,
        pool: &BufferPool,
        at: RollPointer,
    ) -> Result<(TrxId, UndoRecord), StoreError> {
        let mut mtr = Mtr::begin(pool);
        let latched = mtr.latch(at.page, LatchMode::Shared)?;
        let parsed = parse(mtr.page(latched), at.offset);
        parsed
            .map(|(writer, record, _)| (writer, record))
            .ok_or_else(|| no_record(at.page, at.offset))
    }

    /// Reads all undo pages of a database that was in use when it stopped: what transactions that
    /// had not ended (`active`) have to undo, and what others overwrote. All of that is needed again.
    ///
    /// Records of ended transactions may have been purged or rolled back already; doing either again
    /// changes nothing, since both look at the row first (U1).
    ///
    /// # Errors
    /// When a page cannot be read, or has something else than undo records.
    pub(crate) fn recover(
        &self,
        pool: &BufferPool,
        active: impl Fn(u64) -> bool,
    ) -> Result<Found, StoreError> {
        let mut found = Found::default();
        let mut state = State::default();
        for page_no in pool.ledger().undo_pages() {
            let mut needed = 0;
            for (at, writer, record) in records_of(pool, page_no)? {
                found.newest = found.newest.max(writer.0);
                if active(writer.0) {
                    let records = found.active.entry(writer.0).or_default();
                    records.push((record.number, at));
                } else if at.insert {
                    continue;
                } else {
                    found.overwritten.push_back(at);
                }
                needed += 1;
            }
            if needed == 0 {
                state.empty.push(page_no);
            } else {
                state.needed.insert(page_no, needed);
                state.full.insert(page_no);
            }
        }
        *self.state.lock() = state;
        Ok(found)
    }

    /// How many records are still needed.
    #[must_use]
    pub fn needed_records(&self) -> u64 {
        self.state
            .lock()
            .needed
            .values()
            .map(|count| u64::from(*count))
            .sum()
    }

    /// A transaction is done with its segment.
    pub fn give_back(&self, segment: Segment) {
        let mut state = self.state.lock();
        let needed = state.needed.contains_key(&segment.page);
        let used = if needed { segment.used } else { FIRST as u16 };
        state.idle.push(Segment { used, ..segment });
    }

    /// All pages that nobody appends to and that hold no needed record, to be given back to the
    /// file.
    #[must_use]
    pub fn take_unneeded(&self) -> Vec<PageNo> {
        let mut state = self.state.lock();
        let state = &mut *state;
        let needed = &state.needed;
        let (kept, idle): (Vec<_>, Vec<_>) = state
            .idle
            .drain(..)
            .partition(|segment| needed.contains_key(&segment.page));
        state.idle = kept;
        let idle = idle.into_iter().map(|segment| segment.page);
        idle.chain(state.empty.drain(..)).collect()
    }

    /// Records that nobody can need any more: rolled back, committed insertions, purged.
    pub fn forget(&self, records: impl IntoIterator<Item = RollPointer>) {
        let mut state = self.state.lock();
        for record in records {
            let Some(count) = state.needed.get_mut(&record.page) else {
                continue;
            };
            *count -= 1;
            if *count == 0 {
                state.needed.remove(&record.page);
                state.unneeded(record.page);
            }
        }
    }
}

/// A record, who wrote it, and where the next one begins.
fn parse(page: &Page, offset: u16) -> Option<(TrxId, UndoRecord, u16)> {
    let (header, rest) = page
        .bytes()
        .get(usize::from(offset)..)?
        .split_at_checked(HEADER)?;
    let length = u16::from_le_bytes(header[..2].try_into().ok()?);
    let writer = u64::from_le_bytes(header[2..].try_into().ok()?);
    let record = UndoRecord::decode(rest.get(..usize::from(length))?)?;
    Some((TrxId(writer), record, offset + HEADER as u16 + length))
}

fn no_record(page: PageNo, offset: u16) -> StoreError {
    StoreError::Damaged {
        page: PageId::new(FileId(0), page),
        what: format!("no undo record at offset {offset}"),
    }
}

/// All records of an undo page.
fn records_of(
    pool: &BufferPool,
    page_no: PageNo,
) -> Result<Vec<(RollPointer, TrxId, UndoRecord)>, StoreError> {
    let mut mtr = Mtr::begin(pool);
    let latched = mtr.latch(page_no, LatchMode::Shared)?;
    let page = mtr.page(latched);
    // A page that was just given out has no records, and says 0.
    let used = page.u16_at(USED);
    if page.kind() != Some(PageKind::Undo) || usize::from(used) > CONTENT_END {
        return Err(no_record(page_no, used));
    }
    let mut records = Vec::new();
    let mut offset = FIRST as u16;
    while offset < used {
        let (writer, record, next) =
            parse(page, offset).ok_or_else(|| no_record(page_no, offset))?;
        let at = RollPointer {
            insert: record.old.is_none(),
            page: page_no,
            offset,
        };
        records.push((at, writer, record));
        offset = next;
    }
    Ok(records)
}

impl State {
    /// The last needed record of a page went away: an idle segment there starts over, a full page
    /// can be used anew; a page to which a transaction is appending is seen to by `give_back`.
    fn unneeded(&mut self, page: PageNo) {
        if let Some(segment) = self.idle.iter_mut().find(|segment| segment.page == page) {
            segment.used = FIRST as u16;
        } else if self.full.remove(&page) {
            self.empty.push(page);
        }
    }

    /// A page has no room left.
    fn filled(&mut self, page: PageNo) {
        if self.needed.contains_key(&page) {
            self.full.insert(page);
        } else {
            self.empty.push(page);
        }
    }
}
