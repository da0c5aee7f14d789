//! Uploads on disk: chunks, checksums, catalog, leases, space and expiry.

mod error;
mod owner;

use std::path::Path;

use bytes::Bytes;
use hoist_protocol::{
    ChecksumsFrom, CreateAnswer, DeleteResult, Limits, ListResponse, Millis, NewFile, PackChunk,
    Receipt, Sender, UploadId, UploadStatus,
};

pub use error::StoreError;
pub use owner::{Owner, Party};

/// What a store is told when it opens. Sizes are bytes, spans milliseconds.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// What is allowed of a file and of a visitor.
    pub limits: Limits,
    /// How long an unfinished upload lives after its last byte. Default 7 days.
    pub unfinished_ttl_ms: u64,
    /// How long a deleted finished file can be restored. Default 30 seconds.
    pub delete_grace_ms: u64,
    /// How long a reservation without a byte counts. Default 1 hour.
    pub reservation_ttl_ms: u64,
    /// How long no byte may come for a chunk before another sender takes it over. Default 10 seconds.
    pub lease_idle_ms: u64,
    /// How much of the disk always stays free. Default 256 MiB.
    pub keep_free: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            unfinished_ttl_ms: 7 * 24 * 3600 * 1000,
            delete_grace_ms: 30_000,
            reservation_ttl_ms: 3_600_000,
            lease_idle_ms: 10_000,
            keep_free: 256 << 20,
        }
    }
}

/// All of it: what one server stores. Cheap to clone; all clones are one store.
#[derive(Clone, Debug)]
pub struct Store;

/// A page of the list that is wanted.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// [`ListResponse::next`] of the page before.
    pub after: Option<String>,
    /// At most how many rows; 0 for the default of 50, at most 1 000.
    pub limit: u32,
}

/// Something changed; what a watcher asks next is its own affair.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Change {
    /// An upload was created.
    Created { owner: Owner, id: UploadId },
    /// A file was published.
    Finished { owner: Owner, receipt: Receipt },
    /// An upload or file was cancelled, deleted, hidden, restored or renamed.
    Changed { owner: Owner, id: UploadId },
}

/// Removed by one sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Unfinished uploads that had expired.
    pub expired: u64,
    /// Deleted files whose grace was over.
    pub deleted: u64,
}

/// One chunk that is being written. Dropping it is a torn chunk: nothing is acknowledged.
#[derive(Debug)]
pub struct ChunkWriter;

/// How a chunk ended well.
#[derive(Clone, Debug, PartialEq)]
pub struct ChunkAnswer {
    /// Whether bytes were stored now; `false` if the chunk was acknowledged before.
    pub is_new: bool,
    /// The receipt, if the upload is finished, by this chunk or before.
    pub receipt: Option<Receipt>,
}

impl ChunkWriter {
    /// Whether these bytes will be stored (`true`) or only compared with the acknowledged ones.
    pub fn is_new(&self) -> bool {
        todo!()
    }
    /// Takes the next bytes of the chunk. `now` renews the lease.
    pub async fn write(&mut self, now: Millis, bytes: Bytes) -> Result<(), StoreError> {
        todo!()
    }
    /// Ends the chunk: checks length and checksum, acknowledges it, and publishes the file if it was the last.
    pub async fn finish(self, now: Millis) -> Result<ChunkAnswer, StoreError> {
        todo!()
    }
}

/// Bytes that come in order from some offset, not cut into chunks (form, dialects).
#[derive(Debug)]
pub struct RangeWriter;

impl RangeWriter {
    /// Takes the next bytes.
    pub async fn write(&mut self, now: Millis, bytes: Bytes) -> Result<(), StoreError> {
        todo!()
    }
    /// Records what was written; on an upload whose size is known and now whole, publishes it.
    pub async fn finish(self, now: Millis) -> Result<ChunkAnswer, StoreError> {
        todo!()
    }
}

/// A finished file, open for reading.
#[derive(Debug)]
pub struct FileReader;

impl FileReader {
    /// Its receipt.
    pub fn receipt(&self) -> &Receipt {
        todo!()
    }
    /// Reads up to `length` bytes at `offset`; fewer only at the end.
    pub async fn read(&self, offset: u64, length: usize) -> Result<Bytes, StoreError> {
        todo!()
    }
}

impl Store {
    /// Opens (or makes) a data folder.
    pub async fn open(folder: &Path, config: StoreConfig, now: Millis) -> Result<Self, StoreError> {
        todo!()
    }
    /// A store in memory, gone with its last clone.
    pub fn memory(config: StoreConfig) -> Self {
        todo!()
    }
    /// Stops taking work, waits for writes that run, marks a clean end.
    pub async fn close(&self, now: Millis) -> Result<(), StoreError> {
        todo!()
    }
    /// What is allowed for this party, with its quota left.
    pub async fn limits(&self, party: &Party) -> Result<Limits, StoreError> {
        todo!()
    }
    /// Creates up to `limits.batch` uploads in one transaction; one answer per file.
    pub async fn create(
        &self,
        now: Millis,
        party: &Party,
        files: &[NewFile],
    ) -> Result<Vec<CreateAnswer>, StoreError> {
        todo!()
    }
    /// One status per id.
    pub async fn status(
        &self,
        now: Millis,
        party: &Party,
        ids: &[UploadId],
        checksums: Option<ChecksumsFrom>,
    ) -> Result<Vec<UploadStatus>, StoreError> {
        todo!()
    }
    /// A page of this party's uploads.
    pub async fn list(
        &self,
        now: Millis,
        party: &Party,
        query: &ListQuery,
    ) -> Result<ListResponse, StoreError> {
        todo!()
    }
    /// Takes the lease of one chunk.
    pub async fn write_chunk(
        &self,
        now: Millis,
        party: &Party,
        sender: &Sender,
        attempt: u32,
        chunk: &PackChunk,
    ) -> Result<ChunkWriter, StoreError> {
        todo!()
    }
    /// Starts writing bytes at `offset` of an upload; exclusive per upload.
    pub async fn write_range(
        &self,
        now: Millis,
        party: &Party,
        id: UploadId,
        offset: u64,
    ) -> Result<RangeWriter, StoreError> {
        todo!()
    }
    /// Tells the size of an upload that was created without; publishes it if it is whole.
    pub async fn set_size(
        &self,
        now: Millis,
        party: &Party,
        id: UploadId,
        size: u64,
    ) -> Result<ChunkAnswer, StoreError> {
        todo!()
    }
    /// Cancels unfinished uploads at once and hides finished ones for the grace; idempotent.
    pub async fn delete(
        &self,
        now: Millis,
        party: &Party,
        ids: &[UploadId],
    ) -> Result<Vec<DeleteResult>, StoreError> {
        todo!()
    }
    /// Takes deletes back while the grace lasts.
    pub async fn restore(
        &self,
        now: Millis,
        party: &Party,
        ids: &[UploadId],
    ) -> Result<Vec<DeleteResult>, StoreError> {
        todo!()
    }
    /// Gives a finished file another name in its folder; never replaces another.
    pub async fn rename(
        &self,
        now: Millis,
        party: &Party,
        id: UploadId,
        name: &str,
    ) -> Result<Receipt, StoreError> {
        todo!()
    }
    /// Opens a finished file. `party` may be anybody who may read: the id is checked against the owner.
    pub async fn read(
        &self,
        now: Millis,
        party: &Party,
        id: UploadId,
    ) -> Result<FileReader, StoreError> {
        todo!()
    }
    /// Removes what has expired; never a finished file that nobody deleted.
    pub async fn sweep(&self, now: Millis) -> Result<SweepReport, StoreError> {
        todo!()
    }
    /// A feed of changes; a slow watcher loses old ones and is told so.
    pub fn changes(&self) -> tokio::sync::broadcast::Receiver<Change> {
        todo!()
    }
    /// Bytes of chunks received over sockets so far, acknowledged or not, for tests and metrics.
    pub fn received_bytes(&self) -> u64 {
        todo!()
    }
}
