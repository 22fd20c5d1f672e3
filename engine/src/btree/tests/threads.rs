//! Several threads in one tree.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use super::*;

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
        let mut live = BTreeSet::new();
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

/// Rows that stay are met once each, in order, whichever way one goes and whatever others insert,
/// remove, split and merge around them.
#[test]
fn scans_meet_every_row_that_stays() {
    let pool = pool(64);
    let tree = new_tree(&pool, layout(), true);
    let staying: Vec<Tuple> = (0..300).map(|n| row(Some((1, 4)), n * 1000, 50)).collect();
    for tuple in &staying {
        insert(&pool, &tree, tuple, &());
    }
    let done = AtomicBool::new(false);
    let stays = |tuple: &Tuple| staying.binary_search(tuple).is_ok();
    std::thread::scope(|scope| {
        let churning: Vec<_> = (0..2_u32)
            .map(|thread| {
                let (pool, tree) = (&pool, &tree);
                scope.spawn(move || {
                    for n in 0..4000 {
                        // Waves of inserts and removals go through the tree; odd numbers, so that
                        // no row that stays is hit.
                        let id = (n % 700) * 430 + thread * 200 + 1;
                        let tuple = row(Some((1, 4)), id, 700);
                        if (n / 700) % 2 == 0 {
                            insert(pool, tree, &tuple, &());
                        } else {
                            remove(pool, tree, &tuple.0[..2], &());
                        }
                    }
                })
            })
            .collect();
        for scan in [all_forward, all_backward] {
            let (pool, tree, done, staying) = (&pool, &tree, &done, &staying);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let rows = scan(pool, tree);
                    assert!(rows.is_sorted_by(|left, right| left < right));
                    let met: Vec<Tuple> = rows.into_iter().filter(stays).collect();
                    assert!(met == *staying, "{} of 300 rows were met", met.len());
                }
            });
        }
        for thread in churning {
            thread.join().expect("the churning thread is well");
        }
        done.store(true, Ordering::Relaxed);
    });
    tree.check(&pool).unwrap();
}
