//! The pool: open, find a page, fork.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use gaplock_wal::{Disk, DiskError, DiskFile, Log, PageId, PageNo};
use parking_lot::Mutex;

use super::{
    evict::{FILE, page_offset},
    frame::{Frame, Pinned},
    table::PageTable,
    versions::PageVersions,
};
use crate::{
    error::StoreError,
    mtr::{self, Ledger},
    page::{PAGE_SIZE, Page},
};

/// The data file's name.
pub(crate) const DATA_FILE: &str = "gaplock.data";

/// Settings of a buffer pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolConfig {
    /// How many pages may be in memory at a time.
    pub frames: usize,
}

/// What a pool has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolCounters {
    /// Pages asked for and found in memory.
    pub hits: u64,
    /// Pages read from the disk.
    pub reads: u64,
    /// Pages written to the disk.
    pub writes: u64,
}

/// Pages of one data file in memory.
#[derive(Debug)]
pub struct BufferPool {
    pub(super) config: PoolConfig,
    disk: Arc<dyn Disk>,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) log: Arc<Log>,
    ledger: Ledger,
    pub(super) versions: PageVersions,
    /// Bytes that the data file has on the disk; it grows before pages beyond are used.
    pub(super) file_length: AtomicU64,
    /// The first write or sync of the data file that failed: nothing is written after it.
    pub(super) failure: OnceLock<StoreError>,
    pub(super) table: PageTable,
    /// Frames in the table, and those claimed for pages about to be.
    pub(super) used: AtomicUsize,
    /// The shard at which the next search for a frame begins.
    pub(super) hand: AtomicUsize,
    hits: Vec<Counter>,
    reads: AtomicU64,
    pub(super) writes: AtomicU64,
}

/// A counter on a cache line of its own, so that counting hits shares nothing between shards.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Counter(AtomicU64);

const HIT_COUNTERS: usize = 16;

impl BufferPool {
    /// A pool over a new, empty data file.
    ///
    /// # Errors
    /// When the disk fails or there is a data file already.
    pub fn create(
        disk: Arc<dyn Disk>,
        log: Arc<Log>,
        config: PoolConfig,
    ) -> Result<Self, StoreError> {
        if disk.list()?.iter().any(|name| name == DATA_FILE) {
            let kind = std::io::ErrorKind::AlreadyExists;
            return Err(DiskError::of_kind("create", DATA_FILE, kind).into());
        }
        let file = disk.open(DATA_FILE, true)?;
        disk.sync_directory()?;
        let pool = Self::over(disk, file, log, config);
        mtr::create_space(&pool)?;
        Ok(pool)
    }

    /// A pool over an existing data file, whose pages nobody has looked at yet.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn open(
        disk: Arc<dyn Disk>,
        log: Arc<Log>,
        config: PoolConfig,
    ) -> Result<Self, StoreError> {
        let file = disk.open(DATA_FILE, false)?;
        let pool = Self::over(disk, file, log, config);
        pool.file_length.store(pool.file.len()?, Ordering::Release);
        Ok(pool)
    }

    fn over(
        disk: Arc<dyn Disk>,
        file: Arc<dyn DiskFile>,
        log: Arc<Log>,
        config: PoolConfig,
    ) -> Self {
        Self {
            config,
            disk,
            file,
            log,
            ledger: Ledger::default(),
            versions: PageVersions::default(),
            file_length: AtomicU64::new(0),
            failure: OnceLock::new(),
            table: PageTable::default(),
            used: AtomicUsize::new(0),
            hand: AtomicUsize::new(0),
            hits: (0..HIT_COUNTERS).map(|_| Counter::default()).collect(),
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
        }
    }

    /// A copy that shares bytes until one side changes them; `None` if the disk cannot fork.
    /// No mini-transaction may be open, on any thread: asserted.
    #[must_use]
    pub fn fork(&self) -> Option<Self> {
        let disk = self.disk.fork()?;
        let file = disk.open(DATA_FILE, false).ok()?;
        let mut copy = Self::over(disk, file, Arc::new(self.log.fork()), self.config);
        copy.ledger = self.ledger.fork();
        copy.versions.restore(&self.versions.all());
        for shard in self.table.shards_from(0) {
            let shard: &Mutex<_> = shard;
            for frame in shard.lock().frames() {
                assert!(!frame.is_pinned(), "a mini-transaction is open");
                let content = frame.content.read().clone();
                let frame = Frame::new(frame.page_no, content, frame.is_dirty());
                copy.table.shard(frame.page_no).insert(Arc::new(frame));
            }
        }
        let copied = |from: &AtomicUsize| from.load(Ordering::Acquire);
        copy.used.store(copied(&self.used), Ordering::Release);
        copy.hand.store(copied(&self.hand), Ordering::Release);
        Some(copy)
    }

    /// What the pool has done so far. A fork begins at zero.
    #[must_use]
    pub fn counters(&self) -> PoolCounters {
        let hits = self.hits.iter().map(|hits| hits.0.load(Ordering::Relaxed));
        PoolCounters {
            hits: hits.sum(),
            reads: self.reads.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
        }
    }

    /// The log that its mini-transactions append to.
    #[must_use]
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// What is known beside pages.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The position with which each page was last written to the disk, by page number; 0: never.
    pub(crate) fn versions(&self) -> Vec<u64> {
        self.versions.all()
    }

    /// Puts in the positions that a checkpoint kept.
    pub(crate) fn restore_versions(&self, versions: &[u64]) {
        self.versions.restore(versions);
    }

    /// The disk on which the data file is.
    #[must_use]
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Brings a page into memory and pins it. The content is `None` if reading it has failed on
    /// another thread meanwhile: ask again.
    pub(crate) fn pin(&self, page: PageNo) -> Result<Pinned, StoreError> {
        self.pin_with(page, Self::read_page)
    }

    /// Like [`Self::pin`] for a page that was never used: it comes blank, without reading.
    pub(crate) fn pin_fresh(&self, page: PageNo) -> Result<Pinned, StoreError> {
        self.pin_with(page, |_, page| Ok(Page::blank(page)))
    }

    fn pin_with(
        &self,
        page: PageNo,
        fill: impl FnOnce(&Self, PageNo) -> Result<Page, StoreError>,
    ) -> Result<Pinned, StoreError> {
        let found = self.table.shard(page).pin(page);
        if let Some(pinned) = found {
            let counter = &self.hits[page.0 as usize % HIT_COUNTERS];
            counter.0.fetch_add(1, Ordering::Relaxed);
            return Ok(pinned);
        }
        self.claim_frame()?;
        let frame = Arc::new(Frame::new(page, None, false));
        // Whoever finds the frame from now on waits for this latch, until the page is there.
        let mut content = frame.content.write();
        let pinned = {
            let mut shard = self.table.shard(page);
            if let Some(pinned) = shard.pin(page) {
                self.used.fetch_sub(1, Ordering::AcqRel);
                return Ok(pinned);
            }
            shard.insert(Arc::clone(&frame));
            Pinned::new(&frame)
        };
        match fill(self, page) {
            Ok(page) => *content = Some(Arc::new(page)),
            Err(error) => {
                self.table.shard(page).remove(&frame);
                self.used.fetch_sub(1, Ordering::AcqRel);
                return Err(error);
            }
        }
        drop(content);
        Ok(pinned)
    }

    fn read_page(&self, page_no: PageNo) -> Result<Page, StoreError> {
        let mut bytes = Box::new([0; PAGE_SIZE]);
        self.file.read_at(page_offset(page_no), &mut bytes[..])?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        let page = Page::from_bytes(bytes);
        page.verify(FILE, page_no)
            .and_then(|()| self.verify_version(&page, page_no))
            .map_err(|what| StoreError::Damaged {
                page: PageId::new(FILE, page_no),
                what,
            })?;
        Ok(page)
    }

    /// B7.
    fn verify_version(&self, page: &Page, page_no: PageNo) -> Result<(), String> {
        let (found, wanted) = (page.lsn(), self.versions.get(page_no));
        if found == wanted || !self.log.keeps_files() {
            Ok(())
        } else {
            Err(format!(
                "it is of log position {}, and was last written with {}",
                found.0, wanted.0
            ))
        }
    }
}
