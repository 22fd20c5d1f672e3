//! How two values compare, and LIKE.

use std::cmp::Ordering;

use gaplock_engine::types::{Collation, Decimal, Value, datetime};

/// Compares two values; `None` if one is NULL.
///
/// Texts compare by collation, exact numbers exactly, a date with a text as dates, anything else as
/// doubles: a text that is no number counts as far as it reads as one.
#[must_use]
pub fn compare(left: &Value, right: &Value, collation: Collation) -> Option<Ordering> {
    let ordering = match (left, right) {
        (Value::Null, _) | (_, Value::Null) => return None,
        (Value::Text(left), Value::Text(right)) => {
            collation.compare(left.as_bytes(), right.as_bytes())
        }
        (Value::Int(left), Value::Int(right)) => left.cmp(right),
        (Value::DateTime(left), Value::DateTime(right)) => left.cmp(right),
        (Value::DateTime(left), Value::Text(right)) => left.cmp(&datetime::parse(right)?),
        (Value::Text(left), Value::DateTime(right)) => datetime::parse(left)?.cmp(right),
        (Value::Int(_) | Value::Decimal(_), Value::Int(_) | Value::Decimal(_)) => {
            compare_exact(exact(left), exact(right))
        }
        _ => number(left).total_cmp(&number(right)),
    };
    Some(ordering)
}

/// The value as an exact number; zero for what is none.
fn exact(value: &Value) -> Decimal {
    match value {
        Value::Decimal(decimal) => *decimal,
        Value::Int(unscaled) => Decimal {
            unscaled: *unscaled,
            scale: 0,
        },
        _ => Decimal {
            unscaled: 0,
            scale: 0,
        },
    }
}

fn compare_exact(left: Decimal, right: Decimal) -> Ordering {
    let scale = left.scale.max(right.scale);
    let raise = |number: Decimal| {
        let factor = 10_i128.checked_pow(u32::from(scale - number.scale))?;
        number.unscaled.checked_mul(factor)
    };
    match (raise(left), raise(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => number(&Value::Decimal(left)).total_cmp(&number(&Value::Decimal(right))),
    }
}

/// The value as a double; a text counts as far as it reads as a number. Zero has one sign.
pub(super) fn number(value: &Value) -> f64 {
    let number = match value {
        Value::Null => 0.0,
        Value::Int(number) => *number as f64,
        Value::Double(number) => *number,
        Value::Decimal(decimal) => decimal.unscaled as f64 / 10_f64.powi(i32::from(decimal.scale)),
        Value::Text(text) => numeric_prefix(text).0,
        Value::DateTime(micros) => *micros as f64,
    };
    number + 0.0
}

/// The number that a text begins with, and whether the whole text is one.
pub(crate) fn numeric_prefix(text: &str) -> (f64, bool) {
    let text = text.trim();
    let mut end = 0;
    for (at, character) in text.char_indices() {
        let sign = matches!(character, '+' | '-')
            && (at == 0 || matches!(text.as_bytes()[at - 1], b'e' | b'E'));
        if !(character.is_ascii_digit() || matches!(character, '.' | 'e' | 'E') || sign) {
            break;
        }
        end = at + character.len_utf8();
    }
    while end > 0 {
        if let Ok(number) = text[..end].parse() {
            return (number, end == text.len());
        }
        end -= 1;
    }
    (0.0, false)
}

/// Whether a text is like a pattern: `%` is any text, `_` any character, `\` takes the next one as
/// it is. Characters compare by collation, one by one.
#[must_use]
pub fn like(text: &str, pattern: &str, collation: Collation) -> bool {
    let text: Vec<char> = text.chars().collect();
    let pattern = tokens(pattern);
    let (mut at, mut token) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(token) {
            Some(Token::Any) => {
                star = Some((token, at));
                token += 1;
                continue;
            }
            Some(Token::One) => {
                at += 1;
                token += 1;
                continue;
            }
            Some(Token::Character(wanted)) if same(text[at], *wanted, collation) => {
                at += 1;
                token += 1;
                continue;
            }
            _ => {}
        }
        let Some((from, taken)) = star else {
            return false;
        };
        star = Some((from, taken + 1));
        token = from + 1;
        at = taken + 1;
    }
    pattern[token..].iter().all(|token| *token == Token::Any)
}

#[derive(PartialEq)]
enum Token {
    Any,
    One,
    Character(char),
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        tokens.push(match character {
            '%' => Token::Any,
            '_' => Token::One,
            '\\' => Token::Character(characters.next().unwrap_or('\\')),
            other => Token::Character(other),
        });
    }
    tokens
}

fn same(left: char, right: char, collation: Collation) -> bool {
    let (mut left_bytes, mut right_bytes) = ([0; 4], [0; 4]);
    let left = left.encode_utf8(&mut left_bytes);
    let right = right.encode_utf8(&mut right_bytes);
    left == right
        || (*left != *" "
            && *right != *" "
            && collation.compare(left.as_bytes(), right.as_bytes()) == Ordering::Equal)
}
