//! A tree is a sorted map, and its log makes its pages again.

use std::{collections::BTreeMap, sync::Arc};

use gaplock_wal::{Log, Lsn, MemoryDisk, PageNo};
use proptest::prelude::*;

use super::*;
use crate::{
    buffer::PoolConfig,
    mtr::{Change, LatchMode, changes},
    page::Page,
};

/// A pool whose log is kept.
fn logged_pool(frames: usize) -> BufferPool {
    let log = Arc::new(Log::keeping(Lsn(1)));
    BufferPool::create(Arc::new(MemoryDisk::new()), log, PoolConfig { frames }).unwrap()
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
        while tree.drop_pages(&pool).unwrap() {}
        let (pages, free) = Mtr::begin(&pool).space_usage().unwrap();
        // The space header and the root are left.
        prop_assert_eq!(pages, free + 2);
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
        for group in pool.log().records() {
            for change in changes(&group.body) {
                let Change::Page(page_no, op) = change.expect("the log can be read") else {
                    panic!("nobody counted rows");
                };
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
