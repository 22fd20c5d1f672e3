//! Keys of records: from the bytes that a status prints, or the text of `data_locks`, to the values
//! that recordings have.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::super::conform::trace::RecordedKey;
use super::status::StatusRecord;

/// The name that InnoDB gives to a clustered index without a key.
const HIDDEN_INDEX: &str = "GEN_CLUST_INDEX";

/// How a column's bytes are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A whole number, signed or not; the sign bit is turned over.
    Whole { signed: bool },
    /// Text; a fixed length is filled up with blanks.
    Text { fixed: bool },
    /// DATETIME without fractions, in five bytes.
    DateTime,
    /// What nobody here reads: shown in hexadecimal.
    Other,
}

/// A table's indexes: what each one's records begin with.
#[derive(Clone, Debug, Default)]
pub(super) struct TableKeys {
    /// For each index, the shapes of its columns and of the primary key's columns not among them.
    pub(super) indexes: BTreeMap<String, Vec<Shape>>,
    /// The clustered index has no key.
    pub(super) hidden: bool,
}

/// All tables of a case.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    /// By table.
    pub(super) tables: BTreeMap<String, TableKeys>,
    /// The row id before the first one of this case.
    pub(super) row_id_base: u64,
}

/// A column of an index, as the server's catalog describes it.
#[derive(Clone, Debug)]
pub(super) struct IndexColumn {
    pub(super) table: String,
    pub(super) index: String,
    pub(super) column: String,
    /// The index is unique.
    pub(super) unique: bool,
    /// The column may be NULL.
    pub(super) nullable: bool,
    /// Only its beginning is in the index.
    pub(super) prefix: bool,
    /// `int`, `varchar` ..
    pub(super) kind: String,
    /// `int(10) unsigned` ..
    pub(super) full_kind: String,
}

impl Keys {
    /// From the catalog's columns of indexes, ordered by table, index and place; `tables` also
    /// names those that have no index.
    pub(super) fn of_catalog(tables: &[String], columns: &[IndexColumn], base: u64) -> Keys {
        let mut keys = Keys {
            row_id_base: base,
            ..Keys::default()
        };
        for table in tables {
            let own: Vec<&IndexColumn> = columns.iter().filter(|c| c.table == *table).collect();
            keys.tables.insert(table.clone(), table_keys(&own));
        }
        keys
    }

    /// A record of a status.
    pub(super) fn of_record(
        &self,
        table: &str,
        index: &str,
        record: &StatusRecord,
    ) -> Option<RecordedKey> {
        let fields = match record {
            StatusRecord::Supremum => return Some(RecordedKey::Pseudo("supremum".to_owned())),
            StatusRecord::Fields(fields) => fields,
        };
        let keys = self.tables.get(table)?;
        let mut values = Vec::new();
        let shapes = keys.indexes.get(index).map_or(&[][..], Vec::as_slice);
        for (at, shape) in shapes.iter().enumerate() {
            values.push(shape.value(fields.get(at)?.as_deref()));
        }
        if keys.hidden {
            let id = fields.get(shapes.len())?.as_deref()?;
            values.push(self.row_id(id));
        }
        Some(RecordedKey::Columns(values))
    }

    /// `LOCK_DATA` of `performance_schema.data_locks`.
    pub(super) fn of_text(&self, table: &str, text: &str) -> Option<RecordedKey> {
        if text == "supremum pseudo-record" {
            return Some(RecordedKey::Pseudo("supremum".to_owned()));
        }
        let keys = self.tables.get(table)?;
        let mut values: Vec<Json> = split(text).iter().map(|part| literal(part)).collect();
        if keys.hidden {
            let last = values.pop()?;
            let digits = last.as_str()?.strip_prefix("0x")?;
            let id = u64::from_str_radix(digits, 16).ok()?;
            values.push(self.numbered(id));
        }
        Some(RecordedKey::Columns(values))
    }

    fn row_id(&self, bytes: &[u8]) -> Json {
        self.numbered(whole(bytes))
    }

    fn numbered(&self, id: u64) -> Json {
        Json::String(format!("#{}", id.saturating_sub(self.row_id_base)))
    }
}

fn table_keys(columns: &[&IndexColumn]) -> TableKeys {
    let mut by_index: BTreeMap<&str, Vec<&IndexColumn>> = BTreeMap::new();
    let mut order: Vec<&str> = Vec::new();
    for column in columns {
        if !order.contains(&column.index.as_str()) {
            order.push(&column.index);
        }
        by_index.entry(&column.index).or_default().push(column);
    }
    let usable = |name: &&&str| {
        by_index[**name]
            .iter()
            .all(|c| c.unique && !c.nullable && !c.prefix)
    };
    let clustered = if by_index.contains_key("PRIMARY") {
        Some("PRIMARY")
    } else {
        order.iter().find(usable).copied()
    };
    let of_clustered = clustered.map_or(&[][..], |name| by_index[name].as_slice());
    let mut keys = TableKeys {
        hidden: clustered.is_none(),
        ..TableKeys::default()
    };
    for (name, columns) in &by_index {
        let own = |column: &&&IndexColumn| {
            !columns
                .iter()
                .any(|c| c.column == column.column && !c.prefix)
        };
        let rest = of_clustered.iter().filter(own);
        let all = columns.iter().chain(rest);
        keys.indexes
            .insert((*name).to_owned(), all.map(|c| Shape::of(c)).collect());
    }
    if keys.hidden {
        keys.indexes.insert(HIDDEN_INDEX.to_owned(), Vec::new());
    }
    keys
}

impl Shape {
    fn of(column: &IndexColumn) -> Shape {
        match column.kind.as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => Shape::Whole {
                signed: !column.full_kind.contains("unsigned"),
            },
            "char" => Shape::Text { fixed: true },
            "varchar" | "text" | "tinytext" | "mediumtext" | "longtext" => {
                Shape::Text { fixed: false }
            }
            "datetime" => Shape::DateTime,
            _ => Shape::Other,
        }
    }

    fn value(&self, bytes: Option<&[u8]>) -> Json {
        let Some(bytes) = bytes else {
            return Json::Null;
        };
        match self {
            Shape::Whole { signed: false } => Json::from(whole(bytes)),
            Shape::Whole { signed: true } => Json::from(signed_whole(bytes)),
            Shape::Text { fixed } => {
                let text = String::from_utf8_lossy(bytes);
                let text = if *fixed { text.trim_end() } else { &text };
                Json::String(text.to_owned())
            }
            Shape::DateTime if bytes.len() == 5 => Json::String(date_time(whole(bytes))),
            Shape::DateTime | Shape::Other => {
                let digits: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
                Json::String(format!("0x{}", digits.concat()))
            }
        }
    }
}

fn whole(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, b| sum << 8 | u64::from(*b))
}

/// InnoDB turns the sign bit over, so that numbers sort as bytes.
fn signed_whole(bytes: &[u8]) -> i64 {
    let bits = 8 * bytes.len().clamp(1, 8) as u32;
    let turned = whole(bytes) ^ 1 << (bits - 1);
    // Moving the sign bit to the top and back spreads it over the bits above.
    (turned << (64 - bits)) as i64 >> (64 - bits)
}

/// A DATETIME is `1 sign, 17 year * 13 + month, 5 day, 5 hour, 6 minute, 6 second` bits.
fn date_time(packed: u64) -> String {
    let field = |shift: u32, bits: u32| packed >> shift & ((1 << bits) - 1);
    let months = field(22, 17);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        months / 13,
        months % 13,
        field(17, 5),
        field(12, 5),
        field(6, 6),
        field(0, 6)
    )
}

/// Parts of `1, 'a, b', NULL`.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => {
                quoted = !quoted;
                parts.last_mut().expect("never empty").push(letter);
            }
            ',' if !quoted => {
                letters.next_if_eq(&' ');
                parts.push(String::new());
            }
            other => parts.last_mut().expect("never empty").push(other),
        }
    }
    parts
}

fn literal(part: &str) -> Json {
    if part == "NULL" {
        return Json::Null;
    }
    let inner = part.strip_prefix('\'').and_then(|p| p.strip_suffix('\''));
    if let Some(text) = inner {
        return Json::String(text.replace("''", "'").trim_end().to_owned());
    }
    let number = part.parse::<i64>().map(Json::from);
    let number = number.or_else(|_| part.parse::<u64>().map(Json::from));
    number.unwrap_or_else(|_| Json::String(part.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(index: &str, column: &str, kind: &str) -> IndexColumn {
        IndexColumn {
            table: "t".to_owned(),
            index: index.to_owned(),
            column: column.to_owned(),
            unique: index == "PRIMARY",
            nullable: false,
            prefix: false,
            kind: kind.to_owned(),
            full_kind: kind.to_owned(),
        }
    }

    #[test]
    fn numbers_are_read_from_their_bytes() {
        assert_eq!(signed_whole(&[0x80, 0, 0, 5]), 5);
        assert_eq!(signed_whole(&[0x7f, 0xff, 0xff, 0xff]), -1);
        assert_eq!(signed_whole(&[0x80, 0, 0, 0, 0, 0, 0, 1]), 1);
        assert_eq!(date_time(0x99_B2_C8_30_41), "2024-03-04 03:01:01");
    }

    #[test]
    fn a_secondary_record_ends_with_the_primary_key() {
        let catalog = [column("PRIMARY", "id", "int"), column("ka", "a", "varchar")];
        let keys = Keys::of_catalog(&["t".to_owned()], &catalog, 0);
        let record = StatusRecord::Fields(vec![Some(b"x".to_vec()), Some(vec![0x80, 0, 0, 7])]);
        let key = keys.of_record("t", "ka", &record);
        assert_eq!(
            key,
            Some(RecordedKey::Columns(vec![Json::from("x"), Json::from(7)]))
        );
    }

    #[test]
    fn row_ids_are_numbered_from_the_first() {
        let catalog = [column("ka", "a", "int")];
        let mut catalog = catalog.to_vec();
        catalog[0].nullable = true;
        let keys = Keys::of_catalog(&["t".to_owned()], &catalog, 0x200);
        let id = StatusRecord::Fields(vec![Some(vec![0, 0, 0, 0, 2, 3])]);
        let key = keys.of_record("t", HIDDEN_INDEX, &id);
        assert_eq!(key, Some(RecordedKey::Columns(vec![Json::from("#3")])));
        let key = keys.of_text("t", "NULL, 0x000000000201");
        assert_eq!(
            key,
            Some(RecordedKey::Columns(vec![Json::Null, Json::from("#1")]))
        );
    }

    #[test]
    fn commas_within_text_do_not_split_it() {
        assert_eq!(split("1, 'a, b', NULL"), ["1", "'a, b'", "NULL"]);
        assert_eq!(literal("'it''s'"), Json::from("it's"));
    }
}
