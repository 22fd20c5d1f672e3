//! CREATE, ALTER, DROP and TRUNCATE: definitions as the engine takes them.

use gaplock_engine::db::Engine;
use gaplock_engine::table::{Column, ForeignKey, IndexSpec, ReferentialAction, Table, TableSpec};
use gaplock_engine::types::{Collation, ColumnType, Value};

use crate::sql::ast::{
    AlterAction, ColumnDefinition, CreateTable, DefaultValue, Definition, ForeignKeyAction,
    ForeignKeyDefinition, KeyDefinition, KeyKind, Literal, Name, TypeName,
};
use crate::sql::error::{DefinitionError, ErrorKind, SqlError};

/// Carries out a definition. The caller has ended the transaction and holds the metadata locks.
///
/// # Errors
/// Definitions that cannot be, tables that are not there, rows that collide in a new unique key.
pub(crate) fn define(definition: &Definition, engine: &Engine) -> Result<(), SqlError> {
    match definition {
        Definition::CreateTable(table) => {
            if table.if_not_exists && engine.table(&table.table.text).is_some() {
                return Ok(());
            }
            engine.create_table(table_spec(table, engine)?)?;
        }
        Definition::CreateIndex { table, key } => add_key(engine, table, key)?,
        Definition::DropIndex { table, index } => drop_key(engine, table, index)?,
        Definition::AlterTable { table, actions } => {
            for action in actions {
                alter(engine, table, action)?;
            }
        }
        Definition::DropTables { tables, if_exists } => {
            for table in tables {
                check_parents(engine, table, tables)?;
            }
            for table in tables {
                if engine.table(&table.text).is_some() || !if_exists {
                    engine
                        .drop_table(&table.text)
                        .map_err(|e| SqlError::from(e).at(table.position))?;
                }
            }
        }
        Definition::Truncate(table) => {
            check_parents(engine, table, std::slice::from_ref(table))?;
            engine
                .truncate_table(&table.text)
                .map_err(|error| SqlError::from(error).at(table.position))?;
        }
    }
    Ok(())
}

/// A table whose rows others refer to is not dropped, unless they go with it.
fn check_parents(engine: &Engine, table: &Name, going: &[Name]) -> Result<(), SqlError> {
    for (child, _) in engine.children_of(&table.text) {
        if !going.iter().any(|other| other.text == child.name) {
            return Err(SqlError::from(ErrorKind::Referenced {
                table: table.text.clone(),
                child: child.name.clone(),
            })
            .at(table.position));
        }
    }
    Ok(())
}

fn existing(engine: &Engine, name: &Name) -> Result<std::sync::Arc<Table>, SqlError> {
    engine
        .table(&name.text)
        .ok_or_else(|| SqlError::from(ErrorKind::NoSuchTable(name.text.clone())).at(name.position))
}

fn alter(engine: &Engine, table: &Name, action: &AlterAction) -> Result<(), SqlError> {
    match action {
        AlterAction::AddKey(key) => add_key(engine, table, key),
        AlterAction::DropKey(index) => drop_key(engine, table, index),
        AlterAction::DropPrimary => {
            let found = existing(engine, table)?;
            let mut spec = engine.spec_of(&found);
            if spec.primary_key.take().is_none() {
                return Err(DefinitionError::CannotDrop("PRIMARY".to_owned()).into());
            }
            rebuild(engine, table, &spec)
        }
        AlterAction::AddForeignKey(key) => {
            let found = existing(engine, table)?;
            let mut spec = engine.spec_of(&found);
            let before = spec.indexes.len();
            add_foreign_key(&mut spec, key)?;
            for index in &spec.indexes[before..] {
                engine.create_index(&table.text, index)?;
            }
            Ok(engine.set_foreign_keys(&table.text, spec.foreign_keys)?)
        }
        AlterAction::DropForeignKey(name) => {
            let found = existing(engine, table)?;
            let mut keys = found.foreign_keys.clone();
            let before = keys.len();
            keys.retain(|key| !key.name.eq_ignore_ascii_case(&name.text));
            if keys.len() == before {
                let error = SqlError::from(DefinitionError::CannotDrop(name.text.clone()));
                return Err(error.at(name.position));
            }
            Ok(engine.set_foreign_keys(&table.text, keys)?)
        }
    }
}

fn rebuild(engine: &Engine, table: &Name, spec: &TableSpec) -> Result<(), SqlError> {
    Ok(engine.rebuild_table(&table.text, spec, &|_| Value::Null)?)
}

fn add_key(engine: &Engine, table: &Name, key: &KeyDefinition) -> Result<(), SqlError> {
    let found = existing(engine, table)?;
    let mut spec = engine.spec_of(&found);
    if key.kind == KeyKind::Primary {
        let columns = key_columns(&spec, key)?;
        if spec.primary_key.replace(columns.clone()).is_some() {
            return Err(DefinitionError::MultiplePrimary.into());
        }
        for column in columns {
            spec.columns[column].nullable = false;
        }
        return rebuild(engine, table, &spec);
    }
    let index = index_spec(&spec, key)?;
    Ok(engine.create_index(&table.text, &index)?)
}

fn drop_key(engine: &Engine, table: &Name, index: &Name) -> Result<(), SqlError> {
    if index.text.eq_ignore_ascii_case("PRIMARY") {
        return alter(engine, table, &AlterAction::DropPrimary);
    }
    let found = existing(engine, table)?;
    let missing =
        || SqlError::from(DefinitionError::CannotDrop(index.text.clone())).at(index.position);
    let at = found.index(&index.text).ok_or_else(missing)?;
    if at > 0 {
        return Ok(engine.drop_index(&table.text, &found.indexes[at].name)?);
    }
    let mut spec = engine.spec_of(&found);
    spec.indexes
        .retain(|known| !known.name.eq_ignore_ascii_case(&index.text));
    rebuild(engine, table, &spec)
}

/// A table's definition as the engine takes it.
fn table_spec(created: &CreateTable, engine: &Engine) -> Result<TableSpec, SqlError> {
    let default_collation = engine.profile().default_collation;
    let table_collation = match &created.charset {
        Some(name) => collation(name)?,
        None => default_collation,
    };
    let mut columns: Vec<Column> = Vec::with_capacity(created.columns.len());
    for definition in &created.columns {
        if columns
            .iter()
            .any(|known| known.name.eq_ignore_ascii_case(&definition.name.text))
        {
            let name = definition.name.text.clone();
            let error = SqlError::from(DefinitionError::DuplicateColumn(name));
            return Err(error.at(definition.name.position));
        }
        columns.push(column(definition, table_collation)?);
    }
    let mut spec = TableSpec {
        name: created.table.text.clone(),
        columns,
        primary_key: None,
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        auto_increment: created.auto_increment.unwrap_or(1),
    };
    for key in &created.keys {
        if key.kind == KeyKind::Primary {
            let columns = key_columns(&spec, key)?;
            for column in &columns {
                spec.columns[*column].nullable = false;
            }
            if spec.primary_key.replace(columns).is_some() {
                return Err(DefinitionError::MultiplePrimary.into());
            }
        }
    }
    for key in &created.keys {
        if key.kind != KeyKind::Primary {
            let index = index_spec(&spec, key)?;
            spec.indexes.push(index);
        }
    }
    for key in &created.foreign_keys {
        add_foreign_key(&mut spec, key)?;
    }
    check_auto_increment(&spec)?;
    sort_indexes(&mut spec);
    Ok(spec)
}

/// The server's order of keys: unique ones without NULL, other unique ones, the rest.
fn sort_indexes(spec: &mut TableSpec) {
    let columns = &spec.columns;
    spec.indexes.sort_by_key(|index| {
        let nullable = index.columns.iter().any(|column| columns[*column].nullable);
        match (index.unique, nullable) {
            (true, false) => 0,
            (true, true) => 1,
            (false, _) => 2,
        }
    });
}

fn check_auto_increment(spec: &TableSpec) -> Result<(), SqlError> {
    let mut counted = spec
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.auto_increment);
    let Some((column, _)) = counted.next() else {
        return Ok(());
    };
    let first_of = |columns: &Vec<usize>| columns.first() == Some(&column);
    let is_key = spec.primary_key.as_ref().is_some_and(first_of)
        || spec.indexes.iter().any(|index| first_of(&index.columns));
    if counted.next().is_some() || !is_key {
        return Err(DefinitionError::AutoColumn.into());
    }
    Ok(())
}

fn column(definition: &ColumnDefinition, table: Collation) -> Result<Column, SqlError> {
    let collation = match &definition.charset {
        Some(name) => collation(name)?,
        None => table,
    };
    let ty = match definition.column_type {
        TypeName::Int { bytes, unsigned } => ColumnType::Int { bytes, unsigned },
        TypeName::Double => ColumnType::Double,
        TypeName::Decimal { precision, scale } => ColumnType::Decimal { precision, scale },
        TypeName::Char(characters) => ColumnType::Char {
            characters,
            collation,
        },
        TypeName::VarChar(characters) => ColumnType::VarChar {
            characters,
            collation,
        },
        TypeName::Text => ColumnType::Text { collation },
        TypeName::Date => ColumnType::Date,
        TypeName::DateTime => ColumnType::DateTime,
        TypeName::Timestamp => ColumnType::Timestamp,
    };
    let default = match &definition.default {
        None | Some(DefaultValue::Literal(Literal::Null)) => None,
        Some(DefaultValue::Now) => Some("NOW()".to_owned()),
        Some(DefaultValue::Literal(literal)) => {
            let value = crate::sql::bind::value(literal);
            if ty.encode(&value).is_err() {
                let name = definition.name.text.clone();
                let error = SqlError::from(DefinitionError::Default(name));
                return Err(error.at(definition.name.position));
            }
            Some(literal.to_string())
        }
    };
    Ok(Column {
        name: definition.name.text.clone(),
        ty,
        nullable: !definition.not_null && !definition.auto_increment,
        auto_increment: definition.auto_increment,
        default,
    })
}

/// The order that a character set's or a collation's name stands for.
fn collation(name: &Name) -> Result<Collation, SqlError> {
    let text = name.text.as_str();
    if text == "binary" || text.ends_with("_bin") {
        Ok(Collation::Binary)
    } else if text.starts_with("latin1") {
        Ok(Collation::Latin1)
    } else if text == "utf8mb4" || text.starts_with("utf8mb4_0900") {
        Ok(Collation::Utf8Mb4NoPad)
    } else if text.starts_with("utf8") {
        Ok(Collation::Utf8Mb4Pad)
    } else {
        Err(SqlError::unsupported(
            format!("the character set or collation {text}"),
            Some(name.position),
            "latin1, utf8mb4 and binary are there, with their collations",
        ))
    }
}

fn key_columns(spec: &TableSpec, key: &KeyDefinition) -> Result<Vec<usize>, SqlError> {
    let mut columns = Vec::with_capacity(key.columns.len());
    for name in &key.columns {
        let column = column_named(spec, name)?;
        if matches!(spec.columns[column].ty, ColumnType::Text { .. }) {
            let error = SqlError::from(DefinitionError::TextKey(name.text.clone()));
            return Err(error.at(name.position));
        }
        if columns.contains(&column) {
            let error = SqlError::from(DefinitionError::DuplicateColumn(name.text.clone()));
            return Err(error.at(name.position));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn column_named(spec: &TableSpec, name: &Name) -> Result<usize, SqlError> {
    spec.columns
        .iter()
        .position(|column| column.name.eq_ignore_ascii_case(&name.text))
        .ok_or_else(|| {
            SqlError::from(DefinitionError::KeyColumn(name.text.clone())).at(name.position)
        })
}

fn index_spec(spec: &TableSpec, key: &KeyDefinition) -> Result<IndexSpec, SqlError> {
    let columns = key_columns(spec, key)?;
    let taken = |name: &str| {
        spec.indexes
            .iter()
            .any(|index| index.name.eq_ignore_ascii_case(name))
    };
    let name = match &key.name {
        Some(name) if taken(&name.text) || name.text.eq_ignore_ascii_case("PRIMARY") => {
            let error = SqlError::from(DefinitionError::DuplicateKey(name.text.clone()));
            return Err(error.at(name.position));
        }
        Some(name) => name.text.clone(),
        None => free_name(&spec.columns[columns[0]].name, &taken),
    };
    Ok(IndexSpec {
        name,
        columns,
        unique: key.kind == KeyKind::Unique,
    })
}

/// The name of a key without one: its first column's, numbered if that is taken.
fn free_name(column: &str, taken: &dyn Fn(&str) -> bool) -> String {
    let mut name = column.to_owned();
    let mut number = 2;
    while taken(&name) {
        name = format!("{column}_{number}");
        number += 1;
    }
    name
}

/// Adds a foreign key, and an index on its columns where none begins with them.
fn add_foreign_key(spec: &mut TableSpec, key: &ForeignKeyDefinition) -> Result<(), SqlError> {
    let columns: Result<Vec<usize>, SqlError> = key
        .columns
        .iter()
        .map(|name| column_named(spec, name))
        .collect();
    let columns = columns?;
    let name = match &key.name {
        Some(name) => name.text.clone(),
        None => format!("{}_ibfk_{}", spec.name, spec.foreign_keys.len() + 1),
    };
    let served = spec
        .primary_key
        .iter()
        .chain(spec.indexes.iter().map(|index| &index.columns))
        .any(|index| index.starts_with(&columns));
    if !served {
        let definition = KeyDefinition {
            kind: KeyKind::Plain,
            name: key.name.clone(),
            columns: key.columns.clone(),
        };
        let index = index_spec(spec, &definition)?;
        spec.indexes.push(index);
    }
    spec.foreign_keys.push(ForeignKey {
        name,
        columns,
        parent: key.parent.text.clone(),
        parent_columns: key
            .parent_columns
            .iter()
            .map(|name| name.text.clone())
            .collect(),
        on_delete: action(key.on_delete),
        on_update: action(key.on_update),
    });
    Ok(())
}

fn action(action: ForeignKeyAction) -> ReferentialAction {
    match action {
        ForeignKeyAction::Restrict => ReferentialAction::Restrict,
        ForeignKeyAction::Cascade => ReferentialAction::Cascade,
        ForeignKeyAction::SetNull => ReferentialAction::SetNull,
    }
}
