//! Bytes that come in order and are not cut into chunks: forms and other protocols.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hoist_protocol::{ByteRange, Millis, Sender, UploadId};

use crate::{
    ChunkAnswer, Durability, Party, Store, StoreError,
    active::{Active, Grant, RANGE, merge},
    backend::Incoming,
    figures::add,
    load::Asked,
    store::{Shared, joined},
};

/// Most bytes that are written in one go.
pub(crate) const PIECE: usize = 128 << 10;
/// How much room is made ahead for bytes of which nobody knows how many there are.
const RESERVE: u64 = 4 << 20;
/// Separate ranges that one upload may have: they are kept in memory while it is in work.
pub(crate) const MAX_RANGES: usize = 1 << 16;

/// Bytes that come in order from some offset. Dropping it keeps nothing that was not recorded.
#[derive(Debug)]
pub struct RangeWriter {
    shared: Arc<Shared>,
    active: Arc<Active>,
    grant: Grant,
    incoming: Arc<dyn Incoming>,
    start: u64,
    end: u64,
    max: u64,
    party: Party,
    /// Bytes of the upload that had come before.
    before: u64,
    /// Up to where room is made, if the size is not known: nothing was reserved for it.
    reserved: Option<u64>,
    buffer: BytesMut,
    /// Failed syncs before its first byte.
    failed: u64,
}

impl Store {
    /// Starts writing bytes at `offset` of an upload; one writer per upload.
    ///
    /// # Errors
    ///
    /// - [`StoreError::NotFound`], [`StoreError::Expired`].
    /// - [`StoreError::InFlight`] if another writes ranges of this upload.
    /// - [`StoreError::Invalid`] if the bytes there have come before: they are never written again.
    /// - [`StoreError::TooMany`] if too many ranges lie apart from each other.
    ///
    /// # Examples
    ///
    /// ```
    /// # use hoist_protocol::{ByteRange, CreateAnswer, DeleteResult, Millis, NewFile, UploadStatus};
    /// # use hoist_store::{ListQuery, Owner, Party, Store, StoreConfig};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let store = Store::memory(StoreConfig::default());
    /// # let (now, party) = (Millis(0), Party::known(Owner::shared()));
    /// # let file = NewFile { name: "a.txt".into(), size: Some(5), ..NewFile::default() };
    /// # let created = store.create(now, &party, &[file.clone()]).await?;
    /// # let Some(CreateAnswer::Needed(needed)) = created.first() else { panic!() };
    /// # let id = needed.id;
    /// let mut range = store.write_range(now, &party, id, 0).await?;
    /// range.write(now, "hel".into()).await?;
    /// range.finish(now).await?;
    /// let mut rest = store.write_range(now, &party, id, 3).await?;
    /// rest.write(now, "lo".into()).await?;
    /// assert!(rest.finish(now).await?.receipt.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn write_range(
        &self,
        now: Millis,
        party: &Party,
        id: UploadId,
        offset: u64,
    ) -> Result<RangeWriter, StoreError> {
        party.check_whole()?;
        let Asked::Active(active, row) = self.shared.ask(now, party, id).await? else {
            return Err(StoreError::Invalid("the upload is finished"));
        };
        // Each writer is a sender of its own: one that stands still is overtaken, as with chunks.
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| StoreError::Unavailable)?;
        let sender = Sender::new(format!("range-{}", UploadId::from_bytes(random)))
            .map_err(|_| StoreError::Unavailable)?;
        let idle = self.shared.config.lease_idle_ms;
        let grant = active.lease(RANGE, &sender, 0, now, idle).await?;
        self.shared.reserve_again(now, party, &row).await?;
        let (max, before, is_sizeless) = {
            let inner = active.lock();
            let end = inner.size.unwrap_or(self.shared.config.limits.file_size);
            let received = inner.received(active.chunk_size);
            if received
                .iter()
                .any(|range| (range.start..range.end).contains(&offset))
            {
                return Err(StoreError::Invalid("these bytes have come before"));
            }
            let is_apart = || received.iter().all(|range| range.end != offset);
            if inner.ranges.len() >= MAX_RANGES && is_apart() {
                return Err(StoreError::TooMany {
                    what: "separate ranges of one file",
                    max: MAX_RANGES as u64,
                });
            }
            let max = received
                .iter()
                .map(|range| range.start)
                .filter(|start| *start > offset)
                .fold(end, u64::min);
            let before = received.iter().map(|range| range.len()).sum();
            (max, before, inner.size.is_none())
        };
        let incoming = self.shared.bytes(&active, grant.begin(now)?).await?;
        let (shared, failed) = (Arc::clone(&self.shared), self.shared.backend.failed_syncs());
        Ok(RangeWriter {
            shared,
            active,
            grant,
            incoming,
            start: offset,
            end: offset,
            max,
            party: party.clone(),
            before,
            reserved: is_sizeless.then_some(offset),
            buffer: BytesMut::new(),
            failed,
        })
    }

    /// Tells the size of an upload that was created without, and publishes it if it is whole.
    ///
    /// # Errors
    ///
    /// - [`StoreError::NotFound`], [`StoreError::Expired`].
    /// - [`StoreError::Invalid`] if another size is known.
    /// - [`StoreError::FileSize`] if it is not allowed.
    pub async fn set_size(
        &self,
        now: Millis,
        party: &Party,
        id: UploadId,
        size: u64,
    ) -> Result<ChunkAnswer, StoreError> {
        party.check_whole()?;
        match self.shared.ask(now, party, id).await? {
            Asked::Finished(row) if row.size == Some(size) => Ok(ChunkAnswer {
                is_new: false,
                receipt: Some(row.receipt()),
            }),
            Asked::Finished(_) => Err(StoreError::Invalid(
                "the upload is finished with another size",
            )),
            Asked::Active(active, _) => {
                self.shared.set_size_of(&active, size).await?;
                Ok(ChunkAnswer {
                    is_new: true,
                    receipt: self.shared.publish_if_whole(&active, now).await?,
                })
            }
        }
    }
}

impl RangeWriter {
    /// Where it ends at the latest: what follows has come, or there is nothing.
    pub(crate) const fn max(&self) -> u64 {
        self.max
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// - [`StoreError::TooLong`] if the file grows beyond its size, the limit, or what follows and has come.
    /// - [`StoreError::Evicted`] if the upload was deleted.
    /// - [`StoreError::StorageFull`], [`StoreError::QuotaExceeded`] if there is no more room.
    pub async fn write(&mut self, now: Millis, mut bytes: Bytes) -> Result<(), StoreError> {
        self.shared.count_received(bytes.len() as u64);
        let end = self.end + (self.buffer.len() + bytes.len()) as u64;
        if end > self.max {
            return Err(StoreError::TooLong { max: self.max });
        }
        if self.reserved.is_some_and(|reserved| end > reserved) {
            self.reserved = Some(self.reserve(now, end).await?);
        }
        self.grant.renew(now)?;
        while !bytes.is_empty() {
            let part = bytes.split_to(bytes.len().min(PIECE - self.buffer.len()));
            self.buffer.extend_from_slice(&part);
            if self.buffer.len() == PIECE {
                self.flush(now).await?;
            }
        }
        Ok(())
    }

    /// Makes room up to `end` at least, and returns up to where.
    async fn reserve(&self, now: Millis, end: u64) -> Result<u64, StoreError> {
        let ahead = end.saturating_add(RESERVE).min(self.max);
        let reserve = |end: u64| {
            let received = self.before + (end - self.start);
            let (party, id) = (&self.party, self.active.id);
            self.shared.reserve(now, party, id, received)
        };
        match reserve(ahead).await {
            Ok(()) => Ok(ahead),
            // The last of it is given out as it is needed.
            Err(StoreError::QuotaExceeded | StoreError::StorageFull) => {
                reserve(end).await.map(|()| end)
            }
            Err(error) => Err(error),
        }
    }

    async fn flush(&mut self, now: Millis) -> Result<(), StoreError> {
        let piece = self.buffer.split().freeze();
        let (busy, incoming, offset) =
            (self.grant.begin(now)?, Arc::clone(&self.incoming), self.end);
        let length = piece.len() as u64;
        self.shared
            .write("writing a range", move || {
                // As with chunks: the lease passes on when this has returned.
                let _busy = busy;
                incoming.write_at(offset, &piece)
            })
            .await?;
        self.end += length;
        Ok(())
    }

    /// Records what was written; an upload that is whole with it is published.
    ///
    /// # Errors
    ///
    /// As [`RangeWriter::write`].
    ///
    /// # Cancel safety
    ///
    /// Once called it goes on even if the future is dropped.
    pub async fn finish(self, now: Millis) -> Result<ChunkAnswer, StoreError> {
        joined(tokio::spawn(self.finish_whole(now)).await)?
    }

    async fn finish_whole(mut self, now: Millis) -> Result<ChunkAnswer, StoreError> {
        self.flush(now).await?;
        let (busy, incoming, active) = (
            self.grant.begin(now)?,
            Arc::clone(&self.incoming),
            Arc::clone(&self.active),
        );
        let (start, end) = (self.start, self.end);
        if start < end {
            // A range has no checksum that would tell later whether its bytes are there: it is
            // recorded only when they are.
            self.shared
                .make_durable_since(self.failed, incoming.unsynced())
                .await?;
            let bytes = Arc::clone(&incoming);
            let durable = self.shared.config.durability == Durability::Power;
            let busy = self.shared.run("recording a range", move || {
                bytes.add_range(start, end, durable)?;
                Ok(busy)
            });
            let busy = busy.await?;
            self.shared
                .make_durable_since(self.failed, incoming.unsynced())
                .await?;
            let mut inner = active.lock();
            inner.ranges.push(ByteRange::new(start, end));
            inner.ranges = merge(std::mem::take(&mut inner.ranges));
            drop(inner);
            drop(busy);
            add(&self.shared.counters.acknowledged, end - start);
        }
        drop(self.grant);
        self.shared.touch(&self.active, now).await?;
        Ok(ChunkAnswer {
            is_new: true,
            receipt: self.shared.publish_if_whole(&self.active, now).await?,
        })
    }
}
