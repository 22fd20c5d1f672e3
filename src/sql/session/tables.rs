//! Which tables a statement uses, and how, for metadata locks.

use std::collections::BTreeMap;

use crate::sql::ast::{
    Control, Definition, Expr, Insert, InsertSource, Select, SelectItem, Statement, TableReference,
};
use crate::sql::mdl::MetadataMode;

/// The tables of a statement with the strongest use of each, by name.
#[derive(Default)]
pub(super) struct Uses(BTreeMap<String, MetadataMode>);

/// The uses of a statement, in the order in which they are locked.
pub(super) fn of_statement(statement: &Statement) -> Vec<(String, MetadataMode)> {
    let mut uses = Uses::default();
    uses.statement(statement);
    uses.0.into_iter().collect()
}

impl Uses {
    fn add(&mut self, table: &str, mode: MetadataMode) {
        let known = self.0.entry(table.to_owned()).or_insert(mode);
        *known = (*known).max(mode);
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Select(select) => self.select(select),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => {
                self.references(&update.tables, MetadataMode::Write);
                for clause in &update.set {
                    self.expressions(clause.value.iter());
                }
                self.expressions(update.filter.iter());
            }
            Statement::Delete(delete) => {
                self.add(&delete.table.table.text, MetadataMode::Write);
                self.expressions(delete.filter.iter());
            }
            Statement::Explain(explained) => {
                let mut inner = Uses::default();
                inner.statement(explained);
                for table in inner.0.keys() {
                    self.add(table, MetadataMode::Read);
                }
            }
            Statement::Definition(definition) => self.definition(definition),
            Statement::Control(Control::LockTables(tables)) => {
                for table in tables {
                    let mode = if table.write {
                        MetadataMode::Exclusive
                    } else {
                        MetadataMode::ReadOnly
                    };
                    self.add(&table.table.text, mode);
                }
            }
            Statement::Control(_) => {}
        }
    }

    fn references(&mut self, tables: &[TableReference], mode: MetadataMode) {
        for table in tables.iter().filter(|table| table.schema.is_none()) {
            self.add(&table.table.text, mode);
        }
    }

    fn select(&mut self, select: &Select) {
        let locks = select.locking.is_some_and(|locking| locking.exclusive);
        let mode = if locks {
            MetadataMode::Write
        } else {
            MetadataMode::Read
        };
        self.references(&select.from, mode);
        for item in &select.items {
            if let SelectItem::Expression { expression, .. } = item {
                self.expression(expression);
            }
        }
        self.expressions(select.filter.iter());
        self.expressions(select.order.iter().map(|item| &item.expression));
    }

    fn insert(&mut self, insert: &Insert) {
        self.add(&insert.table.text, MetadataMode::Write);
        match &insert.source {
            InsertSource::Select(select) => self.select(select),
            InsertSource::Values(rows) => self.expressions(rows.iter().flatten().flatten()),
        }
        for clause in &insert.on_duplicate {
            self.expressions(clause.value.iter());
        }
    }

    fn definition(&mut self, definition: &Definition) {
        let mut change = |table: &str| self.add(table, MetadataMode::Exclusive);
        match definition {
            Definition::CreateTable(table) => {
                change(&table.table.text);
                for key in &table.foreign_keys {
                    change(&key.parent.text);
                }
            }
            Definition::CreateIndex { table, .. }
            | Definition::AlterTable { table, .. }
            | Definition::DropIndex { table, .. }
            | Definition::Truncate(table) => change(&table.text),
            Definition::DropTables { tables, .. } => {
                for table in tables {
                    change(&table.text);
                }
            }
        }
    }

    fn expressions<'e>(&mut self, expressions: impl IntoIterator<Item = &'e Expr>) {
        for expression in expressions {
            self.expression(expression);
        }
    }

    /// The tables of the subqueries in an expression.
    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::Subquery(select) => self.select(select),
            Expr::InSubquery {
                operand, subquery, ..
            } => {
                self.expression(operand);
                self.select(subquery);
            }
            Expr::Unary { operand, .. } | Expr::IsNull { operand, .. } => self.expression(operand),
            Expr::Binary { left, right, .. } => {
                self.expression(left);
                self.expression(right);
            }
            Expr::InList { operand, list, .. } => {
                self.expression(operand);
                self.expressions(list);
            }
            Expr::Between {
                operand, low, high, ..
            } => {
                self.expression(operand);
                self.expression(low);
                self.expression(high);
            }
            Expr::Like {
                operand, pattern, ..
            } => {
                self.expression(operand);
                self.expression(pattern);
            }
            Expr::Case {
                operand,
                branches,
                otherwise,
            } => {
                for part in operand.iter().chain(otherwise) {
                    self.expression(part);
                }
                for (when, then) in branches {
                    self.expression(when);
                    self.expression(then);
                }
            }
            Expr::Call { arguments, .. } => self.expressions(arguments),
            Expr::Literal(_) | Expr::Column { .. } => {}
        }
    }
}
