//! Bytes that come in order and are not cut into chunks: forms and other protocols.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hoist_protocol::{ByteRange, Millis, Sender, UploadId};

use crate::{
    ChunkAnswer, Party, Store, StoreError,
    active::{Active, Grant, RANGE, merge},
    backend::Incoming,
    catalog::Left,
    chunk::PIECE,
    store::{Asked, Shared, joined},
};

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
    /// What there was room for at the start, if nothing is reserved.
    growth: Option<Left>,
    buffer: BytesMut,
}

impl Store {
    /// Starts writing bytes at `offset` of an upload; one writer per upload.
    ///
    /// # Errors
    ///
    /// - [`StoreError::NotFound`], [`StoreError::Expired`].
    /// - [`StoreError::InFlight`] if another writes ranges of this upload.
    /// - [`StoreError::Invalid`] if the bytes there have come before: they are never written again.
    pub async fn write_range(
        &self,
        now: Millis,
        party: &Party,
        id: UploadId,
        offset: u64,
    ) -> Result<RangeWriter, StoreError> {
        let Asked::Active(active, _) = self.shared.ask(now, party, id).await? else {
            return Err(StoreError::Invalid("the upload is finished"));
        };
        let sender = Sender::new("range").map_err(|_| StoreError::Unavailable)?;
        let idle = self.shared.config.lease_idle_ms;
        let grant = active.lease(RANGE, &sender, 0, now, idle).await?;
        let growth = if active.lock().size.is_none() {
            Some(self.shared.growth(now, party).await?)
        } else {
            None
        };
        let max = {
            let inner = active.lock();
            let end = inner.size.unwrap_or(self.shared.config.limits.file_size);
            let received = inner.received(active.chunk_size);
            if received
                .iter()
                .any(|range| (range.start..range.end).contains(&offset))
            {
                return Err(StoreError::Invalid("these bytes have come before"));
            }
            received
                .iter()
                .map(|range| range.start)
                .filter(|start| *start > offset)
                .fold(end, u64::min)
        };
        let incoming = self.shared.bytes(&active, grant.begin(now)?).await?;
        let shared = Arc::clone(&self.shared);
        Ok(RangeWriter {
            shared,
            active,
            grant,
            incoming,
            start: offset,
            end: offset,
            max,
            growth,
            buffer: BytesMut::new(),
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
    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// - [`StoreError::FileSize`] if the file grows beyond its size or the limit.
    /// - [`StoreError::Evicted`] if the upload was deleted.
    /// - [`StoreError::StorageFull`], [`StoreError::QuotaExceeded`] if there is no more room.
    pub async fn write(&mut self, now: Millis, mut bytes: Bytes) -> Result<(), StoreError> {
        self.shared.count_received(bytes.len() as u64);
        let end = self.end + (self.buffer.len() + bytes.len()) as u64;
        if end > self.max {
            return Err(StoreError::FileSize {
                size: end,
                min: 0,
                max: self.max,
            });
        }
        if let Some(left) = self.growth {
            if end - self.start > left.quota {
                return Err(StoreError::QuotaExceeded);
            }
            if end - self.start > left.storage {
                return Err(StoreError::StorageFull);
            }
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

    async fn flush(&mut self, now: Millis) -> Result<(), StoreError> {
        let piece = self.buffer.split().freeze();
        let (busy, incoming, offset) =
            (self.grant.begin(now)?, Arc::clone(&self.incoming), self.end);
        let length = piece.len() as u64;
        self.shared
            .run("writing a range", move || {
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
        self.shared
            .run("recording a range", move || {
                let _busy = busy;
                if start < end {
                    incoming.add_range(start, end)?;
                    let mut inner = active.lock();
                    inner.ranges.push(ByteRange::new(start, end));
                    inner.ranges = merge(std::mem::take(&mut inner.ranges));
                }
                Ok(())
            })
            .await?;
        drop(self.grant);
        self.shared.touch(&self.active, now).await?;
        Ok(ChunkAnswer {
            is_new: true,
            receipt: self.shared.publish_if_whole(&self.active, now).await?,
        })
    }
}
