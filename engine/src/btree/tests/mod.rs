//! Trees against a sorted map, alone and with four threads; splits and moves as InnoDB does them.
//! Here: what the tests have in common.

mod model;
mod shapes;
mod threads;

use std::sync::Arc;

use gaplock_wal::{Log, Lsn, MemoryDisk};

use super::*;
use crate::{
    buffer::{BufferPool, PoolConfig},
    mtr::Mtr,
    page::{Field, FieldLayout, RecordLayout, Storage, Tuple},
    types::FieldOrder,
};

fn pool(frames: usize) -> BufferPool {
    let log = Arc::new(Log::discarding(Lsn(1)));
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
