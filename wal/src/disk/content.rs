//! A file's bytes in memory, copied on write.
//!
//! Content is an array of chunks behind `Arc`s, itself behind an `Arc`: a copy costs one pointer,
//! the first write after it copies the array, and each chunk is copied when it is first written.
//! Chunks that were never written are holes: they read as zeros and take no room.
//!
//! - C1. Bytes beyond the length in the last chunk are zero, so that extending shows zeros.
//! - C2. `allocated` counts the chunks that are no holes.

use std::{io::ErrorKind, sync::Arc};

/// Bytes of a chunk.
pub(super) const CHUNK: usize = 16 * 1024;

/// Longest file, in bytes: a length from a damaged file must not exhaust memory.
const LENGTH_MAX: usize = 1 << 36;

pub(super) type Chunk = Option<Arc<[u8; CHUNK]>>;

/// The bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    len: usize,
    chunks: Arc<Vec<Chunk>>,
    allocated: usize,
}

/// The parts, chunk by chunk, of `length` bytes at `offset`: chunk, first byte in it, and bytes.
fn parts(offset: usize, length: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done;
        let count = (CHUNK - at % CHUNK).min(length - done);
        done += count;
        (count > 0).then_some((at / CHUNK, at % CHUNK, count))
    })
}

fn end_of(offset: u64, length: usize) -> Result<usize, ErrorKind> {
    usize::try_from(offset)
        .ok()
        .and_then(|offset| offset.checked_add(length))
        .filter(|end| *end <= LENGTH_MAX)
        .ok_or(ErrorKind::InvalidInput)
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.len as u64
    }

    /// Bytes that the chunks take.
    pub(super) fn allocated(&self) -> u64 {
        (self.allocated * CHUNK) as u64
    }

    pub(super) fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// Whether chunk `at` is the very same memory in both.
    pub(super) fn shares(&self, other: &Self, at: usize) -> bool {
        match (self.chunks.get(at), other.chunks.get(at)) {
            (Some(Some(here)), Some(Some(there))) => Arc::ptr_eq(here, there),
            (Some(None), Some(None)) => true,
            _ => false,
        }
    }

    /// Fills `buffer` from `offset`, or says that the file ends before.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ErrorKind> {
        let end = end_of(offset, buffer.len())?;
        if end > self.len {
            return Err(ErrorKind::UnexpectedEof);
        }
        let mut rest = buffer;
        for (chunk, start, count) in parts(end - rest.len(), rest.len()) {
            let (now, later) = rest.split_at_mut(count);
            match &self.chunks[chunk] {
                Some(bytes) => now.copy_from_slice(&bytes[start..start + count]),
                None => now.fill(0),
            }
            rest = later;
        }
        Ok(())
    }

    /// Writes all of `data`, extending the file if need be.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), ErrorKind> {
        let end = end_of(offset, data.len())?;
        if data.is_empty() {
            return Ok(());
        }
        if end > self.len {
            self.resize(end as u64)?;
        }
        let chunks = Arc::make_mut(&mut self.chunks);
        let mut rest = data;
        for (chunk, start, count) in parts(end - data.len(), data.len()) {
            let (now, later) = rest.split_at(count);
            let bytes = chunks[chunk].get_or_insert_with(|| {
                self.allocated += 1;
                Arc::new([0; CHUNK])
            });
            Arc::make_mut(bytes)[start..start + count].copy_from_slice(now);
            rest = later;
        }
        Ok(())
    }

    /// Cuts, or extends with zeros.
    pub(super) fn resize(&mut self, len: u64) -> Result<(), ErrorKind> {
        let len = end_of(len, 0)?;
        if len == self.len {
            return Ok(());
        }
        let chunks = Arc::make_mut(&mut self.chunks);
        if len < self.len
            && let Some(Some(last)) = chunks.get_mut(len / CHUNK)
        {
            Arc::make_mut(last)[len % CHUNK..].fill(0);
        }
        let count = len.div_ceil(CHUNK);
        for chunk in chunks.drain(count.min(chunks.len())..) {
            self.allocated -= usize::from(chunk.is_some());
        }
        chunks.resize(count, None);
        self.len = len;
        Ok(())
    }

    /// How many bytes of a write of `length` bytes at `offset` find room when `free` more bytes may
    /// be allocated.
    pub(super) fn fits(&self, offset: u64, length: usize, free: u64) -> usize {
        let Ok(end) = end_of(offset, length) else {
            return length;
        };
        let mut free = free / CHUNK as u64;
        let mut fitting = 0;
        for (chunk, _, count) in parts(end - length, length) {
            if !matches!(self.chunks.get(chunk), Some(Some(_))) {
                if free == 0 {
                    break;
                }
                free -= 1;
            }
            fitting += count;
        }
        fitting
    }

    /// All of it.
    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut all = vec![0; self.len];
        for (at, part) in all.chunks_mut(CHUNK).enumerate() {
            if let Some(bytes) = &self.chunks[at] {
                part.copy_from_slice(&bytes[..part.len()]);
            }
        }
        all
    }
}
