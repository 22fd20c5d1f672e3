//! A record as it lies in the log: a frame.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | CRC-32C of: identity (8), position (8), length and kind (4), CRC-32C of the body (4) |
//! | 4 | 3 | length of the body, in bytes |
//! | 7 | 1 | kind |
//! | 8 | 8 | position of the frame itself |
//! | 16 | length | body |
//! | | 0-7 | zeros up to a multiple of eight |
//!
//! Numbers are little-endian. The body's checksum goes into the frame's as a number, so that it is
//! computed before the position is known, outside the reservation point. The identity is not
//! stored; it keeps a frame of another database from being taken for one of ours.

use crc32c::{crc32c, crc32c_append};

/// Bytes of a frame's header.
pub(super) const HEADER: usize = 16;
/// Longest body, in bytes.
pub(super) const BODY_MAX: usize = (1 << 24) - 1;
/// Kinds from here on are the log's own.
pub(super) const OWN_KINDS: u8 = 0xF0;
/// What a flush begins with: a body of eight bytes, the position up to which the log was durable.
pub(super) const MARK: u8 = 0xF0;
/// Bytes of a mark's frame.
pub(super) const MARK_BYTES: usize = HEADER + 8;

/// Length of the frame of a body, in bytes.
pub(super) fn frame_bytes(body_bytes: usize) -> usize {
    (HEADER + body_bytes).next_multiple_of(8)
}

/// What identifies a frame, but for its position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'b> {
    length_and_kind: u32,
    body: &'b [u8],
    body_checksum: u32,
}

impl<'b> Frame<'b> {
    /// # Panics
    /// When the body is longer than [`BODY_MAX`].
    pub(super) fn new(kind: u8, body: &'b [u8]) -> Self {
        assert!(
            body.len() <= BODY_MAX,
            "a record of {} bytes, the limit is {BODY_MAX}",
            body.len()
        );
        Self {
            length_and_kind: body.len() as u32 | u32::from(kind) << 24,
            body,
            body_checksum: crc32c(body),
        }
    }

    /// Bytes that it takes in the log.
    pub(super) fn bytes(&self) -> usize {
        frame_bytes(self.body.len())
    }

    /// Its header, at a position.
    pub(super) fn header(&self, identity: u64, position: u64) -> [u8; HEADER] {
        let sum = checksum(identity, position, self.length_and_kind, self.body_checksum);
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(&sum.to_le_bytes());
        header[4..8].copy_from_slice(&self.length_and_kind.to_le_bytes());
        header[8..].copy_from_slice(&position.to_le_bytes());
        header
    }

    /// Puts it, as of `position`, at the end of `bytes`.
    pub(super) fn push(&self, identity: u64, position: u64, bytes: &mut Vec<u8>) {
        let end = bytes.len() + self.bytes();
        bytes.extend_from_slice(&self.header(identity, position));
        bytes.extend_from_slice(self.body);
        bytes.resize(end, 0);
    }
}

/// A mark's frame.
pub(super) fn mark(identity: u64, position: u64, durable: u64) -> [u8; MARK_BYTES] {
    let body = durable.to_le_bytes();
    let mut bytes = [0; MARK_BYTES];
    bytes[..HEADER].copy_from_slice(&Frame::new(MARK, &body).header(identity, position));
    bytes[HEADER..].copy_from_slice(&body);
    bytes
}

fn checksum(identity: u64, position: u64, length_and_kind: u32, body_checksum: u32) -> u32 {
    let mut all = [0; 24];
    all[..8].copy_from_slice(&identity.to_le_bytes());
    all[8..16].copy_from_slice(&position.to_le_bytes());
    all[16..20].copy_from_slice(&length_and_kind.to_le_bytes());
    all[20..].copy_from_slice(&body_checksum.to_le_bytes());
    crc32c(&all)
}

/// A frame's header, as read; to be believed only once [`FrameHeader::fits`].
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameHeader {
    checksum: u32,
    length_and_kind: u32,
    pub(super) position: u64,
}

impl FrameHeader {
    pub(super) fn read(bytes: &[u8; HEADER]) -> Self {
        Self {
            checksum: number(&bytes[..4]) as u32,
            length_and_kind: number(&bytes[4..8]) as u32,
            position: number(&bytes[8..]),
        }
    }

    pub(super) fn kind(self) -> u8 {
        self.length_and_kind.to_le_bytes()[3]
    }

    /// Length of the body, in bytes.
    pub(super) fn length(self) -> usize {
        (self.length_and_kind & 0xFF_FFFF) as usize
    }

    /// Bytes of the body and of the zeros after it.
    pub(super) fn padded_length(self) -> usize {
        frame_bytes(self.length()) - HEADER
    }

    /// Whether `padded`, a body and the zeros after it, is what was written with this header.
    pub(super) fn fits(self, identity: u64, padded: &[u8]) -> bool {
        let (body, padding) = padded.split_at(self.length());
        let body_checksum = crc32c_append(0, body);
        let expected = checksum(identity, self.position, self.length_and_kind, body_checksum);
        self.checksum == expected && padding.iter().all(|&byte| byte == 0)
    }
}

/// The little-endian number in at most eight bytes.
pub(super) fn number(bytes: &[u8]) -> u64 {
    let mut all = [0; 8];
    all[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(identity: u64, bytes: &[u8]) -> bool {
        let header = FrameHeader::read(bytes[..HEADER].try_into().unwrap());
        frame_bytes(header.length()) == bytes.len() && header.fits(identity, &bytes[HEADER..])
    }

    /// Every bit of a frame counts, its padding included, and so does the identity.
    #[test]
    fn every_bit_counts() {
        let mut bytes = Vec::new();
        Frame::new(7, b"eleven byte").push(99, 4096, &mut bytes);
        assert_eq!(bytes.len(), 32);
        assert!(fits(99, &bytes) && !fits(98, &bytes));
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!fits(99, &bytes), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        let header = FrameHeader::read(bytes[..HEADER].try_into().unwrap());
        assert_eq!((header.kind(), header.length()), (7, 11));
        assert_eq!(header.position, 4096);
    }

    /// Space that was zero-filled is no frame, wherever it lies.
    #[test]
    fn zeros_are_no_frame() {
        assert!(!fits(0, &[0; HEADER]));
        assert!(!fits(1, &[0; HEADER]));
    }
}
