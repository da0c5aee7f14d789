//! One chunk on its way to the disk.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use hoist_protocol::{ByteRange, Checksum, ChunkHasher, ChunkLayout, Millis, PackChunk, Receipt};

#[cfg(test)]
use crate::planted::Planted;
use crate::{
    Durability, StoreError,
    active::{Active, Grant},
    backend::{Incoming, Stored},
    figures::add,
    frames::{Frames, WHOLE},
    piece::{Work, conflict, expect, is_stored, record, room_ahead, write_frames, written},
    share::{Counted, PIECE, SMALL_PIECE, share},
    store::{Shared, joined},
};

/// Most bytes that are written in one go where writing does not wait; an HTTP/1 connection reads no more.
const AT_ONCE: usize = 1 << 20;

/// One chunk that is being written. Dropping it is a torn chunk: nothing is acknowledged.
#[derive(Debug)]
pub struct ChunkWriter {
    shared: Arc<Shared>,
    chunk: PackChunk,
    /// First byte of the chunk in the file.
    start: u64,
    /// Bytes that are still to come.
    left: u64,
    buffer: Frames,
    /// Bytes that were handed to `target` so far.
    written: u64,
    target: Target,
    counted: Option<Counted>,
}

#[derive(Debug)]
enum Target {
    /// New bytes: written in place under a lease.
    Write {
        active: Arc<Active>,
        grant: Grant,
        work: Work,
        incoming: Arc<dyn Incoming>,
        /// Parts of the chunk that came as ranges: compared, and not written again.
        there: Arc<[ByteRange]>,
        /// Syncs that had failed before its first byte.
        failed: u64,
    },
    /// An acknowledged chunk: hashed, and its checksum compared.
    Compare {
        active: Arc<Active>,
        hasher: Box<ChunkHasher>,
        stored: Checksum,
    },
    /// Bytes that are there without a checksum, or a file that is published: compared byte by byte.
    CompareBytes {
        file: Arc<dyn Stored>,
        known: Known,
        is_equal: bool,
    },
    /// The empty last chunk of an upload without a size.
    End { active: Arc<Active>, grant: Grant },
}

/// What bytes that are there belong to.
#[derive(Debug)]
pub(crate) enum Known {
    /// An upload that waits for more.
    Active(Arc<Active>),
    /// A file with this receipt.
    File(Receipt),
}

/// How a chunk ended well.
#[derive(Clone, Debug, PartialEq)]
pub struct ChunkAnswer {
    /// Whether bytes were stored now; `false` if the chunk was acknowledged before.
    pub is_new: bool,
    /// The receipt, if the upload is finished, by this chunk or before.
    pub receipt: Option<Receipt>,
}

impl ChunkWriter {
    pub(crate) fn write_new(
        shared: Arc<Shared>,
        chunk: PackChunk,
        layout: ChunkLayout,
        active: Arc<Active>,
        grant: Grant,
        incoming: Arc<dyn Incoming>,
    ) -> Result<Self, StoreError> {
        let start = u64::from(chunk.index) * layout.chunk_size();
        let left = chunk.length;
        let target = if chunk.length == 0 {
            Target::End { active, grant }
        } else {
            let hasher = ChunkHasher::new(layout, chunk.index)
                .map_err(|_| StoreError::InvalidChunk("no such chunk"))?;
            let range = ByteRange::new(start, start + left);
            let meets = |part: &&ByteRange| part.start < range.end && range.start < part.end;
            let there = active.lock().ranges.iter().filter(meets).copied().collect();
            Target::Write {
                active,
                grant,
                work: Work::Idle(Box::new(hasher)),
                incoming,
                there,
                failed: shared.backend.failed_syncs(),
            }
        };
        Ok(Self {
            counted: None,
            shared,
            chunk,
            start,
            left,
            buffer: Frames::default(),
            written: 0,
            target,
        })
    }

    pub(crate) fn compare(
        shared: Arc<Shared>,
        chunk: PackChunk,
        layout: ChunkLayout,
        active: Arc<Active>,
        stored: Checksum,
    ) -> Result<Self, StoreError> {
        let hasher = ChunkHasher::new(layout, chunk.index)
            .map_err(|_| StoreError::InvalidChunk("no such chunk"))?;
        let (start, left) = (u64::from(chunk.index) * layout.chunk_size(), chunk.length);
        let target = Target::Compare {
            active,
            hasher: Box::new(hasher),
            stored,
        };
        Ok(Self {
            counted: None,
            shared,
            chunk,
            start,
            left,
            buffer: Frames::default(),
            written: 0,
            target,
        })
    }

    pub(crate) fn compare_bytes(
        shared: Arc<Shared>,
        chunk: PackChunk,
        start: u64,
        file: Arc<dyn Stored>,
        known: Known,
    ) -> Self {
        let left = chunk.length;
        let target = Target::CompareBytes {
            file,
            known,
            is_equal: true,
        };
        Self {
            counted: None,
            shared,
            chunk,
            start,
            left,
            buffer: Frames::default(),
            written: 0,
            target,
        }
    }

    /// Whether these bytes will be stored, or only compared with those that were stored before.
    #[must_use]
    pub fn is_new(&self) -> bool {
        matches!(self.target, Target::Write { .. } | Target::End { .. })
    }

    /// Takes the next bytes of the chunk; `now` renews the lease.
    ///
    /// # Errors
    ///
    /// - [`StoreError::InvalidChunk`] if they are more than the chunk has.
    /// - [`StoreError::Evicted`] if a newer attempt has taken the chunk over.
    /// - [`StoreError::StorageFull`] if the disk is full.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future is a torn chunk; the writer must not be used after it.
    pub async fn write(&mut self, now: Millis, mut bytes: Bytes) -> Result<(), StoreError> {
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or(StoreError::InvalidChunk(
                "more bytes came than the chunk has",
            ))?;
        self.shared.count_received(bytes.len() as u64);
        if let Target::Write { grant, .. } | Target::End { grant, .. } = &self.target {
            if let Err(error) = grant.renew(now) {
                add(&self.shared.counters.evictions, 1);
                return Err(error);
            }
        } else {
            add(&self.shared.counters.again, bytes.len() as u64);
        }
        let has_come = self.chunk.length - self.left;
        if self.counted.is_none() && has_come >= SMALL_PIECE as u64 {
            self.counted = Some(Counted::new(&self.shared));
        }
        if matches!(self.target, Target::Write { .. }) && !self.shared.backend.writes_wait() {
            return self.write_at_once(now, bytes).await;
        }
        let piece = share(self.shared.writers.load(Ordering::Relaxed), PIECE);
        while !bytes.is_empty() {
            let part = bytes.split_to(bytes.len().min(piece));
            // All of a piece at once, but not for who has sent next to nothing.
            let wanted = if self.counted.is_some() {
                piece
            } else {
                SMALL_PIECE
            };
            let left = usize::try_from(self.left).unwrap_or(piece);
            let most = part.len().saturating_add(bytes.len()).saturating_add(left);
            self.buffer.push(part, wanted.min(most), WHOLE);
            if self.buffer.len() >= piece {
                self.flush(now).await?;
            }
        }
        Ok(())
    }

    /// Writes what waits for the rest of its piece, because nothing comes at present: a thousand who pause
    /// would hold a thousand pieces. A few bytes stay; small writes cost time. `now` renews the lease.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    ///
    /// # Cancel safety
    ///
    /// As [`Self::write`].
    pub async fn rest(&mut self, now: Millis) -> Result<(), StoreError> {
        if self.buffer.len() < SMALL_PIECE {
            return Ok(());
        }
        self.flush(now).await
    }

    /// Writes here and now what would leave the cache of this processor if it were collected; only a few
    /// bytes wait for more.
    async fn write_at_once(&mut self, now: Millis, mut bytes: Bytes) -> Result<(), StoreError> {
        while !bytes.is_empty() {
            let part = bytes.split_to(bytes.len().min(AT_ONCE));
            self.buffer.push(part, SMALL_PIECE, SMALL_PIECE);
            if self.buffer.len() >= SMALL_PIECE {
                self.flush(now).await?;
                // Nothing in here waits: others must get their turn all the same.
                tokio::task::coop::consume_budget().await;
            }
        }
        Ok(())
    }

    /// Hands the buffered piece on.
    async fn flush(&mut self, now: Millis) -> Result<(), StoreError> {
        let length = self.buffer.len() as u64;
        if length == 0 {
            return Ok(());
        }
        let piece = self.buffer.take();
        let offset = self.start + self.written;
        self.written += length;
        match &mut self.target {
            Target::Write {
                active,
                grant,
                work,
                incoming,
                there,
                ..
            } => {
                let mut hasher = work.wait().await?;
                let busy = grant.begin(now)?;
                #[cfg(test)]
                let busy =
                    (self.shared.config.planted != Some(Planted::WriteAfterLease)).then_some(busy);
                let ahead = room_ahead(active, offset + length);
                let (incoming, there) = (Arc::clone(incoming), Arc::clone(there));
                let is_waited_for = self.shared.config.durability == Durability::Power;
                let write = move || {
                    // The guard lives in here: the lease passes on when this call has returned,
                    // even if nobody waits for it any more.
                    let _busy = busy;
                    if let Some((from, length)) = ahead {
                        incoming.allocate(from, length)?;
                    }
                    write_frames(&*incoming, offset, piece, &there, Some(&mut hasher))?;
                    if is_waited_for {
                        incoming.begin_write_back(offset, length);
                    }
                    Ok(hasher)
                };
                *work = if self.shared.backend.writes_wait() {
                    Work::Running(self.shared.start(write))
                } else {
                    Work::Idle(written(write())?)
                };
            }
            Target::Compare { hasher, .. } => {
                for frame in piece {
                    hasher.update(&frame).map_err(|_| {
                        StoreError::InvalidChunk("more bytes came than the chunk has")
                    })?;
                }
            }
            Target::CompareBytes { file, is_equal, .. } => {
                let file = Arc::clone(file);
                let equal = self
                    .shared
                    .run("reading a file", move || is_stored(&*file, offset, &piece));
                *is_equal &= equal.await?;
            }
            Target::End { .. } => {}
        }
        Ok(())
    }

    /// Ends the chunk: checks length and checksum, acknowledges it, and publishes the file if it
    /// was the last.
    ///
    /// # Errors
    ///
    /// - [`StoreError::InvalidChunk`] if bytes are missing.
    /// - [`StoreError::ChecksumMismatch`] if the bytes are not those of the given checksum.
    /// - [`StoreError::ChunkConflict`] if the chunk was acknowledged with other bytes.
    /// - [`StoreError::Evicted`], [`StoreError::StorageFull`] as [`ChunkWriter::write`].
    ///
    /// # Cancel safety
    ///
    /// Once called it goes on even if the future is dropped: the chunk is then acknowledged or
    /// not, and a status tells.
    ///
    /// # Durability
    ///
    /// On return the chunk survives what [`crate::StoreConfig::durability`] says.
    pub async fn finish(self, now: Millis) -> Result<ChunkAnswer, StoreError> {
        if self.left > 0 {
            return Err(StoreError::InvalidChunk(
                "fewer bytes came than the chunk has",
            ));
        }
        joined(tokio::spawn(self.finish_whole(now)).await)?
    }

    async fn finish_whole(mut self, now: Millis) -> Result<ChunkAnswer, StoreError> {
        // A chunk of one piece is written, hashed and recorded in one trip.
        let is_one_piece = self.written == 0;
        if !is_one_piece || !matches!(self.target, Target::Write { .. }) {
            self.flush(now).await?;
        }
        let chunk = self.chunk.clone();
        match self.target {
            Target::Write {
                active,
                grant,
                mut work,
                incoming,
                there,
                failed,
            } => {
                let hasher = work.wait().await?;
                // Before it is recorded: the next process would believe that.
                self.shared.check_since(failed)?;
                if self.chunk.last {
                    // Before the chunk: once it is recorded, its length must be known.
                    let end = self.start + self.chunk.length;
                    self.shared.set_size_of(&active, end).await?;
                }
                let busy = grant.begin(now)?;
                let piece = self.buffer.take();
                let (start, target) = (self.start, Arc::clone(&active));
                let (index, end) = (chunk.index, start + chunk.length);
                let bytes = Arc::clone(&incoming);
                let is_recorded = self.shared.write("writing a chunk", move || {
                    record(&target, busy, &*bytes, &chunk, hasher, start, piece, &there)
                });
                let busy = is_recorded.await.map_err(conflict)??;
                #[cfg(test)]
                let is_kept = !self.shared.leaves_unsynced(Some((&active, index)));
                #[cfg(not(test))]
                let is_kept = true;
                if is_kept {
                    self.shared.keep(failed, &incoming, index).await?;
                }
                active.lock().acknowledge(index, end)?;
                add(&self.shared.counters.acknowledged, end - start);
                drop(busy);
                drop(grant);
                self.shared.touch(&active, now).await?;
                let receipt = self.shared.publish_if_whole(&active, now).await?;
                Ok(ChunkAnswer {
                    is_new: true,
                    receipt,
                })
            }
            Target::Compare {
                active,
                hasher,
                stored,
            } => {
                let found = hasher
                    .finish()
                    .map_err(|_| StoreError::InvalidChunk("bytes are missing"))?;
                expect(&chunk, found)?;
                if found != stored {
                    return Err(StoreError::ChunkConflict);
                }
                let end = self.start + chunk.length;
                self.shared
                    .known(now, &active, chunk.last.then_some(end))
                    .await
            }
            Target::CompareBytes {
                is_equal, known, ..
            } => match known {
                _ if !is_equal => Err(StoreError::ChunkConflict),
                Known::Active(active) => {
                    let end = self.start + chunk.length;
                    self.shared
                        .known(now, &active, chunk.last.then_some(end))
                        .await
                }
                Known::File(receipt) => Ok(ChunkAnswer {
                    is_new: false,
                    receipt: Some(receipt),
                }),
            },
            Target::End { active, grant } => {
                grant.renew(now)?;
                self.shared.set_size_of(&active, self.start).await?;
                drop(grant);
                let receipt = self.shared.publish_if_whole(&active, now).await?;
                Ok(ChunkAnswer {
                    is_new: true,
                    receipt,
                })
            }
        }
    }
}

impl Shared {
    /// Makes a recorded chunk durable; if that fails it is not there any more.
    async fn keep(
        &self,
        failed: u64,
        incoming: &Arc<dyn Incoming>,
        index: u32,
    ) -> Result<(), StoreError> {
        let unsynced = incoming.unsynced();
        let Err(error) = self.make_durable_since(failed, unsynced).await else {
            return Ok(());
        };
        // Its bytes may be lost although they can still be read: they must come again.
        let incoming = Arc::clone(incoming);
        let taken_back = self.run("taking a checksum back", move || {
            incoming.write_sum(index, &[0; 32])
        });
        if let Err(error) = taken_back.await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a chunk that could not be synced is still recorded"
            );
        }
        Err(error)
    }

    /// The answer for bytes that had come before; their chunk may still tell where the file ends.
    async fn known(
        self: &Arc<Self>,
        now: Millis,
        active: &Arc<Active>,
        end: Option<u64>,
    ) -> Result<ChunkAnswer, StoreError> {
        if let Some(end) = end {
            self.set_size_of(active, end).await?;
        }
        Ok(ChunkAnswer {
            is_new: false,
            receipt: self.publish_if_whole(active, now).await?,
        })
    }
}
