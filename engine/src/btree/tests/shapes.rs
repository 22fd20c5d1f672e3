//! Where pages split and merge, and what is told of it.

use gaplock_wal::{FileDisk, PageNo};
use parking_lot::Mutex;

use super::*;
use crate::error::StoreError;

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
    fn restore_end(&self, left: PageNo, right: PageNo, right_first: u16) {
        self.note(format!("restore_end {} {} {right_first}", left.0, right.0));
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

/// A split that finds too few frames fails before it has changed anything.
#[test]
fn a_split_without_frames_leaves_the_tree_as_it_was() {
    let pool = pool(8);
    let tree = new_tree(&pool, int_layout(), true);
    let mut rows = 0;
    let error = loop {
        let tuple = int_row(rows, 0);
        let key = &tuple.0[..1];
        let mut mtr = Mtr::begin(&pool);
        let at = tree
            .seek(&mut mtr, key, Seek::AtOrBefore, Latching::ModifyTree)
            .unwrap();
        match tree.insert_splitting(&mut mtr, at, &tuple, &()) {
            Ok(_) => mtr.commit(),
            Err(error) => break error,
        };
        rows += 1;
    };
    assert!(matches!(error, StoreError::PoolExhausted), "{error}");
    let stats = tree.check(&pool).unwrap();
    assert_eq!(stats.records, u64::from(rows));
    assert!(stats.leaf_pages > 1);
}

/// Pages go to real files and come back.
#[test]
fn a_tree_is_there_after_reopening() {
    let directory = std::env::temp_dir().join(format!("gaplock-tree-{}", std::process::id()));
    let frames = PoolConfig { frames: 16 };
    let disk = Arc::new(FileDisk::open(&directory).unwrap());
    let log = Arc::new(Log::discarding(Lsn(1)));
    let pool = BufferPool::create(Arc::clone(&disk) as _, Arc::clone(&log), frames).unwrap();
    let tree = new_tree(&pool, int_layout(), true);
    for id in 0..20_000 {
        insert(&pool, &tree, &int_row(id * 7919 % 20_011, id), &());
    }
    let stats = tree.check(&pool).unwrap();
    pool.flush_all().unwrap();
    let root = tree.root;
    drop((pool, tree));
    let again = BufferPool::create(Arc::clone(&disk) as _, Arc::clone(&log), frames);
    assert!(again.is_err(), "a data file is not overwritten");
    let pool = BufferPool::open(disk, log, frames).unwrap();
    let tree = Tree::open(7, root, int_layout(), true);
    assert_eq!(tree.check(&pool).unwrap(), stats);
    std::fs::remove_dir_all(&directory).unwrap();
}
