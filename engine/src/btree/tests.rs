//! Trees against a sorted map, alone and with four threads; splits and moves as InnoDB does them.

use std::{collections::BTreeMap, sync::Arc};

use gaplock_wal::{Log, Lsn, MemoryDisk, PageNo};
use parking_lot::Mutex;
use proptest::prelude::*;

use super::*;
use crate::{
    buffer::{BufferPool, PoolConfig},
    mtr::{LatchMode, Mtr, changes},
    page::{Field, FieldLayout, Page, RecordLayout, Storage, Tuple},
    types::FieldOrder,
};

fn pool(frames: usize) -> BufferPool {
    let log = Arc::new(Log::discarding(Lsn(1)));
    BufferPool::create(Arc::new(MemoryDisk::new()), log, PoolConfig { frames }).unwrap()
}

/// A pool whose log is kept.
fn logged_pool(frames: usize) -> BufferPool {
    let log = Arc::new(Log::keeping(Lsn(1)));
    BufferPool::create(Arc::new(MemoryDisk::new()), log, PoolConfig { frames }).unwrap()
}

fn field(storage: Storage, nullable: bool) -> FieldLayout {
    FieldLayout {
        storage,
        nullable,
        order: FieldOrder::Bytes,
    }
}

/// k VARBINARY(3000) NULL, id INT: together the key; and a value of any length.
fn layout() -> Arc<RecordLayout> {
    Arc::new(RecordLayout {
        fields: vec![
            field(Storage::Variable { max: 3000 }, true),
            field(Storage::Fixed(4), false),
            field(Storage::Variable { max: 8000 }, false),
        ],
        key_fields: 2,
    })
}

/// t(id INT PRIMARY KEY, v INT): 27 bytes a row.
fn int_layout() -> Arc<RecordLayout> {
    Arc::new(RecordLayout {
        fields: vec![
            field(Storage::Fixed(4), false),
            field(Storage::Fixed(6), false),
            field(Storage::Fixed(7), false),
            field(Storage::Fixed(4), true),
        ],
        key_fields: 1,
    })
}

fn int_row(id: u32, value: u32) -> Tuple {
    Tuple(vec![
        Some(Box::from(id.to_be_bytes())),
        Some(Box::from([0; 6])),
        Some(Box::from([0; 7])),
        Some(Box::from(value.to_be_bytes())),
    ])
}

fn row(key: Option<(u8, usize)>, id: u32, value: usize) -> Tuple {
    Tuple(vec![
        key.map(|(byte, length)| vec![byte; length].into()),
        Some(Box::from(id.to_be_bytes())),
        Some(vec![b'v'; value].into()),
    ])
}

fn new_tree(pool: &BufferPool, layout: Arc<RecordLayout>, clustered: bool) -> Tree {
    let mut mtr = Mtr::begin(pool);
    let tree = Tree::create(&mut mtr, 7, layout, clustered).unwrap();
    mtr.commit();
    tree
}

/// Notes what it is told.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<String>>);

impl Told {
    fn note(&self, what: String) {
        self.0.lock().push(what);
    }
}

impl RecordMoves for Told {
    fn move_records(&self, from: PageNo, to: PageNo, moved: &[(u16, u16)]) {
        let ends = moved.first().zip(moved.last());
        self.note(format!("move {} to {} {ends:?}", from.0, to.0));
    }
    fn split_right(&self, left: PageNo, right: PageNo, right_first: u16) {
        self.note(format!("split_right {} {} {right_first}", left.0, right.0));
    }
    fn split_left(&self, left: PageNo, right: PageNo, right_first: u16) {
        self.note(format!("split_left {} {} {right_first}", left.0, right.0));
    }
    fn merge_right(&self, right: PageNo, right_old_first: u16, left: PageNo) {
        self.note(format!(
            "merge_right {} {right_old_first} {}",
            right.0, left.0
        ));
    }
    fn merge_left(&self, left: PageNo, heir: Option<u16>, right: PageNo) {
        self.note(format!("merge_left {} {heir:?} {}", left.0, right.0));
    }
    fn root_raise(&self, root: PageNo, child: PageNo) {
        self.note(format!("root_raise {} {}", root.0, child.0));
    }
    fn copy_and_discard(&self, new: PageNo, old: PageNo) {
        self.note(format!("copy_and_discard {} {}", new.0, old.0));
    }
    fn discard(&self, heir_page: PageNo, heir: u16, page: PageNo) {
        self.note(format!("discard {} {heir} {}", heir_page.0, page.0));
    }
}

/// Inserts, or says that the key is there already.
fn insert(pool: &BufferPool, tree: &Tree, tuple: &Tuple, moves: &dyn RecordMoves) -> bool {
    let key = &tuple.0[..tree.layout.key_fields];
    let mut mtr = Mtr::begin(pool);
    let at = tree
        .seek(&mut mtr, key, Seek::AtOrBefore, Latching::ModifyLeaf)
        .unwrap();
    if tree.record(&mtr, at).compare_prefix(key).0.is_eq() {
        return false;
    }
    if let Insertion::Done(at) = tree.insert(&mut mtr, at, tuple, moves).unwrap() {
        assert_eq!(&tree.record(&mtr, at).to_tuple(), tuple);
        mtr.commit();
        return true;
    }
    drop(mtr);
    let mut mtr = Mtr::begin(pool);
    let at = tree
        .seek(&mut mtr, key, Seek::AtOrBefore, Latching::ModifyTree)
        .unwrap();
    if tree.record(&mtr, at).compare_prefix(key).0.is_eq() {
        return false;
    }
    let at = tree.insert_splitting(&mut mtr, at, tuple, moves).unwrap();
    assert_eq!(&tree.record(&mtr, at).to_tuple(), tuple);
    mtr.commit();
    true
}

fn remove(pool: &BufferPool, tree: &Tree, key: &[Field], moves: &dyn RecordMoves) {
    for latching in [Latching::ModifyLeaf, Latching::ModifyTree] {
        let mut mtr = Mtr::begin(pool);
        let at = tree
            .seek(&mut mtr, key, Seek::AtOrBefore, latching)
            .unwrap();
        if tree.record(&mtr, at).compare_prefix(key).0.is_ne() {
            return;
        }
        if latching == Latching::ModifyTree {
            tree.remove_merging(&mut mtr, at, moves).unwrap();
        } else if tree.remove(&mut mtr, at) == Removal::NeedsTree {
            continue;
        }
        mtr.commit();
        return;
    }
}

fn update(pool: &BufferPool, tree: &Tree, tuple: &Tuple, moves: &dyn RecordMoves) {
    let key = &tuple.0[..tree.layout.key_fields];
    for latching in [Latching::ModifyLeaf, Latching::ModifyTree] {
        let mut mtr = Mtr::begin(pool);
        let at = tree
            .seek(&mut mtr, key, Seek::AtOrBefore, latching)
            .unwrap();
        if tree.record(&mtr, at).compare_prefix(key).0.is_ne() {
            return;
        }
        let at = if latching == Latching::ModifyTree {
            tree.update_splitting(&mut mtr, at, tuple, moves).unwrap()
        } else if let Update::Done(at) = tree.update(&mut mtr, at, tuple, moves).unwrap() {
            at
        } else {
            continue;
        };
        assert_eq!(&tree.record(&mtr, at).to_tuple(), tuple);
        mtr.commit();
        return;
    }
}

fn all_forward(pool: &BufferPool, tree: &Tree) -> Vec<Tuple> {
    let mut mtr = Mtr::begin(pool);
    let mut at = tree.first(&mut mtr, Latching::Read).unwrap();
    let mut rows = Vec::new();
    loop {
        let record = tree.record(&mtr, at);
        if record.is_user() {
            rows.push(record.to_tuple());
        }
        if !tree.next(&mut mtr, &mut at).unwrap() {
            return rows;
        }
    }
}

fn all_backward(pool: &BufferPool, tree: &Tree) -> Vec<Tuple> {
    let mut mtr = Mtr::begin(pool);
    let mut at = tree.last(&mut mtr, Latching::Read).unwrap();
    let mut rows = Vec::new();
    loop {
        let record = tree.record(&mtr, at);
        if record.is_user() {
            rows.push(record.to_tuple());
        }
        if !tree.prev(&mut mtr, &mut at).unwrap() {
            rows.reverse();
            return rows;
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Tuple),
    Remove(prop::sample::Index),
    RemoveRun(prop::sample::Index, usize),
    Update(prop::sample::Index, usize),
    Mark(prop::sample::Index, bool),
}

fn lengths(longest: usize) -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0..30_usize, 2 => 100..300_usize, 3 => 1000..=longest]
}

/// Rows of all lengths: most trees have two levels.
fn wide() -> BoxedStrategy<Tuple> {
    let key = prop::option::weighted(0.9, (0..6u8, lengths(3000)));
    (key, 0..40u32, lengths(4900))
        .prop_map(|(key, id, value)| row(key, id, value))
        .boxed()
}

/// Long keys: a few on a page, on all levels.
fn tall() -> BoxedStrategy<Tuple> {
    let length = prop_oneof![1 => 5..40_usize, 4 => 1800..3000_usize];
    (any::<u8>(), length, 0..3u32, lengths(4900))
        .prop_map(|(byte, length, id, value)| row(Some((byte, length)), id, value))
        .boxed()
}

fn steps(tuples: BoxedStrategy<Tuple>, run: usize) -> impl Strategy<Value = Vec<Step>> {
    let at = any::<prop::sample::Index>;
    let step = prop_oneof![
        20 => tuples.prop_map(Step::Insert),
        6 => at().prop_map(Step::Remove),
        1 => (at(), 1..run).prop_map(|(at, count)| Step::RemoveRun(at, count)),
        4 => (at(), lengths(4900)).prop_map(|(at, value)| Step::Update(at, value)),
        2 => (at(), any::<bool>()).prop_map(|(at, on)| Step::Mark(at, on)),
    ];
    prop::collection::vec(step, 1..200)
}

type Model = BTreeMap<Vec<Field>, (Tuple, bool)>;

fn nth_key(model: &Model, at: &prop::sample::Index) -> Option<Vec<Field>> {
    let keys: Vec<_> = model.keys().collect();
    (!keys.is_empty()).then(|| keys[at.index(keys.len())].clone())
}

fn step_tree(pool: &BufferPool, tree: &Tree, model: &mut Model, step: &Step) {
    match step {
        Step::Insert(tuple) => {
            let key = tuple.0[..2].to_vec();
            let is_new = !model.contains_key(&key);
            assert_eq!(insert(pool, tree, tuple, &()), is_new);
            model.entry(key).or_insert_with(|| (tuple.clone(), false));
        }
        Step::Remove(at) => {
            if let Some(key) = nth_key(model, at) {
                remove(pool, tree, &key, &());
                model.remove(&key);
            }
        }
        Step::RemoveRun(at, count) => {
            let Some(key) = nth_key(model, at) else {
                return;
            };
            let run = model.range(key..).take(*count);
            let keys: Vec<_> = run.map(|(key, _)| key.clone()).collect();
            for key in keys {
                remove(pool, tree, &key, &());
                model.remove(&key);
            }
        }
        Step::Update(at, value) => {
            if let Some(key) = nth_key(model, at) {
                let entry = model.get_mut(&key).unwrap();
                entry.0.0[2] = Some(vec![b'w'; *value].into());
                update(pool, tree, &entry.0, &());
            }
        }
        Step::Mark(at, on) => {
            if let Some(key) = nth_key(model, at) {
                let mut mtr = Mtr::begin(pool);
                let at = tree
                    .seek(&mut mtr, &key, Seek::AtOrBefore, Latching::ModifyLeaf)
                    .unwrap();
                tree.set_deleted(&mut mtr, at, *on);
                mtr.commit();
                model.get_mut(&key).unwrap().1 = *on;
            }
        }
    }
}

/// The first row at or after a place, and the last before it, by walking on from the seek.
fn neighbours(pool: &BufferPool, tree: &Tree, key: &[Field]) -> [Option<Tuple>; 2] {
    let mut mtr = Mtr::begin(pool);
    let mut at = tree
        .seek(&mut mtr, key, Seek::AtOrAfter, Latching::Read)
        .unwrap();
    let mut more = true;
    while more && !tree.record(&mtr, at).is_user() {
        more = tree.next(&mut mtr, &mut at).unwrap();
    }
    let after = more.then(|| tree.record(&mtr, at).to_tuple());
    drop(mtr);
    let mut mtr = Mtr::begin(pool);
    let mut at = tree
        .seek(&mut mtr, key, Seek::Before, Latching::Read)
        .unwrap();
    let mut more = true;
    while more && !tree.record(&mtr, at).is_user() {
        more = tree.prev(&mut mtr, &mut at).unwrap();
    }
    let before = more.then(|| tree.record(&mtr, at).to_tuple());
    [after, before]
}

fn model_neighbours(model: &Model, key: &[Field]) -> [Option<Tuple>; 2] {
    let row = |(_, value): (_, &(Tuple, bool))| value.0.clone();
    [
        model.range(key.to_vec()..).next().map(row),
        model.range(..key.to_vec()).next_back().map(row),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A tree is a sorted map, whatever is done to it, and sound after every step.
    #[test]
    fn a_tree_is_a_sorted_map(
        steps in prop_oneof![steps(wide(), 12), steps(tall(), 60)],
        clustered in any::<bool>(),
    ) {
        let pool = pool(32);
        let tree = new_tree(&pool, layout(), clustered);
        let mut model = Model::new();
        for step in &steps {
            step_tree(&pool, &tree, &mut model, step);
            let stats = tree.check(&pool).unwrap();
            prop_assert_eq!(stats.records, model.len() as u64);
            let deleted = model.values().filter(|(_, deleted)| *deleted).count();
            prop_assert_eq!(stats.deleted, deleted as u64);
            prop_assert_eq!(stats.leaf_pages, tree.leaf_pages(&pool).unwrap());
        }
        let rows: Vec<Tuple> = model.values().map(|(row, _)| row.clone()).collect();
        prop_assert_eq!(&all_forward(&pool, &tree), &rows);
        prop_assert_eq!(&all_backward(&pool, &tree), &rows);
        for byte in 0..7u8 {
            for length in [0, 20, 2000] {
                let key = &row(Some((byte, length)), 0, 0).0[..1];
                prop_assert_eq!(neighbours(&pool, &tree, key), model_neighbours(&model, key));
            }
        }
        tree.drop_pages(&pool).unwrap();
        let (pages, free) = Mtr::begin(&pool).space_usage().unwrap();
        prop_assert_eq!(pages, free + 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    /// M1: applying the log to nothing makes all the pages again, byte for byte.
    #[test]
    fn the_log_makes_the_pages_again(
        steps in prop_oneof![steps(wide(), 12), steps(tall(), 60)],
    ) {
        let pool = logged_pool(32);
        let tree = new_tree(&pool, layout(), true);
        let mut model = Model::new();
        for step in &steps {
            step_tree(&pool, &tree, &mut model, step);
        }
        let mut redone: BTreeMap<PageNo, Page> = BTreeMap::new();
        for group in pool.log().groups() {
            for change in changes(&group.records) {
                let (page_no, op) = change.expect("the log can be read");
                let page = redone.entry(page_no).or_insert_with(|| Page::blank(page_no));
                page.apply(&op);
                page.set_lsn(group.end);
            }
        }
        for (page_no, redone) in &redone {
            let mut mtr = Mtr::begin(&pool);
            let page = mtr.latch(*page_no, LatchMode::Shared).unwrap();
            let content = &mtr.page(page).bytes()[4..];
            prop_assert!(content == &redone.bytes()[4..], "page {} differs", page_no.0);
        }
        let (pages, _) = Mtr::begin(&pool).space_usage().unwrap();
        prop_assert_eq!(redone.len(), pages as usize);
    }
}

/// Rows that come in order fill 15/16 of each leaf, but for the first: raising the root forgets
/// which way inserts went.
#[test]
fn ascending_inserts_leave_a_sixteenth_free() {
    let pool = pool(64);
    let tree = new_tree(&pool, int_layout(), true);
    let told = Told::default();
    for id in 0..3000 {
        insert(&pool, &tree, &int_row(id, 0), &told);
    }
    tree.check(&pool).unwrap();
    let mut mtr = Mtr::begin(&pool);
    let mut at = tree.first(&mut mtr, Latching::Read).unwrap();
    let (mut counts, mut count) = (Vec::new(), 0);
    loop {
        if tree.record(&mtr, at).is_supremum() {
            counts.push(std::mem::take(&mut count));
        } else {
            count += 1;
        }
        if !tree.next(&mut mtr, &mut at).unwrap() {
            break;
        }
    }
    // (16252 - 1024) / 27.5 = 553.7; the page that was the root has the lower half of its rows.
    assert_eq!(counts[..4], [276, 553, 553, 553]);
    let told = told.0.into_inner();
    assert_eq!(
        told[..4],
        [
            "move 1 to 2 Some(((2, 2), (554, 554)))",
            "root_raise 1 2",
            "move 2 to 3 Some(((278, 2), (554, 278)))",
            "split_right 2 3 2",
        ]
    );
    // The second split is at the new row: nothing moves, the new page's first is its supremum.
    assert_eq!(
        told[4..],
        [
            "split_right 3 4 1",
            "split_right 4 5 1",
            "split_right 5 6 1",
            "split_right 6 7 1"
        ]
    );
}

/// Descending inserts split to the left, and only the row before the new one's place moves along.
#[test]
fn descending_inserts_split_to_the_left() {
    let pool = pool(64);
    let tree = new_tree(&pool, int_layout(), true);
    let told = Told::default();
    for id in (0..1500).rev() {
        insert(&pool, &tree, &int_row(id, 0), &told);
    }
    tree.check(&pool).unwrap();
    let told = told.0.into_inner();
    let splits: Vec<&String> = told
        .iter()
        .filter(|what| what.starts_with("split"))
        .collect();
    assert_eq!(splits[0], "split_right 2 3 2");
    assert!(
        splits[1..]
            .iter()
            .all(|what| what.starts_with("split_left"))
    );
    assert!(splits.len() > 2);
}

/// A page that has become too empty goes to its left brother, and the last one into the root.
#[test]
fn emptied_pages_merge_and_the_root_takes_the_last() {
    let pool = pool(64);
    let tree = new_tree(&pool, int_layout(), true);
    for id in 0..1000 {
        insert(&pool, &tree, &int_row(id, 0), &());
    }
    assert_eq!(tree.check(&pool).unwrap().leaf_pages, 3);
    let told = Told::default();
    for id in 0..999 {
        remove(&pool, &tree, &int_row(id, 0).0[..1], &told);
        tree.check(&pool).unwrap();
    }
    let told = told.0.into_inner();
    let kinds: Vec<&str> = told
        .iter()
        .filter_map(|what| what.split_once(' ').map(|(kind, _)| kind))
        .collect();
    assert!(kinds.contains(&"merge_right"), "{kinds:?}");
    assert_eq!(kinds.last(), Some(&"copy_and_discard"));
    let stats = tree.check(&pool).unwrap();
    assert_eq!((stats.levels, stats.records), (1, 1));
    remove(&pool, &tree, &int_row(999, 0).0[..1], &());
    assert_eq!(tree.check(&pool).unwrap().records, 0);
}

/// The only row of a leaf goes with its page; the rest comes up into the root.
#[test]
fn the_only_row_of_a_page_goes_with_it() {
    let pool = pool(64);
    let tree = new_tree(&pool, layout(), true);
    for id in 0..5 {
        insert(&pool, &tree, &row(Some((1, 1)), id, 7900), &());
    }
    // Leaves 2, 3 and 4 have rows 0; 1 and 2; 3 and 4.
    assert_eq!(tree.check(&pool).unwrap().leaf_pages, 3);
    let told = Told::default();
    for id in [0, 4, 1, 3, 2] {
        remove(&pool, &tree, &row(Some((1, 1)), id, 0).0[..2], &told);
        tree.check(&pool).unwrap();
    }
    let expected = [
        // Row 0 goes with its page; the first row to the right inherits.
        "discard 3 2 2",
        // Row 4 leaves too little, but the left neighbour is full. Row 1 does too, and there is no
        // left neighbour; the right one is packed anew to take row 2.
        "move 4 to 4 Some(((2, 2), (2, 2)))",
        "move 3 to 4 Some(((3, 3), (3, 3)))",
        "merge_right 4 2 3",
        // Row 3 leaves one row on the only leaf.
        "move 4 to 1 Some(((3, 2), (3, 2)))",
        "copy_and_discard 1 4",
    ];
    assert_eq!(*told.0.lock(), expected);
    let stats = tree.check(&pool).unwrap();
    assert_eq!((stats.levels, stats.records), (1, 0));
    let (pages, free) = Mtr::begin(&pool).space_usage().unwrap();
    assert_eq!(pages - free, 2);
}

/// Keys smaller than that of a level's first branch record come to stand to its right: the record
/// is below all keys whatever its fields say, so its fields must not be searched for.
///
/// A page whose first record was such a one was looked for by that record's old key, and another
/// was found.
#[test]
fn a_page_with_the_lowest_branch_is_found_again() {
    let pool = pool(64);
    let tree = new_tree(&pool, layout(), true);
    for byte in (0..200).rev() {
        insert(&pool, &tree, &row(Some((byte, 2900)), 0, 0), &());
    }
    assert!(tree.check(&pool).unwrap().levels > 3);
    for byte in 0..200 {
        remove(&pool, &tree, &row(Some((byte, 2900)), 0, 0).0[..2], &());
        tree.check(&pool).unwrap();
    }
    assert_eq!(tree.check(&pool).unwrap().levels, 1);
}

/// An update that lengthens a row parks its locks on the infimum while the row is off the page.
#[test]
fn a_growing_row_takes_its_locks_along() {
    let pool = pool(64);
    let tree = new_tree(&pool, layout(), true);
    for id in 0..4 {
        insert(&pool, &tree, &row(Some((1, 1)), id, 3000), &());
    }
    let told = Told::default();
    update(&pool, &tree, &row(Some((1, 1)), 1, 3000), &told);
    assert_eq!(told.0.lock().len(), 0, "a row of the same form stays");
    update(&pool, &tree, &row(Some((1, 1)), 1, 3500), &told);
    let expected = [
        "move 1 to 1 Some(((3, 0), (3, 0)))",
        "move 1 to 1 Some(((0, 6), (0, 6)))",
    ];
    assert_eq!(*told.0.lock(), expected);
    told.0.lock().clear();
    update(&pool, &tree, &row(Some((1, 1)), 1, 7900), &told);
    let told = told.0.into_inner();
    assert_eq!(told[0], "move 1 to 1 Some(((6, 0), (6, 0)))");
    assert!(told.iter().any(|what| what.starts_with("root_raise 1 ")));
    let last = told.last().unwrap();
    assert!(
        last.starts_with("move 1 to ") && last.contains("(0, "),
        "{last}"
    );
    tree.check(&pool).unwrap();
}

#[test]
fn a_row_that_is_too_large_is_refused() {
    let pool = pool(64);
    let tree = new_tree(&pool, layout(), true);
    let mut mtr = Mtr::begin(&pool);
    let at = tree.first(&mut mtr, Latching::ModifyLeaf).unwrap();
    let big = row(Some((1, 2000)), 1, 7000);
    let error = tree.insert(&mut mtr, at, &big, &()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "row of 9014 bytes is too large, the limit is 8125"
    );
}

/// Exact while few pages are in between, and near the truth beyond.
#[test]
fn estimates() {
    let pool = pool(64);
    let tree = new_tree(&pool, int_layout(), true);
    for id in 0..40_000 {
        insert(&pool, &tree, &int_row(id, 0), &());
    }
    let between = |low: u32, high: u32| {
        let (low, high) = (int_row(low, 0), int_row(high, 0));
        let (low, high) = (&low.0[..1], &high.0[..1]);
        let lower = Some((low, Seek::AtOrAfter));
        let upper = Some((high, Seek::AtOrBefore));
        tree.estimate(&pool, lower, upper).unwrap()
    };
    for (low, high) in [(0, 0), (5, 4), (270, 280), (100, 4000), (39_990, 50_000)] {
        let exact = (u64::from(high).min(39_999) + 1).saturating_sub(u64::from(low));
        assert_eq!(between(low, high), exact, "{low}..={high}");
    }
    let all = tree.estimate(&pool, None, None).unwrap();
    assert!((36_000..44_000).contains(&all), "{all}");
    let half = between(0, 20_000);
    assert!((18_000..22_000).contains(&half), "{half}");
}

/// Scattered numbers that do not repeat below 2^16.
fn scatter(n: u32) -> u32 {
    (n.wrapping_mul(40_503) ^ (n >> 3)) & 0xffff
}

/// Four threads insert, update, remove and scan, each its own rows of one tree, in 64 frames.
#[test]
fn four_threads_in_one_tree() {
    let pool = pool(64);
    let tree = new_tree(&pool, layout(), true);
    let tuple = |thread: u32, n: u32, value| {
        let key = scatter(n);
        row(Some(((key % 250) as u8, 8)), key * 4 + thread, value)
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (pool, tree) = (&pool, &tree);
            scope.spawn(move || {
                for n in 0..1500 {
                    insert(pool, tree, &tuple(thread, n, 60 + n as usize % 200), &());
                    if n % 3 == 0 {
                        update(pool, tree, &tuple(thread, n / 2, n as usize % 900), &());
                    }
                    if n % 2 == 1 {
                        remove(pool, tree, &tuple(thread, n / 2, 0).0[..2], &());
                    }
                    if n % 500 == 7 {
                        let (rows, back) = (all_forward(pool, tree), all_backward(pool, tree));
                        assert!(rows.is_sorted() && back.is_sorted());
                    }
                }
            });
        }
    });
    let stats = tree.check(&pool).unwrap();
    assert!(stats.leaf_pages > 10, "{stats:?}");
    let mut expected: Vec<Vec<Field>> = Vec::new();
    for thread in 0..4 {
        let mut live = std::collections::BTreeSet::new();
        for n in 0..1500 {
            live.insert(tuple(thread, n, 0).0[..2].to_vec());
            if n % 2 == 1 {
                live.remove(&tuple(thread, n / 2, 0).0[..2]);
            }
        }
        expected.extend(live);
    }
    expected.sort();
    let keys: Vec<_> = all_forward(&pool, &tree)
        .iter()
        .map(|row| row.0[..2].to_vec())
        .collect();
    assert_eq!(keys, expected);
}
