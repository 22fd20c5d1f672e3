//! Changing definitions. The caller keeps everybody else out of the table (metadata locks).

use std::sync::{Arc, atomic::Ordering};

use super::Engine;
use crate::{
    btree::{Latching, Seek, Tree},
    error::{DuplicateKey, Error, StoreError},
    mtr::Mtr,
    row::{ChangeProgress, Inserted, LockMoves, Rollback, Step},
    table::{
        ClusteredRow, Column, ForeignKey, Index, IndexShape, IndexSpec, RollPointer, RowImage,
        Table, TableSpec,
    },
    trx::{Isolation, Trx},
    types::Value,
};

impl Engine {
    /// Creates a table.
    ///
    /// # Errors
    /// When the name is taken, the definition makes no sense, or pages cannot be had.
    pub fn create_table(&self, spec: TableSpec) -> Result<Arc<Table>, Error> {
        let _alone = self.definition_latch.lock();
        if self.table(&spec.name).is_some() {
            return Err(Error::TableExists { name: spec.name });
        }
        let table = self.make_table(&spec)?;
        self.register(table, spec.auto_increment)
    }

    fn register(&self, table: Table, auto_increment: u64) -> Result<Arc<Table>, Error> {
        let table = Arc::new(table);
        let mut catalog = self.catalog.write();
        catalog.put(table.clone());
        if let Some(counters) = catalog.counters.get(&table.id) {
            counters
                .auto_increment
                .store(auto_increment.max(1), Ordering::Relaxed);
        }
        drop(catalog);
        self.save_catalog()?;
        Ok(table)
    }

    fn make_table(&self, spec: &TableSpec) -> Result<Table, Error> {
        check_spec(spec)?;
        let clustered = IndexShape::clustered(spec);
        let key = clustered.fields[..clustered.unique_fields].to_vec();
        let is_clustered =
            |index: &&IndexSpec| spec.primary_key.is_none() && index.name == clustered.name;
        let secondary: Vec<_> = spec
            .indexes
            .iter()
            .filter(|index| !is_clustered(index))
            .map(|index| IndexShape::secondary(index, &key))
            .collect();
        let mut indexes = vec![self.make_index(clustered, &spec.columns)?];
        for shape in secondary {
            indexes.push(self.make_index(shape, &spec.columns)?);
        }
        Ok(Table {
            id: self.catalog.write().draw_id(),
            name: spec.name.clone(),
            columns: spec.columns.clone(),
            indexes,
            foreign_keys: spec.foreign_keys.clone(),
        })
    }

    fn make_index(&self, shape: IndexShape, columns: &[Column]) -> Result<Index, Error> {
        let id = self.catalog.write().draw_id();
        let layout = Arc::new(shape.layout(columns));
        let mut mtr = Mtr::begin(&self.pool);
        let tree = Tree::create(&mut mtr, id, layout, shape.clustered)?;
        mtr.commit();
        Ok(shape.with_tree(tree))
    }

    /// Drops a table.
    ///
    /// # Errors
    /// When there is no such table, or its pages cannot be read.
    pub fn drop_table(&self, name: &str) -> Result<(), Error> {
        let _alone = self.definition_latch.lock();
        let table = self.existing(name)?;
        self.catalog.write().remove(&table);
        self.save_catalog()?;
        self.drop_trees(&table.indexes)
    }

    fn existing(&self, name: &str) -> Result<Arc<Table>, Error> {
        self.table(name).ok_or_else(|| Error::NoSuchTable {
            name: name.to_owned(),
        })
    }

    fn drop_trees(&self, indexes: &[Index]) -> Result<(), Error> {
        for index in indexes {
            let tree = &index.tree;
            Tree::open(tree.index, tree.root, tree.layout.clone(), tree.clustered)
                .drop_pages(&self.pool)?;
        }
        Ok(())
    }

    /// Empties a table and starts its counter over.
    ///
    /// # Errors
    /// As [`Self::create_table`] and [`Self::drop_table`].
    pub fn truncate_table(&self, name: &str) -> Result<(), Error> {
        let spec = TableSpec {
            auto_increment: 1,
            ..self.spec_of(&*self.existing(name)?)
        };
        self.drop_table(name)?;
        self.create_table(spec).map(|_| ())
    }

    /// What a table would be created from.
    #[must_use]
    pub fn spec_of(&self, table: &Table) -> TableSpec {
        TableSpec {
            auto_increment: self.auto_increment(table),
            ..self.spec_of_known(table)
        }
    }

    /// The same without looking up the counter.
    pub(super) fn spec_of_known(&self, table: &Table) -> TableSpec {
        let declared = |index: &&Index| !index.columns.is_empty() && index.name != "PRIMARY";
        let primary = table.indexes.iter().find(|index| index.name == "PRIMARY");
        TableSpec {
            name: table.name.clone(),
            columns: table.columns.clone(),
            primary_key: primary.map(|index| index.columns.clone()),
            indexes: table
                .indexes
                .iter()
                .filter(declared)
                .map(|index| IndexSpec {
                    name: index.name.clone(),
                    columns: index.columns.clone(),
                    unique: index.unique,
                })
                .collect(),
            foreign_keys: table.foreign_keys.clone(),
            auto_increment: 1,
        }
    }

    /// Adds an index, from the rows that are there.
    ///
    /// # Errors
    /// When the name is taken, a unique index would have duplicates, or pages cannot be had; the
    /// table is as it was then.
    pub fn create_index(&self, table: &str, spec: &IndexSpec) -> Result<(), Error> {
        let _alone = self.definition_latch.lock();
        let old = self.existing(table)?;
        if old.index(&spec.name).is_some() {
            return Err(Error::IndexExists {
                name: spec.name.clone(),
            });
        }
        let clustered = old.clustered();
        let shape = IndexShape::secondary(spec, &clustered.fields[..clustered.unique_fields]);
        let index = self.make_index(shape, &old.columns)?;
        if let Err(error) = self.fill_index(&old, &index) {
            self.drop_trees(std::slice::from_ref(&index))?;
            return Err(error);
        }
        let mut indexes = old.indexes.clone();
        // Entries are made in unique indexes first, as the server sorts its keys.
        let at = if index.unique {
            indexes
                .iter()
                .position(|known| !known.unique)
                .unwrap_or(indexes.len())
        } else {
            indexes.len()
        };
        indexes.insert(at, index);
        self.redefine(&old, indexes, old.foreign_keys.clone())
    }

    /// Drops a secondary index.
    ///
    /// # Errors
    /// When there is no such index, or it is the clustered one (rebuild the table then).
    pub fn drop_index(&self, table: &str, index: &str) -> Result<(), Error> {
        let _alone = self.definition_latch.lock();
        let old = self.existing(table)?;
        let no_such = || Error::NoSuchIndex {
            name: index.to_owned(),
        };
        let at = old.index(index).filter(|at| *at > 0).ok_or_else(no_such)?;
        let mut indexes = old.indexes.clone();
        let dropped = indexes.remove(at);
        self.redefine(&old, indexes, old.foreign_keys.clone())?;
        self.drop_trees(&[dropped])
    }

    /// Replaces a table's foreign keys.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn set_foreign_keys(&self, table: &str, keys: Vec<ForeignKey>) -> Result<(), Error> {
        let _alone = self.definition_latch.lock();
        let old = self.existing(table)?;
        self.redefine(&old, old.indexes.clone(), keys)
    }

    fn redefine(
        &self,
        old: &Table,
        indexes: Vec<Index>,
        foreign_keys: Vec<ForeignKey>,
    ) -> Result<(), Error> {
        let table = Table {
            id: old.id,
            name: old.name.clone(),
            columns: old.columns.clone(),
            indexes,
            foreign_keys,
        };
        self.catalog.write().put(Arc::new(table));
        self.save_catalog()
    }

    fn fill_index(&self, table: &Table, index: &Index) -> Result<(), Error> {
        for row in self.live_rows(table)? {
            self.add_entry(table, index, &row)?;
        }
        Ok(())
    }

    /// Puts one committed row's entry into an index that is being filled.
    fn add_entry(&self, table: &Table, index: &Index, row: &ClusteredRow) -> Result<(), Error> {
        let entry = index.entry(&row.image);
        let key = &entry.0[..index.columns.len()];
        let mut mtr = Mtr::begin(&self.pool);
        if index.unique && !index.has_null_key(&entry.0) {
            let cursor = index
                .tree
                .seek(&mut mtr, key, Seek::AtOrBefore, Latching::Read)?;
            let record = index.tree.record(&mtr, cursor);
            if record.is_user() && record.compare_prefix(key).0.is_eq() {
                return Err(self.collision(table, index, &row.image));
            }
            drop(mtr);
            mtr = Mtr::begin(&self.pool);
        }
        let tree = &index.tree;
        let cursor = tree.seek(&mut mtr, &entry.0, Seek::AtOrBefore, Latching::ModifyTree)?;
        let moves = LockMoves::new(&self.locks);
        let at = tree.insert_splitting(&mut mtr, cursor, &entry, &moves)?;
        tree.raise_max_trx(&mut mtr, at, row.writer.0);
        mtr.commit();
        Ok(())
    }

    fn collision(&self, table: &Table, index: &Index, image: &RowImage) -> Error {
        let row = table.decode_row(image);
        Error::Duplicate(Box::new(DuplicateKey {
            index: table.index(&index.name).unwrap_or(table.indexes.len()),
            name: index.name.clone(),
            key: index.columns.iter().map(|at| row[*at].clone()).collect(),
            reference: table.reference(image),
        }))
    }

    /// All rows that are not deleted, in the order of their keys.
    fn live_rows(&self, table: &Table) -> Result<Vec<ClusteredRow>, StoreError> {
        let tree = &table.clustered().tree;
        let mut rows = Vec::new();
        let mut mtr = Mtr::begin(&self.pool);
        let mut cursor = tree.first(&mut mtr, Latching::Read)?;
        loop {
            let record = tree.record(&mtr, cursor);
            if record.is_user() && !record.is_deleted() {
                rows.push(table.read_clustered(&record));
            }
            if !tree.next(&mut mtr, &mut cursor)? {
                return Ok(rows);
            }
        }
    }

    /// Rebuilds a table from another definition: rows are copied by column name, new columns get the
    /// value that `fill` gives for them.
    ///
    /// # Errors
    /// When a unique key would have duplicates, a value does not fit, or pages cannot be had; the
    /// table is as it was then.
    pub fn rebuild_table(
        &self,
        name: &str,
        spec: &TableSpec,
        fill: &dyn Fn(&Column) -> Value,
    ) -> Result<(), Error> {
        let _alone = self.definition_latch.lock();
        let old = self.existing(name)?;
        let new = self.make_table(spec)?;
        let copied = self.copy_rows(&old, &new, fill);
        let rows = match copied {
            Ok(rows) => rows,
            Err(error) => {
                self.drop_trees(&new.indexes)?;
                return Err(error);
            }
        };
        self.catalog.write().remove(&old);
        let new = self.register(new, spec.auto_increment)?;
        self.count_row(&new, rows);
        self.drop_trees(&old.indexes)
    }

    fn copy_rows(
        &self,
        old: &Table,
        new: &Table,
        fill: &dyn Fn(&Column) -> Value,
    ) -> Result<i64, Error> {
        let sources: Vec<Option<usize>> = new
            .columns
            .iter()
            .map(|column| old.column(&column.name))
            .collect();
        let mut trx = self.begin(Isolation::RepeatableRead);
        let mut count = 0;
        for row in self.live_rows(old)? {
            let values = old.decode_row(&row.image);
            let copied: Vec<Value> = sources
                .iter()
                .zip(&new.columns)
                .map(|(from, column)| from.map_or_else(|| fill(column), |at| values[at].clone()))
                .collect();
            self.copy_row(&mut trx, new, &copied)?;
            count += 1;
        }
        self.commit(&mut trx)?;
        Ok(count)
    }

    /// Puts a row into a table that nobody else knows yet; undo is written and forgotten at the end.
    fn copy_row(&self, trx: &mut Trx, table: &Table, values: &[Value]) -> Result<(), Error> {
        let mut image = table.encode_row(values)?;
        if table.has_hidden_key() {
            image.row_id = Some(self.draw_row_id(table));
        }
        let mut progress = ChangeProgress::default();
        loop {
            match self.insert_clustered(trx, table, &image, &mut progress)? {
                Step::Done(Inserted::Yes) => break,
                Step::Done(Inserted::Duplicate(_)) => {
                    let error = self.collision(table, table.clustered(), &image);
                    Rollback::all().finish(self, trx)?;
                    return Err(error);
                }
                Step::Progress | Step::Wait => {}
            }
        }
        let writer = trx.id.unwrap_or_default();
        let roll = RollPointer::none();
        let row = ClusteredRow {
            image,
            writer,
            roll,
            deleted: false,
        };
        for index in &table.indexes[1..] {
            if let Err(error) = self.add_entry(table, index, &row) {
                Rollback::all().finish(self, trx)?;
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Whether a definition makes sense.
fn check_spec(spec: &TableSpec) -> Result<(), Error> {
    let wrong = |what: String| Err(Error::Definition { what });
    if spec.columns.is_empty() {
        return wrong("A table must have at least 1 column".to_owned());
    }
    let keys = spec
        .indexes
        .iter()
        .map(|index| &index.columns)
        .chain(&spec.primary_key);
    for columns in keys {
        if columns.is_empty() || columns.iter().any(|at| *at >= spec.columns.len()) {
            return wrong(format!(
                "table '{}' has a key of unknown columns",
                spec.name
            ));
        }
    }
    for (at, column) in spec.columns.iter().enumerate() {
        if spec.columns[..at]
            .iter()
            .any(|other| other.name.eq_ignore_ascii_case(&column.name))
        {
            return wrong(format!("Duplicate column name '{}'", column.name));
        }
    }
    for (at, index) in spec.indexes.iter().enumerate() {
        if spec.indexes[..at]
            .iter()
            .any(|other| other.name.eq_ignore_ascii_case(&index.name))
        {
            return Err(Error::IndexExists {
                name: index.name.clone(),
            });
        }
    }
    if let Some(column) = spec
        .primary_key
        .iter()
        .flatten()
        .find(|column| spec.columns[**column].nullable)
    {
        let name = &spec.columns[*column].name;
        return wrong(format!("primary key column '{name}' may not be NULL"));
    }
    Ok(())
}
