//! Pages against a sorted list, changes against their logged form, and capacities against InnoDB's.

use std::{cmp::Ordering, collections::BTreeMap};

use gaplock_wal::{FileId, PageNo};
use proptest::prelude::*;

use super::*;
use crate::types::FieldOrder;

fn field(storage: Storage, nullable: bool) -> FieldLayout {
    FieldLayout {
        storage,
        nullable,
        order: FieldOrder::Bytes,
    }
}

fn text_layout() -> RecordLayout {
    RecordLayout {
        fields: vec![
            field(Storage::Variable { max: 200 }, true),
            field(Storage::Fixed(4), false),
            field(Storage::Variable { max: 3000 }, true),
        ],
        key_fields: 2,
    }
}

fn index_page() -> Page {
    let mut page = Page::blank(PageNo(7));
    page.apply(&PageOp::Format {
        kind: PageKind::Index,
        index: 42,
        level: 0,
    });
    page
}

fn row(key: Option<&[u8]>, number: u32, rest: Option<&[u8]>) -> Tuple {
    Tuple(vec![
        key.map(Box::from),
        Some(Box::from(number.to_be_bytes())),
        rest.map(Box::from),
    ])
}

/// Applies a change as it would be after a trip through the log.
fn apply_logged(page: &mut Page, op: PageOp) {
    let mut bytes = Vec::new();
    op.encode(&mut bytes);
    let mut rest = &bytes[..];
    let back = PageOp::decode(&mut rest).unwrap();
    assert_eq!((&back, rest.len()), (&op, 0));
    page.apply(&back);
}

fn place(page: &Page, layout: &RecordLayout, tuple: &Tuple) -> u16 {
    let key = &tuple.0[..layout.key_fields];
    page.last_record_where(|at| Record::new(page, layout, at).compare_prefix(key).0.is_le())
}

/// How many rows of this layout and image fit, inserted in ascending order.
fn capacity(layout: &RecordLayout, row: impl Fn(u32) -> Tuple) -> usize {
    let mut page = index_page();
    for number in 0.. {
        let image = layout.row_image(&row(number));
        if !page.has_room(image.size()) {
            break;
        }
        let after = page.last_record();
        page.apply(&PageOp::Insert { after, image });
    }
    page.check_index(layout).unwrap();
    page.record_count()
}

/// t(id INT PRIMARY KEY, v INT): 27 bytes a row, and half a directory slot.
#[test]
fn as_many_rows_fit_as_in_innodb() {
    let layout = RecordLayout {
        fields: vec![
            field(Storage::Fixed(4), false),
            field(Storage::Fixed(6), false),
            field(Storage::Fixed(7), false),
            field(Storage::Fixed(4), true),
        ],
        key_fields: 1,
    };
    let row = |number: u32| {
        Tuple(vec![
            Some(Box::from(number.to_be_bytes())),
            Some(Box::from([0; 6])),
            Some(Box::from([0; 7])),
            Some(Box::from([0; 4])),
        ])
    };
    assert_eq!(layout.row_size(&row(0)), 27);
    // 590 * 27 + 295 * 2 = 16520 is too much for 16252 bytes; 580 * 27.5 = 15950; 590.98 is 16252 / 27.5.
    assert_eq!(capacity(&layout, row), 590);
}

#[test]
fn lengths_take_one_byte_or_two() {
    let layout = text_layout();
    let size = |key: usize, rest: usize| {
        layout.row_size(&row(Some(&vec![1; key]), 0, Some(&vec![1; rest])))
    };
    assert_eq!(size(0, 0), 5 + 1 + 1 + 1 + 4);
    assert_eq!(size(200, 127), 5 + 1 + 1 + 1 + 200 + 4 + 127);
    assert_eq!(size(0, 128), 5 + 1 + 1 + 2 + 4 + 128);
    assert_eq!(layout.row_size(&row(None, 0, None)), 5 + 1 + 4);
    let long = row(Some(&[9; 200]), 5, Some(&[8; 3000]));
    let mut page = index_page();
    let image = layout.row_image(&long);
    page.apply(&PageOp::Insert {
        after: INFIMUM,
        image: image.clone(),
    });
    let record = Record::new(&page, &layout, page.first_record());
    assert_eq!(record.to_tuple(), long);
    assert_eq!(record.image(), image);
    assert_eq!(record.extent().size(), image.size());
}

/// A freed slot is taken again, with its heap number, if the new record fits in it; only the first
/// slot of the list is looked at; and the last record takes the heap with it.
#[test]
fn heap_numbers_are_given_as_innodb_does() {
    let layout = text_layout();
    let mut page = index_page();
    let heap_no = |page: &Page, number| {
        let at = place(page, &layout, &row(Some(b"k"), number, None));
        page.heap_no(at)
    };
    let insert = |page: &mut Page, number, rest: usize| {
        let tuple = row(Some(b"k"), number, Some(&vec![0; rest]));
        let after = place(page, &layout, &tuple);
        let image = layout.row_image(&tuple);
        page.apply(&PageOp::Insert { after, image });
    };
    let remove = |page: &mut Page, number| {
        let at = place(page, &layout, &row(Some(b"k"), number, None));
        let records = vec![Record::new(page, &layout, at).extent()];
        page.apply(&PageOp::Remove { records });
    };
    for number in [10, 20, 30] {
        insert(&mut page, number, 10);
    }
    assert_eq!(heap_no(&page, 30), 4);
    remove(&mut page, 20);
    insert(&mut page, 25, 11);
    assert_eq!(heap_no(&page, 25), 5, "too long for the free slot");
    insert(&mut page, 5, 4);
    assert_eq!(heap_no(&page, 5), 3, "takes the free slot");
    assert_eq!(page.garbage(), 6);
    page.check_index(&layout).unwrap();
    for number in [5, 10, 25, 30] {
        remove(&mut page, number);
    }
    insert(&mut page, 1, 1000);
    assert_eq!(heap_no(&page, 1), 2, "an emptied page begins anew");
}

#[test]
fn damage_is_seen() {
    let mut page = index_page();
    page.seal(FileId(1));
    page.verify(FileId(1), PageNo(7)).unwrap();
    page.verify(FileId(2), PageNo(7)).unwrap_err();
    page.verify(FileId(1), PageNo(8)).unwrap_err();
    for offset in [4, 30, 500, PAGE_SIZE - 1] {
        let mut bytes = page.bytes.clone();
        bytes[offset] ^= 1;
        let damaged = Page::from_bytes(bytes);
        damaged.verify(FileId(1), PageNo(7)).unwrap_err();
    }
    let zeros = Page::from_bytes(Box::new([0; PAGE_SIZE]));
    let what = zeros.verify(FileId(0), PageNo(0)).unwrap_err();
    assert_eq!(what, "it was never written");
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Option<u8>, u8, Option<u16>),
    Remove(prop::sample::Index),
    Mark(prop::sample::Index, bool),
    Rebuild,
    RemoveTail(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (prop::option::of(0..4u8), any::<u8>(), prop::option::of(0..300u16))
            .prop_map(|(key, number, rest)| Step::Insert(key, number, rest)),
        6 => any::<prop::sample::Index>().prop_map(Step::Remove),
        2 => (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(at, on)| Step::Mark(at, on)),
        1 => Just(Step::Rebuild),
        1 => any::<prop::sample::Index>().prop_map(Step::RemoveTail),
    ];
    prop::collection::vec(step, 1..120)
}

type Model = BTreeMap<(Option<Vec<u8>>, u32), (Tuple, bool)>;

fn nth_record(page: &Page, at: &prop::sample::Index) -> Option<u16> {
    let records: Vec<u16> = page.records().collect();
    (!records.is_empty()).then(|| records[at.index(records.len())])
}

fn step_page(page: &mut Page, layout: &RecordLayout, model: &mut Model, step: &Step) {
    let remove = |page: &mut Page, model: &mut Model, records: Vec<u16>| {
        let mut extents = Vec::new();
        for at in records {
            let record = Record::new(page, layout, at);
            model.remove(&model_key(&record.to_tuple()));
            extents.push(record.extent());
        }
        apply_logged(page, PageOp::Remove { records: extents });
    };
    match step {
        Step::Insert(key, number, rest) => {
            let key = key.map(|length| vec![b'k'; usize::from(length)]);
            let rest = rest.map(|length| vec![b'r'; usize::from(length)]);
            let tuple = row(key.as_deref(), u32::from(*number), rest.as_deref());
            let image = layout.row_image(&tuple);
            if model.contains_key(&model_key(&tuple)) || !page.has_room(image.size()) {
                return;
            }
            let after = place(page, layout, &tuple);
            apply_logged(page, PageOp::Insert { after, image });
            model.insert(model_key(&tuple), (tuple, false));
        }
        Step::Remove(at) => {
            let records = nth_record(page, at).into_iter().collect();
            remove(page, model, records);
        }
        Step::Mark(at, on) => {
            let Some(at) = nth_record(page, at) else {
                return;
            };
            let flags = if *on { DELETED } else { 0 };
            let mask = DELETED;
            apply_logged(page, PageOp::SetFlags { at, flags, mask });
            let key = model_key(&Record::new(page, layout, at).to_tuple());
            model.get_mut(&key).unwrap().1 = *on;
        }
        Step::Rebuild => {
            let images = page
                .records()
                .map(|at| Record::new(page, layout, at).image());
            let images = images.collect();
            apply_logged(page, PageOp::Rebuild { images });
            assert_eq!(page.garbage(), 0);
        }
        Step::RemoveTail(at) => {
            let mut records: Vec<u16> = page.records().collect();
            let keep = at.index(records.len() + 1);
            remove(page, model, records.split_off(keep));
        }
    }
}

fn model_key(tuple: &Tuple) -> (Option<Vec<u8>>, u32) {
    let number = tuple.field(1).unwrap().try_into().unwrap();
    (tuple.field(0).map(Vec::from), u32::from_be_bytes(number))
}

proptest! {
    /// A page is a sorted map, whatever is done to it, and sound after every step.
    #[test]
    fn a_page_is_a_sorted_map(steps in steps()) {
        let layout = text_layout();
        let mut page = index_page();
        let mut model = Model::new();
        for step in &steps {
            step_page(&mut page, &layout, &mut model, step);
            prop_assert_eq!(page.check_index(&layout), Ok(()));
            let rows: Vec<(Tuple, bool)> = page
                .records()
                .map(|at| Record::new(&page, &layout, at))
                .map(|record| (record.to_tuple(), record.is_deleted()))
                .collect();
            prop_assert_eq!(rows, model.values().cloned().collect::<Vec<_>>());
        }
    }

    /// A prefix of a key compares by the fields that it has; NULL comes first.
    #[test]
    fn prefixes_compare_by_their_fields(
        left in (prop::option::of(0..3u8), 0..3u8),
        right in (prop::option::of(0..3u8), 0..3u8),
    ) {
        let layout = text_layout();
        let make = |(key, number): (Option<u8>, u8)| {
            row(key.map(|byte| vec![byte]).as_deref(), u32::from(number), None)
        };
        let (left_row, right_row) = (make(left), make(right));
        let mut page = index_page();
        let image = layout.row_image(&left_row);
        page.apply(&PageOp::Insert { after: INFIMUM, image });
        let record = Record::new(&page, &layout, page.first_record());
        prop_assert_eq!(record.compare_prefix(&right_row.0[..2]).0, left.cmp(&right));
        let (order, matched) = record.compare_prefix(&right_row.0[..1]);
        prop_assert_eq!(order, left.0.cmp(&right.0));
        prop_assert_eq!(matched, usize::from(order == Ordering::Equal));
    }

    /// Bytes that are no change are refused, not believed.
    #[test]
    fn garbage_is_not_decoded_into_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = PageOp::decode(&mut &bytes[..]);
    }
}
