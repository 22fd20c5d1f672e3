//! The values of one column that conditions leave over, as intervals.
//!
//! NULL sorts before every value, as in an index. A condition that says nothing about the column,
//! or that an index cannot serve (a text column against a number), gives no intervals at all; a
//! condition that nothing fulfils gives an empty list.

use std::cmp::Ordering;
use std::ops::Bound;

use gaplock_engine::types::{Collation, ColumnType, Value, datetime};

use crate::sql::bind::text_collation;
use crate::sql::expr::{ColumnPlace, Comparison, Environment, Expression, compare, numeric_prefix};

/// An interval of values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Interval {
    pub(super) lower: Bound<Value>,
    pub(super) upper: Bound<Value>,
}

/// The column that intervals are about.
#[derive(Clone, Copy)]
pub(super) struct Subject {
    pub(super) place: ColumnPlace,
    pub(super) column_type: ColumnType,
    pub(super) nullable: bool,
}

impl Interval {
    pub(super) fn point(value: Value) -> Interval {
        Interval {
            lower: Bound::Included(value.clone()),
            upper: Bound::Included(value),
        }
    }

    /// The value that it consists of, if it is one.
    pub(super) fn as_point(&self) -> Option<&Value> {
        match (&self.lower, &self.upper) {
            (Bound::Included(lower), Bound::Included(upper)) if lower == upper => Some(lower),
            _ => None,
        }
    }
}

impl Subject {
    /// What a condition leaves over, `None` if it says nothing.
    pub(super) fn intervals(
        self,
        condition: &Expression,
        constants: &Environment<'_>,
    ) -> Option<Vec<Interval>> {
        self.signed(condition, constants, false)
    }

    fn signed(
        self,
        condition: &Expression,
        constants: &Environment<'_>,
        negated: bool,
    ) -> Option<Vec<Interval>> {
        match condition {
            Expression::Not(inner) => self.signed(inner, constants, !negated),
            Expression::And(parts) if !negated => self.any_of(parts, constants, negated),
            Expression::Or(parts) if negated => self.any_of(parts, constants, negated),
            Expression::Or(parts) | Expression::And(parts) => {
                self.all_of(parts, constants, negated)
            }
            Expression::Compare {
                operator,
                left,
                right,
                ..
            } => {
                let (operator, constant) = if self.is(left) {
                    (*operator, right)
                } else if self.is(right) {
                    (operator.mirrored(), left)
                } else {
                    return None;
                };
                let operator = if negated {
                    opposite(operator)?
                } else {
                    operator
                };
                self.compared(operator, &value(constant, constants)?)
            }
            Expression::Between {
                operand, low, high, ..
            } if self.is(operand) => {
                self.between(&value(low, constants)?, &value(high, constants)?, negated)
            }
            Expression::In { operand, list, .. } if self.is(operand) => {
                let list: Option<Vec<Value>> =
                    list.iter().map(|item| value(item, constants)).collect();
                self.listed(&list?, negated)
            }
            Expression::InSubquery {
                operand, subquery, ..
            } if self.is(operand) => {
                self.listed(&constants.subqueries.get(*subquery)?.values, negated)
            }
            Expression::IsNull(operand) if self.is(operand) => {
                Some(match (negated, self.nullable) {
                    (true, _) => vec![self.not_null()],
                    (false, true) => vec![Interval::point(Value::Null)],
                    (false, false) => Vec::new(),
                })
            }
            Expression::Like {
                operand,
                pattern,
                collation,
            } if self.is(operand) && !negated => self.like(&value(pattern, constants)?, *collation),
            _ => None,
        }
    }

    fn between(self, low: &Value, high: &Value, negated: bool) -> Option<Vec<Interval>> {
        if negated {
            let below = self.compared(Comparison::Less, low)?;
            return Some(self.union(below, self.compared(Comparison::Greater, high)?));
        }
        let above = self.compared(Comparison::GreaterOrEqual, low)?;
        let below = self.compared(Comparison::LessOrEqual, high)?;
        Some(self.intersection(&above, &below))
    }

    fn is(self, expression: &Expression) -> bool {
        *expression == Expression::Column(self.place)
    }

    fn any_of(
        self,
        parts: &[Expression],
        constants: &Environment<'_>,
        negated: bool,
    ) -> Option<Vec<Interval>> {
        parts
            .iter()
            .filter_map(|part| self.signed(part, constants, negated))
            .reduce(|left, right| self.intersection(&left, &right))
    }

    fn all_of(
        self,
        parts: &[Expression],
        constants: &Environment<'_>,
        negated: bool,
    ) -> Option<Vec<Interval>> {
        let mut union = Vec::new();
        for part in parts {
            union = self.union(union, self.signed(part, constants, negated)?);
        }
        Some(union)
    }

    fn listed(self, list: &[Value], negated: bool) -> Option<Vec<Interval>> {
        if negated {
            let mut left = vec![self.not_null()];
            for item in list {
                left = self.intersection(&left, &self.compared(Comparison::NotEqual, item)?);
            }
            return Some(left);
        }
        let mut points = Vec::with_capacity(list.len());
        for item in list {
            points.extend(self.compared(Comparison::Equal, item)?);
        }
        Some(self.union(points, Vec::new()))
    }

    /// All values but NULL.
    fn not_null(self) -> Interval {
        Interval {
            lower: self.floor(),
            upper: Bound::Unbounded,
        }
    }

    fn floor(self) -> Bound<Value> {
        if self.nullable {
            Bound::Excluded(Value::Null)
        } else {
            Bound::Unbounded
        }
    }

    fn compared(self, operator: Comparison, constant: &Value) -> Option<Vec<Interval>> {
        if constant.is_null() {
            return Some(match operator {
                Comparison::NullSafeEqual if self.nullable => vec![Interval::point(Value::Null)],
                _ => Vec::new(),
            });
        }
        let Some((operator, constant)) = self.key_constant(operator, constant)? else {
            return Some(Vec::new());
        };
        let (included, excluded) = (
            Bound::Included(constant.clone()),
            Bound::Excluded(constant.clone()),
        );
        let interval = |lower, upper| Interval { lower, upper };
        Some(match operator {
            Comparison::Equal | Comparison::NullSafeEqual => vec![Interval::point(constant)],
            Comparison::Less => vec![interval(self.floor(), excluded)],
            Comparison::LessOrEqual => vec![interval(self.floor(), included)],
            Comparison::Greater => vec![interval(excluded, Bound::Unbounded)],
            Comparison::GreaterOrEqual => vec![interval(included, Bound::Unbounded)],
            Comparison::NotEqual => vec![
                interval(self.floor(), excluded.clone()),
                interval(excluded, Bound::Unbounded),
            ],
        })
    }

    /// The constant as a key of this column, with the operator that then says the same;
    /// `None` outside if an index cannot serve it, inside if nothing is equal to it.
    #[expect(
        clippy::option_option,
        reason = "not servable and never fulfilled are two answers"
    )]
    pub(super) fn key_constant(
        self,
        operator: Comparison,
        constant: &Value,
    ) -> Option<Option<(Comparison, Value)>> {
        match self.column_type {
            ColumnType::Int { bytes, unsigned } => {
                let found = integer_constant(operator, constant)?;
                Some(found.and_then(|(operator, constant)| {
                    within_type(operator, constant, bytes, unsigned)
                }))
            }
            ColumnType::Double | ColumnType::Decimal { .. } => match constant {
                Value::Text(text) => Some(Some((operator, Value::Double(numeric_prefix(text).0)))),
                Value::DateTime(_) => None,
                number => Some(Some((operator, number.clone()))),
            },
            ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. } => {
                matches!(constant, Value::Text(_)).then(|| Some((operator, constant.clone())))
            }
            ColumnType::Date | ColumnType::DateTime | ColumnType::Timestamp => match constant {
                Value::DateTime(_) => Some(Some((operator, constant.clone()))),
                Value::Text(text) => {
                    datetime::parse(text).map(|micros| Some((operator, Value::DateTime(micros))))
                }
                _ => None,
            },
        }
    }

    /// `LIKE 'x%'` as a range.
    fn like(self, pattern: &Value, collation: Collation) -> Option<Vec<Interval>> {
        let (Value::Text(pattern), Some(_)) = (pattern, text_collation(self.column_type)) else {
            return None;
        };
        if collation == Collation::Binary && pattern.is_empty() {
            return None;
        }
        let mut prefix = String::new();
        let mut characters = pattern.chars();
        let mut open = false;
        while let Some(character) = characters.next() {
            match character {
                '%' | '_' => {
                    open = true;
                    break;
                }
                '\\' => prefix.extend(characters.next()),
                other => prefix.push(other),
            }
        }
        if prefix.is_empty() {
            return None;
        }
        if !open {
            return Some(vec![Interval::point(Value::Text(prefix))]);
        }
        let upper = format!("{prefix}{}", char::MAX);
        Some(vec![Interval {
            lower: Bound::Included(Value::Text(prefix)),
            upper: Bound::Included(Value::Text(upper)),
        }])
    }

    fn order(self, left: &Value, right: &Value) -> Ordering {
        match (left.is_null(), right.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => {
                let collation = text_collation(self.column_type).unwrap_or(Collation::Binary);
                compare(left, right, collation).unwrap_or(Ordering::Equal)
            }
        }
    }

    fn order_lower(self, left: &Bound<Value>, right: &Bound<Value>) -> Ordering {
        match (left, right) {
            (Bound::Unbounded, Bound::Unbounded) => Ordering::Equal,
            (Bound::Unbounded, _) => Ordering::Less,
            (_, Bound::Unbounded) => Ordering::Greater,
            (Bound::Included(a), Bound::Excluded(b)) => self.order(a, b).then(Ordering::Less),
            (Bound::Excluded(a), Bound::Included(b)) => self.order(a, b).then(Ordering::Greater),
            (Bound::Included(a), Bound::Included(b)) | (Bound::Excluded(a), Bound::Excluded(b)) => {
                self.order(a, b)
            }
        }
    }

    fn order_upper(self, left: &Bound<Value>, right: &Bound<Value>) -> Ordering {
        match (left, right) {
            (Bound::Unbounded, Bound::Unbounded) => Ordering::Equal,
            (Bound::Unbounded, _) => Ordering::Greater,
            (_, Bound::Unbounded) => Ordering::Less,
            (Bound::Included(a), Bound::Excluded(b)) => self.order(a, b).then(Ordering::Greater),
            (Bound::Excluded(a), Bound::Included(b)) => self.order(a, b).then(Ordering::Less),
            (Bound::Included(a), Bound::Included(b)) | (Bound::Excluded(a), Bound::Excluded(b)) => {
                self.order(a, b)
            }
        }
    }

    /// Whether no value lies in it.
    fn is_empty(self, interval: &Interval) -> bool {
        match (&interval.lower, &interval.upper) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(a), Bound::Included(b)) => self.order(a, b).is_gt(),
            (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => {
                self.order(a, b).is_ge()
            }
        }
    }

    pub(super) fn intersection(self, left: &[Interval], right: &[Interval]) -> Vec<Interval> {
        let mut result = Vec::new();
        for a in left {
            for b in right {
                let later = self.order_lower(&a.lower, &b.lower).is_ge();
                let sooner = self.order_upper(&a.upper, &b.upper).is_le();
                let both = Interval {
                    lower: if later { &a.lower } else { &b.lower }.clone(),
                    upper: if sooner { &a.upper } else { &b.upper }.clone(),
                };
                if !self.is_empty(&both) {
                    result.push(both);
                }
            }
        }
        result
    }

    /// The union, sorted, overlapping and touching intervals joined.
    fn union(self, left: Vec<Interval>, right: Vec<Interval>) -> Vec<Interval> {
        let mut all: Vec<Interval> = left.into_iter().chain(right).collect();
        all.retain(|interval| !self.is_empty(interval));
        all.sort_by(|a, b| self.order_lower(&a.lower, &b.lower));
        let mut joined: Vec<Interval> = Vec::new();
        for interval in all {
            match joined.last_mut() {
                Some(last) if self.touches(&last.upper, &interval.lower) => {
                    if self.order_upper(&interval.upper, &last.upper).is_gt() {
                        last.upper = interval.upper;
                    }
                }
                _ => joined.push(interval),
            }
        }
        joined
    }

    /// Whether nothing lies between the end of one interval and the beginning of a later one.
    fn touches(self, upper: &Bound<Value>, lower: &Bound<Value>) -> bool {
        match (upper, lower) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
            (Bound::Excluded(a), Bound::Excluded(b)) => self.order(b, a).is_lt(),
            (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => {
                self.order(b, a).is_le()
            }
        }
    }
}

fn opposite(operator: Comparison) -> Option<Comparison> {
    Some(match operator {
        Comparison::Equal => Comparison::NotEqual,
        Comparison::NotEqual => Comparison::Equal,
        Comparison::Less => Comparison::GreaterOrEqual,
        Comparison::LessOrEqual => Comparison::Greater,
        Comparison::Greater => Comparison::LessOrEqual,
        Comparison::GreaterOrEqual => Comparison::Less,
        Comparison::NullSafeEqual => return None,
    })
}

fn value(expression: &Expression, constants: &Environment<'_>) -> Option<Value> {
    if !expression.is_constant() {
        return None;
    }
    expression.evaluate(constants).ok()
}

/// A constant against an integer column: fractions move to the whole number next to them.
#[expect(
    clippy::option_option,
    reason = "not servable and never fulfilled are two answers"
)]
fn integer_constant(operator: Comparison, constant: &Value) -> Option<Option<(Comparison, Value)>> {
    let number = match constant {
        Value::Int(_) => return Some(Some((operator, constant.clone()))),
        Value::DateTime(_) | Value::Null => return None,
        Value::Text(text) => match text.trim().parse::<i128>() {
            Ok(number) => return Some(Some((operator, Value::Int(number)))),
            Err(_) => numeric_prefix(text).0,
        },
        other => other.to_double()?,
    };
    let floor = number.floor();
    let whole = Value::Int(floor as i128);
    if floor == number {
        return Some(Some((operator, whole)));
    }
    Some(match operator {
        Comparison::Equal | Comparison::NullSafeEqual => None,
        Comparison::NotEqual => return None,
        Comparison::Less | Comparison::LessOrEqual => Some((Comparison::LessOrEqual, whole)),
        Comparison::Greater | Comparison::GreaterOrEqual => Some((Comparison::Greater, whole)),
    })
}

/// Moves a constant beyond the column's type to its end, so that it can be a key.
fn within_type(
    operator: Comparison,
    constant: Value,
    bytes: u8,
    unsigned: bool,
) -> Option<(Comparison, Value)> {
    let Value::Int(number) = constant else {
        return Some((operator, constant));
    };
    let bits = u32::from(bytes) * 8;
    let (least, most) = if unsigned {
        (0, (1_i128 << bits) - 1)
    } else {
        (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
    };
    if (least..=most).contains(&number) {
        return Some((operator, constant));
    }
    let below = number < least;
    match operator {
        Comparison::Greater | Comparison::GreaterOrEqual | Comparison::NotEqual if below => {
            Some((Comparison::GreaterOrEqual, Value::Int(least)))
        }
        Comparison::Less | Comparison::LessOrEqual | Comparison::NotEqual if !below => {
            Some((Comparison::LessOrEqual, Value::Int(most)))
        }
        _ => None,
    }
}
