//! One undo record, and its bytes.

use gaplock_lockmgr::TrxId;

use crate::{
    page::{Field, Tuple},
    table::RollPointer,
};

/// What kind of change a record undoes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UndoKind {
    /// A row was inserted: undoing removes it.
    Insert,
    /// A row was changed in place; or a deleted row's record was taken over by an insertion.
    Update,
    /// A row was marked as deleted.
    Delete,
}

/// What a change of an existing record overwrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldVersion {
    /// Who had written the version before.
    pub writer: TrxId,
    /// Where the version before that is.
    pub roll: RollPointer,
    /// Whether the version before was marked as deleted.
    pub deleted: bool,
    /// Old images of the columns that changed; of all indexed columns if an index entry changed.
    pub columns: Vec<(u16, Field)>,
}

/// What is needed to undo one change of one row, to build the version before it, and to purge what
/// it left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndoRecord {
    /// What kind of change it undoes.
    pub kind: UndoKind,
    /// Its ordinal in its transaction.
    pub number: u64,
    /// The table.
    pub table: u64,
    /// The row's clustered key.
    pub key: Tuple,
    /// What was there, unless the row is new.
    pub old: Option<OldVersion>,
}

/// The kinds' codes on the page.
const CODES: [UndoKind; 3] = [UndoKind::Insert, UndoKind::Update, UndoKind::Delete];

impl UndoRecord {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        let code = CODES
            .iter()
            .position(|kind| *kind == self.kind)
            .unwrap_or(0);
        out.push(code as u8);
        out.extend(self.number.to_le_bytes());
        out.extend(self.table.to_le_bytes());
        out.push(self.key.0.len() as u8);
        self.key
            .0
            .iter()
            .for_each(|field| put_field(&mut out, field));
        if let Some(old) = &self.old {
            out.extend(old.writer.0.to_le_bytes());
            out.extend(old.roll.encode());
            out.push(u8::from(old.deleted));
            out.extend((old.columns.len() as u16).to_le_bytes());
            for (column, field) in &old.columns {
                out.extend(column.to_le_bytes());
                put_field(&mut out, field);
            }
        }
        out
    }

    /// Reads what [`Self::encode`] wrote; `None` if it is not an undo record.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let kind = *CODES.get(usize::from(take(&mut rest, 1)?[0]))?;
        let number = take_u64(&mut rest)?;
        let table = take_u64(&mut rest)?;
        let fields = take(&mut rest, 1)?[0];
        let key = (0..fields)
            .map(|_| take_field(&mut rest))
            .collect::<Option<Vec<_>>>()?;
        let old = match kind {
            UndoKind::Insert => None,
            UndoKind::Update | UndoKind::Delete => Some(take_old(&mut rest)?),
        };
        rest.is_empty().then_some(Self {
            kind,
            number,
            table,
            key: Tuple(key),
            old,
        })
    }
}

fn take_old(rest: &mut &[u8]) -> Option<OldVersion> {
    let writer = TrxId(take_u64(rest)?);
    let roll = RollPointer::decode(take(rest, 7)?);
    let deleted = take(rest, 1)?[0] != 0;
    let count = take_u16(rest)?;
    let columns = (0..count)
        .map(|_| Some((take_u16(rest)?, take_field(rest)?)))
        .collect::<Option<Vec<_>>>()?;
    Some(OldVersion {
        writer,
        roll,
        deleted,
        columns,
    })
}

/// A length, or the mark of NULL, and the bytes.
fn put_field(out: &mut Vec<u8>, field: &Field) {
    match field {
        None => out.extend(u16::MAX.to_le_bytes()),
        Some(image) => {
            out.extend((image.len() as u16).to_le_bytes());
            out.extend_from_slice(image);
        }
    }
}

fn take_field(rest: &mut &[u8]) -> Option<Field> {
    match take_u16(rest)? {
        u16::MAX => Some(None),
        length => Some(Some(take(rest, usize::from(length))?.into())),
    }
}

fn take<'b>(rest: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    take(rest, 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    take(rest, 8)?.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use gaplock_wal::PageNo;
    use proptest::prelude::*;

    use super::*;

    fn field() -> impl Strategy<Value = Field> {
        prop::option::of(prop::collection::vec(any::<u8>(), 0..40).prop_map(Vec::into_boxed_slice))
    }

    proptest! {
        #[test]
        fn records_survive_their_bytes(
            number in any::<u64>(),
            key in prop::collection::vec(field(), 1..4),
            columns in prop::collection::vec((any::<u16>(), field()), 0..5),
            deleted in any::<bool>(),
        ) {
            let roll = RollPointer { insert: false, page: PageNo(7), offset: 99 };
            let old = OldVersion { writer: TrxId(5), roll, deleted, columns };
            for (kind, old) in
                [(UndoKind::Insert, None), (UndoKind::Update, Some(old.clone())), (UndoKind::Delete, Some(old))]
            {
                let record = UndoRecord { kind, number, table: 3, key: Tuple(key.clone()), old };
                prop_assert_eq!(UndoRecord::decode(&record.encode()), Some(record));
            }
        }

        #[test]
        fn damaged_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = UndoRecord::decode(&bytes);
        }
    }
}
