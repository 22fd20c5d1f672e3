//! One number for a disk's content, to tell equal crash states: chunk by chunk, so that a state
//! costs the chunks by which it differs from the durable content that it was derived from.

use std::{collections::BTreeMap, sync::Arc};

use super::state::{FileNo, State};
use crate::disk::content::{Chunk, Content};

/// What an empty disk has.
const START: u64 = 0x243F_6A88_85A3_08D3;

/// Folds the halves of a product: each bit of either reaches all of the result. What came before is
/// mixed in once more, so that a factor of zero forgets nothing.
fn mix(before: u64, next: u64) -> u64 {
    let left = u128::from(before ^ 0x9E37_79B9_7F4A_7C15);
    let product = left * u128::from(next ^ 0xD6E8_FEB8_6659_FD93);
    (product as u64) ^ ((product >> 64) as u64) ^ before.rotate_left(23)
}

fn of_bytes(bytes: &[u8]) -> u64 {
    let mut hash = bytes.len() as u64;
    for part in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        hash = mix(hash, u64::from_le_bytes(word));
    }
    hash
}

/// A hole and a chunk of zeros read alike.
fn of_chunk(chunk: &Chunk) -> u64 {
    chunk.as_ref().map_or(0, |bytes| {
        if bytes.iter().all(|byte| *byte == 0) {
            0
        } else {
            of_bytes(bytes.as_slice())
        }
    })
}

fn combine(len: u64, chunks: impl Iterator<Item = u64>) -> u64 {
    chunks.fold(mix(START, len), mix)
}

/// Of all that is durable.
pub(super) fn of_durable(state: &State) -> u64 {
    let known = Known::default();
    let named = state.durable_names.iter();
    known.of_disk(named.map(|(name, file)| {
        let content = state.files.get(file).map(|inode| &inode.durable);
        (name, *file, content)
    }))
}

/// The chunks' numbers of content that many states share.
#[derive(Debug, Default)]
pub(super) struct Known {
    files: BTreeMap<FileNo, (Content, Vec<u64>)>,
}

impl Known {
    /// Of all files' durable content.
    pub(super) fn of(state: &State) -> Self {
        let of_file = |(file, inode): (&FileNo, &Arc<super::state::Inode>)| {
            let chunks = inode.durable.chunks().iter().map(of_chunk).collect();
            (*file, (inode.durable.clone(), chunks))
        };
        Self {
            files: state.files.iter().map(of_file).collect(),
        }
    }

    fn of_file(&self, file: FileNo, content: &Content) -> u64 {
        let known = self.files.get(&file);
        let chunks = content.chunks().iter().enumerate().map(|(at, chunk)| {
            known
                .filter(|(base, _)| base.shares(content, at))
                .map_or_else(|| of_chunk(chunk), |(_, chunks)| chunks[at])
        });
        combine(content.len(), chunks)
    }

    /// Of a disk with these names, files and contents, in the names' order.
    pub(super) fn of_disk<'a>(
        &self,
        named: impl Iterator<Item = (&'a Arc<str>, FileNo, Option<&'a Content>)>,
    ) -> u64 {
        named.fold(START, |hash, (name, file, content)| {
            let content = content.map_or(0, |content| self.of_file(file, content));
            mix(mix(hash, of_bytes(name.as_bytes())), content)
        })
    }
}
