//! A mini-transaction's changes as they go to the log.
//!
//! ```text
//! for each change, in the order in which they were made:
//!      4  page number, big-endian
//!      -  the change, as `PageOp::encode` writes it
//! ```

use gaplock_wal::PageNo;

use crate::page::PageOp;

/// Appends a change.
pub(super) fn push_change(group: &mut Vec<u8>, page: PageNo, op: &PageOp) {
    group.extend_from_slice(&page.0.to_be_bytes());
    op.encode(group);
}

/// The changes of a group: what is to be applied, in this order, to pages that are older.
/// `None` stands for the rest of a group that cannot be read.
pub fn changes(group: &[u8]) -> impl Iterator<Item = Option<(PageNo, PageOp)>> + '_ {
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

fn read_change(rest: &mut &[u8]) -> Option<(PageNo, PageOp)> {
    let (page, after) = rest.split_first_chunk()?;
    *rest = after;
    Some((PageNo(u32::from_be_bytes(*page)), PageOp::decode(rest)?))
}
