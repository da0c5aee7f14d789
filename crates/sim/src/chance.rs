//! One source of chance for a world, and how often each fault struck.

use std::collections::BTreeMap;

/// SplitMix64.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(1))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    RequestLost,
    AnswerLost,
    BodyCut,
    BodyStalled,
    BytesDamaged,
    Delayed,
    SentTwice,
    ProxyTooLarge,
    ProxyBadGateway,
    ServerDied,
    PageReloaded,
    WentOffline,
    PausedAll,
    FileCancelled,
    TwoPages,
}

impl Fault {
    pub(crate) const ALL: [Self; 15] = [
        Self::RequestLost,
        Self::AnswerLost,
        Self::BodyCut,
        Self::BodyStalled,
        Self::BytesDamaged,
        Self::Delayed,
        Self::SentTwice,
        Self::ProxyTooLarge,
        Self::ProxyBadGateway,
        Self::ServerDied,
        Self::PageReloaded,
        Self::WentOffline,
        Self::PausedAll,
        Self::FileCancelled,
        Self::TwoPages,
    ];
}

/// How often each fault struck.
pub(crate) type Counts = BTreeMap<Fault, u64>;
