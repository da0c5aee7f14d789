//! How a chunk finds its writer: new bytes under a lease, or a comparison with what is there.

use std::{io, sync::Arc};

use hoist_protocol::{ByteRange, Checksum, ChunkLayout, MAX_CHUNKS, Millis, PackChunk, Sender};

use crate::{
    ChunkWriter, Party, Store, StoreError,
    active::Active,
    backend::{Incoming, Stored},
    catalog::Row,
    chunk::Known,
    load::{Asked, TRIES},
};

/// Unfinished bytes, read like a file.
#[derive(Debug)]
struct AsStored(Arc<dyn Incoming>);

impl Stored for AsStored {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
}

impl Store {
    /// Takes the lease of one chunk and returns its writer.
    ///
    /// A chunk that is acknowledged already needs no lease: its bytes are compared and dropped. The
    /// sender that holds the lease takes it over at once with an `attempt` that is not lower, as soon
    /// as a write that runs has returned; another sender does so only if no byte has come for
    /// [`crate::StoreConfig::lease_idle_ms`].
    ///
    /// # Errors
    ///
    /// - [`StoreError::NotFound`], [`StoreError::Expired`].
    /// - [`StoreError::InvalidChunk`] if there is no such chunk or its length is another.
    /// - [`StoreError::BeyondGrant`] if the party's scope ends before it.
    /// - [`StoreError::InFlight`] if somebody else writes it now.
    /// - [`StoreError::StorageFull`], [`StoreError::QuotaExceeded`] if its reservation has lapsed and
    ///   the room has gone to others.
    pub async fn write_chunk(
        &self,
        now: Millis,
        party: &Party,
        sender: &Sender,
        attempt: u32,
        chunk: &PackChunk,
    ) -> Result<ChunkWriter, StoreError> {
        for _ in 0..TRIES {
            let end = |chunk_size: u64| {
                let start = u64::from(chunk.index).saturating_mul(chunk_size);
                party.check_end(start.saturating_add(chunk.length))
            };
            match self.shared.ask(now, party, chunk.upload).await? {
                Asked::Finished(row) => {
                    end(row.chunk_size)?;
                    return self.compare_finished(&row, chunk).await;
                }
                Asked::Active(active, row) => {
                    end(row.chunk_size)?;
                    let written = match self.shared.reserve_again(now, party, &row).await {
                        Ok(()) => {
                            self.write_active(now, party, &active, sender, attempt, chunk)
                                .await
                        }
                        Err(error) => Err(error),
                    };
                    match written {
                        // It was published or removed in between: the catalog says which.
                        Err(StoreError::NotFound) => {}
                        done => return done,
                    }
                }
            }
        }
        Err(StoreError::Unavailable)
    }

    async fn compare_finished(
        &self,
        row: &Row,
        chunk: &PackChunk,
    ) -> Result<ChunkWriter, StoreError> {
        let layout = row.layout().ok_or(StoreError::NotFound)?;
        let start = if chunk.last && chunk.length == 0 {
            layout.file_size()
        } else {
            check(layout, chunk)?
        };
        let file = self.shared.open_file(row).await?;
        let shared = Arc::clone(&self.shared);
        Ok(ChunkWriter::compare_bytes(
            shared,
            chunk.clone(),
            start,
            file,
            Known::File(row.receipt()),
        ))
    }

    async fn write_active(
        &self,
        now: Millis,
        party: &Party,
        active: &Arc<Active>,
        sender: &Sender,
        attempt: u32,
        chunk: &PackChunk,
    ) -> Result<ChunkWriter, StoreError> {
        let size = active.lock().size;
        let layout = layout_of(size, active.chunk_size, chunk)?;
        let shared = Arc::clone(&self.shared);
        let range = if chunk.length == 0 {
            // Only the end of an upload without a size has no bytes.
            let end = u64::from(chunk.index) * active.chunk_size;
            ByteRange::new(end, end)
        } else {
            let start = check(layout, chunk)?;
            ByteRange::new(start, start + chunk.length)
        };
        if let Some(writer) = self.compare_active(active, layout, range, chunk).await? {
            return Ok(writer);
        }
        if size.is_none() {
            self.check_growth(now, party, active, chunk).await?;
        }
        let idle = shared.config.lease_idle_ms;
        let grant = active
            .lease(chunk.index, sender, attempt, now, idle)
            .await?;
        // The one before may have acknowledged it while this one waited for the lease.
        if let Some(writer) = self.compare_active(active, layout, range, chunk).await? {
            return Ok(writer);
        }
        let incoming = shared.bytes(active, grant.begin(now)?).await?;
        ChunkWriter::write_new(
            shared,
            chunk.clone(),
            layout,
            Arc::clone(active),
            grant,
            incoming,
        )
    }

    /// Compares bytes that are acknowledged; `None` if some are new.
    async fn compare_active(
        &self,
        active: &Arc<Active>,
        layout: ChunkLayout,
        range: ByteRange,
        chunk: &PackChunk,
    ) -> Result<Option<ChunkWriter>, StoreError> {
        let shared = Arc::clone(&self.shared);
        let (is_chunk, is_range, is_alone) = {
            let inner = active.lock();
            let covers = |part: &ByteRange| part.start <= range.start && range.end <= part.end;
            (
                inner.set.contains(chunk.index) && !range.is_empty(),
                inner.ranges.iter().any(covers) && !range.is_empty(),
                // Its checksum may be that of a first chunk of many.
                inner.was_sizeless && layout.count() == 1,
            )
        };
        if is_range || is_chunk && is_alone {
            let bytes = Arc::new(AsStored(shared.bytes_there(active).await?));
            let known = Known::Active(Arc::clone(active));
            let (chunk, start) = (chunk.clone(), range.start);
            return Ok(Some(ChunkWriter::compare_bytes(
                shared, chunk, start, bytes, known,
            )));
        }
        if is_chunk {
            let (incoming, index) = (shared.bytes_there(active).await?, chunk.index);
            let stored = shared.run("reading a checksum", move || {
                let mut sum = [0; 32];
                incoming.read_sums(index, &mut sum)?;
                Ok(sum)
            });
            let stored = stored.await?;
            // Published meanwhile: the checksums are gone.
            if stored == [0; 32] {
                return Err(StoreError::NotFound);
            }
            let stored = Checksum::from_bytes(stored);
            let active = Arc::clone(active);
            return ChunkWriter::compare(shared, chunk.clone(), layout, active, stored).map(Some);
        }
        Ok(None)
    }

    /// Whether an upload without a size may grow by this chunk.
    async fn check_growth(
        &self,
        now: Millis,
        party: &Party,
        active: &Active,
        chunk: &PackChunk,
    ) -> Result<(), StoreError> {
        let (min, max) = (0, self.shared.config.limits.file_size);
        let size = (u64::from(chunk.index) * active.chunk_size).saturating_add(chunk.length);
        if size > max {
            return Err(StoreError::FileSize { size, min, max });
        }
        if chunk.last {
            active.lock().check_end(active.chunk_size, size)?;
        }
        let left = self.shared.growth(now, party).await?;
        if chunk.length > left.quota {
            return Err(StoreError::QuotaExceeded);
        }
        if chunk.length > left.storage {
            return Err(StoreError::StorageFull);
        }
        Ok(())
    }
}

/// How the upload is cut, as far as this chunk is concerned.
fn layout_of(
    size: Option<u64>,
    chunk_size: u64,
    chunk: &PackChunk,
) -> Result<ChunkLayout, StoreError> {
    let size = match size {
        Some(size) => size,
        None if chunk.last => u64::from(chunk.index) * chunk_size + chunk.length,
        // As many chunks as there can be: this one is a whole one, and not the only one.
        None => MAX_CHUNKS * chunk_size,
    };
    if chunk.length == 0 && !(chunk.last && size == u64::from(chunk.index) * chunk_size) {
        return Err(StoreError::InvalidChunk("a chunk has no bytes"));
    }
    ChunkLayout::new(size, chunk_size)
        .map_err(|_| StoreError::InvalidChunk("there is no chunk with this index"))
}

/// The first byte of the chunk, if it is one of the layout's.
fn check(layout: ChunkLayout, chunk: &PackChunk) -> Result<u64, StoreError> {
    let range = layout.range(chunk.index).ok_or(StoreError::InvalidChunk(
        "there is no chunk with this index",
    ))?;
    if range.len() == chunk.length {
        Ok(range.start)
    } else {
        Err(StoreError::InvalidChunk("the chunk has another length"))
    }
}
