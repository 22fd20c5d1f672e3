//! A fingerprint of 128 bits, for telling states apart.
//!
//! A search that takes two states for one because their fingerprints collide would claim too much.
//! With 128 bits that has a chance of about 1 in 10^26 among a million states. It is made of two
//! lanes of folded multiplications with different constants, is the same on every machine, and is
//! no protection against somebody who looks for collisions.

use std::fmt;
use std::hash::Hasher;

const FIRST: (u64, u64) = (0x243F_6A88_85A3_08D3, 0x9E37_79B9_7F4A_7C15);
const SECOND: (u64, u64) = (0x1319_8A2E_0370_7344, 0xD6E8_FEB8_6659_FD93);

/// A fingerprint in the making.
#[derive(Clone, Debug)]
pub struct Digest {
    lanes: (u64, u64),
}

impl Default for Digest {
    fn default() -> Self {
        Digest {
            lanes: (FIRST.0, SECOND.0),
        }
    }
}

/// Both halves of the full product count, so that every bit of the input reaches every bit.
fn fold(lane: u64, word: u64, factor: u64) -> u64 {
    let product = u128::from(lane ^ word) * u128::from(factor);
    (product as u64) ^ ((product >> 64) as u64).rotate_left(23) ^ lane.rotate_left(31)
}

impl Digest {
    /// The fingerprint of all that was written.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        let mut end = self.clone();
        // Two rounds mix the last words as thoroughly as the first ones.
        end.write_u64(0x5851_F42D_4C95_7F2D);
        end.write_u64(0x1405_7B7E_F767_814F);
        u128::from(end.lanes.0) << 64 | u128::from(end.lanes.1)
    }

    /// Writes a fingerprint made before.
    pub fn write_fingerprint(&mut self, fingerprint: u128) {
        self.write_u64((fingerprint >> 64) as u64);
        self.write_u64(fingerprint as u64);
    }

    /// Writes something of known length: the length goes with it, so that two neighbours cannot be
    /// cut in another way.
    pub fn write_bytes(&mut self, bytes: &[u8]) {
        self.write_u64(bytes.len() as u64);
        self.write(bytes);
    }
}

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let word = chunk.try_into().map_or(0, u64::from_le_bytes);
            self.write_u64(word);
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            word[7] = rest.len() as u8;
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.lanes.0 = fold(self.lanes.0, value, FIRST.1);
        self.lanes.1 = fold(self.lanes.1, value.rotate_left(32), SECOND.1);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn finish(&self) -> u64 {
        self.fingerprint() as u64
    }
}

/// Writes the text that a value shows for debugging, with history taken out of it: transactions
/// under the names that the caller gives, and undo places left out.
///
/// Suspended operations are plain data whose derived `Debug` shows every field. So the text misses
/// nothing, also not what somebody adds later. The numbers are recognised by the name of their type,
/// which the derived code writes on its own, before an opening parenthesis; in a text value a quote
/// stands there.
pub struct DebugText<'a> {
    out: &'a mut Digest,
    name: &'a dyn Fn(u64) -> u64,
    state: Token,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Other,
    /// The type's name was written; `true` for a transaction.
    Named(bool),
    /// Its opening parenthesis was, too.
    Open(bool),
}

impl<'a> DebugText<'a> {
    /// Writes `value` to `out`; `name` names transactions by their numbers.
    pub fn write(value: &dyn fmt::Debug, out: &'a mut Digest, name: &'a dyn Fn(u64) -> u64) {
        let state = Token::Other;
        let mut text = DebugText { out, name, state };
        // The sink never fails; a `Debug` that does is one that writes nothing more.
        let _ = fmt::write(&mut text, format_args!("{value:?}"));
    }
}

impl fmt::Write for DebugText<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let state = std::mem::replace(&mut self.state, Token::Other);
        match (state, text) {
            (_, "TrxId") => self.state = Token::Named(true),
            (_, "RollPointer") => self.state = Token::Named(false),
            (Token::Named(trx), "(") => self.state = Token::Open(trx),
            (Token::Open(true), digits) => {
                let number = digits.parse().unwrap_or(u64::MAX);
                self.out.write_u64((self.name)(number));
                return Ok(());
            }
            (Token::Open(false), _) => return Ok(()),
            _ => {}
        }
        self.out.write_bytes(text.as_bytes());
        Ok(())
    }

    fn write_char(&mut self, character: char) -> fmt::Result {
        self.state = Token::Other;
        self.out.write_u64(u64::from(u32::from(character)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gaplock_lockmgr::TrxId;

    use super::*;

    fn of(bytes: &[u8]) -> u128 {
        let mut digest = Digest::default();
        digest.write_bytes(bytes);
        digest.fingerprint()
    }

    #[test]
    fn short_inputs_differ_in_both_halves() {
        let mut seen = std::collections::BTreeSet::new();
        let mut halves = std::collections::BTreeSet::new();
        for a in 0..=255u8 {
            for b in 0..=255u8 {
                for bytes in [&[a, b][..], &[a, 0, b], &[0, 0, 0, 0, 0, 0, 0, a, b]] {
                    let print = of(bytes);
                    assert!(
                        seen.insert(print) || (a == 0 && bytes.len() != 2),
                        "{bytes:?}"
                    );
                    halves.insert(print as u64);
                }
            }
        }
        assert_eq!(halves.len(), seen.len());
    }

    fn text(value: &dyn fmt::Debug) -> u128 {
        let mut digest = Digest::default();
        DebugText::write(value, &mut digest, &|trx| trx % 10);
        digest.fingerprint()
    }

    #[test]
    fn transactions_are_named_and_texts_are_not() {
        assert_eq!(text(&Some(TrxId(17))), text(&Some(TrxId(27))));
        assert_ne!(text(&Some(TrxId(17))), text(&Some(TrxId(28))));
        assert_ne!(text(&"TrxId(17)"), text(&"TrxId(27)"));
        assert_ne!(text(&("TrxId", 17)), text(&("TrxId", 27)));
    }
}
