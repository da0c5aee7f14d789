//! How a chunk finds its writer: new bytes under a lease, or a comparison with what is there.

use std::{io, sync::Arc};

use hoist_protocol::{ChunkLayout, MAX_CHUNKS, Millis, PackChunk, Sender};

use crate::{
    ChunkWriter, Party, Store, StoreError,
    active::Active,
    backend::{Incoming, Stored},
    store::Asked,
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
    /// A chunk that is acknowledged already needs no lease: its bytes are compared and dropped. A
    /// higher `attempt` of the sender that holds the lease takes it over at once, as soon as a
    /// write that runs has returned; another sender does so only if no byte has come for
    /// [`crate::StoreConfig::lease_idle_ms`].
    ///
    /// # Errors
    ///
    /// - [`StoreError::NotFound`], [`StoreError::Expired`].
    /// - [`StoreError::InvalidChunk`] if there is no such chunk or its length is another.
    /// - [`StoreError::InFlight`] if somebody else writes it now.
    pub async fn write_chunk(
        &self,
        now: Millis,
        party: &Party,
        sender: &Sender,
        attempt: u32,
        chunk: &PackChunk,
    ) -> Result<ChunkWriter, StoreError> {
        match self.shared.ask(now, party, chunk.upload).await? {
            Asked::Finished(row) => {
                let layout = row.layout().ok_or(StoreError::NotFound)?;
                let start = if chunk.last && chunk.length == 0 {
                    layout.file_size()
                } else {
                    check(layout, chunk)?
                };
                let file = self.shared.open_file(&row).await?;
                let shared = Arc::clone(&self.shared);
                Ok(ChunkWriter::compare_bytes(
                    shared,
                    chunk.clone(),
                    start,
                    file,
                    Some(row.receipt()),
                ))
            }
            Asked::Active(active, _) => {
                self.write_active(now, active, sender, attempt, chunk).await
            }
        }
    }

    async fn write_active(
        &self,
        now: Millis,
        active: Arc<Active>,
        sender: &Sender,
        attempt: u32,
        chunk: &PackChunk,
    ) -> Result<ChunkWriter, StoreError> {
        let size = active.lock().size;
        let layout = layout_of(size, active.chunk_size, chunk)?;
        let shared = Arc::clone(&self.shared);
        if chunk.length == 0 {
            // Only the end of an upload without a size has no bytes.
            let grant = active
                .lease(
                    chunk.index,
                    sender,
                    attempt,
                    now,
                    shared.config.lease_idle_ms,
                )
                .await?;
            let incoming = shared.bytes(&active).await?;
            return ChunkWriter::write_new(shared, chunk.clone(), layout, active, grant, incoming);
        }
        let start = check(layout, chunk)?;
        let is_there = |active: &Active| active.lock().set.contains(chunk.index);
        if is_there(&active) {
            let incoming = shared.bytes(&active).await?;
            return ChunkWriter::compare(shared, chunk.clone(), layout, active, incoming);
        }
        let end = start + chunk.length;
        let is_in_range = active
            .lock()
            .ranges
            .iter()
            .any(|range| range.start <= start && end <= range.end);
        if is_in_range {
            let bytes = Arc::new(AsStored(shared.bytes(&active).await?));
            return Ok(ChunkWriter::compare_bytes(
                shared,
                chunk.clone(),
                start,
                bytes,
                None,
            ));
        }
        let grant = active
            .lease(
                chunk.index,
                sender,
                attempt,
                now,
                shared.config.lease_idle_ms,
            )
            .await?;
        let incoming = shared.bytes(&active).await?;
        // The one before may have acknowledged it while this one waited for the lease.
        if is_there(&active) {
            drop(grant);
            return ChunkWriter::compare(shared, chunk.clone(), layout, active, incoming);
        }
        ChunkWriter::write_new(shared, chunk.clone(), layout, active, grant, incoming)
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
