//! Statements as written: names are text, nothing is looked up yet.
//!
//! The tree holds what a statement can say here and nothing more; what MySQL knows beyond that is
//! turned away by `parse`, with its name and its place.

use gaplock_engine::types::Decimal;

use super::error::Position;

/// A name with the place where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// As written, without quotes.
    pub text: String,
    /// Where.
    pub position: Position,
}

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// SELECT.
    Select(Box<Select>),
    /// INSERT and REPLACE.
    Insert(Box<Insert>),
    /// UPDATE of one table or several.
    Update(Box<Update>),
    /// DELETE from one table.
    Delete(Box<Delete>),
    /// EXPLAIN of a statement.
    Explain(Box<Statement>),
    /// Transactions, variables, locks.
    Control(Control),
    /// CREATE, ALTER, DROP, TRUNCATE.
    Definition(Box<Definition>),
}

/// Transaction control and settings.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// BEGIN, START TRANSACTION.
    Begin {
        /// WITH CONSISTENT SNAPSHOT.
        consistent_snapshot: bool,
    },
    /// COMMIT.
    Commit,
    /// ROLLBACK.
    Rollback,
    /// SAVEPOINT name.
    Savepoint(String),
    /// ROLLBACK TO name.
    RollbackTo(String),
    /// RELEASE SAVEPOINT name.
    ReleaseSavepoint(String),
    /// SET TRANSACTION ISOLATION LEVEL.
    SetIsolation {
        /// For which transactions.
        scope: VariableScope,
        /// Words of the level, in upper case: `READ COMMITTED`.
        level: IsolationName,
    },
    /// SET of variables.
    SetVariables(Vec<Assignment>),
    /// LOCK TABLES.
    LockTables(Vec<TableToLock>),
    /// UNLOCK TABLES.
    UnlockTables,
    /// SHOW ENGINE INNODB STATUS.
    ShowEngineStatus,
}

/// The four levels, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationName {
    /// READ UNCOMMITTED.
    ReadUncommitted,
    /// READ COMMITTED.
    ReadCommitted,
    /// REPEATABLE READ.
    RepeatableRead,
    /// SERIALIZABLE.
    Serializable,
}

/// Whom a SET concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableScope {
    /// The next transaction only (SET TRANSACTION without a scope).
    NextTransaction,
    /// The session.
    Session,
    /// Sessions to come.
    Global,
}

/// `variable = value` of SET.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// Scope written or implied.
    pub scope: VariableScope,
    /// Name in lower case, without `@@` and scope.
    pub variable: Name,
    /// Value: a literal, or a bare word (ON, OFF) as text.
    pub value: Literal,
}

/// One entry of LOCK TABLES.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableToLock {
    /// The table.
    pub table: Name,
    /// WRITE rather than READ.
    pub write: bool,
}

/// A literal.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// NULL.
    Null,
    /// 7.
    Int(i128),
    /// 7.5.
    Decimal(Decimal),
    /// 7e5.
    Double(f64),
    /// 'text'.
    Text(String),
}

/// SELECT.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// DISTINCT.
    pub distinct: bool,
    /// What is selected.
    pub items: Vec<SelectItem>,
    /// FROM, in the order written; empty without FROM.
    pub from: Vec<TableReference>,
    /// WHERE, with the ON conditions of inner joins.
    pub filter: Option<Expr>,
    /// ORDER BY.
    pub order: Vec<OrderItem>,
    /// LIMIT.
    pub limit: Option<Limit>,
    /// FOR UPDATE, FOR SHARE, LOCK IN SHARE MODE.
    pub locking: Option<Locking>,
}

/// One thing selected.
#[derive(Clone, Debug, PartialEq)]
pub enum SelectItem {
    /// `*` or `t.*`.
    Star(Option<Name>),
    /// An expression.
    Expression {
        /// The expression.
        expression: Expr,
        /// AS name.
        alias: Option<String>,
    },
}

/// One table of FROM.
#[derive(Clone, Debug, PartialEq)]
pub struct TableReference {
    /// The table.
    pub table: Name,
    /// Its schema, as in `performance_schema.data_locks`.
    pub schema: Option<String>,
    /// The name it goes by in the statement.
    pub alias: Option<String>,
    /// Index hints.
    pub hints: Vec<IndexHint>,
}

impl TableReference {
    /// The name it goes by in the statement.
    #[must_use]
    pub fn name(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.table.text)
    }
}

/// FORCE INDEX, USE INDEX, IGNORE INDEX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexHint {
    /// Which of the three.
    pub kind: HintKind,
    /// Indexes by name.
    pub indexes: Vec<Name>,
}

/// The kinds of index hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintKind {
    /// Use it; a table scan counts as infinitely expensive.
    Force,
    /// Consider no others.
    Use,
    /// Do not consider these.
    Ignore,
}

/// LIMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Rows skipped first.
    pub offset: u64,
    /// Rows at most.
    pub rows: u64,
}

/// One ORDER BY expression.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderItem {
    /// By what.
    pub expression: Expr,
    /// DESC.
    pub descending: bool,
}

/// How a SELECT locks what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locking {
    /// FOR UPDATE rather than FOR SHARE.
    pub exclusive: bool,
    /// On a conflict.
    pub wait: WaitClause,
    /// Where the clause stands.
    pub position: Position,
}

/// What a locking read does about rows that others hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitClause {
    /// Waits.
    Wait,
    /// NOWAIT: fails.
    NoWait,
    /// SKIP LOCKED: passes over them.
    SkipLocked,
}

/// INSERT or REPLACE.
#[derive(Clone, Debug, PartialEq)]
pub struct Insert {
    /// REPLACE.
    pub replace: bool,
    /// IGNORE.
    pub ignore: bool,
    /// The table.
    pub table: Name,
    /// The columns named; none for all in their order.
    pub columns: Option<Vec<Name>>,
    /// Rows.
    pub source: InsertSource,
    /// ON DUPLICATE KEY UPDATE.
    pub on_duplicate: Vec<SetClause>,
    /// `VALUES (..) AS new`: the name by which the new row's values go in ON DUPLICATE KEY UPDATE.
    pub row_alias: Option<String>,
}

/// Where an INSERT's rows come from.
#[derive(Clone, Debug, PartialEq)]
pub enum InsertSource {
    /// VALUES; `None` is DEFAULT.
    Values(Vec<Vec<Option<Expr>>>),
    /// SELECT.
    Select(Box<Select>),
}

/// `column = expression`; no expression is DEFAULT.
#[derive(Clone, Debug, PartialEq)]
pub struct SetClause {
    /// Table qualifier.
    pub table: Option<String>,
    /// The column.
    pub column: Name,
    /// The new value.
    pub value: Option<Expr>,
}

/// UPDATE.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// IGNORE.
    pub ignore: bool,
    /// Tables; more than one makes it a multi-table update.
    pub tables: Vec<TableReference>,
    /// SET.
    pub set: Vec<SetClause>,
    /// WHERE.
    pub filter: Option<Expr>,
    /// ORDER BY.
    pub order: Vec<OrderItem>,
    /// LIMIT.
    pub limit: Option<Limit>,
}

/// DELETE.
#[derive(Clone, Debug, PartialEq)]
pub struct Delete {
    /// IGNORE.
    pub ignore: bool,
    /// The table.
    pub table: TableReference,
    /// WHERE.
    pub filter: Option<Expr>,
    /// ORDER BY.
    pub order: Vec<OrderItem>,
    /// LIMIT.
    pub limit: Option<Limit>,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A literal.
    Literal(Literal),
    /// A column.
    Column {
        /// Table or alias.
        table: Option<String>,
        /// Column.
        column: Name,
    },
    /// NOT, unary minus.
    Unary {
        /// Operator.
        operator: UnaryOperator,
        /// Operand.
        operand: Box<Expr>,
    },
    /// A binary operator.
    Binary {
        /// Operator.
        operator: BinaryOperator,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// IS \[NOT\] NULL.
    IsNull {
        /// Operand.
        operand: Box<Expr>,
        /// NOT.
        negated: bool,
    },
    /// IN of a list.
    InList {
        /// Operand.
        operand: Box<Expr>,
        /// The list.
        list: Vec<Expr>,
        /// NOT.
        negated: bool,
    },
    /// IN of a subquery.
    InSubquery {
        /// Operand.
        operand: Box<Expr>,
        /// The subquery.
        subquery: Box<Select>,
        /// NOT.
        negated: bool,
    },
    /// A scalar subquery.
    Subquery(Box<Select>),
    /// BETWEEN.
    Between {
        /// Operand.
        operand: Box<Expr>,
        /// Lower end.
        low: Box<Expr>,
        /// Upper end.
        high: Box<Expr>,
        /// NOT.
        negated: bool,
    },
    /// LIKE.
    Like {
        /// Operand.
        operand: Box<Expr>,
        /// Pattern.
        pattern: Box<Expr>,
        /// NOT.
        negated: bool,
    },
    /// CASE.
    Case {
        /// `CASE operand WHEN ..`.
        operand: Option<Box<Expr>>,
        /// WHEN and THEN.
        branches: Vec<(Expr, Expr)>,
        /// ELSE.
        otherwise: Option<Box<Expr>>,
    },
    /// A function.
    Call {
        /// Its name in upper case.
        function: Name,
        /// Arguments.
        arguments: Vec<Expr>,
        /// `COUNT(*)`.
        star: bool,
    },
}

/// Operators with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOperator {
    /// NOT, !.
    Not,
    /// Minus.
    Minus,
}

/// Operators with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOperator {
    /// OR.
    Or,
    /// XOR.
    Xor,
    /// AND.
    And,
    /// `=`.
    Equal,
    /// `<=>`.
    NullSafeEqual,
    /// `<>`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `DIV`.
    IntegerDivide,
    /// `%`, MOD.
    Modulo,
}

/// CREATE, ALTER, DROP, TRUNCATE.
#[derive(Clone, Debug, PartialEq)]
pub enum Definition {
    /// CREATE TABLE.
    CreateTable(CreateTable),
    /// CREATE INDEX.
    CreateIndex {
        /// The table.
        table: Name,
        /// The index.
        key: KeyDefinition,
    },
    /// ALTER TABLE.
    AlterTable {
        /// The table.
        table: Name,
        /// What changes, in order.
        actions: Vec<AlterAction>,
    },
    /// DROP INDEX.
    DropIndex {
        /// The table.
        table: Name,
        /// The index.
        index: Name,
    },
    /// DROP TABLE.
    DropTables {
        /// The tables.
        tables: Vec<Name>,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// TRUNCATE TABLE.
    Truncate(Name),
}

/// CREATE TABLE.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTable {
    /// Its name.
    pub table: Name,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Columns.
    pub columns: Vec<ColumnDefinition>,
    /// Keys, the columns' own included.
    pub keys: Vec<KeyDefinition>,
    /// Foreign keys.
    pub foreign_keys: Vec<ForeignKeyDefinition>,
    /// DEFAULT CHARSET or COLLATE, in lower case.
    pub charset: Option<Name>,
    /// AUTO_INCREMENT = n.
    pub auto_increment: Option<u64>,
}

/// A column of a definition.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub column_type: TypeName,
    /// NOT NULL.
    pub not_null: bool,
    /// DEFAULT.
    pub default: Option<DefaultValue>,
    /// AUTO_INCREMENT.
    pub auto_increment: bool,
    /// CHARACTER SET or COLLATE of this column, in lower case.
    pub charset: Option<Name>,
}

/// DEFAULT of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum DefaultValue {
    /// A literal.
    Literal(Literal),
    /// CURRENT_TIMESTAMP, NOW().
    Now,
}

/// The type of a column as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeName {
    /// TINYINT to BIGINT.
    Int {
        /// Bytes.
        bytes: u8,
        /// UNSIGNED.
        unsigned: bool,
    },
    /// DOUBLE, FLOAT.
    Double,
    /// DECIMAL.
    Decimal {
        /// Digits.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// CHAR.
    Char(u32),
    /// VARCHAR.
    VarChar(u32),
    /// TEXT.
    Text,
    /// DATE.
    Date,
    /// DATETIME.
    DateTime,
    /// TIMESTAMP.
    Timestamp,
}

/// A key of a definition.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyDefinition {
    /// Which kind.
    pub kind: KeyKind,
    /// Its name, if one was given.
    pub name: Option<Name>,
    /// Its columns.
    pub columns: Vec<Name>,
}

/// The kinds of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// PRIMARY KEY.
    Primary,
    /// UNIQUE.
    Unique,
    /// KEY.
    Plain,
}

/// A foreign key of a definition.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignKeyDefinition {
    /// CONSTRAINT name.
    pub name: Option<Name>,
    /// Columns here.
    pub columns: Vec<Name>,
    /// The parent table.
    pub parent: Name,
    /// The parent's columns.
    pub parent_columns: Vec<Name>,
    /// ON DELETE.
    pub on_delete: ForeignKeyAction,
    /// ON UPDATE.
    pub on_update: ForeignKeyAction,
}

/// What a foreign key does about the parent's change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignKeyAction {
    /// RESTRICT, NO ACTION.
    Restrict,
    /// CASCADE.
    Cascade,
    /// SET NULL.
    SetNull,
}

/// One change of ALTER TABLE.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterAction {
    /// ADD a key.
    AddKey(KeyDefinition),
    /// DROP INDEX.
    DropKey(Name),
    /// DROP PRIMARY KEY.
    DropPrimary,
    /// ADD FOREIGN KEY.
    AddForeignKey(ForeignKeyDefinition),
    /// DROP FOREIGN KEY.
    DropForeignKey(Name),
}
