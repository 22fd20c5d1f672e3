//! A set of heap numbers of one page: the bitmap of a lock structure.

use smallvec::SmallVec;

use crate::HeapNo;

const WORD_BITS: usize = 64;

/// Heap numbers as bits. Two words are kept in place, which is enough for the first 128 records
/// of a page; more are allocated when a higher number comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeapSet {
    words: SmallVec<[u64; 2]>,
}

impl HeapSet {
    /// The set of one number.
    pub(crate) fn single(heap: HeapNo) -> Self {
        let (word, bit) = Self::place(heap);
        let mut words = match word {
            0 | 1 => SmallVec::from_buf_and_len([0; 2], word + 1),
            _ => SmallVec::from_elem(0, word + 1),
        };
        words[word] = bit;
        HeapSet { words }
    }

    fn place(heap: HeapNo) -> (usize, u64) {
        let number = usize::from(heap.0);
        (number / WORD_BITS, 1 << (number % WORD_BITS))
    }

    /// Whether the number is in the set.
    pub(crate) fn contains(&self, heap: HeapNo) -> bool {
        let (word, bit) = Self::place(heap);
        self.words.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// Adds a number. Returns whether it was not there before.
    pub(crate) fn insert(&mut self, heap: HeapNo) -> bool {
        let (word, bit) = Self::place(heap);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let fresh = self.words[word] & bit == 0;
        self.words[word] |= bit;
        fresh
    }

    /// Takes a number out. Returns whether it was there.
    pub(crate) fn remove(&mut self, heap: HeapNo) -> bool {
        let (word, bit) = Self::place(heap);
        let Some(bits) = self.words.get_mut(word) else {
            return false;
        };
        let present = *bits & bit != 0;
        *bits &= !bit;
        present
    }

    /// How many numbers are in the set.
    pub(crate) fn len(&self) -> usize {
        self.words
            .iter()
            .map(|bits| bits.count_ones() as usize)
            .sum()
    }

    /// Whether the set is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|&bits| bits == 0)
    }

    /// The lowest number.
    pub(crate) fn first(&self) -> Option<HeapNo> {
        self.iter().next()
    }

    /// The numbers, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = HeapNo> + '_ {
        self.words
            .iter()
            .enumerate()
            .flat_map(|(word, &bits)| Bits { word, bits })
    }
}

/// The set bits of one word, ascending.
struct Bits {
    word: usize,
    bits: u64,
}

impl Iterator for Bits {
    type Item = HeapNo;

    fn next(&mut self) -> Option<HeapNo> {
        if self.bits == 0 {
            return None;
        }
        let bit = self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        let number = self.word * WORD_BITS + bit;
        Some(HeapNo(
            u16::try_from(number).expect("a heap number was put in as a u16"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_an_ordered_set(program in prop::collection::vec((any::<bool>(), 0u16..700), 0..200)) {
            let mut set = HeapSet::default();
            let mut model = BTreeSet::new();
            for (insert, number) in program {
                let heap = HeapNo(number);
                if insert {
                    prop_assert_eq!(set.insert(heap), model.insert(heap));
                } else {
                    prop_assert_eq!(set.remove(heap), model.remove(&heap));
                }
                prop_assert_eq!(set.contains(heap), model.contains(&heap));
            }
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(set.is_empty(), model.is_empty());
            prop_assert_eq!(set.first(), model.first().copied());
            prop_assert!(set.iter().eq(model.iter().copied()));
        }
    }
}
