//! Indexes: which fields their records have, and how those are stored.

use std::sync::Arc;

use super::{Column, TableSpec};
use crate::{
    btree::Tree,
    page::{FieldLayout, RecordLayout, Storage},
    types::FieldOrder,
};

/// What one field of an index record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IndexField {
    /// A column of the table, by position.
    Column(usize),
    /// The hidden key of a table without a usable one.
    RowId,
    /// The transaction that wrote the row last.
    TrxId,
    /// Where the row's previous version is.
    RollPointer,
}

/// An index.
#[derive(Clone, Debug)]
pub struct Index {
    /// Its number, unique for ever.
    pub id: u64,
    /// Its name: `PRIMARY`, the given one, or `GEN_CLUST_INDEX` for a hidden key.
    pub name: String,
    /// The columns that it was declared with.
    pub columns: Vec<usize>,
    /// Whether equal keys are refused.
    pub unique: bool,
    /// Whether its records are the rows.
    pub clustered: bool,
    /// All fields of its records, in order.
    pub fields: Vec<IndexField>,
    /// How many leading fields tell two records of different rows apart by declaration: the key of
    /// a unique index, everything otherwise.
    pub unique_fields: usize,
    /// Its tree.
    pub tree: Arc<Tree>,
}

/// Name of a declared primary key's index.
const PRIMARY_INDEX: &str = "PRIMARY";

/// Name of the clustered index of a table with a hidden key.
pub(crate) const HIDDEN_INDEX: &str = "GEN_CLUST_INDEX";

/// An index that is to be made: everything but its tree.
#[derive(Clone, Debug)]
pub(crate) struct IndexShape {
    pub(crate) name: String,
    pub(crate) columns: Vec<usize>,
    pub(crate) unique: bool,
    pub(crate) clustered: bool,
    pub(crate) fields: Vec<IndexField>,
    pub(crate) unique_fields: usize,
}

impl IndexShape {
    /// The clustered index that a table gets.
    pub(crate) fn clustered(spec: &TableSpec) -> Self {
        let declared = spec
            .primary_key
            .as_ref()
            .map(|columns| (PRIMARY_INDEX.to_owned(), columns.clone()));
        let chosen = declared.or_else(|| {
            let not_null = |column: &usize| !spec.columns[*column].nullable;
            let usable =
                |index: &&super::IndexSpec| index.unique && index.columns.iter().all(not_null);
            spec.indexes
                .iter()
                .find(usable)
                .map(|index| (index.name.clone(), index.columns.clone()))
        });
        let (name, columns) = chosen.unwrap_or((HIDDEN_INDEX.to_owned(), Vec::new()));
        Self::clustered_over(spec, name, columns)
    }

    /// The clustered index that a table got, by its name; `None` if the definition has no such key.
    pub(crate) fn clustered_named(spec: &TableSpec, name: &str) -> Option<Self> {
        let columns = match name {
            HIDDEN_INDEX => Vec::new(),
            PRIMARY_INDEX => spec.primary_key.clone()?,
            _ => {
                let index = spec.indexes.iter().find(|index| index.name == name)?;
                index.columns.clone()
            }
        };
        let known = columns.iter().all(|column| *column < spec.columns.len());
        known.then(|| Self::clustered_over(spec, name.to_owned(), columns))
    }

    fn clustered_over(spec: &TableSpec, name: String, columns: Vec<usize>) -> Self {
        let mut fields: Vec<_> = columns.iter().copied().map(IndexField::Column).collect();
        if fields.is_empty() {
            fields.push(IndexField::RowId);
        }
        let unique_fields = fields.len();
        fields.extend([IndexField::TrxId, IndexField::RollPointer]);
        let others = (0..spec.columns.len()).filter(|column| !columns.contains(column));
        fields.extend(others.map(IndexField::Column));
        Self {
            name,
            columns,
            unique: true,
            clustered: true,
            fields,
            unique_fields,
        }
    }

    /// A secondary index over rows with this clustered key.
    pub(crate) fn secondary(spec: &super::IndexSpec, clustered_key: &[IndexField]) -> Self {
        let mut fields: Vec<_> = spec
            .columns
            .iter()
            .copied()
            .map(IndexField::Column)
            .collect();
        let unique_fields = fields.len();
        for field in clustered_key {
            if !fields.contains(field) {
                fields.push(*field);
            }
        }
        let unique_fields = if spec.unique {
            unique_fields
        } else {
            fields.len()
        };
        Self {
            name: spec.name.clone(),
            columns: spec.columns.clone(),
            unique: spec.unique,
            clustered: false,
            fields,
            unique_fields,
        }
    }

    /// How its records are stored.
    pub(crate) fn layout(&self, columns: &[Column]) -> RecordLayout {
        let fields = self
            .fields
            .iter()
            .map(|field| field_layout(*field, columns))
            .collect();
        let key_fields = if self.clustered {
            self.unique_fields
        } else {
            self.fields.len()
        };
        RecordLayout { fields, key_fields }
    }

    /// The index, given its tree.
    pub(crate) fn with_tree(self, tree: Tree) -> Index {
        Index {
            id: tree.index,
            name: self.name,
            columns: self.columns,
            unique: self.unique,
            clustered: self.clustered,
            fields: self.fields,
            unique_fields: self.unique_fields,
            tree: Arc::new(tree),
        }
    }
}

fn field_layout(field: IndexField, columns: &[Column]) -> FieldLayout {
    let hidden = |bytes| FieldLayout {
        storage: Storage::Fixed(bytes),
        nullable: false,
        order: FieldOrder::Bytes,
    };
    match field {
        IndexField::RowId | IndexField::TrxId => hidden(6),
        IndexField::RollPointer => hidden(7),
        IndexField::Column(at) => {
            let column = &columns[at];
            let storage = match column.ty.fixed_length() {
                Some(bytes) => Storage::Fixed(bytes as u16),
                None => Storage::Variable {
                    max: column.ty.max_length() as u32,
                },
            };
            FieldLayout {
                storage,
                nullable: column.nullable,
                order: column.ty.order(),
            }
        }
    }
}

impl Index {
    /// Key columns, then the clustered key's columns that are not among them (a hidden key is not
    /// listed): what a covering read can get from this index. For the clustered index: its key.
    #[must_use]
    pub fn all_columns(&self) -> Vec<usize> {
        let fields = if self.clustered {
            &self.fields[..self.unique_fields]
        } else {
            &self.fields[..]
        };
        fields
            .iter()
            .filter_map(|field| match field {
                IndexField::Column(at) => Some(*at),
                _ => None,
            })
            .collect()
    }

    /// Position of a field among the record's fields.
    #[must_use]
    pub fn position(&self, field: IndexField) -> Option<usize> {
        self.fields.iter().position(|known| *known == field)
    }

    /// Whether its entries change when these columns do.
    #[must_use]
    pub fn depends_on(&self, changed: &[usize]) -> bool {
        let key = if self.clustered {
            &self.fields[..self.unique_fields]
        } else {
            &self.fields[..]
        };
        key.iter()
            .any(|field| matches!(field, IndexField::Column(at) if changed.contains(at)))
    }
}
