//! What all parts of a store share: catalog, backend, the uploads in work.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use hoist_protocol::{Millis, UploadId};
use tokio::task::{JoinError, JoinHandle};

use crate::{
    Change, Party, StoreConfig, StoreError,
    active::Active,
    backend::Backend,
    catalog::{Catalog, Command, Outcome, Row, RowState},
    durable::Syncer,
    figures::{Counters, add},
    load::Loaders,
    recover::Leftovers,
};

/// Uploads kept in memory at most while nobody works on them.
const IDLE_UPLOADS: usize = 1024;
/// How often an upload in work is noted in the catalog, in milliseconds.
const TOUCH_MS: u64 = 60_000;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) catalog: Box<dyn Catalog>,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) config: StoreConfig,
    pub(crate) syncer: Syncer,
    /// How often the machine has died under this folder.
    pub(crate) epoch: u64,
    pub(crate) changes: tokio::sync::broadcast::Sender<Change>,
    /// Changes when there are new events.
    pub(crate) news: tokio::sync::watch::Sender<()>,
    /// The lock of the folder, held as long as the store lives.
    pub(crate) _lock: Option<std::fs::File>,
    active: Mutex<HashMap<UploadId, Arc<Active>>>,
    pub(crate) loaders: Loaders,
    /// Chunks that are being written.
    pub(crate) writers: AtomicUsize,
    pub(crate) counters: Counters,
    is_closed: AtomicBool,
    /// What an earlier process left and nobody has looked at; see [`Self::reconcile`].
    pub(crate) leftovers: tokio::sync::Mutex<Leftovers>,
}

pub(crate) fn io_error(doing: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::StorageFull,
        _ => StoreError::Io { doing, source },
    }
}

/// A task of ours ended early only if the runtime is going away.
pub(crate) fn joined<T>(result: Result<T, JoinError>) -> Result<T, StoreError> {
    result.map_err(|_| StoreError::Unavailable)
}

impl Shared {
    pub(crate) fn new(
        catalog: Box<dyn Catalog>,
        backend: Arc<dyn Backend>,
        config: StoreConfig,
        lock: Option<std::fs::File>,
    ) -> Self {
        Self {
            catalog,
            backend,
            config,
            syncer: Syncer::default(),
            epoch: 0,
            changes: tokio::sync::broadcast::channel(1024).0,
            news: tokio::sync::watch::channel(()).0,
            _lock: lock,
            active: Mutex::default(),
            loaders: Loaders::default(),
            writers: AtomicUsize::new(0),
            counters: Counters::default(),
            is_closed: AtomicBool::new(false),
            leftovers: tokio::sync::Mutex::default(),
        }
    }

    /// Starts file work: on a thread of its own if the backend blocks, here and now if not.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        if self.backend.blocks() {
            tokio::task::spawn_blocking(work)
        } else {
            let done = work();
            tokio::spawn(std::future::ready(done))
        }
    }

    /// Does file work and waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.backend.blocks() {
            joined(tokio::task::spawn_blocking(work).await)?.map_err(io_error(doing))
        } else {
            work().map_err(io_error(doing))
        }
    }

    /// Writes bytes: on a thread of its own only if that may wait for a device.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.backend.writes_wait() {
            self.run(doing, work).await
        } else {
            work().map_err(io_error(doing))
        }
    }

    /// One line in the log: what became of an upload or file. Names and contents are its owner's affair.
    pub(crate) fn log(row: &Row, what: &'static str) {
        let bytes = row.size.unwrap_or(row.received);
        tracing::info!(id = %row.id, owner = %row.owner, bytes, "{what}");
    }

    /// Tells whoever watches.
    pub(crate) fn tell(&self, change: Change) {
        // Nobody watches: nobody is told.
        let _ = self.changes.send(change);
    }

    pub(crate) fn count_received(&self, bytes: u64) {
        add(&self.counters.received, bytes);
    }

    pub(crate) fn received(&self) -> u64 {
        self.counters.received.load(Ordering::Relaxed)
    }

    pub(crate) fn check_open(&self) -> Result<(), StoreError> {
        if self.is_closed.load(Ordering::Acquire) {
            Err(StoreError::Unavailable)
        } else {
            Ok(())
        }
    }

    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        self.is_closed.store(true, Ordering::Release);
        self.news.send_replace(());
        let active: Vec<_> = self
            .active
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain()
            .map(|(_, active)| active)
            .collect();
        for active in active {
            active.end().await;
        }
        let backend = Arc::clone(&self.backend);
        self.run("syncing the disk", move || backend.sync()).await?;
        self.catalog.apply(Command::Stop).await?;
        self.catalog.close().await
    }

    /// Whether an upload is in work now.
    pub(crate) fn is_leased(&self, id: UploadId) -> bool {
        self.active
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .is_some_and(|active| active.is_leased())
    }

    pub(crate) fn remembered(&self, id: UploadId) -> Option<Arc<Active>> {
        self.active
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .map(Arc::clone)
    }

    /// Takes an upload out of those in work; nobody finds it any more.
    pub(crate) fn forget(&self, id: UploadId) {
        self.active
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    }

    pub(crate) fn remember(&self, active: &Arc<Active>) {
        let mut all = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= IDLE_UPLOADS {
            // Those that only this map holds: what they know is on the disk.
            all.retain(|_, other| Arc::strong_count(other) > 1);
        }
        all.insert(active.id, Arc::clone(active));
    }

    /// The row of an upload of this party.
    pub(crate) async fn row(&self, party: &Party, id: UploadId) -> Result<Row, StoreError> {
        let row = self.catalog.get(vec![id]).await?.pop();
        row.filter(|row| row.owner == party.owner && row.state != RowState::Hidden)
            .filter(|row| party.reaches(row.id))
            .ok_or(StoreError::NotFound)
    }

    /// Notes in the catalog, now and then, that bytes have come.
    pub(crate) async fn touch(&self, active: &Active, now: Millis) -> Result<(), StoreError> {
        let received = {
            let mut inner = active.lock();
            // A file that is whole is published at once, and that is note enough.
            // One without a size is noted each time: what has come is all that its quota counts.
            let often = TOUCH_MS.min(self.config.unfinished_ttl_ms / 4);
            if inner.is_whole(active.chunk_size)
                || inner.size.is_some() && inner.touched.is_some_and(|last| now.since(last) < often)
            {
                return Ok(());
            }
            inner.touched = Some(now);
            inner
                .received(active.chunk_size)
                .iter()
                .map(|range| range.len())
                .sum()
        };
        let expires = now.plus(self.config.unfinished_ttl_ms).0;
        self.catalog
            .apply(Command::Touch {
                id: active.id,
                expires,
                received,
            })
            .await?;
        Ok(())
    }

    /// Fixes the size of an upload that was created without.
    pub(crate) async fn set_size_of(&self, active: &Active, size: u64) -> Result<(), StoreError> {
        {
            let inner = active.lock();
            match inner.size {
                Some(known) if known == size => return Ok(()),
                Some(_) => {
                    return Err(StoreError::Invalid(
                        "the size of this upload is known, and it is another",
                    ));
                }
                None => inner.check_end(active.chunk_size, size)?,
            }
        }
        self.check_size(size)?;
        if let Outcome::NotDone = self
            .catalog
            .apply(Command::SetSize {
                id: active.id,
                size,
            })
            .await?
        {
            return Err(StoreError::NotFound);
        }
        active.lock().fix_size(active.chunk_size, size);
        Ok(())
    }
}
