//! How text compares: without case, by the profile's character set and padding rule.

use std::cmp::Ordering;

/// A character set with an order on its texts.
///
/// The three families differ in what decides locks: whether "a" and "A" (and accents) collide in a
/// unique key, whether trailing spaces count, and how many bytes a character may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Collation {
    /// `latin1_swedish_ci`: one byte a character, no case, trailing spaces don't count.
    Latin1,
    /// `utf8mb4_0900_ai_ci`: no case, no accents, trailing spaces count.
    Utf8Mb4NoPad,
    /// `utf8mb4_general_ci` and kin: no case, no accents, trailing spaces don't count.
    Utf8Mb4Pad,
    /// Byte order, trailing spaces count (`binary`, `..._bin` behaves so here).
    Binary,
}

impl Collation {
    /// Most bytes that one character takes.
    #[must_use]
    pub fn bytes_per_character(self) -> usize {
        match self {
            Collation::Latin1 | Collation::Binary => 1,
            Collation::Utf8Mb4NoPad | Collation::Utf8Mb4Pad => 4,
        }
    }

    /// Whether trailing spaces are ignored.
    #[must_use]
    pub fn pads(self) -> bool {
        matches!(self, Collation::Latin1 | Collation::Utf8Mb4Pad)
    }

    /// Compares two stored texts (UTF-8 images).
    #[must_use]
    pub fn compare(self, left: &[u8], right: &[u8]) -> Ordering {
        if self == Collation::Binary {
            return left.cmp(right);
        }
        let left = String::from_utf8_lossy(left);
        let right = String::from_utf8_lossy(right);
        let (left, right): (&str, &str) = if self.pads() {
            (left.trim_end_matches(' '), right.trim_end_matches(' '))
        } else {
            (&left, &right)
        };
        left.chars()
            .flat_map(weight)
            .cmp(right.chars().flat_map(weight))
    }
}

/// The characters that stand for `character` when case and accent don't count.
fn weight(character: char) -> impl Iterator<Item = char> {
    let base = match character {
        '\u{c0}'..='\u{c5}' | '\u{e0}'..='\u{e5}' => 'A',
        '\u{c7}' | '\u{e7}' => 'C',
        '\u{c8}'..='\u{cb}' | '\u{e8}'..='\u{eb}' => 'E',
        '\u{cc}'..='\u{cf}' | '\u{ec}'..='\u{ef}' => 'I',
        '\u{d1}' | '\u{f1}' => 'N',
        '\u{d2}'..='\u{d6}' | '\u{f2}'..='\u{f6}' => 'O',
        '\u{d9}'..='\u{dc}' | '\u{f9}'..='\u{fc}' => 'U',
        '\u{dd}' | '\u{fd}' | '\u{ff}' => 'Y',
        other => other,
    };
    base.to_uppercase()
}
