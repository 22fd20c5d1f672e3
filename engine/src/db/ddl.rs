//! Changing definitions. The caller keeps everybody else out of the table (metadata locks).

use std::sync::Arc;

use super::{
    Engine,
    catalog::Orphan,
    persistence::{NewTree, document_size},
};
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
        let (plan, trees) = self.plan_table(&spec)?;
        self.change_catalog(&trees, document_size(&spec), |catalog, trees| {
            let table = Arc::new(plan.into_table(trees));
            catalog.register(&table, spec.auto_increment);
            table
        })
    }

    /// Draws the numbers of a table and of its indexes, and says which trees it needs.
    fn plan_table(&self, spec: &TableSpec) -> Result<(TablePlan, Vec<NewTree>), Error> {
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
        let mut shapes = vec![clustered];
        shapes.extend(secondary);
        let mut catalog = self.catalog.write();
        let trees = shapes
            .iter()
            .map(|shape| new_tree(catalog.draw_id(), shape, &spec.columns))
            .collect();
        let plan = TablePlan {
            id: catalog.draw_id(),
            spec: spec.clone(),
            shapes,
        };
        Ok((plan, trees))
    }

    /// Drops a table.
    ///
    /// # Errors
    /// When there is no such table, or its pages cannot be read.
    pub fn drop_table(&self, name: &str) -> Result<(), Error> {
        let _alone = self.definition_latch.lock();
        let table = self.existing(name)?;
        let growth = document_size(&self.spec_of_known(&table));
        self.change_catalog(&[], growth, |catalog, _| {
            catalog.remove(&table);
            catalog.orphans.push(Orphan::whole(&table));
        })?;
        self.drop_orphans_if_possible();
        Ok(())
    }

    fn existing(&self, name: &str) -> Result<Arc<Table>, Error> {
        self.table(name).ok_or_else(|| Error::NoSuchTable {
            name: name.to_owned(),
        })
    }

    /// After a change of definitions that is durable: the change has succeeded, whatever becomes of
    /// the pages that it leaves. They are given back by a later change, or the next opening.
    fn drop_orphans_if_possible(&self) {
        let _ = self.drop_orphans();
    }

    /// Drops all trees that no definition uses. What cannot be dropped now stays an orphan.
    pub(super) fn drop_orphans(&self) -> Result<(), Error> {
        loop {
            let next = self.catalog.read().orphans.first().cloned();
            let Some(Orphan { table, indexes }) = next else {
                return Ok(());
            };
            let trees = table.indexes.iter();
            for index in trees.filter(|index| indexes.contains(&index.id)) {
                while index.tree.drop_pages(&self.pool)? {}
            }
            self.forget_orphan(&table, &indexes)?;
        }
    }

    /// Frees the roots, which are all that is left of an orphan's trees, together with the catalog's
    /// knowledge of them.
    fn forget_orphan(&self, table: &Table, indexes: &[u64]) -> Result<(), Error> {
        let dropped = table
            .indexes
            .iter()
            .filter(|index| indexes.contains(&index.id));
        let roots: Vec<_> = dropped.map(|index| index.tree.root).collect();
        self.change_catalog_and_free(&roots, |catalog| catalog.adopt(indexes))
    }

    /// Empties a table and starts its counter over.
    ///
    /// # Errors
    /// As [`Self::create_table`] and [`Self::drop_table`].
    pub fn truncate_table(&self, name: &str) -> Result<(), Error> {
        let _alone = self.definition_latch.lock();
        let old = self.existing(name)?;
        let spec = TableSpec {
            auto_increment: 1,
            ..self.spec_of(&old)
        };
        let (plan, trees) = self.plan_table(&spec)?;
        self.change_catalog(&trees, 2 * document_size(&spec), |catalog, trees| {
            catalog.remove(&old);
            catalog.orphans.push(Orphan::whole(&old));
            catalog.register(&Arc::new(plan.into_table(trees)), 1);
        })?;
        self.drop_orphans_if_possible();
        Ok(())
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
        let tree = new_tree(self.catalog.write().draw_id(), &shape, &old.columns);
        let mut indexes = old.indexes.clone();
        // Entries are made in unique indexes first, as the server sorts its keys.
        let at = if shape.unique {
            indexes
                .iter()
                .position(|known| !known.unique)
                .unwrap_or(indexes.len())
        } else {
            indexes.len()
        };
        let growth = 2 * document_size(&self.spec_of_known(&old));
        let new = self.change_catalog(std::slice::from_ref(&tree), growth, |catalog, trees| {
            let made = trees.into_iter().zip([shape]);
            indexes.splice(at..at, made.map(|(tree, shape)| shape.with_tree(tree)));
            let new = Arc::new(old.with_indexes(indexes));
            catalog.orphans.push(Orphan {
                table: Arc::clone(&new),
                indexes: vec![tree.index],
            });
            new
        })?;
        if let Err(error) = self.fill_index(&old, &new.indexes[at]) {
            self.drop_orphans()?;
            return Err(error);
        }
        self.change_catalog(&[], growth, |catalog, _| {
            catalog.adopt(&[tree.index]);
            catalog.put(new);
        })
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
        let growth = document_size(&self.spec_of_known(&old));
        self.change_catalog(&[], growth, |catalog, _| {
            catalog.put(Arc::new(old.with_indexes(indexes)));
            catalog.orphans.push(Orphan {
                table: old,
                indexes: vec![dropped.id],
            });
        })?;
        self.drop_orphans_if_possible();
        Ok(())
    }

    /// Replaces a table's foreign keys.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn set_foreign_keys(&self, table: &str, keys: Vec<ForeignKey>) -> Result<(), Error> {
        let _alone = self.definition_latch.lock();
        let old = self.existing(table)?;
        let table = Table {
            foreign_keys: keys,
            ..old.with_indexes(old.indexes.clone())
        };
        let growth = document_size(&self.spec_of_known(&table));
        self.change_catalog(&[], growth, |catalog, _| catalog.put(Arc::new(table)))
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
        let (plan, trees) = self.plan_table(spec)?;
        let growth = document_size(spec) + document_size(&self.spec_of_known(&old));
        let new = self.change_catalog(&trees, growth, |catalog, trees| {
            let new = Arc::new(plan.into_table(trees));
            catalog.count_rows_of(&new, spec.auto_increment);
            catalog.orphans.push(Orphan::whole(&new));
            new
        })?;
        if let Err(error) = self.copy_rows(&old, &new, fill) {
            self.catalog.write().remove(&new);
            self.drop_orphans()?;
            return Err(error);
        }
        self.change_catalog(&[], growth, |catalog, _| {
            let indexes: Vec<u64> = new.indexes.iter().map(|index| index.id).collect();
            catalog.adopt(&indexes);
            catalog.remove(&old);
            catalog.orphans.push(Orphan::whole(&old));
            catalog.put(new);
        })?;
        self.drop_orphans_if_possible();
        Ok(())
    }

    fn copy_rows(
        &self,
        old: &Table,
        new: &Table,
        fill: &dyn Fn(&Column) -> Value,
    ) -> Result<(), Error> {
        let sources: Vec<Option<usize>> = new
            .columns
            .iter()
            .map(|column| old.column(&column.name))
            .collect();
        let mut trx = self.begin(Isolation::RepeatableRead);
        for row in self.live_rows(old)? {
            let values = old.decode_row(&row.image);
            let copied: Vec<Value> = sources
                .iter()
                .zip(&new.columns)
                .map(|(from, column)| from.map_or_else(|| fill(column), |at| values[at].clone()))
                .collect();
            self.copy_row(&mut trx, new, &copied)?;
        }
        self.commit(&mut trx)
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

/// A table that is to be made: everything but its trees.
struct TablePlan {
    id: u64,
    spec: TableSpec,
    shapes: Vec<IndexShape>,
}

impl TablePlan {
    fn into_table(self, trees: Vec<Tree>) -> Table {
        let made = self.shapes.into_iter().zip(trees);
        Table {
            id: self.id,
            name: self.spec.name,
            columns: self.spec.columns,
            indexes: made.map(|(shape, tree)| shape.with_tree(tree)).collect(),
            foreign_keys: self.spec.foreign_keys,
        }
    }
}

fn new_tree(index: u64, shape: &IndexShape, columns: &[Column]) -> NewTree {
    NewTree {
        index,
        layout: Arc::new(shape.layout(columns)),
        clustered: shape.clustered,
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
