//! Numbers for whoever watches a store.

use std::sync::atomic::{AtomicU64, Ordering};

use hoist_protocol::Millis;

use crate::{Store, StoreError};

/// Counted since the store was opened.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) received: AtomicU64,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) again: AtomicU64,
    pub(crate) evictions: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) sync_us: AtomicU64,
}

pub(crate) fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

/// What a store has done since it was opened, and what is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Bytes of chunks and ranges that have come.
    pub received_bytes: u64,
    /// Bytes that were acknowledged and had not been before.
    pub acknowledged_bytes: u64,
    /// Bytes that had come before, and were only compared.
    pub repeated_bytes: u64,
    /// Writers that lost their chunk to a newer attempt or another sender.
    pub evictions: u64,
    /// Rounds of syncs; each makes durable whatever waits for it.
    pub syncs: u64,
    /// How long they took together, in microseconds.
    pub sync_us: u64,
    /// Unfinished uploads, of all owners.
    pub unfinished: u64,
    /// Finished files, of all owners, without those that were deleted.
    pub finished: u64,
    /// Their bytes.
    pub finished_bytes: u64,
    /// Bytes that the disk has free, above what always stays free.
    pub free_bytes: u64,
}

impl Store {
    /// What it has done and what is in it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the catalog or the disk cannot be asked.
    pub async fn figures(&self, now: Millis) -> Result<Figures, StoreError> {
        let shared = &self.shared;
        let usage = shared.catalog.usage(None, shared.since(now)).await?;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &shared.counters;
        Ok(Figures {
            received_bytes: get(&counters.received),
            acknowledged_bytes: get(&counters.acknowledged),
            repeated_bytes: get(&counters.again),
            evictions: get(&counters.evictions),
            syncs: get(&counters.syncs),
            sync_us: get(&counters.sync_us),
            unfinished: usage.unfinished,
            finished: usage.finished,
            finished_bytes: usage.finished_bytes,
            free_bytes: shared.free().await?,
        })
    }
}
