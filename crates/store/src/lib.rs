//! Uploads and files: chunks on disk, what is known of them, and when they go.
//!
//! ```text
//!   Store ── create, status, write_chunk, list, delete, rename, read, sweep
//!     ├── catalog   which uploads and files there are (SQLite, or memory)
//!     ├── active    what has arrived of those in work, and who may write what
//!     └── backend   bytes (a disk, or memory)
//! ```
//!
//! A chunk is stored whole and verified, or it is not stored. The clock is an argument of every
//! call. This crate knows no HTTP and no user interface.
//!
//! # Durability
//!
//! [`Durability::Power`]: what was acknowledged survives the death of the machine, because the bytes,
//! their checksum and their names were synced before, and the catalog with each change. Syncs are
//! shared by all who wait. [`Durability::Process`]: what was acknowledged survives the death of the
//! process, because it is in the operating system's hands.
//!
//! After the machine has died (no clean end, and another boot) each unfinished upload is checked
//! against its checksums when it is first asked for; what is not there is asked for again.
//!
//! # Examples
//!
//! ```
//! use hoist_protocol::{CreateAnswer, Millis, NewFile, PackChunk, Sender};
//! use hoist_store::{Owner, Party, Store, StoreConfig};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let store = Store::memory(StoreConfig::default());
//! let (now, party, sender) = (Millis(0), Party::known(Owner::shared()), Sender::new("page-1")?);
//! let file = NewFile { name: "a.txt".into(), size: Some(5), ..NewFile::default() };
//! let answers = store.create(now, &party, &[file]).await?;
//! let Some(CreateAnswer::Needed(needed)) = answers.first() else { panic!("it is new") };
//!
//! let chunk = PackChunk { upload: needed.id, index: 0, length: 5, checksum: None, last: false };
//! let mut writer = store.write_chunk(now, &party, &sender, 0, &chunk).await?;
//! writer.write(now, "hello".into()).await?;
//! let receipt = writer.finish(now).await?.receipt.expect("it was the last chunk");
//! assert_eq!(receipt.hash.unwrap().to_string(), blake3::hash(b"hello").to_hex().to_string());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod active;
mod backend;
mod catalog;
mod check;
mod chunk;
mod create;
mod delete;
mod disk;
mod durable;
mod error;
mod figures;
mod find;
mod frames;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod inspect;
mod load;
mod memory;
mod numbers;
mod outbox;
mod owner;
mod part;
mod piece;
#[cfg(test)]
mod planted;
mod publish;
mod range;
mod read;
mod recover;
mod rename;
mod room;
mod share;
mod small;
mod store;
#[cfg(test)]
mod tests;
mod token;
mod write;

use std::{
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    sync::Arc,
};

use hoist_protocol::{Limits, Millis, Receipt, UploadId};

pub use chunk::{ChunkAnswer, ChunkWriter};
pub use durable::Durability;
pub use error::StoreError;
pub use figures::Figures;
pub use inspect::{Finding, Inspector, Leftover, Verified};
pub use outbox::{Event, EventKind};
pub use owner::{Owner, Party, Scope};
pub use part::PartWriter;
pub use range::RangeWriter;
pub use read::{FileReader, ListQuery};
pub use small::Gathering;
pub use token::{Bearer, Grant, Token};

use catalog::{Catalog, MemoryCatalog, SqliteCatalog};
use disk::{DiskBackend, RealDisk};
use memory::MemoryBackend;
use store::{Shared, io_error};

/// The catalog's file in the data folder.
const CATALOG: &str = "catalog.db";

/// What a store is told when it opens. Sizes are bytes, spans milliseconds.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// What is allowed of a file and of a visitor.
    pub limits: Limits,
    /// Most bytes of one owner, finished and reserved, where [`Party::quota`] says nothing. Default
    /// no quota.
    pub quota: Option<u64>,
    /// Most files and folders of one owner, finished or not. Default no limit.
    pub files: Option<u64>,
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
    /// What an acknowledgement is worth. Default [`Durability::Power`].
    pub durability: Durability,
    /// Who is told of finished files, each by a name of its own; see [`Store::events`]. Events of a name
    /// that nobody asks for are kept for ever. Default nobody.
    pub subscribers: Vec<String>,
    #[cfg(test)]
    pub(crate) planted: Option<planted::Planted>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            quota: None,
            files: None,
            unfinished_ttl_ms: 7 * 24 * 3600 * 1000,
            delete_grace_ms: 30_000,
            reservation_ttl_ms: 3_600_000,
            lease_idle_ms: 10_000,
            keep_free: 256 << 20,
            durability: Durability::default(),
            subscribers: Vec::new(),
            #[cfg(test)]
            planted: None,
        }
    }
}

/// Something changed; what a watcher asks next is its own affair.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Change {
    /// An upload was created.
    Created {
        /// Whose.
        owner: Owner,
        /// Which.
        id: UploadId,
    },
    /// A file was published.
    Finished {
        /// Whose.
        owner: Owner,
        /// Its receipt.
        receipt: Receipt,
    },
    /// An upload or file was cancelled, hidden, restored or renamed.
    Changed {
        /// Whose.
        owner: Owner,
        /// Which.
        id: UploadId,
    },
}

/// What one sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Unfinished uploads that had expired.
    pub expired: u64,
    /// Deleted files whose grace was over.
    pub deleted: u64,
}

/// All of it: what one server stores. Cheap to clone; all clones are one store.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
}

impl Store {
    /// Opens a data folder, making it if there is none.
    ///
    /// What a process left behind that died is put in order: files that were being published are
    /// finished. Neither finished files nor unfinished uploads are read, however many there are: an
    /// upload is looked at when it is first asked for, and bytes that no upload knows are removed by the
    /// first [`Store::sweep`].
    ///
    /// # Examples
    ///
    /// ```
    /// use hoist_protocol::{Millis, NewFile};
    /// use hoist_store::{Owner, Party, Store, StoreConfig};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let folder = std::env::temp_dir().join(format!("hoist-example-{}", std::process::id()));
    /// let now = Millis(1_700_000_000_000);
    /// let store = Store::open(&folder, StoreConfig::default(), now).await?;
    /// let visitor = Party::known(Owner::shared());
    /// // A file of 0 bytes is there as soon as it is named.
    /// let empty = NewFile { name: "empty.txt".into(), size: Some(0), ..NewFile::default() };
    /// store.create(now, &visitor, &[empty]).await?;
    /// assert!(folder.join("files/empty.txt").is_file());
    /// store.close().await?;
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - [`StoreError::FolderInUse`] if another process has it open.
    /// - [`StoreError::NewerSchema`] if a newer program wrote it.
    /// - [`StoreError::Io`], [`StoreError::Catalog`] if it cannot be read or written.
    pub async fn open(folder: &Path, config: StoreConfig, now: Millis) -> Result<Self, StoreError> {
        let lock = lock_folder(folder)?;
        let disk = Arc::new(RealDisk::open(folder).map_err(io_error("opening the data folder"))?);
        let catalog = SqliteCatalog::open(&folder.join(CATALOG), &config).await?;
        let boot = check::boot();
        Self::open_on(Box::new(catalog), disk, Some(lock), config, boot, now).await
    }

    async fn open_on(
        catalog: Box<dyn Catalog>,
        disk: Arc<dyn disk::Disk>,
        lock: Option<std::fs::File>,
        config: StoreConfig,
        boot: String,
        now: Millis,
    ) -> Result<Self, StoreError> {
        let backend = Arc::new(DiskBackend::new(disk, config.durability));
        let mut shared = Shared::new(catalog, backend, config, lock);
        shared.begin_work(boot).await?;
        let store = Self {
            shared: Arc::new(shared),
        };
        store.shared.drop_old_names().await?;
        store.shared.recover(now).await?;
        Ok(store)
    }

    /// A store in memory, gone with its last clone: for tests, and for trying things out.
    ///
    /// It starts no threads; on a single-threaded runtime it does the same each time, except that
    /// ids are random.
    #[must_use]
    pub fn memory(config: StoreConfig) -> Self {
        let shared = Shared::new(
            Box::new(MemoryCatalog::new(&config.subscribers)),
            Arc::new(MemoryBackend::default()),
            config,
            None,
        );
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Stops taking work, waits for writes that run, and makes everything durable.
    ///
    /// # Errors
    ///
    /// [`StoreError::Catalog`] if the catalog cannot be closed; nothing acknowledged is lost.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.shared.close().await
    }

    /// What is allowed, and for this party, what is left of its quota.
    ///
    /// # Errors
    ///
    /// [`StoreError::Catalog`] if the catalog cannot be read.
    pub async fn limits(&self, now: Millis, party: &Party) -> Result<Limits, StoreError> {
        let mut limits = self.shared.config.limits.clone();
        if let Some(quota) = self.shared.quota(party).filter(|_| party.scope.is_none()) {
            let used = self
                .shared
                .catalog
                .usage(Some(party.owner.clone()), self.shared.since(now))
                .await?;
            limits.quota_left = Some(
                quota.saturating_sub(used.finished_bytes.saturating_add(used.unfinished_bytes)),
            );
        }
        Ok(limits)
    }

    /// A feed of changes. A slow watcher loses old ones and is told so by the channel.
    #[must_use]
    pub fn changes(&self) -> tokio::sync::broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    /// Bytes of chunks and ranges that have come since the store was opened, acknowledged or not.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.shared.received()
    }
}

/// Makes a data folder that nobody else on the machine may look into; one that is there keeps its
/// mode.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(_) if folder.is_dir() => Ok(()),
        done => done,
    }
}

/// Makes the folder and takes its lock, which lasts as long as the returned file.
fn lock_folder(folder: &Path) -> Result<std::fs::File, StoreError> {
    make_folder(folder).map_err(io_error("making the data folder"))?;
    let lock = std::fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(folder.join("lock"))
        .map_err(io_error("opening the lock of the data folder"))?;
    match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::FolderInUse {
            folder: folder.display().to_string(),
        }),
        Err(error) => Err(io_error("locking the data folder")(error.into())),
    }
}
