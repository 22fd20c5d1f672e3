//! Changes of a page: what is done now, logged, and done again by recovery.
//!
//! Every change of a page is one of these, applied by one function. They are physiological: they
//! name records by their place on the page, and leave it to the page to give out heap space and
//! keep its directory, which it does the same way every time.

use super::{
    Page,
    format::{CONTENT_START, INDEX, KIND, NEXT, NO_PAGE, PAGE_SIZE, PREV, PageKind},
    layout::{HEADER, RecordImage},
    record::Extent,
};

/// One change of one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageOp {
    /// Begin anew with an empty page. `index` and `level` mean something for index pages only.
    Format {
        /// What the page is used for.
        kind: PageKind,
        /// The index whose page it is.
        index: u64,
        /// Levels below it.
        level: u16,
    },
    /// Overwrite bytes.
    Write {
        /// First byte.
        offset: u16,
        /// What to write.
        bytes: Box<[u8]>,
    },
    /// Put a record after another.
    Insert {
        /// Origin of the record before.
        after: u16,
        /// The record.
        image: RecordImage,
    },
    /// Put several records after another, in order.
    InsertMany {
        /// Origin of the record before.
        after: u16,
        /// The records.
        images: Vec<RecordImage>,
        /// Whether to forget these inserts when guessing where the next will go.
        forget: bool,
    },
    /// Take records away, one after another.
    Remove {
        /// Where they lie.
        records: Vec<Extent>,
    },
    /// Replace all records by these, closely packed, with new heap numbers.
    Rebuild {
        /// The records.
        images: Vec<RecordImage>,
    },
    /// The whole page as it was after a group's changes: what recovery begins with, so that it need
    /// not trust what is on the disk. Bytes between the two parts are zero.
    Image {
        /// From the links on.
        head: Box<[u8]>,
        /// Up to the page's end.
        tail: Box<[u8]>,
    },
    /// Set or clear flags of a record.
    SetFlags {
        /// The record's origin.
        at: u16,
        /// Flags to be set; those among `mask`.
        flags: u8,
        /// Flags that change.
        mask: u8,
    },
}

impl Page {
    /// Does a change. The page must be in the state for which the change was made.
    pub(crate) fn apply(&mut self, op: &PageOp) {
        match op {
            PageOp::Format { kind, index, level } => self.format(*kind, *index, *level),
            PageOp::Write { offset, bytes } => self.put(usize::from(*offset), bytes),
            PageOp::Insert { after, image } => {
                self.insert_after(*after, image);
            }
            PageOp::InsertMany {
                after,
                images,
                forget,
            } => {
                self.insert_many(*after, images);
                if *forget {
                    self.forget_inserts();
                }
            }
            PageOp::Remove { records } => {
                for extent in records {
                    self.remove_record(*extent);
                }
            }
            PageOp::Rebuild { images } => {
                self.empty();
                self.insert_many(super::INFIMUM, images);
            }
            PageOp::Image { head, tail } => {
                self.bytes[PREV..].fill(0);
                self.put(PREV, head);
                self.put(PAGE_SIZE - tail.len(), tail);
            }
            PageOp::SetFlags { at, flags, mask } => {
                let byte = &mut self.bytes[usize::from(*at) - HEADER];
                *byte = *byte & !mask | flags & mask;
            }
        }
    }

    /// An image of the page. Bytes that no record and no directory slot owns are made zero first, as
    /// they will be where the image is applied.
    pub(crate) fn take_image(&mut self) -> PageOp {
        let (head_end, tail_start) = self.hole();
        self.bytes[head_end..tail_start].fill(0);
        PageOp::Image {
            head: self.bytes[PREV..head_end].into(),
            tail: self.bytes[tail_start..].into(),
        }
    }

    /// The bytes that nothing owns: on index pages those between heap and directory, on others the
    /// zeros at the end.
    fn hole(&self) -> (usize, usize) {
        if self.kind() == Some(PageKind::Index) {
            return (self.heap_top(), PAGE_SIZE - 8 - 2 * self.slot_count());
        }
        let used = self.bytes.iter().rposition(|byte| *byte != 0);
        (used.map_or(PREV, |last| (last + 1).max(PREV)), PAGE_SIZE)
    }

    fn insert_many(&mut self, after: u16, images: &[RecordImage]) {
        let mut at = after;
        for image in images {
            at = self.insert_after(at, image);
        }
    }

    fn format(&mut self, kind: PageKind, index: u64, level: u16) {
        self.bytes[CONTENT_START..].fill(0);
        self.put_u16(KIND, kind.code());
        self.put_u32(PREV, NO_PAGE.0);
        self.put_u32(NEXT, NO_PAGE.0);
        if kind == PageKind::Index {
            self.format_index(index, level);
        }
    }
}

const _: () = assert!(INDEX + 8 <= 94 && PAGE_SIZE <= 1 << 14);

const FORMAT: u8 = 1;
const WRITE: u8 = 2;
const INSERT: u8 = 3;
const INSERT_MANY: u8 = 4;
const REMOVE: u8 = 5;
const REBUILD: u8 = 6;
const SET_FLAGS: u8 = 7;
const IMAGE: u8 = 8;

impl PageOp {
    /// Whether it makes a page what it is, whatever was there before.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self, PageOp::Format { .. } | PageOp::Image { .. })
    }

    /// Overwrites `bytes` at `offset`.
    pub(crate) fn write(offset: usize, bytes: &[u8]) -> Self {
        PageOp::Write {
            // Applying it checks that it lies in the page.
            offset: offset as u16,
            bytes: bytes.into(),
        }
    }

    /// Appends the change's form in the log: a byte that says which, then its parts in the order
    /// of their declaration, numbers big-endian, counts before lists.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            PageOp::Format { kind, index, level } => {
                out.push(FORMAT);
                put_u16(out, kind.code());
                out.extend_from_slice(&index.to_be_bytes());
                put_u16(out, *level);
            }
            PageOp::Write { offset, bytes } => {
                out.push(WRITE);
                put_u16(out, *offset);
                put_u16(out, bytes.len() as u16);
                out.extend_from_slice(bytes);
            }
            PageOp::Insert { after, image } => {
                out.push(INSERT);
                put_u16(out, *after);
                put_image(out, image);
            }
            PageOp::InsertMany {
                after,
                images,
                forget,
            } => {
                out.push(INSERT_MANY);
                put_u16(out, *after);
                put_images(out, images);
                out.push(u8::from(*forget));
            }
            PageOp::Remove { records } => {
                out.push(REMOVE);
                put_u16(out, records.len() as u16);
                for extent in records {
                    put_u16(out, extent.origin);
                    put_u16(out, extent.extra);
                    put_u16(out, extent.data);
                }
            }
            PageOp::Rebuild { images } => {
                out.push(REBUILD);
                put_images(out, images);
            }
            PageOp::Image { head, tail } => {
                out.push(IMAGE);
                for part in [head, tail] {
                    put_u16(out, part.len() as u16);
                    out.extend_from_slice(part);
                }
            }
            PageOp::SetFlags { at, flags, mask } => {
                out.push(SET_FLAGS);
                put_u16(out, *at);
                out.extend_from_slice(&[*flags, *mask]);
            }
        }
    }

    /// Reads a change off the front of `input`; `None` if there is none that can be read.
    #[must_use]
    pub fn decode(input: &mut &[u8]) -> Option<Self> {
        Some(match take(input, 1)?[0] {
            FORMAT => PageOp::Format {
                kind: PageKind::from_code(take_u16(input)?)?,
                index: take_u64(input)?,
                level: take_u16(input)?,
            },
            WRITE => {
                let offset = take_u16(input)?;
                let length = usize::from(take_u16(input)?);
                PageOp::Write {
                    offset,
                    bytes: take(input, length)?.into(),
                }
            }
            INSERT => PageOp::Insert {
                after: take_u16(input)?,
                image: take_image(input)?,
            },
            INSERT_MANY => PageOp::InsertMany {
                after: take_u16(input)?,
                images: take_images(input)?,
                forget: take(input, 1)?[0] != 0,
            },
            REMOVE => {
                let count = take_u16(input)?;
                let records = (0..count).map(|_| take_extent(input));
                PageOp::Remove {
                    records: records.collect::<Option<_>>()?,
                }
            }
            REBUILD => PageOp::Rebuild {
                images: take_images(input)?,
            },
            IMAGE => {
                let head = take_part(input)?;
                let tail = take_part(input)?;
                if head.len() + tail.len() > PAGE_SIZE - PREV {
                    return None;
                }
                PageOp::Image { head, tail }
            }
            SET_FLAGS => PageOp::SetFlags {
                at: take_u16(input)?,
                flags: take(input, 1)?[0],
                mask: take(input, 1)?[0],
            },
            _ => return None,
        })
    }
}

fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn put_image(out: &mut Vec<u8>, image: &RecordImage) {
    put_u16(out, image.extra);
    put_u16(out, image.bytes.len() as u16);
    out.extend_from_slice(&image.bytes);
}

fn put_images(out: &mut Vec<u8>, images: &[RecordImage]) {
    put_u16(out, images.len() as u16);
    for image in images {
        put_image(out, image);
    }
}

fn take<'i>(input: &mut &'i [u8], count: usize) -> Option<&'i [u8]> {
    let (head, rest) = input.split_at_checked(count)?;
    *input = rest;
    Some(head)
}

fn take_u16(input: &mut &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(take(input, 2)?.try_into().ok()?))
}

fn take_u64(input: &mut &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(take(input, 8)?.try_into().ok()?))
}

fn take_extent(input: &mut &[u8]) -> Option<Extent> {
    Some(Extent {
        origin: take_u16(input)?,
        extra: take_u16(input)?,
        data: take_u16(input)?,
    })
}

fn take_part(input: &mut &[u8]) -> Option<Box<[u8]>> {
    let length = usize::from(take_u16(input)?);
    Some(take(input, length)?.into())
}

fn take_image(input: &mut &[u8]) -> Option<RecordImage> {
    let extra = take_u16(input)?;
    let length = usize::from(take_u16(input)?);
    let bytes = take(input, length)?.into();
    Some(RecordImage { bytes, extra })
}

fn take_images(input: &mut &[u8]) -> Option<Vec<RecordImage>> {
    let count = take_u16(input)?;
    (0..count).map(|_| take_image(input)).collect()
}
