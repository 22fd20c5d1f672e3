//! A mini-transaction's changes as they go to the log.
//!
//! ```text
//! for each change, in the order in which they were made:
//!      4  page number, big-endian
//!      -  the change, as `PageOp::encode` writes it
//! or, with the number for "no page":
//!      8  table
//!      8  rows more (or, negative, fewer)
//!      8  the table's next auto-increment value
//!      8  the last hidden row id drawn for it
//! ```

use gaplock_wal::PageNo;

use super::ledger::RowCount;
use crate::page::{NO_PAGE, PageOp};

/// The kind of log record that holds a group.
pub(crate) const GROUP: u8 = 1;

/// One entry of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A change of a page.
    Page(PageNo, PageOp),
    /// Rows came or went.
    Rows(RowCount),
}

/// A group that is being put together.
#[derive(Debug, Default)]
pub(super) struct Group {
    bytes: Vec<u8>,
    /// Whose change ends where: page and end. Each begins where the one before ends.
    parts: Vec<(PageNo, usize)>,
}

impl Group {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.parts.clear();
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds a change of a page.
    pub(super) fn push_page(&mut self, page: PageNo, op: &PageOp) {
        push_page(&mut self.bytes, page, op);
        self.parts.push((page, self.bytes.len()));
    }

    /// Adds that rows came or went.
    pub(super) fn push_rows(&mut self, count: RowCount) {
        self.bytes.extend(NO_PAGE.0.to_be_bytes());
        self.bytes.extend(count.table.to_be_bytes());
        self.bytes.extend(count.rows.to_be_bytes());
        self.bytes.extend(count.auto_increment.to_be_bytes());
        self.bytes.extend(count.row_id.to_be_bytes());
        self.parts.push((NO_PAGE, self.bytes.len()));
    }

    /// The same group with images of some pages instead of the changes that led to them.
    pub(super) fn with_images(&self, images: &[(PageNo, PageOp)]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut start = 0;
        for (page, end) in &self.parts {
            if !images.iter().any(|(imaged, _)| imaged == page) {
                out.extend_from_slice(&self.bytes[start..*end]);
            }
            start = *end;
        }
        for (page, image) in images {
            push_page(&mut out, *page, image);
        }
        out
    }
}

fn push_page(out: &mut Vec<u8>, page: PageNo, op: &PageOp) {
    out.extend_from_slice(&page.0.to_be_bytes());
    op.encode(out);
}

/// The changes of a group: what is to be applied, in this order, to pages that are older.
/// `None` stands for the rest of a group that cannot be read.
pub fn changes(group: &[u8]) -> impl Iterator<Item = Option<Change>> + '_ {
    let mut rest = group;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let change = read_change(&mut rest);
        if change.is_none() {
            rest = &[];
        }
        Some(change)
    })
}

fn read_change(rest: &mut &[u8]) -> Option<Change> {
    let page = PageNo(u32::from_be_bytes(take(rest)?));
    if page != NO_PAGE {
        return Some(Change::Page(page, PageOp::decode(rest)?));
    }
    Some(Change::Rows(RowCount {
        table: u64::from_be_bytes(take(rest)?),
        rows: i64::from_be_bytes(take(rest)?),
        auto_increment: u64::from_be_bytes(take(rest)?),
        row_id: u64::from_be_bytes(take(rest)?),
    }))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}
