//! The pool under pressure, over damage, and forked.

use std::sync::Arc;

use gaplock_wal::{Disk, Log, Lsn, MemoryDisk, PageNo};

use super::*;
use crate::{
    error::StoreError,
    mtr::{LatchMode, Mtr},
    page::{CONTENT_START, PAGE_SIZE, PageKind},
};

fn pool(frames: usize) -> BufferPool {
    let log = Arc::new(Log::discarding(Lsn(1)));
    BufferPool::create(Arc::new(MemoryDisk::new()), log, PoolConfig { frames }).unwrap()
}

fn new_page(pool: &BufferPool, content: u8) -> PageNo {
    let mut mtr = Mtr::begin(pool);
    let page = mtr.allocate(PageKind::Undo).unwrap();
    mtr.write_bytes(page, CONTENT_START, &[content; 100]);
    let number = mtr.page_no(page);
    mtr.commit();
    number
}

fn content(pool: &BufferPool, page: PageNo) -> u8 {
    let mut mtr = Mtr::begin(pool);
    let page = mtr.latch(page, LatchMode::Shared).unwrap();
    mtr.page(page).bytes()[CONTENT_START + 99]
}

#[test]
fn more_pages_than_frames() {
    let pool = pool(4);
    let pages: Vec<PageNo> = (0..100).map(|n| new_page(&pool, n)).collect();
    for (n, page) in pages.iter().enumerate() {
        assert_eq!(usize::from(content(&pool, *page)), n);
    }
    let counters = pool.counters();
    assert!(
        counters.writes >= 97 && counters.reads >= 97,
        "{counters:?}"
    );
}

#[test]
fn all_frames_in_use_is_an_error_and_not_for_ever() {
    let pool = pool(4);
    let pages: Vec<PageNo> = (0..5).map(|n| new_page(&pool, n)).collect();
    let mut mtr = Mtr::begin(&pool);
    for page in &pages[..4] {
        mtr.latch(*page, LatchMode::Shared).unwrap();
    }
    let error = mtr.latch(pages[4], LatchMode::Shared).unwrap_err();
    assert!(matches!(error, StoreError::PoolExhausted));
    drop(mtr);
    assert_eq!(content(&pool, pages[4]), 4);
}

#[test]
fn a_damaged_page_is_refused_each_time() {
    let disk = Arc::new(MemoryDisk::new());
    let log = Arc::new(Log::discarding(Lsn(1)));
    let frames = PoolConfig { frames: 4 };
    let pool = BufferPool::create(Arc::clone(&disk) as _, log, frames).unwrap();
    let page = new_page(&pool, 1);
    let other = new_page(&pool, 2);
    pool.flush_all().unwrap();
    drop(pool);
    let file = disk.open("gaplock.data", false).unwrap();
    file.write_at(PAGE_SIZE as u64 * u64::from(page.0) + 5000, &[1])
        .unwrap();
    let log = Arc::new(Log::discarding(Lsn(1_000_000)));
    let pool = BufferPool::open(disk, log, frames).unwrap();
    for _ in 0..10 {
        let mut mtr = Mtr::begin(&pool);
        let error = mtr.latch(page, LatchMode::Shared).unwrap_err();
        assert!(error.to_string().contains("checksum"), "{error}");
    }
    assert_eq!(content(&pool, other), 2);
}

#[test]
fn a_newer_format_is_refused() {
    let pool = pool(4);
    let mut mtr = Mtr::begin(&pool);
    let header = mtr.latch(PageNo(0), LatchMode::Exclusive).unwrap();
    mtr.write_bytes(header, CONTENT_START, &[0, 0, 0, 99]);
    mtr.commit();
    pool.flush_all().unwrap();
    let log = Arc::clone(pool.log());
    let disk = Arc::clone(pool.disk());
    let pool = BufferPool::open(disk, log, PoolConfig { frames: 4 }).unwrap();
    let error = crate::mtr::check_space(&pool).unwrap_err();
    assert!(error.to_string().contains("format version 99"), "{error}");
}

#[test]
fn forks_go_their_own_ways() {
    let pool = pool(8);
    let pages: Vec<PageNo> = (0..20).map(|n| new_page(&pool, n)).collect();
    let fork = pool.fork().unwrap();
    for (side, value) in [(&pool, 100), (&fork, 200)] {
        for page in &pages[10..] {
            let mut mtr = Mtr::begin(side);
            let page = mtr.latch(*page, LatchMode::Exclusive).unwrap();
            mtr.write_bytes(page, CONTENT_START, &[value; 100]);
            mtr.commit();
        }
    }
    for (n, page) in pages.iter().enumerate() {
        let untouched = n as u8;
        let expected = if n < 10 {
            (untouched, untouched)
        } else {
            (100, 200)
        };
        assert_eq!((content(&pool, *page), content(&fork, *page)), expected);
    }
    assert_eq!(new_page(&pool, 1), new_page(&fork, 1));
}

#[test]
fn freed_pages_are_used_again() {
    let pool = pool(16);
    let pages: Vec<PageNo> = (0..5).map(|n| new_page(&pool, n)).collect();
    let mut mtr = Mtr::begin(&pool);
    for page in &pages[1..4] {
        let page = mtr.latch(*page, LatchMode::Exclusive).unwrap();
        mtr.free(page).unwrap();
    }
    mtr.commit();
    assert_eq!(Mtr::begin(&pool).space_usage().unwrap(), (6, 3));
    // Reserving more than is used, and freeing beside it, leaves the list whole.
    let mut mtr = Mtr::begin(&pool);
    let gone = mtr.latch(pages[0], LatchMode::Exclusive).unwrap();
    mtr.reserve(5).unwrap();
    let taken = mtr.allocate(PageKind::Undo).unwrap();
    assert_eq!(mtr.page_no(taken), pages[3]);
    mtr.free(gone).unwrap();
    mtr.commit();
    assert_eq!(Mtr::begin(&pool).space_usage().unwrap(), (6, 3));
    let again: Vec<PageNo> = (0..4).map(|n| new_page(&pool, n)).collect();
    assert_eq!(again, [pages[0], pages[2], pages[1], PageNo(6)]);
    assert_eq!(Mtr::begin(&pool).space_usage().unwrap(), (7, 0));
}

#[test]
fn four_threads_in_few_frames() {
    let pool = pool(12);
    let pages: Vec<PageNo> = (0..40).map(|_| new_page(&pool, 0)).collect();
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            let (pool, pages) = (&pool, &pages);
            scope.spawn(move || {
                for n in 0..2000 {
                    let mut mtr = Mtr::begin(pool);
                    let page = pages[(n * 7 + thread * 13) % pages.len()];
                    let page = mtr.latch(page, LatchMode::Exclusive).unwrap();
                    let count = mtr.page(page).bytes()[CONTENT_START + 1];
                    mtr.write_bytes(page, CONTENT_START + 1, &[count.wrapping_add(1)]);
                    mtr.commit();
                }
            });
        }
    });
    let counts = pages.iter().map(|page| {
        let mut mtr = Mtr::begin(&pool);
        let page = mtr.latch(*page, LatchMode::Shared).unwrap();
        usize::from(mtr.page(page).bytes()[CONTENT_START + 1])
    });
    assert_eq!(counts.sum::<usize>(), 4 * 2000);
}
