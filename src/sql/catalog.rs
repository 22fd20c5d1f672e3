//! Tables as binder and planner see them, taken from the engine's.

use std::sync::Arc;

use gaplock_engine::db::Engine;
use gaplock_engine::table::{Index, Table};

use super::bind::Catalog;
use super::exec::virtual_tables;
use super::plan::{ColumnShape, IndexShape, KeyRange, Statistics, TableShape};

/// The engine's catalog and the tables that show its state.
pub(crate) struct EngineCatalog<'a>(pub(crate) &'a Engine);

impl Catalog for EngineCatalog<'_> {
    fn shape(&self, schema: Option<&str>, name: &str) -> Option<Arc<TableShape>> {
        match schema {
            Some(schema) => virtual_tables::shape(schema, name),
            None => self.0.table(name).map(|table| Arc::new(shape(&table))),
        }
    }
}

/// A table's columns and indexes.
pub(crate) fn shape(table: &Table) -> TableShape {
    TableShape {
        name: table.name.clone(),
        columns: table
            .columns
            .iter()
            .map(|column| ColumnShape {
                name: column.name.clone(),
                column_type: column.ty,
                nullable: column.nullable,
            })
            .collect(),
        indexes: table.indexes.iter().map(index_shape).collect(),
    }
}

fn index_shape(index: &Index) -> IndexShape {
    IndexShape {
        name: index.name.clone(),
        columns: index.columns.clone(),
        all_columns: index.all_columns(),
        unique: index.unique,
        clustered: index.clustered,
    }
}

/// Row counts of the engine.
impl Statistics for EngineCatalog<'_> {
    fn row_count(&self, table: &TableShape) -> u64 {
        self.0
            .table(&table.name)
            .map_or(0, |table| self.0.estimated_row_count(&table))
    }

    fn records_in_range(&self, table: &TableShape, index: usize, range: &KeyRange) -> u64 {
        let Some(table) = self.0.table(&table.name) else {
            return 0;
        };
        // A bound that its column cannot hold has no records behind it that could be counted.
        self.0.records_in_range(&table, index, range).unwrap_or(1)
    }
}
