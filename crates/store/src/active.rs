//! What is known of an upload while somebody works on it: what has arrived, and who writes what.
//!
//! A *lease* is the right to write one chunk. It passes on only when the last write under it has
//! returned: the system call may still run on a thread after the request that began it is gone.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use hoist_protocol::{
    ByteRange, ChunkLayout, ChunkSet, MAX_CHUNKS, MAX_FILE_SIZE, Millis, Sender, UploadId,
};
use tokio::sync::Notify;

use crate::{StoreError, backend::Incoming, piece::BEYOND};

/// The lease of those who write ranges: one for the whole upload.
pub(crate) const RANGE: u32 = u32::MAX;

/// One unfinished upload that somebody works on.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) id: UploadId,
    pub(crate) chunk_size: u64,
    inner: Mutex<Inner>,
    /// Told whenever a write ends, a lease goes or publishing ends.
    changed: Notify,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) size: Option<u64>,
    /// Whether the size was (or may have been) unknown at first: then a first chunk that turns out
    /// to be the only one may have been hashed as one of many.
    pub(crate) was_sizeless: bool,
    /// All bytes were there and a place was claimed when a process ended, or when publishing failed.
    pub(crate) is_claimed: bool,
    pub(crate) set: ChunkSet,
    /// Merged byte ranges that are no whole chunks of `set`.
    pub(crate) ranges: Vec<ByteRange>,
    /// The open bytes, as long as somebody writes.
    pub(crate) incoming: Option<Weak<dyn Incoming>>,
    pub(crate) touched: Option<Millis>,
    /// Up to where room was made ahead of the writers.
    pub(crate) allocated: u64,
    pub(crate) is_publishing: bool,
    /// Deleted, expired or published: nobody writes any more.
    pub(crate) has_ended: bool,
    leases: HashMap<u32, Lease>,
    generation: u64,
}

#[derive(Debug)]
struct Lease {
    sender: Sender,
    attempt: u32,
    generation: u64,
    last_byte: Millis,
    /// A write under it has not returned.
    is_busy: bool,
    /// Somebody waits for it.
    is_evicted: bool,
    /// Its writer is gone; it goes when the write returns.
    is_abandoned: bool,
}

/// A lease that was granted. Dropping it gives it back, once no write under it runs.
#[derive(Debug)]
pub(crate) struct Grant {
    active: Arc<Active>,
    index: u32,
    generation: u64,
}

/// A write that runs under a lease; it ends when this is dropped, wherever that is.
#[derive(Debug)]
pub(crate) struct Busy {
    active: Arc<Active>,
    index: u32,
    generation: u64,
}

impl Active {
    pub(crate) fn new(id: UploadId, chunk_size: u64, size: Option<u64>) -> Self {
        let inner = Inner {
            size,
            was_sizeless: size.is_none(),
            is_claimed: false,
            set: ChunkSet::new(),
            ranges: Vec::new(),
            incoming: None,
            touched: None,
            allocated: 0,
            is_publishing: false,
            has_ended: false,
            leases: HashMap::new(),
            generation: 0,
        };
        Self {
            id,
            chunk_size,
            inner: Mutex::new(inner),
            changed: Notify::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self) {
        self.changed.notify_waiters();
    }

    /// Tries something under the lock until it has an answer, waiting for changes in between.
    pub(crate) async fn wait<T>(&self, mut attempt: impl FnMut(&mut Inner) -> Option<T>) -> T {
        loop {
            let notified = self.changed.notified();
            tokio::pin!(notified);
            // Enabled before the look, so that a change between the look and the wait is not lost.
            notified.as_mut().enable();
            if let Some(answer) = attempt(&mut self.lock()) {
                return answer;
            }
            notified.await;
        }
    }

    /// Takes the lease of a chunk (or of [`RANGE`]); waits only for a write of its own sender's
    /// older attempt, or of one that has been idle, to return, and for publishing to end.
    ///
    /// # Errors
    ///
    /// [`StoreError::InFlight`] if another sender, or this one with a higher attempt, holds it.
    pub(crate) async fn lease(
        self: &Arc<Self>,
        index: u32,
        sender: &Sender,
        attempt: u32,
        now: Millis,
        idle_ms: u64,
    ) -> Result<Grant, StoreError> {
        self.wait(|inner| inner.lease(index, sender, attempt, now, idle_ms))
            .await
            .map(|generation| Grant {
                active: Arc::clone(self),
                index,
                generation,
            })
    }

    /// Ends the upload for all writers, and returns when no write runs any more.
    pub(crate) async fn end(&self) {
        self.lock().has_ended = true;
        self.wait(|inner| {
            inner.leases.retain(|_, lease| lease.is_busy);
            inner.leases.is_empty().then_some(())
        })
        .await;
    }

    /// As [`Self::end`], once nobody publishes it. Both under one lock: who began to publish in between would
    /// go on beside whoever removes it, and leave a file that no row knows.
    pub(crate) async fn end_unpublished(&self) {
        self.wait(|inner| {
            if inner.is_publishing {
                return None;
            }
            inner.has_ended = true;
            Some(())
        })
        .await;
        self.end().await;
    }

    /// The lease of a chunk: its generation, and whether somebody waits for it.
    #[cfg(test)]
    pub(crate) fn lease_of(&self, index: u32) -> Option<(u64, bool)> {
        let inner = self.lock();
        let lease = inner.leases.get(&index)?;
        Some((lease.generation, lease.is_evicted))
    }

    /// Whether this chunk is all that is missing.
    #[cfg(test)]
    pub(crate) fn misses_only(&self, index: u32) -> bool {
        let inner = self.lock();
        let mut set = inner.set.clone();
        set.insert(index);
        let layout = inner.layout(self.chunk_size);
        layout.is_some_and(|layout| set.first_missing(0, layout.count()).is_none())
    }

    /// Whether anybody holds a lease.
    pub(crate) fn is_leased(&self) -> bool {
        !self.lock().leases.is_empty()
    }
}

impl Inner {
    fn lease(
        &mut self,
        index: u32,
        sender: &Sender,
        attempt: u32,
        now: Millis,
        idle_ms: u64,
    ) -> Option<Result<u64, StoreError>> {
        if self.has_ended {
            return Some(Err(StoreError::NotFound));
        }
        if self.is_publishing {
            return None;
        }
        // Chunks and ranges exclude each other: a range could lie across any chunk.
        let is_rival = |other: u32| index == RANGE || other == RANGE || other == index;
        let mut must_wait = false;
        for (_, lease) in self.leases.iter().filter(|(other, _)| is_rival(**other)) {
            let idle = now.since(lease.last_byte);
            // The same attempt once more is no second wish of its sender: a browser sends a request
            // again by itself if an old connection breaks before any answer, and so do proxies.
            let may_evict = if lease.sender == *sender {
                attempt >= lease.attempt
            } else {
                idle >= idle_ms
            };
            if !may_evict {
                let retry_after_ms = idle_ms.saturating_sub(idle).clamp(200, 2000);
                return Some(Err(StoreError::InFlight { retry_after_ms }));
            }
            must_wait |= lease.is_busy;
        }
        for (_, lease) in self
            .leases
            .iter_mut()
            .filter(|(other, _)| is_rival(**other))
        {
            lease.is_evicted = true;
        }
        if must_wait {
            return None;
        }
        self.leases.retain(|other, _| !is_rival(*other));
        self.generation += 1;
        let lease = Lease {
            sender: sender.clone(),
            attempt,
            generation: self.generation,
            last_byte: now,
            is_busy: false,
            is_evicted: false,
            is_abandoned: false,
        };
        self.leases.insert(index, lease);
        Some(Ok(self.generation))
    }

    /// Whether a write runs.
    pub(crate) fn is_busy(&self) -> bool {
        self.leases.values().any(|lease| lease.is_busy)
    }

    /// The open bytes, if somebody has them open.
    pub(crate) fn opened(&self) -> Option<Arc<dyn Incoming>> {
        self.incoming.as_ref().and_then(Weak::upgrade)
    }

    /// Whether a file of this size can be what has arrived.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] if bytes beyond it have come.
    pub(crate) fn check_end(&self, chunk_size: u64, size: u64) -> Result<(), StoreError> {
        match self.received(chunk_size).last() {
            Some(last) if last.end > size => Err(StoreError::Invalid(
                "bytes beyond this end of the file have come before",
            )),
            _ => Ok(()),
        }
    }

    /// Takes what an earlier process has recorded. Nothing beyond the end of the file is believed.
    pub(crate) fn restore(&mut self, chunk_size: u64, set: ChunkSet, mut ranges: Vec<ByteRange>) {
        self.set = set;
        if let Some(layout) = self.layout(chunk_size) {
            // Chunks that came beyond an end that was not known yet.
            while let Some(last) = self.set.ranges().map(|(_, end)| end - 1).max()
                && last >= layout.count()
            {
                self.set.remove(last);
            }
        }
        let most = self.size.unwrap_or(MAX_FILE_SIZE);
        ranges.retain(|range| range.end <= most);
        self.ranges = merge(ranges);
        // Nobody knows any more whether the size was known when these chunks came.
        self.was_sizeless = true;
    }

    /// Whether bytes up to `end` can be part of it, as far as the size is known.
    pub(crate) fn takes(&self, end: u64) -> bool {
        self.size.is_none_or(|size| end <= size)
    }

    /// From here on the chunk that ends at `end` is there.
    ///
    /// # Errors
    ///
    /// [`BEYOND`] if the size has become known meanwhile, and it is behind the end.
    pub(crate) fn acknowledge(&mut self, index: u32, end: u64) -> Result<(), StoreError> {
        if !self.takes(end) {
            return Err(BEYOND);
        }
        self.set.insert(index);
        Ok(())
    }

    /// Fixes the size. Chunks beyond it that came in the meantime are forgotten.
    pub(crate) fn fix_size(&mut self, chunk_size: u64, size: u64) {
        self.size = Some(size);
        let beyond: Vec<u32> = self
            .set
            .ranges()
            .flat_map(|(start, end)| start..end)
            .filter(|index| (u64::from(*index) + 1) * chunk_size > size)
            .collect();
        for index in beyond {
            self.set.remove(index);
        }
    }

    /// How it is cut, once the size is known.
    pub(crate) fn layout(&self, chunk_size: u64) -> Option<ChunkLayout> {
        ChunkLayout::new(self.size?, chunk_size).ok()
    }

    /// What has arrived, chunks and ranges, merged.
    pub(crate) fn received(&self, chunk_size: u64) -> Vec<ByteRange> {
        // Without a size every chunk that is there is a whole one.
        let layout = self
            .layout(chunk_size)
            .or_else(|| ChunkLayout::new(chunk_size * MAX_CHUNKS, chunk_size).ok());
        let mut all = layout
            .map(|layout| self.set.byte_ranges(layout))
            .unwrap_or_default();
        all.extend(&self.ranges);
        merge(all)
    }

    /// Whether every byte has arrived, and the size is known.
    pub(crate) fn is_whole(&self, chunk_size: u64) -> bool {
        if self.is_claimed {
            return true;
        }
        let Some(layout) = self.layout(chunk_size) else {
            return false;
        };
        if self.ranges.is_empty() {
            // Not its length: a chunk beyond the end must not stand for one that is missing.
            return self.set.first_missing(0, layout.count()).is_none();
        }
        let size = layout.file_size();
        size == 0
            || self
                .received(chunk_size)
                .first()
                .is_some_and(|range| range.start == 0 && range.end >= size)
    }
}

/// Merges ranges that overlap or touch.
pub(crate) fn merge(mut ranges: Vec<ByteRange>) -> Vec<ByteRange> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_unstable();
    let mut merged: Vec<ByteRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

impl Grant {
    /// Begins a write under the lease.
    ///
    /// # Errors
    ///
    /// [`StoreError::Evicted`] if the lease has passed on or the upload has ended.
    pub(crate) fn begin(&self, now: Millis) -> Result<Busy, StoreError> {
        let mut inner = self.active.lock();
        // Nobody writes to what is being published: those bytes are a file in a moment.
        let has_ended = inner.has_ended || inner.is_publishing;
        match inner.leases.get_mut(&self.index) {
            Some(lease)
                if lease.generation == self.generation && !lease.is_evicted && !has_ended =>
            {
                lease.is_busy = true;
                lease.last_byte = now;
            }
            _ => return Err(StoreError::Evicted),
        }
        drop(inner);
        Ok(Busy {
            active: Arc::clone(&self.active),
            index: self.index,
            generation: self.generation,
        })
    }

    /// Notes that bytes have come.
    pub(crate) fn renew(&self, now: Millis) -> Result<(), StoreError> {
        let mut inner = self.active.lock();
        match inner.leases.get_mut(&self.index) {
            Some(lease) if lease.generation == self.generation && !lease.is_evicted => {
                lease.last_byte = now;
                Ok(())
            }
            _ => Err(StoreError::Evicted),
        }
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        let mut inner = self.active.lock();
        if let Some(lease) = inner.leases.get_mut(&self.index)
            && lease.generation == self.generation
        {
            if lease.is_busy {
                lease.is_abandoned = true;
            } else {
                inner.leases.remove(&self.index);
            }
        }
        drop(inner);
        self.active.tell();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut inner = self.active.lock();
        if let Some(lease) = inner.leases.get_mut(&self.index)
            && lease.generation == self.generation
        {
            lease.is_busy = false;
            if lease.is_abandoned || lease.is_evicted {
                inner.leases.remove(&self.index);
            }
        }
        drop(inner);
        self.active.tell();
    }
}

#[cfg(test)]
mod tests;
