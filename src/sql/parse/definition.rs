//! CREATE, ALTER, DROP, TRUNCATE.

use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::expression;
use super::query::index_name;
use crate::sql::ast::{
    AlterAction, ColumnDefinition, CreateTable, DefaultValue, Definition, Expr, ForeignKeyAction,
    ForeignKeyDefinition, KeyDefinition, KeyKind, Name, TypeName,
};
use crate::sql::error::SqlError;

/// Reads such a statement, if the next word begins one.
pub(super) fn definition(cursor: &mut Cursor) -> Result<Option<Definition>, SqlError> {
    let definition = if cursor.eat(&["CREATE"]) {
        create(cursor)?
    } else if cursor.eat(&["ALTER"]) {
        cursor.expect(&["TABLE"])?;
        Definition::AlterTable {
            table: cursor.name("a table")?,
            actions: cursor.list(alter_action)?,
        }
    } else if cursor.eat(&["DROP"]) {
        drop(cursor)?
    } else if cursor.eat(&["TRUNCATE"]) {
        cursor.eat(&["TABLE"]);
        Definition::Truncate(cursor.name("a table")?)
    } else {
        return Ok(None);
    };
    Ok(Some(definition))
}

fn create(cursor: &mut Cursor) -> Result<Definition, SqlError> {
    if cursor.eat(&["TABLE"]) {
        return Ok(Definition::CreateTable(create_table(cursor)?));
    }
    let kind = if cursor.eat(&["UNIQUE"]) {
        KeyKind::Unique
    } else {
        KeyKind::Plain
    };
    if !cursor.eat(&["INDEX"]) {
        return Err(cursor.unsupported(
            "CREATE of anything but tables and indexes",
            "write CREATE TABLE or CREATE [UNIQUE] INDEX",
        ));
    }
    let name = Some(cursor.name("an index")?);
    cursor.expect(&["ON"])?;
    let table = cursor.name("a table")?;
    let columns = key_columns(cursor)?;
    Ok(Definition::CreateIndex {
        table,
        key: KeyDefinition {
            kind,
            name,
            columns,
        },
    })
}

fn drop(cursor: &mut Cursor) -> Result<Definition, SqlError> {
    if cursor.eat(&["INDEX"]) {
        let index = index_name(cursor)?;
        cursor.expect(&["ON"])?;
        let table = cursor.name("a table")?;
        return Ok(Definition::DropIndex { table, index });
    }
    if !cursor.eat(&["TABLE"]) {
        return Err(cursor.unsupported(
            "DROP of anything but tables and indexes",
            "write DROP TABLE or DROP INDEX",
        ));
    }
    let if_exists = cursor.eat(&["IF", "EXISTS"]);
    let tables = cursor.list(|cursor| cursor.name("a table"))?;
    Ok(Definition::DropTables { tables, if_exists })
}

fn create_table(cursor: &mut Cursor) -> Result<CreateTable, SqlError> {
    let if_not_exists = cursor.eat(&["IF", "NOT"]);
    if if_not_exists {
        cursor.expect(&["EXISTS"])?;
    }
    let mut created = CreateTable {
        table: cursor.name("a table")?,
        if_not_exists,
        columns: Vec::new(),
        keys: Vec::new(),
        foreign_keys: Vec::new(),
        charset: None,
        auto_increment: None,
    };
    if cursor.is(&["LIKE"]) || cursor.is(&["SELECT"]) || cursor.is(&["AS"]) {
        return Err(cursor.unsupported("CREATE TABLE from another table", "write the columns out"));
    }
    cursor.expect_token(&Token::LParen)?;
    cursor.list(|cursor| element(cursor, &mut created))?;
    cursor.expect_token(&Token::RParen)?;
    table_options(cursor, &mut created)?;
    Ok(created)
}

/// One element between the parentheses of CREATE TABLE.
fn element(cursor: &mut Cursor, created: &mut CreateTable) -> Result<(), SqlError> {
    if let Some(foreign_key) = foreign_key(cursor)? {
        created.foreign_keys.push(foreign_key);
    } else if let Some(key) = key(cursor)? {
        created.keys.push(key);
    } else {
        column(cursor, created)?;
    }
    Ok(())
}

fn key_columns(cursor: &mut Cursor) -> Result<Vec<Name>, SqlError> {
    cursor.expect_token(&Token::LParen)?;
    let columns = cursor.list(|cursor| {
        let name = cursor.name("a column")?;
        if *cursor.peek() == Token::LParen {
            return Err(cursor.unsupported("prefix keys", "index the whole column"));
        }
        if cursor.is(&["DESC"]) {
            return Err(cursor.unsupported("descending keys", "index it ascending"));
        }
        cursor.eat(&["ASC"]);
        Ok(name)
    })?;
    cursor.expect_token(&Token::RParen)?;
    Ok(columns)
}

/// A key definition, with or without CONSTRAINT.
fn key(cursor: &mut Cursor) -> Result<Option<KeyDefinition>, SqlError> {
    let named = constraint_name(cursor, &["UNIQUE", "PRIMARY"])?;
    let kind = if cursor.eat(&["PRIMARY", "KEY"]) {
        KeyKind::Primary
    } else if cursor.eat(&["UNIQUE"]) {
        if !cursor.eat(&["KEY"]) {
            cursor.eat(&["INDEX"]);
        }
        KeyKind::Unique
    } else if cursor.eat(&["KEY"]) || cursor.eat(&["INDEX"]) {
        KeyKind::Plain
    } else {
        for word in ["FULLTEXT", "SPATIAL"] {
            if cursor.is(&[word]) {
                return Err(cursor.unsupported(&format!("{word} KEY"), "leave it out"));
            }
        }
        if cursor.is(&["CHECK"]) || cursor.is(&["CONSTRAINT"]) {
            return Err(cursor.unsupported("CHECK constraints", "leave them out"));
        }
        return Ok(None);
    };
    let mut name = named;
    if *cursor.peek() != Token::LParen && !cursor.is(&["USING"]) {
        name = Some(cursor.name("a key or its columns")?);
    }
    index_type(cursor)?;
    let columns = key_columns(cursor)?;
    index_type(cursor)?;
    Ok(Some(KeyDefinition {
        kind,
        name,
        columns,
    }))
}

fn index_type(cursor: &mut Cursor) -> Result<(), SqlError> {
    if cursor.eat(&["USING"]) && !cursor.eat(&["BTREE"]) {
        return Err(cursor.unsupported("indexes other than BTREE", "leave USING out"));
    }
    Ok(())
}

/// Takes `CONSTRAINT [name]` if one of `kinds` follows it.
fn constraint_name(cursor: &mut Cursor, kinds: &[&str]) -> Result<Option<Name>, SqlError> {
    if !cursor.is(&["CONSTRAINT"]) {
        return Ok(None);
    }
    let follows = |ahead: usize| kinds.iter().any(|kind| cursor.is_word_at(ahead, kind));
    if follows(1) {
        cursor.advance();
        Ok(None)
    } else if follows(2) {
        cursor.advance();
        cursor.name("a constraint").map(Some)
    } else {
        Ok(None)
    }
}

fn foreign_key(cursor: &mut Cursor) -> Result<Option<ForeignKeyDefinition>, SqlError> {
    let mut name = constraint_name(cursor, &["FOREIGN"])?;
    if !cursor.eat(&["FOREIGN", "KEY"]) {
        return Ok(None);
    }
    if *cursor.peek() != Token::LParen {
        let index = cursor.name("a foreign key or its columns")?;
        name = name.or(Some(index));
    }
    let columns = cursor.names("a column")?;
    let (parent, parent_columns, on_delete, on_update) = references(cursor)?;
    Ok(Some(ForeignKeyDefinition {
        name,
        columns,
        parent,
        parent_columns,
        on_delete,
        on_update,
    }))
}

type References = (Name, Vec<Name>, ForeignKeyAction, ForeignKeyAction);

fn references(cursor: &mut Cursor) -> Result<References, SqlError> {
    cursor.expect(&["REFERENCES"])?;
    let parent = cursor.name("a table")?;
    let columns = cursor.names("a column")?;
    let mut on_delete = ForeignKeyAction::Restrict;
    let mut on_update = ForeignKeyAction::Restrict;
    while cursor.eat(&["ON"]) {
        if cursor.eat(&["DELETE"]) {
            on_delete = action(cursor)?;
        } else {
            cursor.expect(&["UPDATE"])?;
            on_update = action(cursor)?;
        }
    }
    Ok((parent, columns, on_delete, on_update))
}

fn action(cursor: &mut Cursor) -> Result<ForeignKeyAction, SqlError> {
    if cursor.eat(&["RESTRICT"]) || cursor.eat(&["NO", "ACTION"]) {
        Ok(ForeignKeyAction::Restrict)
    } else if cursor.eat(&["CASCADE"]) {
        Ok(ForeignKeyAction::Cascade)
    } else if cursor.eat(&["SET", "NULL"]) {
        Ok(ForeignKeyAction::SetNull)
    } else {
        Err(cursor.unexpected("RESTRICT, CASCADE, SET NULL or NO ACTION"))
    }
}

fn column(cursor: &mut Cursor, created: &mut CreateTable) -> Result<(), SqlError> {
    let name = cursor.name("a column or a key")?;
    let column_type = type_name(cursor)?;
    let mut column = ColumnDefinition {
        name,
        column_type,
        not_null: false,
        default: None,
        auto_increment: false,
        charset: None,
    };
    while column_option(cursor, &mut column, created)? {}
    created.columns.push(column);
    Ok(())
}

/// One option of a column; false when there are no more.
fn column_option(
    cursor: &mut Cursor,
    column: &mut ColumnDefinition,
    created: &mut CreateTable,
) -> Result<bool, SqlError> {
    let mut own_key = |kind| {
        created.keys.push(KeyDefinition {
            kind,
            name: None,
            columns: vec![column.name.clone()],
        });
    };
    if cursor.eat(&["NOT", "NULL"]) {
        column.not_null = true;
    } else if cursor.eat(&["NULL"]) {
        column.not_null = false;
    } else if cursor.eat(&["DEFAULT"]) {
        column.default = Some(default_value(cursor)?);
    } else if cursor.eat(&["AUTO_INCREMENT"]) {
        column.auto_increment = true;
    } else if cursor.eat(&["PRIMARY", "KEY"]) || cursor.eat(&["KEY"]) {
        own_key(KeyKind::Primary);
    } else if cursor.eat(&["UNIQUE"]) {
        cursor.eat(&["KEY"]);
        own_key(KeyKind::Unique);
    } else if cursor.eat(&["CHARACTER", "SET"])
        || cursor.eat(&["CHARSET"])
        || cursor.eat(&["COLLATE"])
    {
        column.charset = Some(charset(cursor)?);
    } else if cursor.eat(&["COMMENT"]) {
        cursor.advance();
    } else if cursor.is(&["REFERENCES"]) {
        return Err(cursor.unsupported(
            "REFERENCES in a column",
            "write FOREIGN KEY (column) REFERENCES parent (column)",
        ));
    } else if cursor.is(&["GENERATED"]) || cursor.is(&["AS"]) {
        return Err(cursor.unsupported("generated columns", "store the value"));
    } else if cursor.is(&["ON", "UPDATE"]) {
        return Err(cursor.unsupported("ON UPDATE CURRENT_TIMESTAMP", "set the column yourself"));
    } else if cursor.is(&["CHECK"]) {
        return Err(cursor.unsupported("CHECK constraints", "leave them out"));
    } else {
        return Ok(false);
    }
    Ok(true)
}

fn default_value(cursor: &mut Cursor) -> Result<DefaultValue, SqlError> {
    let before = cursor.unsupported("DEFAULT with an expression", "write a literal");
    match expression::expression(cursor)? {
        Expr::Literal(literal) => Ok(DefaultValue::Literal(literal)),
        Expr::Call { function, .. } if function.text == "NOW" => Ok(DefaultValue::Now),
        Expr::Call { function, .. } if function.text == "CURRENT_TIMESTAMP" => {
            Ok(DefaultValue::Now)
        }
        _ => Err(before),
    }
}

fn charset(cursor: &mut Cursor) -> Result<Name, SqlError> {
    let mut name = cursor.name("a character set")?;
    name.text = name.text.to_lowercase();
    Ok(name)
}

fn type_name(cursor: &mut Cursor) -> Result<TypeName, SqlError> {
    for (word, bytes) in [
        ("TINYINT", 1),
        ("BOOLEAN", 1),
        ("BOOL", 1),
        ("SMALLINT", 2),
        ("MEDIUMINT", 3),
        ("INT", 4),
        ("INTEGER", 4),
        ("BIGINT", 8),
    ] {
        if cursor.eat(&[word]) {
            length(cursor)?;
            let unsigned = cursor.eat(&["UNSIGNED"]);
            cursor.eat(&["SIGNED"]);
            return Ok(TypeName::Int { bytes, unsigned });
        }
    }
    if cursor.eat(&["VARCHAR"]) {
        let before = cursor.unexpected("the length of VARCHAR in parentheses");
        return Ok(TypeName::VarChar(length(cursor)?.ok_or(before)?));
    }
    if cursor.eat(&["CHAR"]) {
        return Ok(TypeName::Char(length(cursor)?.unwrap_or(1)));
    }
    if cursor.eat(&["DECIMAL"]) || cursor.eat(&["NUMERIC"]) {
        return decimal(cursor);
    }
    for (word, found) in [
        ("TEXT", TypeName::Text),
        ("LONGTEXT", TypeName::Text),
        ("MEDIUMTEXT", TypeName::Text),
        ("DATE", TypeName::Date),
        ("DATETIME", TypeName::DateTime),
        ("TIMESTAMP", TypeName::Timestamp),
        ("DOUBLE", TypeName::Double),
        ("FLOAT", TypeName::Double),
    ] {
        if cursor.eat(&[word]) {
            length(cursor)?;
            return Ok(found);
        }
    }
    if cursor.at_name() {
        return Err(cursor.unsupported(
            &format!("the type {}", cursor.peek()),
            "use INT, BIGINT, VARCHAR, CHAR, TEXT, DECIMAL, DOUBLE, DATE, DATETIME or TIMESTAMP",
        ));
    }
    Err(cursor.unexpected("a type"))
}

fn length(cursor: &mut Cursor) -> Result<Option<u32>, SqlError> {
    if !cursor.eat_token(&Token::LParen) {
        return Ok(None);
    }
    let before = cursor.unexpected("a length of at most 65535");
    let length = cursor.number("a length")?;
    cursor.expect_token(&Token::RParen)?;
    match u32::try_from(length) {
        Ok(length) if length <= 65535 => Ok(Some(length)),
        _ => Err(before),
    }
}

fn decimal(cursor: &mut Cursor) -> Result<TypeName, SqlError> {
    let (mut precision, mut scale) = (10, 0);
    let before = cursor.unsupported("DECIMAL of more than 38 digits", "use fewer digits");
    if cursor.eat_token(&Token::LParen) {
        precision = cursor.number("a number of digits")?;
        if cursor.eat_token(&Token::Comma) {
            scale = cursor.number("a number of digits")?;
        }
        cursor.expect_token(&Token::RParen)?;
    }
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(precision @ 1..=38), Ok(scale)) if scale <= precision && scale <= 30 => {
            Ok(TypeName::Decimal { precision, scale })
        }
        _ => Err(before),
    }
}

fn table_options(cursor: &mut Cursor, created: &mut CreateTable) -> Result<(), SqlError> {
    loop {
        cursor.eat_token(&Token::Comma);
        if cursor.eat(&["ENGINE"]) {
            cursor.eat_token(&Token::Eq);
            if !cursor.eat(&["INNODB"]) {
                return Err(cursor.unsupported("engines other than InnoDB", "write ENGINE=InnoDB"));
            }
        } else if cursor.eat(&["AUTO_INCREMENT"]) {
            cursor.eat_token(&Token::Eq);
            created.auto_increment = Some(cursor.number("a number")?);
        } else if cursor.is(&["DEFAULT"])
            || cursor.is(&["CHARSET"])
            || cursor.is(&["CHARACTER"])
            || cursor.is(&["COLLATE"])
        {
            cursor.eat(&["DEFAULT"]);
            if !cursor.eat(&["CHARSET"]) && !cursor.eat(&["CHARACTER", "SET"]) {
                cursor.expect(&["COLLATE"])?;
            }
            cursor.eat_token(&Token::Eq);
            created.charset = Some(charset(cursor)?);
        } else if cursor.eat(&["ROW_FORMAT"]) {
            cursor.eat_token(&Token::Eq);
            if !cursor.eat(&["DYNAMIC"]) {
                return Err(cursor.unsupported("row formats other than DYNAMIC", "leave it out"));
            }
        } else if cursor.eat(&["COMMENT"]) {
            cursor.eat_token(&Token::Eq);
            cursor.advance();
        } else if matches!(cursor.peek(), Token::EOF) {
            return Ok(());
        } else {
            return Err(cursor.unsupported(
                &format!("the table option {}", cursor.peek()),
                "ENGINE, AUTO_INCREMENT, DEFAULT CHARSET and COLLATE are there",
            ));
        }
    }
}

fn alter_action(cursor: &mut Cursor) -> Result<AlterAction, SqlError> {
    let before = cursor.unsupported(
        "this kind of ALTER TABLE",
        "ADD and DROP of INDEX, PRIMARY KEY and FOREIGN KEY are there",
    );
    if cursor.eat(&["ADD"]) {
        if let Some(foreign_key) = foreign_key(cursor)? {
            return Ok(AlterAction::AddForeignKey(foreign_key));
        }
        return key(cursor)?.map(AlterAction::AddKey).ok_or(before);
    }
    if cursor.eat(&["DROP"]) {
        if cursor.eat(&["PRIMARY", "KEY"]) {
            return Ok(AlterAction::DropPrimary);
        }
        if cursor.eat(&["INDEX"]) || cursor.eat(&["KEY"]) {
            return Ok(AlterAction::DropKey(index_name(cursor)?));
        }
        if cursor.eat(&["FOREIGN", "KEY"]) || cursor.eat(&["CONSTRAINT"]) {
            return Ok(AlterAction::DropForeignKey(cursor.name("a foreign key")?));
        }
    }
    Err(before)
}
