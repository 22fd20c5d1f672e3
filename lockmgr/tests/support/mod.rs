//! What the integration tests share: rule sets under short names, and requests in few words.
#![allow(dead_code, reason = "each test file uses its own part")]

use gaplock_lockmgr::{
    Beyond, DetectorKind, GrantKind, HeapNo, LockConfig, LockMode, LockSpan, Micros, OnConflict,
    Origin, PageAddress, RecordAddress, RecordRequest, StructReuse, TrxId, VictimKind,
};

/// Grants by arrival, searches depth-first at each wait, weighs two.
pub(crate) const ARRIVAL: LockConfig = LockConfig {
    shards: 4,
    detector: DetectorKind::DepthFirst {
        depth: 200,
        steps: 1_000_000,
        beyond: Beyond::RequesterDies,
    },
    victim: VictimKind::LighterOfTwo,
    grant: GrantKind::Fifo,
    struct_reuse: StructReuse::UnlessWaiters,
    next_key_upgrade_asks_gap: false,
    bypass_blocked_waiters: false,
    keep_provenance: true,
    bypass_max: u32::MAX,
    ..LockConfig::DEFAULT
};

/// Grants by weight, sweeps in the background, weighs the whole cycle.
pub(crate) const WEIGHT: LockConfig = LockConfig {
    detector: DetectorKind::BackgroundOneEdge,
    victim: VictimKind::LightestInCycle,
    grant: GrantKind::ContentionAware,
    struct_reuse: StructReuse::AlwaysFront,
    next_key_upgrade_asks_gap: true,
    bypass_blocked_waiters: true,
    ..ARRIVAL
};

/// Grants by arrival, follows one edge at each wait, weighs the whole cycle.
pub(crate) const BRENT: LockConfig = LockConfig {
    detector: DetectorKind::Brent,
    victim: VictimKind::LightestElseRequester,
    next_key_upgrade_asks_gap: true,
    ..ARRIVAL
};

/// The page that most tests use.
pub(crate) const PAGE: PageAddress = PageAddress { space: 1, page: 4 };

/// A record of that page.
pub(crate) fn record(heap: u16) -> RecordAddress {
    RecordAddress {
        page: PAGE,
        heap: HeapNo(heap),
    }
}

/// An explicit request that waits for ever if it has to.
pub(crate) fn request(trx: u64, heap: u16, mode: LockMode, span: LockSpan) -> RecordRequest {
    RecordRequest {
        trx: TrxId(trx),
        at: record(heap),
        mode,
        span,
        implicit: false,
        on_conflict: OnConflict::Wait(Micros::MAX),
        origin: Origin::default(),
    }
}
