//! The policies of one table: built from its rules, or the user's own.

use std::sync::Arc;

use crate::deadlock::{BackgroundOneEdge, Brent, Delayed, DepthFirst};
use crate::dreadlocks::Digest;
use crate::prevention::{NoWait, WaitDie, WoundWait};
use crate::rank::{AtRandom, ByPriority, Eldest, LargestDependencySet, ReaderBatch};
use crate::victim::{Extreme, LighterOfTwo, LightestElseRequester, LightestInCycle, Requester};
use crate::{
    Beyond, ConflictKind, ConflictPolicy, DeadlockDetector, DetectorKind, GrantKind, GrantPolicy,
    LockConfig, Searches, VictimKind, VictimPolicy,
};

/// The four policies of a lock table.
///
/// The rules' own (`wait`, `fifo` and the contention-aware orders of servers) have no object: the
/// table does those itself, without asking anybody.
#[derive(Clone, Debug)]
pub struct Policies {
    pub(crate) detector: Option<Arc<dyn DeadlockDetector>>,
    pub(crate) searches: Searches,
    pub(crate) conflict: Option<Arc<dyn ConflictPolicy>>,
    pub(crate) victim: Arc<dyn VictimPolicy>,
    pub(crate) grant: Option<Arc<dyn GrantPolicy>>,
}

impl Policies {
    /// Those that the rules name.
    #[must_use]
    pub fn of(config: &LockConfig) -> Self {
        let detector = detector(config.detector);
        Policies {
            searches: detector.as_ref().map_or(Searches::Never, |d| d.searches()),
            detector,
            conflict: conflict(config.conflict),
            victim: victim_policy(config.victim),
            grant: grant(config.grant),
        }
    }

    /// With this detector.
    #[must_use]
    pub fn with_detector(mut self, detector: impl DeadlockDetector + 'static) -> Self {
        self.searches = detector.searches();
        self.detector = Some(Arc::new(detector));
        self
    }

    /// With this rule about who may wait for whom.
    #[must_use]
    pub fn with_conflict(mut self, conflict: impl ConflictPolicy + 'static) -> Self {
        self.conflict = Some(Arc::new(conflict));
        self
    }

    /// With this choice of victims.
    #[must_use]
    pub fn with_victim(mut self, victim: impl VictimPolicy + 'static) -> Self {
        self.victim = Arc::new(victim);
        self
    }

    /// With this grant order. It is used where the rules say [`GrantKind::Custom`].
    #[must_use]
    pub fn with_grant(mut self, grant: impl GrantPolicy + 'static) -> Self {
        self.grant = Some(Arc::new(grant));
        self
    }

    /// When the detector wants to look.
    #[must_use]
    pub fn searches(&self) -> Searches {
        self.searches
    }

    /// Whether these policies claim that no deadlock of requests stays.
    #[must_use]
    pub fn claim_complete(&self) -> bool {
        let prevents = self.conflict.as_ref();
        let finds = self.detector.as_ref();
        prevents.is_some_and(|policy| policy.claims_deadlock_free())
            || finds.is_some_and(|detector| detector.claims_complete())
    }

    /// How often a waiter may be passed by later ones under these rules, if that is bounded.
    #[must_use]
    pub fn bypass_bound(&self, config: &LockConfig) -> Option<u32> {
        let by_order = match config.grant {
            GrantKind::Fifo => Some(0),
            _ => self.grant.as_ref().and_then(|g| g.claims_bypass_at_most()),
        };
        let by_rule = (config.bypass_max < u32::MAX).then_some(config.bypass_max);
        match (by_order, by_rule) {
            (Some(order), Some(rule)) => Some(order.min(rule)),
            (order, rule) => order.or(rule),
        }
    }
}

fn detector(kind: DetectorKind) -> Option<Arc<dyn DeadlockDetector>> {
    Some(match kind {
        DetectorKind::DepthFirst {
            depth,
            steps,
            beyond,
        } => Arc::new(DepthFirst {
            depth,
            steps,
            beyond,
        }),
        DetectorKind::BackgroundOneEdge => Arc::new(BackgroundOneEdge),
        DetectorKind::Brent => Arc::new(Brent),
        DetectorKind::Delayed { after } => Arc::new(Delayed {
            after,
            search: DepthFirst {
                depth: u32::MAX,
                steps: u32::MAX,
                beyond: Beyond::GiveUp,
            },
        }),
        DetectorKind::Digest => Arc::new(Digest),
        DetectorKind::Off | DetectorKind::Custom => return None,
    })
}

fn conflict(kind: ConflictKind) -> Option<Arc<dyn ConflictPolicy>> {
    Some(match kind {
        ConflictKind::NoWait => Arc::new(NoWait),
        ConflictKind::WaitDie => Arc::new(WaitDie),
        ConflictKind::WoundWait => Arc::new(WoundWait),
        ConflictKind::Wait | ConflictKind::Custom => return None,
    })
}

/// The built-in policy of that kind; for the user's own, the default one.
pub(crate) fn victim_policy(kind: VictimKind) -> Arc<dyn VictimPolicy> {
    match kind {
        VictimKind::LighterOfTwo => Arc::new(LighterOfTwo),
        VictimKind::LightestInCycle | VictimKind::Custom => Arc::new(LightestInCycle),
        VictimKind::LightestElseRequester => Arc::new(LightestElseRequester),
        VictimKind::Requester => Arc::new(Requester),
        extreme => Arc::new(Extreme(extreme)),
    }
}

fn grant(kind: GrantKind) -> Option<Arc<dyn GrantPolicy>> {
    Some(match kind {
        GrantKind::ReaderBatch => Arc::new(ReaderBatch),
        GrantKind::Eldest => Arc::new(Eldest),
        GrantKind::LargestDependencySet => Arc::new(LargestDependencySet),
        GrantKind::Priority => Arc::new(ByPriority),
        GrantKind::Random => Arc::new(AtRandom),
        GrantKind::Fifo
        | GrantKind::ContentionAware
        | GrantKind::ContentionAwareFrom(_)
        | GrantKind::Custom => return None,
    })
}
