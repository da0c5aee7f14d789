//! Files and folders. Everything the store does to a disk goes through [`Disk`], about a dozen
//! operations, so that tests can count, cut and fail each one.

mod backend;
pub(crate) mod layout;
mod real;

use std::{fmt::Debug, io, sync::Arc};

pub(crate) use backend::DiskBackend;
pub(crate) use real::RealDisk;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Open {
    /// Reading what is there.
    Read,
    /// Reading and writing what is there; refused with `TooManyLinks` if it has a second name: a hard
    /// link that somebody planted, or what we write here would change a file elsewhere.
    Own,
    /// As [`Self::Own`], made if it is not there.
    Create,
}

/// A folder of files. Paths are relative to it, made by [`layout`], and never leave it: not
/// through `..` and not through a symlink that somebody planted.
pub(crate) trait Disk: Debug + Send + Sync {
    /// Opens a file; `IsADirectory` for folders and anything else that is no regular file.
    fn open(&self, path: &str, how: Open) -> io::Result<Arc<dyn DiskFile>>;
    /// Makes one folder; `AlreadyExists` if something lies there.
    fn make_folder(&self, path: &str) -> io::Result<()>;
    /// Whether a folder lies there; `false` if nothing or something else does.
    fn is_folder(&self, path: &str) -> io::Result<bool>;
    /// Gives a file another place; `AlreadyExists` if something lies there. Never replaces.
    fn rename_noreplace(&self, from: &str, to: &str) -> io::Result<()>;
    /// Gives a file a second name; `AlreadyExists` if something lies there, `Unsupported` where files
    /// have one name only.
    fn link(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file or an empty folder.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// The names in a folder.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;
    /// Makes the entries of a folder durable; `Unsupported` where folders cannot be synced alone.
    fn sync_folder(&self, path: &str) -> io::Result<()>;
    /// Makes everything on the file system durable.
    fn sync_all(&self) -> io::Result<()>;
    /// Whether two paths are one file.
    fn is_same(&self, one: &str, other: &str) -> io::Result<bool>;
    /// Whether calls may take long.
    fn blocks(&self) -> bool {
        true
    }
    /// Whether writing bytes may wait for a device.
    fn writes_wait(&self) -> bool {
        self.blocks()
    }
    /// Bytes that are free.
    fn free(&self) -> io::Result<u64>;
}

/// A file, open. Offsets and lengths are bytes.
pub(crate) trait DiskFile: Debug + Send + Sync {
    /// Writes all bytes.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Reads until the buffer is full or the file ends.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Reserves room without changing the size; does nothing where that does not help.
    fn allocate(&self, offset: u64, length: u64) -> io::Result<()>;
    /// Its size.
    fn len(&self) -> io::Result<u64>;
    /// Cuts or extends it.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Lets the disk begin with these bytes while others come, so that less is left for
    /// [`Self::sync`]; a wish.
    fn begin_write_back(&self, _offset: u64, _length: u64) {}
    /// Makes its bytes and its length durable; not yet its name.
    fn sync(&self) -> io::Result<()>;
    /// Sets when it was last modified, in milliseconds since the epoch.
    fn set_modified(&self, time: i64) -> io::Result<()>;
}
