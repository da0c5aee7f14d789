//! What a store does with bytes. Nothing above it may assume a file system.

use std::{fmt::Debug, io, sync::Arc};

use hoist_protocol::UploadId;

use crate::disk::DiskFile;

/// Where bytes lie. All calls are synchronous; the store runs them on threads of their own if
/// [`Backend::blocks`] says so, and writes of bytes if [`Backend::writes_wait`] does.
pub(crate) trait Backend: Debug + Send + Sync {
    /// Whether calls may take long; `false` in memory.
    fn blocks(&self) -> bool;
    /// Whether writing bytes waits for a device (memory may, too, if it is swapped; that is rare). Where it
    /// does not, they are written by whoever receives them, while they are in the cache of its processor.
    fn writes_wait(&self) -> bool {
        self.blocks()
    }
    /// Opens the bytes of an unfinished upload, making them if there are none.
    fn begin(&self, id: UploadId) -> io::Result<Arc<dyn Incoming>>;
    /// Opens the bytes of an unfinished upload, which are only read; `None` if none has come yet.
    fn incoming(&self, id: UploadId) -> io::Result<Option<Arc<dyn Incoming>>>;
    /// As [`Self::incoming`], to change them: an error if they are another file's, too.
    fn own(&self, id: UploadId) -> io::Result<Option<Arc<dyn Incoming>>>;
    /// Makes the folders above a place; one of them may be taken by a file. What is to be made durable
    /// before anything is put there: a file whose folder is lost cannot be reached.
    fn prepare(&self, place: &str) -> io::Result<Vec<Unsynced>>;
    /// Gives whole bytes their place among the files, which was prepared; `false` if something lies
    /// there. Sets the time if it is known.
    fn publish(&self, id: UploadId, place: &str, last_modified: Option<i64>) -> io::Result<bool>;
    /// Makes an empty folder in a place that was prepared; it is fine if it is there. `false` if a file
    /// is.
    fn make_folder(&self, place: &str) -> io::Result<bool>;
    /// Removes what belongs to an upload and is no file yet: `all` of it, or what proves it.
    fn clear(&self, id: UploadId, all: bool) -> io::Result<()>;
    /// Opens a file; `None` if there is none, or something else lies there, such as a folder.
    fn open(&self, place: &str) -> io::Result<Option<Arc<dyn Stored>>>;
    /// Lets a file lie at a second place, too, which was prepared; `false` if something lies there.
    /// Where a file can have one place only, it moves.
    fn link(&self, from: &str, to: &str) -> io::Result<bool>;
    /// Removes a file or an empty folder; it is fine if it is not there or not empty.
    fn remove(&self, place: &str) -> io::Result<()>;
    /// The parts that [`Self::list`] goes in, so that nobody has to look at all uploads at once.
    fn parts(&self) -> io::Result<Vec<String>>;
    /// The uploads of one part that have bytes or something that proves them, and are no files.
    fn list(&self, part: &str) -> io::Result<Vec<UploadId>>;
    /// What is to be made durable so that a file, or that there is none, at this place is.
    fn names_at(&self, place: &str) -> Vec<Unsynced>;
    /// Makes all of these durable; one failure says nothing of the others.
    fn make_durable(&self, what: &[Unsynced]) -> io::Result<()>;
    /// How often syncing bytes has failed. Whatever had been written by then and was not synced may be
    /// dropped, also what others have written, and no later sync tells them.
    fn failed_syncs(&self) -> u64 {
        0
    }
    /// Makes everything durable, at a clean end.
    fn sync(&self) -> io::Result<()>;
    /// Whether two places are one file.
    fn is_same(&self, one: &str, other: &str) -> io::Result<bool>;
    /// Bytes that are free.
    fn free(&self) -> io::Result<u64>;
}

/// Something that was written and does not survive the death of the machine yet.
#[derive(Clone, Debug)]
pub(crate) enum Unsynced {
    /// The bytes of the file at this path.
    File(String, Arc<dyn DiskFile>),
    /// The names in the folder at this path.
    Folder(String),
}

/// The bytes of an unfinished upload, and what is known of them.
pub(crate) trait Incoming: Debug + Send + Sync {
    /// Writes all bytes at an offset.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Reads at an offset until the buffer is full or the bytes end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Makes room ahead of a writer, if that is worth it.
    fn allocate(&self, offset: u64, length: u64) -> io::Result<()>;
    /// Lets the disk begin with these bytes, which somebody will wait for.
    fn begin_write_back(&self, _offset: u64, _length: u64) {}
    /// How many bytes there are, holes included.
    fn len(&self) -> io::Result<u64>;
    /// Cuts off what lies beyond.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Records the checksum of a chunk; from then on the chunk is there. Must be indivisible: on a
    /// disk 32 bytes at a multiple of 32 are, because they lie within one sector.
    fn write_sum(&self, index: u32, sum: &[u8; 32]) -> io::Result<()>;
    /// Reads checksums from chunk `from` on, 32 bytes each, zeros for what is not there.
    fn read_sums(&self, from: u32, buffer: &mut [u8]) -> io::Result<usize>;
    /// Records that the bytes `start..end` have come in order; `durable` if they are.
    fn add_range(&self, start: u64, end: u64, durable: bool) -> io::Result<()>;
    /// Forgets the ranges that were recorded before they were durable.
    fn drop_unsafe_ranges(&self) -> io::Result<()>;
    /// The recorded ranges, as they were recorded.
    fn ranges(&self) -> io::Result<Vec<(u64, u64)>>;
    /// What is to be made durable so that all that was written here is.
    fn unsynced(&self) -> Vec<Unsynced>;
}

/// A file, open for reading.
pub(crate) trait Stored: Debug + Send + Sync {
    /// Reads at an offset until the buffer is full or the file ends.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Its size in bytes.
    fn len(&self) -> io::Result<u64>;
}
